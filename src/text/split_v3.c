/* split_v3.c - the three Split steps of the V3 family in one pass: numbers by three, runs of Han and kana,
 * and in each stretch between (and in the Han and kana runs again) the six alternatives P1..P6 of step 3, in
 * their order. */
#include "text/split.h"

typedef struct Cut { const Classes *c; PieceFn fn; void *ctx; } Cut;

/* End of the run of characters that have one of the flags. */
static size_t run_end(const Classes *c, const char *s, size_t p, size_t end, unsigned flags)
{
	size_t len;
	while (p < end && (class_at(c, s + p, &len) & flags))
		p += len;
	return p;
}

/* P4, P5, P6 at a white-space character at p: the end of what matches. */
static size_t space_match(const Classes *c, const char *s, size_t p, size_t end)
{
	size_t len, last = p, q = p, line = p;
	for (unsigned f; q < end && ((f = class_at(c, s + q, &len)) & V3_SPACE); q += len) {
		last = q;
		if (f & V3_LINE)
			line = q + len;
	}
	if (line > p) /* P4: \s*[\r\n]+ */
		return line;
	return q == end || last == p ? q : last; /* P5: \s+(?!\S), P6: \s+ */
}

/* P2 and P3 behind an optional first character of `len` bytes; p when neither matches. */
static size_t word_match(const Classes *c, const char *s, size_t p, size_t end, unsigned f, size_t len)
{
	size_t q = p + len, next;
	if ((f & V3_LINE) || q == end)
		return p;
	unsigned g = class_at(c, s + q, &next);
	if (g & V3_LETTER) /* P2 with its optional character */
		return run_end(c, s, q + next, end, V3_LETTER);
	if (s[p] == ' ' && (g & V3_SIGN)) /* P3 with its blank */
		return run_end(c, s, run_end(c, s, q + next, end, V3_SIGN), end, V3_LINE);
	return p;
}

/* End of what step 3 matches at p; p when no alternative does. */
static size_t step3_match(const Classes *c, const char *s, size_t p, size_t end)
{
	size_t len, next;
	unsigned f = class_at(c, s + p, &len);
	if (f & V3_LETTER)
		return run_end(c, s, p + len, end, V3_LETTER);
	if (f & V3_SIGN) {
		if ((f & V3_ASCII_SIGN) && p + 1 < end && (class_at(c, s + p + 1, &next) & V3_AZ)) /* P1 */
			return run_end(c, s, p + 2, end, V3_AZ);
		return run_end(c, s, run_end(c, s, p + len, end, V3_SIGN), end, V3_LINE);
	}
	size_t q = word_match(c, s, p, end, f, len);
	if (q > p)
		return q;
	return f & V3_SPACE ? space_match(c, s, p, end) : p;
}

static bool stretch_cut(const Cut *k, const char *s, size_t p, size_t end)
{
	size_t gap = p, len;
	while (p < end) {
		size_t q = step3_match(k->c, s, p, end);
		if (q == p) { /* joins the unmatched characters, a piece of their own */
			class_at(k->c, s + p, &len);
			p += len;
			continue;
		}
		if ((gap < p && !k->fn(k->ctx, s + gap, p - gap)) || !k->fn(k->ctx, s + p, q - p))
			return false;
		p = gap = q;
	}
	return gap == p || k->fn(k->ctx, s + gap, p - gap);
}

/* A run of numbers, three by three. */
static bool numbers_cut(const Cut *k, const char *s, size_t *at, size_t n)
{
	size_t p = *at, len;
	while (p < n && (class_at(k->c, s + p, &len) & V3_NUMBER)) {
		size_t from = p;
		for (int i = 0; i < 3 && p < n && (class_at(k->c, s + p, &len) & V3_NUMBER); i++)
			p += len;
		if (!k->fn(k->ctx, s + from, p - from))
			return false;
	}
	*at = p;
	return true;
}

bool split_v3(const Classes *c, const char *s, size_t n, PieceFn fn, void *ctx)
{
	const Cut k = { c, fn, ctx };
	size_t p = 0, len;
	while (p < n) {
		unsigned f = class_at(c, s + p, &len);
		if (f & V3_NUMBER) {
			if (!numbers_cut(&k, s, &p, n))
				return false;
			continue;
		}
		size_t q = p + len;
		while (q < n && !((class_at(c, s + q, &len) ^ f) & V3_CJK) &&
			!(class_at(c, s + q, &len) & V3_NUMBER))
			q += len;
		if (!stretch_cut(&k, s, p, q))
			return false;
		p = q;
	}
	return true;
}
