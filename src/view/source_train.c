/* source_train.c - a training run: its curves, how busy the experts were, the gradient of each layer, what it writes, its settings.
 *
 * A run has more steps than a screen has dots: curves are thinned to POINTS_MAX points, each the mean of the steps that fall on it; the
 * losses are smoothed besides. A run of a few steps shows each of them. */
#include "base/utf8.h"
#include "view/data.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { POINTS_MAX = 1024, SMOOTH_PART = 40 /* the losses: means of a fortieth of the curve */, BIN_LOOKS = 8 };

typedef struct Curve { double *v; int n; int64_t x0, dx; } Curve;

static double curve_at(const Line *l, int i)
{
	const Curve *c = l->ud;
	return i >= 0 && i < c->n ? c->v[i] : NAN;
}

static double number_at(const Look *l, const char *topic, size_t i)
{
	const Sample *x = store_at(l->store, topic, i);
	return x ? sample_num(x, 0) : NAN;
}

static int64_t step_at(const Look *l, const char *topic, size_t i)
{
	const Sample *x = store_at(l->store, topic, i);
	return x ? (int64_t)x->step : 0;
}

/* All samples of a topic, `each` to a point (0: as many as it needs); NULL: none. */
static Curve *curve_make(const Look *l, const char *topic, size_t each)
{
	size_t n = store_count(l->store, topic);
	each = each ? each : (n + POINTS_MAX - 1) / POINTS_MAX;
	Curve *c = n ? arena_zalloc(l->arena, sizeof *c) : NULL;
	if (!c || !(c->v = arena_zalloc(l->arena, sizeof *c->v * (n / each + 1))))
		return NULL;
	for (size_t i = 0; i < n; i += each) {
		double sum = 0;
		size_t to = i + each < n ? i + each : n;
		for (size_t k = i; k < to; k++)
			sum += number_at(l, topic, k);
		c->v[c->n++] = sum / (double)(to - i);
	}
	c->x0 = step_at(l, topic, 0);
	c->dx = n > 1 ? (step_at(l, topic, n - 1) - c->x0) / (int64_t)(n - 1) * (int64_t)each : (int64_t)each;
	c->dx = c->dx > 0 ? c->dx : 1;
	return c;
}

/* Each point becomes the mean of those up to it, of a fortieth of the curve. */
static void curve_smooth(const Look *l, Curve *c)
{
	int span = c->n / SMOOTH_PART;
	double *v = span > 1 ? arena_zalloc(l->arena, sizeof *v * (size_t)c->n) : NULL, sum = 0;
	for (int i = 0; v && i < c->n; i++) {
		sum += c->v[i] - (i >= span ? c->v[i - span] : 0);
		v[i] = sum / (i < span ? i + 1 : span);
	}
	if (v)
		c->v = v;
}

/* Values that come seldom, on the points of another curve: the newest before each, NaN before the first. */
static Curve *curve_seldom(const Look *l, const char *topic, const Curve *on)
{
	size_t n = store_count(l->store, topic), k = 0;
	Curve *c = n && on ? arena_zalloc(l->arena, sizeof *c) : NULL;
	if (!c || !(c->v = arena_zalloc(l->arena, sizeof *c->v * (size_t)on->n)))
		return NULL;
	*c = (Curve){ c->v, on->n, on->x0, on->dx };
	for (int i = 0; i < on->n; i++) {
		while (k < n && step_at(l, topic, k) < on->x0 + (i + 1) * on->dx)
			k++;
		c->v[i] = k ? number_at(l, topic, k - 1) : NAN;
	}
	return c;
}

/* Where settings were changed while it ran: points of the curve. */
static void series_marks(const Look *l, Series *s, const Curve *c)
{
	size_t n = store_count(l->store, "train.settings");
	s->mark = n > 1 ? arena_zalloc(l->arena, sizeof *s->mark * n) : NULL;
	for (size_t i = 1; s->mark && i < n; i++) {
		int64_t at = (step_at(l, "train.settings", i) - c->x0) / c->dx;
		if (at > 0 && at < c->n)
			s->mark[s->n_marks++] = (int)at;
	}
}

static Series *series_begin(Data *d)
{
	d->kind = DATA_SERIES;
	d->series = (Series){ .sel = -1, .axis = AXIS_LOCAL, .x_name = "step", .whole = true };
	return &d->series;
}

