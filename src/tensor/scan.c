/* scan.c - the strict JSON reader of headers and indexes (RFC 8259, and no NUL in strings). Nothing is
 * looked at past the end, nothing recurses deeper than 64, and every error says at which byte. */
#include "tensor/scan.h"
#include "base/utf8.h"
#include <string.h>

enum { DEPTH = 64 };

bool scan_fail(const Scan *k, const char *what)
{
	if (k->tensor)
		return err_set(k->e, k->code, "%s: tensor \"%.160s\": %s (at byte %zu of the JSON text)",
			k->path, k->tensor, what, k->at);
	return err_set(k->e, k->code, "%s: %s (at byte %zu of the JSON text)", k->path, what, k->at);
}

static void blank_skip(Scan *k)
{
	while (k->at < k->n &&
		(k->s[k->at] == ' ' || k->s[k->at] == '\n' || k->s[k->at] == '\r' || k->s[k->at] == '\t'))
		k->at++;
}

/* The next character that is not blank, or 0 at the end (a NUL in the text fails wherever it is met). */
static char next_peek(Scan *k)
{
	blank_skip(k);
	return k->at < k->n ? k->s[k->at] : '\0';
}

bool scan_char(Scan *k, char c)
{
	char what[] = "expected ' '";
	if (next_peek(k) != c || k->at >= k->n) {
		what[10] = c;
		return scan_fail(k, what);
	}
	k->at++;
	return true;
}

static bool hex4(Scan *k, uint32_t *v)
{
	*v = 0;
	if (k->n - k->at < 4)
		return scan_fail(k, "cut \\u escape");
	for (int i = 0; i < 4; i++) {
		char c = k->s[k->at + (size_t)i];
		uint32_t d = c >= '0' && c <= '9' ? (uint32_t)(c - '0')
			: c >= 'a' && c <= 'f'    ? (uint32_t)(c - 'a') + 10
			: c >= 'A' && c <= 'F'    ? (uint32_t)(c - 'A') + 10
						  : 16;
		if (d > 15)
			return scan_fail(k, "bad \\u escape");
		*v = *v * 16 + d;
	}
	k->at += 4;
	return true;
}

/* Behind "\u": one code point, two escapes for those above the basic plane. */
static bool unicode_escape(Scan *k, uint32_t *cp)
{
	uint32_t low;
	if (!hex4(k, cp))
		return false;
	if (*cp == 0)
		return scan_fail(k, "NUL in a string");
	if (*cp < 0xd800 || *cp > 0xdfff)
		return true;
	if (*cp > 0xdbff || k->n - k->at < 6 || k->s[k->at] != '\\' || k->s[k->at + 1] != 'u')
		return scan_fail(k, "half of a surrogate pair");
	k->at += 2;
	if (!hex4(k, &low))
		return false;
	if (low < 0xdc00 || low > 0xdfff)
		return scan_fail(k, "half of a surrogate pair");
	*cp = 0x10000 + ((*cp - 0xd800) << 10) + (low - 0xdc00);
	return true;
}

/* k->at stands behind a backslash; appends the character at *to, which is never past what was read. */
static bool escape_take(Scan *k, size_t *to)
{
	static const char from[] = "\"\\/bfnrt", is[] = "\"\\/\b\f\n\r\t";
	const char *f;
	char c = k->at < k->n ? k->s[k->at] : '\0';
	if (c == 'u') {
		uint32_t cp;
		char out[4];
		k->at++;
		if (!unicode_escape(k, &cp))
			return false;
		size_t n = utf8_put(out, cp);
		memcpy(k->s + *to, out, n);
		*to += n;
		return true;
	}
	if (c == '\0' || !(f = strchr(from, c)))
		return scan_fail(k, "unknown escape");
	k->s[(*to)++] = is[f - from];
	k->at++;
	return true;
}

/* Behind the opening quote: reads to the closing one, moving the text down over escapes. */
static bool string_take(Scan *k, size_t *end, bool *ascii)
{
	size_t to = k->at;
	unsigned char high = 0;
	while (k->at < k->n) {
		unsigned char c = (unsigned char)k->s[k->at];
		if (c == '"') {
			k->at++;
			*end = to;
			*ascii = high < 0x80;
			return true;
		}
		if (c < 0x20)
			return scan_fail(k, "control character in a string");
		if (c == '\\') {
			k->at++;
			if (!escape_take(k, &to))
				return false;
			high = 0x80; /* an escape may have made any character */
			continue;
		}
		high |= c;
		k->s[to++] = (char)c;
		k->at++;
	}
	return scan_fail(k, "string without an end");
}

