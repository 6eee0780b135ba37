/* st_write.c - safetensors written as the official library does: tensors sorted by type and name, header
 * padded to 8 bytes, a temporary file beside the target that replaces it only when complete and on the
 * disk. A file that others have mapped is never cut. Tensors are streamed: nothing larger than the header
 * is held. */
#include "base/arena.h"
#include "base/utf8.h"
#include "tensor/st_header.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct StWriter {
	char *path, *temp;
	Arena *names;
	StEntry *t;
	size_t n, cap;
	StMeta *meta;
	size_t n_meta, cap_meta;
	int fd;             /* -1 until begin */
	size_t at;          /* tensor that is being written */
	uint64_t done;      /* its bytes written */
};

static bool memory_fail(const StWriter *w, Err *e)
{
	return err_set(e, E_5001, "%s: out of memory while writing", w->path);
}

StWriter *st_writer_new(const char *path, Err *e)
{
	StWriter *w = calloc(1, sizeof *w);
	if (w) {
		w->fd = -1;
		w->path = strdup(path);
		w->names = arena_new("safetensors writer", 0);
		if (w->path && w->names)
			return w;
		st_writer_abort(w);
	}
	err_set(e, E_5001, "%s: out of memory while writing", path);
	return NULL;
}

static void writer_free(StWriter *w)
{
	free(w->path);
	free(w->temp);
	free(w->t);
	free(w->meta);
	arena_free(w->names);
	free(w);
}

void st_writer_abort(StWriter *w)
{
	if (!w)
		return;
	if (w->fd >= 0) {
		close(w->fd);
		unlink(w->temp);
	}
	writer_free(w);
}

static void *room_make(void *array, size_t n, size_t *cap, size_t size)
{
	size_t more = *cap ? *cap * 2 : 64, bytes;
	if (n < *cap)
		return array;
	void *p = size_mul(more, size, &bytes) ? realloc(array, bytes) : NULL;
	if (p)
		*cap = more;
	return p;
}

static bool text_check(const StWriter *w, const char *s, Err *e)
{
	if (!utf8_valid(s, strlen(s)))
		return err_set(e, E_3003, "%s: \"%.100s\" is not UTF-8", w->path, s);
	return true;
}

bool st_writer_meta(StWriter *w, const char *key, const char *value, Err *e)
{
	if (!text_check(w, key, e) || !text_check(w, value, e))
		return false;
	for (size_t i = 0; i < w->n_meta; i++)
		if (strcmp(w->meta[i].key, key) == 0)
			return err_set(e, E_3005, "%s: metadata \"%.100s\" is given twice", w->path, key);
	StMeta *grown = room_make(w->meta, w->n_meta, &w->cap_meta, sizeof *grown);
	if (!grown)
		return memory_fail(w, e);
	w->meta = grown;
	StMeta m = { arena_strdup(w->names, key), arena_strdup(w->names, value) };
	if (!m.key || !m.value)
		return memory_fail(w, e);
	w->meta[w->n_meta++] = m;
	return true;
}

static bool entry_shape(const StWriter *w, StEntry *t, int rank, const int64_t *shape, Err *e)
{
	uint64_t bytes;
	bool whole;
	if (rank < 0 || rank > TEN_MAXRANK)
		return err_set(e, E_5003, "%s: tensor \"%.100s\": %d dimensions, at most %d", w->path,
			t->name, rank, TEN_MAXRANK);
	t->rank = rank;
	for (int i = 0; i < rank; i++) {
		if (shape[i] < 0)
			return err_set(e, E_3012, "%s: tensor \"%.100s\": a negative dimension", w->path, t->name);
		t->shape[i] = shape[i];
	}
	if (!st_entry_bytes(t, &bytes, &whole))
		return err_set(e, E_3012, "%s: tensor \"%.100s\": shape overflows", w->path, t->name);
	if (!whole)
		return err_set(e, E_3011, "%s: tensor \"%.100s\": its elements do not fill whole bytes",
			w->path, t->name);
	t->end = bytes; /* the length, until begin() knows the order */
	return true;
}

