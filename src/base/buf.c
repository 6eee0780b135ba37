/* buf.c - a growing byte string. Failure sticks in .failed, so that a long run of appends is checked once
 * at its end. Reading a whole file lives here too: it never waits for a FIFO and believes no size that it
 * has not read. */
#include "base/buf.h"
#include "base/arena.h"
#include "base/err.h"
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void buf_done(Buf *b)
{
	free(b->s);
	*b = (Buf)BUF_INIT;
}

void buf_clear(Buf *b)
{
	b->len = 0;
	b->failed = false;
	if (b->s)
		b->s[0] = '\0';
}

bool buf_reserve(Buf *b, size_t more)
{
	size_t need, twice;
	if (b->failed)
		return false;
	if (!size_add(b->len, more, &need) || !size_add(need, 1, &need)) {
		b->failed = true;
		return false;
	}
	if (need <= b->cap)
		return true;
	if (size_mul(b->cap, 2, &twice) && twice > need)
		need = twice;
	if (need < 64)
		need = 64;
	char *s = realloc(b->s, need);
	if (!s) {
		b->failed = true;
		return false;
	}
	b->s = s;
	b->cap = need;
	b->s[b->len] = '\0';
	return true;
}

void buf_add(Buf *b, const void *p, size_t n)
{
	if (!buf_reserve(b, n))
		return;
	if (n)
		memcpy(b->s + b->len, p, n);
	b->len += n;
	b->s[b->len] = '\0';
}

void buf_adds(Buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void buf_addc(Buf *b, int c)
{
	char ch = (char)c;
	buf_add(b, &ch, 1);
}

void buf_printf(Buf *b, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0) {
		b->failed = true;
		return;
	}
	if (!buf_reserve(b, (size_t)n))
		return;
	va_start(ap, fmt);
	vsnprintf(b->s + b->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
}

char *buf_take(Buf *b)
{
	char *s = NULL;
	if (buf_reserve(b, 0)) /* an empty buf gives "" */
		s = b->s;
	else
		free(b->s);
	*b = (Buf)BUF_INIT;
	return s;
}

const char *buf_str(const Buf *b)
{
	return b->s ? b->s : "";
}

static bool fd_read(Buf *b, int fd, const char *path, size_t max, Err *e)
{
	struct stat st;
	if (fstat(fd, &st) != 0)
		return err_errno(e, "stat", path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, E_4001, "%s: not a regular file", path);
	if (st.st_size > 0 && (uintmax_t)st.st_size > max)
		return err_set(e, E_5003, "%s: %jd bytes, the limit here is %zu", path, (intmax_t)st.st_size, max);
	size_t got = 0, step = st.st_size > 0 ? (size_t)st.st_size + 1 : 65536;
	for (;;) {
		if (!buf_reserve(b, step))
			return err_set(e, E_5001, "%s: out of memory while reading", path);
		ssize_t n = read(fd, b->s + b->len, step);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(e, "read", path);
		if (n == 0)
			break;
		b->len += (size_t)n;
		got += (size_t)n;
		if (got > max) /* it grew while we read */
			return err_set(e, E_5003, "%s: more than %zu bytes, the limit here", path, max);
		step = 65536;
	}
	b->s[b->len] = '\0';
	return true;
}

bool buf_read_file(Buf *b, const char *path, size_t max, Err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return err_errno(e, "open", path);
	bool ok = fd_read(b, fd, path, max, e);
	close(fd);
	return ok;
}
