/* op_route.c - the router: which experts a token goes to, and with what weight (moe.md 3 and 4). The choice
 * is a constant for the gradient, which flows through the weights. */
#include "ops/op.h"
#include "num/topk.h"
#include <math.h>
#include <string.h>

/* Scratch of one token: biased scores, their masked copy, group sums, groups kept. */
typedef struct Choice { const RouteRule *r; real *biased, *masked, *sum; int32_t *group; } Choice;

/* The best of a group, or the sum of its two best; a group of one, or of one that is not excluded, has only one to sum. */
static real group_value(const RouteRule *r, const real *s, int n)
{
	real best = -(real)INFINITY, second = -(real)INFINITY;
	for (int i = 0; i < n; i++) {
		if (s[i] > best) {
			second = best;
			best = s[i];
		} else if (s[i] > second) {
			second = s[i];
		}
	}
	return r->group_top2 && second > -(real)INFINITY ? best + second : best;
}

/* The groups of a token: their values in c->sum, the kept ones in c->group, everything else masked with
 * -inf. */
static void choose_groups(const Choice *c)
{
	const RouteRule *r = c->r;
	int size = r->E / r->n_group;
	for (int g = 0; g < r->n_group; g++)
		c->sum[g] = group_value(r, c->biased + g * size, size);
	int n = topk_select(c->sum, r->n_group, r->topk_group, c->group); /* fewer when all of a group are excluded */
	for (int i = 0; i < r->E; i++)
		c->masked[i] = -(real)INFINITY;
	for (int k = 0; k < n; k++)
		memcpy(
			c->masked + c->group[k] * size, c->biased + c->group[k] * size, (size_t)size * sizeof *c->masked);
}

static bool choose_row(Tape *t, const Choice *c, const real *s, const real *bias, int64_t row, int32_t *topk)
{
	const RouteRule *r = c->r;
	for (int i = 0; i < r->E; i++) {
		c->biased[i] = bias ? s[i] + bias[i] : s[i];
		if (isnan(c->biased[i])) {
			tape_fail_op(t, &op_route_choose, E_6001,
				"the score of expert %d is not a number for token row %lld: look at the tensors "
				"of the layers before",
				i, (long long)row);
			return false;
		}
	}
	const real *from = c->biased;
	if (r->n_group > 1 && r->topk_group < r->n_group) {
		choose_groups(c);
		from = c->masked;
	}
	int n = topk_select(from, r->E, r->K, topk);
	if (n < r->K)
		tape_fail_op(t, &op_route_choose, E_6001,
			"token row %lld can choose among %d experts only, and needs %d: all others have the "
			"score -inf",
			(long long)row, n, r->K);
	return n == r->K;
}

typedef struct Route { RouteRule rule; } Route;

static void group_report(const Choice *c, int64_t row, const Ten *sum, const Ten *kept)
{
	const RouteRule *r = c->r;
	int size = r->E / r->n_group;
	real *s = ten_real(sum) + row * r->n_group;
	for (int g = 0; g < r->n_group; g++)
		s[g] = group_value(r, c->biased + g * size, size);
	int n = topk_select(s, r->n_group, r->topk_group, c->group);
	int32_t *k = (int32_t *)kept->data + row * r->n_group;
	memset(k, 0, (size_t)r->n_group * sizeof *k);
	for (int i = 0; i < n; i++)
		k[c->group[i]] = 1;
}

static void route_choose_fwd(Tape *t, Node *n)
{
	const Route *p = n->par;
	const RouteRule *r = &p->rule;
	const Ten *scores = n->in[0], *y = n->out[0];
	const real *bias = n->in[1] ? op_row(t, n->in[1]) : NULL;
	Choice c = { r, tape_alloc(t, (size_t)(2 * r->E + r->n_group) * sizeof(real)), NULL, NULL, NULL };
	c.group = tape_alloc(t, (size_t)r->n_group * sizeof *c.group);
	if (tape_failed(t))
		return;
	c.masked = c.biased + r->E;
	c.sum = c.masked + r->E;
	for (int64_t i = 0; i < ten_rows(scores); i++) {
		if (!choose_row(t, &c, ten_real(scores) + i * scores->stride, bias, i, (int32_t *)y->data + i * r->K))
			return;
		if (n->n_out == 3)
			group_report(&c, i, n->out[1], n->out[2]);
	}
}

