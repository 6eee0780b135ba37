/* sample.c - see sample.h. */
#include "engine/sample.h"
#include "base/rng.h"
#include "num/topk.h"
#include <math.h>
#include <stdlib.h>

bool sampler_init(Sampler *s, const Sampling *how, int vocab, Err *e)
{
	*s = (Sampler){ .how = *how, .vocab = vocab };
	s->order = malloc(sizeof *s->order * (size_t)vocab);
	s->p = malloc(sizeof *s->p * (size_t)vocab);
	if (s->order && s->p)
		return true;
	sampler_done(s);
	return err_set(e, E_5001, "sampler: out of memory for %d ids", vocab);
}

void sampler_done(Sampler *s)
{
	free(s->order);
	free(s->p);
	*s = (Sampler){ 0 };
}

/* Uniform in (0,1) of (seed, position, id): four ids share one Philox block. */
static double noise_uniform(uint64_t seed, int64_t position, int32_t id)
{
	uint32_t key[2] = { (uint32_t)seed, (uint32_t)(seed >> 32) }, out[4];
	uint32_t ctr[4] = { (uint32_t)id / 4, 0x73616d70, (uint32_t)position,
		(uint32_t)((uint64_t)position >> 32) };
	rng_philox(key, ctr, out);
	return ((double)out[id & 3] + 0.5) * 0x1p-32;
}

static int prefix_top_p(const double *p, int n, double top_p)
{
	double sum = 0, total = 0;
	for (int i = 0; i < n; i++)
		total += p[i];
	for (int i = 0; i < n; i++)
		if ((sum += p[i]) >= top_p * total)
			return i + 1;
	return n;
}

/* Candidates in order[0..n), most probable first when a filter needs that order; p[i] their unnormalised
 * probabilities. */
static int sampler_candidates(Sampler *s, const real *logits)
{
	const Sampling *h = &s->how;
	int n = h->n_ids > 0 && h->n_ids < s->vocab ? h->n_ids : s->vocab;
	bool sorted = (h->top_k > 0 && h->top_k < n) || (h->top_p > 0 && h->top_p < 1);
	double most = (double)logits[argmax_first(logits, n)];
	if (sorted)
		n = topk_sorted(logits, n, h->top_k > 0 && h->top_k < n ? h->top_k : n, s->order);
	for (int i = 0; i < n; i++) {
		if (!sorted)
			s->order[i] = i;
		s->p[i] = exp(((double)logits[s->order[i]] - most) / h->temperature);
	}
	if (h->top_p > 0 && h->top_p < 1)
		n = prefix_top_p(s->p, n, h->top_p);
	if (h->min_p > 0) {
		int k = 0;
		for (int i = 0; i < n; i++)
			if (s->p[i] >= h->min_p) { /* the largest is 1 */
				s->order[k] = s->order[i];
				s->p[k++] = s->p[i];
			}
		n = k;
	}
	return n;
}

int32_t sampler_pick(Sampler *s, const real *logits, int64_t position)
{
	if (s->how.temperature <= 0)
		return argmax_first(logits, s->vocab);
	int n = sampler_candidates(s, logits);
	int32_t best = s->order[0];
	double most = -INFINITY;
	for (int i = 0; i < n; i++) {
		double g = log(s->p[i]) - log(-log(noise_uniform(s->how.seed, position, s->order[i])));
		if (g > most || (g == most && s->order[i] < best)) {
			most = g;
			best = s->order[i];
		}
	}
	return best;
}

void sampler_distribution(Sampler *s, const real *logits, double *p)
{
	double sum = 0;
	for (int i = 0; i < s->vocab; i++)
		p[i] = 0;
	if (s->how.temperature <= 0) {
		p[argmax_first(logits, s->vocab)] = 1;
		return;
	}
	int n = sampler_candidates(s, logits);
	for (int i = 0; i < n; i++)
		sum += s->p[i];
	for (int i = 0; i < n; i++)
		p[s->order[i]] = s->p[i] / sum;
}

TokenFacts sample_facts(const real *logits, int vocab, int32_t id, double *logsumexp)
{
	double most = (double)logits[argmax_first(logits, vocab)], sum = 0, dot = 0;
	for (int i = 0; i < vocab; i++) {
		double z = (double)logits[i] - most, w = exp(z);
		sum += w;
		dot += w * z;
	}
	double lse = most + log(sum);
	if (logsumexp)
		*logsumexp = lse;
	return (TokenFacts){ .logprob = (double)logits[id] - lse, .entropy = log(sum) - dot / sum };
}
