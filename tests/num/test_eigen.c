/* test_eigen.c - eigenvalues against closed forms and against Jacobi's rotations, the plainest way there is;
 * vectors by what they must do. */
#include "tests/unit.h"
#include "base/rng.h"
#include "num/eigen.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N = 48 };
typedef struct Case {
	double a[N * N], v[N * N], w[N], work[2 * N];
	int n;
} Case;

static void solve(Case *c)
{
	memcpy(c->v, c->a, sizeof c->a);
	assert_true(eigen_symmetric(c->v, c->n, c->w, c->work));
	for (int i = 1; i < c->n; i++)
		assert_true(c->w[i] <= c->w[i - 1]);
}

/* A v = w v for each, and the vectors at right angles. */
static void check(const Case *c)
{
	double top = fmax(1e-300, fmax(fabs(c->w[0]), fabs(c->w[c->n - 1])));
	for (int k = 0; k < c->n; k++)
		for (int i = 0; i < c->n; i++) {
			double s = 0, q = 0;
			for (int j = 0; j < c->n; j++) {
				s += c->a[i * c->n + j] * c->v[k * c->n + j];
				q += c->v[i * c->n + j] * c->v[k * c->n + j];
			}
			assert_true(fabs(s - c->w[k] * c->v[k * c->n + i]) < 1e-12 * top * c->n);
			assert_true(fabs(q - (i == k)) < 1e-12 * c->n);
		}
}

static void make(Case *c, int n, double (*at)(int, int))
{
	*c = (Case){ .n = n };
	for (int i = 0; i < n; i++)
		for (int j = 0; j < n; j++)
			c->a[i * n + j] = at(i, j);
}

static double second_difference(int i, int j)
{
	return i == j ? 2 : abs(i - j) == 1 ? -1 : 0;
}

static double ones(int i, int j)
{
	(void)i, (void)j;
	return 1;
}

static double diagonal(int i, int j)
{
	return i == j ? 3 - i : 0;
}

static double hilbert(int i, int j)
{
	return 1.0 / (i + j + 1);
}

static double nothing(int i, int j)
{
	(void)i, (void)j;
	return 0;
}

TEST(eigen_closed_forms)
{
	static Case c;
	for (int n = 1; n <= N; n++) {
		make(&c, n, second_difference);
		solve(&c);
		check(&c);
		for (int k = 0; k < n; k++)
			assert_true(fabs(c.w[k] - (2 + 2 * cos(M_PI * (k + 1) / (n + 1)))) < 1e-13 * n);
		make(&c, n, ones);
		solve(&c);
		check(&c);
		assert_true(fabs(c.w[0] - n) < 1e-13 * n);
		make(&c, n, diagonal);
		solve(&c);
		check(&c);
		for (int k = 0; k < n; k++)
			assert_true(c.w[k] == 3 - k);
	}
	make(&c, N, hilbert); /* its smallest eigenvalues are far below rounding */
	solve(&c);
	check(&c);
	make(&c, N, nothing);
	solve(&c);
	check(&c);
	assert_true(c.w[0] == 0 && c.w[N - 1] == 0);
}

/* Turns each off-diagonal element to nothing, again and again. */
static void jacobi(double *a, int n)
{
	for (int sweep = 0; sweep < 30; sweep++)
		for (int p = 0; p < n; p++)
			for (int q = p + 1; q < n; q++) {
				double x = a[p * n + q];
				if (x == 0)
					continue;
				double t = (a[q * n + q] - a[p * n + p]) / (2 * x),
				       r = copysign(1, t) / (fabs(t) + hypot(t, 1));
				double k = 1 / hypot(r, 1), s = r * k;
				for (int i = 0; i < n; i++) {
					double u = a[i * n + p], v = a[i * n + q];
					a[i * n + p] = k * u - s * v;
					a[i * n + q] = s * u + k * v;
				}
				for (int i = 0; i < n; i++) {
					double u = a[p * n + i], v = a[q * n + i];
					a[p * n + i] = k * u - s * v;
					a[q * n + i] = s * u + k * v;
				}
			}
}

static int falling(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return x < y ? 1 : x > y ? -1 : 0;
}

TEST(eigen_as_jacobi)
{
	static Case c;
	Rng r = rng_make(11, 0);
	for (int trial = 0; trial < 40; trial++) {
		int n = 1 + (int)rng_below(&r, N);
		/* Also of low rank, and over many orders of magnitude. */
		double scale = trial % 4 == 3 ? 1e-9 : 1, want[N];
		c = (Case){ .n = n };
		for (int i = 0; i < n; i++)
			for (int j = 0; j <= i; j++) {
				double x = (double)rng_below(&r, 2001) / 1000 - 1;
				c.a[i * n + j] = c.a[j * n + i] =
					trial % 3 == 1 && i > n / 2 ? 0 : x * pow(scale, (double)i / n);
			}
		solve(&c);
		check(&c);
		memcpy(c.v, c.a, sizeof c.a);
		jacobi(c.v, n);
		for (int i = 0; i < n; i++)
			want[i] = c.v[i * n + i];
		qsort(want, (size_t)n, sizeof *want, falling);
		for (int i = 0; i < n; i++)
			assert_true(fabs(want[i] - c.w[i]) < 1e-12 * n);
	}
}

TEST(eigen_refuses_what_has_no_spectrum)
{
	double a[4] = { 1, 0, NAN, 1 }, w[2], work[4];
	assert_false(eigen_symmetric(a, 2, w, work));
	a[2] = INFINITY;
	assert_false(eigen_symmetric(a, 2, w, work));
	assert_true(eigen_symmetric(a, 0, w, work));
}

TEST(eigen_rank_is_effective)
{
	const double flat[4] = { 3, 3, 3, 3 }, one[4] = { 5, 0, 0, 0 }, none[4] = { 0 },
		     two[4] = { 4, 4, 0, 0 };
	assert_true(fabs(eigen_effective_rank(flat, 4, false) - 4) < 1e-12);
	assert_true(fabs(eigen_effective_rank(flat, 4, true) - 4) < 1e-12);
	assert_true(fabs(eigen_effective_rank(one, 4, false) - 1) < 1e-12);
	assert_true(fabs(eigen_effective_rank(two, 4, true) - 2) < 1e-12);
	assert_true(eigen_effective_rank(none, 4, false) == 0);
	/* Roy and Vetterli: of shares 3/4 and 1/4, exp of their entropy. */
	const double s[2] = { 9, 1 };
	assert_true(
		fabs(eigen_effective_rank(s, 2, true) - exp(-(0.75 * log(0.75) + 0.25 * log(0.25)))) < 1e-12);
}
