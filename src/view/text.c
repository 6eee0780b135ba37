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
	if (!isnan(part) && !p->theme->mono)
		st.fg = color_mix(color_viridis(p->theme, part), p->theme->page_fg, 0.25);
	if (t->pos == p->look.sel->token)
		st.attr |= ATTR_UNDERLINE | ATTR_BOLD;
	return st;
}

static void token_draw(const Pen *p, Win o, Flow *f, int top, const FactToken *t)
{
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
		if (f->y >= top && f->y - top < o.h)
			win_text(o, f->x, f->y - top, lf ? "↵" : g, lf ? p->theme->dim : st);
		if (lf && t->pos == p->look.sel->token)
			win_paint(o, f->x, f->y - top, 1, COLOR_DEFAULT, ATTR_UNDERLINE);
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

void view_text(const Pen *p, Win o, const Data *d)
{
	(void)d;
	const Facts *f = p->look.facts;
	Flow m = { 0, 0, o.w > 0 ? o.w : 1 };
	int *line = arena_alloc(p->look.arena, (f->n_tok + 1) * sizeof *line),
	    *col = arena_alloc(p->look.arena, (f->n_tok + 1) * sizeof *col);
	int sel_line = -1;
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
	int top = text_top(p, m.y + 1, sel_line, o.h);
	for (size_t i = 0; i < f->n_tok; i++) {
		if (line[i + 1] < top || line[i] >= top + o.h)
			continue;
		Flow at = { col[i], line[i], m.w };
		token_draw(p, o, &at, top, &f->tok[i]);
	}
	if (facts_busy(f) && m.y - top < o.h)
		win_text(o, m.x < o.w ? m.x : o.w - 1, m.y - top, "▌", p->theme->accent);
	p->ps->scroll_y = top;
	p->ps->body = (Rect){ o.x, o.y, o.w, o.h };
}
