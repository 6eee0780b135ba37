/* test_block.c - norm, rotation, products, routers and experts against plain loops. */
#include "tests/ops/stand.h"
#include "tests/ref/ref.h"
#include <math.h>
#include <string.h>

TEST(rmsnorm_is_the_definition)
{
	Stand s = stand_new(2);
	static const int shape[][2] = { { 1, 1 }, { 3, 7 }, { 33, 200 } };
	for (int i = 0; i < 3; i++) {
		Ten *x = stand_leaf(&s, "x", shape[i][0], shape[i][1], 2, false),
			*g = stand_leaf(&s, "g", 1, shape[i][1], 1, false);
		double y[33 * 200];
		ref_rmsnorm(shape[i][0], shape[i][1], stand_doubles(&s, x), stand_doubles(&s, g), 1e-6, y);
		stand_near(rmsnorm(s.t, x, g, 1e-6), y, REF_TOL);
		Ten *gb = stand_as(&s, g, DT_BF16);
		ref_rmsnorm(shape[i][0], shape[i][1], stand_doubles(&s, x), stand_doubles(&s, gb), 1e-6, y);
		stand_near(rmsnorm(s.t, x, gb, 1e-6), y, REF_TOL);
	}
	stand_free(&s);
}

static RopeTable table_new(Stand *s, int d, int n_pos, double base, bool half)
{
	real *c = tape_alloc(s->t, (size_t)(n_pos * d) * sizeof *c), *sn = c + n_pos * d / 2;
	for (int i = 0; i < n_pos * d / 2; i++) {
		double angle = i / (d / 2) * pow(base, -2.0 * (i % (d / 2)) / d);
		c[i] = (real)cos(angle);
		sn[i] = (real)sin(angle);
	}
	return (RopeTable){ d, n_pos, 0, half, c, sn };
}

/* The worked vector of mla.md 5: d = 8, base 10000, position 1, x = 1..8. */
TEST(rope_worked_vector)
{
	Stand s = stand_new(1);
	static const double pairs[] = { -1.1426397, 1.9220756, 2.5856788, 4.2795169, 4.9397510, 6.0496992,
		6.9919965, 8.0069960 };
	static const double halves[] = { -3.6670526, 1.3910078, 2.9298512, 3.9919980, 3.5429825, 6.1696918,
		7.0296495, 8.0039960 };
	Ten *x = tape_ten2(s.t, 1, 8);
	for (int i = 0; i < 8; i++)
		ten_real(x)[i] = (real)(i + 1);
	RopeTable a = table_new(&s, 8, 2, 10000, false), b = table_new(&s, 8, 2, 10000, true);
	stand_near(rope(s.t, x, 1, 8, 0, (int32_t[]){ 1 }, &a), pairs, 1e-7);
	stand_near(rope(s.t, x, 1, 8, 0, (int32_t[]){ 1 }, &b), halves, 1e-7);
	stand_free(&s);
}

TEST(rope_of_heads_leaves_other_columns)
{
	Stand s = stand_new(2);
	static const int32_t pos[] = { 0, 9, 4 };
	Ten *x = stand_leaf(&s, "q", 3, 2 * 10, 1, false);
	const double *d = stand_doubles(&s, x);
	for (int half = 0; half < 2; half++) {
		RopeTable tb = table_new(&s, 6, 10, 100, half);
		double want[3 * 20];
		memcpy(want, d, sizeof want);
		for (int r = 0; r < 3; r++)
			for (int h = 0; h < 2; h++)
				ref_rope(6, pos[r], 100, half, d + r * 20 + h * 10 + 4, want + r * 20 + h * 10 + 4);
		stand_near(rope(s.t, x, 2, 10, 4, pos, &tb), want, REF_TOL);
	}
	RopeTable tb = table_new(&s, 6, 9, 100, false);
	assert_null(rope(s.t, x, 2, 10, 4, pos, &tb));
	assert_string_equal(
		stand_error(&s, E_6002), "rope: q[3x20]: row 1 is at position 9, the table has 0 to 8");
	stand_free(&s);
}

