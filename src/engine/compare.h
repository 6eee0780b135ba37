/* compare.h - two models, or one in two precisions, on the same tokens: distance layer by layer. */
#ifndef ENGINE_COMPARE_H
#define ENGINE_COMPARE_H
#include "base/err.h"
#include "engine/lathe.h"
typedef struct CompareLayer { char *name; double max_abs, rel_l2; bool same_shape; } CompareLayer;
/* Of one layer with experts: choices in all, and those whose set of experts differs. */
typedef struct CompareRoutes { char *name; int64_t routes, flipped; } CompareRoutes;
typedef struct CompareReport {
	int n;
	CompareLayer *layer;      /* in the order of computing */
	int64_t tokens;           /* positions compared: the shorter text's */
	float *rel;               /* [tokens, n] relative L2 distance of each value at each position */
	int n_routes;
	CompareRoutes *route;
	float *flip;              /* [tokens, n_routes] share of the experts chosen there that A chose and B did not */
	float *kl_at;             /* [tokens] nat */
	int32_t *best;            /* [tokens, 2] best token of A and of B */
	int64_t first_at;         /* the first position at which `first` differs, -1 */
	const char *first;        /* the first that differs at all, or NULL */
	double kl;                /* mean over positions of KL(A || B), nat */
	double top1_agree;        /* share of positions with the same best token */
	int64_t routes, routes_flipped; /* (token, layer) choices in all; those whose set of experts differs */
} CompareReport;
/* One side: a model, a text, how it is computed. precision NULL: as the model was opened. */
typedef struct CompareSide { LatheModel *m; const int32_t *ids; size_t n; LatheAttention form; const char *precision; } CompareSide;
bool compare_sides(const CompareSide *a, const CompareSide *b, CompareReport *out, Err *e);
bool compare_run(LatheModel *a, LatheModel *b, const int32_t *ids, size_t n, LatheAttention at_a,
	LatheAttention at_b, CompareReport *out, Err *e);
void compare_done(CompareReport *r);
#endif
