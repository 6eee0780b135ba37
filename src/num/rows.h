/* rows.h - row-wise functions; each row's result depends on that row alone, in a fixed order of operations. */
#ifndef NUM_ROWS_H
#define NUM_ROWS_H
#include "num/par.h"
#include <stdint.h>
/* y = g * x / sqrt(mean(x^2) + eps) per row of n; rstd[row] receives 1/sqrt(...) when not NULL. g may be NULL (ones). */
void rows_rmsnorm(Pool *p, int64_t rows, int64_t n, const real *x, int64_t ldx, const real *g, real eps, real *y, int64_t ldy, real *rstd);
/* softmax over n entries of each row in place, max subtracted; n may be 1. */
void rows_softmax(Pool *p, int64_t rows, int64_t n, real *x, int64_t ldx);
void rows_sigmoid(Pool *p, int64_t n, const real *x, real *y);
/* y = silu(a) * b elementwise, per row of n (a, b, y may have different leading dimensions). */
void rows_swiglu(Pool *p, int64_t rows, int64_t n, const real *a, int64_t lda, const real *b, int64_t ldb, real *y, int64_t ldy);
void rows_add(Pool *p, int64_t n, const real *a, const real *b, real *y);
/* Online softmax step for attention, one row: s[n] holds scores; returns the new maximum, rewrites s as exp(s - max), and gives
 * the factor that rescales what was summed before under old_max (0 when old_max is -inf), and adds the row sum to *sum after rescaling. */
real row_softmax_online(const struct Kernels *k, int64_t n, real *s, real old_max, real *factor, real *sum);
double row_logsumexp(int64_t n, const real *x);
/* Vector exp used by all of the above: max error 2 ulp in float; exact functions of libm in the double build. */
real num_exp(real x);
#endif
