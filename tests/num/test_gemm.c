/* test_gemm.c - products of every kernel set and dtype against plain double loops, with strides, unaligned weights and
 * accumulation; and the promise of gemm.h: a row alone has the bits it has in any batch, on any number of threads. */
#include "tests/unit.h"
#include "num/gemm.h"
#include "num/kernel_sets.h"
#include "num/kernels.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#if defined(HAVE_CBLAS) && !defined(LATHE_DOUBLE)
#include <cblas.h>
#endif

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

static const Dtype TYPES[] = { DT_F32, DT_BF16, DT_F16, DT_F8_E4M3, DT_F8_E5M2, DT_F64 };
enum { TYPE_COUNT = 6, GUARD = 12345 };

static real noise(void)
{
	return (real)((double)rand() / RAND_MAX - 0.5);
}

/* Weights one byte off alignment, with their values in double. */
typedef struct Weights {
	Mat m;
	unsigned char *bytes;
	float *scale;
	double *v;
} Weights;

static Weights weights_make(Dtype d, int64_t N, int64_t K, int64_t stride)
{
	size_t n = (size_t)(N * stride + 1);
	Weights w = { .bytes = malloc(n * 8 + 1), .v = malloc(n * sizeof(double)) };
	real *r = malloc(n * sizeof *r);
	for (size_t i = 0; i < n; i++)
		r[i] = noise();
	dtype_from_real(d, r, n, w.bytes + 1);
	dtype_to_real(d, w.bytes + 1, n, r);
	w.m = (Mat){ .data = w.bytes + 1, .dtype = d, .rows = N, .cols = K, .stride = stride };
	if (dtype_bits(d) == 8) {
		int64_t sr = (N + 127) / 128, sc = (K + 127) / 128;
		w.scale = malloc((size_t)(sr * sc) * 4 + 5);
		w.m.scale = (const float *)(const void *)((char *)w.scale + 1);
		w.m.scale_stride = sc;
		for (int64_t i = 0; i < sr * sc; i++) {
			float s = 0.1f + (float)noise();
			memcpy((char *)w.scale + 1 + 4 * i, &s, 4);
		}
	}
	for (int64_t i = 0; i < N * stride; i++) {
		float s = 1;
		if (w.m.scale && i % stride < K)
			memcpy(&s, (const char *)w.m.scale + 4 * (i / stride / 128 * w.m.scale_stride + i % stride / 128), 4);
		w.v[i] = (double)((float)r[i] * s);
		if (!w.m.scale)
			w.v[i] = (double)r[i];
	}
	free(r);
	return w;
}

static void weights_free(Weights *w)
{
	free(w->bytes);
	free(w->scale);
	free(w->v);
}

static real *reals(int64_t n)
{
	real *p = malloc((size_t)(n ? n : 1) * sizeof *p);
	for (int64_t i = 0; i < n; i++)
		p[i] = noise();
	return p;
}

static double x_value(real v, unsigned flags)
{
	uint16_t h;
	if (!(flags & GEMM_X_BF16))
		return (double)v;
	dtype_from_real(DT_BF16, &v, 1, &h);
	return (double)bf16_to_f32(h);
}

static void near(const char *what, const Kernels *k, const Mat *W, int64_t M, double got, double want, double size)
{
	if (fabs(got - want) > 1e-6 * size + 1e-6)
		fail_msg("%s %s %s M=%d N=%d K=%d: %.9g, not %.9g", what, k->name, dtype_name(W->dtype), (int)M, (int)W->rows, (int)W->cols,
			got, want);
}

