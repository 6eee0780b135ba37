/* op_attend_parts.c - attention in three steps, for those who look at or change scores and probabilities.
 * Slower than the fused form and holds T*H rows of all keys; the same result up to rounding. Row of token t
 * and head h: t * H + h. */
#include "ops/attend_core.h"
#include "num/rows.h"
#include <string.h>

/* One (sequence, head): the rows of scores lie H * width apart. */
typedef struct Parts { Pool *pool; const Attend *a; const Node *n; int64_t width; } Parts;
typedef struct Part { const Seq *s; int head, key_head; int64_t at, ld; } Part;

static Part part_of(const Parts *p, int i)
{
	const Attend *a = p->a;
	const Seq *s = &a->seq[i / a->H];
	int h = i % a->H;
	return (Part){ s, h, h / (a->H / a->G), ((int64_t)s->row0 * a->H + h) * p->width, a->H * p->width };
}

static Mat head_mat(const Ten *x, const Seq *s, int64_t from, int64_t width)
{
	AttSide side = { x->data, x->dtype, x->stride, 1 };
	return att_mat(&side, s->key0, from, s->keys, width);
}

/* Keys that row m of the sequence may look at. */
static int64_t seen(const Seq *s, int64_t m)
{
	return s->keys - s->rows + m + 1;
}

static void scores_run(void *arg, int i, int worker)
{
	const Parts *p = arg;
	const Attend *a = p->a;
	const Ten *q = p->n->in[0], *k = p->n->in[1], *k_R = p->n->in[2];
	Part h = part_of(p, i);
	const real *x = ten_real(q) + h.s->row0 * q->stride + h.head * (a->d_k + a->d_r);
	real *y = ten_real(p->n->out[0]) + h.at;
	Mat K = head_mat(k, h.s, (int64_t)h.key_head * a->k_width, a->d_k);
	gemm_nt_one(p->pool, worker, h.s->rows, x, q->stride, &K, y, h.ld, 0);
	if (k_R) {
		Mat R = head_mat(k_R, h.s, 0, a->d_r);
		gemm_nt_one(p->pool, worker, h.s->rows, x + a->d_k, q->stride, &R, y, h.ld, GEMM_ACC);
	}
	for (int64_t m = 0; m < h.s->rows; m++)
		for (int64_t s = 0; s < p->width; s++)
			y[m * h.ld + s] = s < seen(h.s, m) ? y[m * h.ld + s] * (real)a->scale : 0;
}

static void scores_fwd(Tape *t, Node *n)
{
	Parts p = { tape_pool(t), n->par, n, ten_cols(n->out[0]) };
	par_for(p.pool, p.a->n_seq * p.a->H, scores_run, &p);
}

/* With g = scale * gradient where a row may look: gq += g K, gk += g^T q. */
static void scores_back(Tape *t, const Parts *p, int i, real *g)
{
	const Attend *a = p->a;
	Ten *q = p->n->in[0], *k = p->n->in[1], *k_R = p->n->in[2];
	Part h = part_of(p, i);
	int64_t R = h.s->rows, S = h.s->keys, from = (int64_t)h.head * (a->d_k + a->d_r), ldq = ten_cols(q),
			ldk = ten_cols(k);
	for (int64_t m = 0; m < R; m++)
		for (int64_t s = 0; s < S; s++)
			g[m * S + s] =
				s < seen(h.s, m) ? (real)a->scale * op_grad_in(p->n->out[0])[h.at + m * h.ld + s] : 0;
	const real *x = ten_real(q) + h.s->row0 * q->stride + from;
	real *gq = tape_grad(t, q), *gk = tape_grad(t, k), *gr = tape_grad(t, k_R);
	Mat K = head_mat(k, h.s, (int64_t)h.key_head * a->k_width, a->d_k);
	if (gq)
		gemm_nn(p->pool, R, g, S, &K, gq + h.s->row0 * ldq + from, ldq, GEMM_ACC);
	if (gk)
		gemm_tn(p->pool, R, g, S, S, x, q->stride, a->d_k,
			gk + h.s->key0 * ldk + (int64_t)h.key_head * a->k_width, ldk, GEMM_ACC);
	if (!k_R)
		return;
	Mat KR = head_mat(k_R, h.s, 0, a->d_r);
	if (gq)
		gemm_nn(p->pool, R, g, S, &KR, gq + h.s->row0 * ldq + from + a->d_k, ldq, GEMM_ACC);
	if (gr)
		gemm_tn(p->pool, R, g, S, S, x + a->d_k, q->stride, a->d_r, gr + h.s->key0 * (int64_t)a->d_r, a->d_r,
			GEMM_ACC);
}

