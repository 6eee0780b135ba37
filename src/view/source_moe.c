/* source_moe.c - the experts over the whole text: who is busy, who works with whom, how undecided the gate
 * is, what its bias changes, and how much the routed and the shared experts add (DeepSeekMoE; V3
 * report 2.1.2; MaxVio of Wang et al. 2024). */
#include "view/probe_rows.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COACTIVE_MAX = 1024 };

static const char *not_here(const Look *l, const char *what, const char *probe)
{
	return l->replay ? arena_printf(l->arena,
				   "%s: not in this recording - record with --watch \"+ layers.*.moe.%s\"",
				   what, probe)
			 : arena_printf(l->arena, "%s: not computed for this text - a does it", what);
}

static const char *layer_text(const Field *f, int r)
{
	return arena_printf(f->look->arena, "L%lld", (long long)(f->layer + r));
}

static int first_moe(const Look *l)
{
	return (int)l->facts->card.first_dense;
}

static int groups_of(const FactCard *k)
{
	return k->n_group > 1 && k->experts % k->n_group == 0 ? (int)(k->experts / k->n_group) : 0;
}

/* The experts of one row of choices: at most max, those out of range left out. */
static int row_experts(const RowAt *at, size_t width, int experts, int *out, int max)
{
	int n = 0;
	for (size_t i = 0; at->x && i < width && n < max; i++) {
		double e = sample_num(at->x, at->at + i);
		if (e >= 0 && e < experts)
			out[n++] = (int)e;
	}
	return n;
}

enum { CHOSEN_MAX = 64 };

/* Tokens that chose each expert; returns the tokens counted. */
static int count_choices(const ProbeRows *p, int experts, double *count)
{
	int id[CHOSEN_MAX], tokens = 0;
	for (size_t i = 0; p->row && i < p->n; i++) {
		int n = row_experts(&p->row[i], p->width, experts, id, CHOSEN_MAX);
		for (int k = 0; k < n; k++)
			count[id[k]] += 1;
		tokens += n > 0;
	}
	return tokens;
}

typedef struct Choices {
	double *count;
	int tokens;
} Choices;

/* The same, of a layer's choices as they were or as they would be; count NULL: out of memory. */
static Choices layer_choices(const Look *l, int64_t layer, const char *what)
{
	char key[64];
	bool made;
	int E = (int)l->facts->card.experts;
	snprintf(key, sizeof key, "choices %lld %.30s", (long long)layer, what);
	Choices *c = look_memo(l, key, sizeof *c, &made);
	if (c && made && (c->count = arena_zalloc(l->arena, (size_t)E * sizeof *c->count))) {
		ProbeRows p = layer_rows(l, layer, what, 1);
		c->tokens = count_choices(&p, E, c->count);
	}
	return c ? *c : (Choices){ 0 };
}

/* --- load: layer x expert --- */

static void shares_fill(const Field *f, int r, double *v, uint8_t *has)
{
	Choices p = layer_choices(f->look, f->layer + r, "moe.topk");
	for (int c = 0; c < f->cols && p.count && p.tokens; c++) {
		v[c] = p.count[c] / p.tokens;
		has[c] = 1;
	}
}

static const char *shares_name(const Field *f, int r, int c)
{
	return arena_printf(
		f->look->arena, "layer %lld expert %d, load over the text", (long long)(f->layer + r), c);
}

static Field layers_field(const Look *l)
{
	const FactCard *k = &l->facts->card;
	Field f = { .rows = (int)(k->layers - k->first_dense),
		.cols = (int)k->experts,
		.row_label = layer_text,
		.label_w = k->layers > 9 ? 3 : 2,
		.row_axis = AXIS_LAYER,
		.col_axis = AXIS_EXPERT,
		.row_sel = (int)(l->sel->layer - k->first_dense),
		.col_sel = (int)l->sel->expert,
		.group = groups_of(k),
		.look = l,
		.layer = k->first_dense,
		.row_name = "layer",
		.col_name = "expert" };
	f.row = arena_zalloc(l->arena, (size_t)f.rows * sizeof *f.row);
	return f;
}

static bool field_shares(const Look *l, Data *d)
{
	double even = (double)l->facts->card.per_token / (double)l->facts->card.experts;
	d->kind = DATA_FIELD;
	d->field = layers_field(l);
	d->field.fill = shares_fill;
	d->field.name = shares_name;
	d->field.unit = "of tokens";
	d->facts = arena_printf(l->arena, "%zu tokens · even %.1f%%", l->facts->n_tok, 100 * even);
	return true;
}

