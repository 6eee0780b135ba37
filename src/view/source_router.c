/* source_router.c - the router laid open: load by layer and expert, gate weights and scores by token and
 * expert, and for one token and layer the whole decision (DeepSeek-V3 report 2.1.2, eq. 12-16; DeepSeek-V2
 * report 2.2 for the softmax gate). */
#include "view/data.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LOAD_TOKENS = 64 };

/* One row of a probe of layers.N.moe: for a position, or the newest when pos < 0. */
typedef struct ProbeRow { const Sample *x; size_t at, n; } ProbeRow;

static ProbeRow probe_row(const Look *l, int64_t layer, const char *what, int64_t pos)
{
	char topic[64];
	int64_t row = 0;
	ProbeRow r = { NULL, 0, 0 };
	snprintf(topic, sizeof topic, "layers.%lld.moe.%s", (long long)layer, what);
	r.x = pos < 0 ? store_last(l->store, topic) : store_pos(l->store, topic, (uint64_t)pos, &row);
	if (!r.x || r.x->kind != SAMPLE_TENSOR || r.x->rank < 1)
		return (ProbeRow){ NULL, 0, 0 };
	r.n = 1;
	for (int i = r.x->rank > 1 ? 1 : 0; i < r.x->rank; i++)
		r.n *= r.x->shape[i];
	r.at = (size_t)row * r.n;
	return r;
}

static double probe_get(ProbeRow r, size_t i)
{
	return r.x && i < r.n ? sample_num(r.x, r.at + i) : NAN;
}

/* The bias does not depend on the token: recorded once, or with each. */
static ProbeRow bias_row(const Look *l, int64_t layer)
{
	ProbeRow r = probe_row(l, layer, "bias", -1);
	if (r.x && r.x->rank > 1 && r.x->shape[0] > 0)
		r.at = (size_t)(r.x->shape[0] - 1) * r.n;
	return r;
}

/* Experts in a group of the router, 0: it has no groups. */
static int group_width(const FactCard *k)
{
	return k->n_group > 1 && k->experts % k->n_group == 0 ? (int)(k->experts / k->n_group) : 0;
}

static const char *layer_label(const Field *f, int r)
{
	return arena_printf(f->look->arena, "L%lld", (long long)(f->layer + r));
}

static const char *token_label(const Field *f, int r)
{
	const FactToken *t = &f->look->facts->tok[r];
	return arena_printf(f->look->arena, "%4lld %s", (long long)t->pos, text_token(f->look->arena, t, 10));
}

/* --- layer x expert --- */

/* Adds the picks of one row. Most of a frame's look-ups end here, so the usual type is read directly. */
static void load_add(const Sample *x, size_t at, size_t n, int cols, double *v)
{
	bool direct = x->dtype == DT_I32 && x->bytes >= (at + n) * sizeof(int32_t);
	for (size_t k = 0; k < n; k++) {
		double e;
		int32_t id;
		if (direct) {
			memcpy(&id, (const char *)x->data + (at + k) * sizeof id, sizeof id);
			e = id;
		} else {
			e = sample_num(x, at + k);
		}
		if (e >= 0 && e < cols)
			v[(int)e] += 1;
	}
}

static void load_count(const Look *l, int64_t layer, int cols, double *v, uint8_t *has)
{
	size_t n = l->facts->n_tok, from = n > LOAD_TOKENS ? n - LOAD_TOKENS : 0;
	int tokens = 0;
	char topic[64];
	snprintf(topic, sizeof topic, "layers.%lld.moe.topk", (long long)layer);
	for (size_t i = from; i < n; i++) {
		int64_t row;
		const Sample *x = store_pos(l->store, topic, (uint64_t)l->facts->tok[i].pos, &row);
		if (!x || x->kind != SAMPLE_TENSOR || x->rank < 1)
			continue;
		size_t width = 1;
		for (int k = x->rank > 1 ? 1 : 0; k < x->rank; k++)
			width *= x->shape[k];
		load_add(x, (size_t)row * width, width, cols, v);
		tokens++;
	}
	for (int c = 0; c < cols && tokens; c++) {
		v[c] /= tokens;
		has[c] = 1;
	}
}