bool scan_string(Scan *k, const char **s, size_t *n)
{
	size_t end = 0;
	bool ascii = true;
	if (!scan_char(k, '"'))
		return false;
	size_t from = k->at;
	if (!string_take(k, &end, &ascii))
		return false;
	if (!ascii && !utf8_valid(k->s + from, end - from))
		return scan_fail(k, "not UTF-8");
	k->s[end] = '\0'; /* at or before the closing quote */
	*s = k->s + from;
	*n = end - from;
	return true;
}

bool scan_key(Scan *k, const char **s, size_t *n)
{
	return scan_string(k, s, n) && scan_char(k, ':');
}

bool scan_uint(Scan *k, uint64_t *v, bool *fits)
{
	char c = next_peek(k);
	size_t from = k->at;
	*v = 0;
	*fits = true;
	if (c < '0' || c > '9')
		return scan_fail(k, "expected a whole number, 0 or more");
	for (; k->at < k->n && (c = k->s[k->at]) >= '0' && c <= '9'; k->at++) {
		unsigned d = (unsigned)(c - '0');
		*fits = *fits && *v <= (UINT64_MAX - d) / 10;
		*v = *v * 10 + d;
	}
	if (k->s[from] == '0' && k->at - from > 1)
		return scan_fail(k, "number with a leading zero");
	if (k->at < k->n && (c == '.' || c == 'e' || c == 'E'))
		return scan_fail(k, "expected a whole number, found a fraction");
	return true;
}

bool scan_more(Scan *k, char close, bool *first, bool *more)
{
	char c = next_peek(k);
	if (k->at < k->n && c == close) {
		k->at++;
		*more = false;
		return true;
	}
	*more = true;
	if (*first) {
		*first = false;
		return true;
	}
	return scan_char(k, ',');
}

static size_t digits_skip(Scan *k)
{
	size_t from = k->at;
	while (k->at < k->n && k->s[k->at] >= '0' && k->s[k->at] <= '9')
		k->at++;
	return k->at - from;
}

static bool number_skip(Scan *k)
{
	if (k->s[k->at] == '-')
		k->at++;
	size_t from = k->at, n = digits_skip(k);
	if (n == 0 || (n > 1 && k->s[from] == '0'))
		return scan_fail(k, "expected a value");
	if (k->at < k->n && k->s[k->at] == '.') {
		k->at++;
		if (digits_skip(k) == 0)
			return scan_fail(k, "digits must follow the point");
	}
	if (k->at < k->n && (k->s[k->at] == 'e' || k->s[k->at] == 'E')) {
		k->at++;
		if (k->at < k->n && (k->s[k->at] == '+' || k->s[k->at] == '-'))
			k->at++;
		if (digits_skip(k) == 0)
			return scan_fail(k, "digits must follow the e");
	}
	return true;
}

static bool word_skip(Scan *k, const char *word)
{
	size_t n = strlen(word);
	if (k->n - k->at < n || memcmp(k->s + k->at, word, n) != 0)
		return scan_fail(k, "expected a value");
	k->at += n;
	return true;
}

static bool value_skip(Scan *k, int depth);

static bool nest_skip(Scan *k, char close, int depth)
{
	bool first = true, more;
	const char *s;
	size_t n;
	if (depth >= DEPTH)
		return scan_fail(k, "nested more than 64 deep");
	k->at++;
	for (;;) {
		if (!scan_more(k, close, &first, &more))
			return false;
		if (!more)
			return true;
		if (close == '}' && !scan_key(k, &s, &n))
			return false;
		if (!value_skip(k, depth + 1))
			return false;
	}
}

static bool value_skip(Scan *k, int depth)
{
	const char *s;
	size_t n;
	switch (next_peek(k)) {
	case '{': return nest_skip(k, '}', depth);
	case '[': return nest_skip(k, ']', depth);
	case '"': return scan_string(k, &s, &n);
	case 't': return word_skip(k, "true");
	case 'f': return word_skip(k, "false");
	case 'n': return word_skip(k, "null");
	default: return k->at < k->n ? number_skip(k) : scan_fail(k, "text ends where a value was expected");
	}
}

bool scan_skip(Scan *k)
{
	return value_skip(k, 0);
}

bool scan_end(Scan *k, char pad)
{
	if (!pad)
		blank_skip(k);
	while (pad && k->at < k->n && k->s[k->at] == pad)
		k->at++;
	return k->at == k->n ? true : scan_fail(k, "something follows the closing brace");
}
