/* test_rows.c - row functions of every kernel set against double loops, accuracy of exp, rows alone against rows in a batch. */
#include "tests/unit.h"
#include "num/kernel_sets.h"
#include "num/kernels.h"
#include "num/rows.h"
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const Kernels *set_at(int i)
{
	const Kernels *k = kernels_at(i);
#ifdef TEST_EMU512
	if (!k && i > 0 && kernels_at(i - 1))
		return &kernels_emu512;
#endif
	return k;
}
#define EACH_SET(k) for (int set_ = 0; set_at(set_); set_++) for (const Kernels *k = set_at(set_); k; k = NULL)

static void fill(real *x, int64_t n, double scale)
{
	for (int64_t i = 0; i < n; i++)
		x[i] = (real)(((double)rand() / RAND_MAX - 0.5) * 2 * scale);
}

static double ulps(double got, double want)
{
	if (got == want)
		return 0;
	if (isinf((float)want) || isnan(got))
		return isinf(got) ? 0 : 1e9;
	double step = fmax(ldexp(1, ilogb(want) - 23), 0x1p-149);
	return fabs(got - want) / step;
}

/* Every 1000th float from where exp is zero to where it is infinite. */
TEST(rows_exp_is_accurate)
{
	EACH_SET(k) {
		double worst = 0, scalar = 0;
		real x[8], y[8];
		for (double v = -105; v < 89.5; v += 0.00173) {
			for (int i = 0; i < 8; i++)
				x[i] = (real)(v + i * 0.0002);
			k->row_exp(8, x, 0, y);
			for (int i = 0; i < 8; i++) {
				worst = fmax(worst, ulps((double)y[i], exp((double)x[i])));
				scalar = fmax(scalar, ulps((double)num_exp(x[i]), exp((double)x[i])));
			}
		}
		if (worst > 2 || scalar > 2)
			fail_msg("%s: exp off by %g ulp, num_exp by %g", k->name, worst, scalar);
		x[0] = (real)NAN;
		x[1] = (real)INFINITY;
		x[2] = -(real)INFINITY;
		x[3] = 0;
		k->row_exp(4, x, 0, y);
		assert_true(isnan(y[0]) && isinf(y[1]) && y[2] == 0 && y[3] == 1);
		assert_true(isnan(num_exp(x[0])) && isinf(num_exp(x[1])) && num_exp(x[2]) == 0 && num_exp(0) == 1);
	}
}

enum { ROWS = 7, LD = 230 };

TEST(rows_rmsnorm_and_softmax)
{
	static real x[ROWS * LD], y[ROWS * LD], s[ROWS * LD], g[LD], rstd[ROWS];
	EACH_SET(k) {
		Pool *p = pool_new_with(2, k);
		for (int64_t n = 1; n < LD; n += n < 40 ? 1 : 19) {
			fill(x, ROWS * LD, 3);
			fill(g, LD, 1);
			memcpy(s, x, sizeof x);
			rows_rmsnorm(p, ROWS, n, x, LD, g, (real)1e-6, y, LD, rstd);
			rows_softmax(p, ROWS, n, s, LD);
			for (int r = 0; r < ROWS; r++) {
				double ss = 0, sum = 0;
				for (int64_t i = 0; i < n; i++) {
					ss += (double)x[r * LD + i] * (double)x[r * LD + i];
					sum += exp((double)x[r * LD + i]);
				}
				double want = 1 / sqrt(ss / (double)n + 1e-6);
				assert_close(rstd[r], want, 0, 1e-6);
				assert_close(row_logsumexp(n, x + r * LD), log(sum), 1e-6, 1e-6);
				for (int64_t i = 0; i < n; i++) {
					assert_close(y[r * LD + i], (double)g[i] * (double)x[r * LD + i] * want, 1e-7, 2e-6);
					assert_close(s[r * LD + i], exp((double)x[r * LD + i]) / sum, 1e-9, 2e-6);
				}
				assert_true(s[r * LD + n] == x[r * LD + n]);
			}
		}
		pool_free(p);
	}
}

TEST(rows_elementwise)
{
	static real a[20000], b[20000], y[20000];
	EACH_SET(k) {
		Pool *p = pool_new_with(2, k);
		fill(a, 20000, 20);
		fill(b, 20000, 2);
		rows_sigmoid(p, 19997, a, y);
		for (int i = 0; i < 19997; i++)
			assert_close(y[i], 1 / (1 + exp(-(double)a[i])), 1e-12, 1e-6);
		rows_add(p, 19997, a, b, y);
		for (int i = 0; i < 19997; i++)
			assert_true(y[i] == a[i] + b[i]);
		rows_swiglu(p, 100, 37, a, 40, b, 50, y, 60);
		for (int i = 0; i < 100 * 37; i++) {
			double v = (double)a[i / 37 * 40 + i % 37], w = (double)b[i / 37 * 50 + i % 37];
			assert_close(y[i / 37 * 60 + i % 37], v / (1 + exp(-v)) * w, 1e-12, 3e-6);
		}
		pool_free(p);
	}
}