static void experts_fill(const Field *f, int r, double *v, uint8_t *has)
{
	load_count(f->look, f->layer + r, f->cols, v, has);
}

static const char *experts_name(const Field *f, int r, int c)
{
	return arena_printf(f->look->arena, "layers.%lld.moe.load[%d]", (long long)(f->layer + r), c);
}

static void bias_fill(const Field *f, int r, double *v, uint8_t *has)
{
	ProbeRow b = bias_row(f->look, f->layer + r);
	for (int c = 0; c < f->cols && b.x && (size_t)c < b.n; c++) {
		v[c] = probe_get(b, (size_t)c);
		has[c] = 1;
	}
}

static const char *bias_name(const Field *f, int r, int c)
{
	return arena_printf(f->look->arena, "layers.%lld.moe.bias[%d]", (long long)(f->layer + r), c);
}

static bool field_layers(const Look *l, bool bias, Data *d)
{
	const FactCard *k = &l->facts->card;
	d->kind = DATA_FIELD;
	d->field = (Field){
		.rows = (int)(k->layers - k->first_dense),
		.cols = (int)k->experts,
		.fill = bias ? bias_fill : experts_fill,
		.row_label = layer_label,
		.name = bias ? bias_name : experts_name,
		.label_w = k->layers > 9 ? 3 : 2,
		.row_axis = AXIS_LAYER,
		.col_axis = AXIS_EXPERT,
		.row_sel = (int)(l->sel->layer - k->first_dense),
		.col_sel = (int)l->sel->expert,
		.group = group_width(k),
		.diverging = bias,
		.look = l,
		.layer = k->first_dense,
		.unit = bias ? NULL : "of tokens",
		.row_name = "layer",
		.col_name = "expert",
	};
	d->field.row = arena_zalloc(l->arena, (size_t)d->field.rows * sizeof *d->field.row);
	return true;
}

/* MaxVio of Wang et al. 2024 (loss-free balancing): largest load over the even share, minus one; and
 * experts never chosen. */
static void load_facts(Data *d)
{
	Field *f = &d->field;
	int r = f->row_sel, idle = 0;
	double top = 0, sum = 0;
	for (int c = 0; c < f->cols; c++) {
		bool have;
		double x = field_at(f, r, c, &have);
		if (!have)
			return;
		idle += x == 0;
		top = x > top ? x : top;
		sum += x;
	}
	if (sum > 0)
		d->facts = arena_printf(f->look->arena, "L%lld MaxVio %.2f · %d idle",
			(long long)(f->layer + r), top * f->cols / sum - 1, idle);
}

/* --- token x expert --- */

static void gate_fill(const Field *f, int r, double *v, uint8_t *has)
{
	int64_t pos = f->look->facts->tok[r].pos;
	ProbeRow top = probe_row(f->look, f->layer, "topk", pos),
		 w = probe_row(f->look, f->layer, "weights", pos);
	for (size_t k = 0; k < top.n; k++) {
		double e = probe_get(top, k);
		if (!(e >= 0 && e < f->cols))
			continue;
		v[(int)e] = w.x ? probe_get(w, k) : 1;
		has[(int)e] = 1;
	}
}

static void scores_fill(const Field *f, int r, double *v, uint8_t *has)
{
	ProbeRow s = probe_row(f->look, f->layer, "scores", f->look->facts->tok[r].pos);
	for (int c = 0; c < f->cols && s.x && (size_t)c < s.n; c++) {
		v[c] = probe_get(s, (size_t)c);
		has[c] = 1;
	}
}

static const char *gate_name(const Field *f, int r, int c)
{
	return arena_printf(f->look->arena, "layers.%lld.moe.%s[%lld,%d]", (long long)f->layer,
		f->sparse ? "weights" : "scores", (long long)f->look->facts->tok[r].pos, c);
}

