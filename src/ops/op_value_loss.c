/* op_value_loss.c - how far a value head is from the returns, with PPO's limit on how far one update may carry it. */
#include "ops/op.h"
#include <math.h>
#include <string.h>

typedef struct Value { const real *old, *ret; double eps, inv; ValueStats *stats; real *grad; } Value;

static void value_loss_fwd(Tape *t, Node *n)
{
	Value *p = n->par;
	const real *v = ten_real(n->in[0]);
	int64_t T = ten_rows(n->in[0]);
	double all = 0;
	p->grad = tape_alloc(t, (size_t)(T + 1) * sizeof(real));
	for (int64_t i = 0; p->grad && i < T; i++) {
		double off = (double)v[i] - (double)p->ret[i], moved = p->old ? (double)v[i] - (double)p->old[i] : 0, cut = off;
		bool outside = p->old && p->eps > 0 && fabs(moved) > p->eps;
		if (outside)
			cut = (double)p->old[i] + (moved > 0 ? p->eps : -p->eps) - (double)p->ret[i];
		bool clipped = outside && cut * cut > off * off;
		all += clipped ? cut * cut : off * off;
		p->grad[i] = (real)(clipped ? 0 : off * p->inv);
		p->stats->outside += outside;
		p->stats->clipped += clipped;
	}
	*ten_real(n->out[0]) = (real)(all * p->inv / 2);
}

static void value_loss_bwd_x(Tape *t, Node *n)
{
	const Value *p = n->par;
	op_grad_send(t, n->in[0], *op_grad_in(n->out[0]), p->grad, 1);
}

static Ten *value_loss_case(Tape *t, int i, OpCase *c)
{
	static const real old[] = { 0.05, -0.6, 0.7, -0.05 }, ret[] = { 1, -1, 1, 0.5 };
	if (i >= 2)
		return NULL;
	c->what = i ? "two tokens outside the limit" : "no limit";
	return value_loss(t, case_leaf(t, c, REAL_DTYPE, 4, 1, 1e-3), i ? old : NULL, ret, i ? 0.2 : 0, 4, NULL);
}

/* A constant of a script's call: as many dense numbers as there are values. NULL: not given, or *ok false. */
static const real *constant(Tape *t, const Ten *v, const Ten *x, bool *ok)
{
	if (!*ok || !x)
		return NULL;
	*ok = x->dtype == REAL_DTYPE && ten_count(x) == ten_rows(v) && (ten_rows(x) == 1 || x->stride == ten_cols(x));
	if (!*ok)
		op_misfit(t, &op_value_loss, v, x, "one number for each value is needed");
	return *ok ? ten_real(x) : NULL;
}

static Ten *value_loss_call(Tape *t, const OpArg *a)
{
	Ten *in[] = { a[0].t, a[1].t };
	bool ok = op_ready(t, &op_value_loss, 2, in);
	const real *ret = ok ? constant(t, a[0].t, a[1].t, &ok) : NULL, *old = ok ? constant(t, a[0].t, a[2].t, &ok) : NULL;
	return ok ? value_loss(t, a[0].t, old, ret, a[3].n, (double)ten_rows(a[0].t), NULL) : NULL;
}

const Op op_value_loss = {
	.name = "value_loss",
	.equation = "y = 1/2 mean_t max((V - R)^2, (clip(V, V_old - eps, V_old + eps) - R)^2)",
	.doc = "Gradient to V alone; none where the clipped part is the greater one.",
	.source = "PPO; rl.md 2.1",
	.fwd = value_loss_fwd, .bwd_x = value_loss_bwd_x, .cases = value_loss_case,
	.args = "values:t returns:t old:t? limit:n?", .call = value_loss_call,
};

Ten *value_loss(Tape *t, Ten *v, const real *old, const real *ret, double eps, double norm, ValueStats *stats)
{
	const Op *op = &op_value_loss;
	if (!op_ready(t, op, 1, &v) || !op_is_real(t, op, v))
		return NULL;
	if (ten_cols(v) != 1 || v->stride != 1)
		return op_misfit(t, op, v, NULL, "one value for each token is needed");
	size_t size = (size_t)ten_rows(v) * sizeof(real);
	Value *p = tape_alloc(t, sizeof *p);
	ValueStats *none = tape_alloc(t, sizeof *none);
	real *own_ret = tape_alloc(t, size + 1), *own_old = old ? tape_alloc(t, size + 1) : NULL;
	Node *n = tape_failed(t) ? NULL : tape_node(t, op, 1, &v);
	if (!n)
		return NULL;
	memcpy(own_ret, ret, size);
	if (old)
		memcpy(own_old, old, size);
	*none = (ValueStats){ 0 };
	*p = (Value){ own_old, own_ret, eps, norm > 0 ? 1 / norm : 0, stats ? stats : none, NULL };
	n->par = p;
	return tape_run(t, n, tape_ten2(t, 1, 1));
}
