/* op_rowwise.c - one row against many (add_row, mul_row), quotients, the sum of everything, and the transposed copy: what scripts need
 * beside the equations of the papers. */
#include "ops/op.h"

typedef struct Against { const real *x, *b, *g; int64_t ldx, ldb, n; real *out; } Against;

static void add_row_loop(void *arg, int64_t from, int64_t to)
{
	const Against *a = arg;
	for (int64_t r = from; r < to; r++)
		for (int64_t i = 0; i < a->n; i++)
			a->out[r * a->n + i] = a->x[r * a->ldx + i] + a->b[i];
}

static void mul_row_loop(void *arg, int64_t from, int64_t to)
{
	const Against *a = arg;
	for (int64_t r = from; r < to; r++)
		for (int64_t i = 0; i < a->n; i++)
			a->out[r * a->n + i] = a->x[r * a->ldx + i] * a->b[i];
}

static void mul_row_back(void *arg, int64_t from, int64_t to)
{
	const Against *a = arg;
	for (int64_t r = from; r < to; r++)
		for (int64_t i = 0; i < a->n; i++)
			a->out[r * a->n + i] += a->g[r * a->n + i] * a->b[i];
}

static void row_fwd(Tape *t, Node *n, OpRows fn)
{
	const Ten *x = n->in[0];
	Against a = { .x = ten_real(x), .b = op_row(t, n->in[1]), .ldx = x->stride, .n = ten_cols(x), .out = ten_real(n->out[0]) };
	if (a.b)
		op_rows_for(t, ten_rows(x), a.n, fn, &a);
}

static void add_row_fwd(Tape *t, Node *n)
{
	row_fwd(t, n, add_row_loop);
}

/* db_i (+)= sum_r g_ri [x_ri], rows in ascending order. */
static void row_grad(Tape *t, Node *n, const Ten *x)
{
	const Ten *y = n->out[0];
	int64_t w = ten_cols(y);
	real *db = tape_grad(t, n->in[1]);
	for (int64_t r = 0; db && r < ten_rows(y); r++)
		for (int64_t i = 0; i < w; i++)
			db[i] += op_grad_in(y)[r * w + i] * (x ? ten_real(x)[r * x->stride + i] : 1);
}

static void add_row_bwd_x(Tape *t, Node *n)
{
	op_grad_send(t, n->in[0], 1, op_grad_in(n->out[0]), ten_cols(n->out[0]));
	row_grad(t, n, NULL);
}

static void mul_row_fwd(Tape *t, Node *n)
{
	row_fwd(t, n, mul_row_loop);
}

static void mul_row_bwd_x(Tape *t, Node *n)
{
	const Ten *y = n->out[0];
	Against a = { .b = op_row(t, n->in[1]), .g = op_grad_in(y), .n = ten_cols(y), .out = tape_grad(t, n->in[0]) };
	if (a.b && a.out)
		op_rows_for(t, ten_rows(y), a.n, mul_row_back, &a);
	row_grad(t, n, n->in[0]);
}

static Ten *row_run(Tape *t, const Op *op, Ten *x, Ten *b)
{
	Ten *in[] = { x, b };
	if (!op_ready(t, op, 2, in) || !op_is_real(t, op, x))
		return NULL;
	if (ten_count(b) != ten_cols(x) || !dtype_is_float(b->dtype))
		return op_misfit(t, op, x, b, "one number is needed for each of the %lld columns", (long long)ten_cols(x));
	Node *n = tape_node(t, op, 2, in);
	return n ? tape_run(t, n, tape_ten(t, x->rank, x->shape)) : NULL;
}

Ten *add_row(Tape *t, Ten *x, Ten *b)
{
	return row_run(t, &op_add_row, x, b);
}

Ten *mul_row(Tape *t, Ten *x, Ten *b)
{
	return row_run(t, &op_mul_row, x, b);
}

static Ten *row_case(Tape *t, int i, OpCase *c, Ten *(*fn)(Tape *, Ten *, Ten *))
{
	if (i >= 2)
		return NULL;
	c->what = i ? "a view and a row" : "rows and a row";
	Ten *x = case_leaf(t, c, REAL_DTYPE, 4, 5, 1), *b = case_leaf(t, c, REAL_DTYPE, 1, i ? 3 : 5, 1);
	return fn(t, i ? cols(t, x, 1, 3) : x, b);
}

