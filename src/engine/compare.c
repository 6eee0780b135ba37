/* compare.c - runs A keeping what the probes saw, runs B, and sets one against the other. */
#include "engine/compare.h"
#include "engine/engine.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct Seen { char *name; int64_t rows, width; float *x; int32_t *k; } Seen;
typedef struct Trail { Seen *seen; int n, cap; bool failed; } Trail;

static void trail_see(const LatheProbe *p, void *ud)
{
	Trail *t = ud;
	if (t->n == t->cap) {
		int cap = t->cap ? t->cap * 2 : 64;
		Seen *to = realloc(t->seen, sizeof *to * (size_t)cap);
		if (!to) {
			t->failed = true;
			return;
		}
		t->seen = to;
		t->cap = cap;
	}
	Seen *s = &t->seen[t->n];
	*s = (Seen){ .name = strdup(p->name), .rows = p->shape[0], .width = p->rank > 1 ? p->shape[1] : 1 };
	size_t bytes = (size_t)(s->rows * s->width) * 4;
	void *to = malloc(bytes ? bytes : 1);
	if (!s->name || !to) {
		free(s->name);
		free(to);
		t->failed = true;
		return;
	}
	memcpy(to, p->ints ? (const void *)p->ints : (const void *)p->data, bytes);
	if (p->ints)
		s->k = to;
	else
		s->x = to;
	t->n++;
}

static void trail_done(Trail *t)
{
	for (int i = 0; i < t->n; i++) {
		free(t->seen[i].name);
		free(t->seen[i].x);
		free(t->seen[i].k);
	}
	free(t->seen);
}

static const char *const watched[] = { "embed", "layers.*.attn.out", "layers.*.moe.topk", "layers.*.mlp.out",
	"layers.*.resid_post", "final", "logits", NULL };

static bool trail_run(const CompareSide *side, Trail *t, Err *e)
{
	int hook[8];
	LatheModel *m = side->m;
	LatheError le = { 0 };
	LatheSessionOptions o = { .mtp = LATHE_MTP_OFF, .attention = side->form, .chunk = (int)side->n, .alternatives = 1 };
	const Recipe *r = side->precision ? recipe_find(side->precision, e) : m->recipe;
	if (side->precision && !r)
		return false;
	tape_set_recipe(m->tape, r);
	for (int i = 0; watched[i]; i++)
		hook[i] = lathe_watch(m, watched[i], trail_see, t);
	LatheSession *s = lathe_session_new(m, &o, &le);
	bool ok = s && lathe_session_feed(s, side->ids, side->n, &le);
	for (int i = 0; watched[i]; i++)
		lathe_unwatch(m, hook[i]);
	lathe_session_free(s);
	tape_set_recipe(m->tape, m->recipe);
	if (!ok)
		return err_set(e, le.code, "%s", le.text);
	return !t->failed || err_set(e, E_5001, "out of memory for the values of %zu tokens", side->n);
}

static const Seen *trail_find(const Trail *t, const char *name)
{
	for (int i = 0; i < t->n; i++)
		if (strcmp(t->seen[i].name, name) == 0)
			return &t->seen[i];
	return NULL;
}

/* Members of a that are not in b. */
static int64_t set_missing(const int32_t *a, const int32_t *b, int64_t n, int64_t n_b)
{
	int64_t missing = 0;
	for (int64_t i = 0; i < n; i++) {
		bool there = false;
		for (int64_t k = 0; k < n_b; k++)
			there |= a[i] == b[k];
		missing += !there;
	}
	return missing;
}

static void compare_routes(const Seen *a, const Seen *b, int n_all, CompareReport *r)
{
	CompareRoutes *to = &r->route[r->n_routes];
	int64_t rows = a->rows < b->rows ? a->rows : b->rows;
	*to = (CompareRoutes){ .name = strdup(a->name), .routes = rows };
	for (int64_t i = 0; i < rows && i < r->tokens; i++) {
		int64_t gone = set_missing(a->k + i * a->width, b->k + i * b->width, a->width, b->width);
		to->flipped += gone > 0 || a->width != b->width;
		r->flip[i * n_all + r->n_routes] = a->width > 0 ? (float)gone / (float)a->width : 0;
	}
	r->routes += to->routes;
	r->routes_flipped += to->flipped;
	r->n_routes++;
}

static void compare_values(const Seen *a, const Seen *b, int n_all, CompareReport *r)
{
	CompareLayer *l = &r->layer[r->n++];
	int64_t rows = a->rows < b->rows ? a->rows : b->rows, W = a->width;
	*l = (CompareLayer){ .name = strdup(a->name), .same_shape = a->width == b->width, .max_abs = NAN, .rel_l2 = NAN };
	double worst = 0, num = 0, den = 0;
	int64_t at = -1;
	for (int64_t i = 0; l->same_shape && i < rows; i++) {
		double n_row = 0, d_row = 0;
		for (int64_t k = i * W; k < (i + 1) * W; k++) {
			double d = fabs((double)a->x[k] - (double)b->x[k]);
			worst = d > worst || isnan(d) ? d : worst;
			n_row += d * d;
			d_row += (double)a->x[k] * (double)a->x[k];
		}
		num += n_row;
		den += d_row;
		at = at < 0 && !(n_row == 0) ? i : at;
		if (i < r->tokens)
			r->rel[i * n_all + r->n - 1] = (float)(d_row > 0 ? sqrt(n_row / d_row) : sqrt(n_row));
	}
	if (l->same_shape) {
		l->max_abs = worst;
		l->rel_l2 = den > 0 ? sqrt(num / den) : sqrt(num);
	}
	if (!r->first && !(l->max_abs == 0)) {
		r->first = l->name;
		r->first_at = at;
	}
}