TEST(linear_is_the_definition_row_by_row)
{
	Stand s = stand_new(2);
	Ten *x = stand_leaf(&s, "x", 33, 70, 1, false), *W = stand_leaf(&s, "W", 45, 70, 1, false);
	double want[33 * 45];
	ref_linear(33, 45, 70, stand_doubles(&s, x), stand_doubles(&s, W), want);
	Ten *y = linear(s.t, x, W);
	stand_near(y, want, REF_TOL);
	for (int r = 0; r < 33; r++)
		assert_memory_equal(
			ten_real(linear(s.t, rows(s.t, x, r, 1), W)), ten_real(y) + r * 45, 45 * sizeof(real));
	stand_free(&s);
}

TEST(embed_reads_any_type_and_checks_ids)
{
	Stand s = stand_new(1);
	static const Dtype types[] = { DT_F32, DT_BF16, DT_F16 };
	static const int32_t ids[] = { 3, 0, 319, 3 }, bad[] = { 1, 999999 };
	Ten *W = stand_leaf(&s, "model.embed_tokens.weight", 320, 6, 1, false);
	for (int i = 0; i < 3; i++) {
		Ten *w = stand_as(&s, W, types[i]);
		const double *d = stand_doubles(&s, w);
		double want[24];
		for (int k = 0; k < 24; k++)
			want[k] = d[ids[k / 6] * 6 + k % 6];
		stand_near(embed(s.t, w, ids, 4), want, 1e-15);
	}
	assert_null(embed(s.t, W, bad, 2));
	assert_string_equal(stand_error(&s, E_2003), "token id 999999 is out of range: the vocabulary has 320");
	stand_free(&s);
}

/* --- routers --- */

typedef struct Router { int E, K, n_group, topk_group; } Router;
static const Router routers[] = { { 8, 2, 4, 2 }, { 64, 6, 8, 3 }, { 6, 2, 1, 1 }, { 4, 2, 4, 3 },
	{ 256, 8, 8, 4 }, { 15, 4, 3, 2 }, { 1, 1, 1, 1 } };

static void same_route(
	Stand *s, const Ten *topk, const Ten *w, const Router *r, int row, const int *id, const double *want)
{
	(void)s;
	for (int k = 0; k < r->K; k++) {
		assert_int_equal(((const int32_t *)topk->data)[row * r->K + k], id[k]);
		assert_close(ten_real(w)[row * r->K + k], want[k], 1e-6, 1e-5);
	}
}

TEST(route_v2_is_the_definition)
{
	Stand s = stand_new(1);
	for (size_t i = 0; i < sizeof routers / sizeof routers[0]; i++) {
		const Router *r = &routers[i];
		RouteRule rule = { r->E, r->K, r->n_group, r->topk_group, .group_top2 = false, .normalise = i % 2,
			.scale = 16 };
		Ten *z = stand_leaf(&s, "logits", 9, r->E, 1, false), *p = softmax(s.t, z);
		Ten *topk = route_choose(s.t, p, NULL, &rule, NULL, NULL), *w = route_weights(s.t, p, topk, &rule);
		stand_ok(&s);
		for (int t = 0; t < 9; t++) {
			int id[8];
			double want[8];
			ref_route_v2(
				stand_doubles(&s, z) + t * r->E, r->E, r->K, r->n_group, r->topk_group, i % 2, 16, id, want);
			same_route(&s, topk, w, r, t, id, want);
		}
	}
	stand_free(&s);
}

/* Biases near -1 make biased scores negative, where a mask of 0 instead of -inf would pick excluded
 * experts. */
