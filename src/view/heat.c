/* heat.c - a field as colour: rows x columns of cells, two rows to a line by half-blocks when there is not
 * room for one each, or the numbers themselves. Not computed is a dot, zero is the map's darkest colour,
 * NaN is '!' in reverse video. */
#include "view/view.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Heat {
	const Pen *p;
	const Field *f;
	Win o;
	int x0, y0;                /* of the first cell */
	int cell_w, rows, cols;    /* cells that can be seen */
	int r0, c0;
	bool half, numbers, log, gaps;
	double lo, hi;
} Heat;

static int heat_x(const Heat *h, int c)
{
	int gap = h->gaps ? c / h->f->group - h->c0 / h->f->group : 0;
	return h->x0 + (c - h->c0) * h->cell_w + gap;
}

static void heat_range(Heat *h)
{
	double top = 0, low = INFINITY;
	for (int r = h->r0; r < h->r0 + h->rows && r < h->f->rows; r++)
		for (int c = h->c0; c < h->c0 + h->cols && c < h->f->cols; c++) {
			bool have;
			double v = fabs(field_at(h->f, r, c, &have));
			if (have && isfinite(v)) {
				top = fmax(top, v);
				low = v > 0 && v < low ? v : low;
			}
		}
	h->hi = h->f->hi > 0 ? h->f->hi : top > 0 ? top : 1;
	h->lo = isfinite(low) ? low : h->hi;
}

/* Value to 0..1 or -1..1. */
static double heat_part(const Heat *h, double v)
{
	double m = fabs(v) / h->hi;
	if (h->log)
		m = v == 0 ? 0 : h->hi > h->lo ? fmax(0.05, log(fabs(v) / h->lo) / log(h->hi / h->lo)) : 1;
	m = m > 1 ? 1 : m;
	return h->f->diverging && v < 0 ? -m : m;
}

static uint32_t heat_color(const Heat *h, double v)
{
	double m = heat_part(h, v);
	return h->f->diverging ? color_diverging(h->p->theme, m) : color_viridis(h->p->theme, m);
}

static void heat_number(const Heat *h, int x, int y, double v, bool have)
{
	char s[16];
	Style st = h->p->theme->text;
	if (!have) {
		win_right(h->o, x + h->cell_w - 1, y, h->f->blank ? " " : "·", h->p->theme->dim);
		return;
	}
	if (isnan(v)) {
		st.attr |= ATTR_REVERSE;
		win_right(h->o, x + h->cell_w - 1, y, "!", st);
		return;
	}
	snprintf(s, sizeof s, fabs(v) >= 100 ? "%.0f" : fabs(v) >= 10 ? "%.1f" : "%.2f", v);
	if (!h->p->theme->mono && !h->p->ascii)
		st.fg = color_mix(heat_color(h, v), 0xffffff, strcmp(h->p->theme->name, "light") == 0 ? 0 : 0.25);
	win_right(h->o, x + h->cell_w - 1, y, s, st);
}

/* Two rows in one line: upper colour in front, lower behind. */
static void heat_half(const Heat *h, int c, int line)
{
	bool have[2];
	double v[2];
	uint32_t col[2];
	for (int k = 0; k < 2; k++) {
		v[k] = field_at(h->f, h->r0 + 2 * line + k, c, &have[k]);
		col[k] = have[k] && !isnan(v[k]) ? heat_color(h, v[k]) : COLOR_DEFAULT;
	}
	for (int i = 0; i < h->cell_w; i++) {
		int x = heat_x(h, c) + i, y = h->y0 + line;
		if (have[0])
			win_text(h->o, x, y, "▀", (Style){ col[0], col[1], 0 });
		else if (have[1])
			win_text(h->o, x, y, "▄", (Style){ col[1], COLOR_DEFAULT, 0 });
		else if (i == 0 && !h->f->blank)
			win_text(h->o, x, y, "·", h->p->theme->track);
	}
}

static void heat_mark(const Heat *h, int x, int y)
{
	Win cell = win_sub(h->o, x, y, h->cell_w, 1);
	if (cell.w < 1 || cell.h < 1)
		return;
	Style st = h->p->theme->strong;
	st.bg = grid_at(cell.g, cell.x, cell.y)->bg;
	if (st.bg != COLOR_DEFAULT)
		st.fg = color_on(st.bg);
	if (h->cell_w < 2 || h->numbers) {
		win_paint(h->o, x, y, h->cell_w, COLOR_DEFAULT, ATTR_REVERSE);
		return;
	}
	win_text(h->o, x, y, "[", st);
	win_text(h->o, x + h->cell_w - 1, y, "]", st);
}

