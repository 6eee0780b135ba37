/* What is drawn for values that are not ordinary, and the gate's arithmetic. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "tests/view/rig.h"
#include "base/json.h"
#include <math.h>
#include <stdlib.h>

static void put(Store *s, const char *topic, uint32_t rows, uint32_t cols, const void *p, Dtype d)
{
	Sample x = { .topic = topic,
		.kind = SAMPLE_TENSOR,
		.time = 50,
		.dtype = d,
		.rank = 2,
		.shape = { rows, cols },
		.data = p,
		.bytes = (size_t)rows * cols * 4 };
	assert_true(store_add(s, &x));
}

TEST(views_nan_zero_and_not_computed_differ)
{
	Rig r = rig_open("v2", "router", true, 200, 60);
	float w[1][2] = { { NAN, 0 } };
	int32_t top[1][2] = { { 0, 1 } };
	put(r.s, "layers.1.moe.topk", 1, 2, top, DT_I32);
	put(r.s, "layers.1.moe.weights", 1, 2, w, DT_F32);
	rig_keys(&r, "<Home><Down><Up>");
	int y = 0, x = 0;
	for (y = 0; y < 60; y++)
		for (x = 0; x < 60; x++)
			if (strcmp(grid_at(r.g, x, y)->s, "!") == 0)
				goto found;
	fail_msg("no NaN shown");
found:
	assert_true(grid_at(r.g, x, y)->attr & ATTR_REVERSE);
	assert_int_equal(grid_at(r.g, x + 5, y)->bg, 0x440154);
	/* experts 2 and on were not chosen */
	assert_int_equal(grid_at(r.g, x + 10, y)->bg, COLOR_DEFAULT);
	rig_close(&r);
}

TEST(views_gate_explains_itself)
{
	Rig r = rig_open("v3", "router", true, 200, 60);
	const char *t = rig_text(&r);
	assert_non_null(strstr(t, "keep 2 of 4"));
	assert_non_null(strstr(t, "without bias: 7, 12  (same)"));
	assert_non_null(strstr(t, "flips to 6 if bias of 6 > +0.2952"));
	assert_non_null(strstr(t, "group 0 out"));
	rig_close(&r);
	r = rig_open("v2", "router", true, 200, 60);
	assert_non_null(strstr(rig_text(&r), "flips to 5 if its score gains 0.0776"));
	assert_null(strstr(rig_text(&r), "without bias"));
	rig_close(&r);
}

TEST(views_router_follows_the_newest_token_with_routes)
{
	static const char json[] = "{\"pos\":31,\"id\":1,\"text\":\"new\"}";
	Rig r = rig_open("v3", "router", true, 120, 40);
	Sample x = { .topic = "gen.token",
		.kind = SAMPLE_TEXT,
		.step = 31,
		.time = 90,
		.data = json,
		.bytes = sizeof json - 1 };
	assert_true(store_add(r.s, &x));
	app_draw(r.a, r.s, r.g, 0);
	assert_non_null(strstr(rig_text(&r), "why: token 30"));
	rig_keys(&r, "1");
	assert_non_null(strstr(rig_text(&r), "gen.token[31]"));
	rig_close(&r);
}

TEST(views_number_mode)
{
	Rig r = rig_open("v3", "router", true, 200, 60);
	assert_null(strstr(rig_text(&r), "1.25 "));
	rig_keys(&r, "#");
	assert_non_null(strstr(rig_text(&r), "1.25 "));
	rig_close(&r);
}

/* Tensors of unexpected shape and type are drawn as missing, not read out of bounds. */
TEST(views_hostile_tensors)
{
	Rig r = rig_open("v3", "router", true, 120, 40);
	int32_t top[1][3] = { { -5, 99999, 2147483647 } };
	float one[1][1] = { { 1 } };
	put(r.s, "layers.1.moe.topk", 1, 3, top, DT_I32);
	put(r.s, "layers.1.moe.weights", 1, 1, one, DT_F32);
	put(r.s, "layers.1.moe.scores", 1, 1, one, DT_F32);
	put(r.s, "layers.1.moe.group_sum", 1, 1, one, DT_F32);
	put(r.s, "layers.1.attn.c_KV", 1, 1, one, DT_F32);
	for (const char *k = "1234"; *k; k++) {
		char key[2] = { *k, 0 };
		rig_keys(&r, "<Home>");
		rig_keys(&r, key);
	}
	Sample text = { .topic = "layers.1.moe.bias", .kind = SAMPLE_TEXT, .time = 60, .data = "x", .bytes = 1 };
	store_add(r.s, &text);
	rig_keys(&r, "2<Tab><Tab>");
	rig_close(&r);
}

