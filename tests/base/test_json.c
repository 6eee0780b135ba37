/* test_json.c - what the reader refuses, that it says where, and what the writer writes. */
#include "base/json.h"
#include "base/rng.h"
#include "base/utf8.h"
#include "tests/unit.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *good(const char *s)
{
	Err e = { 0 };
	json_t *j = json_parse(s, strlen(s), "x.json", E_2003, &e);
	if (!j)
		fail_msg("%s: %s", s, e.text);
	return j;
}

TEST(json_reads)
{
	json_t *j = good(" {\"a\": [1, -2.5, true, null, \"\\u6f22\"],"
		" \"big\": 9223372036854775807, \"x\": {}} \n");
	assert_int_equal(json_object_size(j), 3);
	assert_true(json_integer_value(json_object_get(j, "big")) == INT64_MAX);
	assert_string_equal(json_string_value(json_array_get(json_object_get(j, "a"), 4)), "\xe6\xbc\xa2");
	json_decref(j);
	json_decref(good("[]"));
}

static const struct { const char *s; size_t n; const char *says; } refused[] = {
#define S(s, says) { s, sizeof s - 1, says }
	S("", "x.json: line 1"), S(" \n ", "line 2"), S("{\"a\":1,\"a\":2}", "duplicate"),
	S("{\"a\":{\"b\":1,\"b\":1}}", "duplicate"), S("{\"a\":1}x", "line 1"), S("{\"a\":1}\n\n}", "line 3"),
	S("{}{}", ""), S("{}\0", ""), S("\xef\xbb\xbf{}", "byte order mark"), S("[NaN]", ""),
	S("[Infinity]", ""), S("[-Infinity]", ""), S("[nan]", ""), S("[1e999]", "overflow"),
	S("[-1e999]", "overflow"), S("[9223372036854775808]", "too big"), S("[-9223372036854775809]", ""),
	S("[18446744073709551616]", ""), S("[01]", ""), S("[1.]", ""), S("[.5]", ""), S("[+1]", ""),
	S("[0x10]", ""), S("[1e]", ""), S("[--1]", ""), S("{\"a\":1,}", ""), S("[1,]", ""), S("{a:1}", ""),
	S("{'a':1}", ""), S("[1 2]", ""), S("{\"a\" 1}", ""), S("[", ""), S("{", ""), S("[\"abc", ""),
	S("[\"abc\\", ""), S("{\"a\":", ""), S("[}", ""), S("[\"\x01\"]", ""), S("[\"a\nb\"]", ""),
	S("[\"\xff\"]", ""), S("[\"\xed\xa0\x80\"]", ""), S("[\"\\ud800\"]", ""), S("[\"\\udc00\\ud800\"]", ""),
	S("[\"\\u00\"]", ""), S("[\"\\x41\"]", ""), S("{\"a\\u0000b\":1}", ""), S("[\"\\u0000\"]", ""),
	S("[\"a\0b\"]", ""), S("[/* c */1]", ""), S("[1] // c", ""), S("1", ""), S("\"a\"", ""), S("null", ""),
	S("\xff\xfe{\0}\0", ""), S("[tru]", ""), S("[True]", ""), S("]", ""), S("}{", ""), S("\0", ""),
#undef S
};

TEST(json_refuses_and_says_where)
{
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		Err e = { 0 };
		json_t *j = json_parse(refused[i].s, refused[i].n, "x.json", E_2003, &e);
		if (j || e.code != E_2003 || !strstr(e.text, "x.json: line ") || !strstr(e.text, refused[i].says))
			fail_msg("case %zu: %s: %d %s", i, refused[i].s, e.code, e.text);
	}
}

/* n opening brackets and as many closing ones. */
static bool deep_read(size_t n, char open, char close, Err *e)
{
	Buf b = BUF_INIT;
	for (size_t i = 0; i < n; i++)
		buf_adds(&b, open == '[' ? "[" : i + 1 < n ? "{\"[[[\\\"[\":" : "{");
	for (size_t i = 0; i < n; i++)
		buf_addc(&b, close);
	json_t *j = json_parse(b.s, b.len, "deep.json", E_2003, e);
	buf_done(&b);
	json_decref(j);
	return j != NULL;
}

