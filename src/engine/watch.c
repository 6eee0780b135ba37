/* watch.c - hooks for the library's users: values go out as floats or ints, replacements come back. */
#include "engine/engine.h"
#include <stdlib.h>
#include <string.h>

struct Watch {
	struct Watch *next;
	LatheModel *m;
	int hook;
	LatheProbeFn see;
	LatheReplaceFn replace;
	void *ud;
	float *copy;      /* dense floats of a value that is a view, or double */
	size_t cap;
};

int watch_id(const struct Watch *w)
{
	return w->hook;
}

static float *watch_room(struct Watch *w, size_t n)
{
	if (n > w->cap) {
		free(w->copy);
		w->copy = malloc(sizeof *w->copy * n);
		w->cap = w->copy ? n : 0;
	}
	return w->copy;
}

/* The value as dense floats: in place where it is that already. */
static const float *watch_floats(struct Watch *w, const Ten *x, bool always_copy)
{
	int64_t rows_n = ten_rows(x), n = ten_cols(x);
	if (!always_copy && sizeof(real) == sizeof(float) && x->dtype == REAL_DTYPE && x->stride == n)
		return (const float *)x->data;
	float *to = watch_room(w, (size_t)(rows_n * n));
	real *row = to ? tape_alloc(w->m->tape, sizeof *row * (size_t)n) : NULL;
	if (!row)
		return NULL;
	for (int64_t i = 0; i < rows_n; i++) {
		ten_read(x, i, 1, row);
		for (int64_t j = 0; j < n; j++)
			to[i * n + j] = (float)row[j];
	}
	return to;
}

static LatheProbe watch_probe(struct Watch *w, const Ten *x, const char *full)
{
	LatheProbe p = { .name = full, .rank = x->rank > 4 ? 4 : x->rank, .position = w->m->probe_position };
	for (int i = 0; i < p.rank; i++)
		p.shape[i] = x->shape[i];
	if (x->dtype == DT_I32)
		p.ints = x->data;
	return p;
}

static Ten *watch_see(Tape *t, Ten *x, const char *full, void *ud)
{
	(void)t;
	struct Watch *w = ud;
	LatheProbe p = watch_probe(w, x, full);
	if (!p.ints)
		p.data = watch_floats(w, x, false);
	if (p.ints || p.data)
		w->see(&p, w->ud);
	return x;
}

/* The new values enter as a leaf: what came before them gets no gradient through this tensor. */
static Ten *watch_replace(Tape *t, Ten *x, const char *full, void *ud)
{
	struct Watch *w = ud;
	if (x->dtype == DT_I32)
		return x;
	LatheProbe p = watch_probe(w, x, full);
	float *out = NULL;
	const float *old = watch_floats(w, x, true);
	int64_t n = ten_count(x);
	if (old)
		out = tape_alloc(t, sizeof *out * (size_t)n);
	if (!out)
		return NULL;
	memcpy(out, old, sizeof *out * (size_t)n);
	p.data = old;
	if (!w->replace(&p, out, w->ud))
		return x;
	Ten *y = tape_ten(t, x->rank, x->shape);
	for (int64_t i = 0; y && i < n; i++)
		ten_real(y)[i] = (real)out[i];
	return y;
}

static int watch_add(LatheModel *m, const char *pattern, LatheProbeFn see, LatheReplaceFn replace, void *ud)
{
	struct Watch *w = calloc(1, sizeof *w);
	if (!w)
		return 0;
	*w = (struct Watch){ .m = m, .see = see, .replace = replace, .ud = ud };
	w->hook = tape_hook(m->tape, pattern, see ? watch_see : watch_replace, w);
	if (!w->hook) {
		free(w);
		return 0;
	}
	w->next = m->watch;
	m->watch = w;
	return w->hook;
}

int lathe_watch(LatheModel *m, const char *pattern, LatheProbeFn fn, void *ud)
{
	return watch_add(m, pattern, fn, NULL, ud);
}

int lathe_replace(LatheModel *m, const char *pattern, LatheReplaceFn fn, void *ud)
{
	return watch_add(m, pattern, NULL, fn, ud);
}

void lathe_unwatch(LatheModel *m, int id)
{
	for (struct Watch **at = &m->watch; *at; at = &(*at)->next)
		if ((*at)->hook == id) {
			struct Watch *w = *at;
			*at = w->next;
			tape_unhook(m->tape, id);
			free(w->copy);
			free(w);
			return;
		}
}