const Op op_route_choose = {
	.name = "route_choose", .equation = "S = topk of s + b within the best groups",
	.doc = "Not differentiable: the gradient flows through the weights, not the choice.",
	.source = "V3 report 2.1.2 eq. 14-16; moe.md 3, 4",
	.fwd = route_choose_fwd,
};

static bool rule_fits(Tape *t, const Ten *scores, const Ten *bias, const RouteRule *r)
{
	const Op *op = &op_route_choose;
	if (!op_is_real(t, op, scores))
		return false;
	if (r->E < 1 || ten_cols(scores) != r->E)
		op_misfit(t, op, scores, NULL, "the router has %d experts", r->E);
	else if (bias && (ten_count(bias) != r->E || !dtype_is_float(bias->dtype)))
		op_misfit(t, op, scores, bias, "a bias has one number for each expert");
	else if (r->n_group < 1 || r->E % r->n_group || r->topk_group < 1 || r->topk_group > r->n_group)
		op_misfit(t, op, scores, NULL, "%d experts cannot be cut into %d groups of which %d are kept", r->E,
			r->n_group, r->topk_group);
	else if (r->K < 1 || r->K > r->E / r->n_group * r->topk_group)
		op_misfit(t, op, scores, NULL, "%d experts cannot be chosen from %d groups of %d", r->K,
			r->topk_group, r->E / r->n_group);
	else
		return true;
	return false;
}

Ten *route_choose(Tape *t, Ten *scores, Ten *bias, const RouteRule *r, Ten **group_sum, Ten **group_kept)
{
	Ten *in[] = { scores, bias };
	if (group_sum)
		*group_sum = NULL;
	if (group_kept)
		*group_kept = NULL;
	if (!op_ready(t, &op_route_choose, 1, in) || !rule_fits(t, scores, bias, r))
		return NULL;
	Node *n = tape_node(t, &op_route_choose, 2, in);
	if (!n)
		return NULL;
	Route p = { *r };
	n->par = tape_keep(t, &p, sizeof p);
	n->out[0] = tape_ints(t, ten_rows(scores), r->K);
	n->n_out = 1;
	if (group_sum || group_kept) {
		n->out[1] = tape_ten2(t, ten_rows(scores), r->n_group);
		n->out[2] = tape_ints(t, ten_rows(scores), r->n_group);
		n->n_out = 3;
	}
	Ten *y = tape_run(t, n, n->out[0]);
	/* By-products are not differentiable: whatever uses them gets constants. */
	if (y && n->n_out == 3)
		n->out[1]->needs_grad = false;
	if (y && group_sum)
		*group_sum = n->out[1];
	if (y && group_kept)
		*group_kept = n->out[2];
	return y;
}

static void route_weights_fwd(Tape *t, Node *n)
{
	const Route *p = n->par;
	const Ten *s = n->in[0], *topk = n->in[1], *w = n->out[0];
	int K = p->rule.K;
	(void)t;
	for (int64_t r = 0; r < ten_rows(w); r++) {
		const real *sr = ten_real(s) + r * s->stride;
		const int32_t *id = (const int32_t *)topk->data + r * topk->stride;
		real *wr = ten_real(w) + r * K, sum = 0, c = (real)p->rule.scale;
		for (int k = 0; k < K; k++)
			sum += wr[k] = sr[id[k]];
		for (int k = 0; k < K; k++)
			wr[k] = p->rule.normalise ? wr[k] / (sum + (real)1e-20) * c : wr[k] * c;
	}
}

