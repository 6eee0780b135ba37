/* stand.c - see stand.h. */
#include "tests/ops/stand.h"
#include <math.h>
#include <string.h>

Stand stand_new(int threads)
{
	Stand s = { .pool = pool_new(threads), .rng = rng_make(9, 9) };
	s.t = tape_new(s.pool, 0);
	assert_non_null(s.t);
	return s;
}

void stand_free(Stand *s)
{
	tape_free(s->t);
	pool_free(s->pool);
}

Ten *stand_leaf(Stand *s, const char *name, int64_t n_rows, int64_t n_cols, double spread, bool grad)
{
	real *v = tape_alloc(s->t, (size_t)(n_rows * n_cols) * sizeof *v);
	for (int64_t i = 0; i < n_rows * n_cols; i++)
		v[i] = (real)(spread * rng_normal(&s->rng));
	return tape_leaf(s->t, ten_wrap(REAL_DTYPE, v, 2, (int64_t[]){ n_rows, n_cols }, name), grad);
}

Ten *stand_as(Stand *s, const Ten *x, Dtype d)
{
	void *p = tape_alloc(s->t, (size_t)ten_count(x) * 8);
	dtype_from_real(d, ten_real(x), (size_t)ten_count(x), p);
	return tape_leaf(s->t, ten_wrap(d, p, x->rank, x->shape, x->name), false);
}

double *stand_doubles(Stand *s, const Ten *x)
{
	int64_t n = ten_count(x);
	real *v = tape_alloc(s->t, (size_t)n * sizeof *v);
	double *d = tape_alloc(s->t, (size_t)n * sizeof *d);
	ten_read(x, 0, ten_rows(x), v);
	for (int64_t i = 0; i < n; i++)
		d[i] = (double)v[i];
	return d;
}

void stand_ok(const Stand *s)
{
	Err e = { 0 };
	if (!tape_ok(s->t, &e))
		fail_msg("%s", e.text);
}

void stand_near(const Ten *x, const double *ref, double tol)
{
	assert_non_null(x);
	int64_t n = ten_count(x), w = ten_cols(x);
	double top = 1;
	for (int64_t i = 0; i < n; i++)
		top = fabs(ref[i]) > top ? fabs(ref[i]) : top;
	for (int64_t i = 0; i < n; i++) {
		double v = (double)ten_real(x)[i / w * x->stride + i % w];
		if (!(fabs(v - ref[i]) <= tol * top))
			fail_msg("element %lld of %s: %.12g against %.12g", (long long)i, x->name, v, ref[i]);
	}
}

const char *stand_error(const Stand *s, int code)
{
	static Err e;
	err_clear(&e);
	assert_false(tape_ok(s->t, &e));
	assert_int_equal(e.code, code);
	return e.text;
}
