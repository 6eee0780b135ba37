/* folder.c - a folder appears whole or not at all. The order is always: write, sync each file, sync the
 * folder, rename, sync the folder above; so a power cut finds the old one or the new one under the name. */
#include "base/folder.h"
#include "base/hash.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { COPY_MAX = 256 << 20, HASH_PIECE = 1 << 20 };

static bool memory_fail(const char *path, Err *e)
{
	return err_set(e, E_5001, "%s: out of memory", path);
}

char *folder_join(const char *dir, const char *name)
{
	Buf b = BUF_INIT;
	buf_printf(&b, "%s/%s", dir, name);
	return buf_take(&b);
}

static char *path_beside(const char *place, const char *kind)
{
	Buf b = BUF_INIT;
	buf_printf(&b, "%s.%s-%ld", place, kind, (long)getpid());
	return buf_take(&b);
}

bool folder_make(const char *path, Err *e)
{
	char *p = strdup(path);
	if (!p)
		return memory_fail(path, e);
	for (char *s = p + 1; *p && *s; s++) {
		if (*s != '/')
			continue;
		*s = '\0';
		mkdir(p, 0777); /* if it failed, the last one fails too, and says why */
		*s = '/';
	}
	struct stat st;
	bool ok = mkdir(p, 0777) == 0 || errno == EEXIST || err_errno(e, "mkdir", path);
	if (ok && (stat(p, &st) != 0 || !S_ISDIR(st.st_mode)))
		ok = err_set(e, E_4002, "%s: is there and is no folder; name another", path);
	free(p);
	return ok;
}

bool folder_is_empty(const char *path)
{
	DIR *d = opendir(path);
	bool empty = d != NULL;
	for (const struct dirent *x; d && (x = readdir(d)) != NULL;)
		empty = empty && (strcmp(x->d_name, ".") == 0 || strcmp(x->d_name, "..") == 0);
	if (d)
		closedir(d);
	return empty;
}

char *folder_temp(const char *place, Err *e)
{
	char *temp = path_beside(place, "tmp");
	if (!temp) {
		memory_fail(place, e);
		return NULL;
	}
	if (mkdir(temp, 0777) != 0) {
		int why = errno;
		if (why == EEXIST)
			folder_remove(temp);
		if (why != EEXIST || mkdir(temp, 0777) != 0) {
			err_errno(e, "mkdir", temp);
			free(temp);
			return NULL;
		}
	}
	return temp;
}

static bool fd_write(int fd, const char *p, size_t n, const char *path, Err *e)
{
	while (n > 0) {
		ssize_t k = write(fd, p, n);
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return err_errno(e, "write", path);
		p += k;
		n -= (size_t)k;
	}
	return fsync(fd) == 0 || err_errno(e, "fsync", path);
}

bool folder_file(const char *dir, const char *name, const void *bytes, size_t n, Err *e)
{
	char *path = folder_join(dir, name);
	if (!path)
		return memory_fail(name, e);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
	bool ok = (fd >= 0 || err_errno(e, "create", path)) && fd_write(fd, bytes, n, path, e);
	if (fd >= 0 && close(fd) != 0 && ok)
		ok = err_errno(e, "write", path);
	free(path);
	return ok;
}

bool folder_copy(const char *from, const char *dir, const char *name, bool *there, Err *e)
{
	Buf b = BUF_INIT;
	char *path = folder_join(from, name);
	*there = path && access(path, F_OK) == 0;
	bool ok = path != NULL || memory_fail(name, e);
	if (*there)
		ok = buf_read_file(&b, path, COPY_MAX, e) && folder_file(dir, name, buf_str(&b), b.len, e);
	buf_done(&b);
	free(path);
	return ok;
}

bool folder_sync(const char *path, Err *e)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* some file systems cannot sync a folder (EINVAL); names in it are then as safe as they make them */
	bool ok = (fd >= 0 && (fsync(fd) == 0 || errno == EINVAL)) || err_errno(e, "fsync", path);
	if (fd >= 0)
		close(fd);
	return ok;
}

static bool above_sync(const char *path, Err *e)
{
	const char *slash = strrchr(path, '/');
	char *dir = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
	bool ok = dir ? folder_sync(dir, e) : memory_fail(path, e);
	free(dir);
	return ok;
}

/* Two steps, where one is not to be had: the old one goes aside and comes back if the new one cannot take
 * its place. */
static bool names_shift(const char *temp, const char *place, Err *e)
{
	char *old = path_beside(place, "old");
	if (!old)
		return memory_fail(place, e);
	folder_remove(old);
	bool ok = rename(place, old) == 0 || err_errno(e, "rename", place);
	if (ok && rename(temp, place) != 0) {
		ok = err_errno(e, "rename", place);
		rename(old, place);
	}
	if (ok)
		folder_remove(old);
	free(old);
	return ok;
}

