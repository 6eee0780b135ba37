/* op.h - what the ops share: refusals that name tensors and shapes, loops over rows, and leaves for test
 * cases. */
#ifndef OPS_OP_H
#define OPS_OP_H
#include "ops/ops.h"
#include "base/rng.h"

/* In the order of ops.h. */
#define OPS_ALL(X) \
	X(add) X(mul) X(div) X(scale) X(add_row) X(mul_row) X(total) X(transpose) X(exp) X(log) X(tanh) X(relu) X(silu) \
	X(cols) X(rows) X(concat) X(pick) X(embed) X(linear) X(linear_bias) X(rmsnorm) \
	X(swiglu) X(sigmoid) X(softmax) X(rope) X(attend) X(attend_scores) X(attend_probs) X(attend_values) \
	X(attend_latent) X(route_choose) X(route_weights) X(dispatch) X(linear_grouped) X(combine) \
	X(cross_entropy) X(balance) X(token_logp) X(policy_loss) X(value_loss)
#define OP_EXTERN(name) extern const Op op_##name;
OPS_ALL(OP_EXTERN)
#undef OP_EXTERN

/* False once the tape has failed; a missing tensor without a failure fails it. need: how many of in[] must be
 * there. */
bool op_ready(Tape *t, const Op *op, int need, Ten *const *in);
/* Fails with "a[5x6] does not fit b[8x2]: why"; b may be NULL. Returns NULL. */
Ten *op_misfit(Tape *t, const Op *op, const Ten *a, const Ten *b, const char *fmt, ...) PRINTF(5, 6);
/* x must hold REAL numbers; fails otherwise. */
bool op_is_real(Tape *t, const Op *op, const Ten *x);
/* A weight row of n numbers as real: the tensor's own memory when it is REAL, else expanded into the step
 * arena. */
const real *op_row(Tape *t, const Ten *w);

/* The gradient of a result, or NULL when nothing arrived. */
static inline const real *op_grad_in(const Ten *y)
{
	return y->grad ? (const real *)y->grad->data : NULL;
}

/* fn(arg, from, to) over blocks of rows cut by shape alone; in one piece when the whole is small. cost:
 * operations per row. */
typedef void (*OpRows)(void *arg, int64_t from, int64_t to);
void op_rows_for(Tape *t, int64_t n, int64_t cost, OpRows fn, void *arg);

/* y[rows,cols] += c * x, each with its own row stride. */
void op_accumulate(
	Tape *t, int64_t n_rows, int64_t n_cols, real c, const real *x, int64_t ldx, real *y, int64_t ldy);
/* Sends c * g to the gradient of x, which has as many rows and columns; the rows of g lie ldg apart. x may be
 * NULL. */
void op_grad_send(Tape *t, Ten *x, real c, const real *g, int64_t ldg);

/* A leaf of a test case: normal numbers times spread, rounded to dtype d; it needs a gradient when d is REAL.
 */
Ten *case_leaf(Tape *t, OpCase *c, Dtype d, int64_t n_rows, int64_t n_cols, double spread);
#endif
