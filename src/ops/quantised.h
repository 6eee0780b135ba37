/* quantised.h - products with weights whose operands are brought to small formats first (recipe rules of FMT_QUANT). */
#ifndef OPS_QUANTISED_H
#define OPS_QUANTISED_H
#include "ops/op.h"

/* Rows [row[i], row[i+1]) belong to W[i]; all W have one shape, those without rows may be missing. A plain layer is one of them. */
typedef struct QuantLayer { const RecipeRule *rule; int n; const int64_t *row; Ten *const *W; } QuantLayer;

/* y = x W^T, by rule->fprop. */
void quantised_fprop(Tape *t, const QuantLayer *l, const real *x, int64_t ldx, real *y, int64_t ldy);
/* dx (+)= g W, by rule->dgrad. */
void quantised_dgrad(Tape *t, const QuantLayer *l, const real *g, int64_t ldg, real *dx, int64_t lddx, bool add);
/* dW[i] += g^T x, by rule->wgrad; a dW[i] of NULL is passed over. Where Fprop is quantised, x is what its copy for Fprop gives back: the
 * cached activation (V3 report 3.3.1), so it is quantised twice. Groups of tokens begin with each W's rows. */
void quantised_wgrad(Tape *t, const QuantLayer *l, const real *g, int64_t ldg, const real *x, int64_t ldx, real *const *dW);
#endif
