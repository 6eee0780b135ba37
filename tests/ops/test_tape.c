/* test_tape.c - the tape itself: errors that stick, names and hooks, gradients through replacements, recipe,
 * steady memory. */
#include "tests/ops/stand.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

TEST(errors_stick_and_name_what_they_met)
{
	Stand s = stand_new(1);
	tape_push(s.t, "layers", 0);
	tape_push(s.t, "attn", -1);
	LET(s.t, c_Q, stand_leaf(&s, "c_Q", 5, 6, 1, false));
	Ten *W_UQ = stand_leaf(&s, "W_UQ", 8, 2, 1, false);
	assert_null(linear(s.t, c_Q, W_UQ));
	assert_true(tape_failed(s.t));
	assert_null(add(s.t, NULL, c_Q));
	assert_null(linear(s.t, stand_leaf(&s, "x", 0, 0, 1, false), W_UQ));
	assert_null(tape_name(s.t, "y", NULL));
	assert_null(dispatch_plan(s.t, NULL, 3));
	assert_string_equal(stand_error(&s, E_6002),
		"layers.0.attn.linear: c_Q[5x6] does not fit W_UQ[8x2]: 6 columns against 2");
	tape_reset(s.t);
	assert_true(tape_ok(s.t, NULL));
	assert_null(tape_scope(s.t));
	assert_null(add(s.t, NULL, NULL));
	assert_string_equal(stand_error(&s, E_6002), "add: input 1 is missing");
	stand_free(&s);
}

TEST(a_full_step_arena_is_an_error_with_figures)
{
	Pool *p = pool_new(1);
	Tape *t = tape_new(p, 4 << 20);
	assert_non_null(tape_ten2(t, 100, 100));
	assert_null(tape_ten2(t, 2048, 1024));
	Err e = { 0 };
	assert_false(tape_ok(t, &e));
	assert_int_equal(e.code, E_5002);
	assert_non_null(strstr(e.text, "4 MiB"));
	tape_reset(t);
	assert_null(tape_ten2(t, INT64_MAX / 2, INT64_MAX / 2));
	assert_int_equal(tape_failed(t), 1);
	tape_free(t);
	pool_free(p);
}

/* --- hooks --- */

typedef struct Seen { int n; char name[8][64]; char order[16]; char mark; struct Seen *shared; } Seen;

static Ten *look(Tape *t, Ten *x, const char *full, void *ud)
{
	Seen *s = ud, *all = s->shared ? s->shared : s;
	(void)t;
	snprintf(all->name[all->n & 7], sizeof all->name[0], "%s", full);
	all->order[all->n++ & 15] = s->mark;
	return x;
}

static void named_step(Tape *t)
{
	Ten *x = tape_ten2(t, 1, 2);
	memset(x->data, 0, 2 * sizeof(real));
	tape_push(t, "layers", 3);
	tape_push(t, "attn", -1);
	assert_non_null(tape_name(t, "c_KV", x));
	assert_non_null(tape_name(t, "q", x));
	tape_pop(t);
	tape_pop(t);
	assert_non_null(tape_name(t, "logits", x));
}

TEST(hooks_see_full_names_in_order_of_registration)
{
	Stand s = stand_new(1);
	Seen all = { .mark = 'a' }, b = { .mark = 'b', .shared = &all };
	int first = tape_hook(s.t, "layers.*.attn.c_KV", look, &all),
		second = tape_hook(s.t, "layers.3.**", look, &b);
	assert_true(first > 0 && second > first);
	assert_int_equal(tape_hook(s.t, "layers.{", look, &b), 0);
	for (int round = 0; round < 3; round++) {
		tape_reset(s.t);
		all.n = 0;
		named_step(s.t);
		assert_int_equal(all.n, 3);
		assert_string_equal(all.name[0], "layers.3.attn.c_KV");
		assert_string_equal(all.name[2], "layers.3.attn.q");
		assert_memory_equal(all.order, "abb", 3);
	}
	tape_push(s.t, "layers", 3);
	tape_push(s.t, "attn", -1);
	assert_true(tape_wants(s.t, "q"));
	tape_unhook(s.t, second);
	assert_false(tape_wants(s.t, "q"));
	assert_true(tape_wants(s.t, "c_KV"));
	tape_unhook(s.t, first);
	tape_reset(s.t);
	all.n = 0;
	named_step(s.t);
	assert_int_equal(all.n, 0);
	stand_free(&s);
}

