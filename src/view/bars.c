/* bars.c - items as labelled bars with their value at the right, and the gauge. */
#include "view/view.h"
#include <math.h>
#include <string.h>

static int widest(const Items *t, const char *(*get)(const Item *))
{
	int w = 0;
	for (int i = 0; i < t->n; i++) {
		const char *s = get(&t->item[i]);
		int c = s ? text_columns(s, strlen(s)) : 0;
		w = c > w ? c : w;
	}
	return w;
}

static const char *item_label(const Item *i)
{
	return i->label;
}

static const char *item_value(const Item *i)
{
	return i->value;
}

static const char *item_note(const Item *i)
{
	return i->note;
}

static void bars_range(const Items *t, double *lo, double *hi)
{
	*hi = t->hi;
	*lo = INFINITY;
	for (int i = 0; i < t->n; i++) {
		double x = t->item[i].x;
		if (!isfinite(x))
			continue;
		*hi = t->hi > 0 ? t->hi : fmax(*hi, x);
		*lo = x > 0 ? fmin(*lo, x) : *lo;
	}
}

static double bars_part(double x, double lo, double hi, bool log_scale)
{
	if (!isfinite(x) || x <= 0 || hi <= 0)
		return 0;
	if (!log_scale)
		return x / hi;
	/* A decade below the smallest is the left edge, so that the smallest still has a bar. */
	double from = log(lo / 10), to = log(hi);
	return to > from ? (log(x) - from) / (to - from) : 1;
}

typedef struct Bars { int label, value, note, bar; double lo, hi; bool log; } Bars;

static void bar_line(const Pen *p, Win o, int y, const Item *it, const Bars *b, bool on)
{
	const Theme *t = p->theme;
	int x = b->label + 1;
	win_cut(win_sub(o, 0, y, b->label, 1), 0, 0, it->label, it->mark ? t->strong : on ? t->accent : t->text);
	if (b->bar > 2 && isfinite(it->x))
		pen_bar(p, o, x, y, b->bar, bars_part(it->x, b->lo, b->hi, b->log),
			it->color >= 0 ? t->category[it->color % CATEGORIES] : COLOR_DEFAULT);
	x += b->bar > 2 ? b->bar + 1 : 0;
	if (it->value)
		win_right(o, x + b->value, y, it->value, it->mark ? t->strong : t->text);
	if (it->note && b->note)
		win_text(o, x + b->value + 1, y, it->note, strcmp(it->note, "too big") == 0 ? t->warn : t->dim);
	if (on)
		win_paint(o, 0, y, o.w, t->select.bg, t->mono ? ATTR_REVERSE : 0);
}

void view_bars(const Pen *p, Win o, const Data *d)
{
	const Items *t = &d->items;
	Bars b = { .label = widest(t, item_label), .value = widest(t, item_value), .note = widest(t, item_note) };
	b.log = p->ps->log;
	if (b.note && o.w < b.label + b.value + b.note + 14)
		b.note = 0;
	b.bar = o.w - b.label - b.value - 2 - (b.note ? b.note + 1 : 0);
	if (b.bar < 0 && b.label > o.w / 3)
		b.label = o.w / 3;
	bars_range(t, &b.lo, &b.hi);
	int first = pen_scroll(p->ps->scroll_y, o.h, t->n, t->sel);
	for (int i = 0; i < o.h && first + i < t->n; i++)
		bar_line(p, o, i, &t->item[first + i], &b, p->focus && first + i == t->sel);
	p->ps->scroll_y = first;
	p->ps->body = (Rect){ o.x, o.y, o.w, o.h };
	p->ps->cell_w = o.w;
	p->ps->first_row = first;
}

void view_gauge(const Pen *p, Win o, const Data *d)
{
	if (d->kind != DATA_SERIES || d->series.n < 2) {
		pen_empty(p, o, d->empty ? d->empty : "a gauge needs two lines");
		return;
	}
	const Line *a = &d->series.line[0], *b = &d->series.line[1];
	double x = a->n ? a->at(a, a->n - 1) : NAN, y = b->n ? b->at(b, b->n - 1) : NAN;
	double part = y > 0 ? x / y : 0;
	const char *s = arena_printf(p->look.arena, " %s of %s  %.0f%%", text_bytes(p->look.arena, x),
		text_bytes(p->look.arena, y), 100 * part);
	int w = o.w - text_columns(s, strlen(s));
	if (w > 4) {
		for (int i = 0; i < w; i++)
			win_text(o, i, 0, p->ascii ? "." : "─", p->theme->track);
		pen_bar(p, o, 0, 0, w, part, COLOR_DEFAULT);
	}
	win_text(o, w > 4 ? w : 0, 0, s, p->theme->text);
}
