/* test_bpe.c - merging against the rule written down plainly: over and over, the leftmost of the pairs of
 * lowest rank. Also with vocabularies whose merges stand in an order that no training gives, and on pieces of
 * a megabyte. */
#include "tests/text/lines.h"
#include "tests/unit.h"
#include "text/bpe.h"
#include "base/rng.h"
#include <stdlib.h>
#include <string.h>

enum { TEXT = 300 };

static size_t plain_merge(const Vocab *v, int32_t *id, size_t n)
{
	for (;;) {
		const Pair *best = NULL;
		size_t at = 0;
		for (size_t i = 0; i + 1 < n; i++) {
			const Pair *p = vocab_pair(v, id[i], id[i + 1]);
			if (p && (!best || p->rank < best->rank)) {
				best = p;
				at = i;
			}
		}
		if (!best)
			return n;
		id[at] = best->id;
		memmove(id + at + 1, id + at + 2, (n - at - 2) * sizeof *id);
		n--;
	}
}

/* The letters a..d and tokens joined from them at random, their merges in random order. */
static void vocab_random(Vocab *v, Rng *r)
{
	char s[64][16];
	int n = 0, rank[64];
	assert_true(vocab_init(v, 64, NULL));
	for (; n < 4; n++) {
		s[n][0] = (char)('a' + n);
		s[n][1] = '\0';
		assert_true(vocab_add(v, s[n], 1, n, "test", NULL));
	}
	for (int i = 0; i < 64; i++)
		rank[i] = i;
	for (int i = 63; i > 0; i--) {
		int k = (int)rng_below(r, (uint32_t)i + 1), x = rank[i];
		rank[i] = rank[k];
		rank[k] = x;
	}
	for (int tries = 0; tries < 200 && n < 60; tries++) {
		uint32_t a = rng_below(r, (uint32_t)n), b = rng_below(r, (uint32_t)n);
		size_t an = strlen(s[a]), bn = strlen(s[b]);
		if (an + bn > 15)
			continue;
		memcpy(s[n], s[a], an);
		memcpy(s[n] + an, s[b], bn + 1);
		if (vocab_find(v, s[n], an + bn) < 0) {
			assert_true(vocab_add(v, s[n], an + bn, n, "test", NULL));
			assert_true(vocab_merge_add(v, s[a], an, s[b], bn, rank[n], "test", NULL));
			n++;
		}
	}
	vocab_bytes_index(v);
}

static void text_compare(const Vocab *v, const char *s, size_t n, Bpe *b)
{
	int32_t id[TEXT];
	for (size_t i = 0; i < n; i++)
		id[i] = v->byte_id[(unsigned char)s[i]];
	size_t k = plain_merge(v, id, n);
	b->out->n = 0;
	assert_true(bpe_piece(b, s, n));
	assert_int_equal(b->out->n, k);
	assert_memory_equal(b->out->id, id, k * sizeof *id);
}

TEST(merges_lowest_rank_leftmost)
{
	Rng r = rng_make(1, 2);
	for (int round = 0; round < 60; round++) {
		Vocab v;
		Ids out = { 0 };
		Bpe b;
		char s[TEXT];
		vocab_random(&v, &r);
		bpe_init(&b, &v, false, 1 << 20, &out, NULL);
		for (int i = 0; i < 200; i++) {
			size_t n = 1 + rng_below(&r, i % 10 ? 12 : TEXT - 1);
			uint32_t letters = 1 + rng_below(&r, 4);
			for (size_t k = 0; k < n; k++)
				s[k] = (char)('a' + rng_below(&r, letters));
			text_compare(&v, s, n, &b);
			text_compare(&v, s, n, &b); /* from the cache, where it is short */
		}
		bpe_done(&b);
		ids_done(&out);
		vocab_done(&v);
	}
}

TEST(a_byte_without_a_token_is_named)
{
	Vocab v;
	Bpe b;
	Ids out = { 0 };
	Err e = { 0 };
	assert_true(vocab_init(&v, 4, &e) && vocab_add(&v, "a", 1, 0, "test", &e));
	vocab_bytes_index(&v);
	bpe_init(&b, &v, false, 0, &out, &e);
	assert_true(bpe_piece(&b, "a", 1));
	assert_false(bpe_piece(&b, "ab", 2));
	assert_int_equal(e.code, E_3136);
	assert_non_null(strstr(e.text, "0x62"));
	bpe_done(&b);
	ids_done(&out);
	vocab_done(&v);
}

/* A megabyte without a place to cut: with work that grows as the square, each of these would take minutes. */
TEST(hostile_texts_of_a_megabyte)
{
	static const char *const unit[] = { "a", " ", "\n", "1", "\xe4\xbd\xa0", "!", "<", "<\xef\xbd\x9c",
		" \n", "\xcc\x81", "<｜User｜" };
	static const char *const name[] = { "mini_v3", "mini_v2" };
	const size_t n = 1 << 20;
	char *s = malloc(n);
	assert_non_null(s);
	for (size_t t = 0; t < 2; t++) {
		Tok *tok = tok_open(lines_path(name[t], "tokenizer.json"), NULL);
		assert_non_null(tok);
		for (size_t i = 0; i < sizeof unit / sizeof unit[0]; i++) {
			size_t len = strlen(unit[i]), m = n / len * len;
			Ids ids = { 0 };
			Buf back = BUF_INIT;
			for (size_t k = 0; k < m; k++)
				s[k] = unit[i][k % len];
			assert_true(tok_encode(tok, s, m, &ids, NULL));
			tok_decode(tok, ids.id, ids.n, &back);
			assert_int_equal(back.len, m);
			assert_memory_equal(back.s, s, m);
			buf_done(&back);
			ids_done(&ids);
		}
		tok_free(tok);
	}
	free(s);
}
