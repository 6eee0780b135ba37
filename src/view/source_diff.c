/* source_diff.c - what a comparison of two models, precisions, forms of attention or prompts found: how far apart the layers are, where
 * routes flipped, what became of the next token. */
#include "view/data.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHANGED_COLS = 5 };

static const FactDiff *diff_of(const Look *l, Data *d)
{
	const FactDiff *f = &l->facts->trace.diff;
	if (f->have)
		return f;
	d->empty = l->facts->n_tok == 0 ? "no text yet - Enter writes a prompt" : "not compared - :compare bf16, absorbed, PATH or text WORDS does it";
	return NULL;
}

static const char *exp_text(Arena *a, double v)
{
	return isnan(v) ? "·" : v == 0 ? "0" : v >= 0.01 && v < 100 ? arena_printf(a, "%.4f", v) : arena_printf(a, "%.1e", v);
}

/* Index of a value's name, -1: it was not compared. */
static int value_of(const FactDiff *f, const char *name)
{
	for (int i = 0; i < f->n_values; i++)
		if (strcmp(f->value[i], name) == 0)
			return i;
	return -1;
}

static double rel_of(const Look *l, const FactDiff *f, const char *name)
{
	const Sample *x = store_last(l->store, "diff.layers");
	int i = value_of(f, name);
	return x && i >= 0 && x->rank == 2 && x->shape[1] == 2 ? sample_num(x, (size_t)i * 2) : NAN;
}

static double layer_rel(const Look *l, const FactDiff *f, int layer, const char *what)
{
	return rel_of(l, f, arena_printf(l->arena, "layers.%d.%s", layer, what));
}

/* Layers that were compared: those with a residual stream behind them. */
static int diff_layers(const Look *l, const FactDiff *f)
{
	int n = 0;
	while (n < 4096 && value_of(f, arena_printf(l->arena, "layers.%d.resid_post", n)) >= 0)
		n++;
	return n;
}

/* --- in figures --- */

static void card_put(Table *t, const char *key, const char *value, CellStyle st)
{
	t->cell[t->rows * 2] = (TableCell){ key, CELL_DIM };
	t->cell[t->rows * 2 + 1] = (TableCell){ value, st };
	t->rows++;
}

static bool card_compared(const Look *l, Data *d)
{
	const FactDiff *f = diff_of(l, d);
	Arena *a = l->arena;
	Table *t = &d->table;
	if (!f)
		return true;
	*t = (Table){ .cols = 2, .sel = -1, .left = { true, true }, .cell = arena_zalloc(a, 24 * sizeof *t->cell) };
	if (!t->cell)
		return true;
	d->kind = DATA_TABLE;
	const char *short_name = strncmp(f->first, "layers.", 7) == 0 ? arena_printf(a, "L%s", f->first + 7) : f->first;
	const char *at = f->first_at >= 0 ? arena_printf(a, "%s at %lld", short_name, (long long)f->first_at) : short_name;
	double part = f->routes > 0 ? 100.0 * (double)f->flipped / (double)f->routes : 0;
	card_put(t, "A", f->a, CELL_STRONG);
	card_put(t, "B", f->b, CELL_STRONG);
	card_put(t, "tokens", f->tokens < f->of ? arena_printf(a, "first %lld of %lld", (long long)f->tokens, (long long)f->of)
		: arena_printf(a, "all %lld", (long long)f->tokens), CELL_TEXT);
	card_put(t, "differ first", *f->first ? at : "nowhere: every value is the same", *f->first ? CELL_WARN : CELL_GOOD);
	card_put(t, "KL (A || B)", arena_printf(a, "%s nat", exp_text(a, f->kl)), CELL_TEXT);
	card_put(t, "same best", arena_printf(a, "%.1f%% of tokens", 100 * f->top1), f->top1 < 0.99999 ? CELL_ACCENT : CELL_GOOD);
	card_put(t, "routes", f->routes > 0 ? arena_printf(a, "%.2g%%: %lld of %lld flipped", part, (long long)f->flipped, (long long)f->routes)
		: "no experts", f->flipped ? CELL_ACCENT : CELL_TEXT);
	card_put(t, "embedding", exp_text(a, rel_of(l, f, "embed")), CELL_TEXT);
	card_put(t, "last norm", exp_text(a, rel_of(l, f, "final")), CELL_TEXT);
	card_put(t, "logits", exp_text(a, rel_of(l, f, "logits")), CELL_TEXT);
	d->facts = ":compare";
	d->summary = arena_printf(a, "KL %s nat · %lld routes flipped", exp_text(a, f->kl), (long long)f->flipped);
	d->readout = !*f->first ? t->cell[7].s
		: arena_printf(a, "A and B differ first in %s, position %lld · KL %s nat a token", f->first, (long long)f->first_at,
			exp_text(a, f->kl));
	return true;
}

/* --- by layer --- */

