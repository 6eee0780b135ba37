/* bench_train.c - whole training steps on random tokens, without the MTP modules. A large batch goes forward and back in parts of at
 * most PART_TOKENS: the same gradient and as much work, in less memory. */
#include "base/rng.h"
#include "engine/bench_parts.h"
#include "num/limits.h"
#include "train/train.h"
#include <stdio.h>
#include <stdlib.h>

enum { PART_TOKENS = 2048 };

typedef struct Steps { const BenchJob *j; Train *train; TrainBatch b; uint64_t turn; Err *e; } Steps;

static void steps_done(Steps *s)
{
	train_free(s->train);
	free(s->b.id);
	free(s->b.label);
	free(s->b.pos);
	free(s->b.docs);
}

static bool steps_init(Steps *s, const BenchJob *j, Err *e)
{
	const int B = (int)j->batch, T = (int)j->tokens;
	size_t n = sizeof(int32_t) * (size_t)B * (size_t)T;
	*s = (Steps){ .j = j, .e = e, .b = { .rows = B, .seq = T, .id = malloc(n), .label = malloc(n), .pos = malloc(n), .n_seq = B,
		.docs = malloc(sizeof(Seq) * (size_t)B) } };
	if (!s->b.id || !s->b.label || !s->b.pos || !s->b.docs)
		return err_set(e, E_5001, "out of memory for %d rows of %d tokens", B, T);
	for (int b = 0; b < B; b++) {
		s->b.docs[b] = (Seq){ .row0 = b * T, .rows = T };
		for (int i = 0; i < T; i++)
			s->b.pos[b * T + i] = i;
	}
	Config c = *j->config;
	c.num_nextn_predict_layers = 0;
	TrainSettings set;
	settings_default(&set);
	set.batch = B;
	set.seq = T;
	set.accumulate = ((int64_t)B * T + PART_TOKENS - 1) / PART_TOKENS; /* no more than rows are taken */
	set.gemm = j->round_bf16 ? GEMM_BF16 : GEMM_F32;
	TrainStart start = { .config = &c, .threads = pool_threads(j->pool),
		.memory_limit = j->memory_limit };
	s->train = train_new(&start, &set, NULL, NULL, e);
	return s->train != NULL;
}

static double step_once(void *ud)
{
	Steps *s = ud;
	const uint32_t V = (uint32_t)s->j->config->vocab_size;
	const int n = s->b.rows * s->b.seq;
	Rng g = rng_make(7, s->turn++);
	StepReport r;
	for (int i = 0; i < n; i++) {
		s->b.id[i] = (int32_t)rng_below(&g, V);
		s->b.label[i] = (int32_t)rng_below(&g, V);
	}
	double t = bench_clock(s->j->pool);
	if (!train_gradient(s->train, &s->b, TERMS_ALL, &r, s->e) || !train_update(s->train, &r, s->e))
		return -1;
	return n / (bench_clock(s->j->pool) - t);
}

static double token_flop(const Steps *s)
{
	double T = (double)s->j->tokens;
	return 3 * bench_prompt_flop(train_lm(s->train), T, T) / T;
}

static double step_limit(void *ud)
{
	const Steps *s = ud;
	Pool *p = s->j->pool;
	return limit_flops(p, s->j->round_bf16 ? DT_BF16 : DT_F32) * pool_threads(p) * 1e9 / token_flop(s);
}

bool bench_train(const BenchJob *j, BenchResult *r, Err *e)
{
	Steps s;
	bool ok = steps_init(&s, j, e) && bench_pairs(j, 7, step_once, step_limit, &s, r);
	r->unit = "tok/s";
	if (ok)
		snprintf(r->limit_is, sizeof r->limit_is, "%.3f MFLOP a token at the multiply-add rate, nothing for recomputation",
			token_flop(&s) / 1e6);
	steps_done(&s);
	return ok;
}
