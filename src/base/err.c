/* err.c - errors as values: the first one sticks, texts grow at the front as they travel upward, and
 * printing makes one safe line whatever the text holds. */
#include "base/err.h"
#include "base/buf.h"
#include "base/utf8.h"
#include <errno.h>
#include <langinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const ErrInfo catalogue[] = {
#define X(n, title, cause, cure) { n, title, cause, cure },
#include "base/err_codes.h"
#undef X
};

/* A cut text must not end in half a character. */
static void text_trim(Err *e)
{
	size_t n = strlen(e->text);
	if (n == ERR_TEXT - 1)
		e->text[n - utf8_tail(e->text, n)] = '\0';
}

bool err_vset(Err *e, int code, const char *fmt, va_list ap)
{
	if (!e || e->code)
		return false;
	e->code = code;
	if (vsnprintf(e->text, sizeof e->text, fmt, ap) < 0)
		e->text[0] = '\0';
	text_trim(e);
	return false;
}

bool err_set(Err *e, int code, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	err_vset(e, code, fmt, ap);
	va_end(ap);
	return false;
}

/* Puts s at *at, as far as it fits. */
static void text_put(Err *e, size_t *at, const char *s)
{
	while (*s && *at < ERR_TEXT - 1)
		e->text[(*at)++] = *s++;
	if (*at < ERR_TEXT)
		e->text[*at] = '\0';
}

bool err_wrap(Err *e, const char *fmt, ...)
{
	char old[ERR_TEXT];
	va_list ap;
	if (!e || !e->code)
		return false;
	memcpy(old, e->text, sizeof old);
	va_start(ap, fmt);
	int n = vsnprintf(e->text, sizeof e->text, fmt, ap);
	va_end(ap);
	size_t at = n < 0 ? 0 : (size_t)n;
	if (n > 0)
		text_put(e, &at, ": ");
	text_put(e, &at, old);
	text_trim(e);
	return false;
}

bool err_errno(Err *e, const char *what, const char *path)
{
	int saved = errno, code;
	switch (saved) {
	case ENOMEM:
		code = E_5001;
		break;
	case ENOSPC: case EDQUOT: case EPIPE: case EROFS: case EFBIG: case EEXIST:
		code = E_4002;
		break;
	default:
		code = strncmp(what, "write", 5) == 0 || strcmp(what, "fsync") == 0 || strcmp(what, "rename") == 0 ||
			strcmp(what, "create") == 0 || strcmp(what, "mkdir") == 0 ? E_4002 : E_4001;
	}
	if (path)
		return err_set(e, code, "%s %s: %s", what, path, strerror(saved));
	return err_set(e, code, "%s: %s", what, strerror(saved));
}

void err_clear(Err *e)
{
	e->code = 0;
	e->text[0] = '\0';
}

int err_exit(const Err *e)
{
	return e->code / 1000;
}

const ErrInfo *err_info(int code)
{
	for (size_t i = 0; i < sizeof catalogue / sizeof catalogue[0]; i++)
		if (catalogue[i].code == code)
			return &catalogue[i];
	return NULL;
}

const ErrInfo *err_info_at(size_t i)
{
	return i < sizeof catalogue / sizeof catalogue[0] ? &catalogue[i] : NULL;
}

/* One write, so that lines of several processes do not mix; a stderr that is gone is nobody's concern. */
static void line_write(const char *s, size_t n)
{
	while (n > 0) {
		ssize_t k = write(STDERR_FILENO, s, n);
		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return;
		s += k;
		n -= (size_t)k;
	}
}

void err_print(const Err *e)
{
	static const char poor[] = "lathe: error[E5001]: out of memory\n";
	unsigned flags = strcmp(nl_langinfo(CODESET), "UTF-8") == 0 ? 0 : SAFE_ASCII;
	Buf b = BUF_INIT;
	buf_printf(&b, "lathe: error[E%04d]: ", e->code);
	safe_text(&b, e->text, strlen(e->text), flags);
	buf_addc(&b, '\n');
	fflush(stdout);
	if (b.failed)
		line_write(poor, sizeof poor - 1);
	else
		line_write(b.s, b.len);
	buf_done(&b);
}

void err_bug(const char *file, int line, const char *what)
{
	char s[ERR_TEXT];
	int n = snprintf(s, sizeof s, "lathe: bug at %s:%d: %s (please report it)\n", file, line, what);
	if (n > 0)
		line_write(s, (size_t)n < sizeof s ? (size_t)n : sizeof s - 1);
	abort();
}
