/* test_chat.c - chat formats against the released templates, V3.2 against its description, the choice by a
 * config, and conversations that are none. */
#include "tests/text/lines.h"
#include "tests/unit.h"
#include "text/chat.h"
#include <stdio.h>
#include <string.h>

static void chat_check(const json_t *line, void *ctx)
{
	Buf got = BUF_INIT;
	Err e = { 0 };
	const ChatFamily *const *f = ctx;
	if (!chat_render(*f, line, &got, &e))
		fail_msg("%s", e.text);
	lines_same(json_object_get(line, "text"), &got);
	buf_done(&got);
}

TEST(chat_as_the_templates)
{
	static const struct { const char *name, *family; } minis[] = {
		{ "mini_v2", "V2" }, { "mini_v3", "V3" }, { "mini_r1", "R1" }, { "mini_v31", "V3.1" },
	};
	for (size_t i = 0; i < 4; i++) {
		Err e = { 0 };
		const ChatFamily *f = chat_of_config(lines_path(minis[i].name, "tokenizer_config.json"), &e);
		assert_non_null(f);
		assert_string_equal(chat_name(f), minis[i].family);
		assert_true(lines_each(lines_path(minis[i].name, "chat.jsonl"), chat_check, &f) > 10);
		if (i == 3)
			lines_each(lines_path(minis[i].name, "chat_thinking.jsonl"), chat_check, &f);
	}
}

/* Renders; the text, or the error's when it fails. */
static const char *rendered(const char *family, const char *request)
{
	static Buf b = BUF_INIT;
	Err e = { 0 };
	json_t *j = json_parse_nul(request, strlen(request), "test", E_3251, &e);
	assert_non_null(j);
	buf_clear(&b);
	if (!chat_render(chat_by_name(family), j, &b, &e)) {
		assert_int_equal(e.code, E_3251);
		buf_clear(&b);
		buf_adds(&b, "error");
	}
	json_decref(j);
	return buf_str(&b);
}

#define U(x) "{\"role\":\"user\",\"content\":\"" x "\"}"
#define A(x) "{\"role\":\"assistant\",\"content\":\"" x "\"}"
#define S(x) "{\"role\":\"system\",\"content\":\"" x "\"}"
#define M(x) "{\"messages\":[" x "]}"
#define P(x) "{\"messages\":[" x "],\"add_generation_prompt\":true}"
#define T(x) "{\"messages\":[" x "],\"thinking\":true}"
#define BOS "<｜begin▁of▁sentence｜>"
#define EOS "<｜end▁of▁sentence｜>"

TEST(chat_v2_and_relatives)
{
	assert_string_equal(rendered("v2", P(S("s") "," U("u"))), BOS "s\n\nUser: u\n\nAssistant:");
	assert_string_equal(rendered("V2.5", P(S("s") "," S("t") "," U("u"))), BOS "t<｜User｜>u<｜Assistant｜>");
	assert_string_equal(rendered("V3", P(S("s") "," S("t") "," U("u"))), BOS "s\n\nt<｜User｜>u<｜Assistant｜>");
	assert_string_equal(rendered("R1", P(U("u") "," A("<think>x</think>y</think>z") "," U("v"))),
		BOS "<｜User｜>u<｜Assistant｜>z" EOS "<｜User｜>v<｜Assistant｜><think>\n");
	assert_string_equal(rendered("V3.1", P(U("u") "," A("x</think>y</think>z") "," U("v"))),
		BOS "<｜User｜>u<｜Assistant｜></think>y</think>z" EOS "<｜User｜>v<｜Assistant｜></think>");
}

TEST(chat_v32)
{
	assert_string_equal(rendered("V3.2", M(S("s") "," U("u"))), BOS "s<｜User｜>u<｜Assistant｜></think>");
	assert_string_equal(rendered("V3.2",
				    T(U("hello") ",{\"role\":\"assistant\",\"content\":\"Hello!\","
						 "\"reasoning_content\":\"r\"}," U("1+1=?"))),
		BOS "<｜User｜>hello<｜Assistant｜></think>Hello!" EOS
		    "<｜User｜>1+1=?<｜Assistant｜><think>");
	assert_string_equal(
		rendered("V3.2",
			T(U("q") ",{\"role\":\"assistant\",\"content\":\"c\",\"reasoning_content\":\"r\"}")),
		BOS "<｜User｜>q<｜Assistant｜><think>r</think>c" EOS);
	/* no reasoning behind the last user */
	assert_string_equal(rendered("V3.2", T(U("q") "," A("c"))), "error");
	assert_string_equal(rendered("V3.2", "{\"messages\":[" U("q") "],\"tools\":[{}]}"), "error");
	assert_string_equal(rendered("V3.2", M("{\"role\":\"developer\",\"content\":\"x\"}")), "error");
}

#define CALLS \
	"{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[" \
	"{\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"city\\\": " \
	"\\\"K\\u00f6ln\\\", \\\"n\\\": [1, 2.50, null], \\\"x\\\": 1e-7}\"}}," \
	"{\"type\":\"function\",\"function\":{\"name\":\"g\",\"arguments\":{\"deep\":{\"a\":\"q\\\"\\n\"}}}" \
	"}]}"