/* Against loops; y is wider than N and its rest must stay as it was. */
static void check_nt(Pool *p, const Weights *w, int64_t M, unsigned flags)
{
	const int64_t N = w->m.rows, K = w->m.cols, ldx = K + 3, ldy = N + 2;
	real *x = reals(M * ldx + 1), *y = reals(M * ldy), *before = malloc((size_t)(M * ldy + 1) * sizeof *y);
	memcpy(before, y, (size_t)(M * ldy) * sizeof *y);
	gemm_nt(p, M, x, ldx, &w->m, y, ldy, flags);
	for (int64_t m = 0; m < M; m++) {
		for (int64_t n = 0; n < N; n++) {
			double sum = 0, size = 0;
			for (int64_t i = 0; i < K; i++) {
				double t = x_value(x[m * ldx + i], flags) * w->v[n * w->m.stride + i];
				sum += t;
				size += fabs(t);
			}
			near("nt", pool_kernels(p), &w->m, M, (double)y[m * ldy + n], sum + (flags & GEMM_ACC ? (double)before[m * ldy + n] : 0), size);
		}
		assert_memory_equal(y + m * ldy + N, before + m * ldy + N, 2 * sizeof *y);
	}
	free(x);
	free(y);
	free(before);
}

static void check_nn(Pool *p, const Weights *w, int64_t M, unsigned flags)
{
	const int64_t N = w->m.rows, K = w->m.cols, ldg = N + 3, ldd = K + 2;
	real *g = reals(M * ldg + 1), *d = reals(M * ldd), *before = malloc((size_t)(M * ldd + 1) * sizeof *d);
	memcpy(before, d, (size_t)(M * ldd) * sizeof *d);
	gemm_nn(p, M, g, ldg, &w->m, d, ldd, flags);
	for (int64_t m = 0; m < M; m++) {
		for (int64_t i = 0; i < K; i++) {
			double sum = flags & GEMM_ACC ? (double)before[m * ldd + i] : 0, size = 0;
			for (int64_t n = 0; n < N; n++) {
				double t = (double)g[m * ldg + n] * w->v[n * w->m.stride + i];
				sum += t;
				size += fabs(t);
			}
			near("nn", pool_kernels(p), &w->m, M, (double)d[m * ldd + i], sum, size);
		}
		assert_memory_equal(d + m * ldd + K, before + m * ldd + K, 2 * sizeof *d);
	}
	free(g);
	free(d);
	free(before);
}

static void check_tn(Pool *p, int64_t M, int64_t N, int64_t K, unsigned flags)
{
	const int64_t ldg = N + 1, ldx = K + 3, ldw = K + 2;
	real *g = reals(M * ldg), *x = reals(M * ldx), *d = reals(N * ldw), *before = malloc((size_t)(N * ldw) * sizeof *d);
	Mat like = { .dtype = REAL_DTYPE, .rows = N, .cols = K };
	memcpy(before, d, (size_t)(N * ldw) * sizeof *d);
	gemm_tn(p, M, g, ldg, N, x, ldx, K, d, ldw, flags);
	for (int64_t n = 0; n < N; n++)
		for (int64_t i = 0; i < K; i++) {
			double sum = flags & GEMM_ACC ? (double)before[n * ldw + i] : 0, size = 0;
			for (int64_t m = 0; m < M; m++) {
				double t = (double)g[m * ldg + n] * (double)x[m * ldx + i];
				sum += t;
				size += fabs(t);
			}
			near("tn", pool_kernels(p), &like, M, (double)d[n * ldw + i], sum, size);
		}
	free(g);
	free(x);
	free(d);
	free(before);
}

TEST(gemm_small_shapes)
{
	static const int64_t ns[] = { 1, 2, 3, 5, 8, 13, 25, 49 }, ks[] = { 1, 2, 7, 8, 15, 16, 17, 31, 33, 64, 100, 129, 200 };
	EACH_SET(k) {
		Pool *p = pool_new_with(1, k);
		for (int t = 0; t < TYPE_COUNT; t++)
			for (size_t i = 0; i < sizeof ks / sizeof *ks; i++) {
				int64_t N = ns[(i + (size_t)t) % 8];
				Weights w = weights_make(TYPES[t], N, ks[i], ks[i] + (int64_t)(i % 3));
				for (int64_t M = 1; M <= 17; M++) {
					unsigned flags = (unsigned)(M + (int64_t)i) & 3;
					check_nt(p, &w, M, flags);
					check_nn(p, &w, M, flags & GEMM_ACC);
				}
				weights_free(&w);
			}
		for (int64_t M = 1; M <= 17; M++)
			check_tn(p, M, ns[M % 8], ks[M % 13], (unsigned)M & GEMM_ACC);
		pool_free(p);
	}
}

