/* bench_fp8.c - quantising against copying, and products as Hopper's tensor cores form them. */
#include "engine/bench_parts.h"
#include "base/rng.h"
#include "num/fp8_gemm.h"
#include "num/limits.h"
#include <stdio.h>
#include <stdlib.h>

/* The matrix does not fit the caches; the product is the one that perf.md names. */
enum { ROWS = 4096, COLS = 4096, HOPPER_M = 512, HOPPER_N = 512, HOPPER_K = 4096, TURNS = 3 };

typedef struct Fp8Bench { Pool *pool; real *x, *y; uint8_t *code; float *scale; const FpQuant *q; } Fp8Bench;

static const FpQuant tiles = { FP_E4M3, 1, 128, FP_SCALE_F32, 0 };

/* Bytes read and written: reals and codes. */
static double quantise_once(void *ud)
{
	const Fp8Bench *b = ud;
	double t = bench_clock(b->pool);
	fp_quantise(b->pool, b->q, ROWS, COLS, b->x, COLS, &(FpOut){ .code = b->code, .ld_code = COLS, .scale = b->scale });
	return (double)(sizeof(real) + 1) * ROWS * COLS / (bench_clock(b->pool) - t) * 1e-9;
}

static double values_once(Fp8Bench *b)
{
	double t = bench_clock(b->pool);
	fp_quantise(b->pool, b->q, ROWS, COLS, b->x, COLS, &(FpOut){ .y = b->y, .ldy = COLS });
	return 2.0 * (double)sizeof(real) * ROWS * COLS / (bench_clock(b->pool) - t) * 1e-9;
}

static double copy_limit(void *ud)
{
	return limit_copy(((const Fp8Bench *)ud)->pool, sizeof(real) * ROWS * COLS);
}

static double hopper_seconds(const Fp8Bench *b)
{
	FpMat A = { b->code, FP_E4M3, HOPPER_M, HOPPER_K, HOPPER_K, 1, b->scale, 1, 128, HOPPER_K / 128, 1 };
	FpMat B = { b->code + (int64_t)HOPPER_M * HOPPER_K, FP_E4M3, HOPPER_N, HOPPER_K, HOPPER_K, 1, b->scale, 128, 128, HOPPER_K / 128, 1 };
	double t = bench_clock(b->pool);
	fp_gemm(b->pool, &A, &B, &(FpAccum){ 13, 128 }, b->y, HOPPER_N, false);
	return bench_clock(b->pool) - t;
}

static void part_note(BenchResult *r, const char *name, double v)
{
	r->part[r->n_part++] = (BenchPart){ name, v };
}

static double best_quantise(Fp8Bench *b, const FpQuant *q)
{
	double best = 0;
	b->q = q;
	for (int i = 0; i < TURNS; i++) {
		double v = quantise_once(b);
		best = v > best ? v : best;
	}
	b->q = &tiles;
	return best;
}

static void parts_measure(Fp8Bench *b, BenchResult *r)
{
	static const FpQuant blocks = { FP_E4M3, 128, 128, FP_SCALE_F32, 0 }, columns = { FP_E4M3, 128, 1, FP_SCALE_F32, 0 },
		whole = { FP_E4M3, 0, 0, FP_SCALE_F32, 0 }, mx = { FP_E4M3, 1, 32, FP_SCALE_MX, 0 };
	double least = hopper_seconds(b), values = 0;
	for (int i = 0; i < TURNS; i++) {
		double s = hopper_seconds(b), v = values_once(b);
		least = s < least ? s : least;
		values = v > values ? v : values;
	}
	part_note(r, "values_gb_s", values);
	part_note(r, "blocks_gb_s", best_quantise(b, &blocks));
	part_note(r, "columns_gb_s", best_quantise(b, &columns));
	part_note(r, "tensor_gb_s", best_quantise(b, &whole));
	part_note(r, "mx_gb_s", best_quantise(b, &mx));
	part_note(r, "hopper_seconds", least);
}

bool bench_fp8(const BenchJob *j, BenchResult *r, Err *e)
{
	const size_t n = (size_t)ROWS * COLS;
	Fp8Bench b = { j->pool, aligned_alloc(64, n * sizeof(real)), aligned_alloc(64, n * sizeof(real)), malloc(n), malloc(n / 32 * sizeof(float)), &tiles };
	bool ok = (b.x && b.y && b.code && b.scale) || err_set(e, E_5001, "out of memory for %d MiB", (int)(9 * n >> 20));
	Rng g = rng_make(1, 2);
	for (size_t i = 0; ok && i < n; i++) {
		b.x[i] = (real)(rng_uniform(&g) - 0.5);
		b.y[i] = 0;
		b.code[i] = 0;
	}
	ok = ok && bench_pairs(j, 9, quantise_once, copy_limit, &b, r);
	if (ok)
		parts_measure(&b, r);
	r->unit = "GB/s";
	snprintf(r->limit_is, sizeof r->limit_is, "copying as many numbers, bytes both ways; e4m3 in tiles of 1x128 of a matrix %dx%d", ROWS, COLS);
	free(b.x);
	free(b.y);
	free(b.code);
	free(b.scale);
	return ok;
}
