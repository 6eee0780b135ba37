/* bpe.h - byte pair merging of one piece after another. State lives in the call, so that a tokenizer stays
 * immutable. */
#ifndef TEXT_BPE_H
#define TEXT_BPE_H
#include "text/tok.h"
#include "text/vocab.h"

typedef struct Seen Seen; /* a piece met before, with its ids */

typedef struct Bpe {
	const Vocab *v;
	bool whole; /* "ignore_merges": a piece that is a token is that token */
	Ids *out;
	Err *e;
	Seen *seen; /* NULL: no cache */
	void *room; /* for long pieces */
	size_t room_n;
} Bpe;

/* expect: bytes of text to come; small texts get no cache. */
void bpe_init(Bpe *b, const Vocab *v, bool whole, size_t expect, Ids *out, Err *e);
void bpe_done(Bpe *b);
/* Appends the ids of one piece: the adjacent pair of lowest rank merges first, the leftmost of equals, until
 * none is left. O(n log n) for a piece of n bytes. ctx is a Bpe (the form of a PieceFn). */
bool bpe_piece(void *ctx, const char *s, size_t n);
#endif