/* The same memory may hold another name later: the cache must not take one for the other. */
TEST(names_in_a_reused_buffer_are_told_apart)
{
	Stand s = stand_new(1);
	Seen all = { .mark = 'a' };
	char name[16] = "scores";
	tape_hook(s.t, "scores", look, &all);
	Ten *x = tape_ten2(s.t, 1, 1);
	tape_name(s.t, name, x);
	strcpy(name, "probs");
	tape_name(s.t, name, x);
	assert_false(tape_wants(s.t, name));
	strcpy(name, "scores");
	tape_name(s.t, name, x);
	assert_int_equal(all.n, 2);
	stand_free(&s);
}

static Ten *twice(Tape *t, Ten *x, const char *full, void *ud)
{
	(void)full;
	++*(int *)ud;
	LET(t, c_KV, scale(t, x, 2)); /* named inside a hook: runs no hooks */
	return c_KV;
}

/* y = 3 h, h named and doubled: the gradient is 6, not 3. */
TEST(a_replacement_has_true_gradients)
{
	Stand s = stand_new(1);
	int calls = 0;
	tape_record(s.t, true);
	tape_hook(s.t, "c_KV", twice, &calls);
	Ten *x = stand_leaf(&s, "x", 2, 3, 1, true);
	LET(s.t, c_KV, scale(s.t, x, 1));
	assert_int_equal(calls, 1);
	assert_string_equal(c_KV->name, "c_KV");
	Ten *y = scale(s.t, c_KV, 3);
	assert_true(tape_backward(s.t, y, NULL));
	for (int i = 0; i < 6; i++)
		assert_close(ten_real(x->grad)[i], 6, 0, 0);
	stand_free(&s);
}

static Ten *other_shape(Tape *t, Ten *x, const char *full, void *ud)
{
	(void)x;
	(void)full;
	return ud ? NULL : tape_ten2(t, 4, 4);
}

TEST(a_replacement_of_another_shape_is_refused)
{
	Stand s = stand_new(1);
	int id = tape_hook(s.t, "**", other_shape, NULL);
	tape_push(s.t, "layers", 0);
	assert_null(tape_name(s.t, "q", stand_leaf(&s, "x", 2, 3, 1, false)));
	assert_non_null(strstr(stand_error(&s, E_6003), "the hook on layers.0.q put "));
	tape_unhook(s.t, id);
	tape_reset(s.t);
	tape_hook(s.t, "**", other_shape, &id);
	assert_null(tape_name(s.t, "q", stand_leaf(&s, "x", 2, 3, 1, false)));
	assert_string_equal(stand_error(&s, E_6003), "the hook on q failed");
	stand_free(&s);
}

typedef struct SelfRemoval { int id, other, calls; } SelfRemoval;

static Ten *remove_self(Tape *t, Ten *x, const char *full, void *ud)
{
	SelfRemoval *r = ud;
	(void)full;
	r->calls++;
	tape_unhook(t, r->id);
	tape_unhook(t, r->other);
	return x;
}

TEST(hooks_may_remove_hooks)
{
	Stand s = stand_new(1);
	SelfRemoval r = { 0 };
	Seen all = { .mark = 'a' };
	r.id = tape_hook(s.t, "q", remove_self, &r);
	r.other = tape_hook(s.t, "q", look, &all);
	Ten *x = stand_leaf(&s, "x", 1, 1, 1, false);
	tape_name(s.t, "q", x);
	tape_name(s.t, "q", x);
	assert_int_equal(r.calls, 1);
	assert_int_equal(all.n, 0);
	stand_free(&s);
}

static Ten *swap_experts(Tape *t, Ten *x, const char *full, void *ud)
{
	Ten *y = tape_ints(t, ten_rows(x), ten_cols(x));
	(void)full;
	for (int64_t i = 0; i < ten_count(x); i++)
		((int32_t *)y->data)[i] = *(int32_t *)ud;
	return y;
}

TEST(choices_of_experts_can_be_replaced_and_are_checked)
{
	Stand s = stand_new(1);
	RouteRule rule = { .E = 4, .K = 2, .n_group = 1, .topk_group = 1, .normalise = true, .scale = 1 };
	for (int32_t to = 3; to < 5; to++) {
		tape_reset(s.t);
		int id = tape_hook(s.t, "topk", swap_experts, &to);
		Ten *sc = stand_leaf(&s, "scores", 3, 4, 1, false);
		LET(s.t, topk, route_choose(s.t, sc, NULL, &rule, NULL, NULL));
		const Dispatch *d = dispatch_plan(s.t, topk, 4);
		assert_true((d != NULL) == (to < 4));
		if (d)
			assert_int_equal(d->offset[3], 0);
		tape_unhook(s.t, id);
	}
	stand_free(&s);
}

