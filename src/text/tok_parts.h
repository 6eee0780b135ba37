/* tok_parts.h - what a tokenizer is made of; for the files tok*.c only. */
#ifndef TEXT_TOK_PARTS_H
#define TEXT_TOK_PARTS_H
#include "text/added.h"
#include "text/split.h"
#include "text/tok.h"
#include "text/vocab.h"

struct Tok {
	Vocab vocab;
	Split split;
	Added raw, normal; /* "normalized": false ones are found first, the others in the text between them */
	bool whole;        /* ignore_merges */
	int32_t bos, eos;
	bool add_bos;
};

/* Enters a token that is recognised in raw text. An id that the vocabulary has already must carry the same
 * spelling. */
bool tok_added_put(Tok *t, const char *s, size_t n, int64_t id, bool normalized, bool special,
	const char *where, Err *e);
/* Fills t from a tokenizer.json. general: PCRE2 even where there is a hand-written matcher. */
bool tok_read(Tok *t, const char *path, bool general, Err *e);
/* bos, eos, add_bos from the tokenizer_config.json in the folder of `path`; nothing when there is none. */
bool tok_read_config(Tok *t, const char *path, Err *e);
/* tok_open with the choice of matcher, for tests that compare the two. */
Tok *tok_open_general(const char *path, Err *e);
#endif