TEST(views_exports_are_complete)
{
	Rig r = rig_open("v3", "router", true, 120, 40);
	static const char *const format[] = { "text", "ansi", "csv", "json" };
	for (int i = 0; i < 4; i++) {
		Buf b = BUF_INIT;
		Err e = { 0 };
		assert_true(app_export(r.a, r.s, format[i], 80, 24, &b, &e));
		assert_true(b.len > 500);
		if (i == 2)
			assert_non_null(strstr(buf_str(&b), "pane,row,column,value,text\n"));
		if (i == 3) {
			json_t *o = json_parse(buf_str(&b), b.len, "export", E_2003, &e);
			assert_non_null(o);
			assert_int_equal(json_array_size(json_object_get(o, "panes")), 6);
			json_decref(o);
		}
		buf_done(&b);
	}
	Buf b = BUF_INIT;
	Err e = { 0 };
	assert_false(app_export(r.a, r.s, "gif", 80, 24, &b, &e));
	assert_int_equal(e.code, E_2003);
	buf_done(&b);
	rig_close(&r);
}

#ifdef HAVE_CAIRO
/* The font library keeps what it has read until the process ends; that is no leak of ours. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libfontconfig\n";
}

TEST(views_pictures)
{
	Rig r = rig_open("v3", "home", true, 80, 24);
	Buf b = BUF_INIT;
	Err e = { 0 };
	assert_true(app_export(r.a, r.s, "svg", 80, 24, &b, &e));
	assert_non_null(strstr(buf_str(&b), "<svg"));
	assert_non_null(strstr(buf_str(&b), "</svg>"));
	buf_clear(&b);
	assert_true(app_export(r.a, r.s, "png", 40, 12, &b, &e));
	assert_memory_equal(b.s, "\x89PNG", 4);
	buf_done(&b);
	rig_close(&r);
}
#endif

/* A run with so many steps that a point of the curve is the mean of several. */
TEST(views_a_long_run_is_thinned_and_its_steps_are_right)
{
	Rig r = rig_open("empty", "train", true, 120, 40);
	for (int i = 1; i <= 3000; i++) {
		float v = (float)(6.0 / (1 + i / 500.0));
		int64_t step[3] = { i, 3000, 64 * i };
		Sample x = { .topic = "train.main_loss", .kind = SAMPLE_TENSOR, .step = (uint64_t)i, .time = i, .dtype = DT_F32, .data = &v,
			.bytes = sizeof v };
		Sample y = { .topic = "train.step", .kind = SAMPLE_TENSOR, .step = (uint64_t)i, .time = i, .dtype = DT_I64, .rank = 1,
			.shape = { 3 }, .data = step, .bytes = sizeof step };
		assert_true(store_add(r.s, &x) && store_add(r.s, &y));
	}
	rig_keys(&r, "<C-l><Tab><S-Tab>");
	assert_non_null(strstr(rig_text(&r), "step       3000 of 3000"));
	assert_non_null(strstr(rig_text(&r), "train[2998] = "));
	rig_close(&r);
}

/* Sizes, types and texts that no run of ours sends. */
TEST(views_a_hostile_run_is_drawn)
{
	static const char text[] = "\x1b[2J\xff\n\xe4\xb8\xad\xe6\x96\x87 words", json[] = "{\"lr\":\"\\u001b[31m\",\"\x01\":{},\"seq\":[1]}";
	Rig r = rig_open("empty", "train", true, 120, 40);
	float nan = NAN;
	Sample x = { .topic = "train.step", .kind = SAMPLE_TEXT, .data = text, .bytes = sizeof text - 1, .time = 1 };
	assert_true(store_add(r.s, &x));
	static const char *const topic[] = { "train.sample", "train.layer_norm", "train.settings", "layers.0.moe.load", "train.main_loss" };
	for (size_t i = 0; i < sizeof topic / sizeof *topic; i++) {
		x.topic = topic[i];
		assert_true(store_add(r.s, &x));
	}
	rig_keys(&r, "<Tab>+-");
	assert_null(strchr(rig_text(&r), 0x1b));
	x.topic = "train.settings";
	x.data = json;
	x.bytes = sizeof json - 1;
	x.time = 2;
	assert_true(store_add(r.s, &x));
	static const char *const number[] = { "train.layer_norm", "layers.0.moe.load", "train.main_loss", "train.eta", "train.memory" };
	for (size_t i = 0; i < sizeof number / sizeof *number; i++) {
		Sample n = { .topic = number[i], .kind = SAMPLE_TENSOR, .dtype = DT_F32, .data = &nan, .bytes = 4, .time = 3 };
		assert_true(store_add(r.s, &n));
	}
	rig_keys(&r, "<Tab><Tab>zz");
	assert_null(strchr(rig_text(&r), 0x1b));
	rig_close(&r);
}
