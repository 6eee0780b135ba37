/* op_policy_loss.c - the losses of reinforcement learning as one function of the log-probabilities of sampled tokens: REINFORCE, PPO, GRPO,
 * Dr. GRPO, DAPO, GSPO, RLOO and the additions of V3.2 are settings of it (rl.md 6).
 *
 * The surrogate of a token is s = min(r A, clip(r, 1 - low, 1 + high) A); minimised is the mean of -s + beta KL. The gradient with respect
 * to each log-probability is known in closed form, and is made in the forward, which needs the same numbers. */
#include "ops/op.h"
#include <math.h>
#include <string.h>

enum { KL_FAR = 20 /* |ln u| beyond it: e^20 as weight would drown everything else */ };

typedef struct Policy { PolicyRule rule; const PolicyTokens *tok; PolicyStats *stats; double *d; real *grad; double loss; } Policy;

/* What the tokens of an output share. */
typedef struct Output { int64_t from, n; double weight, drift, ratio; bool whole; } Output;

static Output output_of(const Policy *p, const real *logp, int i)
{
	const PolicyTokens *x = p->tok;
	Output o = { .from = x->first[i], .n = x->first[i + 1] - x->first[i], .whole = p->rule.ratio == RATIO_MEAN || p->rule.ratio == RATIO_SUM };
	double sum = 0;
	for (int64_t t = o.from; x->old && t < o.from + o.n; t++)
		sum += (double)logp[t] - (double)x->old[t];
	o.drift = o.n ? -sum / (double)o.n : 0;
	o.ratio = exp(p->rule.ratio == RATIO_SUM ? sum : -o.drift);
	switch (p->rule.mean) {
	case MEAN_SEQUENCE: o.weight = o.n ? 1 / (x->outputs * (double)o.n) : 0; break;
	case MEAN_TOKEN: o.weight = 1 / x->tokens; break;
	case MEAN_CONSTANT: o.weight = 1 / (x->outputs * p->rule.length); break;
	}
	return o;
}

/* -s and its derivative by ln r. */
static double surrogate(const PolicyRule *q, double r, double A, double *slope, int *cut)
{
	double low = 1 - q->low, high = 1 + q->high;
	*cut = A < 0 && r < low ? -1 : A > 0 && r > high ? 1 : 0;
	*slope = *cut ? 0 : -A * r;
	double loss = -A * (*cut < 0 ? low : *cut > 0 ? high : r);
	if (q->dual > 0 && A < 0 && loss > -A * q->dual) { /* a bad token that has become likely must not pull without bound */
		*slope = 0;
		return -A * q->dual;
	}
	return loss;
}

/* A KL estimate of one token and its derivative by l; x = ln u = l_ref - l. */
static double kl_term(PolicyKl kind, double x, double r, double *slope)
{
	x = x > KL_FAR ? KL_FAR : x < -KL_FAR ? -KL_FAR : x;
	double k3 = expm1(x) - x;
	switch (kind) {
	case KL_K1: *slope = 1; return -x;
	case KL_K2: *slope = -x; return x * x / 2;
	case KL_RK3: *slope = -r * x; return r * k3;
	case KL_K3: break;
	}
	*slope = -expm1(x);
	return k3;
}

static void token_count(PolicyStats *s, double ln_r, int cut)
{
	s->tokens++;
	s->cut_low += cut < 0;
	s->cut_high += cut > 0;
	s->ln_r_sum += fabs(ln_r);
	s->ln_r_most = fabs(ln_r) > s->ln_r_most ? fabs(ln_r) : s->ln_r_most;
}

/* Token t of an output: its loss; d[t] receives the derivative by ln r, d_kl the rest by l. */
static double token_term(Policy *p, const Output *o, const real *logp, int64_t t, bool masked, int *cut)
{
	const PolicyTokens *x = p->tok;
	double l = (double)logp[t], A = (double)x->advantage[t], ln_r = x->old ? l - (double)x->old[t] : 0, slope, loss;
	double r = o->whole ? o->ratio : exp(ln_r);
	*cut = 0;
	if (p->rule.ratio == RATIO_NONE) {
		loss = -A * l;
		slope = -A;
	} else {
		loss = surrogate(&p->rule, r, A, &slope, cut);
	}
	if (masked && A < 0)
		loss = slope = 0;
	p->d[t] = slope * o->weight;
	token_count(p->stats, ln_r, *cut);
	if (!x->ref)
		return loss * o->weight;
	double kl_slope, kl = kl_term(p->rule.kl, (double)x->ref[t] - l, exp(ln_r), &kl_slope);
	p->stats->kl_sum += kl;
	p->grad[t] += (real)(p->rule.beta * kl_slope * o->weight);
	return (loss + p->rule.beta * kl) * o->weight;
}