/* Normalised: ds_i = (c / Z) (gw_i - sum_j gw_j s_j / Z); else ds_i = c gw_i. */
static void route_weights_bwd_x(Tape *t, Node *n)
{
	const Route *p = n->par;
	const Ten *s = n->in[0], *topk = n->in[1], *w = n->out[0];
	int K = p->rule.K;
	int64_t E = ten_cols(s);
	real *d = tape_grad(t, n->in[0]), c = (real)p->rule.scale;
	for (int64_t r = 0; d && r < ten_rows(w); r++) {
		const real *g = op_grad_in(w) + r * K, *sr = ten_real(s) + r * s->stride;
		const int32_t *id = (const int32_t *)topk->data + r * topk->stride;
		real Z = (real)1e-20, mean = 0;
		for (int k = 0; k < K; k++)
			Z += sr[id[k]];
		for (int k = 0; p->rule.normalise && k < K; k++)
			mean += g[k] * sr[id[k]] / Z;
		for (int k = 0; k < K; k++)
			d[r * E + id[k]] += p->rule.normalise ? c / Z * (g[k] - mean) : c * g[k];
	}
}

/* The bias decides alone, so that moving a score a little never changes the choice. */
static Ten *route_weights_case(Tape *t, int i, OpCase *c)
{
	Ten *bias = tape_ten2(t, 1, i == 2 ? 5 : 8);
	if (i >= 3 || !bias)
		return NULL;
	c->what = i == 0 ? "V3: normalised sigmoid" : i == 1 ? "V2: softmax as it is" : "V3, E = 5";
	RouteRule r = { .E = i == 2 ? 5 : 8,
		.K = i == 2 ? 2 : 3,
		.n_group = i == 2 ? 1 : 4,
		.topk_group = i == 2 ? 1 : 2,
		.group_top2 = i != 1,
		.normalise = i != 1,
		.scale = 2.5 };
	for (int e = 0; e < r.E; e++)
		ten_real(bias)[e] = (real)(e * 3 % r.E * 10);
	Ten *x = case_leaf(t, c, REAL_DTYPE, 5, r.E, 1);
	Ten *s = i == 1 ? softmax(t, x) : sigmoid(t, x);
	return route_weights(t, s, route_choose(t, s, bias, &r, NULL, NULL), &r);
}

const Op op_route_weights = {
	.name = "route_weights",
	.equation = "w_i = scale s_i / sum_S s, or scale s_i",
	.doc = "Gradient to the scores of the chosen experts.",
	.source = "V3 report 2.1.2 eq. 13; training.md 2.7, 2.8",
	.fwd = route_weights_fwd, .bwd_x = route_weights_bwd_x, .cases = route_weights_case,
};

Ten *route_weights(Tape *t, Ten *scores, Ten *topk, const RouteRule *r)
{
	Ten *in[] = { scores, topk };
	const Op *op = &op_route_weights;
	if (!op_ready(t, op, 2, in) || !op_is_real(t, op, scores))
		return NULL;
	if (topk->dtype != DT_I32 || ten_rows(topk) != ten_rows(scores) || ten_cols(topk) != r->K ||
		ten_cols(scores) != r->E)
		return op_misfit(t, op, scores, topk, "%d experts, %d chosen per token", r->E, r->K);
	for (int64_t i = 0; i < ten_rows(topk); i++)
		for (int k = 0; k < r->K; k++) {
			int32_t id = ((const int32_t *)topk->data)[i * topk->stride + k];
			if (id < 0 || id >= r->E)
				return op_misfit(
					t, op, topk, NULL, "token row %lld chooses expert %d of %d", (long long)i, id, r->E);
		}
	Node *n = tape_node(t, op, 2, in);
	if (!n)
		return NULL;
	Route p = { *r };
	n->par = tape_keep(t, &p, sizeof p);
	return tape_run(t, n, tape_ten2(t, ten_rows(scores), r->K));
}
