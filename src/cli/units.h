/* units.h - numbers and names in the tables that commands print. */
#ifndef CLI_UNITS_H
#define CLI_UNITS_H
#include "base/buf.h"
#include <stdint.h>
bool units_utf8(void);                          /* the locale writes UTF-8 */
void units_count(Buf *b, int64_t n);            /* 163,840 */
void units_amount(Buf *b, int64_t n);           /* 671.03 B, 15.7 M: of parameters, powers of 1000 */
void units_bytes(Buf *b, double n);             /* 68.62 KiB, powers of 1024 */
/* A name from a file, made safe, then blanks up to width columns (none after the last column: width 0). */
void units_name(Buf *b, const char *s, int width);
int units_name_width(const char *s);            /* its columns when shown by units_name */
/* Blanks until the text since `from` is width columns wide; `before` puts them in front of it
 * (right-aligned). */
void units_pad(Buf *b, size_t from, int width);
void units_pad_before(Buf *b, size_t from, int width);
/* A bar of share (0..1) of width columns; eighths of a block in UTF-8, '#' elsewhere. */
void units_bar(Buf *b, double share, int width);
#endif
