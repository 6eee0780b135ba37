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

static bool trail_run(LatheModel *m, const int32_t *ids, size_t n, LatheAttention at, Trail *t, Err *e)
{
	int hook[8];
	LatheError le = { 0 };
	LatheSessionOptions o = { .mtp = LATHE_MTP_OFF, .attention = at, .chunk = (int)n, .alternatives = 1 };
	for (int i = 0; watched[i]; i++)
		hook[i] = lathe_watch(m, watched[i], trail_see, t);
	LatheSession *s = lathe_session_new(m, &o, &le);
	bool ok = s && lathe_session_feed(s, ids, n, &le);
	for (int i = 0; watched[i]; i++)
		lathe_unwatch(m, hook[i]);
	lathe_session_free(s);
	if (!ok)
		return err_set(e, le.code, "%s", le.text);
	return !t->failed || err_set(e, E_5001, "out of memory for the values of %zu tokens", n);
}

static const Seen *trail_find(const Trail *t, const char *name)
{
	for (int i = 0; i < t->n; i++)
		if (strcmp(t->seen[i].name, name) == 0)
			return &t->seen[i];
	return NULL;
}

static bool set_differs(const int32_t *a, const int32_t *b, int64_t n)
{
	return memcmp(a, b, sizeof *a * (size_t)n) != 0; /* both ascending */
}

static void compare_routes(const Seen *a, const Seen *b, CompareReport *r)
{
	for (int64_t i = 0; i < a->rows; i++) {
		r->routes++;
		r->routes_flipped += a->width != b->width ||
			set_differs(a->k + i * a->width, b->k + i * b->width, a->width);
	}
}

static void compare_values(const Seen *a, const Seen *b, CompareReport *r)
{
	CompareLayer *l = &r->layer[r->n++];
	*l = (CompareLayer){ .name = strdup(a->name),
		.same_shape = a->rows == b->rows && a->width == b->width,
		.max_abs = NAN,
		.rel_l2 = NAN };
	if (l->same_shape) {
		double worst = 0, num = 0, den = 0;
		for (int64_t i = 0; i < a->rows * a->width; i++) {
			double d = fabs((double)a->x[i] - (double)b->x[i]);
			worst = d > worst || isnan(d) ? d : worst;
			num += d * d;
			den += (double)a->x[i] * (double)a->x[i];
		}
		l->max_abs = worst;
		l->rel_l2 = den > 0 ? sqrt(num / den) : sqrt(num);
	}
	if (!r->first && !(l->max_abs == 0))
		r->first = l->name;
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
	if (a->rows != b->rows || a->width != b->width) {
		r->kl = r->top1_agree = NAN;
		return;
	}
	int64_t V = a->width;
	for (int64_t i = 0; i < a->rows; i++) {
		const float *p = a->x + i * V, *q = b->x + i * V;
		double zp = row_lse(p, V), zq = row_lse(q, V), kl = 0;
		for (int64_t j = 0; j < V; j++)
			kl += exp((double)p[j] - zp) * (((double)p[j] - zp) - ((double)q[j] - zq));
		r->kl += fmax(kl, 0) / (double)a->rows;
		r->top1_agree += (double)(row_best(p, V) == row_best(q, V)) / (double)a->rows;
	}
}

static bool compare_trails(const Trail *a, const Trail *b, CompareReport *r, Err *e)
{
	r->layer = calloc((size_t)a->n + 1, sizeof *r->layer);
	if (!r->layer)
		return err_set(e, E_5001, "out of memory");
	for (int i = 0; i < a->n; i++) {
		const Seen *p = &a->seen[i], *q = trail_find(b, p->name);
		if (!q)
			continue;
		if (p->k && q->k)
			compare_routes(p, q, r);
		else if (p->x && q->x)
			compare_values(p, q, r);
		if (strcmp(p->name, "logits") == 0)
			compare_logits(p, q, r);
	}
	return true;
}

bool compare_run(LatheModel *a, LatheModel *b, const int32_t *ids, size_t n, LatheAttention at_a,
	LatheAttention at_b, CompareReport *out, Err *e)
{
	Trail ta = { 0 }, tb = { 0 };
	*out = (CompareReport){ 0 };
	bool ok = trail_run(a, ids, n, at_a, &ta, e) && trail_run(b, ids, n, at_b, &tb, e) &&
		compare_trails(&ta, &tb, out, e);
	trail_done(&ta);
	trail_done(&tb);
	return ok;
}

void compare_done(CompareReport *r)
{
	for (int i = 0; i < r->n; i++)
		free(r->layer[i].name);
	free(r->layer);
	*r = (CompareReport){ 0 };
}
