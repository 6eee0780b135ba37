/* fuzz_stream.c - bytes of a stream from a stranger: taken frame by frame from exact copies, stored, looked
 * up, printed again. The first byte chooses: the input as it is, or cut into bodies that get a header with a
 * right checksum, since a fuzzer does not find checksums. Invariants: no read past the end, what was taken
 * encodes to the same bytes, the store keeps its budget. */
#include "fuzz.h"
#include "base/err.h"
#include "probe/store.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BUDGET = 256 << 10 };

static void look(Store *s, const Sample *x)
{
	int64_t row;
	volatile double sink = sample_num(x, 0) + sample_num(x, x->bytes) + sample_num(x, SIZE_MAX);
	(void)sink;
	const Sample *at = store_pos(s, x->topic, x->step, &row);
	FUZZ_CHECK(!at || (row >= 0 && row < sample_rows(at)));
	FUZZ_CHECK(store_bytes(s) <= BUDGET);
	store_seek(s, x->time);
	store_last(s, x->topic);
	store_count(s, x->topic);
	store_seek(s, INFINITY);
}

/* Takes what it can from the front of (p, n). */
static void take_all(Store *s, const char *p, size_t n)
{
	while (n > 0) {
		/* An exact copy: the sanitizer sees the first byte read behind it. */
		char *copy = malloc(n);
		FUZZ_CHECK(copy != NULL);
		memcpy(copy, p, n);
		Frame f;
		Err e = { 0 };
		long used = frame_take(copy, n, &f, &e);
		FUZZ_CHECK(used <= (long)n && (used < 0) == (e.code != 0));
		if (used > 0) {
			Buf again = BUF_INIT;
			if (f.kind == FRAME_SAMPLE)
				frame_put_sample(&again, &f.sample);
			else
				frame_put_text(&again, f.kind, f.text, f.text_len);
			FUZZ_CHECK(!again.failed && again.len == (size_t)used &&
				   memcmp(again.s, copy, again.len) == 0);
			buf_done(&again);
			if (f.kind == FRAME_SAMPLE && store_add(s, &f.sample))
				look(s, &f.sample);
		}
		free(copy);
		if (used <= 0)
			return;
		p += used;
		n -= (size_t)used;
	}
}

/* Bodies: a length byte, then so many bytes, each sent as a sample's frame. */
static void take_bodies(Store *s, const char *p, size_t n)
{
	Buf b = BUF_INIT;
	while (n > 0) {
		size_t len = (unsigned char)p[0];
		p++;
		n--;
		if (len > n)
			len = n;
		size_t at = b.len;
		frame_put_text(&b, FRAME_COMMAND, p, len);
		if (!b.failed)
			b.s[at + 2] = FRAME_SAMPLE;
		p += len;
		n -= len;
		/* A refused body must not hide those after it. */
		take_all(s, buf_str(&b), b.len);
		buf_clear(&b);
	}
	buf_done(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Store *s = store_new(BUDGET);
	if (!s || size == 0) {
		store_free(s);
		return 0;
	}
	const char *p = (const char *)data + 1;
	if (data[0] & 1)
		take_bodies(s, p, size - 1);
	else
		take_all(s, p, size - 1);
	const Sample *x;
	for (uint64_t at = 0; (at = store_next(s, at, &x)) != 0;)
		look(s, x);
	store_clear(s, "**");
	store_free(s);
	return 0;
}