TEST(route_v3_is_the_definition)
{
	Stand s = stand_new(1);
	for (size_t i = 0; i < sizeof routers / sizeof routers[0]; i++) {
		const Router *r = &routers[i];
		RouteRule rule = { r->E, r->K, r->n_group, r->topk_group, .group_top2 = true, .normalise = true,
			.scale = 2.5 };
		Ten *z = stand_leaf(&s, "logits", 9, r->E, 1, false),
			*b = stand_leaf(&s, "bias", 1, r->E, 0.2, false), *sum = NULL, *kept = NULL;
		for (int e = 0; e < r->E; e++)
			ten_real(b)[e] -= 1;
		Ten *sc = sigmoid(s.t, z), *topk = route_choose(s.t, sc, b, &rule, &sum, &kept),
			*w = route_weights(s.t, sc, topk, &rule);
		stand_ok(&s);
		for (int t = 0; t < 9; t++) {
			int id[8], groups = 0;
			double want[8];
			ref_route_v3(stand_doubles(&s, z) + t * r->E, stand_doubles(&s, b), r->E, r->K, r->n_group,
				r->topk_group, 2.5, id, want);
			same_route(&s, topk, w, r, t, id, want);
			const int32_t *kg = (const int32_t *)kept->data + t * r->n_group;
			for (int g = 0; g < r->n_group; g++)
				groups += kg[g];
			assert_int_equal(groups, r->topk_group);
			for (int k = 0; k < r->K; k++)
				assert_int_equal(kg[id[k] / (r->E / r->n_group)], 1);
		}
	}
	stand_free(&s);
}

TEST(route_ties_go_to_the_lower_id)
{
	Stand s = stand_new(1);
	RouteRule rule = {
		.E = 8, .K = 3, .n_group = 4, .topk_group = 2, .group_top2 = true, .normalise = true, .scale = 1
	};
	Ten *x = tape_ten2(s.t, 1, 8);
	for (int i = 0; i < 8; i++)
		ten_real(x)[i] = (real)0.5;
	const int32_t *id = route_choose(s.t, x, NULL, &rule, NULL, NULL)->data;
	assert_true(id[0] == 0 && id[1] == 1 && id[2] == 2);
	ten_real(x)[6] = ten_real(x)[7] = (real)0.75;
	id = route_choose(s.t, x, NULL, &rule, NULL, NULL)->data;
	assert_true(id[0] == 0 && id[1] == 6 && id[2] == 7);
	stand_free(&s);
}

TEST(route_refuses_nan_and_too_few)
{
	Stand s = stand_new(1);
	RouteRule rule = { .E = 4, .K = 2, .n_group = 1, .topk_group = 1, .scale = 1 };
	for (int i = 0; i < 2; i++) {
		tape_reset(s.t);
		tape_push(s.t, "layers", 3);
		tape_push(s.t, "moe", -1);
		Ten *x = stand_leaf(&s, "scores", 3, 4, 1, false);
		for (int k = 0; k < 3; k++)
			ten_real(x)[8 + k] = i ? -(real)INFINITY : (real)NAN;
		assert_null(route_choose(s.t, x, NULL, &rule, NULL, NULL));
		const char *text = stand_error(&s, E_6001);
		assert_ptr_equal(strstr(text, "layers.3.moe.route_choose: "), text);
		assert_non_null(strstr(text, "token row 2"));
	}
	tape_reset(s.t);
	rule.K = 5;
	assert_null(route_choose(s.t, stand_leaf(&s, "scores", 3, 4, 1, false), NULL, &rule, NULL, NULL));
	stand_error(&s, E_6002);
	stand_free(&s);
}

