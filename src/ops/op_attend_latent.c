/* op_attend_latent.c - MLA in its absorbed form: the up-projections of keys and values move to the query and
 * the result, and what remains is attention of all heads over one shared key and value, the latent (mla.md
 * 7). One pass over the cache serves all heads. Same result as naive MLA up to rounding. */
#include "ops/attend_core.h"
#include <string.h>

/* W_UKV as per-head matrices. A block-scaled FP8 weight whose heads do not begin on whole blocks is expanded
 * once a call. */
typedef struct Up { Mat all; int d_k, d_v; } Up;

typedef struct Latent {
	real *lse, *q, *u;  /* [T*H]; q~ and the weighted latents, [T, H*r] */
	real *gq;           /* gradient of q~, from bwd_x to bwd_w */
} Latent;

/* What every step of the walk over heads needs: operand x per head, result y per head. */
typedef struct Heads {
	Pool *pool;
	const Up *up;
	int64_t T;
	AttSide x;
	AttOut y;
	bool value, transposed;
	unsigned flags;
} Heads;

static bool up_open(Tape *t, const Ten *W, const Attend *a, Up *up)
{
	*up = (Up){ ten_mat(W), a->d_k, a->d_v };
	if (!W->scale || (a->d_k % 128 == 0 && a->d_v % 128 == 0))
		return true;
	real *p = tape_alloc(t, (size_t)ten_count(W) * sizeof *p);
	if (!p)
		return false;
	ten_read(W, 0, ten_rows(W), p);
	up->all = (Mat){
		.data = p, .dtype = REAL_DTYPE, .rows = ten_rows(W), .cols = ten_cols(W), .stride = ten_cols(W)
	};
	return true;
}

/* W_UK,i or W_UV,i. */
static Mat up_head(const Up *up, int64_t head, bool value)
{
	Mat m = up->all;
	int64_t row = head * (up->d_k + up->d_v) + (value ? up->d_k : 0);
	m.data = (const char *)m.data + row * m.stride * (int64_t)(dtype_bits(m.dtype) / 8);
	m.rows = value ? up->d_v : up->d_k;
	if (m.scale)
		m.scale += row / 128 * m.scale_stride;
	return m;
}

/* y_i = x_i W^T, or x_i W when transposed. */
static void head_run(void *arg, int i, int worker)
{
	const Heads *h = arg;
	Mat W = up_head(h->up, i, h->value);
	const real *x = att_real(&h->x, 0, i);
	real *y = att_out(&h->y, 0, i);
	if (h->transposed)
		gemm_nn_one(h->pool, worker, h->T, x, h->x.ld, &W, y, h->y.ld, h->flags);
	else
		gemm_nt_one(h->pool, worker, h->T, x, h->x.ld, &W, y, h->y.ld, h->flags);
}

enum { INLINE_COST = 1 << 15 }; /* products too small to be worth a hand-over */

static void heads_run(const Heads *h, int H)
{
	int64_t cost = h->T * H * h->up->all.cols * (h->value ? h->up->d_v : h->up->d_k);
	if (cost > INLINE_COST) {
		par_for(h->pool, H, head_run, (void *)(uintptr_t)h);
		return;
	}
	for (int i = 0; i < H; i++)
		head_run((void *)(uintptr_t)h, i, 0);
}

static AttCore core_of(const Node *n, const Latent *l)
{
	const Attend *a = n->par;
	const Ten *q = n->in[0], *c_KV = n->in[1], *k_R = n->in[2];
	int r = (int)ten_cols(c_KV);
	AttCore c = { .H = a->H,
		.group = a->H,
		.d1 = r,
		.d2 = a->d_r,
		.dv = r,
		.scale = (real)a->scale,
		.seq = a->seq,
		.n_seq = a->n_seq,
		.lse = l->lse };
	c.q1 = (AttSide){ l->q, REAL_DTYPE, (int64_t)a->H * r, r };
	c.q2 = (AttSide){ (real *)q->data + a->d_k, REAL_DTYPE, q->stride, a->d_k + a->d_r };
	c.k1 = c.v = (AttSide){ c_KV->data, c_KV->dtype, c_KV->stride, 0 };
	if (k_R)
		c.k2 = (AttSide){ k_R->data, k_R->dtype, k_R->stride, 0 };
	c.o = (AttOut){ l->u, (int64_t)a->H * r, r };
	return c;
}