static bool names_swap(const char *temp, const char *place, Err *e)
{
#ifdef RENAME_EXCHANGE
	if (renameat2(AT_FDCWD, temp, AT_FDCWD, place, RENAME_EXCHANGE) == 0) {
		if (!above_sync(place, e))
			return false; /* the old one stays beside it until the next start */
		folder_remove(temp);
		return true;
	}
#endif
	return names_shift(temp, place, e);
}

bool folder_place(const char *temp, const char *place, bool replace, Err *e)
{
	if (!folder_sync(temp, e))
		return false;
	if (rename(temp, place) != 0) {
		bool taken = errno == ENOTEMPTY || errno == EEXIST;
		if (!taken || !replace)
			return err_errno(e, "rename", place);
		if (!names_swap(temp, place, e))
			return false;
	}
	return above_sync(place, e);
}

void folder_remove(const char *path)
{
	struct stat st;
	DIR *d = lstat(path, &st) == 0 && S_ISDIR(st.st_mode) ? opendir(path) : NULL;
	for (const struct dirent *x; d && (x = readdir(d)) != NULL;)
		unlinkat(dirfd(d), x->d_name, 0); /* "." and ".." are refused */
	if (d) {
		closedir(d);
		rmdir(path);
	}
}

void folder_retire(const char *path)
{
	Buf b = BUF_INIT;
	buf_printf(&b, "%s.tmp-%ld", path, (long)getpid());
	if (!b.failed && rename(path, buf_str(&b)) == 0)
		folder_remove(buf_str(&b));
	buf_done(&b);
}

/* "PLACE.tmp-123" or "PLACE.old-123": cut to PLACE, and which of the two; 0: neither. */
static char leftover_cut(char *name)
{
	char *dot = strrchr(name, '.');
	if (!dot || (strncmp(dot, ".tmp-", 5) != 0 && strncmp(dot, ".old-", 5) != 0))
		return 0;
	if (!dot[5] || strspn(dot + 5, "0123456789") != strlen(dot + 5))
		return 0;
	*dot = '\0';
	return dot[1];
}

static bool leftover_clear(const char *dir, const char *name, bool (*ours)(const char *name), Err *e)
{
	char *place = strdup(name), kind = place ? leftover_cut(place) : 0;
	bool ok = place != NULL || memory_fail(dir, e);
	if (kind && ours(place)) {
		char *from = folder_join(dir, name), *to = folder_join(dir, place);
		struct stat st;
		if (!from || !to)
			ok = memory_fail(dir, e);
		else if (kind == 't' || lstat(to, &st) == 0)
			folder_remove(from);
		else if (rename(from, to) != 0)
			ok = err_errno(e, "rename", from);
		free(from);
		free(to);
	}
	free(place);
	return ok;
}

bool folder_leftovers(const char *dir, bool (*ours)(const char *name), Err *e)
{
	DIR *d = opendir(dir);
	bool ok = d != NULL || err_errno(e, "open", dir);
	for (const struct dirent *x; ok && (x = readdir(d)) != NULL;)
		ok = leftover_clear(dir, x->d_name, ours, e);
	if (d)
		closedir(d);
	return ok;
}

/* Pieces of a set length, each hashed with the hash so far. */
static bool fd_hash(int fd, char *piece, uint64_t *hash, uint64_t *bytes, const char *path, Err *e)
{
	for (;;) {
		size_t got = 0;
		while (got < HASH_PIECE) {
			ssize_t k = read(fd, piece + got, HASH_PIECE - got);
			if (k < 0 && errno == EINTR)
				continue;
			if (k < 0)
				return err_errno(e, "read", path);
			if (k == 0)
				break;
			got += (size_t)k;
		}
		*hash = hash_bytes(piece, got, *hash);
		*bytes += got;
		if (got < HASH_PIECE)
			return true;
	}
}

bool folder_hash(const char *path, uint64_t *hash, uint64_t *bytes, Err *e)
{
	struct stat st;
	char *piece = malloc(HASH_PIECE);
	int fd = piece ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) : -1;
	bool ok = piece ? fd >= 0 || err_errno(e, "open", path) : memory_fail(path, e);
	*hash = *bytes = 0;
	if (ok && (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)))
		ok = err_set(e, E_4001, "%s: not a regular file", path);
	ok = ok && fd_hash(fd, piece, hash, bytes, path, e);
	if (fd >= 0)
		close(fd);
	free(piece);
	return ok;
}