/* --- backward --- */

TEST(gradients_add_over_uses_and_over_losses)
{
	Stand s = stand_new(1);
	tape_record(s.t, true);
	Ten *x = stand_leaf(&s, "x", 2, 2, 1, true), *frozen = stand_leaf(&s, "f", 2, 2, 1, false);
	Ten *h = scale(s.t, x, 2), *y = add(s.t, h, h), *z = add(s.t, scale(s.t, h, 5), frozen);
	assert_true(tape_backward(s.t, y, NULL));
	assert_close(ten_real(x->grad)[0], 4, 0, 0);
	assert_close(ten_real(h->grad)[0], 2, 0, 0);
	assert_true(tape_backward(s.t, z, NULL));
	assert_close(ten_real(x->grad)[0], 14, 0, 0);
	assert_close(ten_real(h->grad)[0], 7, 0, 0);
	assert_null(frozen->grad);
	stand_free(&s);
}

/* The same gradients of the leaves, in less memory, for two losses in turn. */
TEST(a_thrifty_tape_gives_up_gradients_of_results)
{
	real got[2][6];
	size_t used[2];
	for (int thrift = 0; thrift < 2; thrift++) {
		Stand s = stand_new(1);
		tape_record(s.t, true);
		tape_thrift(s.t, thrift);
		Ten *x = stand_leaf(&s, "x", 2, 3, 1, true), *h = x, *y = NULL;
		for (int i = 0; i < 20; i++) {
			h = add(s.t, scale(s.t, h, (real)0.5), sigmoid(s.t, h));
			y = i == 9 ? h : y;
		}
		size_t before = arena_used(tape_arena(s.t));
		assert_true(tape_backward(s.t, h, NULL));
		used[thrift] = arena_used(tape_arena(s.t)) - before;
		assert_true(tape_backward(s.t, y, NULL));
		assert_true((h->grad == NULL) == (thrift == 1));
		memcpy(got[thrift], ten_real(x->grad), sizeof got[0]);
		stand_free(&s);
	}
	assert_memory_equal(got[0], got[1], sizeof got[0]);
	assert_true(used[1] < used[0] / 2);
}

TEST(a_gradient_of_ones_own_memory_is_kept_over_steps)
{
	Stand s = stand_new(1);
	real w[3] = { 1, 2, 3 }, g[3] = { 0 };
	Ten W = ten_wrap(REAL_DTYPE, w, 2, (int64_t[]){ 1, 3 }, "W"),
		G = ten_wrap(REAL_DTYPE, g, 2, (int64_t[]){ 1, 3 }, "W.grad");
	Ten V = W;
	W.needs_grad = V.needs_grad = true;
	W.grad = &G;
	tape_record(s.t, true);
	for (int i = 0; i < 3; i++) {
		tape_reset(s.t);
		assert_ptr_equal(W.grad, &G);
		assert_null(V.grad);
		assert_true(tape_backward(s.t, mul(s.t, &W, &V), NULL));
		assert_close(ten_real(V.grad)[1], 2, 0, 0);
	}
	assert_close(g[2], 9, 0, 0);
	stand_free(&s);
}

/* --- recipe --- */

