/* fuzz_index.c - any bytes as model.safetensors.index.json. What is accepted names plain files only,
 * sorted and each once. */
#include "fuzz.h"
#include "tensor/ckpt_dir.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Err e = { 0 };
	CkptFiles f = { 0 };
	char *text = malloc(size + 1);
	FUZZ_CHECK(text != NULL);
	memcpy(text, data, size);
	bool ok = ckpt_index_parse(&f, text, size, "input", &e);
	FUZZ_CHECK(ok == (e.code == 0));
	for (size_t i = 0; ok && i < f.n; i++) {
		size_t n = strlen(f.name[i]);
		FUZZ_CHECK(n > 12 && strcmp(f.name[i] + n - 12, ".safetensors") == 0);
		FUZZ_CHECK(!strchr(f.name[i], '/') && f.name[i][0] != '.');
		FUZZ_CHECK(i == 0 || strcmp(f.name[i - 1], f.name[i]) < 0);
	}
	for (size_t i = 0; ok && i < f.n_map; i++)
		FUZZ_CHECK(f.map[i].file < f.n);
	ckpt_files_done(&f);
	return 0;
}
