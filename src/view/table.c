/* table.c - rows and columns under a heading, and the card: names and values. Columns are as wide as what
 * is seen of them. */
#include "view/view.h"
#include <string.h>

static Style cell_style(const Theme *t, CellStyle s)
{
	switch (s) {
	case CELL_DIM: return t->dim;
	case CELL_STRONG: return t->strong;
	case CELL_GOOD: return t->good;
	case CELL_WARN: return t->warn;
	case CELL_ACCENT: return t->accent;
	default: return t->text;
	}
}

static int col_width(const Table *t, int c, int from, int to)
{
	int w = t->head[c] ? text_columns(t->head[c], strlen(t->head[c])) : 0;
	for (int r = from; r < to; r++) {
		const char *s = t->cell[(size_t)r * (size_t)t->cols + (size_t)c].s;
		int x = s ? text_columns(s, strlen(s)) : 0;
		w = x > w ? x : w;
	}
	return w;
}

static void table_put(Win o, int x, int y, int w, const char *s, bool left, Style st)
{
	Win c = win_sub(o, x, y, w, 1);
	if (!s)
		return;
	if (left || text_columns(s, strlen(s)) > c.w)
		win_cut(c, 0, 0, s, st);
	else
		win_right(c, c.w, 0, s, st);
}

/* Columns that do not fit are left out from the right. */
static int table_fit(const Table *t, int room, int from, int to, int gap, int w[TABLE_COLS])
{
	int used = 0, n = 0;
	for (; n < t->cols; n++) {
		w[n] = col_width(t, n, from, to);
		if (n > 0 && used + w[n] > room + (t->left[n] ? w[n] - (w[n] < 6 ? w[n] : 6) : 0))
			break;
		used += w[n] + gap;
	}
	return n;
}

void view_table_draw(const Pen *p, Win o, const Data *d)
{
	const Table *t = &d->table;
	const Theme *th = p->theme;
	int w[TABLE_COLS], y = 0, head = t->head[0] ? 1 : 0;
	for (; y < t->n_above && y < o.h; y++)
		win_cut(o, 0, y, t->line[y], th->dim);
	int below = t->n_lines - t->n_above, rows = o.h - y - head - below;
	if (rows < 1)
		rows = o.h - y - head > 0 ? o.h - y - head : 0;
	int first = pen_scroll(p->ps->scroll_y, rows, t->rows, t->sel);
	int last = first + rows > t->rows ? t->rows : first + rows;
	int gap = 2, n = table_fit(t, o.w, first, last, gap, w);
	if (n < t->cols)
		n = table_fit(t, o.w, first, last, gap = 1, w);
	for (int c = 0, x = 0; head && c < n; x += w[c++] + gap)
		table_put(o, x, y, w[c], t->head[c], t->left[c], th->dim);
	y += head;
	p->ps->body = (Rect){ o.x, o.y + y, o.w, last - first };
	for (int r = first; r < last; r++, y++) {
		for (int c = 0, x = 0; c < n; x += w[c++] + gap) {
			const TableCell *k = &t->cell[(size_t)r * (size_t)t->cols + (size_t)c];
			table_put(o, x, y, w[c], k->s, t->left[c], cell_style(th, k->style));
		}
		if (r == t->sel)
			win_paint(o, 0, y, o.w, th->select.bg, th->mono ? ATTR_REVERSE : 0);
	}
	for (int i = t->n_above; i < t->n_lines && y < o.h; i++, y++)
		win_cut(o, 0, y, t->line[i], th->text);
	p->ps->scroll_y = p->ps->first_row = first;
	p->ps->cell_w = o.w;
}

/* In two columns when there is room beside and not below. */
void view_card(const Pen *p, Win o, const Data *d)
{
	const Table *t = &d->table;
	int kw = col_width(t, 0, 0, t->rows), vw = col_width(t, 1, 0, t->rows), cols = 1;
	if (t->rows > o.h && o.w >= 2 * (kw + vw + 2) + 2)
		cols = 2;
	int half = (t->rows + cols - 1) / cols;
	for (int r = 0; r < t->rows; r++) {
		int x = r / half * (o.w / 2), y = r % half;
		Win line = win_sub(o, x, y, cols > 1 ? o.w / 2 - 1 : o.w, 1);
		if (y >= o.h)
			continue;
		const TableCell *k = &t->cell[r * 2];
		win_cut(line, 0, 0, k[0].s, p->theme->dim);
		if (k[1].s)
			win_cut(line, kw + 2, 0, k[1].s, cell_style(p->theme, k[1].style));
	}
	p->ps->scroll_y = 0;
}
