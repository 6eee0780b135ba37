/* test_quantised.c - products in small formats: the copies that plain loops make, through the same kernels, to the bit; Hopper's sums by the
 * plain rule; a recipe that names nothing changes nothing; the same bits for one thread and two; errors only for those who look. */
#include "tests/ops/stand.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { T = 150, K = 200, N = 140 };

/* x under q by plain loops, in place. turned: the sum runs down the rows. */
static void plain_quantise(const FpQuant *q, bool turned, int64_t rows, int64_t cols, real *x)
{
	int64_t gr = turned ? q->cols : q->rows, gc = turned ? q->rows : q->cols;
	gr = gr ? gr : rows;
	gc = gc ? gc : cols;
	for (int64_t r0 = 0; r0 < rows; r0 += gr)
		for (int64_t c0 = 0; c0 < cols; c0 += gc) {
			float amax = 0;
			for (int64_t r = r0; r < r0 + gr && r < rows; r++)
				for (int64_t c = c0; c < c0 + gc && c < cols; c++)
					amax = fmaxf(amax, fabsf((float)x[r * cols + c]));
			float s = fp_scale(q, amax, 1);
			for (int64_t r = r0; r < r0 + gr && r < rows; r++)
				for (int64_t c = c0; c < c0 + gc && c < cols; c++)
					x[r * cols + c] = (real)(fp_decode(q->format, fp_encode(q->format, (float)x[r * cols + c] / s, true)) * s);
		}
}

static real *copy_of(const real *x, int64_t n)
{
	real *y = malloc(sizeof *y * (size_t)n);
	memcpy(y, x, sizeof *y * (size_t)n);
	return y;
}

typedef struct Layer { Stand s; Ten *x, *W, *y; real seed[T * N]; } Layer;

/* A layer named as attention's, run forward and backward under a recipe. */
static Layer *layer_run(int threads, const Recipe *r)
{
	Layer *l = calloc(1, sizeof *l);
	l->s = stand_new(threads);
	l->x = stand_leaf(&l->s, "x", T, K, 1, true);
	l->W = stand_leaf(&l->s, "model.layers.3.self_attn.o_proj.weight", N, K, 0.1, true);
	for (int i = 0; i < T * N; i++)
		l->seed[i] = (real)(float)rng_normal(&l->s.rng);
	tape_set_recipe(l->s.t, r);
	tape_record(l->s.t, true);
	tape_push(l->s.t, "layers", 3);
	tape_push(l->s.t, "attn", -1);
	l->y = linear(l->s.t, l->x, l->W);
	tape_pop(l->s.t);
	tape_pop(l->s.t);
	tape_backward(l->s.t, l->y, l->seed);
	stand_ok(&l->s);
	return l;
}

static void layer_free(Layer *l)
{
	stand_free(&l->s);
	free(l);
}

static void layers_equal(const Layer *a, const Layer *b)
{
	assert_memory_equal(a->y->data, b->y->data, sizeof(real) * T * N);
	assert_memory_equal(a->x->grad->data, b->x->grad->data, sizeof(real) * T * K);
	assert_memory_equal(a->W->grad->data, b->W->grad->data, sizeof(real) * N * K);
}

static Mat mat(const real *x, int64_t rows, int64_t cols)
{
	return (Mat){ .data = x, .dtype = REAL_DTYPE, .rows = rows, .cols = cols, .stride = cols };
}

static void plain_products(const char *name)
{
	Layer *l = layer_run(1, recipe_by_name(name));
	const RecipeRule *rule = &recipe_by_name(name)->rule[0];
	real *y = calloc(T * N, sizeof *y), *dx = calloc(T * K, sizeof *dx), *dW = calloc(N * K, sizeof *dW);
	real *x = copy_of(ten_real(l->x), T * K), *W = copy_of(ten_real(l->W), N * K), *g = copy_of(l->seed, T * N);
	plain_quantise(&rule->fprop.a, false, T, K, x);
	plain_quantise(&rule->fprop.b, false, N, K, W);
	Mat m = mat(W, N, K);
	gemm_nt(l->s.pool, T, x, K, &m, y, N, 0);
	assert_memory_equal(l->y->data, y, sizeof(real) * T * N);

	plain_quantise(&rule->dgrad.a, false, T, N, g);
	memcpy(W, l->W->data, sizeof *W * N * K);
	plain_quantise(&rule->dgrad.b, true, N, K, W);
	gemm_nn(l->s.pool, T, g, N, &m, dx, K, 0);
	assert_memory_equal(l->x->grad->data, dx, sizeof(real) * T * K);

	memcpy(g, l->seed, sizeof *g * T * N);
	plain_quantise(&rule->wgrad.a, true, T, N, g);
	plain_quantise(&rule->wgrad.b, true, T, K, x); /* a second time: x is the cached activation */
	gemm_tn(l->s.pool, T, g, N, N, x, K, K, dW, K, 0);
	assert_memory_equal(l->W->grad->data, dW, sizeof(real) * N * K);
	free(y), free(dx), free(dW), free(x), free(W), free(g);
	layer_free(l);
}

