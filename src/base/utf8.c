/* utf8.c - UTF-8 decoding by the Unicode rules for ill-formed input, column widths, and the one gate
 * through which foreign text reaches a terminal. Categories and widths come from utf8proc. */
#include "base/utf8.h"
#include <utf8proc.h>

enum { MARKS_MAX = 4 };

/* Length of the sequence a lead byte promises, and the range its second byte must lie in (table 3-7). */
static size_t lead_read(unsigned char c, unsigned char *lo, unsigned char *hi)
{
	*lo = 0x80;
	*hi = 0xbf;
	if (c >= 0xc2 && c <= 0xdf)
		return 2;
	if (c >= 0xe0 && c <= 0xef) {
		if (c == 0xe0)
			*lo = 0xa0;
		if (c == 0xed)
			*hi = 0x9f;
		return 3;
	}
	if (c >= 0xf0 && c <= 0xf4) {
		if (c == 0xf0)
			*lo = 0x90;
		if (c == 0xf4)
			*hi = 0x8f;
		return 4;
	}
	return 1;
}

/* Decodes one step: *ok says whether the bytes are a whole character, *want how long it would be. */
static size_t step_read(const char *s, size_t n, uint32_t *cp, size_t *want, bool *ok)
{
	const unsigned char *p = (const unsigned char *)s;
	unsigned char lo, hi;
	size_t len = lead_read(p[0], &lo, &hi), i = 1;
	uint32_t c = len == 1 ? p[0] : p[0] & (0xffu >> (len + 1));
	*want = len;
	for (; i < len && i < n && p[i] >= lo && p[i] <= hi; i++) {
		c = c << 6 | (p[i] & 0x3f);
		lo = 0x80;
		hi = 0xbf;
	}
	*ok = i == len && (len > 1 || p[0] < 0x80);
	*cp = *ok ? c : 0xfffd;
	return i;
}

size_t utf8_next(const char *s, size_t n, uint32_t *cp)
{
	size_t want;
	bool ok;
	if (n == 0)
		return 0;
	return step_read(s, n, cp, &want, &ok);
}

size_t utf8_put(char out[4], uint32_t cp)
{
	if (cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff))
		cp = 0xfffd;
	if (cp < 0x80) {
		out[0] = (char)cp;
		return 1;
	}
	size_t len = cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;
	for (size_t i = len - 1; i > 0; i--, cp >>= 6)
		out[i] = (char)(0x80 | (cp & 0x3f));
	out[0] = (char)((0xf00u >> len & 0xff) | cp);
	return len;
}

size_t utf8_tail(const char *s, size_t n)
{
	for (size_t k = 1; k <= 3 && k <= n; k++) {
		uint32_t cp;
		size_t want;
		bool ok;
		if (((unsigned char)s[n - k] & 0xc0) == 0x80)
			continue;
		return step_read(s + n - k, k, &cp, &want, &ok) == k && want > k ? k : 0;
	}
	return 0;
}

bool utf8_valid(const char *s, size_t n)
{
	while (n > 0) {
		uint32_t cp;
		size_t want;
		bool ok;
		size_t k = step_read(s, n, &cp, &want, &ok);
		if (!ok)
			return false;
		s += k;
		n -= k;
	}
	return true;
}

char utf8_class(uint32_t cp)
{
	static const char class_of[] = "CLLLLLMMMNNNPPPPPPPSSSSZZZCCCC"; /* in the order of utf8proc_category_t */
	return cp > 0x10ffff ? 'C' : class_of[utf8proc_category((utf8proc_int32_t)cp)];
}

int utf8_width(uint32_t cp)
{
	if (cp < 0x7f)
		return cp < 0x20 ? -1 : 1;
	if (cp < 0xa0 || cp > 0x10ffff || (cp >= 0xe0000 && cp <= 0xe0fff))
		return -1;
	/* Vowels and finals of joining Hangul stand on the consonant before them. */
	if ((cp >= 0x1160 && cp <= 0x11ff) || (cp >= 0xd7b0 && cp <= 0xd7ff))
		return utf8proc_category((utf8proc_int32_t)cp) == UTF8PROC_CATEGORY_CN ? -1 : 0;
	int width = utf8proc_charwidth((utf8proc_int32_t)cp);
	switch (utf8proc_category((utf8proc_int32_t)cp)) {
	case UTF8PROC_CATEGORY_CN: case UTF8PROC_CATEGORY_CC: case UTF8PROC_CATEGORY_CF: /* bidi, zero width */
	case UTF8PROC_CATEGORY_CS: case UTF8PROC_CATEGORY_ZL: case UTF8PROC_CATEGORY_ZP:
		return -1;
	case UTF8PROC_CATEGORY_MN: case UTF8PROC_CATEGORY_ME:
		return 0;
	case UTF8PROC_CATEGORY_MC: /* spacing marks: terminals and a later utf8proc give them a column */
		return 1;
	default:
		return width > 0 ? width : -1;
	}
}

int utf8_columns(const char *s, size_t n)
{
	int sum = 0;
	while (n > 0) {
		uint32_t cp;
		size_t k = utf8_next(s, n, &cp);
		int w = utf8_width(cp);
		sum += w > 0 ? w : 0;
		s += k;
		n -= k;
	}
	return sum;
}

/* Combining marks at the end of out, MARKS_MAX when there is no character they could sit on. */
static int marks_at_end(const Buf *out)
{
	int marks = 0;
	size_t n = out->len;
	while (n > 0 && marks < MARKS_MAX) {
		size_t k = 1;
		uint32_t cp;
		while (k < 4 && k < n && ((unsigned char)out->s[n - k] & 0xc0) == 0x80)
			k++;
		utf8_next(out->s + n - k, k, &cp);
		int w = utf8_width(cp);
		if (w != 0)
			return w > 0 ? marks : MARKS_MAX;
		marks++;
		n -= k;
	}
	return MARKS_MAX;
}

void safe_text(Buf *out, const char *s, size_t n, unsigned flags)
{
	int marks = marks_at_end(out);
	while (n > 0 && !out->failed) {
		uint32_t cp;
		size_t want;
		bool ok;
		size_t k = step_read(s, n, &cp, &want, &ok);
		int w = utf8_width(cp);
		if (!ok) {
			for (size_t i = 0; i < k; i++)
				buf_printf(out, "<%02x>", (unsigned)(unsigned char)s[i]);
			marks = MARKS_MAX;
		} else if ((cp == '\n' && (flags & SAFE_LF)) || (cp == '\t' && (flags & SAFE_TAB))) {
			buf_addc(out, (int)cp);
			marks = MARKS_MAX;
		} else if (w < 0 || (w == 0 && marks >= MARKS_MAX) || (cp > 0x7e && (flags & SAFE_ASCII))) {
			buf_printf(out, cp < 0x80 ? "<%02x>" : "<u+%04x>", (unsigned)cp);
			marks = MARKS_MAX; /* nothing may sit on the escape */
		} else {
			buf_add(out, s, k);
			marks = w > 0 ? 0 : marks + 1;
		}
		s += k;
		n -= k;
	}
}
