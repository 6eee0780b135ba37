/* moe.c - DeepSeekMoE: V2 report 2.2 (softmax gate), V3 report 2.1.2 (sigmoid gate, correction bias,
 * node-limited groups). */
#include "model/lm.h"
#include <math.h>

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

/* For whoever looks: how undecided the gate is, in nat, of the scores as shares of their sum (0: one expert has all; ln E: all alike);
 * and what it would choose without the bias. */
static void moe_doubt(Tape *t, const Moe *m, Ten *scores)
{
	if (scores && tape_wants(t, "entropy")) {
		int64_t T = ten_rows(scores), E = ten_cols(scores);
		Ten *entropy = tape_ten2(t, T, 1);
		for (int64_t i = 0; entropy && i < T; i++) {
			const real *s = ten_real(scores) + i * scores->stride;
			double sum = 0, h = 0;
			for (int64_t e = 0; e < E; e++)
				sum += (double)s[e];
			for (int64_t e = 0; e < E; e++)
				h -= s[e] > 0 ? (double)s[e] / sum * log((double)s[e] / sum) : 0;
			ten_real(entropy)[i] = (real)h;
		}
		tape_name(t, "entropy", entropy);
	}
	if (m->bias && tape_wants(t, "topk_unbiased"))
		tape_name(t, "topk_unbiased", route_choose(t, scores, NULL, &m->rule, NULL, NULL));
}

static double row_norm(const Ten *x, int64_t i)
{
	double s = 0;
	for (int64_t k = 0; x && k < ten_cols(x); k++) {
		double v = (double)ten_real(x)[i * x->stride + k];
		s += v * v;
	}
	return sqrt(s);
}

/* Lengths of what the routed experts, the shared ones and both together add to the residual stream, for whoever looks. [T,3] */
static void moe_norms(Tape *t, const Ten *routed, const Ten *shared, const Ten *both)
{
	if (!routed || !both || !tape_wants(t, "norms"))
		return;
	Ten *norms = tape_ten2(t, ten_rows(both), 3);
	for (int64_t i = 0; norms && i < ten_rows(both); i++) {
		const Ten *part[] = { routed, shared, both };
		for (int k = 0; k < 3; k++)
			ten_real(norms)[i * 3 + k] = (real)row_norm(part[k], i);
	}
	tape_name(t, "norms", norms);
}

static bool gate_forward(Tape *t, const Moe *m, Ten *h, Ten **w, Ten **k)
{
	LET(t, logits, linear(t, h, m->W_g));
	LET(t, scores, m->softmax ? softmax(t, logits) : sigmoid(t, logits));
	moe_doubt(t, m, scores);
	LET(t, topk, moe_choose(t, m, scores));
	LET(t, weights, route_weights(t, scores, topk, &m->rule));
	*w = weights;
	*k = topk;
	return weights != NULL;
}

/* What a router from outside gives must be a choice among the experts. */
static bool gate_check(Tape *t, const Moe *m, const Ten *h, const Ten *w, const Ten *k)
{
	int64_t T = ten_rows(h), K = m->rule.K;
	if (!w || !k || tape_failed(t))
		return tape_failed(t) || tape_fail(t, E_6003, "%s: gave no weights or no choice", m->part->name);
	bool kinds = w->dtype == REAL_DTYPE && k->dtype == DT_I32 && k->stride == ten_cols(k);
	if (!kinds || ten_rows(w) != T || ten_rows(k) != T || ten_cols(w) != K || ten_cols(k) != K)
		return tape_fail(t, E_6003, "%s: gave weights [%lldx%lld] and a choice [%lldx%lld]; both must be [%lldx%lld]: tokens, experts "
			"per token", m->part->name, (long long)ten_rows(w), (long long)ten_cols(w), (long long)ten_rows(k),
			(long long)ten_cols(k), (long long)T, (long long)K);
	for (int64_t i = 0; i < T * K; i++) {
		int32_t e = ((const int32_t *)k->data)[i];
		bool twice = false;
		for (int64_t j = i / K * K; j < i; j++)
			twice |= ((const int32_t *)k->data)[j] == e;
		if (e < 0 || e >= m->rule.E || twice)
			return tape_fail(t, E_6003, "%s: token %lld goes to expert %d; there are %d, each once", m->part->name, (long long)(i / K), e,
				m->rule.E);
	}
	return true;
}

static bool gate_own(Tape *t, const Run *r, const Moe *m, int layer, Ten *h, Ten **w, Ten **k)
{
	*w = *k = NULL;
	if (tape_failed(t) || !m->part->forward(m->part->ud, t, r, layer, m->own, h, w, k) || !gate_check(t, m, h, *w, *k))
		return false;
	*k = tape_name(t, "topk", *k);
	*w = tape_name(t, "weights", *w);
	return *w && *k;
}

Ten *moe_forward(Tape *t, const Run *r, const Moe *m, int layer, Ten *h)
{
	Ten *weights, *topk;
	tape_push(t, "moe", -1);
	if (!(m->part ? gate_own(t, r, m, layer, h, &weights, &topk) : gate_forward(t, m, h, &weights, &topk)))
		return NULL;
	const Dispatch *d = dispatch_plan(t, topk, m->rule.E);
	moe_load(t, d);
	Ten *x = dispatch(t, h, d);
	Ten *a = swiglu(t, linear_grouped(t, x, m->W_gate, d), linear_grouped(t, x, m->W_up, d));
	LET(t, expert_out, linear_grouped(t, a, m->W_down, d));
	LET(t, routed_out, combine(t, expert_out, weights, d));
	Ten *y = routed_out, *shared = NULL;
	if (m->has_shared) {
		LET(t, shared_out, mlp_forward(t, &m->shared, h));
		shared = shared_out;
		y = add(t, routed_out, shared_out);
	}
	moe_norms(t, routed_out, shared, y);
	tape_pop(t);
	return y;
}
