/* op_rmsnorm.c - root mean square normalisation of each row. */
#include "ops/op.h"
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

typedef struct NormBack { const real *x, *g, *gy, *rstd; int64_t ldx, n; real *dx; } NormBack;

/* dx = r a - x (r^3 / n) sum(a x), a = gy g */
static void norm_back_rows(void *arg, int64_t from, int64_t to)
{
	const NormBack *b = arg;
	for (int64_t r = from; r < to; r++) {
		const real *x = b->x + r * b->ldx, *gy = b->gy + r * b->n;
		real *dx = b->dx + r * b->n, dot = 0, rs = b->rstd[r];
		for (int64_t i = 0; i < b->n; i++)
			dot += gy[i] * b->g[i] * x[i];
		dot *= rs * rs * rs / (real)b->n;
		for (int64_t i = 0; i < b->n; i++)
			dx[i] += rs * gy[i] * b->g[i] - x[i] * dot;
	}
}

static void rmsnorm_bwd_x(Tape *t, Node *n)
{
	const Ten *x = n->in[0];
	NormBack b = { ten_real(x), op_row(t, n->in[1]), op_grad_in(n->out[0]), n->saved, x->stride, ten_cols(x),
		tape_grad(t, n->in[0]) };
	if (b.g && b.dx)
		op_rows_for(t, ten_rows(x), 8 * b.n, norm_back_rows, &b);
}

static void rmsnorm_bwd_w(Tape *t, Node *n)
{
	const Ten *x = n->in[0];
	const real *rstd = n->saved, *gy = op_grad_in(n->out[0]);
	int64_t w = ten_cols(x);
	real *dg = tape_grad(t, n->in[1]);
	for (int64_t r = 0; dg && r < ten_rows(x); r++)
		for (int64_t i = 0; i < w; i++)
			dg[i] += gy[r * w + i] * ten_real(x)[r * x->stride + i] * rstd[r];
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

const Op op_rmsnorm = {
	.name = "rmsnorm",
	.equation = "y = g x / sqrt(mean x^2 + eps)",
	.doc = "Per row; g is a weight.",
	.source = "mla.md 2, training.md 2.2",
	.fwd = rmsnorm_fwd, .bwd_x = rmsnorm_bwd_x, .bwd_w = rmsnorm_bwd_w, .cases = rmsnorm_case,
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