/* --- affinity of the selected token: layer x expert --- */

static void affinity_fill(const Field *f, int r, double *v, uint8_t *has)
{
	int64_t at = facts_find(f->look->facts, f->look->sel->token);
	ProbeRows p = layer_rows(f->look, f->layer + r, "moe.scores", 1);
	for (int c = 0; p.row && at >= 0 && p.row[at].x && c < f->cols && (size_t)c < p.width; c++) {
		v[c] = sample_num(p.row[at].x, p.row[at].at + (size_t)c);
		has[c] = !isnan(v[c]);
	}
}

static const char *affinity_name(const Field *f, int r, int c)
{
	return arena_printf(f->look->arena, "layers.%lld.moe.scores[%lld,%d]", (long long)(f->layer + r),
		(long long)f->look->sel->token, c);
}

static bool field_affinity(const Look *l, Data *d)
{
	int64_t at = facts_find(l->facts, l->sel->token);
	d->kind = DATA_FIELD;
	d->field = layers_field(l);
	d->field.fill = affinity_fill;
	d->field.name = affinity_name;
	d->field.hi = l->facts->card.softmax ? 0 : 1;
	if (at >= 0)
		d->facts = arena_printf(l->arena, "token %lld %s", (long long)l->sel->token,
			text_token(l->arena, &l->facts->tok[at], 10));
	return true;
}

/* --- who works with whom --- */

typedef struct Pairs {
	double *both, *one;
} Pairs;

static void coactive_fill(const Field *f, int r, double *v, uint8_t *has)
{
	const Pairs *p = f->ud;
	for (int c = 0; c < f->cols && p->one[r] > 0; c++) {
		v[c] = p->both[(size_t)r * (size_t)f->cols + (size_t)c] / p->one[r];
		has[c] = c != r;
	}
}

static const char *expert_text(const Field *f, int r)
{
	return arena_printf(f->look->arena, "%*d", f->label_w, r);
}

static const char *coactive_name(const Field *f, int r, int c)
{
	const Pairs *p = f->ud;
	return c == r ? arena_printf(f->look->arena, "layer %lld expert %d: chosen by %.0f tokens",
				(long long)f->layer, r, p->one[r])
		      : arena_printf(f->look->arena,
				"layer %lld: of the %.0f tokens of expert %d, %.0f also went to %d",
				(long long)f->layer, p->one[r], r,
				p->both[(size_t)r * (size_t)f->cols + (size_t)c], c);
}

static bool field_coactive(const Look *l, Data *d)
{
	const FactCard *k = &l->facts->card;
	int E = (int)k->experts, id[CHOSEN_MAX];
	bool made;
	ProbeRows rows = layer_rows(l, l->sel->layer, "moe.topk", 1);
	Pairs *p = look_memo(l, "pairs", sizeof *p, &made);
	if (E > COACTIVE_MAX || !p ||
		(made &&
			(!(p->both = arena_zalloc(l->arena, sizeof(double) * (size_t)E * (size_t)E)) ||
				!(p->one = arena_zalloc(l->arena, sizeof(double) * (size_t)E)))) ||
		!p->both || !p->one) {
		d->empty = "too many experts for a picture of their pairs";
		return true;
	}
	for (size_t i = 0; made && rows.row && i < rows.n; i++) {
		int n = row_experts(&rows.row[i], rows.width, E, id, CHOSEN_MAX);
		for (int a = 0; a < n; a++) {
			p->one[id[a]]++;
			for (int b = 0; b < n; b++)
				p->both[(size_t)id[a] * (size_t)E + (size_t)id[b]] += a != b;
		}
	}
	d->kind = DATA_FIELD;
	d->field = (Field){ .rows = E,
		.cols = E,
		.fill = coactive_fill,
		.row_label = expert_text,
		.name = coactive_name,
		.label_w = E > 100 ? 3 : 2,
		.row_axis = AXIS_EXPERT,
		.col_axis = AXIS_LOCAL,
		.row_sel = (int)l->sel->expert,
		.group = groups_of(k),
		.look = l,
		.layer = l->sel->layer,
		.ud = p,
		.row_name = "expert",
		.col_name = "expert",
		.unit = "of its tokens" };
	d->field.row = arena_zalloc(l->arena, (size_t)E * sizeof *d->field.row);
	d->facts = E > 1
		? arena_printf(l->arena, "chance %.1f%%", 100.0 * (double)(k->per_token - 1) / (E - 1))
		: NULL;
	return true;
}

