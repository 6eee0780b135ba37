/* test_split.c - the hand-written V3 and V2 matchers against PCRE2 with the patterns of the files, on random
 * strings; the table of character classes against the categories themselves; other sequences of steps. */
#include "tests/text/lines.h"
#include "tests/unit.h"
#include "text/tok_parts.h"
#include "base/rng.h"
#include "base/utf8.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CUTS = 1024, STRINGS = 20000 };

typedef struct Cuts { const char *s; size_t at[CUTS], n; } Cuts;

static bool cut_put(void *ctx, const char *s, size_t n)
{
	Cuts *c = ctx;
	assert_true(c->n < CUTS && n > 0);
	assert_ptr_equal(s, c->s + (c->n ? c->at[c->n - 1] : 0)); /* nothing left out, nothing twice */
	c->at[c->n++] = (size_t)(s - c->s) + n;
	return true;
}

/* Characters assigned for long, so that tables of different years agree; U+180E is left out: PCRE2 counts it
 * as \s. */
static const uint32_t ranges[][2] = {
	{ 0, 0x7f },
	{ 0x20, 0x7e },
	{ 9, 13 },
	{ 0x20, 0x20 },
	{ 0x20, 0x20 },
	{ '0', '9' },
	{ 'A', 'Z' },
	{ 'a', 'z' },
	{ 0x80, 0xff },
	{ 0x100, 0x24f },
	{ 0x300, 0x36f },
	{ 0x391, 0x3a1 },
	{ 0x400, 0x4ff },
	{ 0x5d0, 0x5ea },
	{ 0x620, 0x64a },
	{ 0x660, 0x669 },
	{ 0x904, 0x939 },
	{ 0x966, 0x96f },
	{ 0xe01, 0xe30 },
	{ 0x10a0, 0x10c5 },
	{ 0x13a0, 0x13f4 },
	{ 0x1e00, 0x1f15 },
	{ 0x2000, 0x2064 },
	{ 0x2070, 0x2071 },
	{ 0x2074, 0x208e },
	{ 0x2100, 0x2188 },
	{ 0x2460, 0x24ff },
	{ 0x2c00, 0x2c2e },
	{ 0x3000, 0x303f },
	{ 0x3041, 0x3096 },
	{ 0x3097, 0x30ff },
	{ 0x3400, 0x3500 },
	{ 0x4e00, 0x9fa5 },
	{ 0xac00, 0xd7a3 },
	{ 0xe000, 0xe010 },
	{ 0xfb00, 0xfb06 },
	{ 0xfe00, 0xfe0f },
	{ 0xff01, 0xff5e },
	{ 0x10400, 0x1044f },
	{ 0x1d400, 0x1d454 },
	{ 0x1f600, 0x1f64f },
	{ 0x20000, 0x20010 },
	{ 0xe0100, 0xe01ef },
};

static size_t string_random(Rng *r, char *s)
{
	uint32_t kinds = 1 + rng_below(r, 5), pick[5], len = 1 + rng_below(r, 24);
	size_t n = 0;
	for (uint32_t i = 0; i < kinds; i++)
		pick[i] = rng_below(r, sizeof ranges / sizeof ranges[0]);
	for (uint32_t i = 0; i < len; i++) {
		const uint32_t *g = ranges[pick[rng_below(r, kinds)]];
		uint32_t cp = g[0] + rng_below(r, g[1] - g[0] + 1),
			 again = rng_below(r, 4) ? 1 : 1 + rng_below(r, 4);
		while (again--)
			n += utf8_put(s + n, cp);
	}
	return n;
}

static void both_compare(const char *name)
{
	Tok *hand = tok_open(lines_path(name, "tokenizer.json"), NULL);
	Tok *general = tok_open_general(lines_path(name, "tokenizer.json"), NULL);
	Rng r = rng_make(5, 6);
	assert_non_null(hand);
	assert_non_null(general);
	assert_int_not_equal(hand->split.kind, SPLIT_STEPS);
	for (int i = 0; i < STRINGS; i++) {
		char s[512];
		size_t n = string_random(&r, s);
		Cuts a = { .s = s }, b = { .s = s };
		assert_true(split_run(&hand->split, s, n, cut_put, &a, NULL));
		assert_true(split_run(&general->split, s, n, cut_put, &b, NULL));
		assert_int_equal(a.n ? a.at[a.n - 1] : 0, n);
		if (a.n != b.n || memcmp(a.at, b.at, a.n * sizeof a.at[0]) != 0)
			fail_msg("string %d: \"%.*s\" is cut otherwise", i, (int)n, s);
	}
	tok_free(hand);
	tok_free(general);
}

TEST(v3_matcher_agrees_with_the_patterns)
{
	both_compare("mini_v3");
}

TEST(v2_matcher_agrees_with_the_patterns)
{
	both_compare("mini_v2");
}

