/* save_tensors.c - the numbers of a run as safetensors files and back, to the bit. */
#include "base/hash.h"
#include "tensor/st.h"
#include "train/save.h"
#include <string.h>

enum { PIECE = 1 << 13 };

static bool slots_start(Slots *k, size_t n, Err *e)
{
	*k = (Slots){ .memory = arena_new("checkpoint", 0) };
	k->s = k->memory ? arena_zalloc(k->memory, sizeof *k->s * (n + 1)) : NULL;
	return k->s || err_set(e, E_5001, "out of memory for a checkpoint's list of tensors");
}

static bool slots_add(Slots *k, const Ten *x, const char *suffix, real *data, Dtype d, Err *e)
{
	Slot *s = &k->s[k->n];
	s->name = arena_printf(k->memory, "%s%s", x->name, suffix);
	if (!s->name)
		return err_set(e, E_5001, "out of memory for a checkpoint's list of tensors");
	s->rank = x->rank;
	s->shape = x->shape;
	s->data = data;
	s->n = ten_count(x);
	s->dtype = d;
	k->n++;
	return true;
}

bool slots_weights(Slots *k, const Train *t, Dtype d, Err *e)
{
	const Params *p = &t->params;
	bool ok = slots_start(k, (size_t)p->n + (size_t)p->n_bias, e);
	for (int i = 0; ok && i < p->n; i++)
		ok = slots_add(k, p->p[i].t, "", p->w + p->p[i].at, d, e);
	for (int i = 0; ok && i < p->n_bias; i++)
		ok = slots_add(k, p->bias[i], "", ten_real(p->bias[i]), d == REAL_DTYPE ? d : DT_F32, e);
	return ok;
}

bool slots_optimizer(Slots *k, const Train *t, bool ema, Err *e)
{
	const Params *p = &t->params;
	bool ok = slots_start(k, (size_t)p->n * 3, e);
	for (int i = 0; ok && i < p->n; i++) {
		const Param *x = &p->p[i];
		ok = slots_add(k, x->t, ".exp_avg", p->m + x->at, REAL_DTYPE, e) &&
			slots_add(k, x->t, ".exp_avg_sq", p->v + x->at, REAL_DTYPE, e) &&
			(!ema || slots_add(k, x->t, ".ema", p->ema + x->at, REAL_DTYPE, e));
	}
	return ok;
}

void slots_done(Slots *k)
{
	arena_free(k->memory);
	*k = (Slots){ 0 };
}

static bool slot_put(StWriter *w, const Slot *s, Err *e)
{
	char stored[PIECE * sizeof(double)];
	if (s->dtype == REAL_DTYPE)
		return st_writer_put(w, s->data, (size_t)s->n * sizeof(real), e);
	for (int64_t at = 0; at < s->n; at += PIECE) {
		size_t n = (size_t)(s->n - at < PIECE ? s->n - at : PIECE);
		dtype_from_real(s->dtype, s->data + at, n, stored);
		if (!st_writer_put(w, stored, n * dtype_bits(s->dtype) / 8, e))
			return false;
	}
	return true;
}

static bool slots_data(const Slots *k, StWriter *w, Err *e)
{
	Map *at = map_new(k->n);
	bool ok = at != NULL;
	for (size_t i = 0; ok && i < k->n; i++)
		ok = map_put(at, k->s[i].name, strlen(k->s[i].name), (int64_t)i, NULL);
	if (!ok)
		err_set(e, E_5001, "out of memory for a checkpoint's list of tensors");
	for (size_t i = 0; ok && i < st_writer_count(w); i++) {
		const char *name = st_writer_at(w, i)->name;
		ok = slot_put(w, &k->s[map_get(at, name, strlen(name))], e);
	}
	map_free(at);
	return ok;
}

bool slots_write(const Slots *k, const char *path, Err *e)
{
	StWriter *w = st_writer_new(path, e);
	bool ok = w && st_writer_meta(w, "format", "pt", e);
	for (size_t i = 0; ok && i < k->n; i++)
		ok = st_writer_add(w, k->s[i].name, k->s[i].dtype, k->s[i].rank, k->s[i].shape, e);
	if (ok && st_writer_begin(w, e) && slots_data(k, w, e))
		return st_writer_commit(w, e);
	st_writer_abort(w);
	return false;
}

static bool slot_fits(const Slot *s, const StEntry *t, const char *path, Err *e)
{
	if (!t)
		return err_set(e, E_7101, "%s: tensor \"%.120s\" is missing", path, s->name);
	bool same = t->dtype == s->dtype && t->rank == s->rank;
	for (int i = 0; same && i < s->rank; i++)
		same = t->shape[i] == s->shape[i];
	return same || err_set(e, E_7101,
		"%s: tensor \"%.120s\" is not of this run's shape, or not of %s numbers", path, s->name,
				  dtype_name(s->dtype));
}

static bool slot_do(const Slot *s, St *file, const StEntry *t, SlotsDo what, Err *e)
{
	size_t bytes = (size_t)s->n * sizeof(real);
	if (bytes == 0)
		return true;
	const void *from = st_data(file, t, e);
	if (!from)
		return false;
	if (what == SLOTS_COPY)
		memcpy(s->data, from, bytes);
	else if (memcmp(s->data, from, bytes) != 0)
		return err_set(e, E_7101, "%s: tensor \"%.120s\" reads back otherwise than it was written; "
			"check the disk", st_path(file), s->name);
	return true;
}

bool slots_read(const Slots *k, const char *path, size_t more, SlotsDo what, Err *e)
{
	St *file = st_open(path, e);
	bool ok = file != NULL;
	if (ok && st_count(file) != k->n + more)
		ok = err_set(e, E_7101, "%s: holds %zu tensors, this run has %zu", path, st_count(file),
			k->n + more);
	for (size_t i = 0; ok && i < k->n; i++)
		ok = slot_fits(&k->s[i], st_find(file, k->s[i].name), path, e);
	for (size_t i = 0; ok && i < k->n; i++)
		ok = slot_do(&k->s[i], file, st_find(file, k->s[i].name), what, e);
	if (file)
		st_close(file);
	return ok;
}
