/* scan.h - a strict JSON reader for the two large texts of a checkpoint: safetensors headers and the shard
 * index. It pulls: the caller asks for what the grammar allows next. Strings are unescaped where they lie
 * and end in NUL, so that a header with 100,000 names is read without an allocation per name. Other JSON
 * goes through base/json.h. */
#ifndef TENSOR_SCAN_H
#define TENSOR_SCAN_H
#include "base/err.h"
#include <stddef.h>
#include <stdint.h>

typedef struct Scan {
	char *s;            /* the text, changed in place; s[n] need not exist */
	size_t n, at;
	const char *path, *tensor; /* named in errors; tensor may be NULL */
	int code;           /* of malformed text */
	Err *e;
} Scan;

/* All return false after an error that names the place. Blanks are skipped before what is asked for. */
bool scan_fail(const Scan *k, const char *what);
bool scan_char(Scan *k, char c);
/* A string without NUL, valid UTF-8; lives as long as the text. */
bool scan_string(Scan *k, const char **s, size_t *n);
/* A string and the ':' behind it. */
bool scan_key(Scan *k, const char **s, size_t *n);
/* Digits only: no sign, fraction, exponent or leading zero; *fits is false when the value passes 2^64-1. */
bool scan_uint(Scan *k, uint64_t *v, bool *fits);
/* After '{' or '[', with *first true: sets *more when a member follows, else takes the closing bracket. */
bool scan_more(Scan *k, char close, bool *first, bool *more);
/* Any value, nested at most 64 deep. */
bool scan_skip(Scan *k);
/* Only `pad` (' ' or, when 0, any blank) may follow. */
bool scan_end(Scan *k, char pad);
#endif
