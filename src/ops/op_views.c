/* op_views.c - parts of a tensor without a copy (cols, rows), and copies that join or choose rows (concat,
 * pick). A view's gradient is a dense tensor of its own, added into the parent's when the walk back reaches
 * it. */
#include "ops/op.h"
#include <string.h>

typedef struct Part { int64_t row, col; } Part;

static void view_fwd(Tape *t, Node *n)
{
	(void)t;
	(void)n;
}

static void view_bwd_x(Tape *t, Node *n)
{
	const Part *at = n->par;
	const Ten *y = n->out[0];
	int64_t ld = ten_cols(n->in[0]);
	real *d = tape_grad(t, n->in[0]);
	if (d)
		op_accumulate(
			t, ten_rows(y), ten_cols(y), 1, op_grad_in(y), ten_cols(y), d + at->row * ld + at->col, ld);
}

/* A header over a part of x. Block scales of FP8 weights can be followed only in whole blocks of 128. */
static Ten *view_new(Tape *t, const Op *op, Ten *x, Part at, int64_t n_rows, int64_t n_cols)
{
	if (x->scale && (at.row % 128 || at.col % 128))
		return op_misfit(t, op, x, NULL, "a part of an FP8 weight must begin at a multiple of 128");
	Node *n = tape_node(t, op, 1, &x);
	Ten *y = n ? tape_alloc(t, sizeof *y) : NULL;
	if (!y)
		return NULL;
	int64_t first = at.row * x->stride + at.col;
	*y = (Ten){ .name = x->name,
		.scope = x->scope,
		.dtype = x->dtype,
		.rank = 2,
		.shape = { n_rows, n_cols },
		.stride = x->stride };
	y->data = (char *)x->data + first * (int64_t)(dtype_bits(x->dtype) / 8);
	if (x->scale) {
		y->scale = x->scale + at.row / 128 * x->scale_stride + at.col / 128;
		y->scale_stride = x->scale_stride;
	}
	n->par = tape_keep(t, &at, sizeof at);
	return tape_run(t, n, y);
}

static Ten *cols_case(Tape *t, int i, OpCase *c)
{
	if (i >= 2)
		return NULL;
	c->what = i ? "two overlapping column views" : "a column view";
	Ten *x = case_leaf(t, c, REAL_DTYPE, 3, 7, 1);
	return i ? mul(t, cols(t, x, 0, 4), cols(t, x, 2, 4)) : scale(t, cols(t, x, 2, 3), 2);
}

static Ten *cols_call(Tape *t, const OpArg *a)
{
	return cols(t, a[0].t, a[1].i, a[2].i);
}

const Op op_cols = {
	.name = "cols", .equation = "y = x[:, from:from+n]", .doc = "A view, no copy.", .source = "-",
	.fwd = view_fwd, .bwd_x = view_bwd_x, .cases = cols_case,
	.args = "x:t from:i n:i", .call = cols_call,
};

Ten *cols(Tape *t, Ten *x, int64_t from, int64_t n)
{
	if (!op_ready(t, &op_cols, 1, &x))
		return NULL;
	if (from < 0 || n < 0 || from > ten_cols(x) - n)
		return op_misfit(t, &op_cols, x, NULL, "there are no columns %lld to %lld", (long long)from,
			(long long)(from + n));
	return view_new(t, &op_cols, x, (Part){ 0, from }, ten_rows(x), n);
}

static Ten *rows_case(Tape *t, int i, OpCase *c)
{
	if (i >= 2)
		return NULL;
	c->what = i ? "two overlapping row views" : "a row view";
	Ten *x = case_leaf(t, c, REAL_DTYPE, 5, 3, 1);
	return i ? mul(t, rows(t, x, 0, 3), rows(t, x, 1, 3)) : scale(t, rows(t, x, 4, 1), 2);
}

static Ten *rows_call(Tape *t, const OpArg *a)
{
	return rows(t, a[0].t, a[1].i, a[2].i);
}

const Op op_rows = {
	.name = "rows", .equation = "y = x[from:from+n, :]", .doc = "A view, no copy.", .source = "-",
	.fwd = view_fwd, .bwd_x = view_bwd_x, .cases = rows_case,
	.args = "x:t from:i n:i", .call = rows_call,
};

Ten *rows(Tape *t, Ten *x, int64_t from, int64_t n)
{
	if (!op_ready(t, &op_rows, 1, &x))
		return NULL;
	if (from < 0 || n < 0 || from > ten_rows(x) - n)
		return op_misfit(
			t, &op_rows, x, NULL, "there are no rows %lld to %lld", (long long)from, (long long)(from + n));
	return view_new(t, &op_rows, x, (Part){ from, 0 }, n, ten_cols(x));
}

static void copy_rows(int64_t n, int64_t width, const real *x, int64_t ldx, real *y, int64_t ldy)
{
	for (int64_t r = 0; r < n; r++)
		memcpy(y + r * ldy, x + r * ldx, (size_t)width * sizeof *y);
}

