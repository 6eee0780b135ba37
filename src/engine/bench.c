/* bench.c - see bench.h. Limits: limits.h. */
#include "engine/bench_parts.h"
#include "base/clock.h"
#include "base/rng.h"
#include "num/limits.h"
#include "num/topk.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Turns of a pair go on for the short time, or for the long one until there are a few. */
enum { TURNS_LEAST = 3 };
#define TURNS_SHORT 0.1
#define TURNS_LONG 1.0

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static double median_of(const double *x, int n)
{
	double v[BENCH_REPEATS_MAX];
	memcpy(v, x, sizeof *v * (size_t)n);
	qsort(v, (size_t)n, sizeof *v, by_value);
	return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

double bench_clock(const Pool *p)
{
	return pool_threads(p) == 1 ? clock_thread() : clock_now();
}

/* The best of a few turns, as the limit is the best of its own. The first one does not count when there is time for more: measuring
 * the limit has put the data out of the caches. A negative number: it failed. */
static double bench_turns(double (*once)(void *), void *ud)
{
	const double t0 = clock_now();
	double best = once(ud);
	for (int i = 0; best >= 0 && clock_now() - t0 < (i < TURNS_LEAST ? TURNS_LONG : TURNS_SHORT); i++) {
		double v = once(ud);
		best = i == 0 || v < 0 || v > best ? v : best;
	}
	return best;
}

bool bench_pairs(const BenchJob *j, int usual, double (*once)(void *), double (*limit)(void *), void *ud, BenchResult *r)
{
	int n = j->repeats > 0 ? j->repeats : usual;
	double limits[BENCH_REPEATS_MAX], ratio[BENCH_REPEATS_MAX];
	if (n > BENCH_REPEATS_MAX)
		n = BENCH_REPEATS_MAX;
	if (once(ud) < 0)
		return false;
	for (int i = 0; i < n; i++) {
		double v = bench_turns(once, ud);
		if (v < 0)
			return false;
		limits[i] = limit(ud);
		ratio[i] = limits[i] > 0 ? v / limits[i] : 0;
		r->repeats[r->n++] = v;
	}
	r->value = median_of(r->repeats, n);
	r->limit = median_of(limits, n);
	r->share = median_of(ratio, n);
	return true;
}

/* --- gemm --- */

static bool gemm_data(const BenchJob *j, real **x, void **W, real **y, Err *e)
{
	size_t nw = (size_t)(j->n * j->k), nx = (size_t)(j->rows * j->k);
	*x = aligned_alloc(64, (nx * sizeof(real) + 63) / 64 * 64);
	*W = aligned_alloc(64, (nw * dtype_bits(j->dtype) / 8 + 63) / 64 * 64);
	*y = aligned_alloc(64, ((size_t)(j->rows * j->n) * sizeof(real) + 63) / 64 * 64);
	real *row = malloc(sizeof *row * (size_t)j->k);
	if (!*x || !*W || !*y || !row) {
		free(row);
		return err_set(e, E_5001, "gemm %lldx%lldx%lld: out of memory", (long long)j->rows, (long long)j->n, (long long)j->k);
	}
	Rng g = rng_make(1, 2);
	for (size_t i = 0; i < nx; i++)
		(*x)[i] = (real)rng_normal(&g);
	for (int64_t i = 0; i < j->n; i++) {
		for (int64_t k = 0; k < j->k; k++)
			row[k] = (real)(rng_uniform(&g) - 0.5);
		dtype_from_real(j->dtype, row, (size_t)j->k, (char *)*W + (size_t)(i * j->k) * dtype_bits(j->dtype) / 8);
	}
	free(row);
	return true;
}

typedef struct Gemm { const BenchJob *j; const real *x; real *y; Mat W; double flop; int calls; } Gemm;

static double gemm_once(void *ud)
{
	const Gemm *g = ud;
	const BenchJob *j = g->j;
	double t = bench_clock(j->pool);
	for (int c = 0; c < g->calls; c++)
		gemm_nt(j->pool, j->rows, g->x, j->k, &g->W, g->y, j->n, j->round_bf16 ? GEMM_X_BF16 : 0);
	return g->flop * g->calls / (bench_clock(j->pool) - t) * 1e-9;
}

static double gemm_limit(void *ud)
{
	const BenchJob *j = ((const Gemm *)ud)->j;
	return limit_flops(j->pool, j->round_bf16 ? j->dtype : DT_F32) * pool_threads(j->pool);
}

bool bench_gemm(const BenchJob *j, BenchResult *r, Err *e)
{
	real *x = NULL, *y = NULL;
	void *W = NULL;
	bool ok = gemm_data(j, &x, &W, &y, e);
	Gemm g = { .j = j, .x = x, .y = y, .flop = 2.0 * (double)j->rows * (double)j->n * (double)j->k };
	g.W = (Mat){ .data = W, .dtype = j->dtype, .rows = j->n, .cols = j->k, .stride = j->k };
	g.calls = (int)(4e8 / g.flop) + 1;
	ok = ok && bench_pairs(j, 15, gemm_once, gemm_limit, &g, r);
	r->unit = "GFLOP/s";
	snprintf(r->limit_is, sizeof r->limit_is, "multiply-adds from registers, %d thread%s; y[%lld,%lld] = x W^T, k %lld", pool_threads(j->pool),
		 pool_threads(j->pool) > 1 ? "s" : "", (long long)j->rows, (long long)j->n, (long long)j->k);
	free(x);
	free(W);
	free(y);
	return ok;
}

/* --- models --- */

/* Weight bytes that one token reads: everything but the embedding table and the experts that are not chosen. */
static double token_bytes(const Lm *m)
{
	const Config *c = &m->c;
	double all = (double)m->weight_bytes, E = (double)c->n_routed_experts, idle = 0;
	const Ten *W = m->W_E;
	if (!c->tie_word_embeddings)
		all -= (double)ten_count(W) * dtype_bits(W->dtype) / 8;
	for (int i = 0; i < m->n_layers; i++)
		if (m->block[i].is_moe) {
			const Ten *g = m->block[i].moe.W_gate[0];
			idle += (E - (double)c->num_experts_per_tok) * 3 * (double)ten_count(g) * dtype_bits(g->dtype) / 8;
		}
	for (int i = 0; i < m->n_mtp; i++) { /* the MTP modules take no part */
		const Block *b = &m->mtp[i].block;
		const Ten *w[] = { m->mtp[i].W_eh, b->attn.W_Q, b->attn.W_DQ, b->attn.W_UQ, b->attn.W_DKV, b->attn.W_UKV, b->attn.W_O, b->attn.W_K, b->attn.W_V,
				   b->is_moe ? b->moe.W_g : b->mlp.W_gate, b->is_moe ? b->moe.shared.W_gate : b->mlp.W_up,
				   b->is_moe ? b->moe.shared.W_up : b->mlp.W_down, b->is_moe ? b->moe.shared.W_down : NULL };
		for (size_t k = 0; k < sizeof w / sizeof w[0]; k++)
			if (w[k])
				idle += (double)ten_count(w[k]) * dtype_bits(w[k]->dtype) / 8;
		if (b->is_moe)
			idle += E * 3 * (double)ten_count(b->moe.W_gate[0]) * dtype_bits(b->moe.W_gate[0]->dtype) / 8;
	}
	return all - idle;
}

typedef struct Course { const BenchJob *j; Tape *tape; Kv *kv; int32_t *id; int32_t *pos; Seq *seq; int *slot; double bytes, set; int turn; Err *e; } Course;

static void course_done(Course *c)
{
	tape_free(c->tape);
	kv_free(c->kv);
	free(c->id);
	free(c->pos);
	free(c->seq);
	free(c->slot);
}

static bool course_init(Course *c, const BenchJob *j, int64_t rows, int64_t context, Err *e)
{
	*c = (Course){ .j = j, .e = e };
	size_t n = (size_t)(rows > j->batch ? rows : j->batch) + 1;
	c->tape = tape_new(j->pool, 0);
	c->id = calloc(n, sizeof *c->id);
	c->pos = calloc(n, sizeof *c->pos);
	c->seq = calloc(n, sizeof *c->seq);
	c->slot = calloc(n, sizeof *c->slot);
	if (!c->tape || !c->id || !c->pos || !c->seq || !c->slot)
		return err_set(e, E_5001, "out of memory");
	static const Recipe none = { .name = "native" };
	tape_set_recipe(c->tape, j->round_bf16 ? recipe_by_name("bf16") : &none);
	c->kv = lm_kv(j->m, (int)j->batch, context, REAL_DTYPE, e);
	return c->kv != NULL;
}

/* Puts `depth` rows of random numbers into every layer's cache. */
static bool course_fill(Course *c, int64_t depth, Err *e)
{
	Rng g = rng_make(3, 4);
	for (int l = 0; l < c->j->m->n_layers; l++) {
		KvShape s = attn_kv_shape(&c->j->m->block[l].attn);
		for (int which = 0; which < 2 && depth > 0; which++) {
			int64_t shape[2] = { depth, s.width[which] };
			real *x = malloc(sizeof *x * (size_t)(shape[0] * shape[1]));
			if (!x)
				return err_set(e, E_5001, "out of memory for %lld cached positions", (long long)depth);
			for (int64_t i = 0; i < shape[0] * shape[1]; i++)
				x[i] = (real)(rng_uniform(&g) * 2 - 1);
			Ten t = ten_wrap(REAL_DTYPE, x, 2, shape, NULL);
			for (int b = 0; b < c->j->batch; b++)
				kv_put(c->kv, l, which, b, 0, &t, 0, depth);
			free(x);
		}
	}
	return true;
}

/* One forward of n rows a sequence at position pos; the next ids are the best ones. */
static bool course_forward(Course *c, int64_t pos, int64_t n, AttnForm form, Err *e)
{
	int B = (int)c->j->batch, T = (int)(n * B);
	int32_t last[64];
	for (int b = 0; b < B; b++) {
		c->seq[b] = (Seq){ .row0 = (int)(b * n), .rows = (int)n };
		c->slot[b] = b;
		last[b] = (int32_t)((b + 1) * n - 1);
		for (int64_t i = 0; i < n; i++)
			c->pos[b * n + i] = (int32_t)(pos + i);
	}
	tape_reset(c->tape);
	Batch batch = { T, c->id, c->pos, B, c->seq, c->slot };
	Run r = { c->j->m, c->kv, &batch, form };
	Ten *logits = lm_logits(c->tape, &r, lm_hidden(c->tape, &r), last, B);
	if (!tape_ok(c->tape, e) || !logits)
		return false;
	for (int b = 0; b < B; b++)
		c->id[b * (n > 1 ? 0 : 1)] = argmax_first(ten_real(logits) + b * logits->stride, (int)ten_cols(logits));
	return true;
}

static double decode_once(void *ud)
{
	Course *c = ud;
	const BenchJob *j = c->j;
	double t = bench_clock(j->pool);
	for (int64_t i = 0; i < j->tokens; i++)
		if (!course_forward(c, j->depth + i, 1, FORM_ABSORBED, c->e))
			return -1;
	return (double)(j->tokens * j->batch) / (bench_clock(j->pool) - t);
}

static double decode_limit(void *ud)
{
	const Course *c = ud;
	return (double)c->j->batch * limit_read(c->j->pool, (size_t)c->set) * 1e9 / c->bytes;
}

/* Bytes of cache that one token of one sequence reads, at the middle of a repeat. */
static double token_cache(const BenchJob *j)
{
	double cache = 0;
	for (int l = 0; l < j->m->n_layers; l++) {
		KvShape s = attn_kv_shape(&j->m->block[l].attn);
		cache += (double)(s.width[0] + s.width[1]) * (double)sizeof(real) * ((double)j->depth + (double)j->tokens / 2);
	}
	return cache;
}

bool bench_decode(const BenchJob *j, BenchResult *r, Err *e)
{
	Course c;
	double weights = token_bytes(j->m), cache = token_cache(j), set = (double)j->m->weight_bytes + cache * (double)j->batch;
	bool ok = course_init(&c, j, 1, j->depth + j->tokens + 8, e) && course_fill(&c, j->depth, e);
	c.bytes = weights + cache * (double)j->batch;
	c.set = set < 256e6 ? set : 256e6;
	ok = ok && bench_pairs(j, 9, decode_once, decode_limit, &c, r);
	r->unit = "tok/s";
	snprintf(r->limit_is, sizeof r->limit_is, "%.2f MB of weights and %.2f MB of cache a token, read from a set of %.0f MB", weights / 1e6,
		 cache / 1e6, set / 1e6);
	course_done(&c);
	return ok;
}

double bench_prompt_flop(const Lm *m, double T, double logits)
{
	const Config *c = &m->c;
	double h = (double)c->hidden_size, sum = 0;
	for (int i = 0; i < m->n_layers; i++) {
		const Attn *a = &m->block[i].attn;
		const Ten *w[] = { a->W_Q, a->W_DQ, a->W_UQ, a->W_DKV, a->W_UKV, a->W_K, a->W_V, a->W_O };
		for (size_t k = 0; k < sizeof w / sizeof w[0]; k++)
			sum += w[k] ? (double)ten_count(w[k]) : 0;
		sum += (double)a->H * (a->d_n + a->d_r + a->d_v) * (T + 1) / 2;
		if (m->block[i].is_moe)
			sum += 3 * h * (double)c->moe_intermediate_size * (double)(c->num_experts_per_tok + c->n_shared_experts) +
			       h * (double)c->n_routed_experts;
		else
			sum += 3 * h * (double)c->intermediate_size;
	}
	return 2 * (sum * T + logits * h * (double)c->vocab_size);
}

static double prefill_once(void *ud)
{
	Course *c = ud;
	const BenchJob *j = c->j;
	Rng g = rng_make(5, (uint64_t)c->turn++);
	for (int64_t i = 0; i < j->tokens * j->batch; i++)
		c->id[i] = (int32_t)rng_below(&g, (uint32_t)j->m->c.vocab_size);
	double t = bench_clock(j->pool);
	if (!course_forward(c, 0, j->tokens, FORM_NAIVE, c->e))
		return -1;
	return (double)(j->tokens * j->batch) / (bench_clock(j->pool) - t);
}

static double prefill_limit(void *ud)
{
	const BenchJob *j = ((const Course *)ud)->j;
	double T = (double)j->tokens, peak = limit_flops(j->pool, j->round_bf16 ? DT_BF16 : DT_F32) * pool_threads(j->pool);
	return peak * 1e9 / (bench_prompt_flop(j->m, T, 1) / T);
}

bool bench_prefill(const BenchJob *j, BenchResult *r, Err *e)
{
	Course c;
	double T = (double)j->tokens;
	bool ok = course_init(&c, j, j->tokens * j->batch, j->tokens, e) && bench_pairs(j, 7, prefill_once, prefill_limit, &c, r);
	r->unit = "tok/s";
	snprintf(r->limit_is, sizeof r->limit_is, "%.3f MFLOP a token at the multiply-add rate", bench_prompt_flop(j->m, T, 1) / T / 1e6);
	course_done(&c);
	return ok;
}
