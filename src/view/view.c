/* view.c - the table of renderers and the strokes they share. */
#include "view/view.h"
#include <math.h>
#include <string.h>

static const View view_table[] = {
	{ "heat", DATA_FIELD, view_heat, 16, 3, "a field as colours, or numbers with #" },
	{ "bars", DATA_ITEMS, view_bars, 16, 1, "one bar to an item, log scale with l" },
	{ "line", DATA_SERIES, view_line, 12, 2, "lines over time or position: braille, half-blocks or ASCII" },
	{ "table", DATA_TABLE, view_table_draw, 16, 2, "rows and columns under a heading" },
	{ "card", DATA_TABLE, view_card, 16, 1, "names and values" },
	{ "flow", DATA_TABLE, view_flow, 12, 2, "a table of tokens as running text, coloured by their figures" },
	{ "gauge", DATA_SERIES, view_gauge, 12, 1, "the last of two lines as a part of the other" },
	{ "text", DATA_TEXT, view_text, 8, 1, "the model's text, given told from generated" },
	{ "marks", DATA_TEXT, view_marks, 8, 2, "the model's text, MTP drafts taken and refused marked below it" },
	{ "trace", DATA_TEXT, view_trace, 10, 1, "the model's text, lines of its think span marked at the left" },
	{ "prompt", DATA_NONE, NULL, 8, 1, "the prompt line" },
};

const View *view_at(int i)
{
	return i >= 0 && i < (int)(sizeof view_table / sizeof *view_table) ? &view_table[i] : NULL;
}

const View *view_find(const char *name)
{
	for (int i = 0; view_at(i); i++)
		if (strcmp(view_at(i)->name, name) == 0)
			return view_at(i);
	return NULL;
}

int view_rows(const Data *d)
{
	switch (d->kind) {
	case DATA_FIELD: return d->field.rows + 4;
	case DATA_ITEMS: return d->items.n + 2;
	case DATA_TABLE: return d->table.rows + d->table.n_lines + (d->table.head[0] ? 1 : 0) + 2;
	default: return 0;
	}
}

int pen_scroll(int first, int visible, int total, int sel)
{
	if (sel >= 0 && sel < first)
		first = sel;
	if (sel >= 0 && sel >= first + visible)
		first = sel - visible + 1;
	if (first > total - visible)
		first = total - visible;
	return first < 0 ? 0 : first;
}

/* Bytes of s that fit w columns, cut behind a blank if there is one. */
static size_t empty_fit(const char *s, int w)
{
	size_t cut = 0, n = strlen(s);
	if (text_columns(s, n) <= w)
		return n;
	for (size_t i = 0; i < n; i++)
		if (s[i] == ' ' && text_columns(s, i) <= w)
			cut = i + 1;
	return cut ? cut : n;
}

void pen_empty(const Pen *p, Win o, const char *why)
{
	int lines = 0, y = o.h > 2 ? (o.h - 1) / 2 : 0;
	for (const char *s = why; *s; s += empty_fit(s, o.w))
		lines++;
	y -= (lines - 1) / 2;
	for (y = y < 0 ? 0 : y; *why && y < o.h; y++) {
		size_t n = empty_fit(why, o.w), shown = n > 0 && why[n] && why[n - 1] == ' ' ? n - 1 : n;
		int w = text_columns(why, shown);
		win_textn(o, w < o.w ? (o.w - w) / 2 : 0, y, why, shown, p->theme->dim);
		why += n;
	}
}

void pen_bar(const Pen *p, Win o, int x, int y, int w, double part, uint32_t color)
{
	static const char *const eighth[] = { "", "▏", "▎", "▍", "▌", "▋", "▊", "▉" };
	Style st = p->theme->bar;
	if (color != COLOR_DEFAULT && !p->theme->mono)
		st.fg = color;
	part = isnan(part) || part < 0 ? 0 : part > 1 ? 1 : part;
	int fine = (int)(part * w * 8 + 0.5), full = fine / 8;
	if (part > 0 && fine == 0)
		fine = 1;
	if (p->ascii) {
		full = (int)(part * w + 0.5);
		for (int i = 0; i < full; i++)
			win_text(o, x + i, y, "#", st);
		return;
	}
	for (int i = 0; i < full; i++)
		win_text(o, x + i, y, "█", st);
	if (fine % 8 && full < w)
		win_text(o, x + full, y, eighth[fine % 8], st);
}

static void cell_shade(const Pen *p, Win o, int x, int y, int w, double m, uint32_t color, bool neg)
{
	static const char *const shade[] = { " ", "░", "▒", "▓", "█" },
				 *const below[] = { " ", "▁", "▃", "▅", "▇" };
	static const char ramp[] = " .:-=+*#%@", minus[] = " ,~-<oO0&$";
	char one[2] = { 0, 0 };
	if (p->ascii || p->glyphs == GLYPHS_ASCII) {
		int i = m <= 0 ? 0 : 1 + (int)(m * 8.999);
		one[0] = (neg ? minus : ramp)[i > 9 ? 9 : i];
	}
	int i = m <= 0 ? 0 : 1 + (int)(m * 3.999);
	Style st = { color, COLOR_DEFAULT, 0 };
	/* Without colour the sign must be in the shape: shades above zero, bars from the ground below it. */
	const char *const *set = neg && p->theme->mono ? below : shade;
	for (int k = 0; k < w; k++)
		win_text(o, x + k, y, one[0] ? one : set[i > 4 ? 4 : i], st);
}

void pen_cell(const Pen *p, Win o, int x, int y, int w, double part, bool diverging)
{
	double m = fabs(part);
	uint32_t c = diverging ? color_diverging(p->theme, part) : color_viridis(p->theme, part);
	if (p->ascii || p->glyphs != GLYPHS_BLOCK || p->theme->mono) {
		cell_shade(p, o, x, y, w, m, c, part < 0);
		return;
	}
	for (int k = 0; k < w; k++)
		win_put(o, x + k, y, " ", 1, (Style){ COLOR_DEFAULT, c, 0 });
}
