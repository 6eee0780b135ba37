/* test_utf8.c - decoding by the Unicode rules, widths, and two hundred hostile strings through safe_text. */
#include "base/rng.h"
#include "base/utf8.h"
#include "tests/unit.h"
#include <stdio.h>
#include <string.h>

/* Lengths of the steps through s, as digits; '!' behind a step that gave U+FFFD. */
static void steps_check(const char *s, const char *want)
{
	char got[64];
	size_t at = 0, n = strlen(s);
	while (n > 0) {
		uint32_t cp;
		size_t k = utf8_next(s, n, &cp);
		assert_in_range(k, 1, 4);
		got[at++] = (char)('0' + k);
		if (cp == 0xfffd)
			got[at++] = '!';
		s += k;
		n -= k;
	}
	got[at] = '\0';
	assert_string_equal(got, want);
}

TEST(utf8_maximal_subparts)
{
	steps_check("a\xc3\xa9\xe6\xbc\xa2\xf0\x9f\x98\x80", "1234");
	steps_check("\x80\xbf", "1!1!");
	steps_check("\xc0\xaf", "1!1!");                      /* table 3-8: overlong */
	steps_check("\xe0\x80\xbf", "1!1!1!");
	steps_check("\xf0\x81\x82\x41", "1!1!1!1");
	steps_check("\xed\xa0\x80\xed\xbf\xbf", "1!1!1!1!1!1!"); /* table 3-9: surrogates */
	steps_check("\xf4\x91\x92\x93\xff\x41\x80\xbf\x42", "1!1!1!1!1!11!1!1"); /* table 3-10 */
	steps_check("\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41", "2!1!3!2!1"); /* table 3-11: truncated */
	steps_check("\xf5\xf8\xfe\xff", "1!1!1!1!");
	steps_check("\xf4\x8f\xbf\xbf", "4");
	steps_check("\xf0\x90\x80\x80\xed\x9f\xbf\xee\x80\x80", "433");
	steps_check("\xe6\xbc", "2!");
	steps_check("\xef\xbf\xbd", "3!"); /* U+FFFD itself is a character */
	uint32_t cp = 5;
	assert_int_equal(utf8_next("", 0, &cp), 0);
}

TEST(utf8_every_code_point_round_trips)
{
	for (uint32_t c = 0; c <= 0x10ffff; c++) {
		char s[4];
		uint32_t back = 0;
		size_t n = utf8_put(s, c);
		if (c >= 0xd800 && c <= 0xdfff) {
			assert_memory_equal(s, "\xef\xbf\xbd", 3);
			continue;
		}
		if (utf8_next(s, n, &back) != n || back != c || !utf8_valid(s, n))
			fail_msg("U+%04X", (unsigned)c);
		for (size_t k = 1; k < n; k++)
			if (utf8_tail(s, k) != k || utf8_valid(s, k))
				fail_msg("U+%04X cut at %zu", (unsigned)c, k);
		if (utf8_tail(s, n) != 0)
			fail_msg("U+%04X has a tail", (unsigned)c);
	}
	char s[4];
	assert_int_equal(utf8_put(s, 0x110000), 3);
}

TEST(utf8_tails)
{
	assert_int_equal(utf8_tail("", 0), 0);
	assert_int_equal(utf8_tail("abc", 3), 0);
	assert_int_equal(utf8_tail("ab\xe6", 3), 1);
	assert_int_equal(utf8_tail("a\xf0\x9f\x98", 4), 3);
	assert_int_equal(utf8_tail("a\x80\x80\x80\x80", 5), 0);
	assert_int_equal(utf8_tail("\xe0\x80", 2), 0); /* can never become a character */
	assert_int_equal(utf8_tail("\xc3\xa9\xa9", 3), 0);
	assert_int_equal(utf8_tail("\xff", 1), 0);
}

TEST(utf8_valid_knows_bad_text)
{
	assert_true(utf8_valid("", 0));
	assert_true(utf8_valid("a\0b", 3));
	assert_false(utf8_valid("a\xff", 2));
	assert_false(utf8_valid("\xed\xa0\x80", 3));
	assert_false(utf8_valid("\xf4\x90\x80\x80", 4));
}

