/* moe.c - DeepSeekMoE: V2 report 2.2 (softmax gate), V3 report 2.1.2 (sigmoid gate, correction bias,
 * node-limited groups). */
#include "model/lm.h"

Ten *mlp_forward(Tape *t, const Mlp *m, Ten *h)
{
	return linear(t, swiglu(t, linear(t, h, m->W_gate), linear(t, h, m->W_up)), m->W_down);
}

/* Tokens sent to each expert in this forward, for whoever looks. I32 [1,E]. */
static void moe_load(Tape *t, const Dispatch *d)
{
	if (!d || !tape_wants(t, "load"))
		return;
	Ten *load = tape_ints(t, 1, d->E);
	for (int e = 0; load && e < d->E; e++)
		((int32_t *)load->data)[e] = (int32_t)(d->offset[e + 1] - d->offset[e]);
	tape_name(t, "load", load);
}

/* The bias under its short name, for whoever looks; the weight itself keeps the name it has in checkpoints. */
static Ten *moe_bias(Tape *t, const Moe *m)
{
	if (!m->bias || !tape_wants(t, "bias"))
		return m->bias;
	return tape_name(t, "bias", tape_leaf(t, *m->bias, false));
}

/* The choice, with its by-products only when somebody watches them. */
static Ten *moe_choose(Tape *t, const Moe *m, Ten *scores)
{
	Ten *bias = moe_bias(t, m);
	Ten *sum = NULL, *kept = NULL;
	bool look = tape_wants(t, "group_sum") || tape_wants(t, "group_kept");
	Ten *topk = route_choose(t, scores, bias, &m->rule, look ? &sum : NULL, look ? &kept : NULL);
	if (sum && kept) {
		tape_name(t, "group_sum", sum);
		tape_name(t, "group_kept", kept);
	}
	return topk;
}

Ten *moe_forward(Tape *t, const Moe *m, Ten *h)
{
	tape_push(t, "moe", -1);
	LET(t, logits, linear(t, h, m->W_g));
	LET(t, scores, m->softmax ? softmax(t, logits) : sigmoid(t, logits));
	LET(t, topk, moe_choose(t, m, scores));
	LET(t, weights, route_weights(t, scores, topk, &m->rule));
	const Dispatch *d = dispatch_plan(t, topk, m->rule.E);
	moe_load(t, d);
	Ten *x = dispatch(t, h, d);
	Ten *a = swiglu(t, linear_grouped(t, x, m->W_gate, d), linear_grouped(t, x, m->W_up, d));
	LET(t, expert_out, linear_grouped(t, a, m->W_down, d));
	LET(t, routed_out, combine(t, expert_out, weights, d));
	Ten *y = routed_out;
	if (m->has_shared) {
		LET(t, shared_out, mlp_forward(t, &m->shared, h));
		y = add(t, routed_out, shared_out);
	}
	tape_pop(t);
	return y;
}
