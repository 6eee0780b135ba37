/* fuzz_safe_text.c - any bytes on their way to a terminal: the first byte gives the flags and where the
 * text is cut in two. What comes out is UTF-8 without controls, and saying it twice changes nothing. */
#include "fuzz.h"
#include "base/utf8.h"
#include <string.h>

static void output_check(const Buf *b, unsigned flags)
{
	for (size_t i = 0, k; i < b->len; i += k) {
		uint32_t cp;
		k = utf8_next(b->s + i, b->len - i, &cp);
		bool kept = (cp == '\n' && (flags & SAFE_LF)) || (cp == '\t' && (flags & SAFE_TAB));
		FUZZ_CHECK(k >= 1 && k <= 4);
		FUZZ_CHECK(kept || utf8_width(cp) >= 0);
		FUZZ_CHECK(!(flags & SAFE_ASCII) || cp < 0x7f);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Buf once = BUF_INIT, twice = BUF_INIT;
	if (size == 0)
		return 0;
	unsigned flags = data[0] & 7;
	const char *s = (const char *)data + 1;
	size_t n = size - 1, cut = n ? (data[0] >> 3) % n : 0;
	FUZZ_CHECK(utf8_tail(s, n) <= 3 && utf8_tail(s, n) <= n);
	cut -= utf8_tail(s, cut);
	safe_text(&once, s, cut, flags);
	safe_text(&once, s + cut, n - cut, flags);
	FUZZ_CHECK(!once.failed && utf8_valid(buf_str(&once), once.len));
	FUZZ_CHECK(utf8_columns(buf_str(&once), once.len) >= 0);
	output_check(&once, flags);
	safe_text(&twice, buf_str(&once), once.len, flags);
	FUZZ_CHECK(twice.len == once.len && memcmp(buf_str(&twice), buf_str(&once), once.len) == 0);
	buf_done(&once);
	buf_done(&twice);
	return 0;
}
