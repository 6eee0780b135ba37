/* bench_gemm.c - our products on one thread beside the machine's measured FMA peak, and beside OpenBLAS where there is one.
 * `bench_gemm [SIZE...]` takes only shapes N = K = SIZE. Rows of TSV:
 * what M N K, best GFLOP/s, median share of the FMA peak, GB/s of weights, median speed over OpenBLAS. nn and tn are the two
 * gradients. Weights stay in the cache level that holds them. */
#include "num/gemm.h"
#include "num/kernels.h"
#include "num/limits.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#ifdef HAVE_CBLAS
#include <cblas.h>
#endif

#if defined(HAVE_CBLAS) && !defined(LATHE_DOUBLE)
enum { have_blas = 1, RUNS = 11 };
#else
enum { have_blas = 0, RUNS = 11 };
#endif

typedef struct Case {
	Pool *pool;
	int64_t M, N, K;
	real *x, *y, *f32;
	Mat W;
	unsigned flags;
} Case;

static void run_ours(const Case *c)
{
	gemm_nt(c->pool, c->M, c->x, c->K, &c->W, c->y, c->N, c->flags);
}

static void run_nn(const Case *c)
{
	gemm_nn(c->pool, c->M, c->x, c->N, &c->W, c->y, c->K, c->flags);
}

static void run_tn(const Case *c)
{
	gemm_tn(c->pool, c->M, c->x, c->N, c->N, c->f32, c->K, c->K, c->y, c->K, c->flags);
}

static void run_blas(const Case *c)
{
#if defined(HAVE_CBLAS) && !defined(LATHE_DOUBLE)
	cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)c->M, (int)c->N, (int)c->K, 1, c->x, (int)c->K, c->f32, (int)c->K,
		0, c->y, (int)c->N);
#else
	(void)c;
#endif
}

static double thread_seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double batch_seconds(const Case *c, void (*run)(const Case *), long n)
{
	double t0 = thread_seconds();
	for (long j = 0; j < n; j++)
		run(c);
	return (thread_seconds() - t0) / (double)n;
}

/* Calls that take about a millisecond together. */
static long batch_size(const Case *c, void (*run)(const Case *))
{
	long n = 1;
	while (batch_seconds(c, run, n) * (double)n < 7e-4)
		n *= 2;
	return n;
}

static int order(const void *a, const void *b)
{
	const double *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

/* Pairs, taken side by side because the machine's speed swings: our time against the peak, and against BLAS when `rival`. */
static void row_print(const char *what, const Case *c, void (*run)(const Case *), bool rival)
{
	const Kernels *k = pool_kernels(c->pool);
	double flop = 2.0 * (double)c->M * (double)c->N * (double)c->K, share[RUNS], ratio[RUNS], best = 1e9;
	long n = batch_size(c, run), nb = rival ? batch_size(c, run_blas) : 0;
	for (int i = 0; i < RUNS; i++) {
		double t0 = thread_seconds(), ops = k->probe_fma(3000), peak = ops / (thread_seconds() - t0);
		double t = batch_seconds(c, run, n);
		t0 = thread_seconds();
		ops = k->probe_fma(3000);
		peak = (peak + ops / (thread_seconds() - t0)) / 2;
		share[i] = flop / t / peak;
		ratio[i] = rival ? batch_seconds(c, run_blas, nb) / t : 0;
		best = t < best ? t : best;
	}
	qsort(share, RUNS, sizeof *share, order);
	qsort(ratio, RUNS, sizeof *ratio, order);
	double bytes = (double)c->N * (double)c->K * dtype_bits(c->W.dtype) / 8;
	printf("%s\t%d\t%d\t%d\t%.1f\t%.3f\t%.1f", what, (int)c->M, (int)c->N, (int)c->K, flop / best * 1e-9, share[RUNS / 2],
		bytes / best * 1e-9);
	if (rival)
		printf("\t%.2f", ratio[RUNS / 2]);
	printf("\n");
	fflush(stdout);
}

static void shape_bench(Case *c, void *stored)
{
	static const int rows[] = { 1, 2, 4, 8, 32, 128, 512 };
	static const struct { const char *name; Dtype d; unsigned flags; } types[] = {
		{ "f32", REAL_DTYPE, 0 }, { "bf16", DT_BF16, 0 }, { "bf16x", DT_BF16, GEMM_X_BF16 }, { "f16", DT_F16, 0 }, { "e4m3", DT_F8_E4M3, 0 } };
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		c->M = rows[i];
		c->W = (Mat){ .rows = c->N, .cols = c->K, .stride = c->K };
		for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
			dtype_from_real(types[t].d, c->f32, (size_t)(c->N * c->K), stored);
			c->W.data = stored;
			c->W.dtype = types[t].d;
			c->flags = types[t].flags;
			row_print(types[t].name, c, run_ours, have_blas && t == 0);
			if (t < 2)
				row_print(t ? "bf16_nn" : "f32_nn", c, run_nn, false);
		}
		c->W.dtype = REAL_DTYPE;
		row_print("f32_tn", c, run_tn, false);
	}
}

static real *filled(size_t n)
{
	real *p = aligned_alloc(64, (n * sizeof *p + 63) / 64 * 64);
	for (size_t i = 0; p && i < n; i++)
		p[i] = (real)((double)(i * 2654435761u % 1000u) / 1000 - 0.5);
	return p;
}

int main(int argc, char **argv)
{
	static const int sizes[] = { 128, 384, 1024, 2048 };
	const size_t n = 2048, all = n * n;
	Case c = { .pool = pool_new(1), .x = filled(all), .y = filled(all), .f32 = filled(all) };
	void *stored = filled(all);
	if (!c.pool || !c.x || !c.y || !c.f32 || !stored) {
		fprintf(stderr, "bench_gemm: out of memory\n");
		return 5;
	}
	double peak = limit_flops(c.pool, REAL_DTYPE);
	printf("# kernels %s, peak %.1f GFLOP/s (bf16 %.1f), read L1 %.1f L2 %.1f L3 %.1f DRAM %.1f GB/s, copy L2 %.1f\n",
		pool_kernels(c.pool)->name, peak, limit_flops(c.pool, DT_BF16), limit_read(c.pool, 16 << 10), limit_read(c.pool, 256 << 10),
		limit_read(c.pool, 8 << 20), limit_read(c.pool, 256 << 20), limit_copy(c.pool, 128 << 10));
	printf("dtype\tM\tN\tK\tgflops\tshare\tGB/s\tover_blas\n");
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		bool wanted = argc == 1;
		for (int a = 1; a < argc; a++)
			wanted |= atoi(argv[a]) == sizes[i];
		c.N = c.K = sizes[i];
		if (wanted)
			shape_bench(&c, stored);
	}
	free(stored);
	free(c.x);
	free(c.y);
	free(c.f32);
	pool_free(c.pool);
	return 0;
}
