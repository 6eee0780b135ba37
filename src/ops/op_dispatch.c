/* op_dispatch.c - copies of tokens sorted by expert, and the weighted sum that brings them back. Within an
 * expert rows stand in the order of tokens, and a token's sum runs over its experts in ascending order, so
 * results do not depend on the batch. */
#include "ops/op.h"
#include "num/kernels.h"
#include <string.h>

/* offset[e+1] first counts the rows of e, then becomes their end. */
static bool count_rows(Tape *t, const Ten *topk, int E, int64_t *offset)
{
	memset(offset, 0, (size_t)(E + 1) * sizeof *offset);
	for (int64_t i = 0; i < ten_rows(topk); i++)
		for (int64_t k = 0; k < ten_cols(topk); k++) {
			int32_t e = ((const int32_t *)topk->data)[i * topk->stride + k];
			if (e < 0 || e >= E) {
				op_misfit(t, &op_dispatch, topk, NULL, "token row %lld chooses expert %d of %d", (long long)i,
					e, E);
				return false;
			}
			offset[e + 1]++;
		}
	for (int e = 0; e < E; e++)
		offset[e + 1] += offset[e];
	return true;
}

const Dispatch *dispatch_plan(Tape *t, Ten *topk, int E)
{
	if (!op_ready(t, &op_dispatch, 1, &topk))
		return NULL;
	if (topk->dtype != DT_I32 || E < 1 || ten_count(topk) > INT32_MAX) {
		op_misfit(t, &op_dispatch, topk, NULL, "ids of %d experts are needed", E);
		return NULL;
	}
	int64_t T = ten_rows(topk), K = ten_cols(topk);
	Dispatch *d = tape_alloc(t, sizeof *d);
	int64_t *offset = tape_alloc(t, (size_t)(2 * E + 1) * sizeof *offset), *next = offset + E + 1;
	int32_t *token = tape_alloc(t, (size_t)(2 * T * K) * sizeof *token);
	if (tape_failed(t) || !count_rows(t, topk, E, offset))
		return NULL;
	*d = (Dispatch){ E, (int)K, T, offset, token, token + T * K };
	memcpy(next, offset, (size_t)E * sizeof *next);
	for (int64_t i = 0; i < T; i++)
		for (int64_t k = 0; k < K; k++) {
			int64_t at = next[((const int32_t *)topk->data)[i * topk->stride + k]]++;
			d->token[at] = (int32_t)i;
			d->slot[i * K + k] = (int32_t)at;
		}
	return d;
}

/* One walk for all four directions: rows of tokens [from, to) with their K sorted rows. */
typedef struct Move {
	const Kernels *k;
	bool add;               /* y is added to, not written */
	const Dispatch *d;
	const real *x;
	int64_t ldx, n;
	real *y;
	const real *w;
	real *dw;
	const real *g;
} Move;

static void send_rows(void *arg, int64_t from, int64_t to)
{
	const Move *m = arg;
	for (int64_t j = from; j < to; j++)
		memcpy(m->y + j * m->n, m->x + m->d->token[j] * m->ldx, (size_t)m->n * sizeof *m->y);
}

static void send_back_rows(void *arg, int64_t from, int64_t to)
{
	const Move *m = arg;
	for (int64_t i = from; i < to; i++)
		for (int k = 0; k < m->d->K; k++) {
			const real *g = m->g + m->d->slot[i * m->d->K + k] * m->n;
			if (k || m->add)
				m->k->row_add(m->n, 1, g, m->y + i * m->n);
			else
				memcpy(m->y + i * m->n, g, (size_t)m->n * sizeof *m->y);
		}
}

static void dispatch_fwd(Tape *t, Node *n)
{
	const Ten *x = n->in[0], *y = n->out[0];
	Move m = { .d = n->par, .x = ten_real(x), .ldx = x->stride, .n = ten_cols(x), .y = ten_real(y) };
	op_rows_for(t, ten_rows(y), m.n, send_rows, &m);
}

static void dispatch_bwd_x(Tape *t, Node *n)
{
	Move m = { .k = pool_kernels(tape_pool(t)), .d = n->par, .n = ten_cols(n->out[0]), .g = op_grad_in(n->out[0]) };
	m.y = tape_grad_place(t, n->in[0], &m.add);
	if (m.y)
		op_rows_for(t, m.d->T, m.n * m.d->K, send_back_rows, &m);
}

/* A fixed choice for cases: T tokens, K of E experts; expert 1 gets nothing. */
static const Dispatch *case_plan(Tape *t, int T, int K, int E)
{
	Ten *topk = tape_ints(t, T, K);
	for (int i = 0; topk && i < T; i++)
		for (int k = 0; k < K; k++)
			((int32_t *)topk->data)[i * K + k] = (i * 2 + k * 3) % E == 1 ? 0 : (i * 2 + k * 3) % E;
	return dispatch_plan(t, topk, E);
}

static Ten *dispatch_case(Tape *t, int i, OpCase *c)
{
	if (i >= 2)
		return NULL;
	c->what = "copies sorted by expert";
	return dispatch(t, case_leaf(t, c, REAL_DTYPE, 5 - 4 * i, 3, 1), case_plan(t, 5 - 4 * i, 2, 5));
}

