/* op_attend.c - attention in one piece, for MHA, GQA, MQA and naive MLA; also what its variants share: the
 * sequences. */
#include "ops/attend_core.h"
#include <string.h>

bool att_seqs_fit(Tape *t, const Op *op, const Ten *q, const Ten *k, const Attend *a)
{
	int64_t row = 0, S = k ? ten_rows(k) : INT32_MAX;
	for (int i = 0; i < a->n_seq; i++) {
		const Seq *s = &a->seq[i];
		if (s->rows < 0 || s->row0 != row || s->keys < s->rows || s->key0 < 0 || s->key0 > S - s->keys) {
			op_misfit(t, op, q, k, "sequence %d has rows %d to %d and keys %d to %d", i, s->row0,
				s->row0 + s->rows, s->key0, s->key0 + s->keys);
			return false;
		}
		row += s->rows;
	}
	if (row != ten_rows(q)) {
		op_misfit(t, op, q, k, "the sequences cover %lld rows", (long long)row);
		return false;
	}
	return true;
}

int64_t att_max_keys(const Attend *a)
{
	int64_t n = 0;
	for (int i = 0; i < a->n_seq; i++)
		n = a->seq[i].keys > n ? a->seq[i].keys : n;
	return n;
}

Attend *att_keep(Tape *t, const Attend *a)
{
	if (!tape_recording(t))
		return (Attend *)(uintptr_t)a; /* only read, and the caller's until the op is done */
	Attend copy = *a, *own;
	own = tape_keep(t, &copy, sizeof copy);
	if (own)
		own->seq = tape_keep(t, (void *)(uintptr_t)a->seq, (size_t)a->n_seq * sizeof *a->seq);
	return own && own->seq ? own : NULL;
}

static AttCore core_of(const Node *n)
{
	const Attend *a = n->par;
	const Ten *q = n->in[0], *k = n->in[1], *k_R = n->in[2], *v = n->in[3], *o = n->out[0];
	int64_t dq = a->d_k + a->d_r;
	AttCore c = { .H = a->H,
		.group = a->H / a->G,
		.d1 = a->d_k,
		.d2 = a->d_r,
		.dv = a->d_v,
		.scale = (real)a->scale,
		.turned = true,
		.seq = a->seq,
		.n_seq = a->n_seq,
		.lse = n->saved };
	c.q1 = (AttSide){ q->data, REAL_DTYPE, q->stride, dq };
	c.q2 = (AttSide){ (real *)q->data + a->d_k, REAL_DTYPE, q->stride, dq };
	c.k1 = (AttSide){ k->data, k->dtype, k->stride, a->k_width };
	if (k_R)
		c.k2 = (AttSide){ k_R->data, k_R->dtype, k_R->stride, 0 };
	c.v = (AttSide){ v->data, v->dtype, v->stride, a->v_width };
	c.o = (AttOut){ ten_real(o), o->stride, a->d_v };
	return c;
}

static void attend_fwd(Tape *t, Node *n)
{
	const Attend *a = n->par;
	if (tape_saves(t, n))
		n->saved = tape_alloc(t, (size_t)(ten_rows(n->in[0]) * a->H) * sizeof(real));
	AttCore c = core_of(n);
	if (!tape_failed(t))
		att_forward(t, &c);
}

static void attend_bwd_x(Tape *t, Node *n)
{
	const Attend *a = n->par;
	AttCore c = core_of(n);
	Ten *q = n->in[0], *k = n->in[1], *k_R = n->in[2], *v = n->in[3];
	int64_t dq = a->d_k + a->d_r, W = ten_cols(n->out[0]);
	AttGrads g = { .go = { op_grad_in(n->out[0]), REAL_DTYPE, W, a->d_v } };
	g.k1 = (AttOut){ tape_grad(t, k), ten_cols(k), a->k_width };
	if (k_R)
		g.k2 = (AttOut){ tape_grad(t, k_R), ten_cols(k_R), 0 };
	g.v = (AttOut){ tape_grad(t, v), ten_cols(v), a->v_width };
	real *gq = tape_grad_place(t, q, &g.add_q); /* last: q may be one of the others */
	g.q1 = (AttOut){ gq, ten_cols(q), dq };
	g.q2 = (AttOut){ gq ? gq + a->d_k : NULL, ten_cols(q), dq };
	if (!tape_failed(t))
		att_backward(t, &c, &g);
}

Attend att_case(int i, int H, int G, int *T, int *S)
{
	static const Seq seq[] = { { 0, 3, 1, 5 }, { 0, 2, 0, 4 }, { 2, 3, 4, 3 }, { 0, 2, 0, 67 } };
	static const int T_of[] = { 3, 5, 2 }, S_of[] = { 6, 7, 67 };
	*T = T_of[i];
	*S = S_of[i];
	return (Attend){ .H = H,
		.G = G,
		.d_k = 3,
		.d_r = i == 1 ? 0 : 2,
		.d_v = i == 1 ? 4 : 2,
		.k_width = 3,
		.v_width = i == 1 ? 4 : 2,
		.scale = 0.7,
		.seq = seq + i + (i == 2),
		.n_seq = i == 1 ? 2 : 1 };
}

