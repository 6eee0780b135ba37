/* test_trace.c - keys of the Trace, Tensors and Diff scenes: what they ask the engine for, and what they change on the screen. */
#include "tests/view/rig.h"
#include "base/rng.h"
#include <math.h>

static bool has(Rig *r, const char *s)
{
	return strstr(rig_text(r), s) != NULL;
}

/* The next command that is not about watching. */
static const char *asked(Rig *r)
{
	const char *json;
	while ((json = app_take_command(r->a)) != NULL)
		if (!strstr(json, "watch") && !strstr(json, "\"look\""))
			return json;
	return "";
}

TEST(trace_branches_from_the_token_under_the_cursor)
{
	Rig r = rig_open("trace", "trace", false, 120, 40);
	rig_drain(&r);
	rig_keys(&r, ":token 12<Enter>b");
	/* the token there was forced: the likeliest of all is the other one */
	assert_non_null(strstr(asked(&r), "{\"cmd\":\"branch\",\"run\":2,\"pos\":12,\"token\":"));
	rig_keys(&r, ":branch 3<Enter>");
	assert_non_null(strstr(asked(&r), "\"pos\":"));
	rig_keys(&r, ":token 0<Enter>b");
	assert_string_equal(asked(&r), "");
	assert_true(has(&r, "choose a later one"));
	rig_close(&r);
}

TEST(trace_shows_earlier_branches)
{
	Rig r = rig_open("trace", "trace", true, 120, 40);
	assert_true(has(&r, "1+2=3>33"));
	rig_keys(&r, "T");
	assert_true(has(&r, "1+2+1=4>43"));
	assert_true(has(&r, "2 texts"));
	rig_keys(&r, "<End>");
	assert_true(has(&r, "1+2=3>33"));
	rig_keys(&r, ":show 99<Enter>");
	assert_true(has(&r, "not kept"));
	rig_close(&r);
}

TEST(trace_names_the_layer_that_decided)
{
	Rig r = rig_open("trace", "trace", true, 120, 40);
	assert_true(has(&r, "decided at layer 2"));
	rig_keys(&r, "<Tab><Tab><Tab>:layer 2<Enter>");
	assert_true(has(&r, "logit lens, position"));
	rig_close(&r);
}

TEST(tensors_open_close_and_filter)
{
	Rig r = rig_open("trace", "tensors", true, 120, 40);
	assert_true(has(&r, "161 tensors"));
	assert_false(has(&r, "self_attn.q_proj") || has(&r, "kv_b_proj"));
	rig_keys(&r, "<Down><Down><Down><Down>"); /* layers.0 */
	assert_true(has(&r, "model.layers.0 \xc2\xb7 10 inside"));
	rig_keys(&r, "<Right><Down>");
	assert_true(has(&r, "model.layers.0.input_layernorm.weight"));
	rig_keys(&r, "<Left><Left>"); /* to the group, and closed */
	assert_true(has(&r, "model.layers.0 \xc2\xb7 10 inside"));
	rig_keys(&r, "/layers.1 kv_b");
	assert_true(has(&r, "1 with \"layers.1 kv_b\""));
	rig_keys(&r, "<Enter>");
	assert_true(has(&r, "self_attn.kv_b_proj.weight"));
	rig_keys(&r, "/<Esc>");
	assert_true(has(&r, "161 tensors"));
	rig_close(&r);
}

/* Live, the selected one is asked for once, and what was looked at is not asked for again. */
TEST(tensors_are_asked_for_when_selected)
{
	Rig r = rig_open("trace", "tensors", false, 120, 40);
	assert_string_equal(asked(&r), "");
	rig_keys(&r, "<Down><Down><Down><Down><Right><Down>");
	assert_string_equal(asked(&r), "{\"cmd\":\"tensor\",\"name\":\"model.layers.0.input_layernorm.weight\",\"mean\":false}");
	rig_keys(&r, "j");
	rig_drain(&r);
	rig_keys(&r, "<Home>");
	rig_keys(&r, "M");
	assert_true(has(&r, "mean"));
	rig_close(&r);
}

TEST(diff_sends_what_to_compare_with)
{
	static const struct { const char *keys, *json; } t[] = {
		{ ":compare bf16<Enter>", "{\"cmd\":\"compare\",\"precision\":\"bf16\"}" }, { ":compare<Enter>", "{\"cmd\":\"compare\"}" },
		{ "A", "{\"cmd\":\"compare\",\"form\":\"absorbed\"}" },
		{ ":compare text twice \"so\"<Enter>", "{\"cmd\":\"compare\",\"text\":\"twice \\\"so\\\"\"}" },
		{ ":compare @tiny<Enter>", "{\"cmd\":\"compare\",\"path\":\"@tiny\"}" },
	};
	Rig r = rig_open("trace", "diff", false, 120, 40);
	rig_drain(&r);
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		rig_keys(&r, t[i].keys);
		assert_string_equal(asked(&r), t[i].json);
	}
	rig_close(&r);
}

TEST(fp8_asks_for_recipes_and_names_the_outlier)
{
	static const struct { const char *keys, *json; } t[] = {
		{ "C", "{\"cmd\":\"fp8\"}" }, { "N", "{\"cmd\":\"fp8\",\"by\":1}" }, { "B", "{\"cmd\":\"fp8\",\"by\":-1}" },
		{ ":fp8 nvfp4<Enter>", "{\"cmd\":\"fp8\",\"recipe\":\"nvfp4\"}" },
	};
	Rig r = rig_open("fp8", "fp8", false, 120, 40);
	rig_drain(&r);
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		rig_keys(&r, t[i].keys);
		assert_string_equal(asked(&r), t[i].json);
	}
	assert_true(has(&r, "weight outlier"));
	rig_keys(&r, "<S-Tab>:layer 2<Enter>"); /* any pane: the selection is one */
	assert_true(has(&r, "L2 shared.up"));
	rig_close(&r);
}

