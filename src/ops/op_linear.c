/* op_linear.c - products with weights: one matrix, one matrix and a bias, one matrix per expert.
 *
 * The three products of a linear layer - Fprop, Dgrad, Wgrad - are three calls, each under the recipe's
 * format for it. With bf16 the operand that is not the weight is rounded (both operands in Wgrad); small
 * formats are in quantised.c; results and gradients stay real. */
#include "ops/quantised.h"
#include <string.h>

typedef struct Linear { const RecipeRule *rule; } Linear;

static Format fprop_format(const RecipeRule *r)
{
	return r ? r->fprop.format : FMT_NATIVE;
}

static Format dgrad_format(const RecipeRule *r)
{
	return r ? r->dgrad.format : FMT_NATIVE;
}

static Format wgrad_format(const RecipeRule *r)
{
	return r ? r->wgrad.format : FMT_NATIVE;
}

static unsigned fprop_flags(const RecipeRule *r)
{
	return fprop_format(r) == FMT_BF16 ? GEMM_X_BF16 : 0;
}

typedef struct Rounding { const real *x; int64_t ldx, n; real *y; } Rounding;

static void round_rows(void *arg, int64_t from, int64_t to)
{
	const Rounding *a = arg;
	for (int64_t r = from; r < to; r++)
		for (int64_t i = 0; i < a->n; i++)
			a->y[r * a->n + i] = (real)bf16_to_f32(bf16_from_f32((float)a->x[r * a->ldx + i]));
}

/* x itself, or a dense copy rounded to bf16 in the step arena; *ld is its row stride. */
static const real *operand(Tape *t, Format f, int64_t n_rows, int64_t n_cols, const real *x, int64_t *ld)
{
	if (f != FMT_BF16)
		return x;
	Rounding a = { x, *ld, n_cols, tape_alloc(t, (size_t)(n_rows * n_cols) * sizeof(real)) };
	if (!a.y)
		return NULL;
	op_rows_for(t, n_rows, 8 * n_cols, round_rows, &a);
	*ld = n_cols;
	return a.y;
}

/* dx (+)= g W */
static void dgrad(Tape *t, const RecipeRule *r, int64_t M, const real *g, const Ten *W, real *dx, bool add)
{
	Mat m = ten_mat(W);
	int64_t ld = m.rows;
	if (dgrad_format(r) == FMT_QUANT) {
		Ten *w = (Ten *)(uintptr_t)W;
		quantised_dgrad(t, &(QuantLayer){ r, 1, (int64_t[]){ 0, M }, &w }, g, ld, dx, m.cols, add);
		return;
	}
	g = operand(t, dgrad_format(r), M, m.rows, g, &ld);
	if (g)
		gemm_nn(tape_pool(t), M, g, ld, &m, dx, m.cols, add ? GEMM_ACC : 0);
}

/* dW += g^T x */
static void wgrad(Tape *t, const RecipeRule *r, int64_t M, const real *g, const real *x, int64_t ldx,
	const Ten *W, real *dW)
{
	int64_t N = ten_rows(W), K = ten_cols(W), ldg = N;
	if (wgrad_format(r) == FMT_QUANT) {
		Ten *w = (Ten *)(uintptr_t)W;
		quantised_wgrad(t, &(QuantLayer){ r, 1, (int64_t[]){ 0, M }, &w }, g, ldg, x, ldx, &dW);
		return;
	}
	Format f = wgrad_format(r);
	g = operand(t, f, M, N, g, &ldg);
	x = operand(t, f, M, K, x, &ldx);
	if (g && x)
		gemm_tn(tape_pool(t), M, g, ldg, N, x, ldx, K, dW, K, GEMM_ACC);
}

static bool weight_fits(Tape *t, const Op *op, const Ten *x, const Ten *W)
{
	if (!op_is_real(t, op, x))
		return false;
	if (!dtype_is_float(W->dtype))
		op_misfit(t, op, W, NULL, "%s cannot be a weight", dtype_name(W->dtype));
	else if (ten_cols(x) != ten_cols(W))
		op_misfit(t, op, x, W, "%lld columns against %lld", (long long)ten_cols(x), (long long)ten_cols(W));
	else
		return true;
	return false;
}