/* --- layers in figures --- */

typedef struct LayerSum {
	int tokens, idle;
	double maxvio;
	double entropy; /* mean, NaN: not recorded */
	int seen, changed; /* tokens whose choice without the bias is known; of them, those that change */
	int choices, flips;
	double norm[3]; /* means of routed, shared, both; NaN: not recorded */
} LayerSum;

static void sum_load(const Look *l, int64_t layer, LayerSum *s)
{
	int E = (int)l->facts->card.experts;
	double top = 0, sum = 0;
	Choices p = layer_choices(l, layer, "moe.topk");
	s->tokens = p.tokens;
	for (int e = 0; e < E && p.count; e++) {
		s->idle += p.count[e] == 0;
		top = fmax(top, p.count[e]);
		sum += p.count[e];
	}
	s->maxvio = sum > 0 ? top * E / sum - 1 : 0;
}

/* How many of the first n are not among the second. */
static int set_missing(const int *a, int n, const int *b, int m)
{
	int missing = 0;
	for (int i = 0; i < n; i++) {
		bool there = false;
		for (int k = 0; k < m; k++)
			there |= a[i] == b[k];
		missing += !there;
	}
	return missing;
}

static void sum_flips(const Look *l, int64_t layer, LayerSum *s)
{
	int E = (int)l->facts->card.experts, a[CHOSEN_MAX], b[CHOSEN_MAX];
	ProbeRows with = layer_rows(l, layer, "moe.topk", 1),
		  without = layer_rows(l, layer, "moe.topk_unbiased", 1);
	for (size_t i = 0; with.row && without.row && i < with.n; i++) {
		int n = row_experts(&with.row[i], with.width, E, a, CHOSEN_MAX),
		    m = row_experts(&without.row[i], without.width, E, b, CHOSEN_MAX);
		if (n == 0 || m == 0)
			continue;
		int gone = set_missing(a, n, b, m);
		s->seen++;
		s->changed += gone > 0;
		s->choices += n;
		s->flips += gone;
	}
}

/* Mean over tokens of the k-th value of a probe's rows. */
static double rows_mean(const ProbeRows *p, size_t k)
{
	double sum = 0;
	for (size_t i = 0; p->row && i < p->n; i++)
		sum += p->row[i].x ? sample_num(p->row[i].x, p->row[i].at + k) : 0;
	return p->row ? sum / p->found : NAN;
}

static LayerSum layer_sum(const Look *l, int64_t layer)
{
	char key[40];
	bool made;
	snprintf(key, sizeof key, "layer_sum %lld", (long long)layer);
	LayerSum *s = look_memo(l, key, sizeof *s, &made);
	if (!s)
		return (LayerSum){ 0 };
	if (!made)
		return *s;
	ProbeRows entropy = layer_rows(l, layer, "moe.entropy", 1),
		  norms = layer_rows(l, layer, "moe.norms", 1);
	sum_load(l, layer, s);
	sum_flips(l, layer, s);
	s->entropy = rows_mean(&entropy, 0);
	for (size_t k = 0; k < 3; k++)
		s->norm[k] = norms.width == 3 ? rows_mean(&norms, k) : NAN;
	return *s;
}

static const char *three(const Look *l, double v)
{
	return isnan(v) ? "·" : arena_printf(l->arena, v < 10 ? "%.2f" : "%.1f", v);
}

static void layers_row(const Look *l, Table *t, int r)
{
	int64_t layer = l->facts->card.first_dense + r;
	LayerSum s = layer_sum(l, layer);
	double full = log((double)l->facts->card.experts), part = s.norm[1] / (s.norm[0] + s.norm[1]);
	TableCell *c = &t->cell[(size_t)r * (size_t)t->cols];
	c[0] = (TableCell){ arena_printf(l->arena, "L%lld", (long long)layer), CELL_ACCENT };
	c[1].s = three(l, s.entropy);
	c[2].s = s.tokens ? arena_printf(l->arena, "%.2f", s.maxvio) : "·";
	c[3].s = s.tokens ? arena_printf(l->arena, "%d", s.idle) : "·";
	c[4].s = s.choices ? arena_printf(l->arena, "%.1f%%", 100.0 * s.flips / s.choices) : "·";
	c[5].s = three(l, s.norm[0]);
	c[6].s = three(l, s.norm[1]);
	c[7].s = isnan(part) ? "·" : arena_printf(l->arena, "%.0f%%", 100 * part);
	if (t->readout)
		t->readout[r] = arena_printf(l->arena,
			"layer %lld: entropy %s of %.2f nat · MaxVio %s · without bias %d of %d choices "
			"flip, in %d of %d tokens"
			" · norms routed %s, shared %s, together %s",
			(long long)layer, c[1].s, full, c[2].s, s.flips, s.choices, s.changed, s.seen, c[5].s,
			c[6].s, three(l, s.norm[2]));
}

