/* compare.h - two models, or one in two precisions, on the same tokens: distance layer by layer. */
#ifndef ENGINE_COMPARE_H
#define ENGINE_COMPARE_H
#include "base/err.h"
#include "engine/lathe.h"
typedef struct CompareLayer { char *name; double max_abs, rel_l2; bool same_shape; } CompareLayer;
typedef struct CompareReport {
	int n;
	CompareLayer *layer;      /* in the order of computing */
	const char *first;        /* the first that differs at all, or NULL */
	double kl;                /* mean over positions of KL(A || B), nat */
	double top1_agree;        /* share of positions with the same best token */
	int64_t routes, routes_flipped; /* (token, layer) choices in all; those whose set of experts differs */
} CompareReport;
bool compare_run(LatheModel *a, LatheModel *b, const int32_t *ids, size_t n, LatheAttention at_a,
	LatheAttention at_b, CompareReport *out, Err *e);
void compare_done(CompareReport *r);
#endif
