/* test_trace.c - what the engine works out about a whole text: the logit lens, a comparison, branches; and tensors looked at. */
#include "tests/unit.h"
#include "engine/once.h"
#include "tensor/ckpt.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char model_path[] = "tests/data/models/v3";

static Once *run(const char *const *watch, int64_t n)
{
	static const int32_t ids[] = { 5, 42, 79, 26, 63, 10, 47 };
	Err e = { 0 };
	OnceOptions o = { .threads = 1, .session = { .alternatives = 4 }, .n = n, .ids = ids, .n_ids = 7, .watch = watch };
	Once *x = once_run(unit_src(model_path), &o, &e);
	if (!x)
		fail_msg("%s", e.text);
	return x;
}

static void order(Once *x, const char *json)
{
	Err e = { 0 };
	if (!once_order(x, json, &e))
		fail_msg("%s", e.text);
}

static const Sample *last(const Once *x, const char *topic)
{
	const Sample *s = store_last(once_store(x), topic);
	if (!s)
		fail_msg("no %s", topic);
	return s;
}

/* A number behind "key": in a JSON text. */
static double number_of(const char *json, const char *key)
{
	char want[64];
	snprintf(want, sizeof want, "\"%s\":", key);
	const char *p = strstr(json, want);
	return p ? strtod(p + strlen(want), NULL) : NAN;
}

/* What the last layer says is what the model says. */
TEST(lens_ends_at_the_model)
{
	Once *x = run((const char *[]){ "lens.p", "lens.top", NULL }, 6);
	const Store *s = once_store(x);
	int seen = 0;
	for (size_t i = 0; i < store_count(s, "gen.token"); i++) {
		const Sample *t = store_at(s, "gen.token", i);
		double p = exp(number_of(t->data, "logprob"));
		int64_t row;
		const Sample *k = store_pos(s, "lens.p", t->step, &row);
		if (!k || isnan(p))
			continue;
		int L = (int)k->shape[1];
		assert_float_equal(sample_num(k, (size_t)row * (size_t)L + (size_t)L - 1), p, 1e-3 * p + 1e-6);
		const Sample *top = store_pos(s, "lens.top", t->step, NULL);
		assert_non_null(top);
		assert_non_null(strstr(top->data, "\"rank\":"));
		seen++;
	}
	assert_int_equal(seen, 12);
	once_free(x);
}

TEST(lens_is_silent_when_nobody_watches)
{
	Once *x = run(NULL, 4);
	assert_null(store_last(once_store(x), "lens.p"));
	assert_null(store_last(once_store(x), "diff.about"));
	assert_null(store_last(once_store(x), "fp8.about"));
	assert_null(store_last(once_store(x), "model.tensors"));
	once_free(x);
}

TEST(tensors_are_listed_and_looked_at)
{
	Err e = { 0 };
	Ckpt *c = ckpt_open(unit_src(model_path), &e);
	Once *x = run((const char *[]){ "model.tensors", NULL }, 2);
	const Sample *list = last(x, "model.tensors"), *table = last(x, "model.tensor_table");
	assert_non_null(c);
	assert_int_equal(list->step, ckpt_count(c));
	assert_int_equal(table->shape[0], ckpt_count(c));
	for (size_t i = 0; i < ckpt_count(c); i += 7) {
		char json[300], topic[300];
		const char *name = ckpt_at(c, i, NULL)->name;
		snprintf(json, sizeof json, "{\"cmd\":\"tensor\",\"name\":\"%s\"}", name);
		order(x, json);
		snprintf(topic, sizeof topic, "model.tensor_stat.%s", name);
		const Sample *stat = last(x, topic);
		snprintf(topic, sizeof topic, "model.tensor_hist.%s", name);
		const Sample *hist = last(x, topic);
		snprintf(topic, sizeof topic, "model.tensor_map.%s", name);
		const Sample *map = last(x, topic);
		double all = 0, most = 0;
		for (size_t k = 0; k < 4; k++) /* min, max, mean, std: as in the table */
			assert_float_equal(sample_num(stat, 2 + k), sample_num(table, i * 7 + k), 1e-9);
		for (size_t k = 0; k < hist->shape[0]; k++)
			all += sample_num(hist, k);
		for (size_t k = 0; k < map->bytes / 4; k++)
			most = fmax(most, fabs(sample_num(map, k)));
		assert_float_equal(all, sample_num(stat, 1), 0);
		assert_float_equal(most, fmax(fabs(sample_num(stat, 2)), fabs(sample_num(stat, 3))), 1e-6);
	}
	ckpt_close(c);
	once_free(x);
}

TEST(tensors_can_be_values_on_the_text)
{
	Once *x = run(NULL, 5);
	Err e = { 0 };
	order(x, "{\"cmd\":\"tensor\",\"name\":\"layers.1.resid_post\",\"mean\":true}");
	const Sample *stat = last(x, "probe_stat.layers.1.resid_post");
	assert_float_equal(sample_num(stat, 9), 12, 0); /* rows: positions of the text */
	assert_float_equal(sample_num(stat, 13), 1, 0);
	assert_false(once_order(x, "{\"cmd\":\"tensor\",\"name\":\"no.such.thing\"}", &e));
	assert_non_null(strstr(e.text, "no.such.thing"));
	once_free(x);
}