static bool table_layers(const Look *l, Data *d)
{
	const FactCard *k = &l->facts->card;
	Table *t = &d->table;
	d->kind = DATA_TABLE;
	*t = (Table){ .rows = (int)(k->layers - k->first_dense),
		.cols = 8,
		.sel = (int)(l->sel->layer - k->first_dense),
		.axis = AXIS_LAYER,
		.head = { "", "nat", "MaxVio", "idle", "flips", "routed", "shared", "part" },
		.left = { true } };
	t->cell = arena_zalloc(l->arena, (size_t)t->rows * 8 * sizeof *t->cell);
	t->readout = arena_zalloc(l->arena, (size_t)t->rows * sizeof *t->readout);
	if (!t->cell)
		t->rows = 0;
	/* Only what can be seen is counted. */
	int room = l->rows_hint > 0 ? l->rows_hint : t->rows, mid = t->sel < 0 ? 0 : t->sel;
	for (int r = 0; r < t->rows; r++)
		if (abs(r - mid) <= room)
			layers_row(l, t, r);
	d->facts = arena_printf(l->arena, "%zu tokens", l->facts->n_tok);
	d->summary = t->readout && t->sel >= 0 && t->sel < t->rows ? t->readout[t->sel] : NULL;
	return true;
}

static bool items_entropy(const Look *l, Data *d)
{
	const FactCard *k = &l->facts->card;
	int n = (int)(k->layers - k->first_dense);
	double full = log((double)k->experts);
	bool any = false;
	d->items = (Items){ .n = n,
		.sel = (int)(l->sel->layer - k->first_dense),
		.axis = AXIS_LAYER,
		.hi = full,
		.item = arena_zalloc(l->arena, (size_t)n * sizeof(Item)) };
	for (int i = 0; d->items.item && i < n; i++) {
		LayerSum s = layer_sum(l, k->first_dense + i);
		double h = s.entropy;
		any |= !isnan(h);
		d->items.item[i] =
			(Item){ .label = arena_printf(l->arena, "L%lld", (long long)(k->first_dense + i)),
				.x = h,
				.color = -1,
				.value = isnan(h) ? "·" : arena_printf(l->arena, "%.2f nat", h),
				.readout = arena_printf(l->arena,
					"layers.%lld.moe.entropy: mean %s nat over %d tokens · all %lld "
					"alike would be %.4f",
					(long long)(k->first_dense + i),
					isnan(h) ? "not recorded" : text_six(l->arena, h), s.tokens,
					(long long)k->experts, full) };
	}
	d->kind = any ? DATA_ITEMS : DATA_NONE;
	if (!any)
		d->empty = not_here(l, "entropy of the gate", "entropy");
	d->facts = arena_printf(l->arena, "at most %.2f nat", full);
	return true;
}

/* --- the gate without its bias --- */

static void unbiased_row(const Look *l, Table *t, int e, double now, double without, double bias)
{
	TableCell *c = &t->cell[(size_t)e * (size_t)t->cols];
	double by = without - now;
	CellStyle st = by != 0 ? CELL_STRONG : CELL_TEXT;
	c[0] = (TableCell){ arena_printf(l->arena, "%d", e), st };
	c[1] = (TableCell){ isnan(bias) ? "·" : arena_printf(l->arena, "%+.4f", bias), st };
	c[2] = (TableCell){ arena_printf(l->arena, "%.0f", now), st };
	c[3] = (TableCell){ arena_printf(l->arena, "%.0f", without), st };
	c[4] = (TableCell){ by == 0 ? "" : arena_printf(l->arena, "%+.0f", by),
		by > 0 ? CELL_GOOD : CELL_WARN };
	if (t->readout)
		t->readout[e] = arena_printf(l->arena,
			"layer %lld expert %d: bias %s · %.0f tokens, without any bias %.0f",
			(long long)l->sel->layer, e, c[1].s, now, without);
}

