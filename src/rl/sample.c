/* sample.c - see sample.h. The log-probability is made by the steps of the op token_logp, so that on equal logits it has equal bits. */
#include "rl/sample.h"
#include "base/hash.h"
#include "base/rng.h"
#include "num/topk.h"
#include <math.h>
#include <string.h>

bool rl_sample_new(RlSample *s, Arena *a, const int32_t *prompt, int n, int room, int64_t vocab, int64_t routed, const RlDraw *d)
{
	size_t all = (size_t)(n + room), own = (size_t)room;
	*s = (RlSample){ .n_given = n, .room = room };
	s->id = arena_alloc(a, all * sizeof *s->id);
	s->logp = arena_alloc(a, own * sizeof *s->logp);
	s->entropy = arena_alloc(a, own * sizeof *s->entropy);
	s->keep = d->keep_sets ? arena_alloc(a, own * (size_t)vocab) : NULL;
	s->route = d->routes ? arena_alloc(a, all * (size_t)routed * sizeof *s->route) : NULL;
	s->value = d->values ? arena_alloc(a, own * sizeof *s->value) : NULL;
	if (!s->id || !s->logp || !s->entropy || (d->values && !s->value) || (d->keep_sets && !s->keep) || (d->routes && !s->route))
		return false;
	memcpy(s->id, prompt, (size_t)n * sizeof *prompt);
	return true;
}

/* Of the draw: not of what was drawn before in this or another text. */
static double draw_uniform(const RlDraw *d, const RlSample *s)
{
	const int64_t which[] = { d->turn, s->prompt, s->k };
	Rng g = rng_make(d->seed, hash_bytes(which, sizeof which, 0x726c));
	g.counter = (uint64_t)s->n;
	return rng_uniform(&g);
}

/* Marks the tokens that top_k and then top_p leave. */
static void keep_mark(const RlDraw *d, const real *logits, int64_t V, int32_t *order, uint8_t *keep)
{
	int n = d->top_k > 0 && d->top_k < d->n_ids ? d->top_k : d->n_ids, left = 0;
	double sum = 0, all = 0, most;
	topk_sorted(logits, d->n_ids, n, order);
	most = (double)logits[order[0]];
	for (int i = 0; i < n; i++)
		all += exp(((double)logits[order[i]] - most) / d->temperature);
	while (left < n && (left == 0 || d->top_p >= 1 || sum < d->top_p * all))
		sum += exp(((double)logits[order[left++]] - most) / d->temperature);
	memset(keep, 0, (size_t)V);
	for (int i = 0; i < left; i++)
		keep[order[i]] = 1;
}

/* Exponentials of what may be drawn, and their sum in the order of token_logp. */
static real weights(const Kernels *k, const RlDraw *d, const real *z, int64_t V, const uint8_t *keep, real *max, real *e)
{
	real inv = (real)(1 / d->temperature), sum = 0;
	*max = -(real)INFINITY;
	if (!keep)
		*max = k->row_max(V, z);
	for (int64_t i = 0; keep && i < V; i++)
		*max = keep[i] && z[i] > *max ? z[i] : *max;
	if (inv == 1 && !keep) {
		for (int64_t at = 0; at < V; at += 1024)
			sum += k->row_exp(V - at < 1024 ? V - at : 1024, z + at, *max, e + at);
		return sum;
	}
	for (int64_t at = 0; at < V; at += 1024) {
		real part = 0;
		int64_t end = at + 1024 < V ? at + 1024 : V;
		for (int64_t i = at; i < end; i++)
			part += e[i] = keep && !keep[i] ? 0 : (real)exp((double)((z[i] - *max) * inv));
		sum += part;
	}
	return sum;
}

static int32_t pick(const real *e, int32_t n, double u)
{
	double all = 0, sum = 0;
	int32_t last = 0;
	for (int32_t i = 0; i < n; i++)
		all += (double)e[i];
	for (int32_t i = 0; i < n; i++) {
		if (e[i] <= 0)
			continue;
		last = i;
		if ((sum += (double)e[i]) > u * all)
			break;
	}
	return last;
}

int32_t rl_sample_draw(RlSample *s, const Kernels *k, const RlDraw *d, const real *logits, int64_t vocab, const RlScratch *x)
{
	bool filters = d->top_p < 1 || d->top_k > 0;
	uint8_t *keep = s->keep ? s->keep + (size_t)s->n * (size_t)vocab : filters ? x->keep : NULL;
	real max, *e = x->e, inv = (real)(1 / d->temperature);
	double dot = 0, part = 0;
	if (keep)
		keep_mark(d, logits, vocab, x->order, keep);
	real sum = weights(k, d, logits, vocab, keep, &max, e);
	int32_t id = pick(e, d->n_ids, draw_uniform(d, s));
	if (filters && !s->keep) /* the probability that training will see */
		sum = weights(k, d, logits, vocab, NULL, &max, e);
	for (int64_t i = 0; i < vocab; i++)
		if (e[i] > 0) {
			dot += (double)e[i] * (double)((logits[i] - max) * inv);
			part += (double)e[i];
		}
	s->id[s->n_given + s->n] = id;
	s->logp[s->n] = (logits[id] - max) * inv - (real)log((double)sum);
	s->entropy[s->n++] = (real)(log(part) - dot / part);
	return id;
}
