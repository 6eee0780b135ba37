/* keep.c - what a checkpoint of reinforcement learning has beside weights and moments: rl.safetensors with the reference's weights and the
 * value head, and the settings. A checkpoint without it (of plain training) begins a run: its own weights are the reference. */
#include "base/folder.h"
#include "rl/lab.h"
#include "tensor/st.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FORMAT "lathe-rl-run-1"

typedef struct Part { const char *name; real *v; int64_t n; } Part;
enum { PARTS = 4 };

static int parts_of(Rl *r, Part *p)
{
	const Params *c = &r->critic.p;
	int n = 0;
	p[n++] = (Part){ "reference", r->ref, train_params(r->t)->count };
	if (c->w) {
		p[n++] = (Part){ "value_head", c->w, c->count };
		p[n++] = (Part){ "value_head.exp_avg", c->m, c->count };
		p[n++] = (Part){ "value_head.exp_avg_sq", c->v, c->count };
	}
	return n;
}

static bool settings_text(const Rl *r, Buf *b)
{
	Jout j;
	jout_init(&j, b);
	jout_obj(&j);
	setting_write_all(rl_settings_table(), &r->s, &j);
	jout_end_obj(&j);
	return !b->failed;
}

static bool parts_write(const Part *p, int n, StWriter *w, Err *e)
{
	if (!st_writer_begin(w, e))
		return false;
	for (size_t i = 0; i < st_writer_count(w); i++)
		for (int k = 0; k < n; k++)
			if (strcmp(p[k].name, st_writer_at(w, i)->name) == 0 && !st_writer_put(w, p[k].v, sizeof(real) * (size_t)p[k].n, e))
				return false;
	return true;
}

static bool keep_put(void *ud, const char *folder, Err *e)
{
	Rl *r = ud;
	Part p[PARTS];
	int n = parts_of(r, p);
	char updates[24];
	Buf s = BUF_INIT;
	char *path = folder_join(folder, "rl.safetensors");
	bool ok = (path && settings_text(r, &s)) || err_set(e, E_5001, "%s: out of memory", folder);
	StWriter *w = ok ? st_writer_new(path, e) : NULL;
	snprintf(updates, sizeof updates, "%lld", (long long)r->critic.updates);
	ok = w && st_writer_meta(w, "format", FORMAT, e) && st_writer_meta(w, "settings", buf_str(&s), e) &&
		st_writer_meta(w, "value_updates", updates, e);
	for (int i = 0; ok && i < n; i++)
		ok = st_writer_add(w, p[i].name, REAL_DTYPE, 1, &p[i].n, e);
	ok = ok && parts_write(p, n, w, e);
	if (w && ok)
		ok = st_writer_commit(w, e);
	else if (w)
		st_writer_abort(w);
	free(path);
	buf_done(&s);
	return ok;
}

static bool part_read(St *st, const Part *p, Err *e)
{
	const StEntry *t = st_find(st, p->name);
	const void *from = NULL;
	if (!t || t->dtype != REAL_DTYPE || t->rank != 1 || t->shape[0] != p->n)
		return err_set(e, E_3301, "%s: \"%s\" is missing or not of this run's size; it is of another algorithm or model", st_path(st), p->name);
	from = st_data(st, t, e);
	if (from)
		memcpy(p->v, from, sizeof(real) * (size_t)p->n);
	return from != NULL;
}

static bool file_take(Rl *r, St *st, Buf *note, Err *e)
{
	Part p[PARTS];
	int n = parts_of(r, p);
	const char *format = st_meta(st, "format"), *old = st_meta(st, "settings"), *updates = st_meta(st, "value_updates");
	Buf now = BUF_INIT;
	if (!format || strcmp(format, FORMAT) != 0 || !old || !updates)
		return err_set(e, E_7101, "%s: is of a format that this version does not know", st_path(st));
	for (int i = 0; i < n; i++)
		if (!part_read(st, &p[i], e))
			return false;
	r->critic.updates = strtoll(updates, NULL, 10);
	if (settings_text(r, &now) && strcmp(buf_str(&now), old) != 0)
		buf_adds(note, "settings of reinforcement learning: not those that the checkpoint was made with\n");
	buf_done(&now);
	return true;
}

static bool keep_take(void *ud, const char *folder, Buf *note, Err *e)
{
	Rl *r = ud;
	char *path = folder_join(folder, "rl.safetensors");
	if (!path)
		return err_set(e, E_5001, "%s: out of memory", folder);
	bool there = access(path, F_OK) == 0, ok = true;
	St *st = there ? st_open(path, e) : NULL;
	if (there)
		ok = st && file_take(r, st, note, e);
	else
		memcpy(r->ref, train_params(r->t)->w, sizeof(real) * (size_t)train_params(r->t)->count);
	st_close(st);
	free(path);
	return ok;
}

void rl_keep(Rl *r)
{
	train_extra(r->t, &(TrainExtra){ keep_put, keep_take, r });
}
