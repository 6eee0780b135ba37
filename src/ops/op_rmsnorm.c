/* op_rmsnorm.c - root mean square normalisation of each row. */
#include "ops/op.h"
#include "num/kernels.h"
#include "num/rows.h"
#include <math.h>

typedef struct Norm { real eps; } Norm;

static void rmsnorm_fwd(Tape *t, Node *n)
{
	const Norm *p = n->par;
	const Ten *x = n->in[0], *y = n->out[0];
	int64_t T = ten_rows(x);
	const real *g = op_row(t, n->in[1]);
	if (tape_saves(t, n))
		n->saved = tape_alloc(t, (size_t)T * sizeof(real));
	if (g && !tape_failed(t))
		rows_rmsnorm(tape_pool(t), T, ten_cols(x), ten_real(x), x->stride, g, p->eps, ten_real(y), y->stride,
			n->saved);
}

typedef struct NormBack {
	const Kernels *k;
	const real *x, *g, *gy, *rstd;
	int64_t ldx, n, rows;
	real *d;
	bool add;
} NormBack;

static NormBack norm_back(Tape *t, const Node *n)
{
	const Ten *x = n->in[0];
	return (NormBack){ .k = pool_kernels(tape_pool(t)), .x = ten_real(x), .gy = op_grad_in(n->out[0]), .rstd = n->saved,
		.ldx = x->stride, .n = ten_cols(x), .rows = ten_rows(x) };
}

static void norm_back_rows(void *arg, int64_t from, int64_t to)
{
	const NormBack *b = arg;
	for (int64_t r = from; r < to; r++)
		b->k->row_rmsnorm_back(
			b->n, b->x + r * b->ldx, b->g, b->gy + r * b->n, b->rstd[r], b->d + r * b->n, b->add);
}

static void rmsnorm_bwd_x(Tape *t, Node *n)
{
	NormBack b = norm_back(t, n);
	b.g = op_row(t, n->in[1]);
	b.d = tape_grad_place(t, n->in[0], &b.add);
	if (b.g && b.d)
		op_rows_for(t, b.rows, 8 * b.n, norm_back_rows, &b);
}

/* dg = sum over rows of gy x r, in ascending order for each column: tasks are blocks of columns. */
enum { NORM_COLS = 64 };

static void norm_back_weight(void *arg, int64_t from, int64_t to)
{
	const NormBack *b = arg;
	int64_t at = from * NORM_COLS, end = to * NORM_COLS < b->n ? to * NORM_COLS : b->n;
	for (int64_t r = 0; r < b->rows; r++)
		b->k->row_mul_add(end - at, b->rstd[r], b->x + r * b->ldx + at, b->gy + r * b->n + at, b->d + at);
}

static void rmsnorm_bwd_w(Tape *t, Node *n)
{
	NormBack b = norm_back(t, n);
	b.d = tape_grad(t, n->in[1]);
	if (b.d)
		op_rows_for(t, (b.n + NORM_COLS - 1) / NORM_COLS, 2 * NORM_COLS * b.rows, norm_back_weight, &b);
}

static Ten *rmsnorm_case(Tape *t, int i, OpCase *c)
{
	static const int64_t shape[][2] = { { 3, 7 }, { 1, 2 }, { 4, 33 } };
	if (i >= 4)
		return NULL;
	c->what = i < 3 ? "rows" : "rows of a view";
	Ten *x = case_leaf(t, c, REAL_DTYPE, shape[i % 3][0], shape[i % 3][1] + (i == 3 ? 5 : 0), 1);
	if (i == 3)
		x = cols(t, x, 3, shape[0][1]);
	return rmsnorm(t, x, case_leaf(t, c, REAL_DTYPE, 1, shape[i % 3][1], 1), 1e-3);
}

static Ten *rmsnorm_call(Tape *t, const OpArg *a)
{
	return rmsnorm(t, a[0].t, a[1].t, a[2].n > 0 ? a[2].n : 1e-6);
}

const Op op_rmsnorm = {
	.name = "rmsnorm",
	.equation = "y = g x / sqrt(mean x^2 + eps)",
	.doc = "Per row; g is a weight.",
	.source = "mla.md 2, training.md 2.2",
	.fwd = rmsnorm_fwd, .bwd_x = rmsnorm_bwd_x, .bwd_w = rmsnorm_bwd_w, .cases = rmsnorm_case,
	.args = "x:t g:t eps:n?", .call = rmsnorm_call,
};

Ten *rmsnorm(Tape *t, Ten *x, Ten *g, double eps)
{
	Ten *in[] = { x, g };
	if (!op_ready(t, &op_rmsnorm, 2, in) || !op_is_real(t, &op_rmsnorm, x))
		return NULL;
	if (ten_count(g) != ten_cols(x) || !dtype_is_float(g->dtype))
		return op_misfit(t, &op_rmsnorm, x, g, "the weight needs one number for each of the %lld columns",
			(long long)ten_cols(x));
	Node *n = tape_node(t, &op_rmsnorm, 2, in);
	if (!n)
		return NULL;
	Norm p = { (real)eps };
	n->par = tape_keep(t, &p, sizeof p);
	return tape_run(t, n, tape_ten(t, x->rank, x->shape));
}
