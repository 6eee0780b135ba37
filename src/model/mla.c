/* mla.c - Multi-head Latent Attention: V2 report 2.1, V3 report 2.1.1, eq. 1-11. Naive: keys and values of
 * every head are expanded from the latent. Absorbed: W_UK goes to the query side and W_UV behind the sum,
 * so the latent itself is the one key and value. */
#include "model/attn.h"

/* Of an attention from outside the rows that go into it are kept. */
KvShape attn_kv_shape(const Attn *a)
{
	if (a->kind == ATTN_OWN)
		return (KvShape){ { a->h, 0 } };
	if (a->kind == ATTN_MLA)
		return (KvShape){ { a->r, a->d_r } };
	return (KvShape){ { a->G * (a->d_n + a->d_r), a->G * a->d_v } };
}

static Ten *mla_query(Tape *t, const Attn *a, Ten *h)
{
	if (a->W_Q)
		return linear(t, h, a->W_Q);
	/* 6; the latent norms' eps is 1e-6 */
	LET(t, c_Q, rmsnorm(t, linear_bias(t, h, a->W_DQ, a->b_DQ), a->g_Q, 1e-6));
	return linear(t, c_Q, a->W_UQ);                                             /* 7 */
}

/* Stores the rows of this forward; false when there is no cache. */
static bool kv_store(const Run *r, int layer, Ten *x, Ten *y)
{
	if (!r->kv || !x || !y)
		return false;
	for (int i = 0; i < r->b->n_seq; i++) {
		const Seq *s = &r->b->seq[i];
		int64_t pos = r->b->pos[s->row0];
		kv_put(r->kv, layer, 0, r->b->slot[i], pos, x, s->row0, s->rows);
		kv_put(r->kv, layer, 1, r->b->slot[i], pos, y, s->row0, s->rows);
	}
	return true;
}

Seq *attn_seqs(Tape *t, const Run *r)
{
	Seq *s = tape_alloc(t, sizeof *s * (size_t)r->b->n_seq);
	for (int i = 0; s && i < r->b->n_seq; i++) {
		s[i] = r->b->seq[i];
		int pos = r->b->pos[s[i].row0];
		s[i].key0 = r->kv ? (int)(r->b->slot[i] * kv_stride(r->kv)) : s[i].row0;
		s[i].keys = r->kv ? pos + s[i].rows : s[i].rows;
	}
	return s;
}

Ten *attn_gather(Tape *t, const Run *r, int layer, int which, const Seq *seq)
{
	int64_t n = 0, at = 0;
	for (int i = 0; i < r->b->n_seq; i++)
		n += seq[i].keys;
	Ten *x = tape_ten2(t, n, kv_width(r->kv, layer, which));
	for (int i = 0; x && i < r->b->n_seq; i++) {
		kv_read(r->kv, layer, which, seq[i].key0, seq[i].keys, ten_real(x) + at * x->stride);
		at += seq[i].keys;
	}
	return x;
}

static void seqs_end_to_end(Seq *s, int n)
{
	for (int i = 0, at = 0; i < n; at += s[i++].keys)
		s[i].key0 = at;
}

static Ten *mla_naive(Tape *t, const Run *r, const Attn *a, int layer, Ten *q, Ten *c_KV, Ten *k_R)
{
	Seq *seq = attn_seqs(t, r);
	if (kv_store(r, layer, c_KV, k_R) && seq) {
		c_KV = attn_gather(t, r, layer, 0, seq);
		k_R = attn_gather(t, r, layer, 1, seq);
		seqs_end_to_end(seq, r->b->n_seq);
	}
	int w = a->d_n + a->d_v;
	LET(t, kv, linear(t, c_KV, a->W_UKV));                                      /* 2, 5 */
	Attend at = { a->H, a->H, a->d_n, a->d_r, a->d_v, w, w, a->scale, seq, r->b->n_seq };
	Ten *k = cols(t, kv, 0, (int64_t)a->H * w - a->d_v), *v = cols(t, kv, a->d_n, (int64_t)a->H * w - a->d_n);
	if (!tape_wants(t, "scores") && !tape_wants(t, "probs"))
		return attend(t, q, k, k_R, v, &at);                                /* 9, 10 */
	LET(t, scores, attend_scores(t, q, k, k_R, &at));
	LET(t, probs, attend_probs(t, scores, &at));
	return attend_values(t, probs, v, &at);
}