static bool table_unbiased(const Look *l, Data *d)
{
	int E = (int)l->facts->card.experts;
	LayerSum s = layer_sum(l, l->sel->layer);
	Choices now = layer_choices(l, l->sel->layer, "moe.topk"),
		then = layer_choices(l, l->sel->layer, "moe.topk_unbiased");
	char topic[64];
	snprintf(topic, sizeof topic, "layers.%lld.moe.bias", (long long)l->sel->layer);
	const Sample *bias = store_last(l->store, topic);
	if (!now.count || !then.count || !now.tokens || !then.tokens) {
		d->empty = l->facts->card.softmax ? "this gate has no bias: its choice is by affinity alone"
						  : not_here(l, "the choice without bias", "topk_unbiased");
		return true;
	}
	Table *t = &d->table;
	d->kind = DATA_TABLE;
	*t = (Table){ .rows = E,
		.cols = 5,
		.sel = (int)l->sel->expert,
		.axis = AXIS_EXPERT,
		.head = { "exp", "bias", "now", "then", "change" } };
	t->cell = arena_zalloc(l->arena, (size_t)E * 5 * sizeof *t->cell);
	t->readout = arena_zalloc(l->arena, (size_t)E * sizeof *t->readout);
	for (int e = 0; t->cell && e < E; e++)
		unbiased_row(l, t, e, now.count[e], then.count[e],
			bias && bias->kind == SAMPLE_TENSOR ? sample_num(bias, (size_t)e) : NAN);
	t->rows = t->cell ? E : 0;
	d->facts = s.choices ? arena_printf(l->arena, "%d of %d flip", s.flips, s.choices) : NULL;
	d->summary = arena_printf(l->arena, "without bias %d of %d choices flip, in %d of %d tokens", s.flips,
		s.choices, s.changed, s.seen);
	return true;
}

/* --- what they add --- */

static double norm_at(const Line *line, int i)
{
	const ProbeRows *p = line->ud;
	const RowAt *at = &p->row[i];
	return at->x ? sample_num(at->x, at->at + (strcmp(line->name, "shared") == 0)) : NAN;
}

static bool series_contribution(const Look *l, Data *d)
{
	ProbeRows *p = arena_alloc(l->arena, sizeof *p);
	if (p)
		*p = layer_rows(l, l->sel->layer, "moe.norms", 1);
	if (!p || !p->row || p->width != 3) {
		d->empty = not_here(l, "length of what experts add", "norms");
		return true;
	}
	d->kind = DATA_SERIES;
	d->series = (Series){ .n = 1 + (l->facts->card.shared > 0),
		.sel = (int)facts_find(l->facts, l->sel->token),
		.axis = AXIS_TOKEN,
		.x_name = "token",
		.x0 = l->facts->tok[0].pos };
	d->series.line[0] = (Line){ "routed", NULL, (int)p->n, norm_at, p };
	d->series.line[1] = (Line){ "shared", NULL, (int)p->n, norm_at, p };
	d->facts = arena_printf(l->arena, "mean %.3g and %.3g", rows_mean(p, 0), rows_mean(p, 1));
	return true;
}

bool source_moe(const Look *l, const char *name, Data *d)
{
	static const struct {
		const char *name;
		bool (*make)(const Look *, Data *);
		bool layer;
	} table[] = {
		{ "shares", field_shares, false },
		{ "coactive", field_coactive, true },
		{ "affinity", field_affinity, false },
		{ "moe_layers", table_layers, false },
		{ "gate_entropy", items_entropy, false },
		{ "unbiased", table_unbiased, true },
		{ "contribution", series_contribution, true },
	};
	const FactCard *k = &l->facts->card;
	if (!k->have)
		d->empty = "no model yet - o opens one";
	else if (k->experts < 1 || first_moe(l) >= k->layers)
		d->empty = "no routed experts in this model";
	else if (l->facts->n_tok == 0)
		d->empty = "no text yet - Enter writes a prompt";
	for (size_t i = 0; !d->empty && i < sizeof table / sizeof *table; i++) {
		if (strcmp(table[i].name, name) != 0)
			continue;
		if (table[i].layer && l->sel->layer < first_moe(l))
			d->empty = arena_printf(l->arena,
				"layer %lld is dense: no experts - + goes to the next layer",
				(long long)l->sel->layer);
		else
			table[i].make(l, d);
		return true;
	}
	return true;
}
