/* st_read.c - a safetensors file opened: the header is read and checked at once, the data is mapped when
 * first asked for. The file must not be cut while it is open: a touched page behind the new end raises
 * SIGBUS, which the program's handler turns into exit 3. What can be seen before mapping - another size or
 * another file under the name - is an error here. */
#include "tensor/st_header.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct St {
	char *path, *text;          /* text: the header's bytes, which names point into */
	StHeader h;
	uint64_t size, data_at;     /* of the file; where the data begins */
	dev_t dev;
	ino_t ino;
	char *map;                  /* the whole file or NULL */
};

static int file_open(const char *path, struct stat *st, Err *e)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (fd < 0) {
		err_errno(e, "open", path);
		return -1;
	}
	if (fstat(fd, st) != 0)
		err_errno(e, "stat", path);
	else if (!S_ISREG(st->st_mode))
		err_set(e, E_4001, "%s: not a regular file", path);
	else
		return fd;
	close(fd);
	return -1;
}

static bool bytes_read(int fd, char *to, size_t n, off_t at, const char *path, Err *e)
{
	while (n > 0) {
		ssize_t k = pread(fd, to, n, at);
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return err_errno(e, "read", path);
		if (k == 0)
			return err_set(e, E_3002, "%s: the file was cut while it was read", path);
		to += k;
		n -= (size_t)k;
		at += k;
	}
	return true;
}

static bool header_length(int fd, const St *s, uint64_t *n, Err *e)
{
	unsigned char b[8];
	if (s->size < 8)
		return err_set(e, E_3001, "%s: %llu bytes, too short for a safetensors file", s->path,
			(unsigned long long)s->size);
	if (!bytes_read(fd, (char *)b, 8, 0, s->path, e))
		return false;
	*n = 0;
	for (int i = 7; i >= 0; i--)
		*n = *n << 8 | b[i];
	if (*n > s->size - 8)
		return err_set(e, E_3002,
			"%s: says its header has %llu bytes, but %llu follow; cut, or not a safetensors file",
			s->path, (unsigned long long)*n, (unsigned long long)(s->size - 8));
	if (*n > ST_HEADER_MAX)
		return err_set(e, E_5003, "%s: a header of %llu bytes, the limit is %d", s->path,
			(unsigned long long)*n, ST_HEADER_MAX);
	return true;
}

static bool header_read(St *s, int fd, Err *e)
{
	uint64_t n = 0;
	if (!header_length(fd, s, &n, e))
		return false;
	s->data_at = 8 + n;
	s->text = malloc((size_t)n + 1);
	if (!s->text)
		return err_set(e, E_5001, "%s: out of memory for the header", s->path);
	return bytes_read(fd, s->text, (size_t)n, 8, s->path, e) &&
	       st_header_parse(&s->h, s->text, (size_t)n, s->size - s->data_at, s->path, e);
}

St *st_open(const char *path, Err *e)
{
	struct stat st;
	int fd = file_open(path, &st, e);
	if (fd < 0)
		return NULL;
	St *s = calloc(1, sizeof *s);
	bool ok = s && (s->path = strdup(path));
	if (!ok) {
		err_set(e, E_5001, "%s: out of memory", path);
	} else {
		s->size = (uint64_t)st.st_size;
		s->dev = st.st_dev;
		s->ino = st.st_ino;
		ok = header_read(s, fd, e);
	}
	close(fd); /* a checkpoint may have more shards than a process may have files */
	if (ok)
		return s;
	st_close(s);
	return NULL;
}

void st_close(St *s)
{
	if (!s)
		return;
	if (s->map)
		munmap(s->map, (size_t)s->size);
	st_header_done(&s->h);
	free(s->text);
	free(s->path);
	free(s);
}

static bool file_map(St *s, Err *e)
{
	struct stat st;
	int fd = file_open(s->path, &st, e);
	if (fd < 0)
		return false;
	if (st.st_dev != s->dev || st.st_ino != s->ino || (uint64_t)st.st_size != s->size) {
		close(fd);
		return err_set(e, E_4001, "%s: was changed since its header was read; open it again", s->path);
	}
	if (s->size > SIZE_MAX) {
		close(fd);
		return err_set(e, E_5001, "%s: larger than this machine can map", s->path);
	}
	void *p = mmap(NULL, (size_t)s->size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		err_errno(e, "map", s->path);
	close(fd);
	s->map = p == MAP_FAILED ? NULL : p;
	return s->map != NULL;
}

const void *st_data(St *s, const StEntry *t, Err *e)
{
	if (!s->map && !file_map(s, e))
		return NULL;
	return s->map + s->data_at + t->begin;
}

const char *st_path(const St *s)
{
	return s->path;
}

size_t st_count(const St *s)
{
	return s->h.n;
}

const StEntry *st_at(const St *s, size_t i)
{
	return i < s->h.n ? &s->h.t[i] : NULL;
}

const StEntry *st_find(const St *s, const char *name)
{
	int64_t i = map_get(s->h.names, name, strlen(name));
	return i < 0 ? NULL : &s->h.t[i];
}

const char *st_meta(const St *s, const char *key)
{
	for (size_t i = 0; i < s->h.n_meta; i++)
		if (strcmp(s->h.meta[i].key, key) == 0)
			return s->h.meta[i].value;
	return NULL;
}

uint64_t st_data_bytes(const St *s)
{
	return s->size - s->data_at;
}
