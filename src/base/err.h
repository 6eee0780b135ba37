/* err.h - errors as values.
 *
 * A function that can fail returns false (or NULL) and fills an Err on the caller's stack. The code's
 * thousands are the process exit code (E3012 -> 3); the catalogue in err_codes.h gives each code its cause
 * and its cure for `lathe explain`. The text is one line: what, where (file, tensor, shape), and what to
 * do. */
#ifndef BASE_ERR_H
#define BASE_ERR_H
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#if defined(__GNUC__)
#define PRINTF(a, b) __attribute__((format(printf, a, b)))
#define MUST_USE __attribute__((warn_unused_result))
#else
#define PRINTF(a, b)
#define MUST_USE
#endif

enum { ERR_TEXT = 512 };

typedef struct Err {
	int code; /* 0: none; else nnnn of Ennnn */
	char text[ERR_TEXT];
} Err;

/* Codes come from the catalogue: X(number, "title", "cause", "what to do") in err_codes.h gives enum
 * E_number. */
enum ErrCode {
#define X(n, title, cause, cure) E_##n = n,
#include "base/err_codes.h"
#undef X
	E_NONE = 0
};

typedef struct ErrInfo {
	int code;
	const char *title, *cause, *cure;
} ErrInfo;

/* Sets code and text unless an error is already there (the first one wins); always returns false. e may be
 * NULL. */
bool err_set(Err *e, int code, const char *fmt, ...) PRINTF(3, 4);
bool err_vset(Err *e, int code, const char *fmt, va_list ap) PRINTF(3, 0);
/* Puts "prefix: " in front of the text, as an error travels upward. Always returns false. */
bool err_wrap(Err *e, const char *fmt, ...) PRINTF(2, 3);
/* Text of errno after a failed call: "open: No such file or directory", code E_4xxx by errno. */
bool err_errno(Err *e, const char *what, const char *path);
void err_clear(Err *e);
/* The documented exit status for an error: code / 1000, or 0. */
int err_exit(const Err *e);
/* The catalogue entry or NULL; err_info_at(i) walks it in order until NULL. */
const ErrInfo *err_info(int code);
const ErrInfo *err_info_at(size_t i);
/* "lathe: error[E3012]: text\n" on stderr, made safe for a terminal. */
void err_print(const Err *e);

/* A broken invariant of ours: prints the place and aborts (a crash handler restores the terminal first). */
#define BUG_ON(c) ((c) ? err_bug(__FILE__, __LINE__, #c) : (void)0)
void err_bug(const char *file, int line, const char *what) __attribute__((noreturn));
#endif