static bool field_tokens(const Look *l, bool gate, Data *d)
{
	const FactCard *k = &l->facts->card;
	d->kind = DATA_FIELD;
	d->field = (Field){
		.rows = (int)l->facts->n_tok,
		.cols = (int)k->experts,
		.fill = gate ? gate_fill : scores_fill,
		.row_label = token_label,
		.name = gate_name,
		.label_w = 15,
		.row_axis = AXIS_TOKEN,
		.col_axis = AXIS_EXPERT,
		.row_sel = (int)facts_find(l->facts, l->sel->token),
		.col_sel = (int)l->sel->expert,
		.group = group_width(k),
		.sparse = gate,
		.look = l,
		.layer = l->sel->layer,
		.row_name = "token",
		.col_name = "expert",
	};
	d->field.row = arena_zalloc(l->arena, (size_t)d->field.rows * sizeof *d->field.row);
	return true;
}

/* --- load of one layer as bars --- */

static bool items_load(const Look *l, Data *d)
{
	Field f;
	const FactCard *k = &l->facts->card;
	field_layers(l, false, d);
	f = d->field;
	load_facts(d);
	int r = f.row_sel, n = (int)k->experts;
	double even = (double)k->per_token / (double)n;
	d->kind = DATA_ITEMS;
	d->items = (Items){ .n = n,
		.sel = (int)l->sel->expert,
		.axis = AXIS_EXPERT,
		.item = arena_zalloc(l->arena, (size_t)n * sizeof(Item)) };
	for (int c = 0; c < n && d->items.item; c++) {
		bool have;
		double x = field_at(&f, r, c, &have);
		Item *it = &d->items.item[c];
		it->label = arena_printf(l->arena, "%3d", c);
		it->x = have ? x : NAN;
		it->value = have ? arena_printf(l->arena, "%5.1f%%", 100 * x) : "    ·";
		it->color = -1;
		if (c == d->items.sel && have)
			it->readout = arena_printf(l->arena,
				"layers.%lld.moe.load[%d] = %s of tokens · %.1f × even share",
				(long long)l->sel->layer, c, text_six(l->arena, x), x / even);
	}
	return true;
}

/* --- why: the gate of one token and layer --- */

typedef struct Gate {
	int E, K, G, keep;             /* experts, chosen, groups, groups kept */
	double *score, *bias, *weight; /* weight NaN: not chosen */
	bool has_bias, softmax;
	double *sum;
	bool *kept, *chosen, *plain;   /* plain: chosen without the bias */
} Gate;

static double gate_key(const Gate *g, int e, bool bias)
{
	return g->score[e] + (bias ? g->bias[e] : 0);
}

/* A group counts by the sum of its two best with the sigmoid gate (V3), by its best with softmax (V2). */
static double gate_group(const Gate *g, int group, bool bias)
{
	int n = g->E / g->G, from = group * n;
	double a = -INFINITY, b = -INFINITY;
	for (int e = from; e < from + n; e++) {
		double x = gate_key(g, e, bias);
		if (x > a)
			b = a, a = x;
		else if (x > b)
			b = x;
	}
	return !g->softmax && n > 1 ? a + b : a;
}

/* Marks the n largest of key[]; ties go to the lower index. */
static void gate_best(const double *key, int n, int want, bool *out)
{
	memset(out, 0, (size_t)n * sizeof *out);
	for (int k = 0; k < want; k++) {
		int best = -1;
		for (int i = 0; i < n; i++)
			if (!out[i] && key[i] > -INFINITY && (best < 0 || key[i] > key[best]))
				best = i;
		if (best < 0)
			return;
		out[best] = true;
	}
}

/* What the rule of the paper chooses from these scores, with or without the bias. */
static void gate_choose(Arena *a, const Gate *g, bool bias, bool *out)
{
	double *gs = arena_alloc(a, (size_t)g->G * sizeof *gs), *key = arena_alloc(a, (size_t)g->E * sizeof *key);
	bool *kept = arena_zalloc(a, (size_t)g->G * sizeof *kept);
	if (!gs || !key || !kept)
		return;
	for (int i = 0; i < g->G; i++)
		gs[i] = gate_group(g, i, bias);
	gate_best(gs, g->G, g->keep, kept);
	for (int e = 0; e < g->E; e++)
		key[e] = kept[e / (g->E / g->G)] ? gate_key(g, e, bias) : -INFINITY;
	gate_best(key, g->E, g->K, out);
}

