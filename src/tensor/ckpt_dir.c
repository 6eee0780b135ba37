/* ckpt_dir.c - the files of a checkpoint folder. The index is a stranger's text: it may name only
 * .safetensors files of its own folder, each tensor once. Hugging Face's order of preference is kept: a
 * single file before an index. */
#include "tensor/ckpt_dir.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/hash.h"
#include "tensor/scan.h"
#include "tensor/st_header.h"
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool memory_fail(const char *path, Err *e)
{
	return err_set(e, E_5001, "%s: out of memory for the file list", path);
}

static bool file_add(CkptFiles *f, const char *name, const char *path, Err *e)
{
	if (f->n == CKPT_SHARDS_MAX)
		return err_set(e, E_5003, "%s: more than %d shards", path, CKPT_SHARDS_MAX);
	if (f->n == f->cap) {
		size_t cap = f->cap ? f->cap * 2 : 16;
		char **p = realloc(f->name, cap * sizeof *p);
		if (!p)
			return memory_fail(path, e);
		f->name = p;
		f->cap = cap;
	}
	f->name[f->n] = strdup(name);
	return f->name[f->n] ? (f->n++, true) : memory_fail(path, e);
}

bool ckpt_files_one(CkptFiles *f, const char *name, Err *e)
{
	return file_add(f, name, name, e);
}

void ckpt_files_done(CkptFiles *f)
{
	for (size_t i = 0; i < f->n; i++)
		free(f->name[i]);
	free(f->name);
	free(f->map);
	free(f->text);
	*f = (CkptFiles){ 0 };
}

static bool shard_name_ok(const char *s, size_t n)
{
	static const char end[] = ".safetensors";
	size_t k = sizeof end - 1;
	if (n <= k || n > 255 || strcmp(s + n - k, end) != 0 || s[0] == '.')
		return false;
	for (size_t i = 0; i < n; i++)
		if (s[i] == '/' || s[i] == '\\' || (unsigned char)s[i] < 0x20 || s[i] == 0x7f)
			return false;
	return true;
}

typedef struct Index { CkptFiles *f; Scan k; Map *files; } Index;

/* The number of a shard, new or known. */
static bool shard_number(Index *x, const char *name, size_t n, size_t *file)
{
	int64_t at = map_get(x->files, name, n);
	if (at >= 0) {
		*file = (size_t)at;
		return true;
	}
	if (!shard_name_ok(name, n))
		return err_set(x->k.e, E_3051,
			"%s: shard name \"%.120s\"; only .safetensors files of the same folder may be named",
			x->k.path, name);
	*file = x->f->n;
	return file_add(x->f, name, x->k.path, x->k.e) &&
	       (map_put(x->files, name, n, (int64_t)*file, NULL) || memory_fail(x->k.path, x->k.e));
}

static bool mapped_add(Index *x, CkptMapped m, size_t n)
{
	CkptFiles *f = x->f;
	if (n > ST_NAME_MAX || f->n_map >= 4u * ST_TENSORS_MAX)
		return err_set(x->k.e, E_5003, "%s: a tensor name above %d bytes, or more than %d tensors",
			x->k.path, ST_NAME_MAX, 4 * ST_TENSORS_MAX);
	if (f->n_map == f->cap_map) {
		size_t cap = f->cap_map ? f->cap_map * 2 : 256;
		CkptMapped *p = realloc(f->map, cap * sizeof *p);
		if (!p)
			return memory_fail(x->k.path, x->k.e);
		f->map = p;
		f->cap_map = cap;
	}
	f->map[f->n_map++] = m;
	return true;
}

static bool weight_map_take(Index *x)
{
	bool first = true, more;
	if (!scan_char(&x->k, '{'))
		return false;
	for (;;) {
		CkptMapped m;
		const char *file;
		size_t n, nf;
		if (!scan_more(&x->k, '}', &first, &more))
			return false;
		if (!more)
			return true;
		if (!scan_key(&x->k, &m.tensor, &n) || !scan_string(&x->k, &file, &nf) ||
			!shard_number(x, file, nf, &m.file) || !mapped_add(x, m, n))
			return false;
	}
}

/* An object whose keys are each used once: the root calls weight_map_take on its key, all other values are
 * only well-formed. */
static bool object_take(Index *x, bool root, bool *found)
{
	bool first = true, more = true, had, ok;
	const char *key;
	size_t n;
	Map *keys = map_new(8);
	ok = keys ? scan_char(&x->k, '{') : memory_fail(x->k.path, x->k.e);
	while (ok && more) {
		ok = scan_more(&x->k, '}', &first, &more);
		if (!ok || !more)
			break;
		ok = scan_key(&x->k, &key, &n) && (map_put(keys, key, n, 0, &had) || memory_fail(x->k.path, x->k.e));
		if (ok && had)
			ok = scan_fail(&x->k, "the same key twice");
		if (!ok)
			break;
		bool weights = root && strcmp(key, "weight_map") == 0;
		*found = *found || weights;
		if (weights)
			ok = weight_map_take(x);
		else if (root && strcmp(key, "metadata") == 0)
			ok = object_take(x, false, found);
		else
			ok = scan_skip(&x->k);
	}
	map_free(keys);
	return ok;
}

