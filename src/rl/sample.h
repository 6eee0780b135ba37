/* sample.h - one answer that a policy has given, token by token, and drawing these tokens. */
#ifndef RL_SAMPLE_H
#define RL_SAMPLE_H
#include "base/arena.h"
#include "base/err.h"
#include "num/kernels.h"
#include <stdbool.h>
#include <stdint.h>

/* The arrays have room for `room` tokens. What is there only when it was asked for may be NULL. */
typedef struct RlSample {
	int prompt, k;           /* the k-th answer to this problem of the roll-out */
	int n_given, n, room;    /* tokens of the prompt, of the answer */
	int32_t *id;             /* [n_given + room] */
	real *logp, *entropy;    /* [room] of each token of the answer, by the policy that drew it */
	uint8_t *keep;           /* [room, V]: the tokens it was drawn from */
	int32_t *route;          /* [MoE layers, n_given + room, K]: the experts of each token */
	bool ended;              /* with the end-of-text token, which is the last one then */
	double reward;
	bool right, answered;    /* answered: in the form that an answer has */
	double *score, *end;     /* [n] scores of steps and where they end (not 0); NULL: the outcome alone counts */
	real *value;             /* [room] what was to be expected before each token: with a critic */
	real *ref;               /* [n] log-probability by the reference */
	real *advantage, *ret;   /* [n] what the token was better than expected; what came of it */
} RlSample;

typedef struct RlDraw {
	double temperature, top_p;   /* top_p 1, top_k 0: no filter */
	int top_k;
	int32_t n_ids;               /* ids past it are padding, never drawn */
	bool keep_sets, routes, values; /* to be kept in the samples */
	uint64_t seed;
	int64_t turn;                /* of the run: a draw is a function of (seed, turn, prompt, k, position) */
} RlDraw;

/* Room for a sample's arrays. NULL arrays in what is not kept. False: out of memory. */
bool rl_sample_new(RlSample *s, Arena *a, const int32_t *prompt, int n, int room, int64_t vocab, int64_t routed, const RlDraw *d);
/* Memory for a draw, [V] each. */
typedef struct RlScratch { real *e; int32_t *order; uint8_t *keep; } RlScratch;
/* Draws the next token from its logits [V] and appends it. */
int32_t rl_sample_draw(RlSample *s, const Kernels *k, const RlDraw *d, const real *logits, int64_t vocab, const RlScratch *x);
#endif
