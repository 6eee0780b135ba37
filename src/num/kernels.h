/* kernels.h - kernel sets: the same source (kern.c) compiled for several instruction sets, chosen once per pool.
 *
 * A set gives whole tasks (a block of a product, a row), so that one indirect call covers microseconds of work. Results are
 * the same bits for any cut into tasks; they may differ between sets, which have different lane counts. */
#ifndef NUM_KERNELS_H
#define NUM_KERNELS_H
#include "num/gemm.h"

/* y[M, n0..n1) (+)= x W[n0..n1)^T. M is at most what nt_rows gives for K. */
typedef struct NtTask {
	int64_t M;
	const real *x;
	int64_t ldx;
	const Mat *W;
	int64_t n0, n1;
	real *y;
	int64_t ldy;
	unsigned flags;
	void *scratch; /* nt_scratch(M, W) bytes, 64-byte aligned */
} NtTask;

/* d[M, k0..k1) (+)= sum over n of g[m * g_row + n * g_red] W[n, k0..k1): gemm_nn (g_red 1), and gemm_tn with W = x and g
 * transposed (g_row 1). M is at most NN_TASK_ROWS. */
enum { NN_TASK_ROWS = 192 };
typedef struct NnTask {
	int64_t M;
	const real *g;
	int64_t g_row, g_red;
	const Mat *W;
	int64_t k0, k1;
	real *d;
	int64_t ldd;
	unsigned flags;
	void *scratch; /* nn_scratch bytes, 64-byte aligned */
} NnTask;

/* One step of AdamW (training.md 2.13): g = factor grad; m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2; then w is made smaller by
 * decay w, and by lr c1 m / (sqrt(c2 v) + eps). */
typedef struct AdamStep { real b1, b2, eps, lr, decay, factor, c1, c2; } AdamStep;

/* The grid of a small format for the kernels that round to it, see fp_grid. */
typedef struct FpGrid {
	int32_t e_min;        /* the f32 bits of the smallest normal number */
	int drop;             /* mantissa bits of f32 that the format has not */
	int sign_shift;       /* from bit 31 to the format's sign */
	uint32_t nan;         /* code of NaN without sign; 0 where there is none */
	float max;
} FpGrid;

typedef struct Kernels {
	const char *name;
	int lanes;                     /* L: accumulators per element of gemm_nt */
	int64_t (*nt_rows)(int64_t K); /* rows of x one task can take */
	size_t (*nt_scratch)(int64_t M, const Mat *W);
	void (*nt)(const NtTask *t);
	size_t nn_scratch;
	void (*nn)(const NnTask *t);
	/* Rows. Sums run in lanes, then over a fixed tree. */
	real (*row_max)(int64_t n, const real *x);                       /* NaN is passed over; n >= 1 */
	real (*row_exp)(int64_t n, const real *x, real max, real *y);    /* y = exp(x - max); the sum */
	real (*row_sumsq)(int64_t n, const real *x);
	void (*row_scale)(int64_t n, const real *x, real s, const real *g, real *y); /* y = x * s * g; g NULL: ones */
	void (*row_sigmoid)(int64_t n, const real *x, real *y);
	void (*row_swiglu)(int64_t n, const real *a, const real *b, real *y);
	real (*row_dot)(int64_t n, const real *x, const real *y);
	void (*row_add)(int64_t n, real c, const real *x, real *y);                    /* y += c x */
	void (*row_mul_add)(int64_t n, real c, const real *x, const real *g, real *y); /* y += c x g */
	/* Gradients, set or added (add). swiglu: da, db may be NULL or one place. rmsnorm: r = 1 / rms of x. */
	void (*row_swiglu_back)(int64_t n, const real *a, const real *b, const real *gy, real *da, bool add_a, real *db, bool add_b);
	void (*row_rmsnorm_back)(int64_t n, const real *x, const real *g, const real *gy, real r, real *dx, bool add);
	void (*row_adamw)(int64_t n, const AdamStep *a, const real *grad, real *w, real *m, real *v);
	/* Small formats, see kern_fp8.h and fp8_quant.h. */
	float (*fp_amax)(int64_t n, const real *x);                      /* the largest |x|; NaN is passed over */
	void (*fp_amax_each)(int64_t n, const real *x, float *most);
	void (*fp_cast)(int64_t n, const real *x, const float *s, bool each, const FpGrid *g, uint8_t *code, real *y);
	void (*fp_mma)(int rows, int64_t n, const float *a, int64_t lda, const float *b, int bits, float *c);
	/* Limits: the loops that limits.c times. */
	double (*probe_fma)(int64_t rounds);                             /* does the work, returns floating-point operations */
	double (*probe_bf16)(int64_t rounds);                            /* the bf16 dot product; NULL where there is none */
	void (*probe_read)(const void *p, size_t bytes);
	void (*probe_copy)(void *d, const void *s, size_t bytes);
} Kernels;

/* Sets this processor and its system can run, from the plainest to the best; NULL past the last. */
const Kernels *kernels_at(int i);
/* The best of them, or the one that is named when it is not better than this machine allows. name may be NULL. */
const Kernels *kernels_pick(const char *name);
/* pool_new with a given set: tests compare sets. */
Pool *pool_new_with(int threads, const Kernels *k);
/* Scratch for kernels alone, apart from pool_scratch, so that a task may hold its own while it calls gemm_*_one. Aborts the
 * program when memory is gone: sizes that any sane model needs are taken by pool_new already. */
void *pool_kernel_scratch(Pool *p, int worker, size_t bytes);
/* The worker that runs on the calling thread: 0 outside of tasks. */
int pool_self(const Pool *p);
#endif
