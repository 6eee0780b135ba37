/* op_cross_entropy.c - the loss of next-token prediction, in one op: log-softmax and choice together, so that no T x V probabilities are
 * kept. */
#include "num/kernels.h"
#include "ops/op.h"
#include <math.h>
#include <string.h>

/* Per row: the greatest logit and the sum of exponentials below it. */
typedef struct Xent { const int32_t *label; real inv; real *max, *sum; double *loss; } Xent;
typedef struct XentRows { Tape *t; const Xent *x; const Ten *z; real *d; real seed; bool add; } XentRows;

/* Exponentials of a row in pieces, so that the piece stays in the first cache. */
enum { PIECE = 1024 };

static real row_sum(const Kernels *k, int64_t V, const real *z, real max)
{
	real e[PIECE], sum = 0;
	for (int64_t i = 0; i < V; i += PIECE)
		sum += k->row_exp(V - i < PIECE ? V - i : PIECE, z + i, max, e);
	return sum;
}

static void xent_rows(void *arg, int64_t from, int64_t to)
{
	const XentRows *r = arg;
	const Kernels *k = pool_kernels(tape_pool(r->t));
	int64_t V = ten_cols(r->z);
	for (int64_t i = from; i < to; i++) {
		const real *z = ten_real(r->z) + i * r->z->stride;
		r->x->loss[i] = 0;
		if (r->x->label[i] < 0)
			continue;
		real max = k->row_max(V, z), sum = row_sum(k, V, z, max);
		r->x->max[i] = max;
		r->x->sum[i] = sum;
		r->x->loss[i] = (double)max - (double)z[r->x->label[i]] + log((double)sum);
	}
}

static void cross_entropy_fwd(Tape *t, Node *n)
{
	Xent *x = n->par;
	const Ten *z = n->in[0];
	int64_t T = ten_rows(z);
	x->max = tape_alloc(t, (size_t)(T + 1) * sizeof(real));
	x->sum = tape_alloc(t, (size_t)(T + 1) * sizeof(real));
	x->loss = tape_alloc(t, (size_t)(T + 1) * sizeof(double));
	if (tape_failed(t))
		return;
	XentRows r = { .t = t, .x = x, .z = z };
	op_rows_for(t, T, ten_cols(z) * 4, xent_rows, &r);
	double all = 0;
	for (int64_t i = 0; i < T; i++)
		all += x->loss[i];
	*ten_real(n->out[0]) = (real)(all * (double)x->inv);
}

static void xent_back(void *arg, int64_t from, int64_t to)
{
	const XentRows *r = arg;
	const Kernels *k = pool_kernels(tape_pool(r->t));
	int64_t V = ten_cols(r->z);
	real e[PIECE];
	for (int64_t row = from; row < to; row++) {
		const real *z = ten_real(r->z) + row * r->z->stride;
		real *d = r->d + row * V;
		int32_t label = r->x->label[row];
		if (label < 0) {
			if (!r->add)
				memset(d, 0, (size_t)V * sizeof *d);
			continue;
		}
		real c = r->seed / r->x->sum[row];
		for (int64_t at = 0; at < V; at += PIECE) {
			int64_t m = V - at < PIECE ? V - at : PIECE;
			k->row_exp(m, z + at, r->x->max[row], r->add ? e : d + at);
			if (r->add)
				k->row_add(m, c, e, d + at);
			else
				k->row_scale(m, d + at, c, NULL, d + at);
		}
		d[label] -= r->seed;
	}
}

static void cross_entropy_bwd_x(Tape *t, Node *n)
{
	const Xent *x = n->par;
	bool add;
	real *d = tape_grad_place(t, n->in[0], &add);
	XentRows r = { .t = t, .x = x, .z = n->in[0], .d = d, .seed = *op_grad_in(n->out[0]) * x->inv, .add = add };
	if (d)
		op_rows_for(t, ten_rows(n->in[0]), ten_cols(n->in[0]) * 4, xent_back, &r);
}

static Ten *cross_entropy_case(Tape *t, int i, OpCase *c)
{
	static const int32_t label[] = { 2, -100, 0, 4 };
	if (i >= 2)
		return NULL;
	c->what = i ? "one row" : "a row that does not count";
	return cross_entropy(t, case_leaf(t, c, REAL_DTYPE, i ? 1 : 4, 5, 2), label, i ? 1 : 3);
}

/* norm left out: the mean over the rows that count. */
static Ten *cross_entropy_call(Tape *t, const OpArg *a)
{
	int64_t counted = 0;
	if (tape_failed(t))
		return NULL;
	if (a[0].t && a[1].i != ten_rows(a[0].t))
		return op_misfit(t, &op_cross_entropy, a[0].t, NULL, "%lld labels are given, one a row is needed", (long long)a[1].i);
	for (int64_t i = 0; i < a[1].i; i++)
		counted += a[1].list[i] >= 0;
	return cross_entropy(t, a[0].t, a[1].list, a[2].n > 0 ? a[2].n : (double)counted);
}

const Op op_cross_entropy = {
	.name = "cross_entropy",
	.equation = "y = -1/norm sum_t log softmax(z_t)[label_t]",
	.doc = "Rows with a negative label do not count.",
	.source = "training.md 2.10",
	.fwd = cross_entropy_fwd, .bwd_x = cross_entropy_bwd_x, .cases = cross_entropy_case,
	.args = "z:t label:l norm:n?", .call = cross_entropy_call,
};

Ten *cross_entropy(Tape *t, Ten *z, const int32_t *label, double norm)
{
	const Op *op = &op_cross_entropy;
	if (!op_ready(t, op, 1, &z) || !op_is_real(t, op, z))
		return NULL;
	int64_t T = ten_rows(z), V = ten_cols(z);
	int32_t *own = tape_alloc(t, (size_t)(T + 1) * sizeof *own);
	for (int64_t i = 0; own && i < T; i++) {
		if (label[i] >= V)
			return op_misfit(t, op, z, NULL, "label %d of row %lld is not one of the columns", (int)label[i], (long long)i);
		own[i] = label[i];
	}
	Xent x = { .label = own, .inv = (real)(norm > 0 ? 1 / norm : 0) };
	Node *n = tape_node(t, op, 1, &z);
	if (!n)
		return NULL;
	Xent *kept = tape_alloc(t, sizeof *kept);
	if (!kept)
		return NULL;
	*kept = x;
	n->par = kept;
	return tape_run(t, n, tape_ten2(t, 1, 1));
}
