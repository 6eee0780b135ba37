/* units.c - numbers with their units, names made safe, and columns aligned by what they show, not by their
 * bytes. */
#include "cli/units.h"
#include "base/utf8.h"
#include <langinfo.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

bool units_utf8(void)
{
	return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

void units_count(Buf *b, int64_t n)
{
	char s[24];
	int k = snprintf(s, sizeof s, "%llu", n < 0 ? 0ull - (unsigned long long)n : (unsigned long long)n);
	if (n < 0)
		buf_addc(b, '-');
	for (int i = 0; i < k; i++) {
		if (i && (k - i) % 3 == 0)
			buf_addc(b, ',');
		buf_addc(b, s[i]);
	}
}

static void scaled_put(Buf *b, double v, double step, const char *const *unit, int n)
{
	int u = 0;
	while (u + 1 < n && v >= step * 0.99995) {
		v /= step;
		u++;
	}
	if (u == 0)
		buf_printf(b, "%.0f%s%s", v, *unit[0] ? " " : "", unit[0]);
	else
		buf_printf(b, "%.*f %s", v < 10 ? 3 : v < 100 ? 2 : 1, v, unit[u]);
}

void units_amount(Buf *b, int64_t n)
{
	static const char *const unit[] = { "", "K", "M", "B", "T" };
	scaled_put(b, (double)n, 1000, unit, 5);
}

void units_bytes(Buf *b, double n)
{
	static const char *const unit[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	scaled_put(b, n, 1024, unit, 7);
}

void units_pad(Buf *b, size_t from, int width)
{
	if (b->failed)
		return;
	for (int n = width - utf8_columns(buf_str(b) + from, b->len - from); n > 0; n--)
		buf_addc(b, ' ');
}

void units_pad_before(Buf *b, size_t from, int width)
{
	size_t end = b->len;
	units_pad(b, from, width);
	if (b->failed || b->len == end)
		return;
	size_t blanks = b->len - end;
	memmove(b->s + from + blanks, b->s + from, end - from);
	memset(b->s + from, ' ', blanks);
}

void units_name(Buf *b, const char *s, int width)
{
	size_t from = b->len;
	safe_text(b, s, strlen(s), units_utf8() ? 0 : SAFE_ASCII);
	units_pad(b, from, width);
}

int units_name_width(const char *s)
{
	Buf b = BUF_INIT;
	units_name(&b, s, 0);
	int n = utf8_columns(buf_str(&b), b.len);
	buf_done(&b);
	return n;
}

void units_bar(Buf *b, double share, int width)
{
	double eighths = share * width * 8;
	int n = (int)lrint(eighths < 1 && share > 0 ? 1 : eighths);
	if (!units_utf8()) {
		for (int i = 0; i < (n + 7) / 8; i++)
			buf_addc(b, '#');
		return;
	}
	for (; n >= 8; n -= 8)
		/* a full block; the seven left ones follow it in Unicode, growing thinner */
		buf_adds(b, "\xe2\x96\x88");
	if (n > 0)
		buf_printf(b, "\xe2\x96%c", (char)(0x88 + 8 - n));
}
