/* op_gates.c - sigmoid, softmax and SwiGLU: the non-linear functions of a block, row by row. */
#include "ops/op.h"
#include "num/kernels.h"
#include "num/rows.h"
#include <string.h>

static void swiglu_fwd(Tape *t, Node *n)
{
	const Ten *a = n->in[0], *b = n->in[1], *y = n->out[0];
	rows_swiglu(tape_pool(t), ten_rows(y), ten_cols(y), ten_real(a), a->stride, ten_real(b), b->stride,
		ten_real(y), y->stride);
}

typedef struct Glu {
	const Kernels *k;
	const real *a, *b, *gy;
	int64_t lda, ldb, n;
	real *da, *db;
	bool add_a, add_b;
} Glu;

static void glu_back_rows(void *arg, int64_t from, int64_t to)
{
	const Glu *p = arg;
	for (int64_t r = from; r < to; r++)
		p->k->row_swiglu_back(p->n, p->a + r * p->lda, p->b + r * p->ldb, p->gy + r * p->n,
			p->da ? p->da + r * p->n : NULL, p->add_a, p->db ? p->db + r * p->n : NULL, p->add_b);
}

static void swiglu_bwd_x(Tape *t, Node *n)
{
	const Ten *a = n->in[0], *b = n->in[1], *y = n->out[0];
	Glu p = { .k = pool_kernels(tape_pool(t)), .a = ten_real(a), .b = ten_real(b), .gy = op_grad_in(y),
		.lda = a->stride, .ldb = b->stride, .n = ten_cols(y) };
	p.da = tape_grad_place(t, n->in[0], &p.add_a);
	p.db = tape_grad_place(t, n->in[1], &p.add_b);
	if (!tape_failed(t))
		op_rows_for(t, ten_rows(y), 32 * p.n, glu_back_rows, &p);
}

static Ten *swiglu_case(Tape *t, int i, OpCase *c)
{
	if (i >= 3)
		return NULL;
	c->what = i < 2 ? "two tensors" : "two halves of one tensor";
	if (i == 2) {
		Ten *ab = case_leaf(t, c, REAL_DTYPE, 3, 10, 2);
		return swiglu(t, cols(t, ab, 0, 5), cols(t, ab, 5, 5));
	}
	Ten *a = case_leaf(t, c, REAL_DTYPE, 3 - 2 * i, 5 + 4 * i, 2);
	return swiglu(t, a, case_leaf(t, c, REAL_DTYPE, 3 - 2 * i, 5 + 4 * i, 2));
}

static Ten *swiglu_call(Tape *t, const OpArg *a)
{
	return swiglu(t, a[0].t, a[1].t);
}

const Op op_swiglu = {
	.name = "swiglu",
	.equation = "y = silu(gate) * up",
	.doc = "The non-linear part of every MLP and expert.",
	.source = "moe.md 2, training.md 2.4",
	.fwd = swiglu_fwd, .bwd_x = swiglu_bwd_x, .cases = swiglu_case,
	.args = "gate:t up:t", .call = swiglu_call,
};

Ten *swiglu(Tape *t, Ten *gate, Ten *up)
{
	Ten *in[] = { gate, up };
	if (!op_ready(t, &op_swiglu, 2, in) || !op_is_real(t, &op_swiglu, gate) || !op_is_real(t, &op_swiglu, up))
		return NULL;
	if (ten_rows(gate) != ten_rows(up) || ten_cols(gate) != ten_cols(up))
		return op_misfit(t, &op_swiglu, gate, up, "both must have one shape");
	Node *n = tape_node(t, &op_swiglu, 2, in);
	return n ? tape_run(t, n, tape_ten2(t, ten_rows(gate), ten_cols(gate))) : NULL;
}

static void sigmoid_fwd(Tape *t, Node *n)
{
	const Ten *x = n->in[0], *y = n->out[0];
	int64_t w = ten_cols(x);
	if (x->stride == w) {
		rows_sigmoid(tape_pool(t), ten_count(x), ten_real(x), ten_real(y));
		return;
	}
	for (int64_t r = 0; r < ten_rows(x); r++)
		rows_sigmoid(tape_pool(t), w, ten_real(x) + r * x->stride, ten_real(y) + r * w);
}