static void scores_bwd_x(Tape *t, Node *n)
{
	Parts p = { tape_pool(t), n->par, n, ten_cols(n->out[0]) };
	int64_t rows_max = 0;
	for (int i = 0; i < p.a->n_seq; i++)
		rows_max = p.a->seq[i].rows > rows_max ? p.a->seq[i].rows : rows_max;
	real *g = tape_alloc(t, (size_t)(rows_max * p.width) * sizeof *g);
	for (int i = 0; !tape_failed(t) && i < p.a->n_seq * p.a->H; i++)
		scores_back(t, &p, i, g);
}

static Ten *scores_case(Tape *t, int i, OpCase *c)
{
	int T, S;
	if (i >= 3)
		return NULL;
	c->what = i == 1 ? "GQA, two sequences" : "a past, rotary part";
	Attend a = att_case(i, i == 1 ? 4 : 2, i == 2 ? 1 : 2, &T, &S);
	Ten *q = case_leaf(t, c, REAL_DTYPE, T, a.H * (a.d_k + a.d_r), 1),
		*k = case_leaf(t, c, REAL_DTYPE, S, a.G * a.d_k, 1);
	return attend_scores(t, q, k, a.d_r ? case_leaf(t, c, REAL_DTYPE, S, a.d_r, 1) : NULL, &a);
}

const Op op_attend_scores = {
	.name = "attend_scores",
	.equation = "scores_{ti,s} = scale (q_C,i k_C + q_R,i k_R), s <= t",
	.doc = "0 where a row may not look.",
	.source = "V3 report 2.1.1 eq. 10", .fwd = scores_fwd, .bwd_x = scores_bwd_x, .cases = scores_case,
};

Ten *attend_scores(Tape *t, Ten *q, Ten *k, Ten *k_R, const Attend *a)
{
	const Op *op = &op_attend_scores;
	Ten *in[] = { q, k, k_R };
	if (!op_ready(t, op, 2, in) || !op_is_real(t, op, q) || !att_seqs_fit(t, op, q, k, a))
		return NULL;
	if (a->H < 1 || a->G < 1 || a->H % a->G || ten_cols(q) != (int64_t)a->H * (a->d_k + a->d_r) ||
		ten_cols(k) < (int64_t)(a->G - 1) * a->k_width + a->d_k)
		return op_misfit(
			t, op, q, k, "%d query heads of width %d + %d, %d key heads", a->H, a->d_k, a->d_r, a->G);
	if ((a->d_r > 0) != (k_R != NULL) || (k_R && (ten_rows(k_R) != ten_rows(k) || ten_cols(k_R) != a->d_r)))
		return op_misfit(t, op, k, k_R, "the shared rotary key has width %d", a->d_r);
	if ((k->dtype != REAL_DTYPE && k->dtype != DT_BF16) || (k_R && k_R->dtype != k->dtype))
		return op_misfit(t, op, k, k_R, "%s cannot be a cache", dtype_name(k->dtype));
	Node *n = tape_node(t, op, 3, in);
	if (!n)
		return NULL;
	n->par = att_keep(t, a);
	return tape_run(t, n, tape_ten2(t, ten_rows(q) * a->H, att_max_keys(a)));
}