static void latent_fwd(Tape *t, Node *n)
{
	const Attend *a = n->par;
	const Ten *q = n->in[0], *o = n->out[0], *probs = n->n_out > 1 ? n->out[1] : NULL;
	int64_t T = ten_rows(q), r = ten_cols(n->in[1]), wide = a->H * r;
	bool saves = tape_saves(t, n);
	ArenaMark mark = arena_mark(tape_arena(t));
	Latent own = { 0 }, *l = &own;
	Up up;
	if (saves)
		n->saved = l = tape_alloc(t, sizeof *l);
	if (tape_failed(t) || !up_open(t, n->in[3], a, &up))
		return;
	*l = own;
	l->q = tape_alloc(t, (size_t)(2 * T * wide) * sizeof(real));
	if (saves || probs)
		l->lse = tape_alloc(t, (size_t)(T * a->H) * sizeof(real));
	if (tape_failed(t))
		return;
	l->u = l->q + T * wide;
	Heads h = { .pool = tape_pool(t),
		.up = &up,
		.T = T,
		.x = { q->data, REAL_DTYPE, q->stride, a->d_k + a->d_r },
		.y = { l->q, wide, r },
		.transposed = true };
	heads_run(&h, a->H);
	AttCore c = core_of(n, l);
	att_forward(t, &c);
	Heads v = { .pool = tape_pool(t),
		.up = &up,
		.T = T,
		.x = { l->u, REAL_DTYPE, wide, r },
		.y = { ten_real(o), o->stride, a->d_v },
		.value = true };
	if (!tape_failed(t))
		heads_run(&v, a->H);
	if (!tape_failed(t) && probs)
		att_probs(t, &c, ten_real(probs), ten_cols(probs));
	if (!saves)
		arena_release(tape_arena(t), mark);
}

/* gu_i = go_i W_UV,i ; attention gives the gradient of q~ ; gq_C,i = gq~_i W_UK,i^T. */
static void latent_bwd_x(Tape *t, Node *n)
{
	const Attend *a = n->par;
	Latent *l = n->saved;
	Ten *q = n->in[0], *c_KV = n->in[1], *k_R = n->in[2];
	int64_t T = ten_rows(q), r = ten_cols(c_KV), wide = a->H * r, dq = a->d_k + a->d_r;
	real *gq = tape_grad(t, q), *gc = tape_grad(t, c_KV),
		 *gu = tape_alloc(t, (size_t)(2 * T * wide) * sizeof(real));
	Up up;
	if (!gu || !up_open(t, n->in[3], a, &up))
		return;
	l->gq = gu + T * wide;
	memset(l->gq, 0, (size_t)(T * wide) * sizeof(real));
	Heads u = { .pool = tape_pool(t),
		.up = &up,
		.T = T,
		.x = { op_grad_in(n->out[0]), REAL_DTYPE, ten_cols(n->out[0]), a->d_v },
		.y = { gu, wide, r },
		.value = true,
		.transposed = true };
	heads_run(&u, a->H);
	AttCore c = core_of(n, l);
	AttGrads g = { .add_q = true, .q1 = { l->gq, wide, r },
		.q2 = { gq ? gq + a->d_k : NULL, ten_cols(q), dq },
		.k1 = { gc, r, 0 },
		.v = { gc, r, 0 },
		.go = { gu, REAL_DTYPE, wide, r } };
	if (k_R)
		g.k2 = (AttOut){ tape_grad(t, k_R), a->d_r, 0 };
	if (tape_failed(t))
		return;
	att_backward(t, &c, &g);
	Heads back = { .pool = tape_pool(t),
		.up = &up,
		.T = T,
		.x = { l->gq, REAL_DTYPE, wide, r },
		.y = { gq, ten_cols(q), dq },
		.flags = GEMM_ACC };
	if (gq && !tape_failed(t))
		heads_run(&back, a->H);
}

/* dW_UK,i += q_C,i^T gq~_i ; dW_UV,i += go_i^T u_i */
static void latent_bwd_w(Tape *t, Node *n)
{
	const Attend *a = n->par;
	const Latent *l = n->saved;
	const Ten *q = n->in[0];
	int64_t T = ten_rows(q), r = ten_cols(n->in[1]), wide = a->H * r, W = ten_cols(n->out[0]);
	real *d = tape_grad(t, n->in[3]);
	for (int i = 0; d && i < a->H; i++, d += (a->d_k + a->d_v) * r) {
		gemm_tn(tape_pool(t), T, ten_real(q) + i * (a->d_k + a->d_r), q->stride, a->d_k, l->gq + i * r, wide,
			r, d, r, GEMM_ACC);
		gemm_tn(tape_pool(t), T, op_grad_in(n->out[0]) + i * a->d_v, W, a->d_v, l->u + i * r, wide, r,
			d + a->d_k * r, r, GEMM_ACC);
	}
}