/* A ratio of the whole output hands its derivative to every token of it. */
static void output_spread(const Policy *p, const Output *o)
{
	double sum = 0;
	for (int64_t t = o->from; t < o->from + o->n; t++)
		sum += p->d[t];
	for (int64_t t = o->from; t < o->from + o->n; t++)
		p->grad[t] += (real)(!o->whole ? p->d[t] : p->rule.ratio == RATIO_SUM ? sum : sum / (double)o->n);
}

static void policy_loss_fwd(Tape *t, Node *n)
{
	Policy *p = n->par;
	const real *logp = ten_real(n->in[0]);
	int64_t T = ten_rows(n->in[0]);
	p->grad = tape_alloc(t, (size_t)(T + 1) * sizeof(real));
	p->d = tape_alloc(t, (size_t)(T + 1) * sizeof(double));
	if (tape_failed(t))
		return;
	memset(p->grad, 0, (size_t)(T + 1) * sizeof(real));
	double all = 0;
	for (int i = 0; i < p->tok->n_out; i++) {
		Output o = output_of(p, logp, i);
		bool masked = p->rule.delta > 0 && o.drift > p->rule.delta, dropped = false;
		int cut = 0;
		for (int64_t k = o.from; k < o.from + o.n; k++) {
			all += token_term(p, &o, logp, k, masked, &cut);
			dropped |= masked && (double)p->tok->advantage[k] < 0;
		}
		output_spread(p, &o);
		p->stats->outputs++;
		p->stats->outputs_cut += o.whole && cut;
		p->stats->masked += dropped;
		if (p->tok->kept)
			p->tok->kept[i] = !dropped;
	}
	*ten_real(n->out[0]) = (real)all;
}

static void policy_loss_bwd_x(Tape *t, Node *n)
{
	const Policy *p = n->par;
	op_grad_send(t, n->in[0], *op_grad_in(n->out[0]), p->grad, 1);
}

/* No ratio of a case lies on a clipping limit: the kinks are not differentiable. */
static Ten *policy_loss_case(Tape *t, int i, OpCase *c)
{
	static const int32_t first[] = { 0, 3, 4, 7 };
	static const real far[] = { 0.3, -0.1, 0.05, -0.5, 0.45, 0.15, -0.35 }, A[] = { 1, 1, 1, -1, -0.5, -0.5, -0.5 };
	static const struct { const char *what; PolicyRule r; } of[] = {
		{ "GRPO with k3", { RATIO_TOKEN, MEAN_SEQUENCE, KL_K3, 0.2, 0.2, 0, 0.04, 0, 0 } },
		{ "V3.2: r k3 and masked outputs", { RATIO_TOKEN, MEAN_SEQUENCE, KL_RK3, 0.2, 0.28, 0, 0.5, 0.45, 0 } },
		{ "token mean, dual clip, k2", { RATIO_TOKEN, MEAN_TOKEN, KL_K2, 0.2, 0.2, 1.3, 0.3, 0, 0 } },
		{ "constant, k1", { RATIO_TOKEN, MEAN_CONSTANT, KL_K1, 0.2, 0.2, 0, 0.3, 0, 20 } },
		{ "one ratio for an output: mean", { RATIO_MEAN, MEAN_SEQUENCE, KL_K3, 0.2, 0.2, 0, 0.1, 0, 0 } },
		{ "one ratio for an output: sum", { RATIO_SUM, MEAN_SEQUENCE, KL_K3, 0.2, 0.2, 0, 0.1, 0, 0 } },
		{ "REINFORCE", { RATIO_NONE, MEAN_TOKEN, KL_K3, 0, 0, 0, 0, 0, 0 } },
	};
	if (i >= (int)(sizeof of / sizeof of[0]))
		return NULL;
	c->what = of[i].what;
	Ten *logp = case_leaf(t, c, REAL_DTYPE, 7, 1, 1e-3);
	real *old = tape_alloc(t, 14 * sizeof *old), *ref = old + 7;
	PolicyTokens x = { .n_out = 3, .first = first, .old = old, .ref = ref, .advantage = A, .outputs = 3, .tokens = 7 };
	for (int k = 0; logp && old && k < 7; k++) { /* the leaf is near 0: the numbers are those of `far` */
		old[k] = -far[k];
		ref[k] = far[6 - k] * 2;
	}
	return old ? policy_loss(t, logp, &of[i].r, &x, NULL) : NULL;
}

/* A constant of a script's call: as many dense numbers as there are tokens. NULL: not given, or *ok false. */
static const real *constant(Tape *t, const Ten *logp, const Ten *x, bool *ok)
{
	if (!*ok || !x)
		return NULL;
	*ok = x->dtype == REAL_DTYPE && ten_count(x) == ten_rows(logp) && (ten_rows(x) == 1 || x->stride == ten_cols(x));
	if (!*ok)
		op_misfit(t, &op_policy_loss, logp, x, "one number for each token is needed");
	return *ok ? ten_real(x) : NULL;
}