TEST(gemm_larger_shapes)
{
	static const int64_t shape[][3] = { { 1, 300, 1100 }, { 4, 129, 1500 }, { 40, 140, 1100 }, { 201, 50, 600 }, { 19, 260, 270 } };
	EACH_SET(k) {
		Pool *p = pool_new_with(2, k);
		for (int t = 0; t < TYPE_COUNT; t++)
			for (size_t i = 0; i < 5; i++) {
				Weights w = weights_make(TYPES[t], shape[i][1], shape[i][2], shape[i][2] + 1);
				check_nt(p, &w, shape[i][0], i & 1 ? GEMM_ACC : GEMM_X_BF16);
				check_nn(p, &w, shape[i][0], i & 1);
				weights_free(&w);
			}
		check_tn(p, 150, 130, 210, 0);
		check_tn(p, 300, 9, 200, GEMM_ACC);
		pool_free(p);
	}
}

TEST(gemm_empty_shapes)
{
	Pool *p = pool_new(2);
	real x[4] = { 1, 2, 3, 4 }, y[4] = { 5, 6, 7, 8 };
	for (int t = 0; t < TYPE_COUNT; t++) {
		Mat no_k = { .data = x, .dtype = TYPES[t], .rows = 2, .cols = 0, .stride = 0 }, no_n = { .data = x, .dtype = TYPES[t], .cols = 2, .stride = 2 };
		real z[4] = { 5, 6, 7, 8 };
		gemm_nt(p, 2, x, 0, &no_k, z, 2, GEMM_ACC);
		gemm_nn(p, 2, x, 0, &no_n, z, 2, GEMM_ACC);
		gemm_nt(p, 0, x, 2, &no_n, z, 2, 0);
		assert_memory_equal(z, y, sizeof z);
		gemm_nt(p, 2, x, 0, &no_k, z, 2, 0);
		assert_true(z[0] == 0 && z[1] == 0 && z[2] == 0 && z[3] == 0);
		z[1] = 9;
		gemm_nn(p, 2, x, 0, &no_n, z, 2, 0);
		assert_true(z[0] == 0 && z[1] == 0 && z[2] == 0 && z[3] == 0);
	}
	pool_free(p);
}

/* Rows [m0, m0 + M) of the whole result, computed in a call of their own. */
static void check_rows(Pool *p, const Weights *w, const real *x, const real *whole, int64_t m0, int64_t M, unsigned flags, bool nn)
{
	const int64_t in = nn ? w->m.rows : w->m.cols, out = nn ? w->m.cols : w->m.rows;
	real *y = malloc((size_t)(M * out) * sizeof *y);
	if (nn)
		gemm_nn(p, M, x + m0 * in, in, &w->m, y, out, 0);
	else
		gemm_nt(p, M, x + m0 * in, in, &w->m, y, out, flags);
	if (memcmp(y, whole + m0 * out, (size_t)(M * out) * sizeof *y))
		fail_msg("%s %s: rows %d+%d of N=%d K=%d have other bits on %d threads", pool_kernels(p)->name, dtype_name(w->m.dtype), (int)m0,
			(int)M, (int)w->m.rows, (int)w->m.cols, pool_threads(p));
	free(y);
}

