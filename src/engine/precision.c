/* precision.c - see precision.h. The products' own errors come from the values that the ops show while somebody watches. */
#include "engine/precision.h"
#include "engine/compare.h"
#include "engine/engine.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What is seen while both sides of a comparison run: the second is the one that counts. */
typedef struct Look {
	const int32_t *ids;
	size_t n;
	PrecisionFormat *f;
	int cap;
	double nll;                   /* of the latest logits */
	bool failed;
} Look;

static double nll_row(const float *x, int64_t n, int32_t id)
{
	double most = -INFINITY, sum = 0;
	for (int64_t i = 0; i < n; i++)
		most = fmax(most, (double)x[i]);
	for (int64_t i = 0; i < n; i++)
		sum += exp((double)x[i] - most);
	return most + log(sum) - (double)x[id];
}

static void logits_see(const LatheProbe *p, void *ud)
{
	Look *l = ud;
	l->nll = 0;
	for (int64_t i = 0; p->data && i + 1 < p->shape[0] && i + 1 < (int64_t)l->n; i++)
		l->nll += nll_row(p->data + i * p->shape[1], p->shape[1], l->ids[i + 1]);
}

static FpStats stats_row(const float *v)
{
	return (FpStats){ .rel_l2 = (double)v[0], .max_abs = (double)v[1], .sqnr_db = (double)v[2], .underflow = (double)v[3],
		.subnormal = (double)v[4], .above = (double)v[5], .clamped = (double)v[6] };
}

/* "fp8.err.layers.3.attn.q_a_proj.fprop" */
static void product_see(const LatheProbe *p, void *ud)
{
	static const char before[] = "fp8.err.", behind[] = ".fprop";
	Look *l = ud;
	PrecisionFormat *f = l->f;
	size_t n = strlen(p->name), cut = sizeof before - 1 + sizeof behind - 1;
	if (!p->data || p->rank != 2 || p->shape[0] != 3 || p->shape[1] != 7 || n <= cut || strcmp(p->name + n - 6, behind) != 0)
		return;
	if (f->n_products == l->cap) {
		int cap = l->cap ? 2 * l->cap : 64;
		PrecisionProduct *to = realloc(f->product, sizeof *to * (size_t)cap);
		if (!to) {
			l->failed = true;
			return;
		}
		f->product = to;
		l->cap = cap;
	}
	PrecisionProduct *to = &f->product[f->n_products++];
	*to = (PrecisionProduct){ .result = stats_row(p->data), .input = stats_row(p->data + 7), .weight = stats_row(p->data + 14) };
	snprintf(to->name, sizeof to->name, "%.*s", (int)(n - cut), p->name + sizeof before - 1);
}

/* Whether a product goes into a value: "layers.3.attn.q_a_proj" into layers.3.attn.out and resid_post, layers.3.gate_proj and
 * layers.3.moe.experts.up_proj into layers.3.mlp.out and resid_post. */
static bool goes_into(const char *product, const char *value)
{
	int a, b, len_a = 0, len_b = 0;
	if (sscanf(product, "layers.%d.%n", &a, &len_a) != 1 || sscanf(value, "layers.%d.%n", &b, &len_b) != 1 || a != b || !len_a || !len_b)
		return false;
	bool attn = strncmp(product + len_a, "attn.", 5) == 0;
	return strcmp(value + len_b, "resid_post") == 0 || strcmp(value + len_b, attn ? "attn.out" : "mlp.out") == 0;
}

static void layer_fill(PrecisionLayer *to, const CompareLayer *from, const PrecisionFormat *f)
{
	snprintf(to->name, sizeof to->name, "%s", from->name);
	to->rel_l2 = from->rel_l2;
	to->sqnr_db = -20 * log10(from->rel_l2);
	for (int i = 0; i < f->n_products; i++) {
		const PrecisionProduct *p = &f->product[i];
		if (!goes_into(p->name, to->name))
			continue;
		to->underflow = fmax(to->underflow, fmax(p->input.underflow, p->weight.underflow));
		to->overflow = fmax(to->overflow, fmax(p->input.clamped, p->weight.clamped));
	}
}

static bool format_fill(PrecisionFormat *f, const CompareReport *r, const Look *l, Err *e)
{
	f->kl = r->kl;
	f->top1_agree = r->top1_agree;
	f->routes = r->routes;
	f->routes_flipped = r->routes_flipped;
	f->ppl = l->n > 1 ? exp(l->nll / (double)(l->n - 1)) : NAN;
	f->layer = calloc((size_t)r->n + 1, sizeof *f->layer);
	if (!f->layer || l->failed)
		return err_set(e, E_5001, "out of memory for the errors of %s", f->name);
	for (int i = 0; i < r->n; i++)
		layer_fill(&f->layer[f->n_layers++], &r->layer[i], f);
	return true;
}

static bool sides_run(LatheModel *m, const Look *l, const char *a, const char *b, CompareReport *r, Err *e)
{
	return compare_sides(&(CompareSide){ m, l->ids, l->n, LATHE_ATTENTION_NAIVE, a }, &(CompareSide){ m, l->ids, l->n, LATHE_ATTENTION_NAIVE, b },
		r, e);
}

static bool format_run(LatheModel *m, Look *l, PrecisionFormat *f, const char *recipe, Err *e)
{
	CompareReport r = { 0 }, half = { 0 };
	l->f = f;
	l->cap = 0;
	int logits = lathe_watch(m, "logits", logits_see, l), products = lathe_watch(m, "fp8.err.**", product_see, l);
	bool ok = (logits && products) || err_set(e, E_5001, "out of memory for watching");
	ok = ok && sides_run(m, l, "native", recipe, &r, e) && format_fill(f, &r, l, e);
	lathe_unwatch(m, logits);
	lathe_unwatch(m, products);
	ok = ok && sides_run(m, l, "bf16", recipe, &half, e);
	f->kl_bf16 = half.kl;
	compare_done(&r);
	compare_done(&half);
	return ok;
}

/* f32 and bf16, then those named, or all others. NULL: no such recipe. */
static const Recipe *recipe_nth(const char *const *names, int i, bool *over, Err *e)
{
	*over = false;
	if (i < 2 || !names) {
		const Recipe *r = recipe_at(i);
		*over = r == NULL;
		return r;
	}
	*over = names[i - 2] == NULL;
	return *over ? NULL : recipe_find(names[i - 2], e);
}

bool precision_run(LatheModel *m, const int32_t *ids, size_t n, const char *const *names, PrecisionReport *out, Err *e)
{
	Look l = { .ids = ids, .n = n };
	bool over;
	*out = (PrecisionReport){ 0 };
	for (int i = 0;; i++) {
		const Recipe *r = recipe_nth(names, i, &over, e);
		if (over)
			return true;
		PrecisionFormat *to = r ? realloc(out->format, sizeof *to * (size_t)(out->n + 1)) : NULL;
		if (!to)
			return r ? err_set(e, E_5001, "out of memory for the report") : false;
		out->format = to;
		out->format[out->n++] = (PrecisionFormat){ .name = i == 0 ? "f32" : r->name, .about = r->about };
		if (!format_run(m, &l, &out->format[out->n - 1], r->name, e))
			return false;
	}
}

void precision_done(PrecisionReport *r)
{
	for (int i = 0; i < r->n; i++) {
		free(r->format[i].layer);
		free(r->format[i].product);
	}
	free(r->format);
	*r = (PrecisionReport){ 0 };
}