TEST(utf8_widths)
{
	static const struct { uint32_t cp; int want; } cases[] = {
		{ 'a', 1 }, { ' ', 1 }, { '~', 1 }, { 0, -1 }, { '\n', -1 }, { 0x1b, -1 }, { 0x7f, -1 },
		{ 0x80, -1 }, { 0x9b, -1 }, { 0xa0, 1 }, { 0xe9, 1 }, { 0x301, 0 }, { 0x6f22, 2 },
		{ 0xac00, 2 }, { 0x3000, 2 }, { 0xff21, 2 }, { 0x1f600, 2 }, { 0x2588, 1 }, { 0x2500, 1 },
		{ 0xad, -1 }, { 0x200b, -1 }, { 0x200d, -1 }, { 0x200f, -1 }, { 0x2028, -1 }, { 0x2029, -1 },
		{ 0x202e, -1 }, { 0x2060, -1 }, { 0x2066, -1 }, { 0x2069, -1 }, { 0xfeff, -1 },
		{ 0xfff9, -1 }, { 0x378, -1 }, { 0xd800, -1 }, { 0xfffe, -1 }, { 0xe0001, -1 },
		{ 0xe0100, -1 }, { 0x10ffff, -1 }, { 0x110000, -1 }, { 0xffffffff, -1 }, { 0x61c, -1 },
		{ 0xfffd, 1 }, { 0x2581, 1 }, { 0x120, 1 }, { 0x10a, 1 }, { 0xff5c, 2 }, { 0x1160, 0 },
		{ 0x903, 1 }, { 0xd7ff, -1 },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		if (utf8_width(cases[i].cp) != cases[i].want)
			fail_msg("U+%04X: %d", (unsigned)cases[i].cp, utf8_width(cases[i].cp));
	assert_int_equal(utf8_columns("a\xe6\xbc\xa2" "e\xcc\x81", 7), 4);
}

static void safe_check(const char *s, unsigned flags, const char *want)
{
	Buf b = BUF_INIT;
	safe_text(&b, s, strlen(s), flags);
	assert_string_equal(buf_str(&b), want);
	buf_done(&b);
}

TEST(safe_text_shows_what_it_hides)
{
	safe_check("plain text", 0, "plain text");
	safe_check("\x1b[31mred\x1b[0m", 0, "<1b>[31mred<1b>[0m");
	safe_check("a\nb\tc\r", 0, "a<0a>b<09>c<0d>");
	safe_check("a\nb\tc\r", SAFE_LF, "a\nb<09>c<0d>");
	safe_check("a\nb\tc\r", SAFE_LF | SAFE_TAB, "a\nb\tc<0d>");
	safe_check("\xc2\x9b" "31m \x9b \x7f", 0, "<u+009b>31m <9b> <7f>");
	safe_check("abc\xe2\x80\xae" "fed", 0, "abc<u+202e>fed");
	safe_check("\xe6\xbc\xa2\xc3\xa9", 0, "\xe6\xbc\xa2\xc3\xa9");
	safe_check("\xe6\xbc\xa2\xc3\xa9~", SAFE_ASCII, "<u+6f22><u+00e9>~");
	safe_check("\xf3\xa0\x80\xa0", 0, "<u+e0020>");
	safe_check("\xe6\xbc", 0, "<e6><bc>");
	safe_check("e\xcc\x81\xcc\x81\xcc\x81\xcc\x81\xcc\x81\xcc\x81x\xcc\x81", 0,
		"e\xcc\x81\xcc\x81\xcc\x81\xcc\x81<u+0301><u+0301>x\xcc\x81");
	safe_check("\xcc\x81" "a", 0, "<u+0301>a");            /* nothing to sit on */
	safe_check("a\n\xcc\x81", SAFE_LF, "a\n<u+0301>");
	safe_check("\x1b\xcc\x81", 0, "<1b><u+0301>");
}

TEST(safe_text_in_pieces)
{
	Buf b = BUF_INIT;
	safe_text(&b, "e", 1, 0);
	for (int i = 0; i < 6; i++)
		safe_text(&b, "\xcc\x81", 2, 0);
	assert_int_equal(strncmp(b.s, "e\xcc\x81\xcc\x81\xcc\x81\xcc\x81<u+0301>", 17), 0);
	buf_clear(&b);
	safe_text(&b, "a\0b", 3, 0);
	assert_string_equal(b.s, "a<00>b");
	buf_done(&b);
}

/* What no terminal may see: controls but those allowed, DEL, C1, bidi and zero-width controls. */
static bool forbidden(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x200b && c <= 0x200f) || c == 0xfeff ||
		(c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || (c >= 0xe0000 && c <= 0xe0fff) ||
		c == 0x61c;
}

static void hostile_check(const char *s, size_t n, unsigned flags)
{
	Buf b = BUF_INIT, again = BUF_INIT;
	int marks = 4;
	safe_text(&b, s, n, flags);
	assert_false(b.failed);
	assert_true(utf8_valid(buf_str(&b), b.len));
	assert_true(b.len <= 9 * n);
	for (size_t i = 0, k; i < b.len; i += k) {
		uint32_t cp;
		k = utf8_next(b.s + i, b.len - i, &cp);
		bool kept = (cp == '\n' && (flags & SAFE_LF)) || (cp == '\t' && (flags & SAFE_TAB));
		if (forbidden(cp) && !kept)
			fail_msg("U+%04X came through", (unsigned)cp);
		assert_true(!(flags & SAFE_ASCII) || cp < 0x7f);
		marks = kept ? 4 : utf8_width(cp) == 0 ? marks + 1 : 0;
		assert_true(kept || marks <= 4);
	}
	safe_text(&again, buf_str(&b), b.len, flags);
	assert_string_equal(buf_str(&again), buf_str(&b)); /* safe text stays as it is */
	buf_done(&b);
	buf_done(&again);
}

static const char *const hostile[] = {
	"\x1b[2J", "\x1b]0;title\x07", "\x1b]52;c;?\x07", "\x1b]8;;http://x\x1b\\", "\x1bP+q544e\x1b\\",
	"\x1b[6n", "\x1b[c", "\x1b_Gi=1\x1b\\", "\x1b[?1049h", "\x1b" "c", "\xc2\x9b" "2J",
	"\xc2\x9d" "0;t\xc2\x9c", "\x9b" "31m", "\x90q", "\x07\x07", "\r\x1b[K", "a\x08\x08", "\x0e\x0f",
	"\x7f", "\xe2\x80\xae", "\xe2\x80\xaa\xe2\x80\xac", "\xe2\x81\xa6\xe2\x81\xa9",
	"\xe2\x80\x8b\xe2\x80\x8c\xe2\x80\x8d", "\xe2\x80\x8e\xe2\x80\x8f", "\xe2\x80\xa8\xe2\x80\xa9",
	"\xef\xbb\xbf", "\xe2\x81\xa0", "\xf3\xa0\x80\x81\xf3\xa0\x81\xbf", "\xf3\xa0\x84\x80", "\xd8\x9c",
	"\xed\xa0\x80", "\xc0\x9b", "\xe0\x80\x9b", "\xf0\x80\x80\x9b", "\xfc\x80\x80\x80\x80\x9b",
	"\xcc\x81\xcc\x82\xcc\x83\xcc\x84\xcc\x85\xcc\x86", "\xe2\x80\n\xae", "\xf4\x90\x80\x80",
	"\xef\xbf\xbe", "\xef\xb7\x90", "\xf0\x9f\x91\xa8\xe2\x80\x8d\xf0\x9f\x91\xa9",
};

TEST(safe_text_two_hundred_hostile_strings)
{
	enum { N = sizeof hostile / sizeof hostile[0] };
	Rng r = rng_make(200, 0);
	int done = 0;
	for (int round = 0; round < 8; round++)
		for (size_t i = 0; i < N; i++, done++) {
			Buf s = BUF_INIT;
			for (uint32_t k = rng_below(&r, 4); round > 0 && k > 0; k--)
				buf_adds(&s, rng_below(&r, 2) ? hostile[rng_below(&r, N)] : "e\xe6\xbc\xa2");
			buf_adds(&s, hostile[i]);
			if (round > 4 && s.len > 1)
				s.len -= 1 + rng_below(&r, (uint32_t)s.len - 1);
			hostile_check(s.s, s.len, (unsigned)round & 7);
			hostile_check(s.s, s.len, 0);
			buf_done(&s);
		}
	assert_true(done >= 200);
}

TEST(safe_text_random_bytes)
{
	Rng r = rng_make(1, 2);
	for (int i = 0; i < 3000; i++) {
		char s[64];
		uint32_t n = rng_below(&r, sizeof s);
		for (uint32_t k = 0; k < n; k++)
			s[k] = (char)rng_below(&r, i % 2 ? 256 : 160);
		hostile_check(s, n, (unsigned)i & 7);
	}
}