/* Columns alone: a product with one row of W at a time. */
static void check_cols(Pool *p, const Weights *w, const real *x, const real *whole, int64_t M, unsigned flags)
{
	real *y = malloc((size_t)M * sizeof *y);
	for (int64_t n = 0; n < w->m.rows && !w->m.scale; n += 7) {
		Mat one = w->m;
		one.data = (const char *)one.data + (size_t)(n * one.stride) * (dtype_bits(one.dtype) / 8);
		one.rows = 1;
		gemm_nt(p, M, x, w->m.cols, &one, y, 1, flags);
		for (int64_t m = 0; m < M; m++)
			assert_memory_equal(&y[m], &whole[m * w->m.rows + n], sizeof *y);
	}
	free(y);
}

static void check_bits(const Kernels *k, const Weights *w, int64_t M, unsigned flags)
{
	static const int threads[] = { 1, 2, 3, 8 };
	real *x = reals(M * w->m.cols), *g = reals(M * w->m.rows), *y = reals(M * w->m.rows), *d = reals(M * w->m.cols);
	for (size_t t = 0; t < 4; t++) {
		Pool *p = pool_new_with(threads[t], k);
		if (t == 0) {
			gemm_nt(p, M, x, w->m.cols, &w->m, y, w->m.rows, flags);
			gemm_nn(p, M, g, w->m.rows, &w->m, d, w->m.cols, 0);
			check_cols(p, w, x, y, M, flags);
		}
		for (int64_t m = 0; m < M; m++) /* every size of batch up to 17, and the whole */
			for (int64_t n = m % 17 + 1; m + n <= M; n += M) {
				check_rows(p, w, x, y, m, n, flags, false);
				check_rows(p, w, g, d, m, n, 0, true);
			}
		check_rows(p, w, x, y, 0, M, flags, false);
		check_rows(p, w, g, d, 0, M, 0, true);
		for (int64_t m = 0; m < M; m += 5)
			check_rows(p, w, x, y, m, 1, flags, false);
		pool_free(p);
	}
	free(x);
	free(g);
	free(y);
	free(d);
}

TEST(gemm_bits_do_not_depend_on_the_batch)
{
	EACH_SET(k)
		for (int t = 0; t < TYPE_COUNT; t++) {
			Weights a = weights_make(TYPES[t], 77, 205, 207), b = weights_make(TYPES[t], 31, 1300, 1300);
			check_bits(k, &a, 83, 0);
			check_bits(k, &b, 37, GEMM_X_BF16);
			weights_free(&a);
			weights_free(&b);
		}
}

/* From some tens of rows on a set may sum its lanes one after the other (kern_apart.h): whole vectors and parts of one, more columns
 * than it turns at once, strips of four to six rows, results that are added. */
TEST(gemm_bits_of_many_rows)
{
	EACH_SET(k)
		for (int t = 0; t < TYPE_COUNT; t++) {
			Weights a = weights_make(TYPES[t], 130, 512, 512), b = weights_make(TYPES[t], 50, 96, 96);
			Weights c = weights_make(TYPES[t], 17, 24, 31);
			Pool *p = pool_new_with(2, k);
			check_bits(k, &a, 45, 0);
			check_bits(k, &b, 64, GEMM_X_BF16);
			check_bits(k, &c, 32, 0);
			check_nt(p, &b, 200, GEMM_ACC);
			pool_free(p);
			weights_free(&a);
			weights_free(&b);
			weights_free(&c);
		}
}

TEST(gemm_tn_bits_do_not_depend_on_threads)
{
	enum { M = 60, N = 40, K = 300 };
	EACH_SET(k) {
		real *g = reals(M * N), *x = reals(M * K), *a = reals(N * K), *b = reals(N * K);
		for (int threads = 1; threads <= 3; threads++) {
			Pool *p = pool_new_with(threads, k);
			gemm_tn(p, M, g, N, N, x, K, K, threads == 1 ? a : b, K, 0);
			if (threads > 1)
				assert_memory_equal(a, b, N * K * sizeof *a);
			for (int64_t n = 0; n < N; n += 9) {
				gemm_tn(p, M, g + n, N, 1, x, K, K, b, K, 0);
				assert_memory_equal(a + n * K, b, K * sizeof *a);
			}
			pool_free(p);
		}
		free(g);
		free(x);
		free(a);
		free(b);
	}
}