static Ten *mla_absorbed(Tape *t, const Run *r, const Attn *a, int layer, Ten *q, Ten *c_KV, Ten *k_R)
{
	Seq *seq = attn_seqs(t, r);
	bool kept = kv_store(r, layer, c_KV, k_R);
	if (kept && kv_has_records(r->kv) && seq) {
		c_KV = attn_gather(t, r, layer, 0, seq);
		k_R = attn_gather(t, r, layer, 1, seq);
		seqs_end_to_end(seq, r->b->n_seq);
	} else if (kept) {
		c_KV = tape_leaf(t, kv_tensor(r->kv, layer, 0), false);
		k_R = tape_leaf(t, kv_tensor(r->kv, layer, 1), false);
	}
	Attend at = { a->H, 1, a->d_n, a->d_r, a->d_v, 0, 0, a->scale, seq, r->b->n_seq };
	Ten *probs = NULL;
	bool look = tape_wants(t, "probs");
	Ten *o = attend_latent(t, q, c_KV, k_R, a->W_UKV, &at, look ? &probs : NULL);
	if (look && probs)
		tape_name(t, "probs", probs);
	return o;
}

static Ten *mla_forward(Tape *t, const Run *r, const Attn *a, int layer, Ten *h)
{
	const RopeTable *table = &r->m->rope;
	LET(t, q, rope(t, mla_query(t, a, h), a->H, a->d_n + a->d_r, a->d_n, r->b->pos, table)); /* 8 */
	Ten *u = linear_bias(t, h, a->W_DKV, a->b_DKV);
	LET(t, c_KV, rmsnorm(t, cols(t, u, 0, a->r), a->g_KV, 1e-6));               /* 1 */
	LET(t, k_R, rope(t, cols(t, u, a->r, a->d_r), 1, a->d_r, 0, r->b->pos, table)); /* 3 */
	LET(t, heads, r->form == FORM_ABSORBED ? mla_absorbed(t, r, a, layer, q, c_KV, k_R)
					       : mla_naive(t, r, a, layer, q, c_KV, k_R));
	return linear_bias(t, heads, a->W_O, a->b_O);                               /* 11 */
}

/* MHA (G = H), GQA, MQA (G = 1) with rotated tails of the same widths as MLA's heads, for comparisons: V2
 * report, appendix. */
static Ten *gqa_forward(Tape *t, const Run *r, const Attn *a, int layer, Ten *h)
{
	const RopeTable *table = &r->m->rope;
	int d = a->d_n + a->d_r;
	LET(t, q, rope(t, linear(t, h, a->W_Q), a->H, d, a->d_n, r->b->pos, table));
	LET(t, k, rope(t, linear(t, h, a->W_K), a->G, d, a->d_n, r->b->pos, table));
	LET(t, v, linear(t, h, a->W_V));
	Seq *seq = attn_seqs(t, r);
	if (kv_store(r, layer, k, v) && seq) {
		k = attn_gather(t, r, layer, 0, seq);
		v = attn_gather(t, r, layer, 1, seq);
		seqs_end_to_end(seq, r->b->n_seq);
	}
	Attend at = { a->H, a->G, d, 0, a->d_v, d, a->d_v, a->scale, seq, r->b->n_seq };
	LET(t, heads, attend(t, q, k, NULL, v, &at));
	return linear_bias(t, heads, a->W_O, a->b_O);
}

Ten *attn_forward(Tape *t, const Run *r, const Attn *a, int layer, Ten *h)
{
	tape_push(t, "attn", -1);
	Ten *y = a->kind == ATTN_MLA ? mla_forward(t, r, a, layer, h)
		: a->kind == ATTN_GQA ? gqa_forward(t, r, a, layer, h) : attn_own(t, r, a, layer, h);
	y = tape_name(t, "out", y);
	tape_pop(t);
	return y;
}