TEST(classes_are_the_categories)
{
	Classes *c = classes_v3(), *d = classes_v2();
	assert_non_null(c);
	assert_non_null(d);
	for (uint32_t cp = 0; cp < 0x110000; cp++) {
		char s[4];
		size_t len, n = utf8_put(s, cp);
		if (cp >= 0xd800 && cp < 0xe000)
			continue;
		char k = utf8_class(cp);
		unsigned f = class_at(c, s, &len), g = class_at(d, s, &len);
		assert_int_equal(len, n);
		bool right = !(f & V3_LETTER) == (k != 'L' && k != 'M') && !(f & V3_NUMBER) == (k != 'N') &&
			!(f & V3_SIGN) == (k != 'P' && k != 'S') && !(f & V3_SPACE) == !class_is_space(cp) &&
			!(g & V2_NUMBER) == (k != 'N');
		if (!right)
			fail_msg("U+%04X of class %c", (unsigned)cp, k);
	}
	free(c);
	free(d);
}

/* Splits text by a pre_tokenizer and gives the pieces with '|' between them. */
static const char *pieces(const char *pre, const char *text, Buf *out)
{
	Split s;
	Err e = { 0 };
	Cuts c = { .s = text };
	json_t *j = json_parse(pre, strlen(pre), "test", E_3130, &e);
	assert_non_null(j);
	if (!split_init(&s, j, false, "test", &e) || !split_run(&s, text, strlen(text), cut_put, &c, &e))
		fail_msg("%s", e.text);
	buf_clear(out);
	for (size_t i = 0, from = 0; i < c.n; from = c.at[i++])
		buf_printf(out, "%s%.*s", i ? "|" : "", (int)(c.at[i] - from), text + from);
	split_done(&s);
	json_decref(j);
	return buf_str(out);
}

#define BYTES "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false}"
#define SEQUENCE(x) "{\"type\":\"Sequence\",\"pretokenizers\":[" x "," BYTES "]}"
#define SPLIT(x) "{\"type\":\"Split\",\"pattern\":" x ",\"behavior\":\"Isolated\",\"invert\":false}"

TEST(other_steps)
{
	Buf b = BUF_INIT;
	assert_string_equal(pieces(BYTES, "a b", &b), "a b");
	assert_string_equal(pieces("{\"type\":\"ByteLevel\",\"add_prefix_space\":false}", "I'll  go,12x", &b),
		"I|'ll| | go|,|12|x");
	assert_string_equal(
		pieces(SEQUENCE("{\"type\":\"Digits\",\"individual_digits\":false}"), "a12b3", &b),
		"a|12|b|3");
	assert_string_equal(
		pieces(SEQUENCE("{\"type\":\"Digits\",\"individual_digits\":true}"), "a12b\u0663", &b),
		"a|1|2|b|\u0663");
	assert_string_equal(pieces(SEQUENCE(SPLIT("{\"String\":\"a.\"}")), "xa.aa.b", &b), "x|a.|a|a.|b");
	assert_string_equal(pieces(SEQUENCE(SPLIT("{\"Regex\":\"a*\"}")), "baab", &b),
		"b|aa|b"); /* empty matches cut, too */
	assert_string_equal(
		pieces(SEQUENCE(SPLIT("{\"Regex\":\"x$\"}")), "ax\nbx", &b), "a|x|\nb|x"); /* $ of lines */
	assert_string_equal(
		pieces(SEQUENCE(SPLIT("{\"Regex\":\"b\"}") "," SPLIT("{\"Regex\":\"^c\"}")), "abcc", &b),
		"a|b|c|c");
	buf_done(&b);
}

static void refused(const char *pre, int code)
{
	Split s;
	Err e = { 0 };
	json_t *j = json_parse(pre, strlen(pre), "test", E_3130, &e);
	assert_non_null(j);
	assert_false(split_init(&s, j, false, "test", &e));
	assert_int_equal(e.code, code);
	split_done(&s);
	json_decref(j);
}

TEST(steps_that_are_refused)
{
	refused("{\"type\":\"Whitespace\"}", E_3131);
	refused("{}", E_3131);
	refused(SPLIT("{\"Regex\":\"a\"}"), E_3131); /* no ByteLevel */
	refused(SEQUENCE(BYTES), E_3131);
	refused(SEQUENCE(SPLIT("{\"Regex\":\"(\"}")), E_3135);
	refused(SEQUENCE(SPLIT("{\"Regex\":\"\"}")), E_3131);
	refused(SEQUENCE("{\"type\":\"Split\",\"pattern\":{\"Regex\":\"a\"},\"behavior\":\"Removed\","
			 "\"invert\":false}"),
		E_3131);
	refused(SEQUENCE("{\"type\":\"Split\",\"pattern\":{\"Regex\":\"a\"},\"behavior\":\"Isolated\","
			 "\"invert\":true}"),
		E_3131);
	refused("{\"type\":\"ByteLevel\",\"add_prefix_space\":true}", E_3131);
	refused("{\"type\":\"ByteLevel\",\"add_prefix_space\":1}", E_3130);
}

/* A pattern that would try for ages gives up with an error. */
TEST(patterns_have_a_limit)
{
	static const char pre[] = SEQUENCE(SPLIT("{\"Regex\":\"(a+)+$\"}"));
	static const char text[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab";
	Split s;
	Err e = { 0 };
	Cuts c = { .s = text };
	json_t *j = json_parse(pre, strlen(pre), "test", E_3130, &e);
	assert_true(split_init(&s, j, false, "test", &e));
	assert_false(split_run(&s, text, strlen(text), cut_put, &c, &e));
	assert_int_equal(e.code, E_3135);
	split_done(&s);
	json_decref(j);
}
