/* fuzz_tokenizer.c - any bytes as tokenizer.json. One that opens must encode texts the same way twice, to ids
 * that it has, and streaming them must give what decoding gives. */
#include "fuzz.h"
#include "text/tok.h"
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static bool input_store(char *path, size_t room, const uint8_t *data, size_t size)
{
	static int fd = -1;
	if (fd < 0)
		fd = memfd_create("tokenizer", 0);
	FUZZ_CHECK(fd >= 0);
	snprintf(path, room, "/proc/self/fd/%d", fd);
	return ftruncate(fd, 0) == 0 && pwrite(fd, data, size, 0) == (ssize_t)size;
}

static void text_check(const Tok *t, const char *s, size_t n)
{
	Ids a = { 0 }, b = { 0 };
	Buf whole = BUF_INIT, parts = BUF_INIT;
	TokStream st;
	Err e = { 0 };
	bool ok = tok_encode(t, s, n, &a, &e);
	FUZZ_CHECK(ok == (e.code == 0));
	FUZZ_CHECK(tok_encode(t, s, n, &b, NULL) == ok);
	FUZZ_CHECK(!ok || (a.n == b.n && (!a.n || memcmp(a.id, b.id, a.n * sizeof *a.id) == 0)));
	tok_stream_init(&st, t);
	for (size_t i = 0; ok && i < a.n; i++) {
		FUZZ_CHECK(a.id[i] >= 0 && a.id[i] < tok_count(t));
		tok_stream_push(&st, a.id[i], &parts);
	}
	tok_stream_flush(&st, &parts);
	tok_decode(t, a.id, ok ? a.n : 0, &whole);
	FUZZ_CHECK(whole.len == parts.len && (!whole.len || memcmp(whole.s, parts.s, whole.len) == 0));
	buf_done(&whole);
	buf_done(&parts);
	ids_done(&a);
	ids_done(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char sample[] = "ab ab  a1b!\n\n<s>c<|x|>你ab\r\n \xff a   ";
	char path[64];
	Err e = { 0 };
	if (!input_store(path, sizeof path, data, size))
		return 0;
	Tok *t = tok_open(path, &e);
	FUZZ_CHECK((t == NULL) == (e.code != 0));
	if (!t)
		return 0;
	text_check(t, sample, sizeof sample - 1);
	size_t n = size < 200 ? size : 200; /* its own text, too */
	text_check(t, (const char *)data + (size - n), n);
	tok_free(t);
	return 0;
}