static Ten *latent_case(Tape *t, int i, OpCase *c)
{
	static const char *const what[] = { "a past, rotary part", "two sequences, no rotary part", "67 keys" };
	int T, S, r = i == 2 ? 3 : 5;
	if (i >= 3)
		return NULL;
	c->what = what[i];
	Attend a = att_case(i, i == 2 ? 1 : 2, 1, &T, &S);
	Ten *q = case_leaf(t, c, REAL_DTYPE, T, a.H * (a.d_k + a.d_r), 1),
		*c_KV = case_leaf(t, c, REAL_DTYPE, S, r, 1);
	Ten *k_R = a.d_r ? case_leaf(t, c, REAL_DTYPE, S, a.d_r, 1) : NULL;
	return attend_latent(
		t, q, c_KV, k_R, case_leaf(t, c, REAL_DTYPE, a.H * (a.d_k + a.d_v), r, 0.7), &a, NULL);
}

const Op op_attend_latent = {
	.name = "attend_latent",
	.equation = "q~_i = W_UK,i^T q_C,i ; "
				"o_i = W_UV,i sum_s softmax_s(scale (q~_i c_KV(s) + q_R,i k_R(s))) c_KV(s)",
	.doc = "MLA absorbed; gradients to q, c_KV, k_R and W_UKV when the cache is stored as computed; none "
		   "through probs_out.",
	.source = "V2 report 2.1.2; mla.md 7",
	.fwd = latent_fwd,
	.bwd_x = latent_bwd_x,
	.bwd_w = latent_bwd_w,
	.cases = latent_case,
};

static bool latent_fits(Tape *t, const Ten *q, const Ten *c_KV, const Ten *k_R, const Ten *W, const Attend *a)
{
	const Op *op = &op_attend_latent;
	bool grads = tape_recording(t) && (c_KV->needs_grad || (k_R && k_R->needs_grad));
	if (!op_is_real(t, op, q) || !att_seqs_fit(t, op, q, c_KV, a))
		return false;
	if (a->H < 1 || a->d_k < 1 || a->d_r < 0 || a->d_v < 1 ||
		ten_cols(q) != (int64_t)a->H * (a->d_k + a->d_r))
		op_misfit(t, op, q, W, "%d query heads of width %d + %d", a->H, a->d_k, a->d_r);
	else if (!dtype_is_float(W->dtype) || ten_rows(W) != (int64_t)a->H * (a->d_k + a->d_v) ||
		ten_cols(W) != ten_cols(c_KV))
		op_misfit(t, op, c_KV, W, "%d heads of width %d + %d over the latent", a->H, a->d_k, a->d_v);
	else if (c_KV->dtype != REAL_DTYPE && c_KV->dtype != DT_BF16)
		op_misfit(t, op, c_KV, NULL, "%s cannot be a cache", dtype_name(c_KV->dtype));
	else if ((a->d_r > 0) != (k_R != NULL))
		op_misfit(t, op, q, c_KV, "a rotary part of width %d, and %s rotary key", a->d_r, k_R ? "a" : "no");
	else if (k_R && (k_R->dtype != c_KV->dtype || ten_rows(k_R) != ten_rows(c_KV) || ten_cols(k_R) != a->d_r))
		op_misfit(t, op, c_KV, k_R, "the shared rotary key has width %d and the latent's type", a->d_r);
	else if (grads && c_KV->dtype != REAL_DTYPE)
		op_misfit(t, op, c_KV, NULL, "a %s cache cannot carry a gradient", dtype_name(c_KV->dtype));
	else
		return true;
	return false;
}

Ten *attend_latent(Tape *t, Ten *q, Ten *c_KV, Ten *k_R, Ten *W_UKV, const Attend *a, Ten **probs_out)
{
	Ten *need[] = { q, c_KV, W_UKV }, *in[] = { q, c_KV, k_R, W_UKV };
	if (probs_out)
		*probs_out = NULL;
	if (!op_ready(t, &op_attend_latent, 3, need) || !latent_fits(t, q, c_KV, k_R, W_UKV, a))
		return NULL;
	Node *n = tape_node(t, &op_attend_latent, 4, in);
	if (!n)
		return NULL;
	n->par = att_keep(t, a);
	n->out[0] = tape_ten2(t, ten_rows(q), (int64_t)a->H * a->d_v);
	n->n_out = 1;
	if (probs_out)
		n->out[n->n_out++] = tape_ten2(t, ten_rows(q) * a->H, att_max_keys(a));
	Ten *o = tape_run(t, n, n->out[0]);
	if (o && probs_out) {
		n->out[1]->needs_grad = false;
		*probs_out = n->out[1];
	}
	return o;
}
