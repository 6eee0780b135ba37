/* utf8.h - UTF-8 steps, display widths, and safe_text: every string that comes from a model, a file or an
 * archive goes through safe_text before it reaches a terminal, a log, a picture or stderr. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H
#include "base/buf.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
/* Decodes one code point at s (n bytes left): returns bytes used; invalid bytes give U+FFFD and the length
 * of the maximal invalid part (Unicode 3.9 practice). n = 0 gives 0. */
size_t utf8_next(const char *s, size_t n, uint32_t *cp);
size_t utf8_put(char out[4], uint32_t cp);
/* Bytes at the end of s that begin a character not complete yet (0..3). */
size_t utf8_tail(const char *s, size_t n);
bool utf8_valid(const char *s, size_t n);
/* Major general category: 'L' 'M' 'N' 'P' 'S' 'Z', and 'C' for controls, formats, private and unassigned. */
char utf8_class(uint32_t cp);
/* Columns of one code point: 0 combining, 1, 2 wide; -1 must not be printed raw. */
int utf8_width(uint32_t cp);
/* Columns of a whole (safe) string. */
int utf8_columns(const char *s, size_t n);
enum { SAFE_LF = 1, SAFE_TAB = 2, SAFE_ASCII = 4 /* no byte above 0x7e */ };
/* Appends s with controls, DEL, C1, invalid UTF-8, bidi and zero-width controls, unassigned code points
 * shown as <1b> or <u+202e>; at most 4 combining marks follow one character. */
void safe_text(Buf *out, const char *s, size_t n, unsigned flags);
#endif
