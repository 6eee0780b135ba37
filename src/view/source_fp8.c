/* source_fp8.c - what a precision recipe does to a model on the text: the error of each product by layer, the worst of them with the
 * reason, the operands of the selected one, where its weight's values lie on the grid of the format, and the predictions in each format. */
#include "base/json.h"
#include "base/utf8.h"
#include "view/data.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STATS = 7, ABOUT = 6, WORST = 5, PRODUCTS = 8192, COLUMNS = 64, FORMATS = 32 };
enum { REL_L2, MAX_ABS, SQNR, UNDERFLOW, SUBNORMAL, ABOVE, CLAMPED };
enum { W_NUMBERS, W_TYPICAL, W_MOST, W_ROW, W_COL, W_EXPERT };

typedef struct Product { const char *name, *part; int layer, column; bool outlier; } Product;
typedef struct FormatLine { const char *name; double kl, kl_bf16, top1, ppl, rel; int64_t routes, flipped; } FormatLine;
typedef struct Fp8 {
	bool have;
	const char *recipe, *about, *format;
	int64_t tokens, of, bias;
	int n, n_columns, n_formats, n_layers;
	Product *product;
	const char *column[COLUMNS];
	FormatLine line[FORMATS];
	const Sample *stats, *weights, *alone, *scales; /* one row for each product, or NULL */
	int *worst;                /* products, what hurts most first: by KL alone, else by error */
	bool by_kl;
} Fp8;

/* --- reading --- */

static const char *safe_string(const Look *l, const json_t *v)
{
	Buf b = BUF_INIT;
	if (!json_is_string(v))
		return "";
	safe_text(&b, json_string_value(v), json_string_length(v), 0);
	const char *s = arena_strdup(l->arena, buf_str(&b));
	buf_done(&b);
	return s ? s : "";
}

static double number_of(const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);
	return json_is_number(v) ? json_number_value(v) : NAN;
}