static bool items_distance(const Look *l, Data *d)
{
	const FactDiff *f = diff_of(l, d);
	int n = f ? diff_layers(l, f) : 0;
	if (!f)
		return true;
	d->kind = DATA_ITEMS;
	d->items = (Items){ .axis = AXIS_LAYER, .n = n, .sel = (int)l->sel->layer < n ? (int)l->sel->layer : -1,
		.item = arena_zalloc(l->arena, (size_t)(n + 1) * sizeof(Item)) };
	for (int i = 0; d->items.item && i < n; i++) {
		Item *it = &d->items.item[i];
		double attn = layer_rel(l, f, i, "attn.out"), mlp = layer_rel(l, f, i, "mlp.out");
		it->x = layer_rel(l, f, i, "resid_post");
		it->label = arena_printf(l->arena, "layer %d", i);
		it->value = exp_text(l->arena, it->x);
		it->note = arena_printf(l->arena, "attn %s · mlp %s", exp_text(l->arena, attn), exp_text(l->arena, mlp));
		it->color = -1;
		it->readout = arena_printf(l->arena, "|A - B| / |A| of layers.%d.resid_post = %s · attn.out %s · mlp.out %s", i, exp_text(l->arena, it->x),
			exp_text(l->arena, attn), exp_text(l->arena, mlp));
	}
	if (n == 0)
		d->empty = "no layers were compared";
	d->facts = "|A - B| / |A|";
	return true;
}

static const Sample *routes_of(const Look *l)
{
	const Sample *x = store_last(l->store, "diff.routes");
	return x && x->kind == SAMPLE_TENSOR && x->rank == 2 && x->shape[1] == 2 ? x : NULL;
}

static bool items_flipped(const Look *l, Data *d)
{
	const FactDiff *f = diff_of(l, d);
	const Sample *x = f ? routes_of(l) : NULL;
	if (!f)
		return true;
	if (!x || f->n_routers == 0) {
		d->empty = "no experts in this model";
		return true;
	}
	int n = f->n_routers < (int)x->shape[0] ? f->n_routers : (int)x->shape[0], sel = -1;
	d->kind = DATA_ITEMS;
	d->items = (Items){ .axis = AXIS_LAYER, .n = n, .hi = 1, .item = arena_zalloc(l->arena, (size_t)n * sizeof(Item)) };
	for (int i = 0; d->items.item && i < n; i++) {
		Item *it = &d->items.item[i];
		double gone = sample_num(x, (size_t)i * 2), all = sample_num(x, (size_t)i * 2 + 1);
		int layer = -1;
		sscanf(f->router[i], "layers.%d.", &layer);
		sel = layer == l->sel->layer ? i : sel;
		it->label = arena_printf(l->arena, "layer %d", layer);
		it->x = all > 0 ? gone / all : 0;
		it->value = arena_printf(l->arena, "%.1f%%", 100 * it->x);
		it->note = arena_printf(l->arena, "%.0f of %.0f", gone, all);
		it->color = 1;
		it->readout = arena_printf(l->arena, "layer %d: %.0f of %.0f tokens go to another set of experts in B", layer, gone, all);
	}
	d->items.sel = sel;
	d->facts = "share of tokens";
	return true;
}

/* --- by layer and position --- */

static void distances_fill(const Field *f, int r, double *v, uint8_t *has)
{
	const Look *l = f->look;
	const FactDiff *k = &l->facts->trace.diff;
	const Sample *x = store_last(l->store, "diff.by_token");
	int at = value_of(k, arena_printf(l->arena, "layers.%d.resid_post", r));
	for (int c = 0; x && at >= 0 && c < f->cols; c++) {
		v[c] = sample_num(x, (size_t)c * x->shape[1] + (size_t)at);
		has[c] = c < (int)x->shape[0];
	}
}

static const char *layer_label(const Field *f, int r)
{
	return arena_printf(f->look->arena, "L%d", r);
}

static const char *distances_name(const Field *f, int r, int c)
{
	const Facts *k = f->look->facts;
	return arena_printf(f->look->arena, "|A - B| / |A| of layers.%d.resid_post[%d] %s", r, c,
		c < (int)k->n_tok ? text_token(f->look->arena, &k->tok[c], 12) : "");
}

static bool field_distances(const Look *l, Data *d)
{
	const FactDiff *f = diff_of(l, d);
	const Sample *x = f ? store_last(l->store, "diff.by_token") : NULL;
	if (!f)
		return true;
	int n = diff_layers(l, f);
	if (!x || x->kind != SAMPLE_TENSOR || x->rank != 2 || x->shape[0] < 1 || x->shape[0] > 4096 || n < 1) {
		d->empty = "not recorded by position";
		return true;
	}
	d->kind = DATA_FIELD;
	d->field = (Field){ .rows = n, .cols = (int)x->shape[0], .fill = distances_fill, .row_label = layer_label, .name = distances_name, .label_w = 4,
		.row_axis = AXIS_LAYER, .col_axis = AXIS_TOKEN, .row_sel = (int)l->sel->layer, .col_sel = (int)facts_find(l->facts, l->sel->token),
		.look = l, .row_name = "layer", .col_name = "position" };
	d->field.row = arena_zalloc(l->arena, (size_t)n * sizeof *d->field.row);
	const FactToken *t = d->field.col_sel >= 0 ? &l->facts->tok[d->field.col_sel] : NULL;
	d->facts = t ? arena_printf(l->arena, "%lld %s", (long long)t->pos, text_token(l->arena, t, 12)) : NULL;
	return true;
}

