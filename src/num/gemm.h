/* gemm.h - products with weight matrices where they lie (row-major, memory-mapped, any dtype): no packed copy
 * of them is kept; a task with many rows lays out in scratch what its tiles share.
 *
 * gemm_nt runs along K in vector lanes: lane l of one accumulator sums k = l, l+L, l+2L ... in order, then a fixed tree adds
 * the lanes. So a result element depends on its row of x and its row of W only - not on M, N, the tile or the thread - and one
 * token decoded alone has the bits it has in a batch. L belongs to the kernel set. Weights other than real and bf16 are
 * expanded to real in scratch, tile by tile, with FP8 block scales applied: value = fp8 * scale[row/128][col/128]. */
#ifndef NUM_GEMM_H
#define NUM_GEMM_H
#include "num/dtype.h"
#include "num/par.h"

typedef struct Mat {
	const void *data;     /* may be unaligned (mapped file) */
	Dtype dtype;
	int64_t rows, cols;   /* N, K */
	int64_t stride;       /* elements between rows, >= cols */
	const float *scale;   /* FP8 block scales, row-major [ceil(rows/128), ceil(cols/128)], or NULL; may be unaligned */
	int64_t scale_stride;
} Mat;

enum { GEMM_ACC = 1,      /* add to y instead of setting it */
       GEMM_X_BF16 = 2 }; /* round x to bf16 first (recipe "bf16"); with bf16 weights uses the bf16 dot product where there is one */

/* y[M,N] (+)= x[M,K] W[N,K]^T.  Fprop of linear. ldx, ldy in elements. */
void gemm_nt(Pool *p, int64_t M, const real *x, int64_t ldx, const Mat *W, real *y, int64_t ldy, unsigned flags);
/* dx[M,K] (+)= g[M,N] W[N,K].  Dgrad of linear; also P V in attention. Sums over N in ascending order, one chain per element. */
void gemm_nn(Pool *p, int64_t M, const real *g, int64_t ldg, const Mat *W, real *dx, int64_t lddx, unsigned flags);
/* dW[N,K] (+)= g[M,N]^T x[M,K].  Wgrad of linear. Sums over M in ascending order. */
void gemm_tn(Pool *p, int64_t M, const real *g, int64_t ldg, int64_t N, const real *x, int64_t ldx, int64_t K, real *dW, int64_t lddw, unsigned flags);

/* Many products in one hand-over: experts. Group i takes rows [row[i], row[i+1]) of x and writes the same rows of y with
 * W[i]; all W have the same shape; groups may be empty. */
void gemm_nt_grouped(Pool *p, int n_groups, const int64_t *row, const real *x, int64_t ldx, const Mat *W, real *y, int64_t ldy, unsigned flags);
/* The gradients of that, in one hand-over each: dx (+)= g W[i] in the rows of group i, and dW[i] (+)= g^T x over them, which are
 * [N,K] each; a dW[i] of NULL is passed over. */
void gemm_nn_grouped(Pool *p, int n_groups, const int64_t *row, const real *g, int64_t ldg, const Mat *W, real *dx, int64_t lddx,
	unsigned flags);
void gemm_tn_grouped(Pool *p, int n_groups, const int64_t *row, const real *g, int64_t ldg, int64_t N, const real *x, int64_t ldx,
	int64_t K, real *const *dW, int64_t lddw, unsigned flags);
/* One thread, no pool; callable inside a task (attention heads). */
void gemm_nt_one(Pool *p, int worker, int64_t M, const real *x, int64_t ldx, const Mat *W, real *y, int64_t ldy, unsigned flags);
void gemm_nn_one(Pool *p, int worker, int64_t M, const real *g, int64_t ldg, const Mat *W, real *dx, int64_t lddx, unsigned flags);
#endif
