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

static real row_dot(int64_t n, const real *x, const real *y)
{
	V sum = v_set(0);
	EACH_VECTOR(n, i, len)
		sum = v_fma(row_load(x + i, len, 0), row_load(y + i, len, 0), sum);
	return v_sum(sum);
}

static void row_add(int64_t n, real c, const real *x, real *y)
{
	const V f = v_set(c);
	EACH_VECTOR(n, i, len)
		row_store(y + i, v_fma(f, row_load(x + i, len, 0), row_load(y + i, len, 0)), len);
}

static void row_mul_add(int64_t n, real c, const real *x, const real *g, real *y)
{
	const V f = v_set(c);
	EACH_VECTOR(n, i, len)
		row_store(y + i, v_fma(f * row_load(x + i, len, 0), row_load(g + i, len, 0), row_load(y + i, len, 0)), len);
}

INLINE void row_put(real *p, V v, int64_t len, bool add)
{
	row_store(p, add ? row_load(p, len, 0) + v : v, len);
}

/* db = gy silu(a); da = gy b sigma(a) (1 + a (1 - sigma(a))) */
static void row_swiglu_back(int64_t n, const real *a, const real *b, const real *gy, real *da, bool add_a, real *db, bool add_b)
{
	EACH_VECTOR(n, i, len) {
		V v = row_load(a + i, len, 0), w = row_load(b + i, len, 0), g = row_load(gy + i, len, 0), s = v_sigmoid(v);
		if (da)
			row_put(da + i, g * w * s * (1 + v * (1 - s)), len, add_a);
		if (db)
			row_put(db + i, g * v * s, len, add_b);
	}
}

/* dx = r a - x (r^3 / n) sum(a x), a = gy g */
static void row_rmsnorm_back(int64_t n, const real *x, const real *g, const real *gy, real r, real *dx, bool add)
{
	V sum = v_set(0);
	EACH_VECTOR(n, i, len)
		sum = v_fma(row_load(gy + i, len, 0) * row_load(g + i, len, 0), row_load(x + i, len, 0), sum);
	const real dot = v_sum(sum) * (r * r * r / (real)n);
	EACH_VECTOR(n, i, len)
		row_put(dx + i, row_load(gy + i, len, 0) * row_load(g + i, len, 0) * r - row_load(x + i, len, 0) * dot, len, add);
}

static void row_adamw(int64_t n, const AdamStep *a, const real *grad, real *w, real *m, real *v)
{
	EACH_VECTOR(n, i, len) {
		V g = row_load(grad + i, len, 0) * a->factor, x = row_load(w + i, len, 0);
		V mm = row_load(m + i, len, 0) * a->b1 + g * (1 - a->b1), vv = row_load(v + i, len, 0) * a->b2 + g * (1 - a->b2) * g;
		x -= x * a->decay;
		x -= mm * a->c1 * a->lr / (v_sqrt(vv * a->c2) + a->eps);
		row_store(m + i, mm, len);
		row_store(v + i, vv, len);
		row_store(w + i, x, len);
	}
}
#endif