TEST(recipe_rounds_what_its_pattern_names)
{
	Stand s = stand_new(1);
	Ten *x = stand_leaf(&s, "x", 3, 40, 1, false),
		*W = stand_leaf(&s, "model.layers.2.mlp.up_proj.weight", 5, 40, 1, false);
	Ten *xb = stand_as(&s, x, DT_BF16), *xr = tape_ten2(s.t, 3, 40);
	ten_read(xb, 0, 3, ten_real(xr));
	Recipe only = { .name = "only", .n = 1, .rule = { { .pattern = "layers.*.mlp.up_proj", .fprop = { .format = FMT_BF16 } } } };
	Ten *plain = linear(s.t, x, W), *rounded = linear(s.t, xr, W);
	assert_memory_not_equal(plain->data, rounded->data, 15 * sizeof(real));
	tape_set_recipe(s.t, &only);
	assert_memory_equal(linear(s.t, x, W)->data, plain->data, 15 * sizeof(real));
	tape_push(s.t, "layers", 2);
	tape_push(s.t, "mlp", -1);
	assert_non_null(tape_recipe_for(s.t, W->name));
	assert_null(tape_recipe_for(s.t, "model.layers.2.mlp.down_proj.weight"));
	stand_near(linear(s.t, x, W), stand_doubles(&s, rounded), REF_TOL);
	tape_set_recipe(s.t, recipe_by_name("bf16"));
	assert_int_equal(tape_recipe_for(s.t, "model.layers.2.mlp.gate.weight")->fprop.format, FMT_NATIVE);
	assert_int_equal(tape_recipe_for(s.t, "model.layers.2.mlp.gate_proj.weight")->dgrad.format, FMT_BF16);
	tape_set_recipe(s.t, recipe_by_name("native"));
	assert_null(tape_recipe_for(s.t, W->name));
	assert_null(recipe_by_name("fp3"));
	stand_free(&s);
}

TEST(recipe_rounds_the_operands_of_both_gradients)
{
	Stand s = stand_new(1);
	Ten *x = stand_leaf(&s, "x", 3, 4, 1, true), *W = stand_leaf(&s, "W", 2, 4, 1, true);
	real seed[6];
	for (int i = 0; i < 6; i++)
		seed[i] = (real)(1 + i / 1000.0);
	tape_set_recipe(s.t, recipe_by_name("bf16"));
	tape_record(s.t, true);
	assert_true(tape_backward(s.t, linear(s.t, x, W), seed));
	double dW = 0, dx = 0;
	for (int r = 0; r < 3; r++)
		dW += (double)bf16_to_f32(bf16_from_f32((float)seed[r * 2])) *
			(double)bf16_to_f32(bf16_from_f32((float)ten_real(x)[r * 4]));
	for (int n = 0; n < 2; n++)
		dx += (double)bf16_to_f32(bf16_from_f32((float)seed[n])) * (double)ten_real(W)[n * 4];
	assert_close(ten_real(W->grad)[0], dW, 1e-6, 1e-6);
	assert_close(ten_real(x->grad)[0], dx, 1e-6, 1e-6);
	stand_free(&s);
}

/* --- steady state --- */

static void train_step(Stand *s, Ten *W, Ten *g)
{
	Seq seq = { 0, 20, 0, 20 };
	Attend a = {
		.H = 2, .G = 2, .d_k = 4, .d_v = 4, .k_width = 4, .v_width = 4, .scale = 0.5, .seq = &seq, .n_seq = 1
	};
	tape_reset(s->t);
	Ten *x = stand_leaf(s, "x", 20, 8, 1, true);
	for (int i = 0; i < 3; i++) {
		tape_push(s->t, "layers", i);
		LET(s->t, h, rmsnorm(s->t, x, g, 1e-6));
		LET(s->t, q, linear(s->t, h, W));
		LET(s->t, o, attend(s->t, q, h, NULL, q, &a));
		x = add(s->t, x, o);
		tape_pop(s->t);
	}
	assert_true(tape_backward(s->t, x, NULL));
	stand_ok(s);
}

TEST(a_steady_state_takes_no_memory)
{
	Stand s = stand_new(2);
	real w[64], gv[8];
	for (int i = 0; i < 64; i++)
		w[i] = (real)(0.1 * rng_normal(&s.rng));
	for (int i = 0; i < 8; i++)
		gv[i] = 1;
	Ten W = ten_wrap(REAL_DTYPE, w, 2, (int64_t[]){ 8, 8 }, "W"),
		g = ten_wrap(REAL_DTYPE, gv, 1, (int64_t[]){ 8 }, "g");
	Seen all = { .mark = 'a' };
	W.needs_grad = g.needs_grad = true;
	tape_record(s.t, true);
	tape_hook(s.t, "layers.*.o", look, &all);
	train_step(&s, &W, &g);
	size_t held = arena_held(tape_arena(s.t)), used = arena_used(tape_arena(s.t));
	for (int i = 0; i < 5; i++)
		train_step(&s, &W, &g);
	assert_int_equal(arena_held(tape_arena(s.t)), held);
	assert_int_equal(arena_used(tape_arena(s.t)), used);
	assert_int_equal(all.n, 18);
	stand_free(&s);
}
