/* record.c - recordings: a magic of eight bytes, then frames. Whole frames are written with one call, so that
 * a crash leaves at most one torn frame at the end; a reader drops that one and says so. */
#include "probe/record.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WRITE_AT = 64 << 10, READ_STEP = 256 << 10 };

struct Record {
	int fd;
	char *path;
	Buf out;
	bool broken;
};

/* Opens path for appending, with `flags` besides. */
static Record *record_new(const char *path, int flags, Err *e)
{
	Record *r = calloc(1, sizeof *r);
	char *name = strdup(path);
	if (!r || !name) {
		free(r);
		free(name);
		err_set(e, E_5001, "record %s: out of memory", path);
		return NULL;
	}
	r->path = name;
	r->fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_APPEND | flags, 0600);
	if (r->fd < 0) {
		if (errno == EEXIST)
			err_set(e, E_4002, "%s: is there already; name a new file or remove it", path);
		else
			err_set(e, E_4002, "%s: %s; choose another place", path, strerror(errno));
		free(r->path);
		free(r);
		return NULL;
	}
	return r;
}

Record *record_create(const char *path, Err *e)
{
	Record *r = record_new(path, O_EXCL, e);
	if (r)
		buf_add(&r->out, stream_magic, sizeof stream_magic);
	return r;
}

bool record_flush(Record *r, Err *e)
{
	if (r->broken)
		return err_set(e, E_4002, "%s: recording stopped after a failed write", r->path);
	for (size_t at = 0; at < r->out.len;) {
		ssize_t n = write(r->fd, r->out.s + at, r->out.len - at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			r->broken = true;
			return err_set(e, E_4002, "%s: write: %s; the recording ends here", r->path,
				n < 0 ? strerror(errno) : "nothing written");
		}
		at += (size_t)n;
	}
	buf_clear(&r->out);
	return true;
}

bool record_put(Record *r, const Sample *s, Err *e)
{
	if (r->broken)
		return err_set(e, E_4002, "%s: recording stopped after a failed write", r->path);
	if (!sample_check(s, e))
		return false;
	frame_put_sample(&r->out, s);
	if (r->out.failed) {
		r->broken = true;
		return err_set(e, E_5001, "record %s: out of memory", r->path);
	}
	return r->out.len < WRITE_AT || record_flush(r, e);
}

bool record_close(Record *r, Err *e)
{
	if (!r)
		return true;
	bool ok = record_flush(r, e);
	/* Pipes and /dev/full know no fsync; a disk that fails it has lost the file. */
	if (ok && fsync(r->fd) != 0 && errno != EINVAL && errno != EROFS)
		ok = err_set(e, E_4002, "%s: fsync: %s", r->path, strerror(errno));
	if (close(r->fd) != 0 && ok)
		ok = err_set(e, E_4002, "%s: close: %s", r->path, strerror(errno));
	buf_done(&r->out);
	free(r->path);
	free(r);
	return ok;
}

struct RecordReader {
	int fd;
	char *path;
	Buf in;
	size_t at;           /* first byte not taken */
	uint64_t offset;     /* of in.s[0] in the file, for messages */
	bool end;
};

static void reader_free(RecordReader *r)
{
	if (r->fd >= 0)
		close(r->fd);
	buf_done(&r->in);
	free(r->path);
	free(r);
}

/* Reads on behind what is there. False: e set. */
static bool reader_fill(RecordReader *r, Err *e)
{
	if (r->at > 0) {
		memmove(r->in.s, r->in.s + r->at, r->in.len - r->at);
		r->in.len -= r->at;
		r->offset += r->at;
		r->at = 0;
	}
	size_t step = r->in.len > READ_STEP ? r->in.len : READ_STEP;
	if (!buf_reserve(&r->in, step))
		return err_set(e, E_5001, "%s: out of memory for a frame", r->path);
	ssize_t n;
	do
		n = read(r->fd, r->in.s + r->in.len, step);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_errno(e, "read", r->path);
	r->in.len += (size_t)n;
	r->end = n == 0;
	return true;
}