/* Scores taken in pieces give the softmax of the whole. */
/* dot, sums, and gradients, set and added, of lengths around the vectors; what lies behind a row stays. */
TEST(rows_gradients)
{
	enum { N = 40 };
	real x[N], g[N], gy[N], y[N], z[N], was[N];
	EACH_SET(k)
		for (int n = 1; n < N; n++) {
			fill(x, N, 2);
			fill(g, N, 2);
			fill(gy, N, 2);
			fill(was, N, 2);
			double dot = 0, sq = 0;
			for (int i = 0; i < n; i++) {
				dot += (double)gy[i] * (double)g[i] * (double)x[i];
				sq += (double)x[i] * (double)g[i];
			}
			assert_close(k->row_dot(n, x, g), sq, 1e-5, 1e-5);
			for (int add = 0; add < 2; add++) {
				memcpy(y, was, sizeof y);
				memcpy(z, was, sizeof z);
				k->row_rmsnorm_back(n, x, g, gy, (real)0.5, y, add);
				for (int i = 0; i < n; i++)
					assert_close(y[i], (add ? (double)was[i] : 0) + 0.5 * (double)(gy[i] * g[i]) - (double)x[i] * dot * 0.125 / n, 1e-4, 1e-5);
				assert_memory_equal(y + n, was + n, (size_t)(N - n) * sizeof *y);
				memcpy(y, was, sizeof y);
				k->row_swiglu_back(n, x, g, gy, y, add, z, add);
				for (int i = 0; i < n; i++) {
					double a = (double)x[i], s = 1 / (1 + exp(-a)), old = add ? (double)was[i] : 0;
					assert_close(y[i], old + (double)gy[i] * (double)g[i] * s * (1 + a * (1 - s)), 1e-4, 1e-5);
					assert_close(z[i], old + (double)gy[i] * a * s, 1e-4, 1e-5);
				}
				assert_memory_equal(z + n, was + n, (size_t)(N - n) * sizeof *z);
			}
			memcpy(y, was, sizeof y);
			k->row_add(n, (real)0.5, x, y);
			k->row_mul_add(n, 2, x, g, y);
			for (int i = 0; i < n; i++)
				assert_close(y[i], (double)was[i] + 0.5 * (double)x[i] + 2 * (double)x[i] * (double)g[i], 1e-5, 1e-5);
			assert_memory_equal(y + n, was + n, (size_t)(N - n) * sizeof *y);
		}
}

TEST(rows_adamw)
{
	enum { N = 37 };
	const AdamStep a = { (real)0.9, (real)0.95, (real)1e-8, (real)0.01, (real)0.001, (real)0.5, 2, 3 };
	real g[N], w[N], m[N], v[N], w0[N], m0[N], v0[N];
	EACH_SET(k) {
		fill(g, N, 1);
		fill(w, N, 1);
		fill(m, N, 1);
		for (int i = 0; i < N; i++)
			v[i] = g[i] * g[i];
		memcpy(w0, w, sizeof w);
		memcpy(m0, m, sizeof m);
		memcpy(v0, v, sizeof v);
		k->row_adamw(N, &a, g, w, m, v);
		for (int i = 0; i < N; i++) {
			double d = 0.5 * (double)g[i], mm = 0.9 * (double)m0[i] + 0.1 * d, vv = 0.95 * (double)v0[i] + 0.05 * d * d;
			assert_close(m[i], mm, 1e-5, 1e-6);
			assert_close(v[i], vv, 1e-5, 1e-6);
			assert_close(w[i], 0.999 * (double)w0[i] - 0.01 * 2 * mm / (sqrt(3 * vv) + 1e-8), 1e-4, 1e-5);
		}
	}
}

TEST(rows_softmax_online)
{
	EACH_SET(k) {
		real s[100], all[100], max = -(real)INFINITY, sum = 0, factor;
		fill(s, 100, 8);
		s[3] = s[40] = -(real)INFINITY;
		memcpy(all, s, sizeof s);
		real hidden[2] = { -(real)INFINITY, -(real)INFINITY };
		max = row_softmax_online(k, 2, hidden, max, &factor, &sum);
		assert_true(isinf(max) && factor == 0 && sum == 0 && hidden[0] == 0);
		double weight[100] = { 0 };
		for (int at = 0; at < 100; at += 30) {
			int n = at + 30 < 100 ? 30 : 100 - at;
			max = row_softmax_online(k, n, s + at, max, &factor, &sum);
			for (int i = 0; i < at; i++)
				weight[i] *= (double)factor;
			for (int i = at; i < at + n; i++)
				weight[i] = (double)s[i];
		}
		double total = 0;
		for (int i = 0; i < 100; i++)
			total += exp((double)all[i]);
		for (int i = 0; i < 100; i++)
			assert_close(weight[i] / (double)sum, exp((double)all[i]) / total, 1e-9, 1e-5);
		assert_close((double)max + log((double)sum), log(total), 1e-5, 1e-6);
	}
}

TEST(rows_do_not_see_each_other)
{
	static real x[64 * LD], y[64 * LD], one[LD];
	EACH_SET(k) {
		for (int threads = 1; threads < 4; threads++) {
			Pool *p = pool_new_with(threads, k);
			fill(x, 64 * LD, 4);
			memcpy(y, x, sizeof x);
			rows_softmax(p, 64, 211, y, LD);
			for (int r = 0; r < 64; r++) {
				memcpy(one, x + r * LD, sizeof one);
				rows_softmax(p, 1, 211, one, LD);
				assert_memory_equal(one, y + r * LD, 211 * sizeof *one);
			}
			pool_free(p);
		}
	}
}

TEST(rows_logsumexp_ends)
{
	real x[3] = { -(real)INFINITY, -(real)INFINITY, -(real)INFINITY };
	assert_true(isinf(row_logsumexp(3, x)) && row_logsumexp(3, x) < 0);
	assert_true(row_logsumexp(0, x) < 0);
	x[1] = 5;
	assert_true(row_logsumexp(3, x) == 5);
}