TEST(quantised_products_equal_plain_loops)
{
	static const char *const names[] = { "fp8-v3", "fp8-v3-pow2", "fp8-block", "fp8-hybrid", "fp8-e5m2", "fp8-tensor", "mxfp8" };
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		plain_products(names[i]);
}

/* One element of a product of codes in groups of 128 along the sum, promoted at each. */
static float plain_sum(int64_t n, const uint8_t *a, const float *sa, const uint8_t *b, const float *sb)
{
	float sum = 0;
	for (int64_t k = 0; k < n; k += 128) {
		float part = fp_mma_chain(FP_E4M3, a + k, 1, FP_E4M3, b + k, 1, n - k < 128 ? n - k : 128, 13, 0), scale = sa[k / 128] * sb[k / 128];
		part *= scale;
		sum += part;
	}
	return sum;
}

/* Codes of x [rows, cols], or of its transpose when turned, with groups of `across` by 128; scales spread out to one per row and group. */
static void plain_codes(const real *x, int64_t rows, int64_t cols, int64_t across, bool turned, uint8_t *code, float *scale)
{
	int64_t n = turned ? cols : rows, k = turned ? rows : cols, groups = (k + 127) / 128;
	for (int64_t i0 = 0; i0 < n; i0 += across)
		for (int64_t q = 0; q < groups; q++) {
			float amax = 0;
			for (int64_t i = i0; i < i0 + across && i < n; i++)
				for (int64_t j = q * 128; j < (q + 1) * 128 && j < k; j++)
					amax = fmaxf(amax, fabsf((float)(turned ? x[j * cols + i] : x[i * cols + j])));
			float s = amax > 0 ? amax / 448 : 1;
			for (int64_t i = i0; i < i0 + across && i < n; i++) {
				scale[i * groups + q] = s;
				for (int64_t j = q * 128; j < (q + 1) * 128 && j < k; j++)
					code[i * k + j] = (uint8_t)fp_encode(FP_E4M3, (float)(turned ? x[j * cols + i] : x[i * cols + j]) / s, true);
			}
		}
}

static void hopper_check(const real *have, const real *a, int64_t ar, int64_t ac, bool ta, const real *b, int64_t br, int64_t bc, int64_t across,
	bool tb)
{
	int64_t n = ta ? ac : ar, m = tb ? bc : br, k = ta ? ar : ac, groups = (k + 127) / 128;
	uint8_t *ca = malloc((size_t)(n * k)), *cb = malloc((size_t)(m * k));
	float *sa = malloc(4 * (size_t)(n * groups)), *sb = malloc(4 * (size_t)(m * groups));
	plain_codes(a, ar, ac, 1, ta, ca, sa);
	plain_codes(b, br, bc, across, tb, cb, sb);
	for (int64_t i = 0; i < n; i++)
		for (int64_t j = 0; j < m; j++)
			assert_true((float)have[i * m + j] == plain_sum(k, ca + i * k, sa + i * groups, cb + j * k, sb + j * groups));
	free(ca), free(cb), free(sa), free(sb);
}

TEST(hopper_products_equal_the_plain_rule)
{
	Layer *l = layer_run(1, recipe_by_name("fp8-v3-hopper"));
	const real *x = ten_real(l->x), *W = ten_real(l->W);
	hopper_check(ten_real(l->y), x, T, K, false, W, N, K, 128, false);
	hopper_check(ten_real(l->x->grad), l->seed, T, N, false, W, N, K, 128, true);
	real *cached = copy_of(x, T * K);
	plain_quantise(&recipe_by_name("fp8-v3-hopper")->rule[0].fprop.a, false, T, K, cached);
	hopper_check(ten_real(l->W->grad), l->seed, T, N, true, cached, T, K, 1, true);
	free(cached);
	layer_free(l);
}

TEST(all_recipes_give_the_same_bits_on_two_threads)
{
	const Recipe *r;
	for (int i = 0; (r = recipe_at(i)); i++) {
		Layer *a = layer_run(1, r), *b = layer_run(2, r);
		layers_equal(a, b);
		for (int k = 0; k < T * N; k++)
			assert_true(isfinite((double)ten_real(a->y)[k]));
		layer_free(a);
		layer_free(b);
	}
}