/* The recipe's report, and every number of a weight in one place of the grid; unasked, by order, and the next of the table. */
TEST(fp8_tells_what_a_recipe_does)
{
	Once *x = run((const char *[]){ "fp8.about", NULL }, 3);
	Err e = { 0 };
	const char *about = last(x, "fp8.about")->data;
	assert_non_null(strstr(about, "\"recipe\":\"fp8-v3\""));
	assert_non_null(strstr(about, "\"format\":\"e4m3fn\""));
	assert_true(number_of(about, "tokens") > 0);
	const Sample *stats = last(x, "fp8.products"), *weights = last(x, "fp8.weights"), *alone = last(x, "fp8.alone");
	assert_int_equal(stats->shape[1], 21);
	assert_int_equal(weights->shape[1], 6 + 17);
	assert_int_equal(weights->shape[0], stats->shape[0]);
	assert_int_equal(alone->shape[0], stats->shape[0]);
	for (size_t i = 0; i < weights->shape[0]; i++) {
		double n = 0;
		for (size_t b = 0; b < 17; b++)
			n += sample_num(weights, i * 23 + 6 + b);
		assert_true(n > 0 && n == sample_num(weights, i * 23));
		assert_true(sample_num(weights, i * 23 + 2) >= sample_num(weights, i * 23 + 1));
		assert_true(sample_num(stats, i * 21) > 0 && sample_num(alone, i) >= 0);
	}
	assert_int_equal(last(x, "fp8.scales")->shape[0], stats->shape[0]);
	assert_float_equal(sample_num(last(x, "fp8.scales"), 0), 1, 0);
	order(x, "{\"cmd\":\"fp8\",\"by\":-1}"); /* around the table, past f32 and bf16 */
	assert_non_null(strstr(last(x, "fp8.about")->data, "\"recipe\":\"nvfp4\""));
	assert_int_equal(last(x, "fp8.weights")->shape[1], 6 + 5);
	order(x, "{\"cmd\":\"fp8\",\"recipe\":\"bf16\"}"); /* quantises nothing */
	assert_non_null(strstr(last(x, "fp8.about")->data, "\"products\":[]"));
	assert_false(once_order(x, "{\"cmd\":\"fp8\",\"recipe\":\"fp9\"}", &e));
	assert_non_null(strstr(e.text, "fp9"));
	once_free(x);
}

TEST(diff_finds_what_differs)
{
	char json[600];
	Once *x = run((const char *[]){ "diff.about", NULL }, 6);
	const char *about = last(x, "diff.about")->data;
	assert_non_null(strstr(about, "\"b\":\"bf16 products\""));
	assert_non_null(strstr(about, "\"first\":\"layers.0.attn.out\""));
	assert_true(number_of(about, "kl") > 0);
	const Sample *by = last(x, "diff.by_token"), *layers = last(x, "diff.layers"), *tok = last(x, "diff.tokens");
	assert_int_equal(by->shape[0], 13);
	assert_int_equal(by->shape[1], layers->shape[0]);
	double sum = 0;
	for (size_t i = 0; i < 13; i++)
		sum += sample_num(tok, 2 * i);
	assert_float_equal(sum / 13, number_of(about, "kl"), 1e-7);

	snprintf(json, sizeof json, "{\"cmd\":\"compare\",\"path\":\"%s\"}", unit_src(model_path));
	order(x, json);
	about = last(x, "diff.about")->data;
	assert_non_null(strstr(about, "\"first\":null"));
	assert_float_equal(number_of(about, "kl"), 0, 0);

	order(x, "{\"cmd\":\"compare\",\"form\":\"absorbed\"}");
	about = last(x, "diff.about")->data;
	assert_non_null(strstr(about, "\"a\":\"naive attention\""));
	assert_true(number_of(about, "kl") < 1e-6);
	Err e = { 0 };
	assert_false(once_order(x, "{\"cmd\":\"compare\",\"path\":\"/nowhere\"}", &e));
	once_free(x);
}

TEST(diff_tells_of_how_many_tokens_it_read_the_first)
{
	static int32_t ids[300];
	Err e = { 0 };
	for (int i = 0; i < 300; i++)
		ids[i] = 5 + i % 80;
	OnceOptions o = { .threads = 1, .n = 0, .ids = ids, .n_ids = 300, .watch = (const char *[]){ "diff.about", NULL } };
	Once *x = once_run(unit_src(model_path), &o, &e);
	if (!x)
		fail_msg("%s", e.text);
	order(x, "{\"cmd\":\"compare\",\"form\":\"absorbed\"}");
	const char *about = last(x, "diff.about")->data;
	assert_float_equal(number_of(about, "tokens"), 256, 0);
	assert_float_equal(number_of(about, "of"), 300, 0);
	once_free(x);
}

/* A branch keeps the text before it, takes the token it was given, and the tree knows both. */
TEST(branch_goes_another_way)
{
	Once *x = run(NULL, 6);
	Err e = { 0 };
	order(x, "{\"cmd\":\"branch\",\"pos\":9,\"token\":33,\"n\":4}");
	const Store *s = once_store(x);
	assert_int_equal(store_count(s, "gen.token"), 14);
	assert_float_equal(number_of(store_pos(s, "gen.token", 3, NULL)->data, "id"), 26, 0);
	assert_float_equal(number_of(store_pos(s, "gen.token", 9, NULL)->data, "id"), 33, 0);
	const char *tree = last(x, "engine.tree")->data;
	assert_float_equal(number_of(tree, "now"), 2, 0);
	assert_non_null(strstr(tree, "\"run\":2,\"parent\":1,\"from\":9,\"tokens\":14"));
	order(x, "{\"cmd\":\"branch\",\"run\":1,\"pos\":8,\"token\":20,\"n\":1}");
	tree = last(x, "engine.tree")->data;
	assert_non_null(strstr(tree, "\"run\":3,\"parent\":1,\"from\":8"));
	assert_false(once_order(x, "{\"cmd\":\"branch\",\"run\":9,\"pos\":8,\"token\":20}", &e));
	assert_false(once_order(x, "{\"cmd\":\"branch\",\"pos\":500,\"token\":20}", &e));
	once_free(x);
}
