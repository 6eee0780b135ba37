/* test_rl.c - the RL scene: answers picked by keys, colours, going back through the iterations, and groups that are not what they should be. */
#include "tests/view/rig.h"
#include <math.h>

static bool has(Rig *r, const char *s)
{
	return strstr(rig_text(r), s) != NULL;
}

TEST(rl_keys_pick_an_answer)
{
	Rig r = rig_open("rl", "rl", true, 120, 40);
	assert_true(has(&r, "answer 1 of 6"));
	rig_keys(&r, "b");
	assert_true(has(&r, "answer 5 ─"));
	rig_keys(&r, "w");
	assert_true(has(&r, "answer 1 ─"));
	rig_keys(&r, "S");
	assert_true(has(&r, "answer 6 ─"));
	rig_keys(&r, "L");
	assert_true(has(&r, "answer 1 ─"));
	rig_keys(&r, ":answer 2<Enter>");
	assert_true(has(&r, "answer 2 ─"));
	rig_keys(&r, "<Down><Down><Down>");
	assert_true(has(&r, "answer 5 ─"));
	rig_keys(&r, ":answer 7<Enter>");
	assert_true(has(&r, "answer best, worst") && has(&r, "answer 5 ─"));
	rig_keys(&r, ":scene home<Enter>:answer best<Enter>");
	assert_true(has(&r, "no group of answers in this scene"));
	rig_close(&r);
}

TEST(rl_tokens_are_read_out_and_coloured)
{
	Rig r = rig_open("rl", "rl", true, 120, 40);
	rig_keys(&r, "b<Tab>");
	assert_true(has(&r, "the problem"));
	rig_keys(&r, "<Right><Right>");
	assert_true(has(&r, "token 2 of 9 `</think>`: advantage +0.9000, entropy"));
	assert_true(has(&r, "c: advantage"));
	rig_keys(&r, "c");
	assert_true(has(&r, "text by entropy") && has(&r, "c: entropy"));
	rig_keys(&r, "cc");
	assert_true(has(&r, "text by ratio to the reference") && has(&r, "c: ratio") && !has(&r, "not told"));
	rig_keys(&r, "c");
	assert_true(has(&r, "text by advantage"));
	rig_close(&r);
}

TEST(rl_goes_back_through_the_iterations)
{
	Rig r = rig_open("rl", "rl", true, 120, 40);
	assert_true(has(&r, "iteration 7 · 1 of 6 right"));
	for (int i = 0; i < 30 && has(&r, "iteration 7 "); i++)
		rig_keys(&r, "[");
	assert_true(has(&r, "iteration 6 "));
	for (int i = 0; i < 100; i++)
		rig_keys(&r, "[");
	assert_false(has(&r, "iteration 1 "));
	rig_keys(&r, "<End>");
	assert_true(has(&r, "iteration 7 "));
	rig_close(&r);
}

TEST(rl_shows_itself_first)
{
	Rig r = rig_open("rl", NULL, false, 120, 40);
	assert_true(has(&r, "right answers") && has(&r, "group: m18*84="));
	rig_close(&r);
	r = rig_open("train", NULL, false, 120, 40);
	assert_true(has(&r, "load of experts over time"));
	rig_close(&r);
}

/* A group as some other program, or a damaged file, might tell it: no figure is believed. */
TEST(rl_survives_any_group)
{
	static const char *const group[] = { "", "null", "[]", "{", "{\"answers\":{}}", "{\"answers\":[]}", "{\"answers\":[1,null,[]]}",
		"{\"prompt\":5,\"answers\":[{\"text\":7,\"reward\":\"x\",\"length\":-9,\"tokens\":\"a\",\"logp\":{}}]}",
		("{\"prompt\":\"a\\u001b[31m\\n\",\"answers\":[{\"text\":\"\\u0000wait\",\"tokens\":[\"\\u0000\",1,null,\"\\ud83d\\ude00\"],\"logp\":[1e300],"
		"\"advantage\":[-1e308,null],\"entropy\":[]},{\"text\":\"\"}]}"), "{\"answers\":[{\"text\":\"wait",
		"{\"answers\":[{\"text\":\"but\",\"length\":9000000000000,\"logp\":[-1,-2]}]}" };
	Rig r = rig_open("rl", "rl", true, 80, 24);
	for (size_t i = 0; i < sizeof group / sizeof *group; i++) {
		Sample x = { .topic = "rl.group", .kind = SAMPLE_TEXT, .time = 1e6 + (double)i, .step = i % 2 ? 9 : UINT64_MAX, .data = group[i],
			.bytes = strlen(group[i]) };
		assert_true(store_add(r.s, &x));
		rig_keys(&r, "wbLScz<Tab><Down><Right>z");
		assert_null(strchr(rig_text(&r), '\033'));
	}
	assert_true(has(&r, "group"));
	rig_close(&r);
}