static Ten *add_row_case(Tape *t, int i, OpCase *c)
{
	return row_case(t, i, c, add_row);
}

static Ten *mul_row_case(Tape *t, int i, OpCase *c)
{
	return row_case(t, i, c, mul_row);
}

static Ten *add_row_call(Tape *t, const OpArg *a)
{
	return add_row(t, a[0].t, a[1].t);
}

static Ten *mul_row_call(Tape *t, const OpArg *a)
{
	return mul_row(t, a[0].t, a[1].t);
}

const Op op_add_row = {
	.name = "add_row", .equation = "y_t = x_t + b", .doc = "One row added to every row: steering vectors, biases.", .source = "-",
	.fwd = add_row_fwd, .bwd_x = add_row_bwd_x, .cases = add_row_case, .args = "x:t b:t", .call = add_row_call,
};

const Op op_mul_row = {
	.name = "mul_row", .equation = "y_t = x_t * b", .doc = "Every row times one row: masks of heads and columns.", .source = "-",
	.fwd = mul_row_fwd, .bwd_x = mul_row_bwd_x, .cases = mul_row_case, .args = "x:t b:t", .call = mul_row_call,
};

static void div_loop(void *arg, int64_t from, int64_t to)
{
	const Against *a = arg;
	for (int64_t r = from; r < to; r++)
		for (int64_t i = 0; i < a->n; i++)
			a->out[r * a->n + i] = a->x[r * a->ldx + i] / a->b[r * a->ldb + i];
}

static void div_fwd(Tape *t, Node *n)
{
	const Ten *x = n->in[0], *b = n->in[1];
	Against a = { ten_real(x), ten_real(b), NULL, x->stride, b->stride, ten_cols(x), ten_real(n->out[0]) };
	op_rows_for(t, ten_rows(x), a.n, div_loop, &a);
}

/* da = g / b, db = -g y / b */
static void div_bwd_x(Tape *t, Node *n)
{
	const Ten *b = n->in[1], *y = n->out[0];
	int64_t w = ten_cols(y);
	real *da = tape_grad(t, n->in[0]), *db = tape_grad(t, n->in[1]);
	for (int64_t r = 0; !tape_failed(t) && r < ten_rows(y); r++)
		for (int64_t i = 0; i < w; i++) {
			real q = op_grad_in(y)[r * w + i] / ten_real(b)[r * b->stride + i];
			if (da)
				da[r * w + i] += q;
			if (db)
				db[r * w + i] -= q * ten_real(y)[r * w + i];
		}
}

Ten *divide(Tape *t, Ten *a, Ten *b)
{
	Ten *in[] = { a, b };
	if (!op_ready(t, &op_div, 2, in) || !op_is_real(t, &op_div, a) || !op_is_real(t, &op_div, b))
		return NULL;
	if (ten_rows(a) != ten_rows(b) || ten_cols(a) != ten_cols(b))
		return op_misfit(t, &op_div, a, b, "both must have one shape");
	Node *n = tape_node(t, &op_div, 2, in);
	return n ? tape_run(t, n, tape_ten(t, a->rank, a->shape)) : NULL;
}

static Ten *div_case(Tape *t, int i, OpCase *c)
{
	if (i >= 2)
		return NULL;
	c->what = i ? "views" : "a / (3 + b)";
	Ten *a = case_leaf(t, c, REAL_DTYPE, 3, 5, 1), *b = case_leaf(t, c, REAL_DTYPE, 3, 5, 0.3), *three = tape_ten2(t, 1, 5);
	for (int k = 0; three && k < 5; k++)
		ten_real(three)[k] = 3;
	b = add_row(t, b, three);
	return i ? divide(t, cols(t, a, 1, 3), cols(t, b, 2, 3)) : divide(t, a, b);
}

static Ten *div_call(Tape *t, const OpArg *a)
{
	return divide(t, a[0].t, a[1].t);
}