static int name_order(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;
	return strcmp(*x, *y);
}

/* Sorts the names and renumbers the map: `was` is the order of first mention. */
static bool files_sort(Index *x)
{
	CkptFiles *f = x->f;
	size_t *to = malloc((f->n ? f->n : 1) * sizeof *to);
	Map *old = map_new(f->n);
	bool ok = to && old;
	for (size_t i = 0; ok && i < f->n; i++)
		ok = map_put(old, f->name[i], strlen(f->name[i]), (int64_t)i, NULL);
	if (ok && f->n)
		qsort(f->name, f->n, sizeof *f->name, name_order);
	for (size_t i = 0; ok && i < f->n; i++)
		to[map_get(old, f->name[i], strlen(f->name[i]))] = i;
	for (size_t i = 0; ok && i < f->n_map; i++)
		f->map[i].file = to[f->map[i].file];
	free(to);
	map_free(old);
	return ok || memory_fail(x->k.path, x->k.e);
}

bool ckpt_index_parse(CkptFiles *f, char *text, size_t n, const char *path, Err *e)
{
	Index x = { f, { .s = text, .n = n, .path = path, .code = E_3050, .e = e }, map_new(64) };
	bool found = false;
	f->text = text;
	bool ok = x.files || memory_fail(path, e);
	ok = ok && object_take(&x, true, &found) && scan_end(&x.k, 0);
	if (ok && !found)
		ok = err_set(e, E_3050, "%s: no weight_map", path);
	if (ok && f->n_map == 0)
		ok = err_set(e, E_3050, "%s: weight_map is empty", path);
	ok = ok && files_sort(&x);
	map_free(x.files);
	return ok;
}

static bool index_read(CkptFiles *f, const char *path, Err *e)
{
	Buf b = BUF_INIT;
	if (!buf_read_file(&b, path, CKPT_INDEX_MAX, e)) {
		buf_done(&b);
		return false;
	}
	size_t n = b.len;
	char *text = buf_take(&b);
	return text ? ckpt_index_parse(f, text, n, path, e) : memory_fail(path, e);
}

/* "model-00002-of-00005.safetensors": its number and their count. */
static bool shard_name_parse(const char *s, unsigned long *i, unsigned long *n)
{
	char *end;
	if (strncmp(s, "model-", 6) != 0 || s[6] < '0' || s[6] > '9')
		return false;
	*i = strtoul(s + 6, &end, 10);
	if (end - (s + 6) < 5 || strncmp(end, "-of-", 4) != 0 || end[4] < '0' || end[4] > '9')
		return false;
	s = end + 4;
	*n = strtoul(s, &end, 10);
	return end - s >= 5 && strcmp(end, ".safetensors") == 0;
}

/* Sorted names must be 1, 2 .. count, all of one count. */
static bool shards_complete(const CkptFiles *f, const char *dir, Err *e)
{
	for (size_t i = 0; i < f->n; i++) {
		unsigned long at = 0, count = 0;
		shard_name_parse(f->name[i], &at, &count);
		if (count != f->n || at != i + 1)
			return err_set(e, E_3054,
				"%s: %zu shards without an index, but %.80s says there are %lu; one is "
				"missing or too many",
				dir, f->n, f->name[i], count);
	}
	return true;
}

static bool shards_collect(CkptFiles *f, const char *dir, Err *e)
{
	unsigned long i, n;
	bool ok = true;
	DIR *d = opendir(dir);
	if (!d)
		return err_errno(e, "open", dir);
	for (const struct dirent *x; ok && (x = readdir(d)) != NULL;)
		if (shard_name_parse(x->d_name, &i, &n))
			ok = file_add(f, x->d_name, dir, e);
	closedir(d);
	if (!ok)
		return false;
	if (f->n == 0)
		return err_set(e, E_4001,
			"%s: no model.safetensors, no model.safetensors.index.json and no shards in this "
			"folder",
			dir);
	qsort(f->name, f->n, sizeof *f->name, name_order);
	return shards_complete(f, dir, e);
}

/* Whether dir/name is there at all; what it is, is found out when it is opened. */
static bool name_exists(Buf *path, const char *dir, const char *name)
{
	struct stat st;
	buf_clear(path);
	buf_printf(path, "%s/%s", dir, name);
	return !path->failed && lstat(path->s, &st) == 0;
}

bool ckpt_files_find(CkptFiles *f, const char *dir, Err *e)
{
	Buf path = BUF_INIT;
	bool ok;
	if (name_exists(&path, dir, "model.safetensors"))
		ok = file_add(f, "model.safetensors", dir, e);
	else if (name_exists(&path, dir, "model.safetensors.index.json"))
		ok = index_read(f, path.s, e);
	else
		ok = path.failed ? memory_fail(dir, e) : shards_collect(f, dir, e);
	buf_done(&path);
	return ok;
}
