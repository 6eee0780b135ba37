/* jout.c - writing JSON. The text reads back to the same values with any reader, and is safe on a
 * terminal: what must not be shown raw (controls, bidi marks, unassigned characters) is written as \uXXXX. */
#include "base/json.h"
#include "base/utf8.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void jout_init(Jout *j, Buf *b)
{
	*j = (Jout){ .b = b };
	j->first[0] = true;
}

/* The comma before a value or key, none after a key or at the start. */
static void comma_put(Jout *j)
{
	if (j->key)
		j->key = false;
	else if (!j->first[j->depth])
		buf_addc(j->b, ',');
	j->first[j->depth] = false;
}

static void nest_open(Jout *j, char c)
{
	BUG_ON(j->depth >= JSON_DEPTH);
	comma_put(j);
	buf_addc(j->b, c);
	j->first[++j->depth] = true;
}

static void nest_close(Jout *j, char c)
{
	BUG_ON(j->depth == 0 || j->key);
	j->depth--;
	buf_addc(j->b, c);
}

void jout_obj(Jout *j)
{
	nest_open(j, '{');
}

void jout_end_obj(Jout *j)
{
	nest_close(j, '}');
}

void jout_arr(Jout *j)
{
	nest_open(j, '[');
}

void jout_end_arr(Jout *j)
{
	nest_close(j, ']');
}

static void escape_put(Buf *b, uint32_t cp)
{
	static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
	const char *at = cp && cp < 0x80 ? strchr(from, (int)cp) : NULL;
	if (at)
		buf_printf(b, "\\%c", to[at - from]);
	else if (cp < 0x10000)
		buf_printf(b, "\\u%04x", (unsigned)cp);
	else
		buf_printf(b, "\\u%04x\\u%04x", (unsigned)(0xd800 + ((cp - 0x10000) >> 10)),
			(unsigned)(0xdc00 + ((cp - 0x10000) & 0x3ff)));
}

static void string_put(Buf *b, const char *s, size_t n)
{
	buf_addc(b, '"');
	while (n > 0 && !b->failed) {
		uint32_t cp;
		char out[4];
		size_t k = utf8_next(s, n, &cp);
		if (cp == '"' || cp == '\\' || utf8_width(cp) < 0)
			escape_put(b, cp);
		else
			buf_add(b, out, utf8_put(out, cp));
		s += k;
		n -= k;
	}
	buf_addc(b, '"');
}

void jout_key(Jout *j, const char *k)
{
	comma_put(j);
	string_put(j->b, k, strlen(k));
	buf_addc(j->b, ':');
	j->key = true;
}

void jout_strn(Jout *j, const char *s, size_t n)
{
	comma_put(j);
	string_put(j->b, s, n);
}

void jout_str(Jout *j, const char *s)
{
	if (s)
		jout_strn(j, s, strlen(s));
	else
		jout_null(j);
}

void jout_int(Jout *j, int64_t v)
{
	comma_put(j);
	buf_printf(j->b, "%lld", (long long)v);
}

/* Minus zero needs its point: "-0" would be read as the integer 0. */
static bool odd_put(Jout *j, double v)
{
	if (isfinite(v) && !(v == 0 && signbit(v)))
		return false;
	comma_put(j);
	buf_adds(j->b, isfinite(v) ? "-0.0" : "null");
	return true;
}

void jout_num(Jout *j, double v)
{
	char s[40];
	if (odd_put(j, v))
		return;
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(s, sizeof s, "%.*g", digits, v);
		if (strtod(s, NULL) == v)
			break;
	}
	comma_put(j);
	buf_adds(j->b, s);
}

void jout_f32(Jout *j, float v)
{
	char s[40];
	if (odd_put(j, (double)v))
		return;
	for (int digits = 6; digits <= 9; digits++) {
		snprintf(s, sizeof s, "%.*g", digits, (double)v);
		if (strtof(s, NULL) == v)
			break;
	}
	comma_put(j);
	buf_adds(j->b, s);
}

void jout_bool(Jout *j, bool v)
{
	comma_put(j);
	buf_adds(j->b, v ? "true" : "false");
}

void jout_null(Jout *j)
{
	comma_put(j);
	buf_adds(j->b, "null");
}

void jout_kstr(Jout *j, const char *k, const char *s)
{
	jout_key(j, k);
	jout_str(j, s);
}

void jout_kint(Jout *j, const char *k, int64_t v)
{
	jout_key(j, k);
	jout_int(j, v);
}

void jout_knum(Jout *j, const char *k, double v)
{
	jout_key(j, k);
	jout_num(j, v);
}

void jout_kbool(Jout *j, const char *k, bool v)
{
	jout_key(j, k);
	jout_bool(j, v);
}