/* A pane that may be left out is, and the others have its room. */
TEST(optional_panes_without_data_are_left_out)
{
	Rig r = rig_open("v3", "diff", true, 120, 40);
	assert_true(has(&r, "A against B"));
	assert_false(has(&r, "distance by layer"));
	rig_close(&r);
	r = rig_open("trace", "diff", true, 120, 40);
	assert_true(has(&r, "distance by layer"));
	rig_close(&r);
}

static const char *const scenes_here[] = { "trace", "tensors", "diff", "fp8", "train" };

/* Any keys at any size: nothing breaks. */
TEST(trace_survives_random_keys_and_sizes)
{
	static const char *const key[] = { "<Tab>", "<Up>", "<Down>", "<Left>", "<Right>", "9", "0", "z", "#", "g", "l", "c", "b", "T", "X", "U", "M", "A",
		"P", "<Esc>", "+", "-", "[", "]", "<PgUp>", "<PgDn>", "<Home>", "<End>", "/at<Enter>", "/<Esc>", ":scene diff<Enter>", ":show 1<Enter>",
		":ascii<Enter>", ":theme mono<Enter>", ":theme dark<Enter>", "<S-Tab>", ":branch 2<Enter>", ":layer 3<Enter>" };
	Rng rng = rng_make(5, 5);
	for (int n = 0; n < 5; n++) {
		Rig r = rig_open(n == 4 ? "train" : n == 3 ? "fp8" : "trace", scenes_here[n], n % 2 || n == 4, 80, 24);
		for (int i = 0; i < 250; i++) {
			if (i % 6 == 0)
				grid_resize(r.g, 1 + (int)rng_below(&rng, 210), 1 + (int)rng_below(&rng, 70));
			rig_keys(&r, key[rng_below(&rng, sizeof key / sizeof *key)]);
			rig_drain(&r);
		}
		rig_close(&r);
	}
}

static void put_text(Rig *r, const char *topic, uint64_t step, double time, const char *text)
{
	store_add(r->s, &(Sample){ .topic = topic, .kind = SAMPLE_TEXT, .step = step, .time = time, .data = text, .bytes = strlen(text) });
}

/* A tensor of zeros with any shape. */
static void put_zeros(Rig *r, const char *topic, double time, Dtype d, int rank, uint32_t a, uint32_t b)
{
	static const double zero[4096];
	Sample x = { .topic = topic, .kind = SAMPLE_TENSOR, .time = time, .dtype = d, .rank = rank, .shape = { a, b }, .data = zero };
	x.bytes = dtype_bits(d) / 8 * (rank > 0 ? a : 1) * (rank > 1 ? b : 1);
	if (x.bytes <= sizeof zero)
		store_add(r->s, &x);
}

/* What no engine of ours sends: drawn as far as it goes. */
TEST(trace_hostile_samples_are_drawn)
{
	static const char *const json[] = { "{}", "[]", "7", "{\"branches\":[{\"run\":1,\"parent\":1},{\"run\":2,\"parent\":3},{\"run\":3,\"parent\":2},7]}",
		"{\"branches\":[{\"run\":1,\"parent\":0,\"from\":-5,\"text\":7},{\"run\":2,\"parent\":1,\"from\":99999999999,\"text\":\"\\u001b[2J\"}],\"now\":2}",
		"{\"a\":1,\"b\":[],\"first\":{},\"values\":[1,2,\"layers.0.resid_post\"],\"routers\":[\"x\",null],\"worst\":[{\"pos\":-1,\"kl\":\"x\"},3]}",
		"{\"layers\":[1,{\"top\":7},{\"top\":[{}]},{\"top\":[{\"id\":\"x\",\"text\":5,\"p\":[]}],\"rank\":-9}]}",
		"{\"tokens\":[1,[],\"\\u001b]0;x\"],\"starts\":[-1,99999,\"a\"]}", "a\tb\n\n\t\t\t\nname\tBF16\t-5\t\nn\t\tx\t3x\n" };
	static const char *const text[] = { "engine.tree", "diff.about", "lens.top", "model.tensors", "train.gate_text", "gen.run" };
	static const char *const tensor[] = { "lens.p", "diff.layers", "diff.by_token", "diff.routes", "diff.tokens", "model.tensor_table",
		"model.tensor_stat.name", "model.tensor_hist.name", "model.tensor_map.name", "model.tensor_stat.lm_head.weight",
		"model.tensor_map.lm_head.weight", "train.gate.1", "train.step" };
	Rng rng = rng_make(9, 9);
	for (int n = 0; n < 4; n++) {
		Rig r = rig_open(n == 3 ? "train" : "trace", scenes_here[n], false, 120, 40);
		double time = store_end(r.s);
		for (int i = 0; i < 300; i++) {
			time += 0.01;
			put_text(&r, text[rng_below(&rng, 5 + (i > 200))], rng_below(&rng, 40), time, json[rng_below(&rng, sizeof json / sizeof *json)]);
			static const Dtype type[] = { DT_F32, DT_F64, DT_I64, DT_U8, DT_BF16 };
			put_zeros(&r, tensor[rng_below(&rng, sizeof tensor / sizeof *tensor)], time, type[rng_below(&rng, 5)], (int)rng_below(&rng, 3),
				rng_below(&rng, 20), rng_below(&rng, 20));
			rig_keys(&r, i % 3 ? "<Down>" : "<Tab>");
			assert_false(has(&r, "\x1b"));
			rig_drain(&r);
		}
		rig_close(&r);
	}
}
