/* tensor.c - what can be said of any tensor: its rows and columns, its values as real whatever the stored
 * type, its statistics. Values are expanded a piece at a time, so that looking at a mapped weight never
 * makes a second copy of it. */
#include "tensor/tensor.h"
#include "base/err.h"
#include <math.h>
#include <string.h>

enum { BLOCK = 128 /* edge of an FP8 scale block, checkpoints.md 3 */, PIECE = 1024 };

int64_t ten_cols(const Ten *x)
{
	return x->rank > 0 ? x->shape[x->rank - 1] : 1;
}

int64_t ten_rows(const Ten *x)
{
	int64_t n = 1;
	for (int i = 0; i + 1 < x->rank; i++)
		n *= x->shape[i];
	return n;
}

int64_t ten_count(const Ten *x)
{
	return ten_rows(x) * ten_cols(x);
}

Mat ten_mat(const Ten *w)
{
	return (Mat){ .data = w->data,
		.dtype = w->dtype,
		.rows = ten_rows(w),
		.cols = ten_cols(w),
		.stride = w->stride,
		.scale = w->scale,
		.scale_stride = w->scale_stride };
}

real *ten_real(const Ten *x)
{
	BUG_ON(x->dtype != REAL_DTYPE);
	return x->data;
}

/* The scale of the block that holds (row, col); the scales of a mapped file may be unaligned. */
static real scale_at(const Ten *x, int64_t row, int64_t col)
{
	float s;
	const char *p = (const char *)x->scale + (size_t)(row / BLOCK * x->scale_stride + col / BLOCK) * sizeof s;
	memcpy(&s, p, sizeof s);
	return s;
}

/* n values of one row, from column col on. */
static void part_read(const Ten *x, int64_t row, int64_t col, int64_t n, real *dst)
{
	size_t first = (size_t)(row * x->stride + col);
	const char *src = (const char *)x->data + first * dtype_bits(x->dtype) / 8;
	dtype_to_real(x->dtype, src, (size_t)n, dst);
	if (!x->scale)
		return;
	for (int64_t i = 0; i < n;) {
		int64_t end = ((col + i) / BLOCK + 1) * BLOCK - col;
		real s = scale_at(x, row, col + i);
		for (; i < n && i < end; i++)
			dst[i] *= s;
	}
}

void ten_read(const Ten *x, int64_t row, int64_t n_rows, real *dst)
{
	int64_t cols = ten_cols(x);
	if (cols == 0)
		return;
	for (int64_t i = 0; i < n_rows; i++)
		part_read(x, row + i, 0, cols, dst + i * cols);
}

void ten_describe(const Ten *x, Buf *out)
{
	buf_adds(out, x->name ? x->name : "?");
	buf_addc(out, '[');
	for (int i = 0; i < x->rank; i++)
		buf_printf(out, "%s%lld", i ? "x" : "", (long long)x->shape[i]);
	buf_addc(out, ']');
}

Ten ten_wrap(Dtype d, void *data, int rank, const int64_t *shape, const char *name)
{
	Ten x = { .name = name, .dtype = d, .rank = rank, .data = data };
	BUG_ON(rank < 0 || rank > TEN_MAXRANK);
	for (int i = 0; i < rank; i++)
		x.shape[i] = shape[i];
	x.stride = ten_cols(&x);
	return x;
}

typedef struct Sums { double min, max, mean, m2; int64_t n, zeros, nans, infs; } Sums;

/* Mean and squared deviation by Welford's update: no cancellation when the mean is large. */
static void sums_add(Sums *s, double v)
{
	if (isnan(v)) {
		s->nans++;
		return;
	}
	if (isinf(v)) {
		s->infs++;
		return;
	}
	s->zeros += v == 0;
	s->min = s->n == 0 || v < s->min ? v : s->min;
	s->max = s->n == 0 || v > s->max ? v : s->max;
	s->n++;
	double d = v - s->mean;
	s->mean += d / (double)s->n;
	s->m2 += d * (v - s->mean);
}

TenStat ten_stat(const Ten *x)
{
	real piece[PIECE];
	Sums s = { 0 };
	int64_t rows = ten_rows(x), cols = ten_cols(x);
	for (int64_t i = 0; i < rows; i++)
		for (int64_t j = 0; j < cols; j += PIECE) {
			int64_t n = cols - j < PIECE ? cols - j : PIECE;
			part_read(x, i, j, n, piece);
			for (int64_t k = 0; k < n; k++)
				sums_add(&s, (double)piece[k]);
		}
	double var = s.n ? s.m2 / (double)s.n : 0;
	return (TenStat){ .min = s.min,
		.max = s.max,
		.mean = s.mean,
		.std = sqrt(var),
		.rms = sqrt(var + s.mean * s.mean),
		.zeros = s.zeros,
		.nans = s.nans,
		.infs = s.infs };
}
