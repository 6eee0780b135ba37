/* op_sums.c - elementwise sums and products: the residual stream and its interventions. */
#include "ops/op.h"

typedef struct Pair { const real *a, *b; int64_t lda, ldb, n; real *y; int64_t ldy; real c; } Pair;

static void pair_add(void *arg, int64_t from, int64_t to)
{
	const Pair *p = arg;
	for (int64_t r = from; r < to; r++)
		for (int64_t i = 0; i < p->n; i++)
			p->y[r * p->ldy + i] = p->a[r * p->lda + i] + p->b[r * p->ldb + i];
}

static void pair_mul(void *arg, int64_t from, int64_t to)
{
	const Pair *p = arg;
	for (int64_t r = from; r < to; r++)
		for (int64_t i = 0; i < p->n; i++)
			p->y[r * p->ldy + i] = p->a[r * p->lda + i] * p->b[r * p->ldb + i];
}

static void pair_mul_add(void *arg, int64_t from, int64_t to)
{
	const Pair *p = arg;
	for (int64_t r = from; r < to; r++)
		for (int64_t i = 0; i < p->n; i++)
			p->y[r * p->ldy + i] += p->a[r * p->lda + i] * p->b[r * p->ldb + i];
}

static void pair_scale(void *arg, int64_t from, int64_t to)
{
	const Pair *p = arg;
	for (int64_t r = from; r < to; r++)
		for (int64_t i = 0; i < p->n; i++)
			p->y[r * p->ldy + i] = p->c * p->a[r * p->lda + i];
}

static Ten *like(Tape *t, const Ten *a)
{
	return tape_ten(t, a->rank, a->shape);
}

/* Both real and of one shape. */
static bool alike(Tape *t, const Op *op, const Ten *a, const Ten *b)
{
	if (!op_is_real(t, op, a) || !op_is_real(t, op, b))
		return false;
	bool same = a->rank == b->rank;
	for (int i = 0; same && i < a->rank; i++)
		same = a->shape[i] == b->shape[i];
	if (!same)
		op_misfit(t, op, a, b, "both must have one shape");
	return same;
}

static void add_fwd(Tape *t, Node *n)
{
	const Ten *a = n->in[0], *b = n->in[1], *y = n->out[0];
	int64_t cols_n = ten_cols(y);
	Pair p = { ten_real(a), ten_real(b), a->stride, b->stride, cols_n, ten_real(y), y->stride, 1 };
	op_rows_for(t, ten_rows(y), cols_n, pair_add, &p);
}

static void add_bwd_x(Tape *t, Node *n)
{
	const Ten *y = n->out[0];
	for (int i = 0; i < 2; i++)
		op_grad_send(t, n->in[i], 1, op_grad_in(y), ten_cols(y));
}

static Ten *add_case(Tape *t, int i, OpCase *c)
{
	static const int64_t shape[][2] = { { 3, 5 }, { 1, 1 }, { 7, 4 } };
	if (i >= 4)
		return NULL;
	c->what = i < 3 ? "a + b" : "a + a";
	Ten *a = case_leaf(t, c, REAL_DTYPE, shape[i % 3][0], shape[i % 3][1], 1);
	return add(t, a, i < 3 ? case_leaf(t, c, REAL_DTYPE, shape[i][0], shape[i][1], 1) : a);
}

static Ten *add_call(Tape *t, const OpArg *a)
{
	return add(t, a[0].t, a[1].t);
}

const Op op_add = {
	.name = "add", .equation = "y = a + b", .doc = "The residual sum.", .source = "V3 report 2.1, the block",
	.fwd = add_fwd, .bwd_x = add_bwd_x, .cases = add_case,
	.args = "a:t b:t", .call = add_call,
};

Ten *add(Tape *t, Ten *a, Ten *b)
{
	Ten *in[] = { a, b };
	if (!op_ready(t, &op_add, 2, in) || !alike(t, &op_add, a, b))
		return NULL;
	Node *n = tape_node(t, &op_add, 2, in);
	return n ? tape_run(t, n, like(t, a)) : NULL;
}