static void series_add(const Look *l, Series *s, const char *name, const char *unit, Curve *c)
{
	if (!c || s->n == SERIES_MAX)
		return;
	if (s->n == 0) {
		s->x0 = c->x0;
		s->dx = c->dx;
		series_marks(l, s, c);
	}
	s->line[s->n++] = (Line){ name, unit, c->n, curve_at, c };
}

static const char *last_text(const Look *l, const char *topic, const char *format)
{
	const Sample *x = store_last(l->store, topic);
	return x && x->kind == SAMPLE_TENSOR ? arena_printf(l->arena, strcmp(format, "%.4f") == 0 ? "%.4f" : "%.2e", sample_num(x, 0)) : "·";
}

/* --- losses of this run, and of others loaded beside it (topics runs.NAME.train.*) --- */

static bool is_other_run(const char *topic)
{
	size_t n = strlen(topic);
	static const char tail[] = ".train.main_loss";
	return strncmp(topic, "runs.", 5) == 0 && n > sizeof tail + 4 && strcmp(topic + n - (sizeof tail - 1), tail) == 0;
}

/* Steps to a point, so that the longest run has few enough and all have the same scale. */
static size_t losses_each(const Look *l)
{
	size_t most = store_count(l->store, "train.main_loss");
	for (size_t i = 0; i < store_topics(l->store); i++)
		if (is_other_run(store_topic(l->store, i)) && store_count(l->store, store_topic(l->store, i)) > most)
			most = store_count(l->store, store_topic(l->store, i));
	return (most + POINTS_MAX - 1) / POINTS_MAX;
}

static void add_other_runs(const Look *l, Series *s, size_t each)
{
	for (size_t i = 0; i < store_topics(l->store); i++) {
		const char *topic = store_topic(l->store, i);
		if (!is_other_run(topic))
			continue;
		Curve *c = curve_make(l, topic, each);
		if (c)
			curve_smooth(l, c);
		series_add(l, s, arena_printf(l->arena, "%.*s", (int)(strlen(topic) - 5 - 16), topic + 5), NULL, c);
	}
}

static bool series_losses(const Look *l, Data *d)
{
	Series *s = series_begin(d);
	size_t each = losses_each(l);
	Curve *c = curve_make(l, "train.main_loss", each), *held = curve_seldom(l, "train.held_out", c),
	      *mtp = curve_make(l, "train.mtp_loss", each);
	if (c)
		curve_smooth(l, c);
	if (mtp)
		curve_smooth(l, mtp);
	series_add(l, s, "train", NULL, c);
	series_add(l, s, "held out", NULL, held);
	series_add(l, s, "MTP", NULL, mtp);
	add_other_runs(l, s, each);
	d->facts = "nat a token · smoothed";
	d->summary = arena_printf(l->arena, "%s · held out %s", last_text(l, "train.main_loss", "%.4f"),
		last_text(l, "train.held_out", "%.4f"));
	return true;
}

static bool series_one(const Look *l, Data *d, const char *topic, const char *name, const char *unit)
{
	Series *s = series_begin(d);
	series_add(l, s, name, unit, curve_make(l, topic, 0));
	if (s->n == 0)
		d->empty = arena_printf(l->arena, "no %s yet", name);
	return true;
}

static bool series_balance(const Look *l, Data *d)
{
	Series *s = series_begin(d);
	series_add(l, s, "MaxVio", NULL, curve_make(l, "train.maxvio", 0));
	series_add(l, s, "bias drift", NULL, curve_make(l, "train.bias_drift", 0));
	const Sample *dead = store_last(l->store, "train.dead");
	if (dead)
		d->facts = arena_printf(l->arena, "%.0f idle", sample_num(dead, 0));
	if (s->n == 0)
		d->empty = "no experts in this model";
	return true;
}

/* --- load of experts: time x expert --- */

typedef struct Loads { size_t n; int bins; } Loads;

static void bin_range(const Loads *b, int r, size_t *from, size_t *to)
{
	*from = b->n * (size_t)r / (size_t)b->bins;
	*to = b->n * (size_t)(r + 1) / (size_t)b->bins;
	if (*to <= *from)
		*to = *from + 1;
}

