/* op_each.c - functions of each number by itself: what an attention or a loss written in a script is made of. Their derivative is worked
 * out from x and y, so nothing is kept for the walk back. */
#include "ops/op.h"
#include <math.h>

typedef struct Each { const real *x, *y, *g; int64_t ldx, n; real *out; } Each;

#define EACH_LOOP(name, expression) \
	static void name(void *arg, int64_t from, int64_t to) \
	{ \
		const Each *e = arg; \
		for (int64_t r = from; r < to; r++) \
			for (int64_t i = 0; i < e->n; i++) { \
				const real x = e->x[r * e->ldx + i], y = e->y ? e->y[r * e->n + i] : 0; \
				const real g = e->g ? e->g[r * e->n + i] : 0; \
				real *out = e->out + r * e->n + i; \
				(void)x, (void)y, (void)g; \
				expression; \
			} \
	}

static inline real sigmoid_of(real x)
{
	return 1 / (1 + (real)exp(-(double)x));
}

EACH_LOOP(exp_loop, *out = (real)exp((double)x))
EACH_LOOP(exp_back, *out += g * y)
EACH_LOOP(log_loop, *out = (real)log((double)x))
EACH_LOOP(log_back, *out += g / x)
EACH_LOOP(tanh_loop, *out = (real)tanh((double)x))
EACH_LOOP(tanh_back, *out += g * (1 - y * y))
EACH_LOOP(relu_loop, *out = x > 0 ? x : x != x ? x : 0)
EACH_LOOP(relu_back, *out += x > 0 ? g : 0)
EACH_LOOP(silu_loop, *out = x * sigmoid_of(x))
EACH_LOOP(silu_back, *out += g * sigmoid_of(x) * (1 + x * (1 - sigmoid_of(x))))
#undef EACH_LOOP

enum { EACH_COST = 16 };

static void each_fwd(Tape *t, Node *n, OpRows fn)
{
	const Ten *x = n->in[0];
	Each e = { .x = ten_real(x), .ldx = x->stride, .n = ten_cols(x), .out = ten_real(n->out[0]) };
	op_rows_for(t, ten_rows(x), EACH_COST * e.n, fn, &e);
}

static void each_back(Tape *t, Node *n, OpRows fn)
{
	const Ten *x = n->in[0], *y = n->out[0];
	Each e = { ten_real(x), ten_real(y), op_grad_in(y), x->stride, ten_cols(x), tape_grad(t, n->in[0]) };
	if (e.out)
		op_rows_for(t, ten_rows(x), EACH_COST * e.n, fn, &e);
}

static Ten *each_run(Tape *t, const Op *op, Ten *x)
{
	if (!op_ready(t, op, 1, &x) || !op_is_real(t, op, x))
		return NULL;
	Node *n = tape_node(t, op, 1, &x);
	return n ? tape_run(t, n, tape_ten(t, x->rank, x->shape)) : NULL;
}

/* from, to: added to the columns in turn, to stay clear of corners and poles. */
static Ten *each_case(Tape *t, int i, OpCase *c, Ten *(*fn)(Tape *, Ten *), double from, double to)
{
	if (i >= 2)
		return NULL;
	c->what = i ? "a view" : "rows";
	Ten *x = case_leaf(t, c, REAL_DTYPE, 3, 7, 0.5), *row = tape_ten2(t, 1, 7);
	for (int k = 0; row && k < 7; k++)
		ten_real(row)[k] = (real)(k % 2 ? to : from);
	x = add_row(t, x, row);
	return fn(t, i ? cols(t, x, 1, 5) : x);
}

#define EACH_OP(sym, fn) \
	static void sym##_fwd(Tape *t, Node *n) { each_fwd(t, n, sym##_loop); } \
	static void sym##_bwd_x(Tape *t, Node *n) { each_back(t, n, sym##_back); } \
	Ten *fn(Tape *t, Ten *x) { return each_run(t, &op_##sym, x); } \
	static Ten *sym##_call(Tape *t, const OpArg *a) { return fn(t, a[0].t); }
EACH_OP(exp, exp_each)
EACH_OP(log, log_each)
EACH_OP(tanh, tanh_each)
EACH_OP(relu, relu)
EACH_OP(silu, silu)
#undef EACH_OP

static Ten *exp_case(Tape *t, int i, OpCase *c)
{
	return each_case(t, i, c, exp_each, 0, 0);
}

static Ten *log_case(Tape *t, int i, OpCase *c)
{
	return each_case(t, i, c, log_each, 3, 4);
}

static Ten *tanh_case(Tape *t, int i, OpCase *c)
{
	return each_case(t, i, c, tanh_each, 0, 0.5);
}

static Ten *relu_case(Tape *t, int i, OpCase *c)
{
	return each_case(t, i, c, relu, -3, 3);
}

static Ten *silu_case(Tape *t, int i, OpCase *c)
{
	return each_case(t, i, c, silu, 0, -2);
}

const Op op_exp = {
	.name = "exp", .equation = "y = exp(x), each", .doc = "Overflows to infinity above 88 (709 in double).", .source = "-",
	.fwd = exp_fwd, .bwd_x = exp_bwd_x, .cases = exp_case, .args = "x:t", .call = exp_call,
};

const Op op_log = {
	.name = "log", .equation = "y = ln(x), each", .doc = "-inf at 0, not a number below.", .source = "-",
	.fwd = log_fwd, .bwd_x = log_bwd_x, .cases = log_case, .args = "x:t", .call = log_call,
};

const Op op_tanh = {
	.name = "tanh", .equation = "y = tanh(x), each", .doc = "For soft caps and gates.", .source = "-",
	.fwd = tanh_fwd, .bwd_x = tanh_bwd_x, .cases = tanh_case, .args = "x:t", .call = tanh_call,
};

const Op op_relu = {
	.name = "relu", .equation = "y = max(x, 0), each", .doc = "No gradient where x <= 0.",
	.source = "V3.2 report 2.1 eq. 1 (the indexer's)",
	.fwd = relu_fwd, .bwd_x = relu_bwd_x, .cases = relu_case, .args = "x:t", .call = relu_call,
};

const Op op_silu = {
	.name = "silu", .equation = "y = x / (1 + exp(-x)), each", .doc = "The half of SwiGLU that is a function of one number.",
	.source = "moe.md 2",
	.fwd = silu_fwd, .bwd_x = silu_bwd_x, .cases = silu_case, .args = "x:t", .call = silu_call,
};