TEST(a_recipe_that_names_nothing_here_changes_no_bit)
{
	Recipe other = *recipe_by_name("fp8-v3");
	other.n = 1;
	strcpy(other.rule[0].pattern, "layers.4.**");
	Layer *a = layer_run(1, NULL), *b = layer_run(1, &other), *c = layer_run(1, recipe_by_name("fp8-v3"));
	layers_equal(a, b);
	assert_memory_not_equal(a->y->data, c->y->data, sizeof(real) * T * N);
	layer_free(a);
	layer_free(b);
	layer_free(c);
}

TEST(fp8_recipes_leave_gate_head_and_embedding_alone)
{
	static const char *const in[] = { "layers.3.attn model.layers.3.self_attn.q_a_proj.weight",
		"layers.3.attn model.layers.3.self_attn.kv_a_proj_with_mqa.weight", "layers.0 model.layers.0.mlp.down_proj.weight",
		"layers.3.moe model.layers.3.mlp.experts.7.up_proj.weight", "layers.3.moe model.layers.3.mlp.shared_experts.gate_proj.weight" };
	static const char *const out[] = { "layers.3.moe model.layers.3.mlp.gate.weight", "- lm_head.weight", "- model.embed_tokens.weight",
		"mtp.0 model.layers.4.eh_proj.weight", "mtp.0 model.layers.4.shared_head.head.weight" };
	Stand s = stand_new(1);
	tape_set_recipe(s.t, recipe_by_name("fp8-v3"));
	for (int i = 0; i < 10; i++) {
		char scope[64];
		const char *both = i < 5 ? in[i] : out[i - 5], *weight = strchr(both, ' ') + 1;
		snprintf(scope, sizeof scope, "%.*s", (int)strcspn(both, " "), both);
		if (scope[0] != '-')
			tape_push(s.t, scope, -1);
		assert_true((tape_recipe_for(s.t, weight) != NULL) == (i < 5));
		if (scope[0] != '-')
			tape_pop(s.t);
	}
	stand_free(&s);
}

/* --- experts --- */

TEST(quantised_experts_equal_layers_of_their_own)
{
	static const int32_t chosen[] = { 0, 2, 2, 3, 0, 2, 3, 2, 0, 3, 2, 0 };
	static const char *const names[] = { "fp8-v3", "fp8-v3-hopper", "nvfp4", "fp8-tensor" };
	for (int which = 0; which < 4; which++) {
		Stand s = stand_new(2);
		Ten *W[4], *x = stand_leaf(&s, "x", 6, 150, 1, true), *topk = tape_ints(s.t, 6, 2);
		for (int e = 0; e < 4; e++)
			W[e] = stand_leaf(&s, "model.layers.3.mlp.experts.0.up_proj.weight", 40, 150, 1, true);
		memcpy(topk->data, chosen, sizeof chosen);
		tape_set_recipe(s.t, recipe_by_name(names[which]));
		tape_record(s.t, true);
		tape_push(s.t, "layers", 3);
		tape_push(s.t, "moe", -1);
		const Dispatch *d = dispatch_plan(s.t, topk, 4);
		Ten *rows_of = dispatch(s.t, x, d), *y = linear_grouped(s.t, rows_of, W, d);
		stand_ok(&s);
		real *seed = tape_alloc(s.t, sizeof *seed * 12 * 40);
		for (int i = 0; i < 12 * 40; i++)
			seed[i] = (real)(float)rng_normal(&s.rng);
		tape_backward(s.t, y, seed);
		stand_ok(&s);
		assert_null(W[1]->grad);
		for (int e = 0; e < 4; e++) {
			int64_t at = d->offset[e], n = d->offset[e + 1] - at;
			if (!n)
				continue;
			Ten *part = tape_leaf(s.t, ten_wrap(REAL_DTYPE, ten_real(rows_of) + at * 150, 2, (int64_t[]){ n, 150 }, "part"), true);
			Ten *own = tape_leaf(s.t, ten_wrap(REAL_DTYPE, W[e]->data, 2, (int64_t[]){ 40, 150 }, W[e]->name), true);
			Ten *z = linear(s.t, part, own);
			stand_ok(&s);
			assert_memory_equal(z->data, ten_real(y) + at * 40, sizeof(real) * (size_t)(n * 40));
			real *dW = copy_of(ten_real(W[e]->grad), 40 * 150);
			tape_backward(s.t, z, seed + at * 40);
			stand_ok(&s);
			assert_memory_equal(own->grad->data, dW, sizeof(real) * 40 * 150);
			free(dW);
		}
		stand_free(&s);
	}
}

/* --- stored FP8 --- */