/* The mean share of some steps of the bin, evenly apart. */
static void loads_fill(const Field *f, int r, double *v, uint8_t *has)
{
	const Loads *b = f->ud;
	size_t from, to, looks = 0;
	bin_range(b, r, &from, &to);
	size_t by = (to - from + BIN_LOOKS - 1) / BIN_LOOKS;
	for (size_t i = from; i < to; i += by) {
		const Sample *x = store_at(f->look->store, f->topic, i);
		double sum = 0;
		for (int c = 0; x && c < f->cols; c++)
			sum += sample_num(x, (size_t)c);
		for (int c = 0; sum > 0 && c < f->cols; c++)
			v[c] += sample_num(x, (size_t)c) / sum;
		looks += sum > 0;
	}
	for (int c = 0; looks && c < f->cols; c++) {
		v[c] = isnan(v[c]) ? NAN : v[c] / (double)looks;
		has[c] = 1;
	}
}

static int64_t loads_step(const Field *f, int r)
{
	size_t from, to;
	bin_range(f->ud, r, &from, &to);
	return step_at(f->look, f->topic, to - 1);
}

static const char *loads_label(const Field *f, int r)
{
	return arena_printf(f->look->arena, "%7lld", (long long)loads_step(f, r));
}

static const char *loads_name(const Field *f, int r, int c)
{
	return arena_printf(f->look->arena, "%s[%d] at step %lld", f->topic, c, (long long)loads_step(f, r));
}

static bool field_loads(const Look *l, Data *d)
{
	const char *topic = look_expand(l, "layers.{layer}.moe.load");
	Loads *b = arena_zalloc(l->arena, sizeof *b);
	const Sample *x = store_last(l->store, topic);
	int rows = l->rows_hint > 2 ? l->rows_hint - 2 : 16;
	if (!b || !x || x->kind != SAMPLE_TENSOR || x->bytes < 4 || x->bytes > 1 << 18) {
		d->empty = arena_printf(l->arena, "layer %lld has no experts: + and - choose another", (long long)l->sel->layer);
		return true;
	}
	b->n = store_count(l->store, topic);
	b->bins = (size_t)rows < b->n ? rows : (int)b->n;
	int E = (int)(x->bytes / (dtype_bits(x->dtype) / 8)), groups = (int)l->facts->card.n_group;
	d->kind = DATA_FIELD;
	d->field = (Field){ .rows = b->bins, .cols = E, .fill = loads_fill, .row_label = loads_label, .name = loads_name, .label_w = 7,
		.row_axis = AXIS_NONE, .col_axis = AXIS_EXPERT, .row_sel = b->bins - 1, .col_sel = (int)l->sel->expert,
		.group = groups > 1 ? E / groups : 0, .look = l, .layer = l->sel->layer, .topic = topic, .row_name = "step", .col_name = "expert",
		.ud = b };
	d->field.row = arena_zalloc(l->arena, (size_t)b->bins * sizeof *d->field.row);
	d->facts = arena_printf(l->arena, "even share %.3g", E > 0 ? 1.0 / E : 0);
	return true;
}

/* --- the router of the model in training, on held-out text --- */

static void routing_fill(const Field *f, int r, double *v, uint8_t *has)
{
	const Sample *x = store_last(f->look->store, f->topic);
	for (int c = 0; x && c < f->cols; c++) {
		v[c] = sample_num(x, (size_t)r * (size_t)f->cols + (size_t)c);
		has[c] = v[c] != 0;
	}
}

static const char *routing_token(const Field *f, int r, int w)
{
	const Facts *k = f->look->facts;
	FactToken as = { .text = r < k->n_held ? (char *)(uintptr_t)k->held[r].text : NULL };
	return text_token(f->look->arena, &as, w);
}

/* A line before the first token of each text. */
static const char *routing_label(const Field *f, int r)
{
	const Facts *k = f->look->facts;
	bool begins = r < k->n_held && k->held[r].begins;
	return arena_printf(f->look->arena, "%s %s", begins ? "┌" : "│", routing_token(f, r, f->label_w - 2));
}

static const char *routing_name(const Field *f, int r, int c)
{
	const Sample *x = store_last(f->look->store, f->topic);
	return arena_printf(f->look->arena, "%s[%d,%d] %s at step %lld", f->topic, r, c, routing_token(f, r, 14), x ? (long long)x->step : 0);
}