/* Four arrangements of heads, with a past, with two sequences, past one block of keys; last: k and v as views
 * of kv. */
static Ten *attend_case(Tape *t, int i, OpCase *c)
{
	static const char *const what[] = { "MHA, a past, rotary part", "GQA, two sequences", "MQA, 67 keys",
		"MLA: k and v are views of kv" };
	static const int G[] = { 2, 2, 1, 2 };
	int T, S;
	if (i >= 4)
		return NULL;
	c->what = what[i];
	Attend a = att_case(i % 3, i == 1 ? 4 : 2, G[i], &T, &S);
	Ten *q = case_leaf(t, c, REAL_DTYPE, T, a.H * (a.d_k + a.d_r), 1), *k, *v;
	if (i == 3) {
		a.k_width = a.v_width = a.d_k + a.d_v;
		Ten *kv = case_leaf(t, c, REAL_DTYPE, S, a.G * a.k_width, 1);
		k = cols(t, kv, 0, a.G * a.k_width - a.d_v);
		v = cols(t, kv, a.d_k, a.G * a.k_width - a.d_k);
	} else {
		k = case_leaf(t, c, REAL_DTYPE, S, a.G * a.d_k, 1);
		v = case_leaf(t, c, REAL_DTYPE, S, a.G * a.d_v, 1);
	}
	return attend(t, q, k, a.d_r ? case_leaf(t, c, REAL_DTYPE, S, a.d_r, 1) : NULL, v, &a);
}

const Op op_attend = {
	.name = "attend", .equation = "o = softmax_{s<=t}(scale (q_C k_C + q_R k_R)) v",
	.doc = "Causal attention in one piece; gradients to q, k, k_R and v when all are stored as computed.",
	.source = "V3 report 2.1.1 eq. 10; training.md 2.5, 2.6",
	.fwd = attend_fwd, .bwd_x = attend_bwd_x, .cases = attend_case,
};

static bool cache_type(const Ten *x)
{
	return x->dtype == REAL_DTYPE || x->dtype == DT_BF16;
}

static bool needs_real_cache(Tape *t, const Op *op, const Ten *x)
{
	if (!x->needs_grad || !tape_recording(t) || x->dtype == REAL_DTYPE)
		return true;
	op_misfit(t, op, x, NULL, "a %s cache cannot carry a gradient", dtype_name(x->dtype));
	return false;
}

static bool attend_fits(Tape *t, const Ten *q, const Ten *k, const Ten *k_R, const Ten *v, const Attend *a)
{
	const Op *op = &op_attend;
	if (!op_is_real(t, op, q) || !att_seqs_fit(t, op, q, k, a))
		return false;
	if (a->H < 1 || a->G < 1 || a->H % a->G || a->d_k < 1 || a->d_r < 0 || a->d_v < 1 ||
		ten_cols(q) != (int64_t)a->H * (a->d_k + a->d_r))
		op_misfit(t, op, q, k, "%d query heads of width %d + %d, %d key heads", a->H, a->d_k, a->d_r, a->G);
	else if (!cache_type(k) || ten_cols(k) < (int64_t)(a->G - 1) * a->k_width + a->d_k)
		op_misfit(t, op, q, k, "%d key heads of width %d, %d apart", a->G, a->d_k, a->k_width);
	else if (!cache_type(v) || ten_rows(v) != ten_rows(k) ||
		ten_cols(v) < (int64_t)(a->G - 1) * a->v_width + a->d_v)
		op_misfit(t, op, k, v, "%d value heads of width %d, %d apart", a->G, a->d_v, a->v_width);
	else if ((a->d_r > 0) != (k_R != NULL))
		op_misfit(t, op, q, k, "a rotary part of width %d, and %s rotary key", a->d_r, k_R ? "a" : "no");
	else if (k_R && (!cache_type(k_R) || ten_rows(k_R) != ten_rows(k) || ten_cols(k_R) != a->d_r))
		op_misfit(t, op, k, k_R, "the shared rotary key has width %d", a->d_r);
	else
		return needs_real_cache(t, op, k) && needs_real_cache(t, op, v) &&
			(!k_R || needs_real_cache(t, op, k_R));
	return false;
}

Ten *attend(Tape *t, Ten *q, Ten *k, Ten *k_R, Ten *v, const Attend *a)
{
	Ten *need[] = { q, k, v }, *in[] = { q, k, k_R, v };
	if (!op_ready(t, &op_attend, 3, need) || !attend_fits(t, q, k, k_R, v, a))
		return NULL;
	Node *n = tape_node(t, &op_attend, 4, in);
	if (!n)
		return NULL;
	n->par = att_keep(t, a);
	return tape_run(t, n, tape_ten2(t, ten_rows(q), (int64_t)a->H * a->d_v));
}