static bool gate_alloc(Arena *a, Gate *g)
{
	size_t E = (size_t)g->E, G = (size_t)g->G;
	g->score = arena_zalloc(a, E * sizeof *g->score);
	g->bias = arena_zalloc(a, E * sizeof *g->bias);
	g->weight = arena_zalloc(a, E * sizeof *g->weight);
	g->sum = arena_zalloc(a, G * sizeof *g->sum);
	g->kept = arena_zalloc(a, G * sizeof *g->kept);
	g->chosen = arena_zalloc(a, E * sizeof *g->chosen);
	g->plain = arena_zalloc(a, E * sizeof *g->plain);
	return g->score && g->bias && g->weight && g->sum && g->kept && g->chosen && g->plain;
}

static bool gate_read(const Look *l, Gate *g)
{
	const FactCard *k = &l->facts->card;
	int64_t layer = l->sel->layer, pos = l->sel->token;
	ProbeRow s = probe_row(l, layer, "scores", pos), b = bias_row(l, layer),
		 t = probe_row(l, layer, "topk", pos);
	ProbeRow w = probe_row(l, layer, "weights", pos), gs = probe_row(l, layer, "group_sum", pos),
		 gk = probe_row(l, layer, "group_kept", pos);
	*g = (Gate){ .E = (int)k->experts, .K = (int)k->per_token, .G = group_width(k) ? (int)k->n_group : 1,
		.softmax = k->softmax };
	g->keep = g->G > 1 ? (int)k->topk_group : 1;
	if (!s.x || s.n != (size_t)g->E || !gate_alloc(l->arena, g))
		return false;
	g->has_bias = b.x && b.n == s.n;
	for (int e = 0; e < g->E; e++) {
		g->score[e] = probe_get(s, (size_t)e);
		g->bias[e] = g->has_bias ? probe_get(b, (size_t)e) : 0;
		g->weight[e] = NAN;
	}
	for (size_t i = 0; i < t.n; i++) {
		double e = probe_get(t, i);
		if (e >= 0 && e < g->E) {
			g->chosen[(int)e] = true;
			g->weight[(int)e] = probe_get(w, i);
		}
	}
	if (!t.x)
		gate_choose(l->arena, g, true, g->chosen);
	for (int i = 0; i < g->G; i++) {
		g->sum[i] = gs.x && gs.n == (size_t)g->G ? probe_get(gs, (size_t)i) : gate_group(g, i, true);
		g->kept[i] = gk.x && gk.n == (size_t)g->G && probe_get(gk, (size_t)i) != 0;
	}
	if (!gk.x || gk.n != (size_t)g->G)
		gate_best(g->sum, g->G, g->keep, g->kept);
	gate_choose(l->arena, g, false, g->plain);
	return true;
}

static bool gate_open(const Gate *g, int e)
{
	return g->kept[e / (g->E / g->G)];
}

/* Chosen first, then who came next within the kept groups, then the dropped groups. */
static bool gate_before(const Gate *g, int a, int b)
{
	if (g->chosen[a] != g->chosen[b])
		return g->chosen[a];
	if (gate_open(g, a) != gate_open(g, b))
		return gate_open(g, a);
	double x = gate_key(g, a, true), y = gate_key(g, b, true);
	return x != y ? x > y : a < b;
}

/* The first n of that order, by repeated selection: n is what fits a pane. */
static int gate_order(const Gate *g, int n, int *out, bool *used)
{
	int k = 0;
	for (; k < n && k < g->E; k++) {
		int best = -1;
		for (int e = 0; e < g->E; e++)
			if (!used[e] && (best < 0 || gate_before(g, e, best)))
				best = e;
		used[best] = true;
		out[k] = best;
	}
	return k;
}