static void linear_fwd(Tape *t, Node *n)
{
	const Linear *p = n->par;
	const Ten *x = n->in[0], *y = n->out[0];
	if (fprop_format(p->rule) == FMT_QUANT) {
		QuantLayer l = { p->rule, 1, (int64_t[]){ 0, ten_rows(x) }, &n->in[1] };
		quantised_fprop(t, &l, ten_real(x), x->stride, ten_real(y), y->stride);
		return;
	}
	Mat W = ten_mat(n->in[1]);
	gemm_nt(
		tape_pool(t), ten_rows(x), ten_real(x), x->stride, &W, ten_real(y), y->stride, fprop_flags(p->rule));
}

static void linear_bwd_x(Tape *t, Node *n)
{
	const Linear *p = n->par;
	bool add;
	real *dx = tape_grad_place(t, n->in[0], &add);
	if (dx)
		dgrad(t, p->rule, ten_rows(n->in[0]), op_grad_in(n->out[0]), n->in[1], dx, add);
}

static void linear_bwd_w(Tape *t, Node *n)
{
	const Linear *p = n->par;
	const Ten *x = n->in[0];
	real *dW = tape_grad(t, n->in[1]);
	if (dW)
		wgrad(t, p->rule, ten_rows(x), op_grad_in(n->out[0]), ten_real(x), x->stride, n->in[1], dW);
}

static Ten *linear_case(Tape *t, int i, OpCase *c)
{
	static const int64_t MNK[][3] = { { 1, 1, 1 }, { 3, 5, 7 }, { 6, 2, 17 }, { 2, 19, 3 } };
	if (i == 4) {
		c->what = "a weight used twice, x a view";
		Ten *x = case_leaf(t, c, REAL_DTYPE, 3, 9, 1), *W = case_leaf(t, c, REAL_DTYPE, 5, 5, 1);
		return linear(t, linear(t, cols(t, x, 2, 5), W), W);
	}
	if (i >= 5)
		return NULL;
	c->what = "x W^T";
	Ten *x = case_leaf(t, c, REAL_DTYPE, MNK[i][0], MNK[i][2], 1);
	return linear(t, x, case_leaf(t, c, REAL_DTYPE, MNK[i][1], MNK[i][2], 1));
}

static Ten *linear_call(Tape *t, const OpArg *a)
{
	return linear(t, a[0].t, a[1].t);
}

const Op op_linear = {
	.name = "linear",
	.equation = "y = x W^T",
	.doc = "Product with a weight; the recipe's formats apply.",
	.source = "training.md 2.1",
	.fwd = linear_fwd, .bwd_x = linear_bwd_x, .bwd_w = linear_bwd_w, .cases = linear_case,
	.args = "x:t W:t", .call = linear_call,
};

Ten *linear(Tape *t, Ten *x, Ten *W)
{
	Ten *in[] = { x, W };
	if (!op_ready(t, &op_linear, 2, in) || !weight_fits(t, &op_linear, x, W))
		return NULL;
	Node *n = tape_node(t, &op_linear, 2, in);
	if (!n)
		return NULL;
	Linear p = { tape_recipe_for(t, W->name) };
	n->par = tape_keep(t, &p, sizeof p);
	return tape_run(t, n, tape_ten2(t, ten_rows(x), ten_rows(W)));
}

static void linear_bias_fwd(Tape *t, Node *n)
{
	linear_fwd(t, n);
	const Ten *y = n->out[0];
	const real *b = op_row(t, n->in[2]);
	if (b)
		op_accumulate(t, ten_rows(y), ten_cols(y), 1, b, 0, ten_real(y), y->stride);
}

static void linear_bias_bwd_w(Tape *t, Node *n)
{
	linear_bwd_w(t, n);
	const Ten *y = n->out[0];
	int64_t N = ten_cols(y);
	real *db = tape_grad(t, n->in[2]);
	for (int64_t r = 0; db && r < ten_rows(y); r++)
		for (int64_t i = 0; i < N; i++)
			db[i] += op_grad_in(y)[r * N + i];
}

static Ten *linear_bias_case(Tape *t, int i, OpCase *c)
{
	if (i >= 2)
		return NULL;
	c->what = "x W^T + b";
	Ten *x = case_leaf(t, c, REAL_DTYPE, 3, 4 + 3 * i, 1),
		*W = case_leaf(t, c, REAL_DTYPE, 5 - i, 4 + 3 * i, 1);
	return linear_bias(t, x, W, case_leaf(t, c, REAL_DTYPE, 1, 5 - i, 1));
}

