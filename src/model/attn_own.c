/* attn_own.c - an attention from outside (LmParts): what it sees, and what is asked of what it gives. In training its rows are those of the
 * forward. In generation the model does not know what such an attention would keep, so the rows that go into it are kept, and the whole text
 * is computed anew for the rows that are wanted: slow, and right for any attention. */
#include "model/attn.h"

/* The batch that a part from outside sees when rows are kept: whole texts, from their first positions on. wanted: the rows of this
 * forward among them. */
static bool own_texts(Tape *t, const Run *r, Seq *seq, Batch *all, int32_t *wanted)
{
	*all = *r->b;
	all->T = 0;
	for (int i = 0; i < r->b->n_seq; i++)
		all->T += seq[i].keys;
	int32_t *pos = tape_alloc(t, sizeof *pos * (size_t)(all->T + 1)), *id = tape_alloc(t, sizeof *id * (size_t)(all->T + 1));
	for (int i = 0, at = 0; pos && id && i < r->b->n_seq; at += seq[i++].rows) {
		for (int k = 0; k < seq[i].keys; k++) {
			pos[at + k] = k;
			id[at + k] = -1; /* not kept: attention reads positions only */
		}
		for (int k = 0; k < seq[i].rows; k++)
			wanted[r->b->seq[i].row0 + k] = at + seq[i].keys - seq[i].rows + k;
		seq[i] = (Seq){ .row0 = at, .rows = seq[i].keys };
	}
	all->pos = pos;
	all->id = id;
	all->seq = seq;
	all->slot = NULL;
	return pos && id;
}

/* An attention from outside. Without a cache it sees the rows as they are; with one, what went into it for all positions so far. */
static Ten *own_forward(Tape *t, const Run *r, const Attn *a, int layer, Ten *h)
{
	Seq *seq = attn_seqs(t, r);
	int32_t *wanted = tape_alloc(t, sizeof *wanted * (size_t)(r->b->T + 1));
	if (!seq || !wanted || tape_failed(t))
		return NULL;
	if (!r->kv)
		return a->part->forward(a->part->ud, t, r, layer, a->own, h);
	for (int i = 0; i < r->b->n_seq; i++)
		kv_put(r->kv, layer, 0, r->b->slot[i], r->b->pos[r->b->seq[i].row0], h, r->b->seq[i].row0, r->b->seq[i].rows);
	Batch all;
	Ten *texts = attn_gather(t, r, layer, 0, seq);
	if (!texts || !own_texts(t, r, seq, &all, wanted))
		return NULL;
	Run whole = { r->m, NULL, &all, r->form };
	Ten *y = a->part->forward(a->part->ud, t, &whole, layer, a->own, texts);
	return y && ten_rows(y) == all.T ? pick(t, y, wanted, r->b->T) : y;
}

Ten *attn_own(Tape *t, const Run *r, const Attn *a, int layer, Ten *h)
{
	Ten *y = own_forward(t, r, a, layer, h);
	if (tape_failed(t))
		return NULL;
	if (y && y->dtype == REAL_DTYPE && ten_rows(y) == ten_rows(h) && ten_cols(y) == ten_cols(h))
		return y;
	return tape_fail(t, E_6003, "%s: gave [%lldx%lld]; attention must give [%lldx%lld], as what goes into it", a->part->name,
		(long long)(y ? ten_rows(y) : 0), (long long)(y ? ten_cols(y) : 0), (long long)ten_rows(h), (long long)ten_cols(h));
}