static void sigmoid_bwd_x(Tape *t, Node *n)
{
	const Ten *y = n->out[0];
	const real *s = ten_real(y), *g = op_grad_in(y);
	real *d = tape_grad(t, n->in[0]);
	for (int64_t i = 0, m = ten_count(y); d && i < m; i++)
		d[i] += g[i] * s[i] * (1 - s[i]);
}

static Ten *sigmoid_case(Tape *t, int i, OpCase *c)
{
	if (i >= 2)
		return NULL;
	c->what = i ? "a view" : "rows";
	Ten *x = case_leaf(t, c, REAL_DTYPE, 3, 7, 2);
	return sigmoid(t, i ? cols(t, x, 1, 5) : x);
}

static Ten *sigmoid_call(Tape *t, const OpArg *a)
{
	return sigmoid(t, a[0].t);
}

const Op op_sigmoid = {
	.name = "sigmoid",
	.equation = "y = 1 / (1 + exp(-x))",
	.doc = "Affinity of token and expert in V3.",
	.source = "V3 report 2.1.2 eq. 15",
	.fwd = sigmoid_fwd, .bwd_x = sigmoid_bwd_x, .cases = sigmoid_case,
	.args = "x:t", .call = sigmoid_call,
};

Ten *sigmoid(Tape *t, Ten *x)
{
	if (!op_ready(t, &op_sigmoid, 1, &x) || !op_is_real(t, &op_sigmoid, x))
		return NULL;
	Node *n = tape_node(t, &op_sigmoid, 1, &x);
	return n ? tape_run(t, n, tape_ten(t, x->rank, x->shape)) : NULL;
}

static void softmax_fwd(Tape *t, Node *n)
{
	const Ten *x = n->in[0], *y = n->out[0];
	int64_t w = ten_cols(x), T = ten_rows(x);
	for (int64_t r = 0; r < T; r++)
		memcpy(ten_real(y) + r * w, ten_real(x) + r * x->stride, (size_t)w * sizeof(real));
	rows_softmax(tape_pool(t), T, w, ten_real(y), w);
}

static void softmax_bwd_x(Tape *t, Node *n)
{
	const Ten *y = n->out[0];
	int64_t w = ten_cols(y);
	real *d = tape_grad(t, n->in[0]);
	for (int64_t r = 0; d && r < ten_rows(y); r++) {
		const real *p = ten_real(y) + r * w, *g = op_grad_in(y) + r * w;
		real dot = 0;
		for (int64_t i = 0; i < w; i++)
			dot += p[i] * g[i];
		for (int64_t i = 0; i < w; i++)
			d[r * w + i] += p[i] * (g[i] - dot);
	}
}

static Ten *softmax_case(Tape *t, int i, OpCase *c)
{
	if (i >= 2)
		return NULL;
	c->what = i ? "a view" : "rows";
	Ten *x = case_leaf(t, c, REAL_DTYPE, 3, 7, 2);
	return softmax(t, i ? cols(t, x, 1, 5) : x);
}

static Ten *softmax_call(Tape *t, const OpArg *a)
{
	return softmax(t, a[0].t);
}

const Op op_softmax = {
	.name = "softmax",
	.equation = "y_i = exp(x_i) / sum_j exp(x_j)",
	.doc = "Over the last dimension; the router of V2.",
	.source = "V2 report 2.2 eq. 22",
	.fwd = softmax_fwd, .bwd_x = softmax_bwd_x, .cases = softmax_case,
	.args = "x:t", .call = softmax_call,
};

Ten *softmax(Tape *t, Ten *x)
{
	if (!op_ready(t, &op_softmax, 1, &x) || !op_is_real(t, &op_softmax, x))
		return NULL;
	if (ten_cols(x) < 1)
		return op_misfit(t, &op_softmax, x, NULL, "there is nothing to choose from");
	Node *n = tape_node(t, &op_softmax, 1, &x);
	return n ? tape_run(t, n, tape_ten(t, x->rank, x->shape)) : NULL;
}
