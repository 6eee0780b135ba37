/* text.c - the text: given tokens quiet, generated ones clear, the selected one underlined, line feeds and
 * controls visible. Lines are found anew for each frame from the columns of the tokens, which is quick for
 * plain text. */
#include "view/view.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct Flow { int x, y, w; } Flow;

/* Moves over one grapheme of width gw; true when it goes on a new line. */
static void flow_step(Flow *f, int gw)
{
	if (f->x + gw > f->w) {
		f->x = 0;
		f->y++;
	}
}

static void flow_token(Flow *f, const FactToken *t)
{
	if (t->plain) {
		for (size_t n = t->len; n > 0;) {
			if (f->x >= f->w) {
				f->x = 0;
				f->y++;
			}
			size_t room = (size_t)(f->w - f->x), take = n < room ? n : room;
			f->x += (int)take;
			n -= take;
		}
		return;
	}
	char g[CELL_BYTES];
	for (size_t i = 0, u; i < t->len; i += u) {
		int gw = 1;
		u = t->text[i] == '\n' ? 1 : text_grapheme(t->text + i, t->len - i, g, &gw);
		if (!u)
			break;
		flow_step(f, gw);
		f->x += gw;
		if (t->text[i] == '\n') {
			f->x = 0;
			f->y++;
		}
	}
}

int64_t text_token_at(const Facts *f, int w, int x, int y)
{
	Flow m = { 0, 0, w > 0 ? w : 1 };
	int64_t at = -1;
	for (size_t i = 0; i < f->n_tok && (m.y < y || (m.y == y && m.x <= x)); i++) {
		at = (int64_t)i;
		flow_token(&m, &f->tok[i]);
	}
	return at;
}

int64_t text_line_step(const Facts *f, int w, int64_t i, int dy)
{
	Flow m = { 0, 0, w > 0 ? w : 1 };
	for (int64_t k = 0; k < i; k++)
		flow_token(&m, &f->tok[k]);
	if (m.x >= m.w)
		m = (Flow){ 0, m.y + 1, m.w };
	return m.y + dy < 0 ? 0 : text_token_at(f, w, m.x, m.y + dy);
}

static Style token_style(const Pen *p, const FactToken *t)
{
	Style st = t->given ? p->theme->given : p->theme->made;
	double part = p->color_by == 1 ? t->entropy / 3.0 : p->color_by == 2 ? exp(t->logprob) : NAN;
	if (p->color_by == 3 && !t->given)
		st = t->draft == TOK_ACCEPTED ? p->theme->good : t->draft == TOK_REJECTED ? p->theme->warn : p->theme->dim;
	if (!isnan(part) && !p->theme->mono)
		st.fg = color_mix(color_viridis(p->theme, part), p->theme->page_fg, 0.25);
	if (t->pos == p->look.sel->token)
		st.attr |= ATTR_UNDERLINE | ATTR_BOLD;
	return st;
}

/* A token's graphemes from the place at f; line: rows of the screen to one of the text. With two, the lower one marks drafts: a line under
 * those that were taken, a cross where another was refused. */
static void token_draw(const Pen *p, Win o, Flow *f, int top, int line, const FactToken *t)
{
	const bool taken = line > 1 && t->draft == TOK_ACCEPTED, refused = line > 1 && t->draft == TOK_REJECTED;
	Style st = token_style(p, t);
	char g[CELL_BYTES];
	for (size_t i = 0, u; i < t->len; i += u) {
		int gw = 1;
		bool lf = t->text[i] == '\n';
		u = lf ? 1 : text_grapheme(t->text + i, t->len - i, g, &gw);
		if (!u)
			break;
		if (gw < 1)
			continue;
		flow_step(f, gw);
		int y = (f->y - top) * line;
		if (y >= 0 && y < o.h)
			win_text(o, f->x, y, lf ? "↵" : g, lf ? p->theme->dim : st);
		for (int k = 0; (taken || (refused && i == 0 && k == 0)) && y >= 0 && k < gw; k++)
			win_text(o, f->x + k, y + 1, taken ? "─" : "×", taken ? p->theme->good : p->theme->warn);
		if (lf && t->pos == p->look.sel->token)
			win_paint(o, f->x, y, 1, COLOR_DEFAULT, ATTR_UNDERLINE);
		f->x += gw;
		if (lf) {
			f->x = 0;
			f->y++;
		}
	}
}

/* First line in sight: follows the end, or keeps the selected token in sight. */
static int text_top(const Pen *p, int lines, int sel_line, int h)
{
	if (p->look.sel->follow || sel_line < 0)
		return lines > h ? lines - h : 0;
	return pen_scroll(p->ps->scroll_y, h, lines, sel_line);
}

static void text_draw(const Pen *p, Win o, int per)
{
	const Facts *f = p->look.facts;
	Flow m = { 0, 0, o.w > 0 ? o.w : 1 };
	int *line = arena_alloc(p->look.arena, (f->n_tok + 1) * sizeof *line),
	    *col = arena_alloc(p->look.arena, (f->n_tok + 1) * sizeof *col);
	int sel_line = -1, h = o.h / per > 0 ? o.h / per : 1;
	if (!line || !col)
		return;
	for (size_t i = 0; i < f->n_tok; i++) {
		line[i] = m.y;
		col[i] = m.x;
		flow_token(&m, &f->tok[i]);
		if (f->tok[i].pos == p->look.sel->token)
			sel_line = line[i];
	}
	line[f->n_tok] = m.y;
	int top = text_top(p, m.y + 1, sel_line, h);
	for (size_t i = 0; i < f->n_tok; i++) {
		if (line[i + 1] < top || line[i] >= top + h)
			continue;
		Flow at = { col[i], line[i], m.w };
		token_draw(p, o, &at, top, per, &f->tok[i]);
	}
	if (facts_busy(f) && m.y - top < h)
		win_text(o, m.x < o.w ? m.x : o.w - 1, (m.y - top) * per, "▌", p->theme->accent);
	p->ps->scroll_y = top;
	p->ps->row_h = per;
	p->ps->body = (Rect){ o.x, o.y, o.w, o.h };
}

void view_text(const Pen *p, Win o, const Data *d)
{
	(void)d;
	text_draw(p, o, 1);
}

void view_marks(const Pen *p, Win o, const Data *d)
{
	(void)d;
	text_draw(p, o, 2);
}

/* Which lines of the text hold a part of the think span: a bar beside each. */
static void think_bar(const Pen *p, Win o, int w)
{
	const Facts *f = p->look.facts;
	Flow m = { 0, 0, w > 0 ? w : 1 };
	int64_t from, to;
	Style st = p->theme->accent;
	st.fg = p->theme->category[3];
	source_think_span(f, &from, &to);
	for (int64_t i = 0; from >= 0 && i <= to; i++) {
		int first = m.x >= m.w ? m.y + 1 : m.y;
		flow_token(&m, &f->tok[i]);
		/* A line feed ends a line; the next one is not yet a part of it. */
		int last = m.x == 0 && m.y > first ? m.y - 1 : m.y;
		for (int y = first; i >= from && y <= last; y++)
			if (y >= p->ps->scroll_y && y - p->ps->scroll_y < o.h)
				win_text(o, 0, y - p->ps->scroll_y, p->ascii ? "|" : "▌", st);
	}
}

void view_trace(const Pen *p, Win o, const Data *d)
{
	(void)d;
	Win in = o.w > 12 ? win_sub(o, 2, 0, o.w - 2, o.h) : o;
	text_draw(p, in, 1);
	if (o.w > 12)
		think_bar(p, o, in.w);
}