TEST(json_depth_is_limited_before_recursion)
{
	Err e = { 0 };
	assert_true(deep_read(JSON_DEPTH, '[', ']', &e));
	assert_true(deep_read(JSON_DEPTH, '{', '}', &e));
	assert_false(deep_read(JSON_DEPTH + 1, '[', ']', &e));
	assert_int_equal(e.code, E_2003);
	assert_non_null(strstr(e.text, "line 1, column 65"));
	err_clear(&e);
	assert_false(deep_read(JSON_DEPTH + 1, '{', '}', &e));
	err_clear(&e);
	assert_false(deep_read(3000000, '[', ' ', &e));
	assert_non_null(strstr(e.text, "more than 64 deep"));
}

TEST(json_counts_are_limited)
{
	Err e = { 0 };
	Buf b = BUF_INIT;
	buf_addc(&b, '[');
	for (int i = 0; i <= JSON_NESTS; i++)
		buf_adds(&b, "{},");
	buf_adds(&b, "1]");
	assert_null(json_parse(b.s, b.len, "wide.json", E_2003, &e));
	assert_int_equal(e.code, E_5003);
	buf_clear(&b);
	err_clear(&e);
	buf_addc(&b, '[');
	for (int i = 0; i <= JSON_VALUES; i++)
		buf_adds(&b, "1,");
	buf_adds(&b, "1]");
	assert_null(json_parse(b.s, b.len, "wide.json", E_2003, &e));
	assert_int_equal(e.code, E_5003);
	buf_done(&b);
}

TEST(json_files)
{
	char path[256];
	Err e = { 0 };
	snprintf(path, sizeof path, "%s/config.json", unit_tmp());
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs("{\n\t\"a\": 1,\n\t\"a\": 2\n}\n", f);
	fclose(f);
	assert_null(json_parse_file(path, 1 << 20, E_2003, &e));
	assert_non_null(strstr(e.text, path));
	assert_non_null(strstr(e.text, "line 3"));
	err_clear(&e);
	assert_null(json_parse_file(path, 5, E_2003, &e));
	assert_int_equal(e.code, E_5003);
	err_clear(&e);
	assert_null(json_parse_file("/nowhere/config.json", 5, E_2003, &e));
	assert_int_equal(e.code, E_4001);
}

TEST(jout_writes)
{
	Buf b = BUF_INIT;
	Jout j;
	jout_init(&j, &b);
	jout_obj(&j);
	jout_kstr(&j, "name", "c_KV \"x\"\\\n\t\x01\x1b");
	jout_kint(&j, "min", INT64_MIN);
	jout_knum(&j, "half", 0.5);
	jout_kbool(&j, "yes", true);
	jout_key(&j, "list");
	jout_arr(&j);
	jout_null(&j);
	jout_bool(&j, false);
	jout_arr(&j);
	jout_end_arr(&j);
	jout_obj(&j);
	jout_end_obj(&j);
	jout_str(&j, NULL);
	jout_end_arr(&j);
	jout_knum(&j, "nan", NAN);
	jout_knum(&j, "inf", -INFINITY);
	jout_knum(&j, "zero", -0.0);
	jout_end_obj(&j);
	assert_string_equal(buf_str(&b),
		"{\"name\":\"c_KV \\\"x\\\"\\\\\\n\\t\\u0001\\u001b\",\"min\":-9223372036854775808,"
		"\"half\":0.5,\"yes\":true,\"list\":[null,false,[],{},null],"
		"\"nan\":null,\"inf\":null,\"zero\":-0.0}");
	json_decref(good(b.s));
	buf_done(&b);
}