static void concat_fwd(Tape *t, Node *n)
{
	(void)t;
	const Ten *a = n->in[0], *b = n->in[1], *y = n->out[0];
	copy_rows(ten_rows(y), ten_cols(a), ten_real(a), a->stride, ten_real(y), y->stride);
	copy_rows(ten_rows(y), ten_cols(b), ten_real(b), b->stride, ten_real(y) + ten_cols(a), y->stride);
}

static void concat_bwd_x(Tape *t, Node *n)
{
	const Ten *y = n->out[0];
	int64_t at = 0;
	for (int i = 0; i < 2; i++) {
		op_grad_send(t, n->in[i], 1, op_grad_in(y) + at, ten_cols(y));
		at += ten_cols(n->in[i]);
	}
}

static Ten *concat_case(Tape *t, int i, OpCase *c)
{
	if (i >= 2)
		return NULL;
	c->what = i ? "[a ; a part of a]" : "[a ; b]";
	Ten *a = case_leaf(t, c, REAL_DTYPE, 3, 4, 1);
	return concat(t, a, i ? cols(t, a, 1, 3) : case_leaf(t, c, REAL_DTYPE, 3, 5, 1));
}

static Ten *concat_call(Tape *t, const OpArg *a)
{
	return concat(t, a[0].t, a[1].t);
}

const Op op_concat = {
	.name = "concat",
	.equation = "y = [a ; b], along columns",
	.doc = "Joins two tensors row by row.",
	.source = "V3 report 2.2 eq. 21",
	.fwd = concat_fwd, .bwd_x = concat_bwd_x, .cases = concat_case,
	.args = "a:t b:t", .call = concat_call,
};

Ten *concat(Tape *t, Ten *a, Ten *b)
{
	Ten *in[] = { a, b };
	if (!op_ready(t, &op_concat, 2, in) || !op_is_real(t, &op_concat, a) || !op_is_real(t, &op_concat, b))
		return NULL;
	if (ten_rows(a) != ten_rows(b))
		return op_misfit(t, &op_concat, a, b, "both must have as many rows");
	Node *n = tape_node(t, &op_concat, 2, in);
	return n ? tape_run(t, n, tape_ten2(t, ten_rows(a), ten_cols(a) + ten_cols(b))) : NULL;
}

static void pick_fwd(Tape *t, Node *n)
{
	(void)t;
	const Ten *x = n->in[0], *y = n->out[0];
	const int32_t *row = n->par;
	int64_t width = ten_cols(x);
	for (int64_t i = 0; i < ten_rows(y); i++)
		memcpy(ten_real(y) + i * width, ten_real(x) + row[i] * x->stride, (size_t)width * sizeof(real));
}

static void pick_bwd_x(Tape *t, Node *n)
{
	const Ten *y = n->out[0];
	const int32_t *row = n->par;
	int64_t width = ten_cols(y);
	real *d = tape_grad(t, n->in[0]);
	for (int64_t i = 0; d && i < ten_rows(y); i++)
		for (int64_t k = 0; k < width; k++)
			d[row[i] * width + k] += op_grad_in(y)[i * width + k];
}

static Ten *pick_case(Tape *t, int i, OpCase *c)
{
	static const int32_t at[][4] = { { 2, 0, 2, 1 }, { 3, 3, 3, 3 } };
	if (i >= 2)
		return NULL;
	c->what = "rows chosen, some twice";
	return pick(t, case_leaf(t, c, REAL_DTYPE, 4, 3, 1), at[i], 4);
}

static Ten *pick_call(Tape *t, const OpArg *a)
{
	return pick(t, a[0].t, a[1].list, a[1].i);
}

const Op op_pick = {
	.name = "pick",
	.equation = "y_i = x[row_i]",
	.doc = "Chooses rows: last positions, shifts of MTP.",
	.source = "V3 report 2.2",
	.fwd = pick_fwd, .bwd_x = pick_bwd_x, .cases = pick_case,
	.args = "x:t row:l", .call = pick_call,
};

Ten *pick(Tape *t, Ten *x, const int32_t *row, int64_t n)
{
	if (!op_ready(t, &op_pick, 1, &x) || !op_is_real(t, &op_pick, x))
		return NULL;
	for (int64_t i = 0; i < n; i++)
		if (row[i] < 0 || row[i] >= ten_rows(x))
			return op_misfit(t, &op_pick, x, NULL, "there is no row %d", row[i]);
	Node *node = tape_node(t, &op_pick, 1, &x);
	if (!node)
		return NULL;
	int32_t *own = tape_alloc(t, (size_t)n * sizeof *own);
	if (!own)
		return NULL;
	memcpy(own, row, (size_t)n * sizeof *own);
	node->par = own;
	return tape_run(t, node, tape_ten2(t, n, ten_cols(x)));
}