TEST(stored_blocks_are_taken_as_they_are)
{
	Stand s = stand_new(1);
	Ten *x = stand_leaf(&s, "x", 5, 200, 1, false), *plain = stand_leaf(&s, "W", 140, 200, 1, false), *codes = stand_as(&s, plain, DT_F8_E4M3);
	float scale[4] = { 0.5f, 0.25f, 3, 1.7f };
	codes->name = "model.layers.3.self_attn.o_proj.weight";
	codes->scale = scale;
	codes->scale_stride = 2;
	Ten *xq = tape_ten2(s.t, 5, 200);
	memcpy(xq->data, x->data, sizeof(real) * 1000);
	plain_quantise(&recipe_by_name("fp8-v3")->rule[0].fprop.a, false, 5, 200, ten_real(xq));
	Ten *want = linear(s.t, xq, codes);
	tape_set_recipe(s.t, recipe_by_name("fp8-v3"));
	tape_push(s.t, "layers", 3);
	tape_push(s.t, "attn", -1);
	Ten *have = linear(s.t, x, codes);
	stand_ok(&s);
	assert_memory_equal(have->data, want->data, sizeof(real) * 5 * 140);
	stand_free(&s);
}

/* --- errors --- */

typedef struct Seen { int n; char name[3][96]; double rel[3]; } Seen;

static Ten *see(Tape *t, Ten *x, const char *full, void *ud)
{
	Seen *s = ud;
	(void)t;
	assert_true(x->rank == 2 && x->shape[0] == 3 && x->shape[1] == 7 && s->n < 3);
	strcpy(s->name[s->n], full);
	s->rel[s->n++] = (double)ten_real(x)[0];
	return x;
}

TEST(errors_of_products_are_shown_to_those_who_look)
{
	static const char *const names[] = { "fp8-v3", "fp8-v3-hopper" };
	for (int which = 0; which < 2; which++) {
		Seen seen = { 0 };
		Layer *quiet = layer_run(1, recipe_by_name(names[which])), *native = layer_run(1, NULL);
		Layer *l = calloc(1, sizeof *l);
		l->s = stand_new(1);
		l->x = stand_leaf(&l->s, "x", T, K, 1, true);
		l->W = stand_leaf(&l->s, "model.layers.3.self_attn.o_proj.weight", N, K, 0.1, true);
		tape_set_recipe(l->s.t, recipe_by_name(names[which]));
		assert_true(tape_hook(l->s.t, "fp8.err.**", see, &seen) > 0);
		tape_record(l->s.t, true);
		tape_push(l->s.t, "layers", 3);
		tape_push(l->s.t, "attn", -1);
		l->y = linear(l->s.t, l->x, l->W);
		tape_backward(l->s.t, l->y, quiet->seed);
		stand_ok(&l->s);
		layers_equal(l, quiet);
		assert_int_equal(seen.n, 3);
		assert_string_equal(seen.name[0], "fp8.err.layers.3.attn.o_proj.fprop");
		assert_string_equal(seen.name[1], "fp8.err.layers.3.attn.o_proj.dgrad");
		assert_string_equal(seen.name[2], "fp8.err.layers.3.attn.o_proj.wgrad");
		const Ten *have[] = { quiet->y, quiet->x->grad, quiet->W->grad }, *want[] = { native->y, native->x->grad, native->W->grad };
		for (int i = 0; i < 3; i++) {
			double d = 0, v = 0;
			for (int64_t k = 0; k < ten_count(have[i]); k++) {
				d += pow((double)ten_real(have[i])[k] - (double)ten_real(want[i])[k], 2);
				v += pow((double)ten_real(want[i])[k], 2);
			}
			assert_close(seen.rel[i], sqrt(d / v), 1e-6, 1e-5);
			assert_true(seen.rel[i] > 0.02 && seen.rel[i] < 0.06);
		}
		layer_free(l);
		layer_free(quiet);
		layer_free(native);
	}
}

TEST(quantised_forwards_give_their_memory_back)
{
	Stand s = stand_new(1);
	Ten *x = stand_leaf(&s, "x", 64, 256, 1, false), *W = stand_leaf(&s, "model.layers.0.mlp.up_proj.weight", 256, 256, 1, false);
	tape_set_recipe(s.t, recipe_by_name("fp8-v3"));
	tape_push(s.t, "layers", 0);
	linear(s.t, x, W);
	size_t before = arena_used(tape_arena(s.t));
	linear(s.t, x, W);
	stand_ok(&s);
	assert_true(arena_used(tape_arena(s.t)) - before < 64 * 256 * sizeof(real) + 4096);
	stand_free(&s);
}
