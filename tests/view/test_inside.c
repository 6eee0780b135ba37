/* test_inside.c - the scenes that look inside: what they ask of the engine and when, heads and keys under the
 * cursor, marks of drafts. */
#include "tests/view/rig.h"
#include <math.h>

static bool has(Rig *r, const char *what)
{
	return strstr(rig_text(r), what) != NULL;
}

/* All commands that wait, one a line. */
static const char *commands(Rig *r, Buf *b)
{
	const char *c;
	buf_clear(b);
	while ((c = app_take_command(r->a)) != NULL)
		buf_printf(b, "%s\n", c);
	return buf_str(b);
}

#define LIST1 "[\"layers.1.attn.probs\",\"layers.1.latent.*\",\"engine.forms\"]"
#define LIST2 "[\"layers.2.attn.probs\",\"layers.2.latent.*\",\"engine.forms\"]"

TEST(inside_is_watched_while_it_is_shown)
{
	Buf b = BUF_INIT;
	Rig r = rig_open("v3", NULL, false, 120, 40);
	const char *c = commands(&r, &b);
	assert_null(strstr(c, "attn.probs"));
	assert_null(strstr(c, "latent"));
	rig_keys(&r, "6");
	/* The text is there already, and idle: it is read again at once. */
	assert_string_equal(commands(&r, &b),
		"{\"cmd\":\"watch\",\"patterns\":" LIST1 "}\n{\"cmd\":\"look\",\"patterns\":" LIST1 "}\n");
	rig_keys(&r, "j");
	assert_string_equal(commands(&r, &b), "");
	rig_keys(&r, "+");
	assert_string_equal(commands(&r, &b),
		"{\"cmd\":\"unwatch\",\"patterns\":" LIST1 "}\n{\"cmd\":\"watch\",\"patterns\":" LIST2 "}\n"
		"{\"cmd\":\"look\",\"patterns\":" LIST2 "}\n");
	rig_keys(&r, "a");
	assert_string_equal(commands(&r, &b), "{\"cmd\":\"look\",\"patterns\":" LIST2 "}\n");
	rig_keys(&r, "1");
	assert_string_equal(commands(&r, &b), "{\"cmd\":\"unwatch\",\"patterns\":" LIST2 "}\n");
	/* An engine that is new is told anew. */
	rig_keys(&r, "6");
	rig_drain(&r);
	app_set_engine(r.a, false, "gone");
	app_draw(r.a, r.s, r.g, 0);
	assert_string_equal(commands(&r, &b), "");
	app_set_engine(r.a, true, NULL);
	assert_non_null(strstr(commands(&r, &b), "{\"cmd\":\"watch\",\"patterns\":" LIST2 "}\n"));
	buf_done(&b);
	rig_close(&r);
}

TEST(inside_asks_nothing_of_a_recording)
{
	Buf b = BUF_INIT;
	Rig r = rig_open("v3", "mla", true, 120, 40);
	rig_keys(&r, "++78a");
	assert_string_equal(commands(&r, &b), "");
	rig_keys(&r, ":look<Enter>");
	assert_true(has(&r, "recording"));
	buf_done(&b);
	rig_close(&r);
}

TEST(inside_look_says_when_there_is_nothing)
{
	Rig r = rig_open("v3", "home", false, 120, 40);
	rig_drain(&r);
	rig_keys(&r, ":look<Enter>");
	assert_true(has(&r, "nothing in this scene"));
	assert_null(app_take_command(r.a));
	rig_close(&r);
}

TEST(inside_heads_and_keys)
{
	Rig r = rig_open("v3", "mla", true, 120, 40);
	assert_true(has(&r, "attention, layer 1 head 0"));
	/* The cursor of the keys counts back from the query. */
	assert_non_null(strstr(rig_row(&r, 38),
		"layers.1.attn.probs[30\xc2\xb7"
		"0,30]"));
	rig_keys(&r, "<Left><Left>");
	assert_non_null(strstr(rig_row(&r, 38),
		"layers.1.attn.probs[30\xc2\xb7"
		"0,28]"));
	rig_keys(&r, "k");
	assert_non_null(strstr(rig_row(&r, 38),
		"layers.1.attn.probs[29\xc2\xb7"
		"0,27]"));
	rig_keys(&r, "<Right><Right><Right>");
	assert_non_null(strstr(rig_row(&r, 38),
		"layers.1.attn.probs[29\xc2\xb7"
		"0,29]"));
	rig_keys(&r, ")))(");
	assert_true(has(&r, "head 2"));
	rig_keys(&r, ":head 99<Enter>");
	assert_true(has(&r, "attention, layer 1 head 7"));
	rig_keys(&r, "<Tab>k");
	assert_true(has(&r, "attention, layer 1 head 6"));
	assert_non_null(strstr(rig_row(&r, 38), "layers.1.latent.heads[6,0]"));
	rig_keys(&r, "<Tab><Tab>k");
	assert_non_null(strstr(rig_row(&r, 38), "layer 1 head 5: entropy"));
	rig_close(&r);
}

/* The effective rank on the screen is that of the recorded energies: 8 / (i+1)^2, whose roots are shares of a
 * harmonic sum. */
TEST(inside_rank_is_computed)
{
	Rig r = rig_open("v3", "mla", true, 120, 40);
	double sum = 0, h = 0;
	char want[32];
	for (int i = 1; i <= 32; i++)
		sum += 1.0 / i;
	for (int i = 1; i <= 32; i++)
		h -= 1.0 / i / sum * log(1.0 / i / sum);
	snprintf(want, sizeof want, "%.1f of 32", exp(h));
	assert_true(has(&r, want));
	rig_close(&r);
}

