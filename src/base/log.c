/* log.c - lines of one write each to a file opened for appending, and the newest of them in memory for the
 * screen. Any thread may write a line: a flag guards the ring for the length of one copy. */
#include "base/log.h"
#include "base/clock.h"
#include "base/utf8.h"
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { RING = 256, LINE = 512 };

struct Log {
	int level, fd;
	atomic_flag busy;
	unsigned long count;
	char ring[RING][LINE];
};

Log *log_new(int level, const char *path_or_null)
{
	Log *l = calloc(1, sizeof *l);
	if (!l)
		return NULL;
	l->level = level;
	l->fd = -1;
	atomic_flag_clear(&l->busy);
	if (path_or_null) {
		l->fd = open(path_or_null, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
		if (l->fd < 0) {
			int saved = errno;
			free(l);
			errno = saved; /* the caller says why with err_errno */
			return NULL;
		}
	}
	return l;
}

void log_free(Log *l)
{
	if (!l)
		return;
	if (l->fd >= 0)
		close(l->fd);
	free(l);
}

/* "2026-01-31T12:00:00.123Z warn  area: " */
static void line_head(Buf *b, int level, const char *area)
{
	static const char *const names[] = { "error", "warn", "info", "debug", "trace" };
	int64_t us = clock_wall_us();
	time_t sec = (time_t)(us / 1000000);
	struct tm tm;
	char date[32];
	if (!gmtime_r(&sec, &tm) || strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &tm) == 0)
		date[0] = '\0';
	buf_printf(b, "%s.%03dZ %-5s %s: ", date, (int)(us / 1000 % 1000),
		names[level < 0 ? 0 : level > LOG_TRACE ? LOG_TRACE : level], area);
}

/* A line is written whole or, when the disk is full, lost: a log must not stop the work. */
static void line_keep(Log *l, Buf *b)
{
	if (b->len > LINE - 1) {
		b->len = LINE - 1;
		b->len -= utf8_tail(b->s, b->len);
		b->s[b->len] = '\0';
	}
	while (atomic_flag_test_and_set_explicit(&l->busy, memory_order_acquire))
		;
	memcpy(l->ring[l->count % RING], b->s, b->len + 1);
	l->count++;
	atomic_flag_clear_explicit(&l->busy, memory_order_release);
	buf_addc(b, '\n');
	if (l->fd < 0 || b->failed)
		return;
	while (write(l->fd, b->s, b->len) < 0 && errno == EINTR)
		;
}

void log_say(Log *l, int level, const char *area, const char *fmt, ...)
{
	char text[LINE];
	Buf b = BUF_INIT;
	va_list ap;
	if (!l || level > l->level)
		return;
	va_start(ap, fmt);
	int n = vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	size_t len = strlen(text);
	if (len == sizeof text - 1)
		len -= utf8_tail(text, len);
	line_head(&b, level, area);
	safe_text(&b, text, len, 0);
	if (!b.failed)
		line_keep(l, &b);
	buf_done(&b);
}

const char *log_line(const Log *l, int i)
{
	if (!l || i < 0 || i >= RING || (unsigned long)i >= l->count)
		return NULL;
	return l->ring[(l->count - 1 - (unsigned long)i) % RING];
}