static bool reader_start(RecordReader *r, const char *path, Err *e)
{
	struct stat st;
	/* O_NONBLOCK: a FIFO must not be waited for. */
	r->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (r->fd < 0 || fstat(r->fd, &st) != 0)
		return err_errno(e, "open", path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, E_4001, "%s: not a regular file; name a recording", path);
	while (r->in.len < sizeof stream_magic && !r->end)
		if (!reader_fill(r, e))
			return false;
	if (r->in.len < sizeof stream_magic || memcmp(r->in.s, stream_magic, 6) != 0)
		return err_set(e, E_3180, "%s: not a lathe recording", path);
	if (memcmp(r->in.s, stream_magic, sizeof stream_magic) != 0)
		return err_set(e, E_3180, "%s: stream version %d, this lathe reads %d", path,
			(unsigned char)r->in.s[6], STREAM_VERSION);
	r->at = sizeof stream_magic;
	return true;
}

RecordReader *record_open(const char *path, Err *e)
{
	RecordReader *r = calloc(1, sizeof *r);
	if (r)
		r->path = strdup(path);
	if (!r || !r->path) {
		free(r);
		err_set(e, E_5001, "%s: out of memory", path);
		return NULL;
	}
	r->fd = -1;
	if (!reader_start(r, path, e)) {
		reader_free(r);
		return NULL;
	}
	return r;
}

int record_next(RecordReader *r, Frame *f, bool *torn, Err *e)
{
	*torn = false;
	for (;;) {
		long n = frame_take(r->in.s + r->at, r->in.len - r->at, f, e);
		if (n > 0) {
			r->at += (size_t)n;
			return 1;
		}
		if (n < 0) {
			err_wrap(e, "%s: byte %llu", r->path, (unsigned long long)(r->offset + r->at));
			return -1;
		}
		if (r->end) {
			*torn = r->in.len > r->at;
			r->end = false; /* asked again, it looks again: a recording may be growing */
			return 0;
		}
		if (!reader_fill(r, e))
			return -1;
	}
}

void record_done(RecordReader *r)
{
	if (r)
		reader_free(r);
}

bool record_load(const char *path, Store *s, bool *torn, Err *e)
{
	RecordReader *r = record_open(path, e);
	if (!r)
		return false;
	bool cut = false;
	int more;
	Frame f;
	while ((more = record_next(r, &f, &cut, e)) > 0)
		if (f.kind == FRAME_SAMPLE)
			store_add(s, &f.sample);
	record_done(r);
	if (torn)
		*torn = cut;
	return more == 0;
}

/* Bytes of the file that stay: magic and the frames before the first of a later step. What cannot be read ends it, too. */
static bool kept_bytes(const char *path, uint64_t step, void (*fn)(void *ud, const Sample *s), void *ud, uint64_t *bytes, Err *e)
{
	RecordReader *r = record_open(path, e);
	bool torn;
	Frame f;
	Err bad = { 0 };
	if (!r)
		return false;
	*bytes = r->offset + r->at;
	while (record_next(r, &f, &torn, &bad) > 0 && !(f.kind == FRAME_SAMPLE && f.sample.step > step)) {
		*bytes = r->offset + r->at;
		if (f.kind == FRAME_SAMPLE && fn)
			fn(ud, &f.sample);
	}
	record_done(r);
	return true;
}

Record *record_resume(const char *path, uint64_t step, void (*fn)(void *ud, const Sample *s), void *ud, Err *e)
{
	struct stat st;
	uint64_t bytes = 0;
	if (step == 0 || stat(path, &st) != 0) {
		if (unlink(path) != 0 && errno != ENOENT) {
			err_set(e, E_4002, "%s: %s; choose another place", path, strerror(errno));
			return NULL;
		}
		return record_create(path, e);
	}
	Record *r = kept_bytes(path, step, fn, ud, &bytes, e) ? record_new(path, 0, e) : NULL;
	if (r && ftruncate(r->fd, (off_t)bytes) != 0) {
		err_set(e, E_4002, "%s: %s", path, strerror(errno));
		close(r->fd);
		free(r->path);
		free(r);
		return NULL;
	}
	return r;
}
