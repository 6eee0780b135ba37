/* pattern.h - regular expressions of pre-tokenizers other than the two that are written by hand, through
 * PCRE2: Unicode classes, JIT, bounded steps. Patterns come from files and may be hostile. */
#ifndef TEXT_PATTERN_H
#define TEXT_PATTERN_H
#include "base/err.h"

enum { PATTERN_MAX = 1 << 16, PATTERN_TEXT_MAX = 1 << 26, PATTERN_STEPS = 1000000 };

typedef struct Pattern Pattern;
typedef struct PatternRun PatternRun; /* one search over one text */

/* literal: the pattern is plain text. */
Pattern *pattern_new(const char *s, size_t n, bool literal, const char *where, Err *e);
void pattern_free(Pattern *p);
PatternRun *pattern_start(const Pattern *p, const char *text, size_t n, Err *e);
/* Next match from left to right, not overlapping; as in the library, an empty match right behind a match is
 * passed over. */
bool pattern_next(PatternRun *r, size_t *from, size_t *to);
/* Frees r; false and E_3135 when the search was given up. */
bool pattern_end(PatternRun *r, Err *e);
#endif
