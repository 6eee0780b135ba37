/* fuzz_safetensors.c - any bytes as a safetensors file: eight bytes of length, a header, data. What is
 * accepted has tensors that follow each other through the data, each found under its own name. */
#include "fuzz.h"
#include "tensor/st_header.h"
#include <stdlib.h>
#include <string.h>

static void header_check(const StHeader *h, uint64_t data)
{
	uint64_t at = 0;
	for (size_t i = 0; i < h->n; i++) {
		const StEntry *t = &h->t[i];
		uint64_t bytes;
		bool whole;
		FUZZ_CHECK(t->begin == at && t->end >= at);
		FUZZ_CHECK(st_entry_bytes(t, &bytes, &whole) && whole && bytes == t->end - t->begin);
		FUZZ_CHECK(map_get(h->names, t->name, strlen(t->name)) == (int64_t)i);
		at = t->end;
	}
	FUZZ_CHECK(at == data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Err e = { 0 };
	StHeader h;
	uint64_t n = 0;
	if (size < 8)
		return 0;
	for (int i = 7; i >= 0; i--)
		n = n << 8 | data[i];
	if (n > size - 8)
		n = size - 8; /* a longer one is refused before the header is looked at */
	char *text = malloc((size_t)n + 1);
	FUZZ_CHECK(text != NULL);
	memcpy(text, data + 8, (size_t)n);
	bool ok = st_header_parse(&h, text, (size_t)n, size - 8 - n, "input", &e);
	FUZZ_CHECK(ok == (e.code == 0));
	if (ok)
		header_check(&h, size - 8 - n);
	st_header_done(&h);
	free(text);
	return 0;
}