static void probs_run(void *arg, int i, int worker)
{
	const Parts *p = arg;
	const Ten *x = p->n->in[0];
	Part h = part_of(p, i);
	(void)worker;
	for (int64_t m = 0; m < h.s->rows; m++) {
		int64_t n = seen(h.s, m), row = (h.s->row0 + m) * p->a->H + h.head;
		real *y = ten_real(p->n->out[0]) + row * p->width;
		memcpy(y, ten_real(x) + row * x->stride, (size_t)n * sizeof *y);
		memset(y + n, 0, (size_t)(p->width - n) * sizeof *y);
		rows_softmax(p->pool, 1, n, y, p->width);
	}
}

static void probs_fwd(Tape *t, Node *n)
{
	Parts p = { tape_pool(t), n->par, n, ten_cols(n->out[0]) };
	par_for(p.pool, p.a->n_seq * p.a->H, probs_run, &p);
}

static void probs_bwd_x(Tape *t, Node *n)
{
	Parts p = { tape_pool(t), n->par, n, ten_cols(n->out[0]) };
	real *d = tape_grad(t, n->in[0]);
	for (int i = 0; d && i < p.a->n_seq * p.a->H; i++) {
		Part h = part_of(&p, i);
		for (int64_t m = 0; m < h.s->rows; m++) {
			int64_t at = h.at + m * h.ld, see = seen(h.s, m);
			const real *y = ten_real(n->out[0]) + at, *g = op_grad_in(n->out[0]) + at;
			real dot = 0;
			for (int64_t s = 0; s < see; s++)
				dot += y[s] * g[s];
			for (int64_t s = 0; s < see; s++)
				d[at + s] += y[s] * (g[s] - dot);
		}
	}
}

static Ten *probs_case(Tape *t, int i, OpCase *c)
{
	int T, S;
	if (i >= 2)
		return NULL;
	c->what = i ? "two sequences" : "a past";
	Attend a = att_case(i, 2, 2, &T, &S);
	return attend_probs(t, case_leaf(t, c, REAL_DTYPE, T * a.H, att_max_keys(&a), 1), &a);
}

const Op op_attend_probs = {
	.name = "attend_probs",
	.equation = "probs = softmax_{s<=t}(scores)",
	.doc = "0 where a row may not look.",
	.source = "V3 report 2.1.1 eq. 10", .fwd = probs_fwd, .bwd_x = probs_bwd_x, .cases = probs_case,
};

/* x has a row for each of the sequences' rows and heads, and a column for each key. */
static bool parts_fit(Tape *t, const Op *op, const Ten *x, const Attend *a)
{
	int64_t T = 0;
	for (int i = 0; i < a->n_seq; i++) {
		if (a->seq[i].rows < 0 || a->seq[i].row0 != T || a->seq[i].keys < a->seq[i].rows)
			T = -1;
		if (T < 0)
			break;
		T += a->seq[i].rows;
	}
	if (!op_is_real(t, op, x))
		return false;
	if (T >= 0 && a->H > 0 && a->G > 0 && a->H % a->G == 0 && ten_rows(x) == T * a->H &&
		ten_cols(x) == att_max_keys(a))
		return true;
	op_misfit(t, op, x, NULL, "%d heads, %d sequences of up to %lld keys", a->H, a->n_seq,
		(long long)att_max_keys(a));
	return false;
}

Ten *attend_probs(Tape *t, Ten *scores, const Attend *a)
{
	const Op *op = &op_attend_probs;
	if (!op_ready(t, op, 1, &scores) || !parts_fit(t, op, scores, a))
		return NULL;
	Node *n = tape_node(t, op, 1, &scores);
	if (!n)
		return NULL;
	n->par = att_keep(t, a);
	return tape_run(t, n, tape_ten2(t, ten_rows(scores), ten_cols(scores)));
}