/* From a script: the mean over all tokens; without `old` REINFORCE, without `ref` no KL; the limits 0.2 when they are left out. */
static Ten *policy_loss_call(Tape *t, const OpArg *a)
{
	Ten *in[] = { a[0].t, a[1].t };
	bool ok = op_ready(t, &op_policy_loss, 2, in);
	if (!ok)
		return NULL;
	const Ten *logp = a[0].t;
	int32_t first[] = { 0, (int32_t)ten_rows(logp) };
	PolicyTokens x = { .n_out = 1, .first = first, .outputs = 1, .tokens = (double)ten_rows(logp) };
	x.advantage = constant(t, logp, a[1].t, &ok);
	x.old = constant(t, logp, a[2].t, &ok);
	x.ref = constant(t, logp, a[3].t, &ok);
	PolicyRule r = { .ratio = x.old ? RATIO_TOKEN : RATIO_NONE, .mean = MEAN_TOKEN, .kl = KL_K3, .low = a[4].n > 0 ? a[4].n : 0.2,
		.high = a[5].n > 0 ? a[5].n : 0.2, .beta = a[6].n };
	return ok ? policy_loss(t, a[0].t, &r, &x, NULL) : NULL;
}

const Op op_policy_loss = {
	.name = "policy_loss",
	.equation = "y = mean_t(-min(r A, clip(r, 1-low, 1+high) A) + beta KL), r = exp(l - l_old)",
	.doc = "Gradient to the log-probabilities l alone; advantages, l_old, l_ref and the mask of outputs are constants.",
	.source = "DeepSeekMath 4.1; V3.2 report 3.1; rl.md 2, 3, 5, 6",
	.fwd = policy_loss_fwd, .bwd_x = policy_loss_bwd_x, .cases = policy_loss_case,
	.args = "logp:t advantage:t old:t? ref:t? low:n? high:n? beta:n?", .call = policy_loss_call,
};

static const void *kept_copy(Tape *t, const void *from, size_t n)
{
	void *to = from ? tape_alloc(t, n + 1) : NULL;
	if (to)
		memcpy(to, from, n);
	return to;
}

static PolicyTokens *tokens_keep(Tape *t, const PolicyTokens *x, int64_t n)
{
	PolicyTokens *own = tape_alloc(t, sizeof *own);
	size_t size = (size_t)n * sizeof(real);
	if (!own)
		return NULL;
	*own = *x;
	own->first = kept_copy(t, x->first, (size_t)(x->n_out + 1) * sizeof *x->first);
	own->old = kept_copy(t, x->old, size);
	own->ref = kept_copy(t, x->ref, size);
	own->advantage = kept_copy(t, x->advantage, size);
	return tape_failed(t) ? NULL : own;
}

static bool tokens_fit(Tape *t, const Ten *logp, const PolicyRule *r, const PolicyTokens *x)
{
	const Op *op = &op_policy_loss;
	bool ordered = x->n_out >= 0 && x->first[0] == 0 && x->first[x->n_out] == ten_rows(logp);
	for (int i = 0; ordered && i < x->n_out; i++)
		ordered = x->first[i] <= x->first[i + 1];
	if (!ordered || ten_cols(logp) != 1 || logp->stride != 1)
		op_misfit(t, op, logp, NULL, "%d outputs do not cover the tokens in order", x->n_out);
	else if (r->ratio != RATIO_NONE && !x->old)
		op_misfit(t, op, logp, NULL, "a ratio needs the log-probabilities of the sampling policy");
	else if (!(x->outputs > 0 && x->tokens > 0) || (r->mean == MEAN_CONSTANT && !(r->length > 0)))
		op_misfit(t, op, logp, NULL, "the mean is over %g outputs, %g tokens, length %g", x->outputs, x->tokens, r->length);
	else
		return true;
	return false;
}

Ten *policy_loss(Tape *t, Ten *logp, const PolicyRule *r, const PolicyTokens *x, PolicyStats *stats)
{
	const Op *op = &op_policy_loss;
	if (!op_ready(t, op, 1, &logp) || !op_is_real(t, op, logp) || !tokens_fit(t, logp, r, x))
		return NULL;
	Policy *p = tape_alloc(t, sizeof *p);
	PolicyStats *none = tape_alloc(t, sizeof *none);
	const PolicyTokens *own = p && none ? tokens_keep(t, x, ten_rows(logp)) : NULL;
	Node *n = own ? tape_node(t, op, 1, &logp) : NULL;
	if (!n)
		return NULL;
	*none = (PolicyStats){ 0 };
	*p = (Policy){ .rule = *r, .tok = own, .stats = stats ? stats : none };
	n->par = p;
	return tape_run(t, n, tape_ten2(t, 1, 1));
}