TEST(gemm_grouped_is_each_group_alone)
{
	static const int64_t row[] = { 2, 2, 3, 10, 10, 55, 56 };
	enum { GROUPS = 6, N = 90, K = 70, ROWS = 60 };
	EACH_SET(k)
		for (int t = 0; t < TYPE_COUNT; t++) {
			Weights w[GROUPS];
			Mat W[GROUPS];
			for (int i = 0; i < GROUPS; i++) {
				w[i] = weights_make(TYPES[t], N, K, K);
				W[i] = w[i].m;
			}
			real *x = reals(ROWS * K), *y = reals(ROWS * N), *want = malloc(ROWS * N * sizeof *y);
			memcpy(want, y, ROWS * N * sizeof *y);
			Pool *one = pool_new_with(1, k), *three = pool_new_with(3, k);
			gemm_nt_grouped(three, GROUPS, row, x, K, W, y, N, GEMM_ACC);
			for (int i = 0; i < GROUPS; i++)
				gemm_nt_one(one, 0, row[i + 1] - row[i], x + row[i] * K, K, &W[i], want + row[i] * N, N, GEMM_ACC);
			assert_memory_equal(y, want, ROWS * N * sizeof *y);
			pool_free(one);
			pool_free(three);
			free(x);
			free(y);
			free(want);
			for (int i = 0; i < GROUPS; i++)
				weights_free(&w[i]);
		}
}

TEST(gemm_grouped_gradients_are_each_group_alone)
{
	enum { N = 37, K = 50, M = 240, GROUPS = 4 };
	static const int64_t row[GROUPS + 1] = { 0, 7, 7, 233, M };
	EACH_SET(k) {
		real *g = reals(M * N), *x = reals(M * K), *W = reals(GROUPS * N * K), *a = reals(M * K), *b = reals(M * K);
		Mat m[GROUPS];
		real *dW = malloc(2 * GROUPS * N * K * sizeof *dW), *at[GROUPS], *alone = dW + GROUPS * N * K;
		memset(dW, 0, 2 * GROUPS * N * K * sizeof *dW);
		for (int threads = 1; threads <= 3; threads++) {
			Pool *p = pool_new_with(threads, k);
			for (int i = 0; i < GROUPS; i++) {
				m[i] = (Mat){ .data = W + i * N * K, .dtype = REAL_DTYPE, .rows = N, .cols = K, .stride = K };
				at[i] = i == 3 ? NULL : dW + i * N * K;
			}
			gemm_nn_grouped(p, GROUPS, row, g, N, m, a, K, 0);
			gemm_tn_grouped(p, GROUPS, row, g, N, N, x, K, K, at, K, GEMM_ACC);
			for (int i = 0; i < GROUPS; i++) {
				int64_t r = row[i], n = row[i + 1] - r;
				gemm_nn(p, n, g + r * N, N, &m[i], b + r * K, K, 0);
				if (at[i])
					gemm_tn(p, n, g + r * N, N, N, x + r * K, K, K, alone + i * N * K, K, GEMM_ACC);
			}
			assert_memory_equal(a, b, M * K * sizeof *a);
			assert_memory_equal(dW, alone, GROUPS * N * K * sizeof *dW);
			pool_free(p);
		}
		free(g);
		free(x);
		free(W);
		free(a);
		free(b);
		free(dW);
	}
}

/* More rows than a task takes, more terms than a block of the sum, more columns than a panel. */
TEST(gemm_gradients_of_many_rows)
{
	EACH_SET(k)
		for (int threads = 1; threads <= 2; threads++) {
			Pool *p = pool_new_with(threads, k);
			Weights w = weights_make(DT_F32, 300, 70, 71), h = weights_make(DT_BF16, 130, 65, 65);
			check_nn(p, &w, 395, 0);
			check_nn(p, &h, 197, GEMM_ACC);
			check_tn(p, 290, 203, 75, GEMM_ACC);
			check_tn(p, 530, 17, 64, 0);
			weights_free(&w);
			weights_free(&h);
			pool_free(p);
		}
}

