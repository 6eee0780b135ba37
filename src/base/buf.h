/* buf.h - a growing byte string, always NUL-terminated. Memory failure sets .failed and later appends do
 * nothing. */
#ifndef BASE_BUF_H
#define BASE_BUF_H
#include <stdbool.h>
#include <stddef.h>
typedef struct Buf { char *s; size_t len, cap; bool failed; } Buf;
#define BUF_INIT { NULL, 0, 0, false }
void buf_done(Buf *b);
void buf_clear(Buf *b);                       /* keeps the memory */
bool buf_reserve(Buf *b, size_t more);
void buf_add(Buf *b, const void *p, size_t n);
void buf_adds(Buf *b, const char *s);
void buf_addc(Buf *b, int c);
void buf_printf(Buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
char *buf_take(Buf *b);                       /* caller frees; the buf is empty after */
const char *buf_str(const Buf *b);            /* never NULL */
/* Whole file into b, at most max bytes (E_5003 above it); regular files only, no FIFO is waited for. */
struct Err;
bool buf_read_file(Buf *b, const char *path, size_t max, struct Err *e);
#endif
