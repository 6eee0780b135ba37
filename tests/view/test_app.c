/* Keys: what they change on the screen, what they send, and that nobody is trapped. */
#include "tests/view/rig.h"
#include "base/rng.h"
#include <math.h>

#define has(r, s) (strstr(rig_text(r), s) != NULL)

TEST(app_q_leaves_from_the_first_screen)
{
	Rig r = rig_open("empty", NULL, false, 80, 24);
	rig_keys(&r, "q");
	assert_true(app_quit(r.a));
	rig_close(&r);
}

static void tell_state(Rig *r, const char *state, const char *recording)
{
	char json[128];
	snprintf(json, sizeof json, "{\"state\":\"%s\",\"recording\":\"%s\"}", state, recording);
	Sample x = { .topic = "engine.status",
		.kind = SAMPLE_TEXT,
		.time = 1e3 + (double)store_version(r->s),
		.data = json,
		.bytes = strlen(json) };
	assert_true(store_add(r->s, &x));
	app_draw(r->a, r->s, r->g, 0);
}

TEST(app_q_asks_while_a_text_runs)
{
	Rig r = rig_open("v3", NULL, false, 80, 24);
	tell_state(&r, "decode", "");
	rig_keys(&r, "q");
	assert_false(app_quit(r.a));
	assert_true(has(&r, "Quit? y / n"));
	rig_keys(&r, "n");
	assert_false(app_quit(r.a));
	rig_keys(&r, "qy");
	assert_true(app_quit(r.a));
	rig_close(&r);
	r = rig_open("v3", NULL, false, 80, 24);
	tell_state(&r, "idle", "x.rec");
	rig_keys(&r, "q");
	assert_false(app_quit(r.a));
	rig_close(&r);
}

TEST(app_a_message_gives_way_to_the_next_key)
{
	Rig r = rig_open("v3", NULL, false, 80, 24);
	rig_keys(&r, ":bogus<Enter>");
	assert_true(has(&r, "no command \"bogus\""));
	rig_keys(&r, ".");
	assert_false(has(&r, "bogus"));
	assert_true(has(&r, "gen.token["));
	rig_keys(&r, ":<Tab>");
	assert_true(has(&r, "prompt  more"));
	rig_keys(&r, "<Esc>");
	assert_false(has(&r, "prompt  more"));
	rig_close(&r);
}

TEST(app_more_of_an_ended_text_says_so)
{
	static const char *const keys[] = { "n", "s", ":more 3<Enter>" };
	static const char json[] = "{\"state\":\"idle\",\"finish\":\"eos\"}";
	Rig r = rig_open("v3", NULL, false, 80, 24);
	Sample x = { .topic = "engine.status",
		.kind = SAMPLE_TEXT,
		.time = 1e3,
		.data = json,
		.bytes = sizeof json - 1 };
	assert_true(store_add(r.s, &x));
	app_draw(r.a, r.s, r.g, 0);
	assert_true(has(&r, "eos"));
	for (int i = 0; i < 3; i++) {
		rig_keys(&r, keys[i]);
		assert_true(has(&r, "the text has ended"));
		rig_keys(&r, ".");
	}
	rig_close(&r);
}

TEST(app_hints_keep_help_and_quit)
{
	static const int w[] = { 200, 80, 60, 40 };
	for (int i = 0; i < 4; i++) {
		Rig r = rig_open("v3", NULL, false, w[i], 24);
		assert_non_null(strstr(rig_row(&r, 23), "? keys  q quit"));
		rig_close(&r);
	}
}

TEST(app_end_leaves_the_past)
{
	Rig r = rig_open("v3", NULL, false, 80, 24);
	rig_keys(&r, "[[[[");
	assert_true(has(&r, "past"));
	rig_keys(&r, "<End>");
	assert_false(has(&r, "past"));
	rig_close(&r);
}

TEST(app_prompt_is_entered_edited_and_sent)
{
	Rig r = rig_open("v3", NULL, false, 80, 24);
	rig_drain(&r);
	rig_keys(&r, "<Enter>q1?:x<BS>\xe5\x93\x88");
	assert_false(app_quit(r.a));
	assert_string_equal(app_scene(r.a), "home");
	assert_true(has(&r, "\xe2\x80\xba q1?:\xe5\x93\x88"));
	assert_true(r.g->cursor_x > 0);
	rig_keys(&r, "<Enter>");
	assert_string_equal(app_take_command(r.a), "{\"cmd\":\"prompt\",\"text\":\"q1?:\xe5\x93\x88\"}");
	assert_null(app_take_command(r.a));
	rig_keys(&r, "i<Up>");
	assert_true(has(&r, "q1?:"));
	rig_keys(&r, "<Esc>q");
	assert_true(app_quit(r.a));
	rig_close(&r);
}