TEST(experts_are_the_definition)
{
	Stand s = stand_new(2);
	enum { T = 7, E = 5, K = 2, h = 9, m = 4 };
	RouteRule rule = { .E = E, .K = K, .n_group = 1, .topk_group = 1, .normalise = true, .scale = 2.5 };
	Ten *x = stand_leaf(&s, "x", T, h, 1, false), *z = stand_leaf(&s, "z", T, E, 1, false);
	Ten *gate = stand_leaf(&s, "gate", E * m, h, 1, false), *up = stand_leaf(&s, "up", E * m, h, 1, false);
	Ten *down = stand_leaf(&s, "down", E * h, m, 1, false), *Wg[E], *Wu[E], *Wd[E];
	for (int e = 0; e < E; e++) {
		Wg[e] = rows(s.t, gate, e * m, m);
		Wu[e] = rows(s.t, up, e * m, m);
		Wd[e] = rows(s.t, down, e * h, h);
	}
	Ten *sc = sigmoid(s.t, z), *topk = route_choose(s.t, sc, NULL, &rule, NULL, NULL),
		*w = route_weights(s.t, sc, topk, &rule);
	const Dispatch *d = dispatch_plan(s.t, topk, E);
	Ten *xs = dispatch(s.t, x, d);
	Ten *y = combine(s.t,
		linear_grouped(
			s.t, swiglu(s.t, linear_grouped(s.t, xs, Wg, d), linear_grouped(s.t, xs, Wu, d)), Wd, d),
		w, d);
	stand_ok(&s);
	double want[T * h];
	for (int t = 0; t < T; t++)
		ref_experts(h, m, K, stand_doubles(&s, x) + t * h, (const int *)topk->data + t * K,
			stand_doubles(&s, w) + t * K, stand_doubles(&s, gate), stand_doubles(&s, up),
			stand_doubles(&s, down), want + t * h);
	stand_near(y, want, 4 * REF_TOL);
	for (int e = 0; e < E; e++)
		for (int64_t j = d->offset[e] + 1; j < d->offset[e + 1]; j++)
			assert_true(d->token[j - 1] < d->token[j]);
	stand_free(&s);
}

TEST(dispatch_refuses_ids_out_of_range)
{
	Stand s = stand_new(1);
	Ten *topk = tape_ints(s.t, 2, 2);
	memcpy(topk->data, (int32_t[]){ 0, 1, 2, 7 }, 16);
	topk->name = "topk";
	assert_null(dispatch_plan(s.t, topk, 4));
	assert_string_equal(stand_error(&s, E_6002), "dispatch: topk[2x2]: token row 1 chooses expert 7 of 4");
	stand_free(&s);
}

/* Functions of each number, one row against many, quotient, sum and transpose: by the definition. */
TEST(ops_for_scripts_are_the_definitions)
{
	Stand s = stand_new(2);
	Ten *wide = stand_leaf(&s, "x", 5, 9, 1, false), *x = cols(s.t, wide, 1, 7), *b = stand_leaf(&s, "b", 1, 7, 1, false);
	double *v = stand_doubles(&s, x), *r = stand_doubles(&s, b), y[9][35], sum = 0;
	for (int i = 0; i < 35; i++) {
		y[0][i] = exp(v[i]);
		y[1][i] = tanh(v[i]);
		y[2][i] = v[i] > 0 ? v[i] : 0;
		y[3][i] = ref_silu(v[i]);
		y[4][i] = v[i] + r[i % 7];
		y[5][i] = v[i] * r[i % 7];
		y[6][i] = v[i] / exp(v[i]);
		y[7][i % 7 * 5 + i / 7] = v[i];
		sum += v[i];
	}
	stand_near(exp_each(s.t, x), y[0], REF_TOL);
	stand_near(tanh_each(s.t, x), y[1], REF_TOL);
	stand_near(relu(s.t, x), y[2], REF_TOL);
	stand_near(silu(s.t, x), y[3], REF_TOL);
	stand_near(log_each(s.t, exp_each(s.t, x)), v, REF_TOL);
	stand_near(add_row(s.t, x, b), y[4], REF_TOL);
	stand_near(mul_row(s.t, x, b), y[5], REF_TOL);
	stand_near(divide(s.t, x, exp_each(s.t, x)), y[6], REF_TOL);
	stand_near(transpose(s.t, x), y[7], REF_TOL);
	stand_near(total(s.t, x), &sum, REF_TOL);
	stand_ok(&s);
	assert_null(divide(s.t, x, b));
	assert_non_null(strstr(stand_error(&s, E_6002), "both must have one shape"));
	stand_free(&s);
}