static const char *gate_list(Arena *a, const Gate *g, const bool *set)
{
	Buf b = BUF_INIT;
	for (int e = 0; e < g->E; e++)
		if (set[e])
			buf_printf(&b, "%s%d", b.len ? ", " : "", e);
	const char *s = arena_strdup(a, buf_str(&b));
	buf_done(&b);
	return s ? s : "";
}

/* The nearest flip: who is next in the kept groups, and by how much the last chosen leads. */
static const char *gate_flip(const Look *l, const Gate *g)
{
	int last = -1, next = -1;
	for (int e = 0; e < g->E; e++) {
		if (g->chosen[e] && (last < 0 || gate_key(g, e, true) < gate_key(g, last, true)))
			last = e;
		if (!g->chosen[e] && gate_open(g, e) && (next < 0 || gate_key(g, e, true) > gate_key(g, next, true)))
			next = e;
	}
	if (last < 0 || next < 0)
		return NULL;
	double need = gate_key(g, last, true) - g->score[next];
	if (g->has_bias)
		return arena_printf(l->arena, "flips to %d if bias of %d > %+.4f", next, next, need);
	return arena_printf(l->arena, "flips to %d if its score gains %.4f", next, need);
}

static void why_groups(const Look *l, const Gate *g, Table *t)
{
	if (g->G < 2)
		return;
	Buf a = BUF_INIT, b = BUF_INIT;
	buf_adds(&a, "group ");
	buf_adds(&b, g->softmax ? "best  " : "sum   ");
	for (int i = 0; i < g->G; i++) {
		buf_printf(&a, " %5d ", i);
		buf_printf(&b, " %5.3f%s", g->sum[i], g->kept[i] ? "*" : " ");
	}
	t->line[t->n_lines++] = arena_strdup(l->arena, buf_str(&a));
	t->line[t->n_lines++] = arena_strdup(l->arena, buf_str(&b));
	t->n_above = t->n_lines;
	buf_done(&a);
	buf_done(&b);
}

static void why_row(const Look *l, const Gate *g, Table *t, int r, int e)
{
	TableCell *c = &t->cell[r * t->cols];
	bool open = gate_open(g, e), on = g->chosen[e];
	CellStyle st = on ? CELL_STRONG : open ? CELL_TEXT : CELL_DIM;
	int i = 0;
	c[i++] = (TableCell){ arena_printf(l->arena, "%d", e), st };
	c[i++] = (TableCell){ arena_printf(l->arena, "%.4f", g->score[e]), st };
	if (g->has_bias) {
		c[i++] = (TableCell){ arena_printf(l->arena, "%+.4f", g->bias[e]), st };
		c[i++] = (TableCell){ arena_printf(l->arena, "%.4f", gate_key(g, e, true)), st };
	}
	c[i++] = (TableCell){ on ? "*" : open ? "-" : "", on ? CELL_ACCENT : CELL_DIM };
	if (on && !isnan(g->weight[e]))
		c[i] = (TableCell){ arena_printf(l->arena, "%.4f", g->weight[e]), CELL_STRONG };
	else if (!open)
		c[i] = (TableCell){ arena_printf(l->arena, "group %d out", e / (g->E / g->G)), CELL_DIM };
	if (t->readout)
		t->readout[r] = arena_printf(l->arena, "layers.%lld.moe.scores[%lld,%d] = %s%s · %s",
			(long long)l->sel->layer, (long long)l->sel->token, e,
			text_six(l->arena, g->score[e]),
			g->has_bias ? arena_printf(l->arena, " %+.6f bias", g->bias[e]) : "",
			on ? arena_printf(l->arena, "chosen, weight %s", text_six(l->arena, g->weight[e]))
				: open ? "not chosen"
				       : "its group was dropped");
}

static void why_heads(const Gate *g, Table *t)
{
	int i = 0;
	t->head[i++] = "exp";
	t->head[i++] = "score";
	if (g->has_bias) {
		t->head[i++] = "bias";
		t->head[i++] = "sum";
	}
	t->left[i] = true;
	t->head[i++] = "";
	t->left[i] = true;
	t->head[i++] = "weight";
	t->cols = i;
}