TEST(app_paste_never_runs_as_keys)
{
	Rig r = rig_open("v3", NULL, false, 80, 24);
	rig_drain(&r);
	assert_true(app_paste(r.a, "q\ny\n", 4));
	app_draw(r.a, r.s, r.g, 0);
	assert_false(app_quit(r.a));
	assert_null(app_take_command(r.a));
	rig_keys(&r, "<Enter>");
	assert_string_equal(app_take_command(r.a), "{\"cmd\":\"prompt\",\"text\":\"q\\ny\\n\"}");
	rig_close(&r);
}

TEST(app_run_keys_send_commands)
{
	static const struct { const char *keys, *json; } t[] = {
		{ " ", "{\"cmd\":\"pause\"}" }, { "s", "{\"cmd\":\"step\"}" }, { "n",
		  "{\"cmd\":\"continue\",\"n\":32}" },
		{ ":more 5<Enter>", "{\"cmd\":\"continue\",\"n\":5}" }, { ":set temperature 0.5<Enter>",
		  "{\"cmd\":\"set\",\"key\":\"temperature\",\"value\":0.5}" },
		{ ":set top-k 4<Enter>", "{\"cmd\":\"set\",\"key\":\"top_k\",\"value\":4}" },
		{ ":attention naive<Enter>", "{\"cmd\":\"set\",\"key\":\"attention\",\"value\":\"naive\"}" },
		{ ":mtp off<Enter>", "{\"cmd\":\"set\",\"key\":\"mtp\",\"value\":\"off\"}" }, { ":load a\"b<Enter>",
		  "{\"cmd\":\"load\",\"path\":\"a\\\"b\"}" },
		{ ":rec x.rec<Enter>", "{\"cmd\":\"record\",\"path\":\"x.rec\"}" }, { ":prompt hi<Enter>",
		  "{\"cmd\":\"prompt\",\"text\":\"hi\"}" },
		{ "R", "{\"ui\":\"restart\"}" }, { ":replay f<Enter>", "{\"ui\":\"replay\",\"path\":\"f\"}" },
		{ ":mouse off<Enter>", "{\"ui\":\"mouse\",\"on\":false}" }, { "<C-z>", "{\"ui\":\"suspend\"}" },
	};
	Rig r = rig_open("v3", NULL, false, 80, 24);
	rig_drain(&r);
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		rig_keys(&r, t[i].keys);
		const char *json = app_take_command(r.a);
		assert_non_null(json);
		assert_string_equal(json, t[i].json);
	}
	rig_close(&r);
}

TEST(app_watches_what_its_scenes_show)
{
	Rig r = rig_open("v3", NULL, false, 80, 24);
	const char *json = app_take_command(r.a);
	assert_non_null(json);
	assert_non_null(strstr(json, "\"cmd\":\"watch\""));
	assert_non_null(strstr(json, "layers.*.moe.scores"));
	assert_non_null(strstr(json, "layers.*.attn.c_KV"));
	rig_close(&r);
}

TEST(app_a_recording_takes_no_commands)
{
	Rig r = rig_open("v3", NULL, true, 80, 24);
	rig_keys(&r, "s n<Enter>");
	assert_null(app_take_command(r.a));
	assert_true(has(&r, "recording"));
	rig_close(&r);
}

TEST(app_one_selection_for_all_scenes)
{
	Rig r = rig_open("v3", "router", true, 120, 40);
	rig_keys(&r, "kk<Right><Right><Right>+");
	assert_true(has(&r, "L2 \xc2\xb7 token 28 \xc2\xb7 expert 3"));
	assert_true(has(&r, "layers.2.moe.weights[28,3]"));
	rig_keys(&r, "4");
	assert_string_equal(app_scene(r.a), "token");
	assert_true(has(&r, "gen.token[28]"));
	rig_keys(&r, "<End>");
	assert_true(has(&r, "token 30"));
	rig_keys(&r, "<Home><F2>");
	assert_string_equal(app_scene(r.a), "home");
	assert_true(has(&r, "token 0"));
	rig_close(&r);
}

TEST(app_readout_has_six_digits_and_rank)
{
	Rig r = rig_open("v3", "router", true, 120, 40);
	rig_keys(&r, ":expert 7<Enter>");
	assert_non_null(strstr(rig_row(&r, 38), "layers.1.moe.weights[30,7] = 1.25"));
	assert_non_null(strstr(rig_row(&r, 38), "rank 1 of 2"));
	rig_close(&r);
}