static void heat_cell(const Heat *h, int r, int c)
{
	bool have;
	double v = field_at(h->f, r, c, &have);
	int x = heat_x(h, c), y = h->y0 + r - h->r0;
	if (h->numbers)
		heat_number(h, x, y, v, have);
	else if (!have)
		win_text(h->o, x + (h->cell_w - 1) / 2, y, h->f->blank ? " " : "·", h->p->theme->track);
	else if (isnan(v))
		win_text(h->o, x + (h->cell_w - 1) / 2, y, "!",
			(Style){ COLOR_DEFAULT, COLOR_DEFAULT, ATTR_REVERSE });
	else
		pen_cell(h->p, h->o, x, y, h->cell_w, heat_part(h, v), h->f->diverging);
	if (r == h->f->row_sel && c == h->f->col_sel && !(have && isnan(v) && h->cell_w < 3))
		heat_mark(h, x, y);
}

/* Where the number of a column begins and how long it is; one at the edge is moved in. */
static int header_at(const Heat *h, int c, char s[16], int *n)
{
	*n = snprintf(s, 16, "%d", c);
	int x = heat_x(h, c) + (h->cell_w > *n ? (h->cell_w - *n + 1) / 2 : 0);
	return x + *n > h->o.w ? h->o.w - *n : x;
}

static void heat_header(const Heat *h)
{
	const Theme *t = h->p->theme;
	char s[16];
	int digits = snprintf(s, sizeof s, "%d", h->f->cols - 1), every = 1, n = 0, n_on = 0, sel = h->f->col_sel;
	bool seen = sel >= h->c0 && sel < h->c0 + h->cols;
	int x_on = seen ? header_at(h, sel, s, &n_on) : 0;
	/* Every number that fits with a blank between; the selected one always. */
	while (every * h->cell_w <= digits)
		every *= 2;
	every = every == 2 && h->cell_w == digits && digits == 2 && h->gaps ? 1 : every;
	for (int c = h->c0; c < h->c0 + h->cols && c < h->f->cols; c++) {
		int x = header_at(h, c, s, &n);
		if (c != sel && (c % every != 0 || (every > 1 && seen && x + n >= x_on && x <= x_on + n_on)))
			continue;
		win_text(h->o, x, h->y0 - 1, s, c == sel ? t->accent : t->dim);
	}
}

static void heat_labels(const Heat *h)
{
	const Theme *t = h->p->theme;
	int lw = h->x0 - 1;
	Win left = win_sub(h->o, 0, 0, lw, h->o.h);
	int lines = h->half ? (h->rows + 1) / 2 : h->rows;
	for (int i = 0; i < lines; i++) {
		int r = h->r0 + (h->half ? 2 * i : i);
		bool on = r == h->f->row_sel || (h->half && r + 1 == h->f->row_sel);
		if (r >= h->f->rows)
			break;
		const char *s = h->f->row_label(h->f, on && r != h->f->row_sel ? r + 1 : r);
		win_text(left, 0, h->y0 + i, s, on ? t->accent : t->dim);
		if (text_columns(s, strlen(s)) > lw)
			win_text(left, lw - 1, h->y0 + i, "…", on ? t->accent : t->dim);
		if (on)
			win_text(h->o, lw, h->y0 + i, "▸", t->accent);
	}
}

static void heat_groups(const Heat *h)
{
	if (!h->gaps)
		return;
	int lines = h->half ? (h->rows + 1) / 2 : h->rows;
	for (int c = h->c0 + 1; c < h->c0 + h->cols && c < h->f->cols; c++)
		if (c % h->f->group == 0)
			for (int y = 0; y < lines; y++)
				win_text(h->o, heat_x(h, c) - 1, h->y0 + y, "│", h->p->theme->track);
}

/* The scale, at the bottom right when there is a line to spare. */
static void heat_legend(const Heat *h, int y)
{
	enum { STEPS = 10 };
	Arena *a = h->p->look.arena;
	const char *lo = h->f->diverging ? arena_printf(a, "-%.3g", h->hi)
		: h->log                 ? arena_printf(a, "%.2g", h->lo)
					 : "0";
	const char *hi = arena_printf(a, "%.3g%s%s", h->hi, h->f->unit ? " " : "", h->f->unit ? h->f->unit : "");
	int w = STEPS + text_columns(lo, strlen(lo)) + text_columns(hi, strlen(hi)) + 2, x = h->o.w - w;
	if (x < 1)
		return;
	Win left = win_sub(h->o, 0, 0, x - 1, h->o.h);
	x = win_text(h->o, x, y, lo, h->p->theme->dim) + 1;
	for (int i = 0; i < STEPS; i++) {
		double part = i / (STEPS - 1.0);
		pen_cell(h->p, h->o, x + i, y, 1, h->f->diverging ? 2 * part - 1 : part, h->f->diverging);
	}
	win_text(h->o, x + STEPS + 1, y, hi, h->p->theme->dim);
	if (h->c0 == 0 && h->cols >= h->f->cols)
		win_text(left, 0, y, h->f->sparse ? "· not chosen" : "", h->p->theme->dim);
	else
		win_printf(left, 0, y, h->p->theme->dim, "%s %d-%d of %d",
			h->f->col_name ? h->f->col_name : "columns", h->c0, h->c0 + h->cols - 1, h->f->cols);
}

