/* test_glob.c - probe patterns by hand, against a slow obvious matcher, and with patterns made to take for
 * ever. */
#include "base/clock.h"
#include "base/glob.h"
#include "base/rng.h"
#include "tests/unit.h"
#include <stdio.h>
#include <string.h>

TEST(glob_matches)
{
	static const struct { const char *pattern, *name; bool want; } cases[] = {
		{ "logits", "logits", true }, { "logits", "logit", false }, { "logit", "logits", false },
		{ "layers.*.moe.load", "layers.3.moe.load", true },
		{ "layers.*.moe.load", "layers.12.moe.load", true },
		{ "layers.*.moe.load", "layers.3.attn.moe.load", false },
		{ "layers.*.moe.load", "layers..moe.load", false }, { "layers.*", "layers.3.moe", false },
		{ "layers.**", "layers.3.moe.load", true }, { "**", "a.b.c", true }, { "**", "", true },
		{ "*", "", false }, { "*", "abc", true }, { "*", "a.b", false }, { "a*", "a", false },
		{ "a*c", "abbbc", true }, { "a*c", "ac", false }, { "*.*", "a.b", true },
		{ "**.load", "layers.3.moe.load", true }, { "layers.{1,3}.**", "layers.3.x", true },
		{ "layers.{1,3}.**", "layers.2.x", false }, { "layers.{1,3}.**", "layers.13.x", false },
		{ "{a,b}{c,d}", "bd", true }, { "{a,b}{c,d}", "ab", false },
		{ "x.{resid_*,attn.**}", "x.resid_pre", true },
		{ "x.{resid_*,attn.**}", "x.attn.index.topk", true },
		{ "x.{resid_*,attn.**}", "x.moe", false }, { "{*}", "q", true }, { "a,b", "a,b", true },
		{ "a**b", "ab", true }, { "a***b", "ab", false }, { "a***b", "a.xb", true },
		{ "mtp.*.{h,logits}", "mtp.1.logits", true },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		if (glob_match(cases[i].pattern, cases[i].name) != cases[i].want)
			fail_msg("%s against %s", cases[i].pattern, cases[i].name);
}

TEST(glob_refuses_bad_patterns)
{
	static const char *const bad[] = { "", "{", "}", "{a", "a}", "{}", "{,a}", "{a,}", "{a,,b}", "{a{b}}",
		"a b", "a\tb", "\x1b", "a\x7f" };
	char s[2000];
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_false(glob_valid(bad[i]));
		assert_false(glob_match(bad[i], bad[i]));
	}
	memset(s, 'a', sizeof s - 1);
	s[sizeof s - 1] = '\0';
	assert_false(glob_valid(s));
	s[512] = '\0';
	assert_true(glob_valid(s));
	assert_true(glob_match(s, s));
	s[512] = 'a';
	assert_true(glob_match("*", s)); /* names may be of any length */
}

/* The obvious matcher: tries everything. `tail` is what follows a choice. */
static bool slow_match(const char *p, const char *s)
{
	char joined[256];
	if (!*p)
		return !*s;
	if (p[0] == '*' && p[1] == '*')
		return slow_match(p + 2, s) || (*s && slow_match(p, s + 1));
	if (*p == '*')
		return *s && *s != '.' && (slow_match(p + 1, s + 1) || slow_match(p, s + 1));
	if (*p == '{') {
		const char *end = strchr(p, '}');
		for (const char *c = p + 1; c < end; c += strcspn(c, ",}") + 1) {
			snprintf(joined, sizeof joined, "%.*s%s", (int)strcspn(c, ",}"), c, end + 1);
			if (slow_match(joined, s))
				return true;
		}
		return false;
	}
	return *p == *s && slow_match(p + 1, s + 1);
}

/* A star at the end of a choice must not join one behind it: the slow matcher would read "**" there. */
static bool stars_touch(const char *p)
{
	return strstr(p, "*}*") || strstr(p, "}*") || strstr(p, "*{");
}

TEST(glob_agrees_with_trying_everything)
{
	Rng r = rng_make(7, 0);
	int hits = 0, done = 0;
	for (int i = 0; i < 60000; i++) {
		char p[16], s[16];
		uint32_t n = 1 + rng_below(&r, 8), m = rng_below(&r, 7);
		for (uint32_t k = 0; k < n; k++)
			p[k] = "ab.*{,}*"[rng_below(&r, 8)];
		for (uint32_t k = 0; k < m; k++)
			s[k] = "ab."[rng_below(&r, 3)];
		p[n] = s[m] = '\0';
		if (!glob_valid(p) || stars_touch(p))
			continue;
		bool want = slow_match(p, s);
		if (glob_match(p, s) != want)
			fail_msg("%s against %s: want %d", p, s, want);
		hits += want;
		done++;
	}
	assert_true(done > 5000 && hits > 500);
}

TEST(glob_cannot_be_made_slow)
{
	char p[400], s[4000];
	p[0] = '\0';
	for (int i = 0; i < 60; i++)
		strcat(p, i % 2 ? "**a" : "*a");
	strcat(p, "{x*y,**z}");
	memset(s, 'a', sizeof s - 1);
	s[sizeof s - 1] = '\0';
	double t = clock_now();
	assert_false(glob_match(p, s));
	assert_true(clock_now() - t < 1);
}