TEST(app_cache_context_moves)
{
	Rig r = rig_open("v3", "cache", true, 120, 40);
	assert_true(has(&r, "context 32K"));
	rig_keys(&r, "<Right>");
	assert_true(has(&r, "context 64K"));
	for (int i = 0; i < 12; i++)
		rig_keys(&r, "<Left>");
	assert_true(has(&r, "context 1K"));
	for (int i = 0; i < 12; i++)
		rig_keys(&r, "<Right>");
	assert_true(has(&r, "context 1024K"));
	rig_close(&r);
}

TEST(app_text_moves_by_lines)
{
	Rig r = rig_open("v3", NULL, true, 80, 24);
	/* line 1: the answer's end; up once: the same column of the thoughts; up again: the prompt; no further */
	rig_keys(&r, "<Up>");
	assert_false(has(&r, "token 30 "));
	rig_keys(&r, "<Up>");
	assert_true(has(&r, "token 7 "));
	rig_keys(&r, "<Up>");
	assert_true(has(&r, "token 0 "));
	rig_keys(&r, "<PgDn>");
	assert_true(has(&r, "token 30 "));
	rig_close(&r);
}

TEST(app_find_goes_round)
{
	Rig r = rig_open("v3", NULL, true, 80, 24);
	rig_keys(&r, "/26<Enter>");
	assert_true(has(&r, "token 2 "));
	rig_keys(&r, "N");
	assert_true(has(&r, "token 10 "));
	rig_keys(&r, "N");
	assert_true(has(&r, "token 2 "));
	rig_keys(&r, "/nowhere<Enter>");
	assert_true(has(&r, "not found: nowhere"));
	rig_close(&r);
}

TEST(app_scrubs_through_time)
{
	Rig r = rig_open("v3", NULL, true, 80, 24);
	for (int i = 0; i < 60; i++)
		rig_keys(&r, "[");
	assert_false(isinf(store_now(r.s)) && store_now(r.s) > 1.2);
	assert_false(has(&r, "</answer>"));
	for (int i = 0; i < 80; i++)
		rig_keys(&r, "]");
	assert_true(has(&r, "</answer>"));
	rig_close(&r);
}

TEST(app_commands_complete)
{
	Rig r = rig_open("v3", NULL, false, 80, 24);
	rig_keys(&r, ":th<Tab>l<Tab>");
	assert_non_null(strstr(rig_row(&r, 23), ":theme light"));
	rig_keys(&r, "<Esc>:scene ro<Tab><Enter>");
	assert_string_equal(app_scene(r.a), "router");
	rig_keys(&r, ":nonsense<Enter>");
	assert_true(has(&r, "no command \"nonsense\""));
	rig_keys(&r, ":q<Enter>");
	assert_true(app_quit(r.a));
	rig_close(&r);
}

TEST(app_help_names_every_key)
{
	Rig r = rig_open("v3", NULL, false, 100, 100);
	rig_keys(&r, "?");
	assert_true(has(&r, "write a prompt; Enter runs it"));
	assert_true(has(&r, "commands after :"));
	assert_true(has(&r, "dark|light|mono"));
	rig_keys(&r, "<Esc>");
	assert_false(has(&r, "commands after :"));
	rig_close(&r);
}

TEST(app_mouse_selects)
{
	Rig r = rig_open("v3", "router", true, 120, 40);
	Key k = { .code = AK_PRESS, .x = 3, .y = 1, .button = 1 };
	assert_true(app_key(r.a, r.s, k));
	assert_string_equal(app_scene(r.a), "home");
	rig_keys(&r, "2");
	/* A cell of the field, found by its label. */
	for (int y = 2; y < 38; y++)
		for (int x = 0; x < 20; x++)
			if (strcmp(grid_at(r.g, x, y)->s, "2") == 0 &&
				strcmp(grid_at(r.g, x + 1, y)->s, "8") == 0 &&
				strcmp(grid_at(r.g, x + 2, y)->s, " ") == 0) {
				k.x = 24;
				k.y = y;
				app_key(r.a, r.s, k);
				app_draw(r.a, r.s, r.g, 0);
				assert_true(has(&r, "token 28 "));
				x = 20;
				y = 38;
			}
	k = (Key){ .code = AK_WHEEL_UP, .x = 24, .y = 8 };
	app_key(r.a, r.s, k);
	app_draw(r.a, r.s, r.g, 0);
	assert_true(has(&r, "token 27 "));
	rig_close(&r);
}

