/* vocab.c - tokens by id and by spelling, and merges by pair of ids. A spelling made only of the byte
 * alphabet stands for bytes; any other (added tokens with a blank, U+FF5C bars) stands for its own UTF-8, as
 * in the tokenizers library. */
#include "text/vocab.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/utf8.h"
#include <stdlib.h>
#include <string.h>

enum { SHOWN = 60 }; /* bytes of a token that an error shows */

static int shown(size_t n)
{
	return n < SHOWN ? (int)n : SHOWN;
}

static void alphabet_init(Alphabet *a)
{
	uint16_t next = 0x100;
	memset(a->byte, 0xff, sizeof a->byte);
	for (int b = 0; b < 256; b++) {
		bool self = (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b <= 0xac) || b >= 0xae;
		a->cp[b] = self ? (uint16_t)b : next++;
		a->byte[a->cp[b]] = (int16_t)b;
	}
}

bool vocab_init(Vocab *v, size_t hint_tokens, Err *e)
{
	size_t size = 64;
	while (size / 2 < hint_tokens && size < (size_t)1 << 26)
		size *= 2;
	*v = (Vocab){ .slots = size };
	alphabet_init(&v->alpha);
	memset(v->byte_id, 0xff, sizeof v->byte_id);
	v->slot = malloc(size * sizeof *v->slot);
	if (!v->slot)
		return err_set(e, E_5001, "out of memory for a vocabulary");
	memset(v->slot, 0xff, size * sizeof *v->slot);
	uint64_t seed[2] = { (uint64_t)clock_wall_us(), (uint64_t)(uintptr_t)v->slot };
	v->salt = hash_bytes(seed, sizeof seed, 0);
	return true;
}

void vocab_done(Vocab *v)
{
	free(v->pool);
	free(v->tok);
	free(v->slot);
	free(v->pair);
	*v = (Vocab){ 0 };
}

/* Eight bytes at a time; only this process ever sees the value. */
static uint64_t spelling_hash(const Vocab *v, const char *s, size_t n)
{
	uint64_t h = v->salt ^ n, w;
	for (; n >= 8; s += 8, n -= 8) {
		memcpy(&w, s, 8);
		h = (h ^ w) * 0x9e3779b97f4a7c15u;
		h ^= h >> 29;
	}
	w = 0;
	for (size_t i = 0; i < n; i++)
		w |= (uint64_t)(unsigned char)s[i] << (8 * i);
	h = (h ^ w) * 0xd1b54a32d192ed03u;
	h ^= h >> 32;
	return h * 0x9e3779b97f4a7c15u;
}

/* The slot that holds the spelling, or the free one where it belongs. */
static Spelling *slot_find(const Vocab *v, uint64_t hash, const char *s, size_t n)
{
	for (size_t i = (size_t)(hash >> 32) & (v->slots - 1);; i = (i + 1) & (v->slots - 1)) {
		Spelling *k = &v->slot[i];
		if (k->id < 0 ||
			(k->tag == (uint32_t)hash && k->n == n && memcmp(v->pool + k->at, s, n) == 0))
			return k;
	}
}

static bool slots_grow(Vocab *v)
{
	Spelling *old = v->slot;
	size_t size = v->slots;
	Spelling *slot = malloc(2 * size * sizeof *slot);
	if (!slot)
		return false;
	memset(slot, 0xff, 2 * size * sizeof *slot);
	v->slot = slot;
	v->slots = 2 * size;
	for (size_t i = 0; i < size; i++) {
		const Spelling *k = &old[i];
		if (k->id >= 0)
			*slot_find(v, spelling_hash(v, v->pool + k->at, k->n), v->pool + k->at, k->n) = *k;
	}
	free(old);
	return true;
}

