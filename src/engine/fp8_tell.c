/* fp8_tell.c - what a precision recipe does to the text of an engine, as samples: precision.c's report; of each product's weight where its
 * values lie on the grid of the format and how far its largest one stands out, which is what makes a block lose its small ones; and how far
 * the predictions go when this product alone is quantised: an outlier that the others are lost beside makes the relative error of a product
 * small, not large. */
#include "base/glob.h"
#include "engine/engine.h"
#include "engine/precision.h"
#include "engine/trace.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	FP8_TOKENS = 256,
	FP8_READ = 1 << 24,        /* numbers of one product's weights that are read */
	FP8_RUNS = 12,             /* forwards: each of three formats twice against two others */
	STATS = 7, ABOUT = 6, BINS_MAX = 34,
	MAP = 16                   /* a map of scales has at most so many rows and columns */
};
/* Multiplications that one product at a time may cost when it was asked for, and when not. */
static const double asked_most = 3e11, unasked_most = 1e10;
static const char fp8_usual[] = "fp8-v3";

static size_t fp8_text(const Jobs *j, const int32_t **ids)
{
	size_t n = j->run.session ? lathe_session_text(j->run.session, ids) : 0;
	return n > FP8_TOKENS ? FP8_TOKENS : n;
}

static double forward_work(const Jobs *j)
{
	const int32_t *ids;
	return (double)fp8_text(j, &ids) * (double)config_params(&j->model->lm->c).active;
}

double fp8_work(const Jobs *j)
{
	return FP8_RUNS * forward_work(j);
}

bool fp8_choose(Jobs *j, const char *recipe, int64_t by, Err *e)
{
	const char *now = j->fp8 ? j->fp8 : fp8_usual;
	int n = 0, at = 0;
	if (recipe && !recipe_find(recipe, e))
		return false;
	if (recipe || by == 0) {
		j->fp8 = recipe ? recipe_by_name(recipe)->name : now;
		return true;
	}
	for (; recipe_at(n); n++)
		at = strcmp(recipe_at(n)->name, now) == 0 ? n : at;
	/* The first two are what the others are compared with. */
	at = 2 + (int)(((at - 2 + by) % (n - 2) + (n - 2)) % (n - 2));
	j->fp8 = recipe_at(at)->name;
	return true;
}

/* --- weights --- */

/* Of all tensors of one product: numbers, the largest and where it stands, the root mean square of the middle row there. */
typedef struct WeightSum { double n, typical, most, row, col, expert, bin[BINS_MAX]; int rows, cols; float map[MAP * MAP]; } WeightSum;

/* "model.layers.3.mlp.experts.5.up_proj.weight" goes into "layers.3.moe.experts.up_proj", expert 5. */
static bool product_name(const char *tensor, char *out, size_t size, int *expert)
{
	static const struct { const char *tensor, *product; } part[] = { { "self_attn.", "attn." }, { "mlp.shared_experts.", "moe.shared_experts." },
		{ "mlp.", "" } };
	int layer, n = 0;
	size_t len = strlen(tensor);
	*expert = -1;
	if (sscanf(tensor, "model.layers.%d.%n", &layer, &n) != 1 || !n || len < 8 || strcmp(tensor + len - 7, ".weight") != 0)
		return false;
	const char *s = tensor + n, *to = NULL;
	int skip = 0;
	if (sscanf(s, "mlp.experts.%d.%n", expert, &skip) == 1 && skip) {
		s += skip;
		to = "moe.experts.";
	}
	for (size_t i = 0; !to && i < sizeof part / sizeof *part; i++)
		if (strncmp(s, part[i].tensor, strlen(part[i].tensor)) == 0) {
			to = part[i].product;
			s += strlen(part[i].tensor);
		}
	if (!to)
		return false;
	snprintf(out, size, "layers.%d.%s%.*s", layer, to, (int)(strlen(s) - 7), s);
	return true;
}