static Ten *linear_bias_call(Tape *t, const OpArg *a)
{
	return linear_bias(t, a[0].t, a[1].t, a[2].t);
}

const Op op_linear_bias = {
	.name = "linear_bias",
	.equation = "y = x W^T + b",
	.doc = "Product with a weight and a bias.",
	.source = "mla.md 2 (attention_bias)",
	.fwd = linear_bias_fwd, .bwd_x = linear_bwd_x, .bwd_w = linear_bias_bwd_w, .cases = linear_bias_case,
	.args = "x:t W:t b:t?", .call = linear_bias_call,
};

Ten *linear_bias(Tape *t, Ten *x, Ten *W, Ten *b)
{
	if (!b)
		return linear(t, x, W);
	Ten *in[] = { x, W, b };
	if (!op_ready(t, &op_linear_bias, 3, in) || !weight_fits(t, &op_linear_bias, x, W))
		return NULL;
	if (ten_count(b) != ten_rows(W) || !dtype_is_float(b->dtype))
		return op_misfit(t, &op_linear_bias, b, W, "a bias has one number for each of the %lld rows",
			(long long)ten_rows(W));
	Node *n = tape_node(t, &op_linear_bias, 3, in);
	if (!n)
		return NULL;
	Linear p = { tape_recipe_for(t, W->name) };
	n->par = tape_keep(t, &p, sizeof p);
	return tape_run(t, n, tape_ten2(t, ten_rows(x), ten_rows(W)));
}

typedef struct Grouped { const RecipeRule *rule; Ten *const *W; const Dispatch *d; } Grouped;

/* The weights as matrices; an expert without tokens gets a copy of another's header that nobody reads the
 * data of. */
static Mat *expert_mats(Tape *t, const Grouped *p)
{
	Mat *m = tape_alloc(t, (size_t)p->d->E * sizeof *m);
	if (!m)
		return NULL;
	m[0] = ten_mat(p->W[0]);
	for (int e = 1; e < p->d->E; e++)
		m[e] = p->d->offset[e] < p->d->offset[e + 1] ? ten_mat(p->W[e]) : m[0];
	return m;
}

static void grouped_fwd(Tape *t, Node *n)
{
	const Grouped *p = n->par;
	const Ten *x = n->in[0], *y = n->out[0];
	if (fprop_format(p->rule) == FMT_QUANT) {
		quantised_fprop(t, &(QuantLayer){ p->rule, p->d->E, p->d->offset, p->W }, ten_real(x), x->stride, ten_real(y), y->stride);
		return;
	}
	const Mat *m = expert_mats(t, p);
	if (m)
		gemm_nt_grouped(tape_pool(t), p->d->E, p->d->offset, ten_real(x), x->stride, m, ten_real(y),
			y->stride, fprop_flags(p->rule));
}

static void grouped_bwd_x(Tape *t, Node *n)
{
	const Grouped *p = n->par;
	const Ten *x = n->in[0], *y = n->out[0];
	bool add; /* each row has its expert, so all are set */
	real *dx = tape_grad_place(t, n->in[0], &add);
	if (!dx)
		return;
	int64_t ld = ten_cols(y);
	if (dgrad_format(p->rule) == FMT_QUANT) {
		quantised_dgrad(t, &(QuantLayer){ p->rule, p->d->E, p->d->offset, p->W }, op_grad_in(y), ld, dx, ten_cols(x), add);
		return;
	}
	const real *g = operand(t, dgrad_format(p->rule), ten_rows(y), ld, op_grad_in(y), &ld);
	const Mat *m = expert_mats(t, p);
	if (g && m)
		gemm_nn_grouped(tape_pool(t), p->d->E, p->d->offset, g, ld, m, dx, ten_cols(x), add ? GEMM_ACC : 0);
}

/* Where the gradients of the experts' weights are; NULL for those without tokens. */
static real **expert_grads(Tape *t, const Grouped *p, bool *any)
{
	real **dW = tape_alloc(t, (size_t)p->d->E * sizeof *dW);
	*any = false;
	for (int e = 0; dW && e < p->d->E; e++) {
		dW[e] = p->d->offset[e] < p->d->offset[e + 1] ? tape_grad(t, p->W[e]) : NULL;
		*any |= dW[e] != NULL;
	}
	return dW;
}

