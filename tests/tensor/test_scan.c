/* test_scan.c - the strict JSON reader against texts that are JSON and texts that nearly are. */
#include "tensor/scan.h"
#include "tests/unit.h"
#include <stdlib.h>
#include <string.h>

/* Skips one value that must fill the text; memory of exactly its size, so that a step past the end shows. */
static bool valid(const char *text)
{
	Err e = { 0 };
	size_t n = strlen(text);
	char *s = malloc(n ? n : 1);
	memcpy(s, text, n);
	Scan k = { .s = s, .n = n, .path = "x", .code = E_3003, .e = &e };
	bool ok = scan_skip(&k) && scan_end(&k, 0);
	assert_int_equal(ok, e.code == 0);
	free(s);
	return ok;
}

TEST(scan_accepts_json)
{
	static const char *const good[] = { "0", "-0", "1.5e-7", "-12E+3", "true", "false", "null", "\"\"",
		"\"\\u00e9\\ud83d\\ude00\\n\\/\"", "[]", "{}",
		" [ 1 , [ ] , { \"a\" : { \"b\" : [ null ] } } ] \n", "\"\xc3\xa9\"", "{\"a\":1,\"a\":2}" };
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		if (!valid(good[i]))
			fail_msg("refused: %s", good[i]);
}

TEST(scan_refuses_what_is_not)
{
	static const char *const bad[] = { "", " ", "01", "-", "1.", ".5", "1e", "+1", "tru", "nul", "True",
		"NaN", "Infinity", "\"", "\"\\x\"", "\"\\u12\"", "\"\\u12g4\"", "\"\\ud800\"",
		"\"\\ud800\\u0041\"", "\"\\udc00\"", "\"\\u0000\"", "\"\n\"", "\"\x7f\xff\"", "\"\xc3\"",
		"\"\xed\xa0\x80\"", "\"\xc0\xaf\"", "[", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "{", "{\"a\"",
		"{\"a\":", "{\"a\":1", "{\"a\":1,", "{\"a\":1,}", "{a:1}", "{1:1}", "{\"a\" 1}", "1 2", "{}}",
		"[]]", "'a'", "/**/1", "\xef\xbb\xbf{}" };
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (valid(bad[i]))
			fail_msg("accepted: %s", bad[i]);
}

TEST(scan_depth)
{
	char s[400];
	for (int depth = 63; depth <= 66; depth++) {
		memset(s, '[', (size_t)depth);
		memset(s + depth, ']', (size_t)depth);
		s[2 * depth] = '\0';
		assert_int_equal(valid(s), depth <= 64);
	}
}

static bool number(const char *text, uint64_t *v, bool *fits)
{
	Err e = { 0 };
	char s[64];
	strcpy(s, text);
	Scan k = { .s = s, .n = strlen(s), .path = "x", .code = E_3003, .e = &e };
	return scan_uint(&k, v, fits) && scan_end(&k, 0);
}

TEST(scan_numbers)
{
	uint64_t v;
	bool fits;
	assert_true(number("18446744073709551615", &v, &fits) && fits);
	assert_true(v == UINT64_MAX);
	assert_true(number("18446744073709551616", &v, &fits) && !fits);
	assert_true(number("99999999999999999999999999", &v, &fits) && !fits);
	assert_true(number("0", &v, &fits) && fits && v == 0);
	assert_false(number("00", &v, &fits));
	assert_false(number("1.0", &v, &fits));
	assert_false(number("1e3", &v, &fits));
	assert_false(number("-1", &v, &fits));
	assert_false(number("", &v, &fits));
}

TEST(scan_strings_are_unescaped_in_place)
{
	Err e = { 0 };
	char s[] = "\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\u20ac\\ud83d\\ude00z\" ";
	const char *out;
	size_t n;
	Scan k = { .s = s, .n = sizeof s - 1, .path = "x", .code = E_3003, .e = &e };
	assert_true(scan_string(&k, &out, &n));
	assert_string_equal(out, "a\"\\/\b\f\n\r\t\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z");
	assert_int_equal(n, strlen(out));
	assert_true(scan_end(&k, ' '));
}