static void why_below(const Look *l, const Gate *g, Table *t)
{
	const char *flip = gate_flip(l, g);
	if (g->has_bias)
		t->line[t->n_lines++] = arena_printf(l->arena, "without bias: %s%s", gate_list(l->arena, g, g->plain),
			memcmp(g->plain, g->chosen, (size_t)g->E * sizeof *g->plain) ? "  (differs)" : "  (same)");
	if (flip)
		t->line[t->n_lines++] = flip;
}

static bool table_why(const Look *l, Data *d)
{
	Gate g;
	int64_t at = facts_find(l->facts, l->sel->token);
	d->title = at < 0 ? "why"
			  : arena_printf(l->arena, "why: token %lld %s, layer %lld", (long long)l->sel->token,
				    text_token(l->arena, &l->facts->tok[at], 14), (long long)l->sel->layer);
	if (!gate_read(l, &g)) {
		d->empty = arena_printf(l->arena, "layers.%lld.moe.scores: not recorded for token %lld",
			(long long)l->sel->layer, (long long)l->sel->token);
		return true;
	}
	int lines = (g.G > 1 ? 2 : 0) + (g.has_bias ? 2 : 1), room = l->rows_hint - lines - 1;
	int n = room < g.K + 1 ? g.K + 1 : room > g.E ? g.E : room;
	n = n > g.E ? g.E : n;
	Table *t = &d->table;
	int *order = arena_alloc(l->arena, (size_t)n * sizeof *order);
	bool *used = arena_zalloc(l->arena, (size_t)g.E * sizeof *used);
	d->kind = DATA_TABLE;
	why_heads(&g, t);
	t->cell = arena_zalloc(l->arena, (size_t)n * (size_t)t->cols * sizeof *t->cell);
	t->readout = arena_zalloc(l->arena, (size_t)n * sizeof *t->readout);
	t->line = arena_zalloc(l->arena, 8 * sizeof *t->line);
	if (!order || !used || !t->cell || !t->line || !t->readout)
		return true;
	why_groups(l, &g, t);
	t->rows = gate_order(&g, n, order, used);
	t->sel = -1;
	for (int r = 0; r < t->rows; r++) {
		why_row(l, &g, t, r, order[r]);
		if (order[r] == l->sel->expert)
			t->sel = r;
	}
	why_below(l, &g, t);
	d->facts = g.softmax ? "softmax" : g.has_bias ? "sigmoid + bias" : "sigmoid";
	if (g.G > 1)
		d->facts = arena_printf(l->arena, "%s · keep %d of %d", d->facts, g.keep, g.G);
	d->summary = arena_printf(l->arena, "L%lld token %lld: %s", (long long)l->sel->layer,
		(long long)l->sel->token, gate_list(l->arena, &g, g.chosen));
	return true;
}

bool source_router(const Look *l, const char *name, Data *d)
{
	const FactCard *k = &l->facts->card;
	if (!k->have) {
		d->empty = "no model yet - o opens one";
		return true;
	}
	if (k->experts < 1 || k->first_dense >= k->layers) {
		d->empty = "no routed experts in this model";
		return true;
	}
	if (strcmp(name, "bias") == 0)
		return field_layers(l, true, d);
	if (l->facts->n_tok == 0) {
		d->empty = "no text yet - Enter writes a prompt";
		return true;
	}
	if (l->sel->layer < k->first_dense && strcmp(name, "experts") != 0) {
		d->empty = arena_printf(l->arena, "layer %lld is dense: no router - + goes to the next layer",
			(long long)l->sel->layer);
		return true;
	}
	if (strcmp(name, "experts") == 0) {
		field_layers(l, false, d);
		load_facts(d);
		return true;
	}
	if (strcmp(name, "load") == 0)
		return items_load(l, d);
	if (strcmp(name, "why") == 0)
		return table_why(l, d);
	return field_tokens(l, strcmp(name, "gate") == 0, d);
}
