/* kern_rows.h - functions of one row. Sums: lane l takes elements l, l + L, ...; then the tree of v_sum4. The last, partial
 * vector is filled with what changes nothing. Included by kern.c only. */
#ifndef NUM_KERN_ROWS_H
#define NUM_KERN_ROWS_H
#include "num/kern_vec.h"
#include <math.h>

#ifdef LATHE_DOUBLE
INLINE V v_exp(V x)
{
	for (int i = 0; i < VL; i++)
		x[i] = exp(x[i]);
	return x;
}
#endif

INLINE V v_sigmoid(V x)
{
	return v_set(1) / (v_set(1) + v_exp(-x));
}

#define EACH_VECTOR(n, i, len) \
	for (int64_t i = 0, len = n < VL ? n : VL; i < n; i += VL, len = n - i < VL ? n - i : VL)

INLINE V row_load(const real *p, int64_t len, real fill)
{
	return len == VL ? v_load(p) : v_load_part(p, len, fill);
}

INLINE void row_store(real *p, V v, int64_t len)
{
	if (len == VL)
		v_store(p, v);
	else
		v_store_part(p, v, len);
}

static real row_max(int64_t n, const real *x)
{
	V m = v_set(-(real)INFINITY);
	EACH_VECTOR(n, i, len) {
		V v = row_load(x + i, len, -(real)INFINITY);
		m = v_select(v > m, v, m);
	}
	real t[VL], best = -(real)INFINITY;
	v_store(t, m);
	for (int l = 0; l < VL; l++)
		best = t[l] > best ? t[l] : best;
	return best;
}

static real row_exp(int64_t n, const real *x, real max, real *y)
{
	V sum = v_set(0);
	EACH_VECTOR(n, i, len) {
		V e = v_exp(row_load(x + i, len, -(real)INFINITY) - max);
		row_store(y + i, e, len);
		sum += e;
	}
	return v_sum(sum);
}

static real row_sumsq(int64_t n, const real *x)
{
	V sum = v_set(0);
	EACH_VECTOR(n, i, len) {
		V v = row_load(x + i, len, 0);
		sum = v_fma(v, v, sum);
	}
	return v_sum(sum);
}

static void row_scale(int64_t n, const real *x, real s, const real *g, real *y)
{
	EACH_VECTOR(n, i, len) {
		V v = row_load(x + i, len, 0) * s;
		row_store(y + i, g ? v * row_load(g + i, len, 0) : v, len);
	}
}

static void row_sigmoid(int64_t n, const real *x, real *y)
{
	EACH_VECTOR(n, i, len)
		row_store(y + i, v_sigmoid(row_load(x + i, len, 0)), len);
}

static void row_swiglu(int64_t n, const real *a, const real *b, real *y)
{
	EACH_VECTOR(n, i, len) {
		V v = row_load(a + i, len, 0);
		row_store(y + i, v * v_sigmoid(v) * row_load(b + i, len, 0), len);
	}
}
#endif