static bool pool_reserve(Vocab *v, size_t more)
{
	size_t need = v->pool_n + more;
	if (need <= v->pool_cap)
		return true;
	if (need > UINT32_MAX / 2)
		return false;
	size_t cap = v->pool_cap ? v->pool_cap * 2 : 1 << 16;
	while (cap < need)
		cap *= 2;
	char *p = realloc(v->pool, cap);
	if (!p)
		return false;
	v->pool = p;
	v->pool_cap = cap;
	return true;
}

static bool ids_reserve(Vocab *v, int32_t id)
{
	if (id < v->cap)
		return true;
	int32_t cap = v->cap ? v->cap : 512;
	while (cap <= id)
		cap *= 2;
	Token *t = realloc(v->tok, (size_t)cap * sizeof *t);
	if (!t)
		return false;
	memset(t + v->cap, 0, (size_t)(cap - v->cap) * sizeof *t);
	v->tok = t;
	v->cap = cap;
	return true;
}

/* Bytes of a spelling into out (room for n); false when a character is not of the alphabet. */
static bool spelling_bytes(const Alphabet *a, const char *s, size_t n, char *out, size_t *got)
{
	size_t k = 0;
	for (size_t i = 0; i < n;) {
		uint32_t cp = (unsigned char)s[i];
		if (cp < 0x80)
			i++;
		else
			i += utf8_next(s + i, n - i, &cp);
		if (cp >= VOCAB_ALPHABET || a->byte[cp] < 0)
			return false;
		out[k++] = (char)a->byte[cp];
	}
	*got = k;
	return true;
}

bool vocab_add(Vocab *v, const char *s, size_t n, int64_t id, const char *where, Err *e)
{
	size_t got;
	if (id < 0 || id >= VOCAB_IDS_MAX)
		return err_set(e, E_3132, "%s: token \"%.*s\": id %lld is not in 0..%d", where, shown(n), s,
			(long long)id, VOCAB_IDS_MAX - 1);
	if (!pool_reserve(v, 2 * n + 1) || !ids_reserve(v, (int32_t)id) ||
		(v->used + 1 > v->slots / 2 && !slots_grow(v)))
		return err_set(e, E_5001, "%s: out of memory for its vocabulary", where);
	Token *t = &v->tok[id];
	uint64_t hash = spelling_hash(v, s, n);
	Spelling *slot = slot_find(v, hash, s, n);
	if (slot->id >= 0)
		return err_set(e, E_3132, "%s: token \"%.*s\" is there twice, as id %d and %lld", where,
			shown(n), s, (int)slot->id, (long long)id);
	if (t->used)
		return err_set(e, E_3132, "%s: id %lld is given to \"%.*s\" and to \"%.*s\"", where,
			(long long)id, shown(t->n), v->pool + t->at, shown(n), s);
	*t = (Token){ .at = (uint32_t)v->pool_n, .n = (uint32_t)n, .used = 1 };
	memcpy(v->pool + v->pool_n, s, n);
	v->pool_n += n;
	t->bytes_at = t->at;
	t->bytes_n = t->n;
	if (spelling_bytes(&v->alpha, s, n, v->pool + v->pool_n, &got)) {
		t->bytes_at = (uint32_t)v->pool_n;
		t->bytes_n = (uint32_t)got;
		v->pool_n += got;
	}
	*slot = (Spelling){ (int32_t)id, (uint32_t)hash, t->at, t->n };
	v->used++;
	if (id >= v->count)
		v->count = (int32_t)id + 1;
	return true;
}

int32_t vocab_find(const Vocab *v, const char *s, size_t n)
{
	return slot_find(v, spelling_hash(v, s, n), s, n)->id;
}

/* UTF-8 of the symbol of one byte. */
static size_t symbol_put(const Vocab *v, unsigned char byte, char out[4])
{
	return utf8_put(out, v->alpha.cp[byte]);
}