static bool field_routing(const Look *l, Data *d)
{
	const char *topic = look_expand(l, "train.gate.{layer}");
	const Sample *x = store_last(l->store, topic);
	int groups = (int)l->facts->card.n_group;
	if (!x || x->kind != SAMPLE_TENSOR || x->rank != 2 || x->shape[0] > 4096 || x->shape[1] > 65536 || x->shape[1] < 1) {
		d->empty = store_last(l->store, "train.gate_text") ? "this layer has no experts: + and - choose another"
								   : "not recorded for this run: it comes with the first step, and with each held-out loss";
		return true;
	}
	d->kind = DATA_FIELD;
	d->field = (Field){ .rows = (int)x->shape[0], .cols = (int)x->shape[1], .fill = routing_fill, .row_label = routing_label,
		.name = routing_name, .label_w = 12, .row_axis = AXIS_LOCAL, .col_axis = AXIS_EXPERT, .col_sel = (int)l->sel->expert,
		.group = groups > 1 ? (int)x->shape[1] / groups : 0, .sparse = true, .each_line = true, .look = l, .layer = l->sel->layer, .topic = topic,
		.row_name = "token", .col_name = "expert" };
	d->field.row = arena_zalloc(l->arena, (size_t)d->field.rows * sizeof *d->field.row);
	d->facts = arena_printf(l->arena, "held-out text · step %llu", (unsigned long long)x->step);
	return true;
}

/* --- gradient norm of each layer --- */

static bool items_gradients(const Look *l, Data *d)
{
	const Sample *x = store_last(l->store, "train.layer_norm");
	int n = x && x->kind == SAMPLE_TENSOR ? (int)(x->bytes / 4) : 0, layers = (int)l->facts->card.layers;
	if (n < 1 || n > 4096) {
		d->empty = "no gradients yet";
		return true;
	}
	d->kind = DATA_ITEMS;
	d->items = (Items){ .axis = AXIS_LOCAL, .n = n, .item = arena_zalloc(l->arena, (size_t)n * sizeof(Item)) };
	for (int i = 0; d->items.item && i < n; i++) {
		Item *it = &d->items.item[i];
		it->label = i == n - 1 ? "the rest" : arena_printf(l->arena, layers > 0 && i >= layers ? "MTP %d" : "layer %d",
			layers > 0 && i >= layers ? i - layers : i);
		it->x = sample_num(x, (size_t)i);
		it->value = arena_printf(l->arena, "%.4f", it->x);
		it->color = i == l->sel->layer ? 0 : -1;
		it->readout = arena_printf(l->arena, "train.layer_norm[%d] = %s at step %lld%s", i, text_six(l->arena, it->x),
			(long long)x->step, i == n - 1 ? " (embedding, head, last norm)" : "");
	}
	d->facts = arena_printf(l->arena, "all %s", last_text(l, "train.grad_norm", "%.4f"));
	return true;
}

/* --- cards --- */

static const char *time_text(Arena *a, double s)
{
	if (!(s >= 0) || s > 1e9)
		return "·";
	if (s < 60)
		return arena_printf(a, "%.0f s", s);
	if (s < 3600)
		return arena_printf(a, "%d min %02d s", (int)s / 60, (int)s % 60);
	return arena_printf(a, "%d h %02d min", (int)(s / 3600), (int)s / 60 % 60);
}

static Table *table_begin(const Look *l, Data *d, int rows)
{
	d->kind = DATA_TABLE;
	d->table = (Table){ .cols = 2, .sel = -1, .left = { true, true },
		.cell = arena_zalloc(l->arena, (size_t)rows * 2 * sizeof *d->table.cell) };
	return d->table.cell ? &d->table : NULL;
}

static void table_row(Table *t, const char *key, const char *value, CellStyle st)
{
	t->cell[t->rows * 2] = (TableCell){ key, CELL_DIM };
	t->cell[t->rows * 2 + 1] = (TableCell){ value, st };
	t->rows++;
}

