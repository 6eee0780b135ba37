/* rows.c - row-wise functions over the kernels of the pool's set. */
#include "num/rows.h"
#include "num/kernels.h"
#include <math.h>
#include <stdbool.h>
#include <string.h>

enum { TASK_ELEMENTS = 1 << 13, EXP_BLOCK = 256 };

typedef struct RowsJob {
	const Kernels *k;
	int64_t rows, n, each; /* rows per task */
	const real *x, *b, *g;
	int64_t ldx, ldb, ldy;
	real eps;
	real *y, *rstd;
	void (*one)(const struct RowsJob *j, int64_t row);
} RowsJob;

static void rows_do(void *arg, int i, int worker)
{
	const RowsJob *j = arg;
	int64_t end = (i + 1) * j->each < j->rows ? (i + 1) * j->each : j->rows;
	(void)worker;
	for (int64_t r = i * j->each; r < end; r++)
		j->one(j, r);
}

static void rows_run(Pool *p, RowsJob j)
{
	if (j.n <= 0 || j.rows <= 0)
		return;
	j.k = pool_kernels(p);
	j.each = j.n < TASK_ELEMENTS ? TASK_ELEMENTS / j.n : 1;
	par_for(p, (int)((j.rows + j.each - 1) / j.each), rows_do, &j);
}

static void rmsnorm_one(const RowsJob *j, int64_t row)
{
	const real *x = j->x + row * j->ldx;
	real r = 1 / (real)sqrt((double)(j->k->row_sumsq(j->n, x) / (real)j->n + j->eps));
	j->k->row_scale(j->n, x, r, j->g, j->y + row * j->ldy);
	if (j->rstd)
		j->rstd[row] = r;
}

void rows_rmsnorm(Pool *p, int64_t rows, int64_t n, const real *x, int64_t ldx, const real *g, real eps, real *y, int64_t ldy, real *rstd)
{
	rows_run(p, (RowsJob){ .rows = rows, .n = n, .x = x, .ldx = ldx, .g = g, .eps = eps, .y = y, .ldy = ldy, .rstd = rstd,
		.one = rmsnorm_one });
}

static void softmax_one(const RowsJob *j, int64_t row)
{
	real *x = j->y + row * j->ldy;
	real sum = j->k->row_exp(j->n, x, j->k->row_max(j->n, x), x);
	j->k->row_scale(j->n, x, 1 / sum, NULL, x);
}

void rows_softmax(Pool *p, int64_t rows, int64_t n, real *x, int64_t ldx)
{
	rows_run(p, (RowsJob){ .rows = rows, .n = n, .y = x, .ldy = ldx, .one = softmax_one });
}

/* A flat array is cut into rows of TASK_ELEMENTS, the last one shorter. */
static int64_t flat_row(const RowsJob *j, int64_t row, int64_t *len)
{
	int64_t at = row * TASK_ELEMENTS;
	*len = j->n - at < TASK_ELEMENTS ? j->n - at : TASK_ELEMENTS;
	return at;
}

static void flat_run(Pool *p, RowsJob j)
{
	if (j.n <= 0)
		return;
	j.k = pool_kernels(p);
	j.each = 1;
	j.rows = (j.n + TASK_ELEMENTS - 1) / TASK_ELEMENTS;
	par_for(p, (int)j.rows, rows_do, &j);
}

static void sigmoid_one(const RowsJob *j, int64_t row)
{
	int64_t len, at = flat_row(j, row, &len);
	j->k->row_sigmoid(len, j->x + at, j->y + at);
}

void rows_sigmoid(Pool *p, int64_t n, const real *x, real *y)
{
	flat_run(p, (RowsJob){ .n = n, .x = x, .y = y, .one = sigmoid_one });
}

static void add_one(const RowsJob *j, int64_t row)
{
	int64_t len, at = flat_row(j, row, &len);
	for (int64_t i = at; i < at + len; i++)
		j->y[i] = j->x[i] + j->b[i];
}

void rows_add(Pool *p, int64_t n, const real *a, const real *b, real *y)
{
	flat_run(p, (RowsJob){ .n = n, .x = a, .b = b, .y = y, .one = add_one });
}

static void swiglu_one(const RowsJob *j, int64_t row)
{
	j->k->row_swiglu(j->n, j->x + row * j->ldx, j->b + row * j->ldb, j->y + row * j->ldy);
}

void rows_swiglu(Pool *p, int64_t rows, int64_t n, const real *a, int64_t lda, const real *b, int64_t ldb, real *y, int64_t ldy)
{
	rows_run(p, (RowsJob){ .rows = rows, .n = n, .x = a, .ldx = lda, .b = b, .ldb = ldb, .y = y, .ldy = ldy, .one = swiglu_one });
}

real row_softmax_online(const struct Kernels *k, int64_t n, real *s, real old_max, real *factor, real *sum)
{
	real max = n > 0 ? k->row_max(n, s) : old_max;
	if (!(max > old_max))
		max = old_max;
	if (max == -(real)INFINITY) { /* nothing visible yet; NaN scores stay NaN */
		for (int64_t i = 0; i < n; i++)
			s[i] = s[i] == s[i] ? 0 : s[i];
		*factor = 0;
		*sum = 0;
		return max;
	}
	*factor = old_max == -(real)INFINITY ? 0 : num_exp(old_max - max);
	real here = n > 0 ? k->row_exp(n, s, max, s) : 0;
	*sum = *sum * *factor + here;
	return max;
}

/* Blocks of vector exp, summed in double: the float lanes of a whole vocabulary would lose digits. */
double row_logsumexp(int64_t n, const real *x)
{
	const Kernels *k = kernels_at(0);
	real max = n > 0 ? k->row_max(n, x) : -(real)INFINITY, e[EXP_BLOCK];
	if (max == -(real)INFINITY || max == (real)INFINITY)
		return (double)max;
	double sum = 0;
	for (int64_t i = 0; i < n; i += EXP_BLOCK) {
		int64_t len = n - i < EXP_BLOCK ? n - i : EXP_BLOCK;
		sum += (double)k->row_exp(len, x + i, max, e);
	}
	return (double)max + log(sum);
}

/* One element of the float vector exp in kern_vec.h, without fused operations. */
real num_exp(real x)
{
#ifdef LATHE_DOUBLE
	return exp(x);
#else
	x = x > 89.0f ? 89.0f : x < -104.0f ? -104.0f : x;
	float shifted = x * 1.44269504088896341f + 12582912.0f, n = shifted - 12582912.0f;
	float r = x - n * 0.693359375f + n * 2.12194440e-4f;
	float p = 1.9875691500e-4f * r + 1.3981999507e-3f;
	p = p * r + 8.3334519073e-3f;
	p = p * r + 4.1665795894e-2f;
	p = p * r + 1.6666665459e-1f;
	p = p * r + 5.0000001201e-1f;
	p = p * (r * r) + r + 1.0f;
	int32_t k;
	memcpy(&k, &shifted, 4);
	k -= 0x4b400000;
	int32_t half = k >> 1;
	uint32_t s0 = (uint32_t)(half + 127) << 23, s1 = (uint32_t)(k - half + 127) << 23;
	float f0, f1;
	memcpy(&f0, &s0, 4);
	memcpy(&f1, &s1, 4);
	return p * f0 * f1;
#endif
}
