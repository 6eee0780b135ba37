/* source_mtp.c - drafts of the MTP modules on the text itself: which were taken, which refused and for what,
 * how often by depth and along the text, and how many tokens a forward made (V3 report 2.2 and 5.4.3). All
 * but the counts by depth comes from the tokens. */
#include "view/data.h"
#include <math.h>
#include <string.h>

enum { WINDOW = 16 /* drafts, or tokens, that a point of a curve is the mean of */ };

typedef struct DraftCount {
	int accepted, refused, made;
} DraftCount;

static DraftCount draft_count(const Facts *f)
{
	DraftCount c = { 0 };
	for (size_t i = 0; i < f->n_tok; i++) {
		c.made += !f->tok[i].given;
		c.accepted += f->tok[i].draft == TOK_ACCEPTED;
		c.refused += f->tok[i].draft == TOK_REJECTED;
	}
	return c;
}

static const char *percent(const Look *l, double a, double of)
{
	return of > 0 ? arena_printf(l->arena, "%.1f%%", 100 * a / of) : "·";
}

static const char *drafted_text(const Look *l, const FactToken *t, int w)
{
	FactToken as = { .text = t->drafted };
	return t->drafted ? text_token(l->arena, &as, w) : "·";
}

static const FactToken *selected(const Look *l)
{
	int64_t i = facts_find(l->facts, l->sel->token);
	return i < 0 ? NULL : &l->facts->tok[i];
}

static const char *token_story(const Look *l, const FactToken *t)
{
	const char *what = t->given        ? "given"
		: t->draft == TOK_ACCEPTED ? "drafted and accepted"
		: t->draft == TOK_REJECTED
		? arena_printf(l->arena, "taken in place of the draft %s", drafted_text(l, t, 14))
		: "not drafted";
	return arena_printf(l->arena, "gen.token[%lld] = %s · %s%s", (long long)t->pos,
		text_token(l->arena, t, 16), what,
		isnan(t->logprob) ? ""
				  : arena_printf(l->arena, " · p %s", text_six(l->arena, exp(t->logprob))));
}

static bool text_drafts(const Look *l, Data *d)
{
	DraftCount c = draft_count(l->facts);
	const FactToken *t = selected(l);
	d->kind = DATA_TEXT;
	d->facts = arena_printf(l->arena, "─ taken %d  × refused %d", c.accepted, c.refused);
	d->readout = t ? token_story(l, t) : NULL;
	d->summary = arena_printf(l->arena, "%d drafts taken, %d refused", c.accepted, c.refused);
	return true;
}

/* --- by depth --- */

static bool items_depth(const Look *l, Data *d)
{
	const FactStats *s = &l->facts->stats;
	int n = (int)l->facts->card.mtp < FACTS_ACCEPT ? (int)l->facts->card.mtp : FACTS_ACCEPT;
	double rounds = n > 0 ? (double)s->drafted / n : 0;
	d->kind = DATA_ITEMS;
	d->items = (Items){
		.n = n, .axis = AXIS_LOCAL, .hi = 1, .item = arena_zalloc(l->arena, (size_t)n * sizeof(Item))
	};
	for (int i = 0; d->items.item && i < n; i++) {
		double a = i < s->n_accept ? (double)s->accept[i] : 0;
		d->items.item[i] = (Item){ .label = arena_printf(l->arena, "depth %d", i + 1),
			.x = rounds > 0 ? a / rounds : NAN,
			.color = 2,
			.value = arena_printf(l->arena, "%s  %.0f of %.0f", percent(l, a, rounds), a, rounds),
			.readout = arena_printf(l->arena,
				"draft %d of a round: accepted in %.0f of %.0f rounds, %s", i + 1, a, rounds,
				percent(l, a, rounds)) };
	}
	d->items.n = d->items.item ? n : 0;
	d->facts = arena_printf(l->arena, "%.0f round%s", rounds, rounds == 1 ? "" : "s");
	d->summary = d->items.n ? d->items.item[0].readout : NULL;
	return true;
}

/* --- along the text --- */

/* Of the last WINDOW drafts up to token i, the share accepted; NaN before the first. */
static double acceptance_at(const Line *line, int i)
{
	const Facts *f = ((const Look *)line->ud)->facts;
	int n = 0, a = 0;
	for (; i >= 0 && n < WINDOW; i--) {
		n += f->tok[i].draft != TOK_NOT_DRAFTED;
		a += f->tok[i].draft == TOK_ACCEPTED;
	}
	return n ? (double)a / n : NAN;
}

