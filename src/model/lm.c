/* lm.c - the whole forward, and the MTP modules behind it (V3 report 2.2). */
#include "model/lm.h"

/* Room for the last position; false also when the tape had failed before, and b's arrays may not be there. */
static bool run_check(Tape *t, const Run *r)
{
	int64_t last = 0;
	if (tape_failed(t))
		return false;
	for (int i = 0; i < r->b->T; i++)
		if (r->b->pos[i] > last)
			last = r->b->pos[i];
	Err e = { 0 };
	if (lm_rope_reserve(r->m, last + 1, &e) && (!r->kv || kv_reserve(r->kv, last + 1, &e)))
		return true;
	tape_fail(t, e.code, "%s", e.text);
	return false;
}

Ten *lm_hidden(Tape *t, const Run *r)
{
	if (!run_check(t, r))
		return NULL;
	Ten *x = tape_name(t, "embed", embed(t, r->m->W_E, r->b->id, r->b->T));
	for (int i = 0; i < r->m->n_layers; i++)
		x = block_forward(t, r, &r->m->block[i], x);
	return tape_name(t, "final", rmsnorm(t, x, r->m->g_final, r->m->c.rms_norm_eps));
}

Ten *lm_logits(Tape *t, const Run *r, Ten *final, const int32_t *rows_wanted, int64_t n)
{
	if (rows_wanted)
		final = pick(t, final, rows_wanted, n);
	return tape_name(t, "logits", linear(t, final, r->m->W_head));
}

/* z_i = W_eh [norm(Emb(t_{i+k})) ; norm(h_i)], embedding first as the released weights have it; then a
 * whole block. */
Ten *mtp_hidden(Tape *t, const Run *r, int j, Ten *hid)
{
	const Mtp *m = &r->m->mtp[j];
	double eps = r->m->c.rms_norm_eps;
	if (!run_check(t, r))
		return NULL;
	tape_push(t, "mtp", j);
	Ten *emb = embed(t, r->m->W_E, r->b->id, r->b->T);
	LET(t, z, linear(t, concat(t, rmsnorm(t, emb, m->g_emb, eps), rmsnorm(t, hid, m->g_hid, eps)), m->W_eh));
	tape_pop(t);
	Ten *x = block_forward(t, r, &m->block, z);
	tape_push(t, "mtp", j);
	LET(t, final, rmsnorm(t, x, m->g_head, eps));
	tape_pop(t);
	return final;
}

Ten *mtp_logits(Tape *t, const Run *r, int j, Ten *out, const int32_t *rows_wanted, int64_t n)
{
	if (rows_wanted)
		out = pick(t, out, rows_wanted, n);
	tape_push(t, "mtp", j);
	LET(t, logits, linear(t, out, r->m->W_head));
	tape_pop(t);
	return logits;
}
