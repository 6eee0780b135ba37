/* vocab.h - the tokens of a byte-level BPE: spelling, bytes, id, and the table of merges. Filled once, then
 * read only. */
#ifndef TEXT_VOCAB_H
#define TEXT_VOCAB_H
#include "base/err.h"
#include <stdint.h>

enum { VOCAB_IDS_MAX = 1 << 24, VOCAB_ALPHABET = 0x144 };

typedef struct Token {
	uint32_t at, n;             /* spelling as in tokenizer.json, in the pool */
	uint32_t bytes_at, bytes_n; /* what it decodes to */
	uint8_t used, special;
} Token;

typedef struct Spelling {
	int32_t id;
	uint32_t tag, at, n;
} Spelling;                                           /* id < 0: free; tag: more bits of the hash */
typedef struct Pair { int32_t a, b, rank, id; } Pair; /* a < 0: free */

/* The GPT-2 byte alphabet: bytes 21-7E, A1-AC, AE-FF stand for themselves, the other 68 for U+0100 upward in
 * order. */
typedef struct Alphabet {
	uint16_t cp[256];
	int16_t byte[VOCAB_ALPHABET];
} Alphabet;

typedef struct Vocab {
	Alphabet alpha;
	char *pool;
	size_t pool_n, pool_cap;
	Token *tok; /* by id */
	int32_t count, cap; /* ids are 0..count-1; some may be unused */
	Spelling *slot; /* hash of spellings */
	size_t slots, used;
	Pair *pair;
	size_t pairs, merges; /* pairs: size of the table, a power of two */
	int32_t byte_id[256]; /* -1: this byte has no token */
	int32_t guess;        /* where the next merge's result probably is: behind the last one's */
	uint64_t salt;        /* so that a file cannot choose colliding keys */
} Vocab;

bool vocab_init(Vocab *v, size_t hint_tokens, Err *e);
void vocab_done(Vocab *v);
/* E_3132 for an id out of range, an id or a spelling given twice; `where` names the file. */
bool vocab_add(Vocab *v, const char *s, size_t n, int64_t id, const char *where, Err *e);
int32_t vocab_find(const Vocab *v, const char *s, size_t n); /* by spelling; -1: absent */
/* By the bytes that the token stands for. */
int32_t vocab_find_bytes(const Vocab *v, const char *s, size_t n);
/* A pair given twice keeps its last rank, as in the tokenizers library. */
bool vocab_merge_add(Vocab *v, const char *a, size_t an, const char *b, size_t bn, int32_t rank,
	const char *where, Err *e);
/* To be called once after the last vocab_add: byte_id. */
void vocab_bytes_index(Vocab *v);

static inline size_t pair_hash(uint64_t salt, int32_t a, int32_t b)
{
	uint64_t x = ((uint64_t)(uint32_t)a << 32 | (uint32_t)b) ^ salt;
	x *= 0x9e3779b97f4a7c15u;
	x ^= x >> 32;
	x *= 0xd1b54a32d192ed03u;
	return (size_t)(x >> 29);
}

/* The merge of tokens a and b, NULL when there is none. */
static inline const Pair *vocab_pair(const Vocab *v, int32_t a, int32_t b)
{
	if (!v->pairs)
		return NULL;
	for (size_t i = pair_hash(v->salt, a, b) & (v->pairs - 1);; i = (i + 1) & (v->pairs - 1)) {
		const Pair *p = &v->pair[i];
		if (p->a == a && p->b == b)
			return p;
		if (p->a < 0)
			return NULL;
	}
}
#endif
