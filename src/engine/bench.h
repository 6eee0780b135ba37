/* bench.h - measurements against the machine's limits, taken in the same call. Median of several repeats. */
#ifndef ENGINE_BENCH_H
#define ENGINE_BENCH_H
#include "base/err.h"
#include "model/lm.h"

enum { BENCH_REPEATS_MAX = 31 };
typedef struct BenchJob {
	Pool *pool;
	Lm *m;                   /* decode, prefill: random weights or a checkpoint */
	Dtype dtype;             /* gemm: of the weights */
	int64_t rows, n, k;      /* gemm */
	int64_t depth, tokens, batch;
	bool round_bf16;         /* inputs rounded to bf16: the products may then use bf16 instructions */
	int repeats;
	const Config *config;    /* train, grpo */
	const char *from;        /* grpo: a checkpoint, instead of random weights of config */
	size_t memory_limit;     /* train, grpo */
} BenchJob;
/* What a measurement is made of. */
typedef struct BenchPart { const char *name; double value; } BenchPart;
enum { BENCH_PARTS_MAX = 8 };
typedef struct BenchResult {
	double value;            /* in unit, median */
	double limit;            /* the same unit: what the machine would give */
	double share;            /* value / limit */
	const char *unit;
	char limit_is[160];      /* what the limit is made of */
	int n;
	double repeats[BENCH_REPEATS_MAX];
	int n_part;              /* 0: nothing to tell */
	BenchPart part[BENCH_PARTS_MAX];
} BenchResult;
/* y[rows,n] = x[rows,k] W[n,k]^T, GFLOP/s against the multiply-add rate. */
bool bench_gemm(const BenchJob *j, BenchResult *r, Err *e);
/* tokens/s of one-token forwards (of `batch` sequences) at `depth` cached positions, against reading the bytes once each token. */
bool bench_decode(const BenchJob *j, BenchResult *r, Err *e);
/* tokens/s of a prompt of `tokens`, against the multiply-adds it needs at the multiply-add rate. */
bool bench_prefill(const BenchJob *j, BenchResult *r, Err *e);
/* tokens/s of whole training steps on `batch` rows of `tokens` (gradients, norm, clipping, AdamW), against three times the multiply-adds
 * of a forward with logits of all tokens. round_bf16: products of the recipe "bf16" with real master weights. */
bool bench_train(const BenchJob *j, BenchResult *r, Err *e);
/* Generated tokens/s of whole iterations of GRPO (16 problems, 8 answers of `tokens` tokens, one update), against four times the multiply-adds
 * of a forward. Parts: seconds of an iteration and of its roll-out, rewards and update; tokens/s of the roll-out, and of one answer alone. */
bool bench_grpo(const BenchJob *j, BenchResult *r, Err *e);
/* GB/s, read and written, of quantising a matrix beyond the caches to e4m3 in tiles of 1x128, against copying it. Parts: GB/s of writing values
 * instead of codes, of other groups, and the seconds of a 512x512x4096 product as Hopper's tensor cores form it. */
bool bench_fp8(const BenchJob *j, BenchResult *r, Err *e);
#endif
