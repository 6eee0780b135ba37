/* bench_text.c - tokenizing on one thread: MB/s of ordinary and of hostile text, and the time to open a
 * tokenizer. `bench_text TOKENIZER [TEXT...]` takes a folder or tokenizer.json and files of text; without
 * arguments the small tokenizers of the tests and a text made up here. Rows of TSV: what, bytes, ids, best
 * milliseconds, MB/s. */
#include "base/buf.h"
#include "base/clock.h"
#include "base/rng.h"
#include "text/tok.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RUNS = 5, MEGABYTE = 1 << 20 };

static void text_bench(const Tok *t, const char *what, const char *s, size_t n)
{
	double best = 1e9;
	Ids ids = { 0 };
	Err e = { 0 };
	for (int i = 0; i < RUNS; i++) {
		ids.n = 0;
		double at = clock_now();
		if (!tok_encode(t, s, n, &ids, &e)) {
			err_print(&e);
			break;
		}
		double took = clock_now() - at;
		best = took < best ? took : best;
	}
	printf("%s\t%zu\t%zu\t%.2f\t%.1f\n", what, n, ids.n, best * 1e3, (double)n / best / 1e6);
	ids_done(&ids);
}

/* Words with frequencies as in a language: the k-th most often 1/k as often, lines and numbers between. */
static void prose_make(Buf *b)
{
	static const char *const word[] = { "the", "of", "experts", "and", "latent", "attention", "a",
		"routing", "Each", "token", "in", "selects", "eight", "weights", "DeepSeek", "cache",
		"compression", "vectors", "don't", "matrix", "gradient", "loss", "balance", "sigmoid",
		"softmax", "heads", "layers", "rotary", "embedding", "precision", "throughput",
		"na\xc3\xafve", "pipeline" };
	enum { WORDS = sizeof word / sizeof word[0] };
	Rng r = rng_make(1, 0);
	while (b->len < 8 * MEGABYTE && !b->failed) {
		uint32_t k = rng_below(&r, 1 + rng_below(&r, WORDS));
		buf_adds(b, word[k]);
		uint32_t gap = rng_below(&r, 40);
		buf_adds(b,
			gap == 0         ? ".\n" :
				gap == 1 ? ", " :
				gap == 2 ? " 2048 " :
				gap == 3 ? " (x = 1.5) " :
					   " ");
	}
}

static void hostile_bench(const Tok *t)
{
	static const char *const unit[] = { "a", " ", "\n", "1", "!", "<", "\xe4\xbd\xa0", "ab" };
	char *s = malloc(MEGABYTE), what[32];
	for (size_t i = 0; s && i < sizeof unit / sizeof unit[0]; i++) {
		size_t len = strlen(unit[i]), n = MEGABYTE / len * len;
		for (size_t k = 0; k < n; k++)
			s[k] = unit[i][k % len];
		snprintf(what, sizeof what, "1 MiB of '%s'", unit[i][0] == '\n' ? "\\n" : unit[i]);
		text_bench(t, what, s, n);
	}
	free(s);
}

static bool tokenizer_bench(const char *path, char **text, int texts)
{
	Err e = { 0 };
	double best = 1e9;
	Tok *t = NULL;
	for (int i = 0; i < RUNS; i++) {
		tok_free(t);
		double at = clock_now();
		if (!(t = tok_open(path, &e))) {
			err_print(&e);
			return false;
		}
		best = clock_now() - at < best ? clock_now() - at : best;
	}
	printf("open %s\t\t%d\t%.2f\t\n", path, (int)tok_count(t), best * 1e3);
	Buf b = BUF_INIT;
	prose_make(&b);
	text_bench(t, "prose", buf_str(&b), b.len);
	for (int i = 0; i < texts; i++) {
		buf_clear(&b);
		if (buf_read_file(&b, text[i], (size_t)1 << 30, &e))
			text_bench(t, text[i], buf_str(&b), b.len);
	}
	hostile_bench(t);
	buf_done(&b);
	tok_free(t);
	return true;
}

int main(int argc, char **argv)
{
	const char *dir = getenv("srcdir");
	char path[4096];
	printf("what\tbytes\tids\tms\tMB/s\n");
	if (argc > 1)
		return tokenizer_bench(argv[1], argv + 2, argc - 2) ? 0 : 1;
	bool ok = true;
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof path, "%s/tests/data/tokenizers/%s", dir ? dir : ".",
			i ? "mini_v2" : "mini_v3");
		ok &= tokenizer_bench(path, NULL, 0);
	}
	return ok ? 0 : 1;
}