/* --- by position --- */

static double kl_at(const Line *line, int i)
{
	const Sample *x = line->ud;
	return sample_num(x, (size_t)i * 2);
}

static bool series_divergence(const Look *l, Data *d)
{
	const FactDiff *f = diff_of(l, d);
	const Sample *x = f ? store_last(l->store, "diff.tokens") : NULL;
	if (!f)
		return true;
	if (!x || x->kind != SAMPLE_TENSOR || x->rank != 2 || x->shape[1] != 2 || x->shape[0] < 1) {
		d->empty = "not recorded by position";
		return true;
	}
	int n = (int)x->shape[0], changed = 0;
	d->kind = DATA_SERIES;
	d->series = (Series){ .n = 1, .sel = (int)(l->sel->token - (int64_t)x->step), .axis = AXIS_TOKEN, .x0 = (int64_t)x->step, .whole = true,
		.x_name = "token" };
	d->series.sel = d->series.sel < n ? d->series.sel : -1;
	d->series.line[0] = (Line){ "KL", "nat", n, kl_at, x };
	d->series.mark = arena_zalloc(l->arena, (size_t)n * sizeof *d->series.mark);
	for (int i = 0; d->series.mark && i < n; i++)
		if (sample_num(x, (size_t)i * 2 + 1) == 0)
			d->series.mark[changed++] = i;
	d->series.n_marks = changed;
	d->facts = arena_printf(l->arena, "%d best token%s changed", changed, changed == 1 ? "" : "s");
	return true;
}

/* The token at a position, and the one before it. */
static const FactToken *token_at(const Look *l, int64_t pos)
{
	int64_t i = facts_find(l->facts, pos);
	return i < 0 ? NULL : &l->facts->tok[i];
}

static const char *word(const Look *l, const char *s)
{
	FactToken as = { .text = (char *)(uintptr_t)s };
	return text_token(l->arena, &as, 14);
}

static bool table_changed(const Look *l, Data *d)
{
	const FactDiff *f = diff_of(l, d);
	Table *t = &d->table;
	if (!f)
		return true;
	if (f->n_worst == 0) {
		d->empty = "no position differs";
		return true;
	}
	*t = (Table){ .rows = f->n_worst, .cols = CHANGED_COLS, .axis = AXIS_LOCAL, .sel = -1,
		.head = { "at", "KL, nat", "A says", "B says", "behind" },
		.left = { false, false, true, true, true }, .cell = arena_zalloc(l->arena, (size_t)f->n_worst * CHANGED_COLS * sizeof *t->cell),
		.readout = arena_zalloc(l->arena, (size_t)f->n_worst * sizeof *t->readout) };
	if (!t->cell || !t->readout)
		return true;
	d->kind = DATA_TABLE;
	for (int i = 0; i < f->n_worst; i++) {
		const FactWorst *w = &f->worst[i];
		const FactToken *before = token_at(l, w->pos - 1);
		bool same = strcmp(w->a, w->b) == 0;
		TableCell *c = &t->cell[i * CHANGED_COLS];
		c[0] = (TableCell){ arena_printf(l->arena, "%lld", (long long)w->pos), CELL_DIM };
		c[4] = (TableCell){ before ? text_token(l->arena, before, 14) : "·", CELL_DIM };
		c[1] = (TableCell){ exp_text(l->arena, w->kl), CELL_TEXT };
		c[2] = (TableCell){ word(l, w->a), CELL_TEXT };
		c[3] = (TableCell){ same ? "same" : word(l, w->b), same ? CELL_DIM : CELL_WARN };
		t->readout[i] = arena_printf(l->arena, "position %lld: KL %s nat · best token of A %s, of B %s", (long long)w->pos, text_six(l->arena, w->kl),
			c[2].s, word(l, w->b));
	}
	d->facts = "largest KL first";
	return true;
}

bool source_diff(const Look *l, const char *name, Data *d)
{
	static const struct { const char *name; bool (*make)(const Look *, Data *); } table[] = {
		{ "distance", items_distance }, { "distances", field_distances }, { "flipped", items_flipped }, { "divergence", series_divergence },
		{ "changed", table_changed },
	};
	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		if (strcmp(table[i].name, name) == 0)
			return table[i].make(l, d);
	return card_compared(l, d);
}