/* Zero, below the smallest normal number, then by exponent. */
static int code_bin(const FpFormat *f, uint8_t code)
{
	int low = code & ((1 << f->mant) - 1), field = (code & ((1 << (f->bits - 1)) - 1)) >> f->mant;
	return field ? 1 + field : low ? 1 : 0;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

/* Codes, and the largest number; each row's root mean square into rms. True: the largest of the product so far is here. */
static bool rows_add(WeightSum *w, FpId format, const real *v, const uint8_t *code, int64_t R, int64_t C, double *rms)
{
	bool here = false;
	for (int64_t r = 0; r < R; r++) {
		rms[r] = 0;
		for (int64_t c = 0; c < C; c++) {
			double a = fabs((double)v[r * C + c]);
			rms[r] += a * a / (double)C;
			w->bin[code_bin(fp_format(format), code[r * C + c])]++;
			if (a > w->most) {
				here = true;
				w->most = a;
				w->row = (double)r;
				w->col = (double)c;
			}
		}
	}
	return here;
}

/* The largest scale in each cell. */
static void map_fill(WeightSum *w, const FpGroups *g, const float *scale)
{
	int64_t down = (g->n_rows + MAP - 1) / MAP, across = (g->n_cols + MAP - 1) / MAP;
	w->rows = (int)((g->n_rows + down - 1) / down);
	w->cols = (int)((g->n_cols + across - 1) / across);
	memset(w->map, 0, sizeof w->map);
	for (int64_t r = 0; r < g->n_rows; r++)
		for (int64_t c = 0; c < g->n_cols; c++) {
			float *to = &w->map[r / down * w->cols + c / across];
			*to = fmaxf(*to, scale[r * g->n_cols + c]);
		}
}

static void weight_add(WeightSum *w, const FpQuant *q, Pool *pool, const Ten *x, int expert)
{
	int64_t R = ten_rows(x), C = ten_cols(x), all;
	if (R < 1 || C < 1 || C > FP8_READ || w->n >= FP8_READ)
		return;
	R = R > FP8_READ / C ? FP8_READ / C : R;
	all = R * C;
	real *v = malloc(sizeof *v * (size_t)all);
	uint8_t *code = malloc((size_t)all);
	double *rms = malloc(sizeof *rms * (size_t)R);
	FpGroups g = fp_groups(q, R, C);
	float *scale = malloc(sizeof *scale * (size_t)(g.n_rows * g.n_cols));
	if (v && code && rms && scale) {
		ten_read(x, 0, R, v);
		fp_quantise(pool, q, R, C, v, C, &(FpOut){ .code = code, .ld_code = C, .scale = scale });
		if (rows_add(w, q->format, v, code, R, C, rms)) {
			qsort(rms, (size_t)R, sizeof *rms, by_size);
			w->typical = sqrt(rms[R / 2]);
			w->expert = expert;
			map_fill(w, &g, scale);
		}
		w->n += (double)all;
	}
	free(v);
	free(code);
	free(rms);
	free(scale);
}

/* How the recipe quantises the weight of this product in the forward; NULL: it does not. */
static const FpQuant *weight_quant(const Recipe *r, const char *product)
{
	for (int i = 0; i < r->n; i++)
		if (glob_match(r->rule[i].pattern, product))
			return r->rule[i].fprop.format == FMT_QUANT ? &r->rule[i].fprop.b : NULL;
	return NULL;
}

static int format_bins(FpId f)
{
	return 1 + (1 << (fp_format(f)->bits - 1 - fp_format(f)->mant));
}

static int product_find(const PrecisionFormat *f, const char *name)
{
	for (int i = 0; i < f->n_products; i++)
		if (strcmp(f->product[i].name, name) == 0)
			return i;
	return -1;
}

static void weights_sum(Jobs *j, const Recipe *r, const PrecisionFormat *f, WeightSum *w)
{
	Ckpt *c = j->model->lm->ckpt;
	for (size_t i = 0; i < ckpt_count(c); i++) {
		const char *tensor = ckpt_at(c, i, NULL)->name;
		char name[256];
		Err none = { 0 };
		Ten x;
		int expert, at = product_name(tensor, name, sizeof name, &expert) ? product_find(f, name) : -1;
		const FpQuant *q = at >= 0 ? weight_quant(r, name) : NULL;
		if (q && ckpt_ten(c, tensor, &x, &none))
			weight_add(&w[at], q, j->model->pool, &x, expert);
	}
}

/* --- samples --- */

static void tell_numbers(Jobs *j, const char *topic, const double *v, int rows, int cols)
{
	Sample s = { .topic = topic, .kind = SAMPLE_TENSOR, .dtype = DT_F64, .rank = 2, .shape = { (uint32_t)rows, (uint32_t)cols }, .data = v,
		.bytes = sizeof *v * (size_t)rows * (size_t)cols };
	if (rows > 0)
		publish_sample(&j->publish, &s);
}

static void stats_put(double *to, const FpStats *s)
{
	const double v[STATS] = { s->rel_l2, s->max_abs, s->sqnr_db, s->underflow, s->subnormal, s->above, s->clamped };
	memcpy(to, v, sizeof v);
}

static bool tell_products(Jobs *j, const PrecisionFormat *f, Err *e)
{
	double *v = calloc((size_t)f->n_products + 1, sizeof *v * 3 * STATS);
	if (!v)
		return err_set(e, E_5001, "fp8: out of memory");
	for (int i = 0; i < f->n_products; i++) {
		stats_put(v + (i * 3 + 0) * STATS, &f->product[i].result);
		stats_put(v + (i * 3 + 1) * STATS, &f->product[i].input);
		stats_put(v + (i * 3 + 2) * STATS, &f->product[i].weight);
	}
	tell_numbers(j, "fp8.products", v, f->n_products, 3 * STATS);
	free(v);
	return true;
}

/* Of the tensor with the largest number: rows and columns of its map, then the scales; all rows of the sample as long as the largest. */
static bool tell_scales(Jobs *j, const WeightSum *w, int n, Err *e)
{
	int most = 0;
	for (int i = 0; i < n; i++)
		most = w[i].rows * w[i].cols > most ? w[i].rows * w[i].cols : most;
	double *v = calloc((size_t)n + 1, sizeof *v * (size_t)(2 + most));
	if (!v)
		return err_set(e, E_5001, "fp8: out of memory");
	for (int i = 0; i < n; i++) {
		double *to = v + i * (2 + most);
		to[0] = w[i].rows;
		to[1] = w[i].cols;
		for (int k = 0; k < w[i].rows * w[i].cols; k++)
			to[2 + k] = (double)w[i].map[k];
	}
	tell_numbers(j, "fp8.scales", v, n, 2 + most);
	free(v);
	return true;
}

static bool tell_weights(Jobs *j, const Recipe *r, const PrecisionFormat *f, const FpQuant *q, Err *e)
{
	int bins = format_bins(q->format), cols = ABOUT + bins;
	WeightSum *w = calloc((size_t)f->n_products + 1, sizeof *w);
	double *v = calloc((size_t)f->n_products + 1, sizeof *v * (size_t)cols);
	bool ok = (w && v) || err_set(e, E_5001, "fp8: out of memory");
	if (ok)
		weights_sum(j, r, f, w);
	for (int i = 0; ok && i < f->n_products; i++) {
		const double about[ABOUT] = { w[i].n, w[i].typical, w[i].most, w[i].row, w[i].col, w[i].expert };
		memcpy(v + i * cols, about, sizeof about);
		memcpy(v + i * cols + ABOUT, w[i].bin, sizeof *v * (size_t)bins);
	}
	if (ok)
		tell_numbers(j, "fp8.weights", v, f->n_products, cols);
	ok = ok && tell_scales(j, w, f->n_products, e);
	free(w);
	free(v);
	return ok;
}

/* --- one product at a time --- */

typedef struct Alone { float *native; int64_t rows, width; double kl; bool first, failed; } Alone;

static double row_lse(const float *x, int64_t n)
{
	double most = -INFINITY, sum = 0;
	for (int64_t i = 0; i < n; i++)
		most = fmax(most, (double)x[i]);
	for (int64_t i = 0; i < n; i++)
		sum += exp((double)x[i] - most);
	return most + log(sum);
}

/* The first forward is kept, the others are set against it. */
static void alone_see(const LatheProbe *p, void *ud)
{
	Alone *k = ud;
	if (!p->data || p->rank != 2)
		return;
	int64_t R = p->shape[0], V = p->shape[1];
	if (k->first) {
		k->native = malloc(sizeof *k->native * (size_t)(R * V));
		k->failed = !k->native;
		k->rows = R;
		k->width = V;
		if (k->native)
			memcpy(k->native, p->data, sizeof *k->native * (size_t)(R * V));
		return;
	}
	k->kl = R == k->rows && V == k->width ? 0 : NAN;
	for (int64_t i = 0; i < R && !isnan(k->kl); i++) {
		const float *a = k->native + i * V, *b = p->data + i * V;
		double za = row_lse(a, V), zb = row_lse(b, V), kl = 0;
		for (int64_t c = 0; c < V; c++)
			kl += exp((double)a[c] - za) * (((double)a[c] - za) - ((double)b[c] - zb));
		k->kl += fmax(kl, 0) / (double)R;
	}
}

static bool alone_forward(LatheModel *m, const Recipe *r, const int32_t *ids, size_t n, Alone *k, Err *e)
{
	LatheError le = { 0 };
	LatheSessionOptions o = { .mtp = LATHE_MTP_OFF, .attention = LATHE_ATTENTION_NAIVE, .chunk = (int)n, .alternatives = 1 };
	tape_set_recipe(m->tape, r);
	int hook = lathe_watch(m, "logits", alone_see, k);
	LatheSession *s = lathe_session_new(m, &o, &le);
	bool ok = s && lathe_session_feed(s, ids, n, &le);
	lathe_unwatch(m, hook);
	lathe_session_free(s);
	tape_set_recipe(m->tape, m->recipe);
	if (!ok)
		return jobs_error(e, &le);
	return !k->failed || err_set(e, E_5001, "fp8: out of memory for the logits of %zu tokens", n);
}

/* The recipe that quantises this product as r does, and no other. */
static bool recipe_alone(const Recipe *r, const char *product, Recipe *one)
{
	for (int i = 0; i < r->n; i++)
		if (glob_match(r->rule[i].pattern, product)) {
			*one = (Recipe){ .name = r->name, .about = r->about, .n = 1 };
			one->rule[0] = r->rule[i];
			snprintf(one->rule[0].pattern, sizeof one->rule[0].pattern, "%s", product);
			return true;
		}
	return false;
}

static bool tell_alone(Jobs *j, const Recipe *r, const PrecisionFormat *f, const int32_t *ids, size_t n, bool asked, Err *e)
{
	Alone k = { .first = true };
	Recipe one;
	double *v = malloc(sizeof *v * (size_t)(f->n_products + 1));
	bool affordable = (f->n_products + 1) * forward_work(j) < (asked ? asked_most : unasked_most);
	bool ok = v || err_set(e, E_5001, "fp8: out of memory");
	ok = ok && (!affordable || alone_forward(j->model, recipe_by_name("native"), ids, n, &k, e));
	k.first = false;
	for (int i = 0; ok && i < f->n_products; i++) {
		k.kl = NAN;
		if (affordable && k.native && recipe_alone(r, f->product[i].name, &one))
			ok = alone_forward(j->model, &one, ids, n, &k, e);
		v[i] = k.kl;
	}
	if (ok)
		tell_numbers(j, "fp8.alone", v, f->n_products, 1);
	free(k.native);
	free(v);
	return ok;
}

/* --- in words --- */

static void put_formats(Jout *o, const PrecisionReport *r)
{
	jout_key(o, "formats");
	jout_arr(o);
	for (int i = 0; i < r->n; i++) {
		const PrecisionFormat *f = &r->format[i];
		jout_obj(o);
		jout_kstr(o, "name", f->name);
		jout_knum(o, "kl", f->kl);
		jout_knum(o, "kl_bf16", f->kl_bf16);
		jout_knum(o, "top1_agree", f->top1_agree);
		jout_knum(o, "ppl", f->ppl);
		jout_kint(o, "routes", f->routes);
		jout_kint(o, "routes_flipped", f->routes_flipped);
		jout_knum(o, "rel_l2", f->n_layers ? f->layer[f->n_layers - 1].rel_l2 : 0);
		jout_end_obj(o);
	}
	jout_end_arr(o);
}

static void tell_about(Jobs *j, const Recipe *rec, const PrecisionReport *r, const PrecisionFormat *f, const FpQuant *q, size_t tokens, size_t of)
{
	Buf b = BUF_INIT;
	Jout o;
	jout_init(&o, &b);
	jout_obj(&o);
	jout_kstr(&o, "recipe", rec->name);
	jout_kstr(&o, "about", rec->about);
	jout_kint(&o, "tokens", (int64_t)tokens);
	jout_kint(&o, "of", (int64_t)of);
	jout_kstr(&o, "format", q ? fp_format(q->format)->name : "");
	jout_kint(&o, "bias", q ? fp_format(q->format)->bias : 0);
	put_formats(&o, r);
	jout_key(&o, "products");
	jout_arr(&o);
	for (int i = 0; i < f->n_products; i++)
		jout_str(&o, f->product[i].name);
	jout_end_arr(&o);
	jout_end_obj(&o);
	publish_text(&j->publish, "fp8.about", 0, &b);
	buf_done(&b);
}

bool fp8_run(Jobs *j, bool asked, Err *e)
{
	const int32_t *ids = NULL, *text;
	const Recipe *rec = recipe_by_name(j->fp8 ? j->fp8 : fp8_usual);
	/* The first two of the table are in every report. */
	const bool first = rec == recipe_at(0), second = rec == recipe_at(1);
	const char *names[2] = { first || second || !rec ? NULL : rec->name, NULL };
	PrecisionReport r = { 0 };
	size_t n = fp8_text(j, &ids);
	if (n == 0 || !rec)
		return true;
	hooks_model(j->hooks, NULL); /* the viewers' probes see the text, not this */
	bool ok = precision_run(j->model, ids, n, names, &r, e);
	const PrecisionFormat *f = ok ? &r.format[first ? 0 : r.n - 1] : NULL;
	const FpQuant *q = NULL;
	for (int i = 0; ok && !q && i < f->n_products; i++)
		q = weight_quant(rec, f->product[i].name);
	ok = ok && tell_products(j, f, e) && (!q || tell_weights(j, rec, f, q, e)) && tell_alone(j, rec, f, ids, n, asked, e);
	hooks_model(j->hooks, j->model);
	if (ok) {
		tell_about(j, rec, &r, f, q, n, lathe_session_text(j->run.session, &text)); /* last: who has it has all */
		publish_flush(&j->publish);
	}
	precision_done(&r);
	return ok;
}