const Op op_dispatch = {
	.name = "dispatch",
	.equation = "y_j = x[token_j]",
	.doc = "Copies of tokens, sorted by expert.",
	.source = "moe.md 2",
	.fwd = dispatch_fwd, .bwd_x = dispatch_bwd_x, .cases = dispatch_case,
};

static bool plan_ready(Tape *t, const Op *op, const Dispatch *d)
{
	if (!d && !tape_failed(t))
		tape_fail_op(t, op, E_6002, "the plan of the dispatch is missing");
	return d != NULL;
}

Ten *dispatch(Tape *t, Ten *x, const Dispatch *d)
{
	const Op *op = &op_dispatch;
	if (!op_ready(t, op, 1, &x) || !plan_ready(t, op, d) || !op_is_real(t, op, x))
		return NULL;
	if (ten_rows(x) != d->T)
		return op_misfit(t, op, x, NULL, "the plan is for %lld tokens", (long long)d->T);
	Node *n = tape_node(t, op, 1, &x);
	if (!n)
		return NULL;
	n->par = (void *)(uintptr_t)d; /* only read; it lies in the step arena already */
	return tape_run(t, n, tape_ten2(t, d->T * d->K, ten_cols(x)));
}

static void combine_rows(void *arg, int64_t from, int64_t to)
{
	const Move *m = arg;
	int K = m->d->K;
	for (int64_t i = from; i < to; i++) {
		real *out = m->y + i * m->n;
		for (int k = 0; k < K; k++) {
			const real *y = m->x + m->d->slot[i * K + k] * m->ldx;
			real w = m->w[i * K + k];
			for (int64_t c = 0; c < m->n; c++)
				out[c] = k ? out[c] + w * y[c] : w * y[c];
		}
	}
}

static void combine_fwd(Tape *t, Node *n)
{
	const Ten *y = n->in[0], *out = n->out[0];
	Move m = { .d = n->par,
		.x = ten_real(y),
		.ldx = y->stride,
		.n = ten_cols(y),
		.y = ten_real(out),
		.w = op_row(t, n->in[1]) };
	if (m.w)
		op_rows_for(t, m.d->T, m.n * m.d->K, combine_rows, &m);
}

/* dy[slot] += w g ; dw = g . y[slot] */
static void combine_back_rows(void *arg, int64_t from, int64_t to)
{
	const Move *m = arg;
	int K = m->d->K;
	for (int64_t i = from; i < to; i++)
		for (int k = 0; k < K; k++) {
			int64_t at = m->d->slot[i * K + k];
			const real *g = m->g + i * m->n;
			if (m->dw)
				m->dw[i * K + k] += m->k->row_dot(m->n, g, m->x + at * m->ldx);
			if (m->y && m->add)
				m->k->row_add(m->n, m->w[i * K + k], g, m->y + at * m->n);
			else if (m->y)
				m->k->row_scale(m->n, g, m->w[i * K + k], NULL, m->y + at * m->n);
		}
}

static void combine_bwd_x(Tape *t, Node *n)
{
	const Ten *y = n->in[0];
	Move m = { .k = pool_kernels(tape_pool(t)), .d = n->par, .x = ten_real(y), .ldx = y->stride, .n = ten_cols(y),
		.w = op_row(t, n->in[1]), .dw = tape_grad(t, n->in[1]), .g = op_grad_in(n->out[0]) };
	m.y = tape_grad_place(t, n->in[0], &m.add); /* each of its rows is one token's, so all are set */
	if (!tape_failed(t))
		op_rows_for(t, m.d->T, 2 * m.n * m.d->K, combine_back_rows, &m);
}

static Ten *combine_case(Tape *t, int i, OpCase *c)
{
	if (i >= 2)
		return NULL;
	c->what = "weighted sums over experts";
	int T = 4 - 3 * i, K = 2 + i;
	Ten *y = case_leaf(t, c, REAL_DTYPE, T * K, 3, 1), *w = case_leaf(t, c, REAL_DTYPE, T, K, 1);
	return combine(t, y, w, case_plan(t, T, K, 7));
}

const Op op_combine = {
	.name = "combine",
	.equation = "out_t = sum_k w_tk y[slot_tk]",
	.doc = "Experts' results brought back to their tokens, in ascending order of expert.",
	.source = "V3 report 2.1.2 eq. 12; training.md 2.7",
	.fwd = combine_fwd, .bwd_x = combine_bwd_x, .cases = combine_case,
};

Ten *combine(Tape *t, Ten *y, Ten *w, const Dispatch *d)
{
	const Op *op = &op_combine;
	Ten *in[] = { y, w };
	if (!op_ready(t, op, 2, in) || !plan_ready(t, op, d) || !op_is_real(t, op, y) || !op_is_real(t, op, w))
		return NULL;
	if (ten_rows(y) != d->T * d->K || ten_rows(w) != d->T || ten_cols(w) != d->K)
		return op_misfit(
			t, op, y, w, "the plan is for %lld tokens and %d experts each", (long long)d->T, d->K);
	Node *n = tape_node(t, op, 2, in);
	if (!n)
		return NULL;
	n->par = (void *)(uintptr_t)d; /* only read; it lies in the step arena already */
	return tape_run(t, n, tape_ten2(t, d->T, ten_cols(y)));
}