#define RESULT(x) "{\"role\":\"tool\",\"content\":\"" x "\"}"
#define CALLS_TEXT \
	"\n\n<｜DSML｜function_calls>\n<｜DSML｜invoke name=\"f\">\n" \
	"<｜DSML｜parameter name=\"city\" string=\"true\">Köln</｜DSML｜parameter>\n" \
	"<｜DSML｜parameter name=\"n\" string=\"false\">[1, 2.5, null]</｜DSML｜parameter>\n" \
	"<｜DSML｜parameter name=\"x\" string=\"false\">1e-07</｜DSML｜parameter>\n</｜DSML｜invoke>\n" \
	"<｜DSML｜invoke name=\"g\">\n<｜DSML｜parameter name=\"deep\" string=\"false\">{\"a\": " \
	"\"q\\\"\\n\"}</｜DSML｜parameter>\n</｜DSML｜invoke>\n" \
	"</｜DSML｜function_calls>" EOS

TEST(chat_v32_tools)
{
	assert_string_equal(rendered("V3.2", M(U("q") "," CALLS "," RESULT("1") "," RESULT("2"))),
		BOS "<｜User｜>q<｜Assistant｜></think>" CALLS_TEXT
		"\n\n<function_results>\n<result>1</result>\n<result>2</result>\n</function_results>\n\n</think>");
	assert_string_equal(rendered("V3.2", T(U("q") "," CALLS "," RESULT("1") "," RESULT("2"))),
		BOS "<｜User｜>q<｜Assistant｜><think></think>" CALLS_TEXT
		"\n\n<function_results>\n<result>1</result>\n<result>2</result>\n</function_results>\n\n<think>");
	assert_string_equal(rendered("V3.2", M(U("q") "," RESULT("1"))), "error");
	assert_string_equal(rendered("V3.2",
				    M(U("q") "," CALLS "," RESULT("1") "," RESULT("2") "," RESULT("3"))),
		"error");
	assert_string_equal(rendered("V3.2", M(RESULT("1"))), "error");
}

TEST(chat_refuses_what_is_no_conversation)
{
	static const char *const bad[] = {
		"{}",
		"{\"messages\":5}",
		"{\"messages\":[5]}",
		"{\"messages\":[{\"content\":\"x\"}]}",
		"{\"messages\":[{\"role\":\"user\"}]}",
		"{\"messages\":[{\"role\":\"user\",\"content\":[1]}]}",
		"{\"messages\":[{\"role\":\"tool\",\"content\":null}]}",
		"{\"messages\":[],\"thinking\":1}",
		"{\"messages\":[],\"add_generation_prompt\":\"x\"}",
		"{\"messages\":[{\"role\":\"system\",\"content\":7}]}",
	};
	static const char *const calls[] = {
		M("{\"role\":\"assistant\",\"content\":null,\"tool_calls\":5}"),
		M("{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[5]}"),
		M("{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"type\":\"function\","
		  "\"function\":{\"name\":\"f\"}}]}"),
	};
	for (size_t f = 0; chat_at(f); f++) {
		for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
			if (strcmp(chat_name(chat_at(f)), "V2") != 0 || !strstr(bad[i], "tool"))
				assert_string_equal(rendered(chat_name(chat_at(f)), bad[i]), "error");
		for (size_t i = 0; i < 3; i++)
			assert_string_equal(rendered(chat_name(chat_at(f)), calls[i]), "error");
	}
}

static const char *family_of(const char *config, const char *model)
{
	char path[256], beside[256];
	Err e = { 0 };
	snprintf(path, sizeof path, "%s/tokenizer_config.json", unit_tmp());
	snprintf(beside, sizeof beside, "%s/config.json", unit_tmp());
	FILE *f = fopen(path, "wb"), *g = fopen(beside, "wb");
	assert_non_null(f);
	assert_non_null(g);
	fputs(config, f);
	fputs(model, g);
	fclose(f);
	fclose(g);
	const ChatFamily *c = chat_of_config(path, &e);
	remove(path);
	remove(beside);
	if (!c)
		assert_int_equal(e.code / 1000, 3);
	return c ? chat_name(c) : "none";
}

TEST(chat_auto)
{
	assert_string_equal(family_of("{}", "{\"model_type\":\"deepseek_v32\"}"), "V3.2");
	assert_string_equal(family_of("{}", "{\"model_type\":\"deepseek_v3\"}"), "none");
	assert_string_equal(family_of("{\"chat_template\":\"{{ messages }}\"}",
				    "{\"model_type\":\"deepseek_v32\"}"),
		"none");
	assert_string_equal(family_of("{\"chat_template\":\"<|im_start|>\"}", "{}"), "none");
	assert_string_equal(family_of("{", "{}"), "none");
	assert_string_equal(family_of("{\"chat_template\":[{\"name\":\"default\",\"template\":\"'User: ' "
				      "'Assistant: '\"}]}",
				    "{}"),
		"V2");
	assert_null(chat_by_name("V9"));
	assert_non_null(chat_by_name("v3.2"));
	assert_null(chat_of_config("/nowhere/tokenizer_config.json", NULL));
}
