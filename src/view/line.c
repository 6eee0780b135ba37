/* line.c - series as lines: braille dots (2 x 4 to a cell), or one mark a column in ASCII. A later line is
 * drawn over an earlier one. */
#include "view/view.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct Plot {
	const Pen *p;
	Win o;                     /* the drawing area */
	double lo, hi;
	bool log;
	int n, from;               /* points, the first that is drawn */
	bool braille;
} Plot;

static double plot_value(const Plot *t, double v)
{
	return t->log ? (v > 0 ? log10(v) : NAN) : v;
}

static void plot_range(Plot *t, const Series *s)
{
	t->lo = INFINITY;
	t->hi = -INFINITY;
	for (int k = 0; k < s->n; k++)
		for (int i = t->from; i < s->line[k].n; i++) {
			double v = plot_value(t, s->line[k].at(&s->line[k], i));
			if (isfinite(v)) {
				t->lo = fmin(t->lo, v);
				t->hi = fmax(t->hi, v);
			}
		}
	if (!isfinite(t->lo))
		t->lo = 0, t->hi = 1;
	/* Zero belongs to the picture of a magnitude. */
	if (!t->log && t->lo > 0 && !s->near)
		t->lo = 0;
	if (t->hi <= t->lo)
		t->hi = t->lo + 1;
}

/* Dots across the picture: each shows one point, the newest of those that fall on it, held until the next.
 * No value is invented: a mean would show what never was. */
static double plot_point(const Plot *t, const Line *l, int dot, int dots)
{
	int span = t->n - t->from;
	int i = t->from +
		(span <= dots ? (int)((double)dot * span / dots)
			      : (int)((double)(dot + 1) * span / dots) - 1);
	return i < l->n ? plot_value(t, l->at(l, i)) : NAN;
}

static int plot_level(const Plot *t, double v, int levels)
{
	int y = (int)((v - t->lo) / (t->hi - t->lo) * (levels - 1) + 0.5);
	return y < 0 ? 0 : y >= levels ? levels - 1 : y;
}

static void column_dots(unsigned char *bits, int h, int from, int to, int side)
{
	static const unsigned char dot[2][4] = { { 0x40, 0x04, 0x02, 0x01 }, { 0x80, 0x20, 0x10, 0x08 } };
	int lo = from < to ? from : to, hi = from < to ? to : from;
	for (int y = lo; y <= hi; y++)
		if (y / 4 < h)
			bits[y / 4] |= dot[side][y % 4];
}

static void plot_braille(const Plot *t, const Line *l, Style st)
{
	int levels = t->o.h * 4, last = -1;
	unsigned char bits[GRID_MAX];
	for (int x = 0; x < t->o.w; x++) {
		memset(bits, 0, sizeof bits);
		for (int side = 0; side < 2; side++) {
			double v = plot_point(t, l, 2 * x + side, 2 * t->o.w);
			int y = isfinite(v) ? plot_level(t, v, levels) : -1;
			int from = last < 0 || last == y ? y : last < y ? last + 1 : last - 1;
			if (y >= 0)
				column_dots(bits, t->o.h, from, y, side);
			last = y;
		}
		for (int y = 0; y < t->o.h; y++)
			if (bits[y]) {
				char s[4] = { (char)0xe2, (char)(0xa0 | bits[y] >> 6), (char)(0x80 | (bits[y] & 0x3f)), 0 };
				win_put(t->o, x, t->o.h - 1 - y, s, 1, st);
			}
	}
}

static const char marks[] = "*o+x#%";

static void plot_ascii(const Plot *t, const Line *l, int k, Style st)
{
	char s[2] = { marks[k % 6], 0 };
	for (int x = 0; x < t->o.w; x++) {
		double v = plot_point(t, l, x, t->o.w);
		if (isfinite(v))
			win_put(t->o, x, t->o.h - 1 - plot_level(t, v, t->o.h), s, 1, st);
	}
}

static const char *axis_text(const Plot *t, double v, const char *unit)
{
	Arena *a = t->p->look.arena;
	v = t->log ? pow(10, v) : v;
	if (unit && strcmp(unit, "B") == 0)
		return text_bytes(a, v);
	if (v != 0 && fabs(v) < 0.01)
		return arena_printf(a, "%.1e", v);
	return v != 0 && fabs(v) < 10 ? arena_printf(a, "%.2f", v) : text_count(a, v);
}

/* Whether a line is made of dots. Without colour, or with one that another line has, those of several lines could not be told apart:
 * they get marks. */
static bool line_dots(const Plot *t, int k)
{
	return t->braille && k < (t->p->theme->mono ? 1 : CATEGORIES);
}

static const char *legend_value(const Plot *t, const Series *s, const Line *l)
{
	double v = l->n ? l->at(l, s->sel >= 0 && s->sel < l->n ? s->sel : l->n - 1) : NAN;
	if (t->log && v <= 0)      /* has no place on the scale, but a value */
		return arena_printf(t->p->look.arena, "%.2g", v);
	return isnan(v) ? "·" : axis_text(t, plot_value(t, v), l->unit);
}

