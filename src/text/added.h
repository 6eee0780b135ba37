/* added.h - added tokens: found in the raw text before anything else, leftmost and longest. */
#ifndef TEXT_ADDED_H
#define TEXT_ADDED_H
#include "base/err.h"
#include <stdint.h>

enum { ADDED_BYTES_MAX = 512, ADDED_MAX = 1 << 16 };

typedef struct AddedNode { int32_t child, sibling, id; unsigned char byte; } AddedNode;

/* A trie of the tokens' bytes. Node 0 is the root. */
typedef struct Added {
	AddedNode *node;
	int32_t n, cap;
	bool first[256]; /* bytes that a token begins with */
	int firsts, only; /* how many, and which when there is one */
} Added;

bool added_put(Added *a, const char *s, size_t n, int32_t id, Err *e);
void added_done(Added *a);
/* The id at exactly this text, or -1. */
int32_t added_find(const Added *a, const char *s, size_t n);
/* The next token at or after *from: its place in *from, its length in *len; -1 when there is none. */
int32_t added_next(const Added *a, const char *s, size_t n, size_t *from, size_t *len);
#endif
