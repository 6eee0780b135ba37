/* ckpt.c - all tensors of a checkpoint under their names, whichever shard they lie in, and FP8 weights
 * with their scales. */
#include "tensor/ckpt.h"
#include "base/arena.h"
#include "base/hash.h"
#include "tensor/ckpt_dir.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct Place { const StEntry *t; size_t file; } Place;

struct Ckpt {
	char *dir;
	CkptFiles files;
	St **st;            /* one per file */
	Place *all;         /* shards in order of their names, tensors in file order */
	size_t n;
	Map *names;         /* -> index into all */
};

static bool memory_fail(const char *path, Err *e)
{
	return err_set(e, E_5001, "%s: out of memory for the checkpoint's tensor list", path);
}

static char *path_join(const char *dir, const char *name)
{
	Buf b = BUF_INIT;
	buf_printf(&b, "%s/%s", dir, name);
	return buf_take(&b);
}

static bool shards_open(Ckpt *c, Err *e)
{
	c->st = calloc(c->files.n ? c->files.n : 1, sizeof *c->st);
	if (!c->st)
		return memory_fail(c->dir, e);
	for (size_t i = 0; i < c->files.n; i++) {
		char *path = path_join(c->dir, c->files.name[i]);
		c->st[i] = path ? st_open(path, e) : NULL;
		if (!path)
			memory_fail(c->dir, e);
		free(path);
		if (!c->st[i])
			return false;
		c->n += st_count(c->st[i]);
	}
	if (c->n > 4000000)
		return err_set(e, E_5003, "%s: %zu tensors in all shards, the limit is 4000000", c->dir, c->n);
	return true;
}

static bool tensors_list(Ckpt *c, Err *e)
{
	size_t at = 0;
	c->all = malloc((c->n ? c->n : 1) * sizeof *c->all);
	c->names = map_new(c->n);
	if (!c->all || !c->names)
		return memory_fail(c->dir, e);
	for (size_t f = 0; f < c->files.n; f++)
		for (size_t i = 0; i < st_count(c->st[f]); i++) {
			const StEntry *t = st_at(c->st[f], i);
			bool had;
			if (!map_put(c->names, t->name, strlen(t->name), (int64_t)at, &had))
				return memory_fail(c->dir, e);
			if (had)
				return err_set(e, E_3053, "%s: tensor \"%.120s\" is in %.80s and in %.80s", c->dir, t->name,
					       c->files.name[c->all[map_get(c->names, t->name, strlen(t->name))].file],
					       c->files.name[f]);
			c->all[at++] = (Place){ t, f };
		}
	return true;
}

/* One entry of the index against the shards; seen marks what the index has named so far. */
static bool mapped_agrees(const Ckpt *c, const CkptMapped *m, bool *seen, Err *e)
{
	char *const *file = c->files.name;
	int64_t at = map_get(c->names, m->tensor, strlen(m->tensor));
	if (at < 0)
		return err_set(e, E_3052,
			"%s: the index names tensor \"%.120s\" in %.80s, which does not hold it", c->dir,
			m->tensor, file[m->file]);
	if (seen[at])
		return err_set(e, E_3050, "%s: the index names tensor \"%.120s\" twice", c->dir, m->tensor);
	seen[at] = true;
	if (c->all[at].file != m->file)
		return err_set(e, E_3052, "%s: the index puts tensor \"%.120s\" in %.80s, it is in %.80s",
			c->dir, m->tensor, file[m->file], file[c->all[at].file]);
	return true;
}

/* Each tensor the index names is where it says, none is named twice, and no shard holds another. */
static bool index_agrees(const Ckpt *c, Err *e)
{
	bool *seen = calloc(c->n + 1, sizeof *seen), ok = seen || memory_fail(c->dir, e);
	for (size_t i = 0; ok && i < c->files.n_map; i++)
		ok = mapped_agrees(c, &c->files.map[i], seen, e);
	for (size_t i = 0; ok && i < c->n; i++)
		if (!seen[i])
			ok = err_set(e, E_3052,
				"%s: %.80s holds tensor \"%.120s\", which the index does not name", c->dir,
				c->files.name[c->all[i].file], c->all[i].t->name);
	free(seen);
	return ok;
}

/* A folder and the files in it, or one file and the folder it lies in. */
static bool path_resolve(Ckpt *c, const char *path, Err *e)
{
	struct stat st;
	if (stat(path, &st) != 0)
		return err_errno(e, "open", path);
	if (S_ISDIR(st.st_mode)) {
		c->dir = strdup(path);
		return c->dir ? ckpt_files_find(&c->files, c->dir, e) : memory_fail(path, e);
	}
	const char *slash = strrchr(path, '/'), *dot = strrchr(path, '.');
	if (dot && strcmp(dot, ".json") == 0)
		return err_set(e, E_2003, "%s: is no checkpoint; give the folder that it lies in", path);
	c->dir = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
	if (!c->dir)
		return memory_fail(path, e);
	return ckpt_files_one(&c->files, slash ? slash + 1 : path, e);
}