static void grouped_bwd_w(Tape *t, Node *n)
{
	const Grouped *p = n->par;
	const Ten *x = n->in[0], *y = n->out[0];
	bool any;
	real **dW = expert_grads(t, p, &any);
	if (!any || tape_failed(t))
		return;
	if (wgrad_format(p->rule) == FMT_QUANT) {
		QuantLayer l = { p->rule, p->d->E, p->d->offset, p->W };
		quantised_wgrad(t, &l, op_grad_in(y), ten_cols(y), ten_real(x), x->stride, dW);
		return;
	}
	Format f = wgrad_format(p->rule);
	int64_t ldg = ten_cols(y), ldx = x->stride;
	const real *g = operand(t, f, ten_rows(y), ten_cols(y), op_grad_in(y), &ldg);
	const real *rows = operand(t, f, ten_rows(x), ten_cols(x), ten_real(x), &ldx);
	if (g && rows)
		gemm_tn_grouped(tape_pool(t), p->d->E, p->d->offset, g, ldg, ten_cols(y), rows, ldx, ten_cols(x), dW,
			ten_cols(x), GEMM_ACC);
}

static Ten *grouped_case(Tape *t, int i, OpCase *c)
{
	static const int32_t ids[][6] = { { 0, 2, 0, 1, 1, 2 }, { 1, 1, 0, 0, 1, 0 } };
	if (i >= 2)
		return NULL;
	c->what = i ? "two experts" : "three experts";
	int E = 3 - i, h = 5 + 2 * i;
	Ten *topk = tape_ints(t, 3, 2), *W[3];
	if (!topk)
		return NULL;
	memcpy(topk->data, ids[i], sizeof ids[i]);
	Ten *x = case_leaf(t, c, REAL_DTYPE, 3, h, 1);
	for (int e = 0; e < E; e++)
		W[e] = case_leaf(t, c, REAL_DTYPE, 4, h, 1);
	const Dispatch *d = dispatch_plan(t, topk, E);
	Ten **kept = tape_alloc(t, sizeof W);
	if (kept)
		memcpy(kept, W, sizeof W);
	return linear_grouped(t, dispatch(t, x, d), kept, d);
}

const Op op_linear_grouped = {
	.name = "linear_grouped",
	.equation = "y_j = x_j W[e]^T for the rows j of expert e",
	.doc = "All experts in one hand-over; the recipe's formats apply.",
	.source = "V3 report 2.1.2 eq. 12",
	.fwd = grouped_fwd, .bwd_x = grouped_bwd_x, .bwd_w = grouped_bwd_w, .cases = grouped_case,
};

/* Only the experts that have tokens are looked at, and all must have the shape of the first. */
static bool experts_fit(Tape *t, const Ten *x, Ten *const *W, const Dispatch *d, bool *need)
{
	const Op *op = &op_linear_grouped;
	for (int e = 0; e < d->E; e++) {
		if (e && d->offset[e] == d->offset[e + 1])
			continue;
		if (!W[e]) {
			tape_fail_op(t, op, E_6002, "the weight of expert %d is missing", e);
			return false;
		}
		if (!weight_fits(t, op, x, W[e]))
			return false;
		if (ten_rows(W[e]) != ten_rows(W[0])) {
			op_misfit(t, op, W[e], W[0], "all experts must have one shape");
			return false;
		}
		*need |= W[e]->needs_grad;
	}
	return true;
}

Ten *linear_grouped(Tape *t, Ten *x, Ten *const *W, const Dispatch *d)
{
	const Op *op = &op_linear_grouped;
	bool need = false;
	if (!op_ready(t, op, 1, &x))
		return NULL;
	if (!d || !W)
		return tape_fail_op(t, op, E_6002, "the plan of the dispatch or the weights are missing");
	if (ten_rows(x) != d->T * d->K)
		return op_misfit(t, op, x, NULL, "the plan has %lld rows", (long long)(d->T * d->K));
	if (!experts_fit(t, x, W, d, &need))
		return NULL;
	Node *n = tape_node(t, op, 1, &x);
	Ten *y = n ? tape_ten2(t, ten_rows(x), ten_rows(W[0])) : NULL;
	if (!y)
		return NULL;
	Grouped p = { tape_recipe_for(t, W[0]->name), W, d };
	n->par = tape_keep(t, &p, sizeof p);
	y->needs_grad = need && tape_recording(t);
	return tape_run(t, n, y);
}