TEST(jout_several_texts_in_one_buf)
{
	Buf b = BUF_INIT;
	for (int i = 0; i < 2; i++) {
		Jout j;
		jout_init(&j, &b);
		jout_arr(&j);
		jout_int(&j, i);
		jout_end_arr(&j);
		buf_addc(&b, '\n');
	}
	assert_string_equal(b.s, "[0]\n[1]\n");
	buf_done(&b);
}

/* What s becomes when written and read back. */
static void string_check(const char *s, size_t n, const char *want)
{
	Buf b = BUF_INIT;
	Jout j;
	jout_init(&j, &b);
	jout_arr(&j);
	jout_strn(&j, s, n);
	jout_end_arr(&j);
	for (size_t i = 0; i < b.len; i++)
		assert_true((unsigned char)b.s[i] >= 0x20 && b.s[i] != 0x7f);
	json_t *back = good(b.s);
	assert_string_equal(json_string_value(json_array_get(back, 0)), want);
	json_decref(back);
	buf_done(&b);
}

TEST(jout_strings_round_trip)
{
	for (uint32_t c = 1; c <= 0x10ffff; c += c < 0x3000 ? 1 : 37) {
		char s[8];
		if (c >= 0xd800 && c <= 0xdfff)
			continue;
		size_t n = utf8_put(s, c);
		s[n] = '\0';
		string_check(s, n, s);
	}
	string_check("a\xff\xe6\xbc" "b", 5, "a\xef\xbf\xbd\xef\xbf\xbd" "b");
	string_check("\xe2\x80\xae\xc2\x9b", 5, "\xe2\x80\xae\xc2\x9b");
}

static double number_back(const Buf *b)
{
	json_t *j = good(b->s);
	double v = json_number_value(json_array_get(j, 0));
	json_decref(j);
	return v;
}

TEST(jout_numbers_round_trip)
{
	static const double first[] = { 0, 1, -1, 0.1, 1.0 / 3, 1e22, 1e23, 5e-324, 1.7976931348623157e308,
		9007199254740993.0, -0.0 };
	Rng r = rng_make(17, 0);
	for (size_t i = 0; i < 20000; i++) {
		uint64_t bits = rng_u64(&r);
		double v;
		memcpy(&v, &bits, sizeof v);
		if (i < sizeof first / sizeof first[0])
			v = first[i];
		float f = (float)(i % 2 ? rng_normal(&r) : ldexp(rng_normal(&r), (int)rng_below(&r, 250) - 130));
		if (!isfinite(v) || !isfinite(f))
			continue;
		Buf b = BUF_INIT;
		Jout j;
		jout_init(&j, &b);
		jout_arr(&j);
		jout_num(&j, v);
		jout_end_arr(&j);
		assert_true(number_back(&b) == v && signbit(number_back(&b)) == signbit(v));
		buf_clear(&b);
		jout_init(&j, &b);
		jout_arr(&j);
		jout_f32(&j, f);
		jout_end_arr(&j);
		assert_true((float)number_back(&b) == f);
		assert_true(b.len <= 18);
		buf_done(&b);
	}
}

TEST(jout_numbers_are_short)
{
	Buf b = BUF_INIT;
	Jout j;
	jout_init(&j, &b);
	jout_arr(&j);
	jout_num(&j, 0.1);
	jout_f32(&j, 0.1f);
	jout_num(&j, 3);
	jout_f32(&j, 16777216);
	jout_num(&j, 1.0 / 3);
	jout_f32(&j, NAN);
	jout_end_arr(&j);
	assert_string_equal(b.s, "[0.1,0.1,3,16777216,0.3333333333333333,null]");
	buf_done(&b);
}

static void *no_memory(size_t n)
{
	(void)n;
	return NULL;
}

/* Refused memory is not the fault of the text. */
TEST(json_out_of_memory)
{
	Err e = { 0 };
	json_set_alloc_funcs(no_memory, free);
	json_t *j = json_parse("{}", 2, "x.json", E_3070, &e);
	json_set_alloc_funcs(malloc, free);
	assert_null(j);
	assert_int_equal(e.code, E_5001);
}