static bool table_training(const Look *l, Data *d)
{
	Table *t = table_begin(l, d, 12);
	const Sample *step = store_last(l->store, "train.step"), *eta = store_last(l->store, "train.eta"),
		     *memory = store_last(l->store, "train.memory"), *rate = store_last(l->store, "train.tok_per_s");
	if (!t)
		return true;
	const char *of = arena_printf(l->arena, "%.0f of %.0f", sample_num(step, 0), sample_num(step, 1));
	table_row(t, "step", of, CELL_STRONG);
	table_row(t, "loss", last_text(l, "train.main_loss", "%.4f"), CELL_TEXT);
	table_row(t, "held out", last_text(l, "train.held_out", "%.4f"), CELL_TEXT);
	table_row(t, "time left", eta ? time_text(l->arena, sample_num(eta, 0)) : "·", CELL_TEXT);
	table_row(t, "speed", rate ? arena_printf(l->arena, "%.0f tok/s", sample_num(rate, 0)) : "·", CELL_TEXT);
	table_row(t, "lr", last_text(l, "train.lr", "%.2e"), CELL_TEXT);
	table_row(t, "gradient", last_text(l, "train.grad_norm", "%.4f"), CELL_TEXT);
	table_row(t, "tokens", text_count(l->arena, sample_num(step, 2)), CELL_TEXT);
	table_row(t, "memory", memory ? text_bytes(l->arena, sample_num(memory, 0)) : "·", CELL_TEXT);
	d->summary = arena_printf(l->arena, "step %s · loss %s", of, last_text(l, "train.main_loss", "%.4f"));
	d->readout = arena_printf(l->arena, "step %s · loss %s · held out %s", of, last_text(l, "train.loss", "%.4f"),
		last_text(l, "train.held_out", "%.4f"));
	return true;
}

static bool table_settings(const Look *l, Data *d)
{
	const Facts *f = l->facts;
	Table *t = table_begin(l, d, f->n_settings + 1);
	for (int i = 0; t && i < f->n_settings; i++)
		table_row(t, f->setting[i].name, f->setting[i].value, f->setting[i].changed ? CELL_ACCENT : CELL_TEXT);
	if (f->n_settings == 0)
		d->empty = "no settings recorded";
	d->facts = ":set NAME VALUE";
	return true;
}

/* --- what it writes --- */

/* Bytes of the first line of s in w columns: cut at a blank where there is one. */
static size_t text_fit(const char *s, int w)
{
	size_t n = strcspn(s, "\n"), at = 0, blank = 0;
	char g[CELL_BYTES];
	for (int cols = 0, gw; at < n; cols += gw) {
		size_t u = text_grapheme(s + at, n - at, g, &gw);
		if (!u || cols + gw > w)
			return blank ? blank : at ? at : n;
		at += u;
		blank = s[at - u] == ' ' ? at : blank;
	}
	return n;
}

static bool table_sampled(const Look *l, Data *d)
{
	const Sample *x = store_last(l->store, "train.sample");
	int w = l->cols_hint > 4 ? l->cols_hint : 60, n = 0, most = 64;
	if (!x || x->kind != SAMPLE_TEXT) {
		d->empty = "no text yet - :set sample_every 50 makes one every 50 steps";
		return true;
	}
	Buf safe = BUF_INIT;
	safe_text(&safe, x->data, x->bytes < 4096 ? x->bytes : 4096, SAFE_LF);
	const char *s = arena_strdup(l->arena, buf_str(&safe));
	buf_done(&safe);
	Table *t = table_begin(l, d, 1);
	const char **line = arena_zalloc(l->arena, (size_t)most * sizeof *line);
	for (; t && s && line && *s && n < most; n++) {
		size_t fit = text_fit(s, w);
		line[n] = arena_printf(l->arena, "%.*s", (int)fit, s);
		s += fit;
		s += *s == '\n';
	}
	if (t) {
		t->line = line;
		t->n_lines = line ? n : 0;
	}
	d->facts = arena_printf(l->arena, "step %llu", (unsigned long long)x->step);
	d->readout = n && line ? line[0] : NULL;
	d->summary = d->readout;
	return true;
}

bool source_train(const Look *l, const char *name, Data *d)
{
	if (!store_last(l->store, "train.step")) {
		d->empty = "no training run here - start one with `lathe train`";
		return true;
	}
	if (strcmp(name, "losses") == 0)
		return series_losses(l, d);
	if (strcmp(name, "balance") == 0)
		return series_balance(l, d);
	if (strcmp(name, "loads") == 0)
		return field_loads(l, d);
	if (strcmp(name, "routing") == 0)
		return field_routing(l, d);
	if (strcmp(name, "gradients") == 0)
		return items_gradients(l, d);
	if (strcmp(name, "lr") == 0)
		return series_one(l, d, "train.lr", "learning rate", NULL);
	if (strcmp(name, "gradient") == 0)
		return series_one(l, d, "train.grad_norm", "norm", NULL);
	if (strcmp(name, "rate") == 0)
		return series_one(l, d, "train.tok_per_s", "speed", "tok/s");
	if (strcmp(name, "settings") == 0)
		return table_settings(l, d);
	return strcmp(name, "sampled") == 0 ? table_sampled(l, d) : table_training(l, d);
}