/* Tokens made by a forward: each token that is no accepted draft came out of a forward of its own. */
static double per_forward_at(const Line *line, int i)
{
	const Facts *f = ((const Look *)line->ud)->facts;
	int n = 0, forwards = 0;
	for (; i >= 0 && n < WINDOW && !f->tok[i].given; i--, n++)
		forwards += f->tok[i].draft != TOK_ACCEPTED;
	return n ? (double)n / (forwards ? forwards : 1) : NAN;
}

static bool series_along(
	const Look *l, Data *d, const char *name, const char *unit, double (*at)(const Line *, int))
{
	d->kind = DATA_SERIES;
	d->series = (Series){ .n = 1,
		.sel = (int)facts_find(l->facts, l->sel->token),
		.axis = AXIS_TOKEN,
		.x_name = "token",
		.x0 = l->facts->tok[0].pos };
	d->series.line[0] = (Line){ name, unit, (int)l->facts->n_tok, at, l };
	return true;
}

static bool series_acceptance(const Look *l, Data *d)
{
	DraftCount c = draft_count(l->facts);
	d->facts = arena_printf(
		l->arena, "last %d · all %s", WINDOW, percent(l, c.accepted, c.accepted + c.refused));
	return series_along(l, d, "accepted", NULL, acceptance_at);
}

static bool series_per_forward(const Look *l, Data *d)
{
	const FactStats *s = &l->facts->stats;
	d->facts = arena_printf(l->arena, "last %d · all %s", WINDOW,
		s->have && s->forwards > 0
			? arena_printf(l->arena, "%.2f", (double)s->generated / (double)s->forwards)
			: "·");
	return series_along(l, d, "tokens/forward", NULL, per_forward_at);
}

/* --- what was refused --- */

/* Probability that the model itself gave the refused draft: known when it is among the alternatives. */
static double refused_p(const FactToken *t)
{
	for (int i = 0; t->drafted && i < t->n_alt; i++)
		if (t->alt[i].text && strcmp(t->alt[i].text, t->drafted) == 0)
			return t->alt[i].p;
	return NAN;
}

static void refused_row(const Look *l, Table *t, int r, const FactToken *k)
{
	TableCell *c = &t->cell[r * 5];
	double p = refused_p(k);
	c[0] = (TableCell){ arena_printf(l->arena, "%lld", (long long)k->pos), CELL_DIM };
	c[1] = (TableCell){ drafted_text(l, k, 14), CELL_WARN };
	c[2].s = isnan(p) ? "·" : arena_printf(l->arena, "%.3f", p);
	c[3] = (TableCell){ text_token(l->arena, k, 14), CELL_STRONG };
	c[4].s = isnan(k->logprob) ? "·" : arena_printf(l->arena, "%.3f", exp(k->logprob));
	t->readout[r] = token_story(l, k);
}

static bool table_refused(const Look *l, Data *d)
{
	const Facts *f = l->facts;
	int n = draft_count(f).refused, r = 0;
	Table *t = &d->table;
	if (n == 0) {
		d->empty = "no draft was refused";
		return true;
	}
	d->kind = DATA_TABLE;
	*t = (Table){ .cols = 5,
		.sel = -1,
		.axis = AXIS_LOCAL,
		.head = { "pos", "draft", "p", "taken", "p" },
		.left = { false, true, false, true, false } };
	t->cell = arena_zalloc(l->arena, (size_t)n * 5 * sizeof *t->cell);
	t->readout = arena_zalloc(l->arena, (size_t)n * sizeof *t->readout);
	for (size_t i = f->n_tok; t->cell && t->readout && i-- > 0;)
		if (f->tok[i].draft == TOK_REJECTED)
			refused_row(l, t, r++, &f->tok[i]);
	t->rows = r;
	d->facts = arena_printf(l->arena, "%d, newest first", n);
	return true;
}

static const char *why_none(const Look *l)
{
	if (!l->facts->card.have)
		return "no model yet - o opens one";
	if (l->facts->card.mtp < 1)
		return "no MTP module in this model";
	if (l->facts->n_tok == 0)
		return "no text yet - Enter writes a prompt";
	DraftCount c = draft_count(l->facts);
	if (c.made == 0)
		return "nothing generated yet - n makes some tokens";
	return c.accepted + c.refused == 0
		? "nothing was drafted in this text - m turns MTP on for the next prompt"
		: NULL;
}

bool source_mtp(const Look *l, const char *name, Data *d)
{
	static const struct {
		const char *name;
		bool (*make)(const Look *, Data *);
	} table[] = {
		{ "draft_text", text_drafts },
		{ "draft_depth", items_depth },
		{ "acceptance", series_acceptance },
		{ "per_forward", series_per_forward },
		{ "refused", table_refused },
	};
	d->empty = why_none(l);
	for (size_t i = 0; !d->empty && i < sizeof table / sizeof *table; i++)
		if (strcmp(table[i].name, name) == 0)
			return table[i].make(l, d);
	return true;
}
