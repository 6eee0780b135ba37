/* flow.c - a table of tokens as running text: the first row is the problem, quiet; each token after it has the colour of one of its
 * figures, which c chooses. Without colours a strong figure is bold and a weak one is dim. */
#include "view/view.h"
#include <math.h>
#include <string.h>

enum { BY_ADVANTAGE, BY_ENTROPY, BY_PROBABILITY, BY_RATIO };

static Style flow_style(const Pen *p, const Table *t, int r)
{
	const int by = p->color_by >= 0 && p->color_by <= BY_RATIO ? p->color_by : 0;
	const bool sign = by == BY_ADVANTAGE || by == BY_RATIO;
	double v = t->tint[by] ? t->tint[by][r] : NAN;
	Style st = r == 0 ? p->theme->given : p->theme->made;
	if (p->theme->mono && !isnan(v))
		st.attr |= v > 0.5 ? ATTR_BOLD : v < (sign ? -0.25 : 0.1) ? ATTR_DIM : 0;
	else if (!isnan(v) && sign)
		st.fg = color_mix(color_diverging(p->theme, v), p->theme->page_fg, 0.4);
	else if (!isnan(v))
		st.fg = color_mix(color_viridis(p->theme, v), p->theme->page_fg, 0.25);
	if (r == t->sel)
		st.attr |= ATTR_UNDERLINE | ATTR_BOLD;
	return st;
}

/* Walks the text of a row from (x, y), drawn in o from line top on unless o.w is 0. */
static void flow_row(Win o, int w, const char *s, int *x, int *y, int top, int h, Style st, Style quiet)
{
	char g[CELL_BYTES];
	for (size_t i = 0, n = strlen(s), u; i < n; i += u) {
		int gw = 1;
		bool lf = s[i] == '\n';
		u = lf ? 1 : text_grapheme(s + i, n - i, g, &gw);
		if (!u)
			return;
		if (*x + gw > w) {
			*x = 0;
			(*y)++;
		}
		if (o.w && *y >= top && *y - top < h && gw > 0)
			win_text(o, *x, *y - top, lf ? "↵" : g, lf ? quiet : st);
		*x += gw;
		if (lf) {
			*x = 0;
			(*y)++;
		}
	}
}

/* A figure that was not told for this answer colours nothing, which the legend says. */
static bool flow_told(const Table *t, int by)
{
	for (int r = 0; t->tint[by] && r < t->rows; r++)
		if (!isnan(t->tint[by][r]))
			return true;
	return false;
}

static void flow_legend(const Pen *p, Win o, const Table *t)
{
	const int by = p->color_by >= 0 && p->color_by <= BY_RATIO ? p->color_by : 0;
	static const char *const name[] = { "advantage, blue - orange +", "entropy", "probability", "ratio, blue <1< orange" };
	win_printf(o, 0, o.h - 1, p->theme->dim, "c: %s%s", name[by], flow_told(t, by) ? "" : " · not told");
}

void view_flow(const Pen *p, Win o, const Data *d)
{
	const Table *t = &d->table;
	Win none = { 0 };
	Style quiet = p->theme->dim;
	int x = 0, y = 0, sel_y = 0, h = o.h > 3 ? o.h - 1 : o.h;
	for (int r = 0; r < t->rows; r++) {
		if (r == t->sel)
			sel_y = y;
		flow_row(none, o.w, t->cell[(size_t)r * (size_t)t->cols].s, &x, &y, 0, 0, quiet, quiet);
	}
	int top = pen_scroll(p->ps->scroll_y, h, y + 1, sel_y);
	x = y = 0;
	for (int r = 0; r < t->rows; r++)
		flow_row(o, o.w, t->cell[(size_t)r * (size_t)t->cols].s, &x, &y, top, h, flow_style(p, t, r), quiet);
	if (h < o.h)
		flow_legend(p, o, t);
	p->ps->scroll_y = top;
	p->ps->body = (Rect){ 0, 0, 0, 0 };
}