TEST(app_engine_gone_is_a_state)
{
	Rig r = rig_open("v3", NULL, false, 80, 24);
	app_set_engine(r.a, false, "killed by signal 9\x1b[2J");
	app_draw(r.a, r.s, r.g, 0);
	assert_true(has(&r, "killed by signal 9<1b>[2J \xc2\xb7 R starts it again"));
	assert_true(has(&r, "</answer>"));
	rig_drain(&r);
	rig_keys(&r, "s");
	assert_null(app_take_command(r.a));
	app_set_engine(r.a, true, NULL);
	assert_non_null(strstr(app_take_command(r.a), "watch"));
	rig_close(&r);
}

TEST(app_messages_fade)
{
	Rig r = rig_open("v3", NULL, false, 80, 24);
	app_message(r.a, false, "hello there");
	assert_true(app_needs_draw(r.a, r.s, 1));
	app_draw(r.a, r.s, r.g, 1);
	assert_true(has(&r, "hello there"));
	assert_false(app_needs_draw(r.a, r.s, 2));
	assert_true(app_needs_draw(r.a, r.s, 8));
	app_draw(r.a, r.s, r.g, 8);
	assert_false(has(&r, "hello there"));
	assert_false(app_needs_draw(r.a, r.s, 9));
	rig_close(&r);
}

/* Any keys at any size: nothing breaks, and Esc q y always leaves. */
TEST(app_survives_random_keys_and_sizes)
{
	static const char *const key[] = { "<Tab>", "<Up>", "<Down>", "<Left>", "<Right>", "1", "2", "3", "4",
		"z", "#", "g", "l", "c", "?", "<Esc>", "+", "-", "[", "]", "<PgUp>", "<Home>", "<End>",
		":layer 2<Enter>", "/a<Enter>", "N", "y", "j", "k", "<S-Tab>", ":ascii<Enter>",
		":theme mono<Enter>", ":theme dark<Enter>", "i", "x", "<BS>", "<Enter>" };
	static const char *const rec[] = { "v3", "v2", "wide", "empty" };
	Rng rng = rng_make(3, 3);
	for (int n = 0; n < 4; n++) {
		Rig r = rig_open(rec[n], NULL, false, 80, 24);
		for (int i = 0; i < 300; i++) {
			if (i % 7 == 0)
				grid_resize(r.g, 1 + (int)rng_below(&rng, 210), 1 + (int)rng_below(&rng, 70));
			rig_keys(&r, key[rng_below(&rng, sizeof key / sizeof *key)]);
			for (int y = 0; y < r.g->h; y++)
				for (int x = 0; x < r.g->w; x++)
					assert_true(grid_at(r.g, x, y)->width != 2 ||
						(x + 1 < r.g->w && grid_at(r.g, x + 1, y)->width == 0));
			rig_drain(&r);
		}
		rig_keys(&r, "<Esc><Esc>qy");
		assert_true(app_quit(r.a));
		rig_close(&r);
	}
}

TEST(app_messages_shows_the_last_ones_whole)
{
	Rig r = rig_open("v3", NULL, false, 80, 24);
	rig_keys(&r, ":scene nowhere<Enter>");
	assert_true(has(&r, "no scene is called"));
	assert_false(has(&r, "diff,"));
	rig_keys(&r, ":bogus<Enter>:messages<Enter>");
	const char *t = rig_text(&r), *newest = strstr(t, "no command \"bogus\""), *older = strstr(t, "no scene is called");
	assert_true(newest && older && newest < older);
	assert_true(has(&r, "diff,"));
	assert_true(has(&r, "under the cursor: gen.token["));
	rig_keys(&r, "<Esc>");
	assert_false(has(&r, "no scene is called"));
	rig_keys(&r, "?");
	for (int i = 0; i < 12 && !has(&r, "messages"); i++)
		rig_keys(&r, "<PgDn>");
	assert_true(has(&r, "messages"));
	rig_close(&r);
}

TEST(app_what_is_cut_ends_in_a_mark)
{
	Rig r = rig_open("v3", "home", false, 80, 24);
	Win w = win_sub(grid_win(r.g), 0, 0, 8, 1);
	win_cut(w, 0, 0, "rope 16", (Style){ 0 });
	assert_string_equal(grid_at(r.g, 6, 0)->s, "6");
	win_cut(w, 0, 0, "rope 1600", (Style){ 0 });
	assert_string_equal(grid_at(r.g, 7, 0)->s, "…");
	rig_close(&r);
}