TEST(gemm_nn_one_is_gemm_nn)
{
	Weights w = weights_make(DT_BF16, 200, 333, 340);
	real *g = reals(30 * 200), *a = reals(30 * 333), *b = reals(30 * 333);
	Pool *p = pool_new(2);
	gemm_nn(p, 30, g, 200, &w.m, a, 333, 0);
	gemm_nn_one(p, 0, 30, g, 200, &w.m, b, 333, 0);
	assert_memory_equal(a, b, 30 * 333 * sizeof *a);
	pool_free(p);
	free(g);
	free(a);
	free(b);
	weights_free(&w);
}

/* NaN and infinity in a row stay in that row's results. */
TEST(gemm_passes_nan_on)
{
	EACH_SET(k) {
		Pool *p = pool_new_with(1, k);
		for (int t = 0; t < TYPE_COUNT; t++) {
			Weights w = weights_make(TYPES[t], 9, 50, 50);
			real *x = reals(12 * 50), *y = reals(12 * 9);
			x[3 * 50 + 49] = (real)NAN;
			gemm_nt(p, 12, x, 50, &w.m, y, 9, GEMM_X_BF16);
			for (int i = 0; i < 12 * 9; i++)
				assert_int_equal(isnan(y[i]), i / 9 == 3);
			free(x);
			free(y);
			weights_free(&w);
		}
		pool_free(p);
	}
}

TEST(gemm_fp8_expands_exactly)
{
	/* Every e4m3 code through a product with a unit row: fp8 * scale as one float product, NaN kept. */
	uint8_t code[256];
	float scale[2] = { 0.37f, 1.1e-3f };
	for (int i = 0; i < 256; i++)
		code[i] = (uint8_t)i;
	EACH_SET(k) {
		Pool *p = pool_new_with(1, k);
		Mat W = { .data = code, .dtype = DT_F8_E4M3, .rows = 1, .cols = 256, .stride = 256, .scale = scale, .scale_stride = 2 };
		real one[16], y[16 * 256];
		for (int i = 0; i < 16; i++)
			one[i] = 1;
		gemm_nn(p, 16, one, 1, &W, y, 256, 0);
		for (int i = 0; i < 256; i++) {
			float want = e4m3_to_f32(code[i]) * scale[i / 128];
			assert_true(y[i] == (real)want || (isnan(y[i]) && isnan(want)));
		}
		pool_free(p);
	}
}

#if defined(HAVE_CBLAS) && !defined(LATHE_DOUBLE)
TEST(gemm_against_cblas)
{
	enum { M = 70, N = 130, K = 700 };
	Weights w = weights_make(DT_F32, N, K, K);
	float *W = malloc((size_t)N * K * 4), *x = reals(M * K), *g = reals(M * N), *y = reals(N * K), *z = reals(N * K);
	memcpy(W, w.m.data, (size_t)N * K * 4);
	Pool *p = pool_new(2);
	gemm_nt(p, M, x, K, &w.m, y, N, 0);
	cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, M, N, K, 1, x, K, W, K, 0, z, N);
	for (int i = 0; i < M * N; i++)
		assert_close(y[i], z[i], 1e-4, 1e-5);
	gemm_nn(p, M, g, N, &w.m, y, K, 0);
	cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, M, K, N, 1, g, N, W, K, 0, z, K);
	for (int i = 0; i < M * K; i++)
		assert_close(y[i], z[i], 1e-4, 1e-5);
	gemm_tn(p, M, g, N, N, x, K, K, y, K, 0);
	cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, N, K, M, 1, g, N, x, K, 0, z, K);
	for (int i = 0; i < N * K; i++)
		assert_close(y[i], z[i], 1e-4, 1e-5);
	pool_free(p);
	free(W);
	free(x);
	free(g);
	free(y);
	free(z);
	weights_free(&w);
}
#endif