Ckpt *ckpt_open(const char *path, Err *e)
{
	Ckpt *c = calloc(1, sizeof *c);
	if (!c) {
		memory_fail(path, e);
		return NULL;
	}
	if (path_resolve(c, path, e) && shards_open(c, e) && tensors_list(c, e) &&
		(!c->files.text || index_agrees(c, e)))
		return c;
	ckpt_close(c);
	return NULL;
}

void ckpt_close(Ckpt *c)
{
	if (!c)
		return;
	for (size_t i = 0; c->st && i < c->files.n; i++)
		st_close(c->st[i]);
	free(c->st);
	free(c->all);
	map_free(c->names);
	ckpt_files_done(&c->files);
	free(c->dir);
	free(c);
}

const char *ckpt_dir(const Ckpt *c)
{
	return c->dir;
}

size_t ckpt_count(const Ckpt *c)
{
	return c->n;
}

const StEntry *ckpt_at(const Ckpt *c, size_t i, const char **file)
{
	if (i >= c->n)
		return NULL;
	if (file)
		*file = c->files.name[c->all[i].file];
	return c->all[i].t;
}

static const Place *place_find(const Ckpt *c, const char *name)
{
	int64_t i = map_get(c->names, name, strlen(name));
	return i < 0 ? NULL : &c->all[i];
}

bool ckpt_has(const Ckpt *c, const char *name)
{
	return place_find(c, name) != NULL;
}

uint64_t ckpt_bytes(const Ckpt *c)
{
	uint64_t n = 0;
	for (size_t i = 0; i < c->files.n; i++)
		n += st_data_bytes(c->st[i]);
	return n;
}

size_t ckpt_files(const Ckpt *c)
{
	return c->files.n;
}

const char *ckpt_file(const Ckpt *c, size_t i)
{
	return i < c->files.n ? c->files.name[i] : NULL;
}

static const Place *scale_find(const Ckpt *c, const char *name, Err *e, bool *failed)
{
	Buf b = BUF_INIT;
	buf_printf(&b, "%s_scale_inv", name);
	const Place *p = b.failed ? NULL : place_find(c, b.s);
	*failed = b.failed && !memory_fail(c->dir, e);
	buf_done(&b);
	return p;
}

static const void *place_data(Ckpt *c, const Place *p, Err *e)
{
	return st_data(c->st[p->file], p->t, e);
}

static bool scale_fits(const Ckpt *c, const StEntry *w, const StEntry *s, Err *e)
{
	if (w->rank != 2 || w->dtype != DT_F8_E4M3)
		return err_set(e, E_3223, "%s: tensor \"%.120s\" has block scales but is no F8_E4M3 matrix",
			c->dir, w->name);
	int64_t rows = w->shape[0] / 128 + (w->shape[0] % 128 != 0),
		cols = w->shape[1] / 128 + (w->shape[1] % 128 != 0);
	if (s->dtype == DT_F32 && s->rank == 2 && s->shape[0] == rows && s->shape[1] == cols)
		return true;
	return err_set(e, E_3223,
		"%s: tensor \"%.120s\" must be F32 [%lldx%lld], one scale for each 128 x 128 block of a "
		"[%lldx%lld] "
		"weight",
		c->dir, s->name, (long long)rows, (long long)cols, (long long)w->shape[0],
		(long long)w->shape[1]);
}

static bool place_take(Ckpt *c, const Place *p, Ten *out, Err *e)
{
	const void *data = place_data(c, p, e);
	if (!data)
		return false;
	/* A Ten is written to only by those who own its data; nobody owns a mapped file's. */
	*out = ten_wrap(p->t->dtype, (void *)(uintptr_t)data, p->t->rank, p->t->shape, p->t->name);
	return true;
}

static const Place *place_need(const Ckpt *c, const char *name, Err *e)
{
	const Place *p = place_find(c, name);
	if (!p)
		err_set(e, E_3220, "%s: tensor \"%.120s\" is not there", c->dir, name);
	return p;
}

bool ckpt_raw(Ckpt *c, const char *name, Ten *out, Err *e)
{
	const Place *p = place_need(c, name, e);
	return p && place_take(c, p, out, e);
}

bool ckpt_ten(Ckpt *c, const char *name, Ten *out, Err *e)
{
	bool failed;
	const Place *p = place_need(c, name, e);
	if (!p)
		return false;
	if (!dtype_is_float(p->t->dtype))
		return err_set(e, E_3222, "%s: tensor \"%.120s\" is %s, which no weight can be", c->dir, name,
			dtype_name(p->t->dtype));
	const Place *s = scale_find(c, name, e, &failed);
	if (failed || (s && !scale_fits(c, p->t, s->t, e)) || !place_take(c, p, out, e))
		return false;
	if (!s)
		return true;
	out->scale = place_data(c, s, e);
	out->scale_stride = s->t->shape[1];
	return out->scale != NULL;
}