static void values_run(void *arg, int i, int worker)
{
	const Parts *p = arg;
	const Ten *x = p->n->in[0], *v = p->n->in[1], *o = p->n->out[0];
	Part h = part_of(p, i);
	Mat V = head_mat(v, h.s, (int64_t)h.key_head * p->a->v_width, p->a->d_v);
	const real *probs = ten_real(x) + ((int64_t)h.s->row0 * p->a->H + h.head) * x->stride;
	real *y = ten_real(o) + h.s->row0 * o->stride + h.head * p->a->d_v;
	gemm_nn_one(p->pool, worker, h.s->rows, probs, p->a->H * x->stride, &V, y, o->stride, 0);
}

static void values_fwd(Tape *t, Node *n)
{
	Parts p = { tape_pool(t), n->par, n, ten_cols(n->in[0]) };
	par_for(p.pool, p.a->n_seq * p.a->H, values_run, &p);
}

/* gP += go V^T ; gv += P^T go */
static void values_bwd_x(Tape *t, Node *n)
{
	Parts p = { tape_pool(t), n->par, n, ten_cols(n->in[0]) };
	const Attend *a = p.a;
	Ten *x = n->in[0], *v = n->in[1];
	int64_t ldo = ten_cols(n->out[0]), ldv = ten_cols(v);
	real *gp = tape_grad(t, x), *gv = tape_grad(t, v);
	for (int i = 0; !tape_failed(t) && i < a->n_seq * a->H; i++) {
		Part h = part_of(&p, i);
		int64_t col = (int64_t)h.key_head * a->v_width;
		const real *go = op_grad_in(n->out[0]) + h.s->row0 * ldo + h.head * a->d_v;
		const real *probs = ten_real(x) + ((int64_t)h.s->row0 * a->H + h.head) * x->stride;
		Mat V = head_mat(v, h.s, col, a->d_v);
		if (gp)
			gemm_nt(p.pool, h.s->rows, go, ldo, &V, gp + h.at, h.ld, GEMM_ACC);
		if (gv)
			gemm_tn(p.pool, h.s->rows, probs, a->H * x->stride, h.s->keys, go, ldo, a->d_v,
				gv + h.s->key0 * ldv + col, ldv, GEMM_ACC);
	}
}

static Ten *values_case(Tape *t, int i, OpCase *c)
{
	int T, S;
	if (i >= 2)
		return NULL;
	c->what = i ? "GQA, two sequences" : "a past";
	Attend a = att_case(i, 4, 2, &T, &S);
	Ten *p = attend_probs(t, case_leaf(t, c, REAL_DTYPE, T * a.H, att_max_keys(&a), 1), &a);
	return attend_values(t, p, case_leaf(t, c, REAL_DTYPE, S, a.G * a.d_v, 1), &a);
}

const Op op_attend_values = {
	.name = "attend_values",
	.equation = "o = probs v",
	.doc = "Weighted sums of values.",
	.source = "V3 report 2.1.1 eq. 10",
	.fwd = values_fwd, .bwd_x = values_bwd_x, .cases = values_case,
};

Ten *attend_values(Tape *t, Ten *probs, Ten *v, const Attend *a)
{
	const Op *op = &op_attend_values;
	Ten *in[] = { probs, v };
	if (!op_ready(t, op, 2, in) || !parts_fit(t, op, probs, a))
		return NULL;
	if ((v->dtype != REAL_DTYPE && v->dtype != DT_BF16) ||
		ten_cols(v) < (int64_t)(a->G - 1) * a->v_width + a->d_v)
		return op_misfit(t, op, probs, v, "%d value heads of width %d, %d apart", a->G, a->d_v, a->v_width);
	for (int i = 0; i < a->n_seq; i++)
		if (a->seq[i].key0 < 0 || a->seq[i].key0 > ten_rows(v) - a->seq[i].keys)
			return op_misfit(t, op, probs, v, "sequence %d has keys %d to %d", i, a->seq[i].key0,
				a->seq[i].key0 + a->seq[i].keys);
	Node *n = tape_node(t, op, 2, in);
	if (!n)
		return NULL;
	n->par = att_keep(t, a);
	return tape_run(t, n, tape_ten2(t, ten_rows(probs) / a->H, (int64_t)a->H * a->d_v));
}