static double row_lse(const float *x, int64_t n)
{
	double most = -INFINITY, sum = 0;
	for (int64_t i = 0; i < n; i++)
		most = fmax(most, (double)x[i]);
	for (int64_t i = 0; i < n; i++)
		sum += exp((double)x[i] - most);
	return most + log(sum);
}

static int64_t row_best(const float *x, int64_t n)
{
	int64_t best = 0;
	for (int64_t i = 1; i < n; i++)
		if (x[i] > x[best])
			best = i;
	return best;
}

static void compare_logits(const Seen *a, const Seen *b, CompareReport *r)
{
	int64_t V = a->width, rows = a->rows < b->rows ? a->rows : b->rows;
	if (a->width != b->width || rows < 1) {
		r->kl = r->top1_agree = NAN;
		return;
	}
	for (int64_t i = 0; i < rows; i++) {
		const float *p = a->x + i * V, *q = b->x + i * V;
		double zp = row_lse(p, V), zq = row_lse(q, V), kl = 0;
		for (int64_t j = 0; j < V; j++)
			kl += exp((double)p[j] - zp) * (((double)p[j] - zp) - ((double)q[j] - zq));
		int64_t best_a = row_best(p, V), best_b = row_best(q, V);
		r->kl += fmax(kl, 0) / (double)rows;
		r->top1_agree += (double)(best_a == best_b) / (double)rows;
		if (i >= r->tokens)
			continue;
		r->kl_at[i] = (float)fmax(kl, 0);
		r->best[2 * i] = (int32_t)best_a;
		r->best[2 * i + 1] = (int32_t)best_b;
	}
}

/* Room for the values and choices that both have, and their tables of positions. */
static bool report_room(const Trail *a, const Trail *b, size_t tokens, int *n_values, int *n_routes, CompareReport *r)
{
	size_t n = 0, m = 0;
	for (int i = 0; i < a->n; i++) {
		const Seen *q = trail_find(b, a->seen[i].name);
		n += q && q->x && a->seen[i].x;
		m += q && q->k && a->seen[i].k;
	}
	*n_values = (int)n;
	*n_routes = (int)m;
	r->tokens = (int64_t)tokens;
	r->layer = calloc(n + 1, sizeof *r->layer);
	r->route = calloc(m + 1, sizeof *r->route);
	r->rel = calloc(tokens * (n + 1), sizeof *r->rel);
	r->flip = calloc(tokens * (m + 1), sizeof *r->flip);
	r->kl_at = calloc(tokens + 1, sizeof *r->kl_at);
	r->best = calloc(tokens + 1, 2 * sizeof *r->best);
	return r->layer && r->route && r->rel && r->flip && r->kl_at && r->best;
}

static bool compare_trails(const Trail *a, const Trail *b, size_t tokens, CompareReport *r, Err *e)
{
	int n_values, n_routes;
	if (!report_room(a, b, tokens, &n_values, &n_routes, r))
		return err_set(e, E_5001, "out of memory");
	for (int i = 0; i < a->n; i++) {
		const Seen *p = &a->seen[i], *q = trail_find(b, p->name);
		if (!q)
			continue;
		if (p->k && q->k)
			compare_routes(p, q, n_routes, r);
		else if (p->x && q->x)
			compare_values(p, q, n_values, r);
		if (strcmp(p->name, "logits") == 0)
			compare_logits(p, q, r);
	}
	return true;
}

bool compare_sides(const CompareSide *a, const CompareSide *b, CompareReport *out, Err *e)
{
	Trail ta = { 0 }, tb = { 0 };
	*out = (CompareReport){ .first_at = -1 };
	bool ok = trail_run(a, &ta, e) && trail_run(b, &tb, e) && compare_trails(&ta, &tb, a->n < b->n ? a->n : b->n, out, e);
	trail_done(&ta);
	trail_done(&tb);
	return ok;
}

bool compare_run(LatheModel *a, LatheModel *b, const int32_t *ids, size_t n, LatheAttention at_a,
	LatheAttention at_b, CompareReport *out, Err *e)
{
	return compare_sides(&(CompareSide){ a, ids, n, at_a, NULL }, &(CompareSide){ b, ids, n, at_b, NULL }, out, e);
}

void compare_done(CompareReport *r)
{
	for (int i = 0; i < r->n; i++)
		free(r->layer[i].name);
	for (int i = 0; i < r->n_routes; i++)
		free(r->route[i].name);
	free(r->layer);
	free(r->route);
	free(r->rel);
	free(r->flip);
	free(r->kl_at);
	free(r->best);
	*r = (CompareReport){ 0 };
}