static int64_t whole_of(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static const Sample *rows_of(const Look *l, const char *topic, int n, int least)
{
	const Sample *x = store_last(l->store, topic);
	return x && x->kind == SAMPLE_TENSOR && x->rank == 2 && (int64_t)x->shape[0] == n && (int64_t)x->shape[1] >= least ? x : NULL;
}

static int column_of(Fp8 *f, const char *part)
{
	for (int i = 0; i < f->n_columns; i++)
		if (strcmp(f->column[i], part) == 0)
			return i;
	if (f->n_columns == COLUMNS)
		return -1;
	f->column[f->n_columns] = part;
	return f->n_columns++;
}

static void read_products(const Look *l, Fp8 *f, const json_t *list)
{
	int n = json_array_size(list) < PRODUCTS ? (int)json_array_size(list) : PRODUCTS;
	f->product = arena_zalloc(l->arena, (size_t)(n + 1) * sizeof *f->product);
	for (int i = 0; f->product && i < n; i++) {
		Product *p = &f->product[f->n++];
		int skip = 0;
		p->name = safe_string(l, json_array_get(list, (size_t)i));
		bool ok = sscanf(p->name, "layers.%d.%n", &p->layer, &skip) == 1 && skip && p->layer >= 0 && p->layer < 4096;
		p->part = p->name + (ok ? skip : 0);
		p->layer = ok ? p->layer : -1;
		p->column = ok ? column_of(f, p->part) : -1;
		f->n_layers = p->layer >= f->n_layers ? p->layer + 1 : f->n_layers;
	}
}

static void read_formats(const Look *l, Fp8 *f, const json_t *list)
{
	for (size_t i = 0; i < json_array_size(list) && f->n_formats < FORMATS; i++) {
		const json_t *o = json_array_get(list, i);
		f->line[f->n_formats++] = (FormatLine){ .name = safe_string(l, json_object_get(o, "name")), .kl = number_of(o, "kl"),
			.kl_bf16 = number_of(o, "kl_bf16"), .top1 = number_of(o, "top1_agree"), .ppl = number_of(o, "ppl"),
			.rel = number_of(o, "rel_l2"), .routes = whole_of(o, "routes"), .flipped = whole_of(o, "routes_flipped") };
	}
}

/* which: 0 result, 1 input, 2 weight */
static double stat_of(const Fp8 *f, int i, int which, int what)
{
	return f->stats && i >= 0 ? sample_num(f->stats, (size_t)i * f->stats->shape[1] + (size_t)(which * STATS + what)) : NAN;
}

static double weight_of(const Fp8 *f, int i, int what)
{
	return f->weights && i >= 0 ? sample_num(f->weights, (size_t)i * f->weights->shape[1] + (size_t)what) : NAN;
}

/* Of the predictions when this product alone is quantised; NaN: it was not computed. */
static double kl_alone(const Fp8 *f, int i)
{
	return f->alone && i >= 0 ? sample_num(f->alone, (size_t)i * f->alone->shape[1]) : NAN;
}

/* The largest number of a weight, of the root mean square of its middle row: of a normal distribution some 5. */
static double outlier_of(const Fp8 *f, int i)
{
	double rms = weight_of(f, i, W_TYPICAL);
	return rms > 0 ? weight_of(f, i, W_MOST) / rms : NAN;
}

/* Much more becomes zero in this operand than in those of at least half of the products: a recipe of few bits loses some everywhere. */
static bool loses_more(const Fp8 *f, int i, int which)
{
	double lost = stat_of(f, i, which, UNDERFLOW);
	int less = 0;
	for (int k = 0; lost > 0.02 && k < f->n; k++)
		less += 4 * stat_of(f, k, which, UNDERFLOW) < lost;
	return 2 * less > f->n;
}

static bool weight_outlier(const Fp8 *f, int i)
{
	return outlier_of(f, i) > 64 && loses_more(f, i, 2);
}

/* Of its input there are no numbers here: an outlier shows in what is lost. */
static bool input_outlier(const Fp8 *f, int i)
{
	return loses_more(f, i, 1);
}

static double hurt_of(const Fp8 *f, int i)
{
	return f->by_kl ? kl_alone(f, i) : stat_of(f, i, 0, REL_L2);
}

/* Outliers first: what is lost beside them is lost on any text. */
static bool hurts_more(const Fp8 *f, int a, int b)
{
	bool x = f->product[a].outlier, y = f->product[b].outlier;
	return x != y ? x : hurt_of(f, a) > hurt_of(f, b);
}

static void find_worst(const Look *l, Fp8 *f)
{
	f->worst = arena_zalloc(l->arena, (size_t)(f->n + 1) * sizeof *f->worst);
	for (int i = 0; i < f->n; i++)
		f->product[i].outlier = weight_outlier(f, i) || input_outlier(f, i);
	for (int k = 0; f->worst && k < f->n && k < WORST; k++) {
		int best = -1;
		for (int i = 0; i < f->n; i++) {
			bool taken = isnan(hurt_of(f, i));
			for (int t = 0; t < k; t++)
				taken |= f->worst[t] == i;
			if (!taken && (best < 0 || hurts_more(f, i, best)))
				best = i;
		}
		f->worst[k] = best;
	}
}

static void fp8_read(const Look *l, Fp8 *f)
{
	const Sample *x = store_last(l->store, "fp8.about");
	Err e = { 0 };
	json_t *o = x && x->kind == SAMPLE_TEXT ? json_parse(x->data, x->bytes, "fp8.about", E_3181, &e) : NULL;
	if (json_is_object(o)) {
		f->have = true;
		f->recipe = safe_string(l, json_object_get(o, "recipe"));
		f->about = safe_string(l, json_object_get(o, "about"));
		f->format = safe_string(l, json_object_get(o, "format"));
		f->tokens = whole_of(o, "tokens");
		f->of = whole_of(o, "of");
		f->bias = whole_of(o, "bias");
		read_formats(l, f, json_object_get(o, "formats"));
		read_products(l, f, json_object_get(o, "products"));
		f->stats = rows_of(l, "fp8.products", f->n, 3 * STATS);
		/* Where nothing is quantised there are none, and an earlier recipe's may still be there. */
		f->weights = *f->format ? rows_of(l, "fp8.weights", f->n, ABOUT + 2) : NULL;
		f->scales = f->weights ? rows_of(l, "fp8.scales", f->n, 2) : NULL;
		f->alone = rows_of(l, "fp8.alone", f->n, 1);
		f->by_kl = f->n > 0 && !isnan(kl_alone(f, 0));
		find_worst(l, f);
	}
	json_decref(o);
}

/* Once for all panes of a frame. NULL, and why in d: there is nothing. */
static const Fp8 *fp8_of(const Look *l, Data *d)
{
	bool made = false;
	Fp8 *f = look_memo(l, "fp8", sizeof *f, &made);
	if (f && made)
		fp8_read(l, f);
	if (f && f->have)
		return f;
	d->empty = l->facts->n_tok == 0 ? "no text yet - Enter writes a prompt" : "not computed - :fp8 does it, :fp8 RECIPE another";
	return NULL;
}

/* --- the selected product --- */

static int product_at(const Fp8 *f, int layer, int column)
{
	for (int i = 0; i < f->n; i++)
		if (f->product[i].layer == layer && f->product[i].column == column && column >= 0)
			return i;
	return -1;
}

/* The layer and column that the panes are about. Before anybody moved: the product that is hurt most, then that of the layer. */
static void selection(const Look *l, const Fp8 *f, int *layer, int *column)
{
	int best = -1;
	*layer = (int)l->sel->layer;
	*column = l->sel->product > f->n_columns ? f->n_columns - 1 : (int)l->sel->product - 1;
	if (l->sel->product > 0)
		return;
	for (int i = 0; i < f->n; i++)
		if ((l->sel->product == 0 || f->product[i].layer == *layer) && f->product[i].column >= 0 && (best < 0 || hurts_more(f, i, best)))
			best = i;
	*column = best < 0 ? 0 : f->product[best].column;
	*layer = best < 0 ? *layer : f->product[best].layer;
}

static int selected(const Look *l, const Fp8 *f)
{
	int layer, column;
	selection(l, f, &layer, &column);
	return product_at(f, layer, column);
}

/* "shared.up" for "moe.shared_experts.up_proj": what is left out is told by the rest. */
static const char *short_part(const Look *l, const char *part)
{
	static const char *const out[] = { "moe.", "_experts", "_proj", "_with_mqa" };
	char *s = arena_strdup(l->arena, part);
	for (size_t i = 0; s && i < sizeof out / sizeof *out; i++) {
		char *at = strstr(s, out[i]);
		if (at)
			memmove(at, at + strlen(out[i]), strlen(at + strlen(out[i])) + 1);
	}
	return s ? s : "";
}

static const char *name_of(const Look *l, const Fp8 *f, int i)
{
	return arena_printf(l->arena, "L%d %s", f->product[i].layer, short_part(l, f->product[i].part));
}

static const char *share(const Look *l, double v)
{
	return isnan(v) ? "·" : v == 0 ? "0" : v < 0.0001 ? "<0.01%" : arena_printf(l->arena, "%.*f%%", v < 0.1 ? 2 : 1, 100 * v);
}

static const char *error_text(const Look *l, double v)
{
	return isnan(v) ? "·" : v == 0 ? "0" : v >= 0.001 && v < 100 ? arena_printf(l->arena, "%.4f", v) : arena_printf(l->arena, "%.1e", v);
}

/* Where the largest number of a weight stands. */
static const char *outlier_place(const Look *l, const Fp8 *f, int i)
{
	double expert = weight_of(f, i, W_EXPERT);
	const char *at = arena_printf(l->arena, "[%.0f,%.0f]", weight_of(f, i, W_ROW), weight_of(f, i, W_COL));
	return expert >= 0 ? arena_printf(l->arena, "%s of expert %.0f", at, expert) : at;
}

/* Of the operand that has the larger error, what most of it comes from. */
static const char *reason(const Look *l, const Fp8 *f, int i, bool *bad)
{
	static const char *const side[] = { "", "input", "weight" };
	int w = stat_of(f, i, 2, REL_L2) > stat_of(f, i, 1, REL_L2) ? 2 : 1;
	double under = stat_of(f, i, w, UNDERFLOW), sub = stat_of(f, i, w, SUBNORMAL), clamped = stat_of(f, i, w, CLAMPED);
	*bad = true;
	if (weight_outlier(f, i))
		return arena_printf(l->arena, "weight outlier %s x rms, %s to zero", text_count(l->arena, outlier_of(f, i)),
			share(l, stat_of(f, i, 2, UNDERFLOW)));
	if (input_outlier(f, i))
		return arena_printf(l->arena, "input outlier, %s to zero", share(l, stat_of(f, i, 1, UNDERFLOW)));
	if (clamped > 0.001)
		return arena_printf(l->arena, "%s: %s above max, %s clamped", side[w], share(l, stat_of(f, i, w, ABOVE)), share(l, clamped));
	if (under > 0.01)
		return arena_printf(l->arena, "%s: %s underflow to zero", side[w], share(l, under));
	if (sub > 0.05)
		return arena_printf(l->arena, "%s: %s subnormal, few bits left", side[w], share(l, sub));
	*bad = false;
	return arena_printf(l->arena, "rounding (%s)", side[w]);
}

/* --- the map --- */

static void map_fill(const Field *k, int r, double *v, uint8_t *has)
{
	const Fp8 *f = k->ud;
	for (int i = 0; i < f->n; i++) {
		int c = f->product[i].column;
		double x = *k->topic == 'K' ? kl_alone(f, i) : stat_of(f, i, 0, REL_L2);
		if (f->product[i].layer != r || c < 0 || c >= k->cols || isnan(x))
			continue;
		v[c] = x;
		has[c] = 1;
	}
}

static const char *map_label(const Field *k, int r)
{
	return arena_printf(k->look->arena, "L%d", r);
}

static const char *map_name(const Field *k, int r, int c)
{
	const Fp8 *f = k->ud;
	return arena_printf(k->look->arena, "%s of layers.%d.%s", k->topic, r, c >= 0 && c < f->n_columns ? f->column[c] : "");
}

static bool field_map(const Look *l, Data *d, const char *what)
{
	const Fp8 *f = fp8_of(l, d);
	if (!f)
		return true;
	if (f->n_columns == 0) {
		d->empty = arena_printf(l->arena, "%s quantises no product", f->recipe);
		return true;
	}
	int r, c;
	selection(l, f, &r, &c);
	d->kind = DATA_FIELD;
	d->field = (Field){ .rows = f->n_layers, .cols = f->n_columns, .fill = map_fill, .row_label = map_label, .name = map_name, .label_w = 4,
		.row_axis = AXIS_LAYER, .col_axis = AXIS_PRODUCT, .row_sel = r, .col_sel = c, .look = l, .row_name = "layer",
		.col_name = "product", .blank = true, .each_line = f->n_layers < 12, .topic = what, .ud = f };
	d->field.row = arena_zalloc(l->arena, (size_t)(f->n_layers + 1) * sizeof *d->field.row);
	d->facts = short_part(l, f->column[c]);
	return true;
}

static bool field_error(const Look *l, Data *d)
{
	return field_map(l, d, "relative error");
}

static bool field_alone(const Look *l, Data *d)
{
	const Fp8 *f = fp8_of(l, d);
	if (f && f->n > 0 && !f->by_kl)
		d->empty = "a run for each product costs too much here: C does it";
	return !f || d->empty || field_map(l, d, "KL alone");
}

/* --- the worst --- */

static bool table_worst(const Look *l, Data *d)
{
	const Fp8 *f = fp8_of(l, d);
	Table *t = &d->table;
	if (!f)
		return true;
	int n = 0;
	while (f->worst && n < f->n && n < WORST && f->worst[n] >= 0)
		n++;
	if (n == 0) {
		d->empty = arena_printf(l->arena, "%s quantises no product", f->recipe);
		return true;
	}
	*t = (Table){ .rows = n, .cols = 4, .axis = AXIS_PRODUCT, .sel = -1, .head = { "product", "KL alone", "why", "rel L2" }, .left = { true, false, true },
		.cell = arena_zalloc(l->arena, (size_t)n * 4 * sizeof *t->cell), .readout = arena_zalloc(l->arena, (size_t)n * sizeof *t->readout),
		.path = arena_zalloc(l->arena, (size_t)n * sizeof *t->path) };
	if (!t->cell || !t->readout || !t->path)
		return true;
	d->kind = DATA_TABLE;
	for (int k = 0; k < n; k++) {
		int i = f->worst[k];
		bool bad, here = i == selected(l, f);
		TableCell *c = &t->cell[k * 4];
		t->sel = here ? k : t->sel;
		t->path[k] = arena_printf(l->arena, "%d %d", f->product[i].layer, f->product[i].column);
		const char *why = reason(l, f, i, &bad);
		c[0] = (TableCell){ name_of(l, f, i), here ? CELL_STRONG : CELL_TEXT };
		c[1] = (TableCell){ error_text(l, kl_alone(f, i)), k == 0 ? CELL_WARN : CELL_TEXT };
		c[3] = (TableCell){ error_text(l, stat_of(f, i, 0, REL_L2)), CELL_TEXT };
		c[2] = (TableCell){ why, bad ? CELL_ACCENT : CELL_DIM };
		t->readout[k] = arena_printf(l->arena, "%s: KL %s with it alone in %s · relative error %s · %s", f->product[i].name,
			text_six(l->arena, kl_alone(f, i)), f->recipe, text_six(l->arena, stat_of(f, i, 0, REL_L2)), why);
	}
	d->facts = f->by_kl ? arena_printf(l->arena, "outliers, then by KL with it alone in %s", f->recipe) : "outliers, then by error";
	d->summary = arena_printf(l->arena, "worst %s %s", t->cell[0].s, t->cell[1].s);
	return true;
}

/* --- the formats --- */

static bool table_formats(const Look *l, Data *d)
{
	enum { C = 7 };
	const Fp8 *f = fp8_of(l, d);
	Table *t = &d->table;
	if (!f)
		return true;
	*t = (Table){ .rows = f->n_formats, .cols = C, .axis = AXIS_LOCAL, .sel = -1,
		.head = { "precision", "KL f32", "KL bf16", "top-1", "ppl", "flipped", "logits" }, .left = { true },
		.cell = arena_zalloc(l->arena, (size_t)(f->n_formats + 1) * C * sizeof *t->cell),
		.readout = arena_zalloc(l->arena, (size_t)(f->n_formats + 1) * sizeof *t->readout) };
	if (!t->cell || !t->readout)
		return true;
	d->kind = DATA_TABLE;
	for (int i = 0; i < f->n_formats; i++) {
		const FormatLine *k = &f->line[i];
		TableCell *c = &t->cell[i * C];
		c[0] = (TableCell){ k->name, strcmp(k->name, f->recipe) == 0 ? CELL_STRONG : CELL_TEXT };
		c[1] = (TableCell){ error_text(l, k->kl), CELL_TEXT };
		c[2] = (TableCell){ error_text(l, k->kl_bf16), CELL_TEXT };
		c[3] = (TableCell){ isnan(k->top1) ? "·" : arena_printf(l->arena, "%.0f%%", 100 * k->top1), k->top1 < 0.99999 ? CELL_ACCENT : CELL_TEXT };
		c[4] = (TableCell){ isnan(k->ppl) ? "·" : arena_printf(l->arena, "%.4g", k->ppl), CELL_TEXT };
		c[5] = (TableCell){ k->routes > 0 ? arena_printf(l->arena, "%lld/%lld", (long long)k->flipped, (long long)k->routes) : "·",
			k->flipped ? CELL_ACCENT : CELL_TEXT };
		c[6] = (TableCell){ error_text(l, k->rel), CELL_DIM };
		t->readout[i] = arena_printf(l->arena, "%s: KL(f32 || it) %s, KL(bf16 || it) %s nat a token · relative distance of the logits %s", k->name,
			text_six(l->arena, k->kl), text_six(l->arena, k->kl_bf16), text_six(l->arena, k->rel));
	}
	d->facts = f->tokens < f->of ? arena_printf(l->arena, "first %lld of %lld tokens", (long long)f->tokens, (long long)f->of)
		: arena_printf(l->arena, "%lld tokens", (long long)f->tokens);
	d->summary = f->n_formats ? arena_printf(l->arena, "%s · KL %s", f->recipe, error_text(l, f->line[f->n_formats - 1].kl)) : NULL;
	return true;
}

/* --- operands of the selected product --- */

static void operands_row(const Look *l, const Fp8 *f, int i, int which, TableCell *c)
{
	static const char *const label[] = { "result", "input", "weight" };
	double db = stat_of(f, i, which, SQNR);
	c[0] = (TableCell){ label[which], CELL_DIM };
	c[1] = (TableCell){ error_text(l, stat_of(f, i, which, REL_L2)), which ? CELL_TEXT : CELL_STRONG };
	c[2] = (TableCell){ isfinite(db) ? arena_printf(l->arena, "%.1f", db) : "·", CELL_TEXT };
	for (int k = UNDERFLOW; which && k <= CLAMPED; k++) {
		double v = stat_of(f, i, which, k);
		c[k] = (TableCell){ share(l, v), v > 0.01 && k != SUBNORMAL ? CELL_WARN : v > 0 ? CELL_TEXT : CELL_DIM };
	}
}

static bool table_operands(const Look *l, Data *d)
{
	enum { C = 7 };
	const Fp8 *f = fp8_of(l, d);
	Table *t = &d->table;
	if (!f)
		return true;
	int i = selected(l, f);
	if (i < 0 || !f->stats) {
		int layer, column;
		selection(l, f, &layer, &column);
		d->empty = f->n_columns ? arena_printf(l->arena, "layer %d has no %s", layer, short_part(l, f->column[column]))
			: arena_printf(l->arena, "%s quantises no product", f->recipe);
		return true;
	}
	*t = (Table){ .rows = 3, .cols = C, .sel = -1, .head = { "", "rel L2", "dB", "to zero", "subnorm", "above", "clamped" }, .left = { true },
		.cell = arena_zalloc(l->arena, 3 * C * sizeof *t->cell), .line = arena_zalloc(l->arena, sizeof *t->line) };
	if (!t->cell || !t->line)
		return true;
	d->kind = DATA_TABLE;
	for (int w = 0; w < 3; w++)
		operands_row(l, f, i, w, &t->cell[w * C]);
	bool bad;
	const char *why = reason(l, f, i, &bad);
	/* In a low pane the weight's own row matters more. */
	if (l->rows_hint == 0 || l->rows_hint > 4)
		t->line[t->n_lines++] = f->weights ? arena_printf(l->arena, "largest weight %.3g %s, %s x rms", weight_of(f, i, W_MOST),
		outlier_place(l, f, i), text_count(l->arena, outlier_of(f, i))) : why;
	d->title = name_of(l, f, i);
	d->facts = f->recipe;
	d->readout = arena_printf(l->arena, "%s: relative error %s · %s", f->product[i].name, text_six(l->arena, stat_of(f, i, 0, REL_L2)), why);
	d->summary = arena_printf(l->arena, "%s: rel L2 %s", d->title, t->cell[1].s);
	return true;
}

/* --- the weight on the grid --- */

static const char *bin_label(const Look *l, const Fp8 *f, int from, int to)
{
	long long low = from - 1 - f->bias, high = to - 1 - f->bias;
	return from == 0 ? "zero" : from == 1 ? "subnormal" : from == to ? arena_printf(l->arena, "2^%lld", low)
		: arena_printf(l->arena, "2^%lld to %lld", low, high);
}

/* One bar of codes from bin `from` to bin `to`. */
static Item bin_item(const Look *l, const Fp8 *f, int i, int from, int to)
{
	double all = weight_of(f, i, W_NUMBERS), n = 0;
	for (int b = from; b <= to; b++)
		n += weight_of(f, i, ABOUT + b);
	Item it = { .x = n / all, .label = bin_label(l, f, from, to), .value = share(l, n / all), .color = from == 0 ? 3 : from == 1 ? 1 : -1 };
	it.readout = arena_printf(l->arena, "%s: %.0f of %.0f numbers, %s, have codes of exponent %s", f->product[i].name, n, all, it.value, it.label);
	return it;
}

/* The largest first: the top of the grid is where the largest number of a block must be. Exponents are put together when there is no room
 * for all of them; zero and subnormal, where numbers are lost, never. */
static bool items_grid(const Look *l, Data *d)
{
	const Fp8 *f = fp8_of(l, d);
	if (!f)
		return true;
	int i = selected(l, f), n = f->weights ? (int)f->weights->shape[1] - ABOUT : 0, room = l->rows_hint > 3 ? l->rows_hint - 2 : 1;
	if (i < 0 || n < 3 || n > 256 || !(weight_of(f, i, W_NUMBERS) > 0)) {
		d->empty = f->n_columns == 0 ? arena_printf(l->arena, "%s quantises no product", f->recipe)
			: i < 0 ? "no such product in this layer" : "its weight was not read";
		return true;
	}
	int each = (n - 2 + room - 1) / room;
	d->kind = DATA_ITEMS;
	d->items = (Items){ .axis = AXIS_LOCAL, .sel = -1, .item = arena_zalloc(l->arena, (size_t)n * sizeof(Item)) };
	if (!d->items.item)
		return true;
	for (int to = n - 1; to >= 2; to -= each)
		d->items.item[d->items.n++] = bin_item(l, f, i, to - each + 1 < 2 ? 2 : to - each + 1, to);
	d->items.item[d->items.n++] = bin_item(l, f, i, 1, 1);
	d->items.item[d->items.n++] = bin_item(l, f, i, 0, 0);
	d->facts = f->format;
	return true;
}

/* --- its scales --- */

static double scale_at(const Fp8 *f, int i, int k)
{
	return sample_num(f->scales, (size_t)i * f->scales->shape[1] + (size_t)k);
}

static void scales_fill(const Field *k, int r, double *v, uint8_t *has)
{
	const Fp8 *f = k->ud;
	for (int c = 0; c < k->cols; c++) {
		v[c] = scale_at(f, (int)k->layer, 2 + r * k->cols + c);
		has[c] = 1;
	}
}

static const char *scales_label(const Field *k, int r)
{
	return arena_printf(k->look->arena, "%d", r);
}

static const char *scales_name(const Field *k, int r, int c)
{
	const Fp8 *f = k->ud;
	return arena_printf(k->look->arena, "scale of %s, tile [%d,%d]", f->product[k->layer].name, r, c);
}

static bool field_scales(const Look *l, Data *d)
{
	const Fp8 *f = fp8_of(l, d);
	int i = f ? selected(l, f) : -1;
	double rows = f && f->scales && i >= 0 ? scale_at(f, i, 0) : 0, cols = rows > 0 ? scale_at(f, i, 1) : 0;
	if (!f)
		return true;
	if (!(rows >= 1 && cols >= 1 && rows <= 256 && cols <= 256 && rows * cols > 1 && 2 + rows * cols <= f->scales->shape[1])) {
		d->empty = "one scale for all of it";
		return true;
	}
	d->kind = DATA_FIELD;
	d->field = (Field){ .rows = (int)rows, .cols = (int)cols, .fill = scales_fill, .row_label = scales_label, .name = scales_name, .label_w = 3,
		.row_axis = AXIS_LOCAL, .col_axis = AXIS_LOCAL, .look = l, .row_name = "tile", .col_name = "tile", .layer = i, .each_line = rows < 12,
		.ud = f };
	d->field.row = arena_zalloc(l->arena, (size_t)rows * sizeof *d->field.row);
	d->facts = name_of(l, f, i);
	return true;
}

bool source_fp8(const Look *l, const char *name, Data *d)
{
	static const struct { const char *name; bool (*make)(const Look *, Data *); } table[] = {
		{ "damage", field_alone }, { "errors", field_error }, { "damaged", table_worst }, { "formats", table_formats }, { "grid", items_grid }, { "scales", field_scales },
	};
	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		if (strcmp(table[i].name, name) == 0)
			return table[i].make(l, d);
	return table_operands(l, d);
}