const Op op_div = {
	.name = "div", .equation = "y = a / b, elementwise", .doc = "Infinity or not a number where b is 0.", .source = "-",
	.fwd = div_fwd, .bwd_x = div_bwd_x, .cases = div_case, .args = "a:t b:t", .call = div_call,
};

/* In double and in one order, so that the sum does not depend on threads. */
static void total_fwd(Tape *t, Node *n)
{
	const Ten *x = n->in[0];
	double sum = 0;
	(void)t;
	for (int64_t r = 0; r < ten_rows(x); r++)
		for (int64_t i = 0; i < ten_cols(x); i++)
			sum += (double)ten_real(x)[r * x->stride + i];
	ten_real(n->out[0])[0] = (real)sum;
}

static void total_bwd_x(Tape *t, Node *n)
{
	real *d = tape_grad(t, n->in[0]), g = op_grad_in(n->out[0])[0];
	for (int64_t i = 0; d && i < ten_count(n->in[0]); i++)
		d[i] += g;
}

Ten *total(Tape *t, Ten *x)
{
	if (!op_ready(t, &op_total, 1, &x) || !op_is_real(t, &op_total, x))
		return NULL;
	Node *n = tape_node(t, &op_total, 1, &x);
	return n ? tape_run(t, n, tape_ten2(t, 1, 1)) : NULL;
}

static Ten *total_case(Tape *t, int i, OpCase *c)
{
	if (i >= 2)
		return NULL;
	c->what = i ? "a view" : "the sum of products";
	Ten *a = case_leaf(t, c, REAL_DTYPE, 3, 5, 1);
	return total(t, i ? cols(t, a, 1, 3) : mul(t, a, case_leaf(t, c, REAL_DTYPE, 3, 5, 1)));
}

static Ten *total_call(Tape *t, const OpArg *a)
{
	return total(t, a[0].t);
}

const Op op_total = {
	.name = "total", .equation = "y = sum_ij x_ij", .doc = "One number that t:grad can start from.", .source = "-",
	.fwd = total_fwd, .bwd_x = total_bwd_x, .cases = total_case, .args = "x:t", .call = total_call,
};

static void transpose_fwd(Tape *t, Node *n)
{
	const Ten *x = n->in[0];
	real *y = ten_real(n->out[0]);
	int64_t R = ten_rows(x), C = ten_cols(x);
	(void)t;
	for (int64_t r = 0; r < R; r++)
		for (int64_t i = 0; i < C; i++)
			y[i * R + r] = ten_real(x)[r * x->stride + i];
}

static void transpose_bwd_x(Tape *t, Node *n)
{
	int64_t R = ten_rows(n->in[0]), C = ten_cols(n->in[0]);
	real *d = tape_grad(t, n->in[0]);
	for (int64_t r = 0; d && r < R; r++)
		for (int64_t i = 0; i < C; i++)
			d[r * C + i] += op_grad_in(n->out[0])[i * R + r];
}

Ten *transpose(Tape *t, Ten *x)
{
	if (!op_ready(t, &op_transpose, 1, &x) || !op_is_real(t, &op_transpose, x))
		return NULL;
	Node *n = tape_node(t, &op_transpose, 1, &x);
	return n ? tape_run(t, n, tape_ten2(t, ten_cols(x), ten_rows(x))) : NULL;
}

static Ten *transpose_case(Tape *t, int i, OpCase *c)
{
	if (i >= 2)
		return NULL;
	c->what = i ? "a view" : "rows become columns";
	Ten *x = case_leaf(t, c, REAL_DTYPE, 3, 5, 1);
	return mul(t, transpose(t, i ? cols(t, x, 1, 4) : x), case_leaf(t, c, REAL_DTYPE, 5 - i, 3, 1));
}

static Ten *transpose_call(Tape *t, const OpArg *a)
{
	return transpose(t, a[0].t);
}

const Op op_transpose = {
	.name = "transpose", .equation = "y_ji = x_ij", .doc = "A copy.", .source = "-",
	.fwd = transpose_fwd, .bwd_x = transpose_bwd_x, .cases = transpose_case, .args = "x:t", .call = transpose_call,
};
