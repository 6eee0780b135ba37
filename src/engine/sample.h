/* sample.h - choosing a token from logits.
 *
 * Sampling uses the Gumbel-max trick with noise keyed by (seed, position, token id): the token is
 * argmax(log p + noise), which is an exact draw from p. The noise of a position does not depend on how the
 * position is reached, so a draft made with the same noise is accepted exactly when it is the token that
 * plain decoding would have chosen: speculation changes neither the distribution nor, for one seed, the
 * text. P(accept) >= sum min(p,q) / (2 - sum min(p,q)). */
#ifndef ENGINE_SAMPLE_H
#define ENGINE_SAMPLE_H
#include "base/err.h"
#include "num/real.h"
#include <stdint.h>

typedef struct Sampling {
	double temperature, top_p, min_p;
	int top_k;
	uint64_t seed;
	int32_t n_ids; /* ids past it are padding, never drawn (greedy looks at all logits); 0: none */
} Sampling;
typedef struct Sampler { Sampling how; int32_t *order; double *p; int vocab; } Sampler;
bool sampler_init(Sampler *s, const Sampling *how, int vocab, Err *e);
void sampler_done(Sampler *s);
/* The token for `position`. Temperature 0: the largest logit, lowest id on a tie. Else temperature, then
 * top-k, top-p, min-p. */
int32_t sampler_pick(Sampler *s, const real *logits, int64_t position);
/* The distribution that sampler_pick draws from, for tests: p[vocab] sums to 1. */
void sampler_distribution(Sampler *s, const real *logits, double *p);

typedef struct TokenFacts { double logprob, entropy; } TokenFacts;
/* At temperature 1, from all logits. */
TokenFacts sample_facts(const real *logits, int vocab, int32_t id, double *logsumexp);
#endif