bool st_writer_add(StWriter *w, const char *name, Dtype d, int rank, const int64_t *shape, Err *e)
{
	StEntry t = { .name = name, .dtype = d };
	BUG_ON(w->fd >= 0);
	if (!text_check(w, name, e) || !entry_shape(w, &t, rank, shape, e))
		return false;
	if (strlen(name) > ST_NAME_MAX || w->n == ST_TENSORS_MAX || strcmp(name, "__metadata__") == 0)
		return err_set(e, E_5003,
			"%s: tensor \"%.100s\": name too long or reserved, or more than %d tensors", w->path,
			name, ST_TENSORS_MAX);
	StEntry *grown = room_make(w->t, w->n, &w->cap, sizeof *grown);
	if (!grown)
		return memory_fail(w, e);
	w->t = grown;
	t.name = arena_strdup(w->names, name);
	if (!t.name)
		return memory_fail(w, e);
	w->t[w->n++] = t;
	return true;
}

/* The library's own order of types, highest first: by size, and among equals as listed in checkpoints.md
 * 4. */
static int dtype_order(Dtype d)
{
	static const Dtype order[] = {
		DT_U64, DT_I64, DT_F64, DT_C64, DT_F32, DT_U32, DT_I32, DT_BF16, DT_F16, DT_U16, DT_I16,
		DT_F8_E5M2FNUZ, DT_F8_E4M3FNUZ, DT_F8_E8M0, DT_F8_E4M3, DT_F8_E5M2, DT_I8, DT_U8, DT_F6_E3M2,
		DT_F6_E2M3, DT_F4, DT_BOOL,
	};
	int n = (int)(sizeof order / sizeof order[0]);
	for (int i = 0; i < n; i++)
		if (order[i] == d)
			return i;
	return n;
}

static int file_order(const void *a, const void *b)
{
	const StEntry *x = a, *y = b;
	int dx = dtype_order(x->dtype), dy = dtype_order(y->dtype);
	return dx != dy ? (dx < dy ? -1 : 1) : strcmp(x->name, y->name);
}

static bool order_make(StWriter *w, Err *e)
{
	uint64_t at = 0;
	Map *seen = map_new(w->n);
	if (!seen)
		return memory_fail(w, e);
	if (w->n)
		qsort(w->t, w->n, sizeof *w->t, file_order);
	bool ok = true, had = false;
	for (size_t i = 0; ok && i < w->n; i++) {
		StEntry *t = &w->t[i];
		ok = map_put(seen, t->name, strlen(t->name), 0, &had) || memory_fail(w, e);
		if (ok && had)
			ok = err_set(e, E_3005, "%s: tensor \"%.100s\" is declared twice", w->path, t->name);
		if (ok && t->end > (uint64_t)INT64_MAX - at)
			ok = err_set(e, E_3012, "%s: the tensors together pass 2^63 bytes", w->path);
		t->begin = at;
		at += t->end;
		t->end = at;
	}
	map_free(seen);
	return ok;
}

static void entry_print(Jout *j, const StEntry *t)
{
	jout_key(j, t->name);
	jout_obj(j);
	jout_kstr(j, "dtype", dtype_name(t->dtype));
	jout_key(j, "shape");
	jout_arr(j);
	for (int i = 0; i < t->rank; i++)
		jout_int(j, t->shape[i]);
	jout_end_arr(j);
	jout_key(j, "data_offsets");
	jout_arr(j);
	jout_int(j, (int64_t)t->begin);
	jout_int(j, (int64_t)t->end);
	jout_end_arr(j);
	jout_end_obj(j);
}

/* The eight bytes of its length and the padded JSON. */
static bool header_print(const StWriter *w, Buf *b, Err *e)
{
	Jout j;
	buf_add(b, "\0\0\0\0\0\0\0\0", 8);
	jout_init(&j, b);
	jout_obj(&j);
	if (w->n_meta) {
		jout_key(&j, "__metadata__");
		jout_obj(&j);
		for (size_t i = 0; i < w->n_meta; i++)
			jout_kstr(&j, w->meta[i].key, w->meta[i].value);
		jout_end_obj(&j);
	}
	for (size_t i = 0; i < w->n; i++)
		entry_print(&j, &w->t[i]);
	jout_end_obj(&j);
	while (b->len % 8 != 0 && !b->failed)
		buf_addc(b, ' ');
	if (b->failed)
		return memory_fail(w, e);
	if (b->len - 8 > ST_HEADER_MAX)
		return err_set(e, E_5003,
			"%s: the header would have %zu bytes, the limit is %d; use more shards", w->path,
			b->len - 8, ST_HEADER_MAX);
	for (int i = 0; i < 8; i++)
		b->s[i] = (char)((uint64_t)(b->len - 8) >> (8 * i) & 0xff);
	return true;
}