static const char *legend_unit(const Plot *t, const Line *l)
{
	return l->unit && strcmp(l->unit, "B") ? arena_printf(t->p->look.arena, " %s", l->unit) : "";
}

static int legend_width(const Plot *t, const Series *s, const Line *l)
{
	const char *value = legend_value(t, s, l), *unit = legend_unit(t, l);
	return 3 + text_columns(l->name, strlen(l->name)) + text_columns(value, strlen(value)) + text_columns(unit, strlen(unit));
}

/* Name and value of each line; several lines of the picture when there are many and it is high. Returns how many. */
static int line_legend(const Plot *t, Win o, const Series *s)
{
	int x = 0, y = 0, most = o.h >= 12 ? 4 : o.h >= 8 ? 3 : o.h >= 6 ? 2 : 1, wide = -3;
	for (int k = 0; k < s->n; k++)
		wide += legend_width(t, s, &s->line[k]) + 3;
	int gap = most == 1 && wide > o.w ? 1 : 3;
	for (int k = 0; k < s->n; k++) {
		const Line *l = &s->line[k];
		const Theme *th = t->p->theme;
		Style st = th->text;
		st.fg = th->category[k % CATEGORIES];
		char mark[] = { marks[k % 6], ' ', 0 };
		if (x > 0 && x + legend_width(t, s, l) > o.w && y + 1 < most) {
			x = 0;
			y++;
		}
		x = win_text(o, x, y, line_dots(t, k) ? "● " : mark, st);
		x = win_printf(o, x, y, th->dim, "%s ", l->name);
		x = win_text(o, x, y, legend_value(t, s, l), th->strong);
		x = win_printf(o, x, y, th->dim, "%s%*s", legend_unit(t, l), gap, "");
	}
	return y + 1;
}

static void line_cursor(const Plot *t, const Series *s, int dots)
{
	int span = t->n - t->from, at = s->sel - t->from;
	if (s->sel < t->from || span < 1 || !t->p->focus)
		return;
	int x = (int)((at + 0.5) * dots / span);
	x /= t->braille ? 2 : 1;
	for (int y = 0; y < t->o.h; y++) {
		const Cell *c = grid_at(t->o.g, t->o.x + x, t->o.y + y);
		if (strcmp(c->s, " ") == 0)
			win_text(t->o, x, y, "┊", t->p->theme->accent);
	}
}

/* Upright lines where something was changed while the curve was made; the curve stays in front. */
static void line_marks(const Plot *t, const Series *s)
{
	int span = t->n - t->from;
	for (int i = 0; i < s->n_marks; i++) {
		int x = span > 0 ? (int)((s->mark[i] - t->from + 0.5) * t->o.w / span) : -1;
		for (int y = 0; x >= 0 && x < t->o.w && y < t->o.h; y++)
			if (strcmp(grid_at(t->o.g, t->o.x + x, t->o.y + y)->s, " ") == 0)
				win_text(t->o, x, y, t->p->ascii ? ":" : "╎", t->p->theme->dim);
	}
}

void view_line(const Pen *p, Win o, const Data *d)
{
	const Series *s = &d->series;
	Plot t = { .p = p, .log = p->ps->log, .braille = !p->ascii && p->glyphs != GLYPHS_ASCII };
	for (int k = 0; k < s->n; k++)
		t.n = s->line[k].n > t.n ? s->line[k].n : t.n;
	t.from = !s->whole && s->axis == AXIS_LOCAL && t.n > 4 * o.w ? t.n - 4 * o.w : 0;
	plot_range(&t, s);
	int top = line_legend(&t, o, s);
	if (o.h < top + 2)
		return;
	const char *hi = axis_text(&t, t.hi, s->line[0].unit), *lo = axis_text(&t, t.lo, s->line[0].unit);
	int lw = text_columns(hi, strlen(hi)), lw2 = text_columns(lo, strlen(lo));
	lw = (lw2 > lw ? lw2 : lw) + 1;
	if (lw > o.w / 3)
		lw = 0;
	t.o = win_sub(o, lw, top, o.w - lw, o.h - top);
	if (lw) {
		win_right(o, lw - 1, top, hi, p->theme->dim);
		win_right(o, lw - 1, o.h - 1, lo, p->theme->dim);
	}
	for (int k = s->n - 1; k >= 0; k--) {
		Style st = { p->theme->category[k % CATEGORIES], COLOR_DEFAULT, k ? 0 : 0 };
		if (line_dots(&t, k))
			plot_braille(&t, &s->line[k], st);
		else
			plot_ascii(&t, &s->line[k], k, st);
	}
	line_marks(&t, s);
	line_cursor(&t, s, t.braille ? 2 * t.o.w : t.o.w);
	p->ps->body = (Rect){ t.o.x, t.o.y, t.o.w, t.o.h };
	p->ps->cell_w = 1;
	p->ps->first_col = t.from;
	p->ps->half = t.braille;
}