static void mul_fwd(Tape *t, Node *n)
{
	const Ten *a = n->in[0], *b = n->in[1], *y = n->out[0];
	int64_t cols_n = ten_cols(y);
	Pair p = { ten_real(a), ten_real(b), a->stride, b->stride, cols_n, ten_real(y), y->stride, 1 };
	op_rows_for(t, ten_rows(y), cols_n, pair_mul, &p);
}

static void mul_bwd_x(Tape *t, Node *n)
{
	const Ten *y = n->out[0];
	int64_t cols_n = ten_cols(y);
	for (int i = 0; i < 2; i++) {
		real *d = tape_grad(t, n->in[i]);
		const Ten *other = n->in[1 - i];
		Pair p = { op_grad_in(y), ten_real(other), cols_n, other->stride, cols_n, d, cols_n, 1 };
		if (d)
			op_rows_for(t, ten_rows(y), cols_n, pair_mul_add, &p);
	}
}

static Ten *mul_case(Tape *t, int i, OpCase *c)
{
	static const int64_t shape[][2] = { { 3, 5 }, { 1, 7 } };
	if (i >= 3)
		return NULL;
	c->what = i < 2 ? "a b" : "a a";
	Ten *a = case_leaf(t, c, REAL_DTYPE, shape[i % 2][0], shape[i % 2][1], 1);
	return mul(t, a, i < 2 ? case_leaf(t, c, REAL_DTYPE, shape[i][0], shape[i][1], 1) : a);
}

static Ten *mul_call(Tape *t, const OpArg *a)
{
	return mul(t, a[0].t, a[1].t);
}

const Op op_mul = {
	.name = "mul",
	.equation = "y = a * b, elementwise",
	.doc = "For gates and masks that a hook puts in.",
	.source = "-",
	.fwd = mul_fwd, .bwd_x = mul_bwd_x, .cases = mul_case,
	.args = "a:t b:t", .call = mul_call,
};

Ten *mul(Tape *t, Ten *a, Ten *b)
{
	Ten *in[] = { a, b };
	if (!op_ready(t, &op_mul, 2, in) || !alike(t, &op_mul, a, b))
		return NULL;
	Node *n = tape_node(t, &op_mul, 2, in);
	return n ? tape_run(t, n, like(t, a)) : NULL;
}

static void scale_fwd(Tape *t, Node *n)
{
	const Ten *a = n->in[0], *y = n->out[0];
	Pair p = { ten_real(a), NULL, a->stride, 0, ten_cols(y), ten_real(y), y->stride, *(const real *)n->par };
	op_rows_for(t, ten_rows(y), ten_cols(y), pair_scale, &p);
}

static void scale_bwd_x(Tape *t, Node *n)
{
	const Ten *y = n->out[0];
	op_grad_send(t, n->in[0], *(const real *)n->par, op_grad_in(y), ten_cols(y));
}

static Ten *scale_case(Tape *t, int i, OpCase *c)
{
	static const double by[] = { 0.5, -3 };
	if (i >= 2)
		return NULL;
	c->what = "c a";
	return scale(t, case_leaf(t, c, REAL_DTYPE, 2 + i, 3, 1), (real)by[i]);
}

static Ten *scale_call(Tape *t, const OpArg *a)
{
	return scale(t, a[0].t, (real)a[1].n);
}

const Op op_scale = {
	.name = "scale", .equation = "y = c a", .doc = "A constant factor; no gradient to c.", .source = "-",
	.fwd = scale_fwd, .bwd_x = scale_bwd_x, .cases = scale_case,
	.args = "a:t c:n", .call = scale_call,
};

Ten *scale(Tape *t, Ten *a, real c)
{
	if (!op_ready(t, &op_scale, 1, &a) || !op_is_real(t, &op_scale, a))
		return NULL;
	Node *n = tape_node(t, &op_scale, 1, &a);
	if (!n)
		return NULL;
	n->par = tape_keep(t, &c, sizeof c);
	return tape_run(t, n, like(t, a));
}
