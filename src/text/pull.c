/* pull.c - a strict JSON pull reader. What it does not like it names with line and column. */
#include "text/pull.h"
#include "base/utf8.h"
#include <string.h>

void pull_init(Pull *p, const char *s, size_t n, const char *where, Err *e)
{
	*p = (Pull){ .s = s, .n = n, .where = where, .e = e };
}

void pull_done(Pull *p)
{
	buf_done(&p->buf);
}

bool pull_fail(Pull *p, int code, const char *what)
{
	size_t line = 1, column = 1, at = p->at < p->n ? p->at : p->n;
	for (size_t i = 0; i < at; i++) {
		column = p->s[i] == '\n' ? 1 : column + 1;
		line += p->s[i] == '\n';
	}
	return err_set(p->e, code, "%s: line %zu, column %zu: %s", p->where, line, column, what);
}

static void pull_space(Pull *p)
{
	while (p->at < p->n &&
		(p->s[p->at] == ' ' || p->s[p->at] == '\n' || p->s[p->at] == '\r' || p->s[p->at] == '\t'))
		p->at++;
}

char pull_peek(Pull *p)
{
	pull_space(p);
	return p->at < p->n ? p->s[p->at] : '\0';
}

bool pull_take(Pull *p, char c)
{
	if (pull_peek(p) != c) {
		char what[] = "not valid JSON: '?' was expected here";
		*strchr(what, '?') = c;
		return pull_fail(p, E_3130, what);
	}
	p->at++;
	return true;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Four hex digits at s; -1 when they are not. */
static int hex4(const char *s)
{
	int v = 0;
	for (int i = 0; i < 4; i++) {
		int d = hex_digit(s[i]);
		if (d < 0)
			return -1;
		v = v << 4 | d;
	}
	return v;
}

/* \uXXXX at p->at (behind the u), with its second half where it is a surrogate pair. */
static bool unicode_read(Pull *p, uint32_t *cp)
{
	int hi = p->n - p->at >= 4 ? hex4(p->s + p->at) : -1, lo;
	if (hi <= 0)
		return pull_fail(p, E_3130, "not valid JSON: bad \\u escape in a string");
	p->at += 4;
	*cp = (uint32_t)hi;
	if (hi < 0xd800 || hi > 0xdfff)
		return true;
	if (hi > 0xdbff || p->n - p->at < 6 || p->s[p->at] != '\\' || p->s[p->at + 1] != 'u' ||
		(lo = hex4(p->s + p->at + 2)) < 0xdc00 || lo > 0xdfff)
		return pull_fail(p, E_3130, "not valid JSON: half a surrogate pair in a string");
	p->at += 6;
	*cp = 0x10000 + (((uint32_t)hi & 0x3ff) << 10 | ((uint32_t)lo & 0x3ff));
	return true;
}

static bool escape_read(Pull *p)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	char c = p->at < p->n ? p->s[p->at++] : '\0', out[4];
	const char *k = c ? strchr(from, c) : NULL;
	uint32_t cp = 0;
	if (k) {
		buf_addc(&p->buf, to[k - from]);
		return true;
	}
	if (c != 'u')
		return pull_fail(p, E_3130, "not valid JSON: unknown escape in a string");
	if (!unicode_read(p, &cp))
		return false;
	buf_add(&p->buf, out, utf8_put(out, cp));
	return true;
}

/* Bytes up to the next quote or backslash; checks them. */
static bool plain_read(Pull *p, const char **from, size_t *n)
{
	size_t a = p->at;
	bool high = false;
	while (p->at < p->n && p->s[p->at] != '"' && p->s[p->at] != '\\') {
		unsigned char c = (unsigned char)p->s[p->at];
		if (c < 0x20)
			return pull_fail(p, E_3130, "not valid JSON: a raw control character in a string");
		high |= c >= 0x80;
		p->at++;
	}
	*from = p->s + a;
	*n = p->at - a;
	if (p->at >= p->n)
		return pull_fail(p, E_3130, "not valid JSON: the text ends inside a string");
	if (high && !utf8_valid(*from, *n))
		return pull_fail(p, E_3130, "not valid JSON: a string is not UTF-8");
	return true;
}

bool pull_string(Pull *p)
{
	const char *s;
	size_t n;
	if (!pull_take(p, '"') || !plain_read(p, &s, &n))
		return false;
	if (p->s[p->at] == '"') { /* the common case: no copy */
		p->at++;
		p->str = s;
		p->len = n;
		return true;
	}
	buf_clear(&p->buf);
	buf_add(&p->buf, s, n);
	while (p->s[p->at] == '\\') {
		p->at++;
		if (!escape_read(p) || !plain_read(p, &s, &n))
			return false;
		buf_add(&p->buf, s, n);
	}
	p->at++;
	if (p->buf.failed)
		return pull_fail(p, E_5001, "out of memory for a string");
	p->str = buf_str(&p->buf);
	p->len = p->buf.len;
	return true;
}

bool pull_int(Pull *p, int64_t *v)
{
	bool minus = pull_peek(p) == '-';
	size_t digits = 0;
	int64_t x = 0;
	p->at += minus;
	size_t first = p->at;
	for (; p->at < p->n && p->s[p->at] >= '0' && p->s[p->at] <= '9'; p->at++, digits++) {
		if (digits == 18)
			return pull_fail(p, E_3132, "the number is too large");
		x = x * 10 + (p->s[p->at] - '0');
	}
	char c = p->at < p->n ? p->s[p->at] : '\0';
	if (digits == 0)
		return pull_fail(p, E_3132, "a whole number was expected here");
	if (c == '.' || c == 'e' || c == 'E' || (digits > 1 && p->s[first] == '0'))
		return pull_fail(p, E_3132, "an id must be a whole number in plain form");
	*v = minus ? -x : x;
	return true;
}

/* Index behind the string that opens at p->at. */
static void string_skip(Pull *p)
{
	for (p->at++; p->at < p->n && p->s[p->at] != '"'; p->at++)
		p->at += p->s[p->at] == '\\';
	p->at++;
}

bool pull_skip(Pull *p)
{
	size_t depth = 0;
	for (char c = pull_peek(p); p->at < p->n; c = pull_peek(p)) {
		bool shuts = c == '}' || c == ']';
		if (depth == 0 && (shuts || c == ','))
			return true;
		if (c == '"')
			string_skip(p);
		else
			p->at++;
		depth += c == '{' || c == '[';
		depth -= shuts;
		if (depth == 0 && (shuts || c == '"'))
			return p->at <= p->n;
	}
	return false;
}