static bool bytes_write(StWriter *w, const void *bytes, size_t n, Err *e)
{
	const char *p = bytes;
	while (n > 0) {
		ssize_t k = write(w->fd, p, n < 1u << 30 ? n : 1u << 30);
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return err_errno(e, "write", w->path);
		p += k;
		n -= (size_t)k;
	}
	return true;
}

static bool temp_open(StWriter *w, Err *e)
{
	Buf b = BUF_INIT;
	for (int i = 0; i < 100 && w->fd < 0; i++) {
		buf_clear(&b);
		buf_printf(&b, "%s.tmp-%ld-%d", w->path, (long)getpid(), i);
		if (b.failed)
			break;
		w->fd = open(b.s, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
		if (w->fd < 0 && errno != EEXIST)
			break;
	}
	if (w->fd < 0)
		b.failed ? memory_fail(w, e) : err_errno(e, "create", w->path);
	else
		w->temp = buf_take(&b); /* never fails: the bytes are there */
	buf_done(&b);
	return w->fd >= 0;
}

/* Room on the disk at once, so that a full one is seen before the work and not after it. */
static bool room_reserve(StWriter *w, uint64_t bytes, Err *e)
{
	if (bytes > (uint64_t)INT64_MAX)
		return err_set(e, E_5003, "%s: the file would pass 2^63 bytes", w->path);
	int why = bytes ? posix_fallocate(w->fd, 0, (off_t)bytes) : 0;
	if (why != ENOSPC && why != EFBIG)
		return true; /* a file system that cannot reserve is still written to */
	errno = why;
	return err_errno(e, "write", w->path);
}

bool st_writer_begin(StWriter *w, Err *e)
{
	Buf b = BUF_INIT;
	BUG_ON(w->fd >= 0);
	bool ok = order_make(w, e) && header_print(w, &b, e) && temp_open(w, e) &&
		  room_reserve(w, b.len + (w->n ? w->t[w->n - 1].end : 0), e) && bytes_write(w, b.s, b.len, e);
	buf_done(&b);
	return ok;
}

size_t st_writer_count(const StWriter *w)
{
	return w->n;
}

const StEntry *st_writer_at(const StWriter *w, size_t i)
{
	return i < w->n ? &w->t[i] : NULL;
}

/* Tensors without bytes are passed over. */
static void empty_skip(StWriter *w)
{
	while (w->at < w->n && w->done == w->t[w->at].end - w->t[w->at].begin) {
		w->at++;
		w->done = 0;
	}
}

bool st_writer_put(StWriter *w, const void *bytes, size_t n, Err *e)
{
	if (n == 0)
		return true;
	empty_skip(w);
	BUG_ON(w->at >= w->n || n > w->t[w->at].end - w->t[w->at].begin - w->done);
	if (!bytes_write(w, bytes, n, e))
		return false;
	w->done += n;
	return true;
}

static bool folder_sync(const char *path, Err *e)
{
	const char *slash = strrchr(path, '/');
	char *dir = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
	if (!dir)
		return err_set(e, E_5001, "%s: out of memory", path);
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* some file systems cannot sync a folder (EINVAL); the rename itself has happened */
	bool ok = fd >= 0 && (fsync(fd) == 0 || errno == EINVAL);
	if (!ok)
		err_errno(e, "fsync", dir);
	if (fd >= 0)
		close(fd);
	free(dir);
	return ok;
}

bool st_writer_commit(StWriter *w, Err *e)
{
	BUG_ON(w->fd < 0);
	empty_skip(w);
	bool ok = w->at == w->n ||
		err_set(e, E_4002, "%s: tensor \"%.100s\" was not written", w->path, w->t[w->at].name);
	if (ok && fsync(w->fd) != 0)
		ok = err_errno(e, "fsync", w->path);
	if (close(w->fd) != 0 && ok)
		ok = err_errno(e, "write", w->path);
	w->fd = -1;
	if (ok && rename(w->temp, w->path) != 0)
		ok = err_errno(e, "rename", w->path);
	if (!ok)
		unlink(w->temp);
	ok = ok && folder_sync(w->path, e);
	writer_free(w);
	return ok;
}