int32_t vocab_find_bytes(const Vocab *v, const char *s, size_t n)
{
	char few[256] = { 0 }, *many = few;
	size_t k = 0;
	if (n > sizeof few / 4 && !(many = malloc(4 * n)))
		return -1;
	for (size_t i = 0; i < n; i++)
		k += symbol_put(v, (unsigned char)s[i], many + k);
	int32_t id = vocab_find(v, many, k);
	if (many != few)
		free(many);
	return id;
}

void vocab_bytes_index(Vocab *v)
{
	for (int b = 0; b < 256; b++) {
		char s[4];
		v->byte_id[b] = vocab_find(v, s, symbol_put(v, (unsigned char)b, s));
	}
}

static Pair *pair_slot(const Vocab *v, int32_t a, int32_t b)
{
	size_t i = pair_hash(v->salt, a, b) & (v->pairs - 1);
	while (v->pair[i].a >= 0 && (v->pair[i].a != a || v->pair[i].b != b))
		i = (i + 1) & (v->pairs - 1);
	return &v->pair[i];
}

/* Twice the room, or at first for about as many merges as there are tokens. */
static bool pairs_grow(Vocab *v)
{
	Pair *old = v->pair;
	size_t size = v->pairs, want = 64, bytes;
	while (want < 2 * (size_t)v->count)
		want *= 2;
	want = size ? 2 * size : want;
	if (!size_mul(want, sizeof(Pair), &bytes) || !(v->pair = malloc(bytes))) {
		v->pair = old;
		return false;
	}
	memset(v->pair, 0xff, bytes);
	v->pairs = want;
	for (size_t i = 0; i < size; i++)
		if (old[i].a >= 0)
			*pair_slot(v, old[i].a, old[i].b) = old[i];
	free(old);
	return true;
}

static bool merge_fail(const char *what, const char *a, size_t an, const char *b, size_t bn, int32_t rank,
	const char *where, Err *e)
{
	return err_set(e, E_3133, "%s: model.merges[%d]: %s of \"%.*s\" + \"%.*s\" is not in model.vocab",
		where, (int)rank, what, shown(an), a, shown(bn), b);
}

static bool guess_holds(const Vocab *v, const char *a, size_t an, const char *b, size_t bn)
{
	const Token *t = v->guess < v->count ? &v->tok[v->guess] : NULL;
	return t && t->used && t->n == an + bn && memcmp(v->pool + t->at, a, an) == 0 &&
		memcmp(v->pool + t->at + an, b, bn) == 0;
}

/* Id of the two spellings joined. */
static int32_t joined_find(const Vocab *v, const char *a, size_t an, const char *b, size_t bn)
{
	char few[256], *s = few;
	if (an + bn > sizeof few && !(s = malloc(an + bn)))
		return -1;
	memcpy(s, a, an);
	memcpy(s + an, b, bn);
	int32_t id = vocab_find(v, s, an + bn);
	if (s != few)
		free(s);
	return id;
}

bool vocab_merge_add(
	Vocab *v, const char *a, size_t an, const char *b, size_t bn, int32_t rank, const char *where, Err *e)
{
	if (an == 0 || bn == 0)
		return err_set(e, E_3133, "%s: model.merges[%d]: a part is empty", where, (int)rank);
	int32_t ia = vocab_find(v, a, an), ib = vocab_find(v, b, bn);
	if (ia < 0 || ib < 0)
		return merge_fail(ia < 0 ? "the left part" : "the right part", a, an, b, bn, rank, where, e);
	int32_t id = guess_holds(v, a, an, b, bn) ? v->guess : joined_find(v, a, an, b, bn);
	if (id < 0)
		return merge_fail("the result", a, an, b, bn, rank, where, e);
	v->guess = id + 1;
	if (v->merges + 1 > v->pairs / 2 && !pairs_grow(v))
		return err_set(e, E_5001, "%s: out of memory for its merges", where);
	Pair *p = pair_slot(v, ia, ib);
	if (p->a < 0)
		v->merges++;
	*p = (Pair){ ia, ib, rank, id };
	return true;
}
