/* probe_rows.c - see probe_rows.h. */
#include "view/probe_rows.h"
#include <stdio.h>

enum { DRAFTS_MAX = 9 /* rows of a forward that checks drafts */ };

static size_t row_width(const Sample *x)
{
	size_t w = 1;
	for (int i = 1; i < x->rank; i++)
		w *= x->shape[i];
	return w;
}

/* A refused draft leaves its values where the token chosen instead has not been read yet: they are not this
 * token's. */
static bool row_refused(const Facts *f, size_t i, const Sample *x)
{
	return i + 1 == f->n_tok && f->tok[i].draft == TOK_REJECTED && (int64_t)x->step < f->tok[i].pos &&
		x->shape[0] <= DRAFTS_MAX;
}

static void rows_of(const Facts *f, const Sample *x, int per, RowAt *row, ProbeRows *out)
{
	size_t n = x->shape[0] / (uint32_t)per, width = row_width(x);
	int64_t i = -1;
	for (size_t k = 0; k < n && i < 0; k++) /* the first position that the text has */
		if ((i = facts_find(f, (int64_t)(x->step + k))) < 0 && k > 64)
			return;
	for (; i >= 0 && (size_t)i < f->n_tok; i++) {
		uint64_t pos = (uint64_t)f->tok[i].pos;
		if (pos < x->step || pos - x->step >= n)
			return;
		if (row_refused(f, (size_t)i, x))
			continue;
		out->found += !row[i].x;
		row[i] = (RowAt){ x, (size_t)(pos - x->step) * (size_t)per * width };
		out->width = width > out->width ? width : out->width;
	}
}

typedef struct Indexing {
	const Facts *f;
	int per;
	RowAt *row;
	ProbeRows *out;
} Indexing;

static void rows_take(void *ud, const Sample *x)
{
	const Indexing *g = ud;
	if (x->kind == SAMPLE_TENSOR && x->rank >= 2)
		rows_of(g->f, x, g->per, g->row, g->out);
}

ProbeRows probe_rows(const Look *l, const char *topic, int per)
{
	char key[96];
	bool made;
	snprintf(key, sizeof key, "rows %d %.80s", per, topic);
	ProbeRows *r = look_memo(l, key, sizeof *r, &made);
	if (!r)
		return (ProbeRows){ 0 };
	if (!made)
		return *r;
	r->n = l->facts->n_tok;
	RowAt *row = per > 0 && r->n && store_last(l->store, topic)
		? arena_zalloc(l->arena, r->n * sizeof *row)
		: NULL;
	if (row)
		store_each(l->store, topic, rows_take, &(Indexing){ l->facts, per, row, r });
	r->row = r->found ? row : NULL;
	return *r;
}

ProbeRows layer_rows(const Look *l, int64_t layer, const char *what, int per)
{
	char topic[80];
	snprintf(topic, sizeof topic, "layers.%lld.%s", (long long)layer, what);
	return probe_rows(l, topic, per);
}
