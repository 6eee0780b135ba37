/* eigen.c - Householder's reflections make the matrix tridiagonal, then implicit QL steps with Wilkinson's
 * shift make it diagonal (Martin, Reinsch and Wilkinson 1968; Dubrulle 1970). Vectors are rows, so that every
 * inner loop runs along memory. About 6 n^3 operations: half a second at n = 512. */
#include "num/eigen.h"
#include <float.h>
#include <math.h>
#include <string.h>

enum { SWEEPS_MAX = 60 };

static double row_dot(const double *x, const double *y, int n)
{
	double s = 0;
	for (int i = 0; i < n; i++)
		s += x[i] * y[i];
	return s;
}

static void row_add(double *y, double f, const double *x, int n)
{
	for (int i = 0; i < n; i++)
		y[i] += f * x[i];
}

/* Reflects row k (its first k elements) onto its last one, and the k x k corner above along with it: corner
 * -= v u^T + u v^T. v stays in row k. Returns the element beside the diagonal. */
static double corner_reflect(double *a, int n, int k, double *u)
{
	double *v = a + (long)k * n, rest = 0, top = 0;
	for (int i = 0; i < k; i++)
		top = fmax(top, fabs(v[i]));
	for (int i = 0; i < k; i++)
		v[i] = top > 0 ? v[i] / top : 0;
	rest = row_dot(v, v, k - 1);
	if (rest == 0) {
		double e = v[k - 1] * top;
		memset(v, 0, sizeof *v * (size_t)k);
		return e;
	}
	double e = -copysign(sqrt(rest + v[k - 1] * v[k - 1]), v[k - 1]);
	v[k - 1] -= e;
	double scale = sqrt(2 / row_dot(v, v, k));
	for (int i = 0; i < k; i++)
		v[i] *= scale;
	memset(u, 0, sizeof *u * (size_t)k);
	for (int i = 0; i < k; i++) {
		const double *r = a + (long)i * n;
		u[i] += row_dot(r, v, i + 1);
		row_add(u, v[i], r, i);
	}
	row_add(u, -0.5 * row_dot(u, v, k), v, k);
	for (int i = 0; i < k; i++) {
		row_add(a + (long)i * n, -v[i], u, i + 1);
		row_add(a + (long)i * n, -u[i], v, i + 1);
	}
	return e * top;
}

/* a = Q T Q^T: T's diagonal to d, beside it e[0 .. n-2]; a becomes Q^T. */
static void tridiagonal(double *a, int n, double *d, double *e)
{
	for (int k = n - 1; k > 0; k--) {
		e[k - 1] = corner_reflect(a, n, k,
			d); /* d serves as room: its elements above k are set, those below not yet used */
		d[k] = a[(long)k * n + k];
	}
	d[0] = a[0];
	/* The reflections, from the smallest corner up: rows above k are the product so far. */
	a[0] = 1;
	for (int k = 1; k < n; k++) {
		double *v = a + (long)k * n;
		for (int i = 0; i < k; i++) {
			double *r = a + (long)i * n;
			row_add(r, -row_dot(r, v, k), v, k);
			r[k] = 0;
		}
		memset(v, 0, sizeof *v * (size_t)k);
		v[k] = 1;
	}
}

static void rows_rotate(double *x, double *y, double c, double s, int n)
{
	for (int i = 0; i < n; i++) {
		double f = y[i];
		y[i] = s * x[i] + c * f;
		x[i] = c * x[i] - s * f;
	}
}

/* One QL step on the block [l, m]. */
static void ql_step(double *d, double *e, double *z, int n, int l, int m)
{
	double g = (d[l + 1] - d[l]) / (2 * e[l]), r = hypot(g, 1), s = 1, c = 1, p = 0;
	g = d[m] - d[l] + e[l] / (g + copysign(r, g));
	for (int i = m - 1; i >= l; i--) {
		double f = s * e[i], b = c * e[i];
		r = hypot(f, g);
		e[i + 1] = r;
		if (r == 0) { /* the block has come apart here */
			d[i + 1] -= p;
			e[m] = 0;
			return;
		}
		s = f / r;
		c = g / r;
		g = d[i + 1] - p;
		r = (d[i] - g) * s + 2 * c * b;
		p = s * r;
		d[i + 1] = g + p;
		g = c * r - b;
		rows_rotate(z + (long)i * n, z + (long)(i + 1) * n, c, s, n);
	}
	d[l] -= p;
	e[l] = g;
	e[m] = 0;
}

static bool ql_run(double *d, double *e, double *z, int n)
{
	e[n - 1] = 0;
	for (int l = 0; l < n; l++)
		for (int sweep = 0;; sweep++) {
			int m = l;
			while (m < n - 1 && fabs(e[m]) > DBL_EPSILON * (fabs(d[m]) + fabs(d[m + 1])))
				m++;
			if (m == l)
				break;
			if (sweep == SWEEPS_MAX || !isfinite(e[l]))
				return false;
			ql_step(d, e, z, n, l, m);
		}
	return true;
}

static void rows_swap(double *x, double *y, int n)
{
	for (int i = 0; i < n; i++) {
		double t = x[i];
		x[i] = y[i];
		y[i] = t;
	}
}

static void rows_sort(double *w, double *z, int n)
{
	for (int i = 0; i < n; i++) {
		int best = i;
		for (int k = i + 1; k < n; k++)
			if (w[k] > w[best])
				best = k;
		if (best == i)
			continue;
		double t = w[i];
		w[i] = w[best];
		w[best] = t;
		rows_swap(z + (long)i * n, z + (long)best * n, n);
	}
}

bool eigen_symmetric(double *a, int n, double *w, double *work)
{
	for (int i = 0; i < n; i++)
		for (int k = 0; k <= i; k++)
			if (!isfinite(a[(long)i * n + k]))
				return false;
	if (n < 1)
		return true;
	tridiagonal(a, n, w, work);
	if (!ql_run(w, work, a, n))
		return false;
	rows_sort(w, a, n);
	return true;
}

double eigen_effective_rank(const double *s, int n, bool squared)
{
	double sum = 0, h = 0;
	for (int i = 0; i < n; i++)
		sum += s[i] > 0 ? (squared ? sqrt(s[i]) : s[i]) : 0;
	for (int i = 0; i < n && sum > 0; i++) {
		double p = s[i] > 0 ? (squared ? sqrt(s[i]) : s[i]) / sum : 0;
		h -= p > 0 ? p * log(p) : 0;
	}
	return sum > 0 ? exp(h) : 0;
}
