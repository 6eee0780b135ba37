/* pull.h - a strict JSON pull reader for the two big parts of tokenizer.json (128,000 tokens and as many
 * merges), where a tree of nodes would cost more than everything else together. The rest of the file goes
 * through base/json.h. */
#ifndef TEXT_PULL_H
#define TEXT_PULL_H
#include "base/buf.h"
#include "base/err.h"
#include <stdint.h>

typedef struct Pull {
	const char *s;
	size_t n, at;
	const char *where; /* path for messages */
	Err *e;
	Buf buf;           /* holds a string with escapes */
	const char *str;   /* the last string read, UTF-8, in s or in buf */
	size_t len;
} Pull;

void pull_init(Pull *p, const char *s, size_t n, const char *where, Err *e);
void pull_done(Pull *p);
/* Next character after white space, 0 at the end. */
char pull_peek(Pull *p);
/* Takes c after white space, or says what was expected. */
bool pull_take(Pull *p, char c);
/* A string: valid UTF-8, no raw controls, no NUL, no lone surrogate. */
bool pull_string(Pull *p);
/* A whole number without fraction or exponent. */
bool pull_int(Pull *p, int64_t *v);
/* Steps over one value without judging it; false at the end of the text. */
bool pull_skip(Pull *p);
bool pull_fail(Pull *p, int code, const char *what);
#endif