TEST(inside_drafts_are_marked)
{
	Rig r = rig_open("v3", "mtp", true, 120, 40);
	/* Below the text: a line where a draft was taken, a cross where another was refused. */
	assert_true(has(&r, "<think>26*3=78;78+17=95;95-50=45"));
	assert_true(has(&r, "\xe2\x94\x80\xe2\x94\x80\xe2\x94\x80\xc3\x97"));
	rig_keys(&r, ":token 11<Enter>");
	assert_non_null(strstr(rig_row(&r, 38), "taken in place of the draft `99`"));
	app_set_ascii(r.a, true);
	app_draw(r.a, r.s, r.g, 0);
	assert_true(has(&r, "---x"));
	rig_close(&r);
	r = rig_open("v2", "mtp", true, 120, 40);
	assert_true(has(&r, "no MTP module in this model"));
	rig_close(&r);
}

TEST(inside_bias_is_taken_away)
{
	Rig r = rig_open("v3", "moe", true, 120, 40);
	assert_true(has(&r, "of 62 flip"));
	rig_close(&r);
	r = rig_open("v2", "moe", true, 120, 40);
	assert_true(has(&r, "this gate has no bias"));
	rig_close(&r);
}

TEST(inside_data_comes_out)
{
	static const char *const scene[] = { "mla", "moe", "mtp" },
				 *const want[][2] = { { "\"attention\"", "attention, layer 1 head 0" },
					 { "\"coactive\"", "load over the text" },
					 { "\"draft_text\"", "drafts" } };
	for (int i = 0; i < 3; i++) {
		Buf json = BUF_INIT, csv = BUF_INIT;
		Err e = { 0 };
		Rig r = rig_open("v3", scene[i], true, 80, 24);
		assert_true(app_data(r.a, r.s, "json", &json, &e) && app_data(r.a, r.s, "csv", &csv, &e));
		assert_non_null(strstr(buf_str(&json), want[i][0]));
		assert_non_null(strstr(buf_str(&csv), want[i][1]));
		if (i == 2) {
			assert_non_null(strstr(buf_str(&json), "\"draft\":\"rejected\""));
			assert_non_null(strstr(buf_str(&csv), ",refused,,99\n"));
		}
		buf_done(&json);
		buf_done(&csv);
		rig_close(&r);
	}
}

/* Samples of any shape under the names that the scenes read: nothing breaks, whatever is shown. */
TEST(inside_survives_nonsense)
{
	static const char *const topic[] = { "layers.1.attn.probs", "layers.1.latent.energy",
		"layers.1.latent.heads", "layers.1.latent.W_DKV", "layers.1.moe.topk",
		"layers.1.moe.topk_unbiased", "layers.1.moe.entropy", "layers.1.moe.norms",
		"layers.1.moe.scores" };
	static const struct {
		int rank;
		uint32_t shape[4];
		Dtype dtype;
	} shape[] = { { 0, { 0 }, DT_F32 }, { 1, { 0 }, DT_F32 }, { 1, { 3 }, DT_I32 },
		{ 2, { 4000000000u, 0 }, DT_F32 }, { 2, { 0, 7 }, DT_F32 }, { 2, { 1, 1 }, DT_I32 },
		{ 2, { 40, 1 }, DT_F32 }, { 2, { 3, 200 }, DT_I32 }, { 3, { 2, 3, 4 }, DT_F32 },
		{ 4, { 1, 8, 1, 16 }, DT_F32 } };
	static float v[1024];
	for (int i = 0; i < 1024; i++)
		v[i] = i % 7 == 0 ? NAN : i % 11 == 0 ? INFINITY : i % 5 == 0 ? -1e30f : (float)i;
	for (size_t k = 0; k < sizeof shape / sizeof *shape; k++) {
		Rig r = rig_open("v3", "mla", true, 120, 40);
		for (size_t i = 0; i < sizeof topic / sizeof *topic; i++) {
			Sample x = { .topic = topic[i],
				.kind = SAMPLE_TENSOR,
				.step = k % 2 ? 5 : 0,
				.time = 9,
				.dtype = shape[k].dtype,
				.rank = shape[k].rank,
				.data = v,
				.bytes = 4 };
			for (int n = 0; n < x.rank; n++) {
				x.shape[n] = shape[k].shape[n];
				x.bytes *= x.bytes ? x.shape[n] : 0;
			}
			assert_true(store_add(r.s, &x));
		}
		const char *forms = "{\"tokens\":-1,\"layers\":[1,null,\"x\",1e308,[]]}";
		Sample x = { .topic = "engine.forms",
			.kind = SAMPLE_TEXT,
			.time = 9,
			.data = forms,
			.bytes = strlen(forms) };
		assert_true(store_add(r.s, &x));
		rig_keys(&r, "6jjl#)<Tab>jj<Tab>j<Tab>j<Tab>j7jjl#<Tab>jj<Tab>jj<Tab>jj<Tab>j8jj<Tab>j");
		rig_close(&r);
	}
}

TEST(mla_says_how_far_the_attention_was_computed)
{
	Rig r = rig_open("v3", "mla", false, 80, 24);
	for (int pos = 31; pos < 131; pos++) {
		char json[80];
		snprintf(json, sizeof json, "{\"pos\":%d,\"id\":65,\"text\":\"A\"}", pos);
		Sample x = { .topic = "gen.token", .kind = SAMPLE_TEXT, .time = 1e3 + pos, .data = json, .bytes = strlen(json) };
		assert_true(store_add(r.s, &x));
	}
	rig_keys(&r, ":token 120<Enter>");
	assert_non_null(strstr(rig_text(&r), "first 1024"));
	assert_non_null(strstr(rig_text(&r), "attention of token 120 not computed · :token "));
	rig_close(&r);
}