static void heat_columns(Heat *h)
{
	const Field *f = h->f;
	int room = h->o.w - h->x0, most = h->numbers ? 7 : 5, least = h->numbers ? 5 : 1;
	h->gaps = f->group > 1;
	int gaps = h->gaps ? (f->cols - 1) / f->group : 0;
	h->cell_w = f->cols > 0 ? (room - gaps) / f->cols : 1;
	/* Room goes to the cells before it goes to the lines between groups. */
	if (h->gaps && (h->cell_w < least || (h->cell_w < 2 && room / f->cols >= 2))) {
		h->gaps = false;
		h->cell_w = room / f->cols;
	}
	h->cell_w = h->cell_w > most ? most : h->cell_w < least ? least : h->cell_w;
	h->cols = f->cols;
	while (h->cols > 1 &&
		h->cols * h->cell_w + (h->gaps ? (h->cols + f->group - 1) / f->group : 0) >
			room + (h->cols == f->cols && h->gaps))
		h->cols--;
	h->c0 = h->cols < f->cols ? pen_scroll(h->p->ps->scroll_x, h->cols, f->cols, f->col_sel) : 0;
}

static void heat_rows(Heat *h, bool legend)
{
	int lines = h->o.h - h->y0 - (legend ? 1 : 0);
	h->half = h->f->rows > lines && h->p->glyphs == GLYPHS_BLOCK && !h->numbers && !h->p->theme->mono &&
		!h->p->ascii && !h->f->each_line && h->f->row_axis != AXIS_TOKEN && h->f->row_axis != AXIS_LAYER;
	if (h->f->row_axis == AXIS_LAYER && h->f->rows > 2 * lines - lines / 2)
		h->half = h->p->glyphs == GLYPHS_BLOCK && !h->numbers && !h->p->theme->mono && !h->p->ascii;
	h->rows = h->half ? 2 * lines : lines;
	h->r0 = pen_scroll(h->p->ps->scroll_y, h->rows, h->f->rows, h->f->row_sel);
	h->rows = h->rows > h->f->rows - h->r0 ? h->f->rows - h->r0 : h->rows;
}

static void heat_keep(const Heat *h)
{
	PaneState *ps = h->p->ps;
	ps->scroll_x = h->c0;
	ps->scroll_y = h->r0;
	ps->body = (Rect){ h->o.x + h->x0, h->o.y + h->y0, h->o.w - h->x0,
		h->half ? (h->rows + 1) / 2 : h->rows };
	ps->cell_w = h->cell_w;
	ps->row_h = 1;
	ps->half = h->half;
	ps->group = h->gaps ? h->f->group : 0;
	ps->first_col = h->c0;
	ps->first_row = h->r0;
}

void view_heat(const Pen *p, Win o, const Data *d)
{
	const Field *f = &d->field;
	bool legend = o.h >= 5;
	Heat h = { .p = p, .f = f, .o = o, .y0 = 1, .numbers = p->ps->numbers, .log = p->ps->log };
	h.x0 = f->label_w + 2 > o.w / 2 ? (o.w / 3 < 6 ? 4 : o.w / 3) : f->label_w + 2;
	if (f->rows < 1 || f->cols < 1 || o.h < 2) {
		pen_empty(p, o, "nothing to draw");
		return;
	}
	heat_columns(&h);
	heat_rows(&h, legend);
	heat_range(&h);
	heat_header(&h);
	heat_labels(&h);
	heat_groups(&h);
	if (h.half)
		for (int y = 0; y < (h.rows + 1) / 2; y++)
			for (int c = h.c0; c < h.c0 + h.cols && c < f->cols; c++)
				heat_half(&h, c, y);
	else
		for (int r = h.r0; r < h.r0 + h.rows; r++)
			for (int c = h.c0; c < h.c0 + h.cols && c < f->cols; c++)
				heat_cell(&h, r, c);
	if (legend)
		heat_legend(&h, o.h - 1);
	heat_keep(&h);
}
