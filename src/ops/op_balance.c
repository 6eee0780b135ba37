/* op_balance.c - the balance losses of V2 and V3 in one form: sum over sequences and experts of c_i P_i, where P_i is the mean share of
 * expert i in the sequence and the coefficients c_i (alpha f_i, and V2's for devices and communication) are constants that the caller
 * counts from the choices. */
#include "ops/op.h"
#include <string.h>

typedef struct Balance { const real *coef; const Seq *seq; int n_seq; bool share; } Balance;

static real row_total(const real *s, int64_t E, bool share)
{
	real sum = 0;
	for (int64_t i = 0; share && i < E; i++)
		sum += s[i];
	return share ? sum : 1;
}

static void balance_fwd(Tape *t, Node *n)
{
	const Balance *b = n->par;
	const Ten *s = n->in[0];
	int64_t E = ten_cols(s);
	double all = 0;
	(void)t;
	for (int q = 0; q < b->n_seq; q++) {
		double sum = 0;
		for (int r = b->seq[q].row0; r < b->seq[q].row0 + b->seq[q].rows; r++) {
			const real *x = ten_real(s) + r * s->stride, *c = b->coef + q * E;
			double row = 0;
			for (int64_t i = 0; i < E; i++)
				row += (double)c[i] * (double)x[i];
			sum += row / (double)row_total(x, E, b->share);
		}
		all += b->seq[q].rows ? sum / b->seq[q].rows : 0;
	}
	*ten_real(n->out[0]) = (real)all;
}

static void balance_bwd_x(Tape *t, Node *n)
{
	const Balance *b = n->par;
	const Ten *s = n->in[0];
	int64_t E = ten_cols(s);
	real *d = tape_grad(t, n->in[0]), g = *op_grad_in(n->out[0]);
	for (int q = 0; d && q < b->n_seq; q++)
		for (int r = b->seq[q].row0; r < b->seq[q].row0 + b->seq[q].rows; r++) {
			const real *x = ten_real(s) + r * s->stride, *c = b->coef + q * E;
			real total = row_total(x, E, b->share), mean = 0, scale = g / ((real)b->seq[q].rows * total);
			for (int64_t i = 0; b->share && i < E; i++)
				mean += c[i] * x[i] / total;
			for (int64_t i = 0; i < E; i++)
				d[r * E + i] += scale * (c[i] - mean);
		}
}

static Ten *balance_case(Tape *t, int i, OpCase *c)
{
	static const Seq seq[] = { { .row0 = 0, .rows = 3 }, { .row0 = 3, .rows = 2 } };
	static const real coef[] = { 1, 2, (real)0.5, 0, -1, 3, 1, 1 };
	if (i >= 2)
		return NULL;
	c->what = i ? "shares of softmax" : "sigmoid scores made shares";
	Ten *x = case_leaf(t, c, REAL_DTYPE, 5, 4, 1);
	return balance(t, i ? softmax(t, x) : sigmoid(t, x), coef, seq, 2, !i);
}

const Op op_balance = {
	.name = "balance",
	.equation = "y = sum_q sum_i c_qi P_qi, P_qi = 1/T_q sum_t s_ti / sum_j s_tj",
	.doc = "Balance of experts within sequences; the coefficients are constants. With a softmax gate scores are shares already.",
	.source = "V3 report 2.1.2 eq. 17-20; V2 report 2.2.3; training.md 2.9",
	.fwd = balance_fwd, .bwd_x = balance_bwd_x, .cases = balance_case,
};

Ten *balance(Tape *t, Ten *scores, const real *coef, const Seq *seq, int n_seq, bool share)
{
	const Op *op = &op_balance;
	if (!op_ready(t, op, 1, &scores) || !op_is_real(t, op, scores))
		return NULL;
	int64_t rows_n = 0, E = ten_cols(scores);
	for (int q = 0; q < n_seq; q++)
		rows_n += seq[q].rows;
	if (rows_n != ten_rows(scores))
		return op_misfit(t, op, scores, NULL, "the sequences have %lld rows", (long long)rows_n);
	Node *n = tape_node(t, op, 1, &scores);
	Balance *b = tape_alloc(t, sizeof *b);
	real *c = tape_alloc(t, (size_t)(n_seq * E + 1) * sizeof *c);
	Seq *q = tape_alloc(t, (size_t)(n_seq + 1) * sizeof *q);
	if (!n || !b || !c || !q)
		return NULL;
	memcpy(c, coef, (size_t)(n_seq * E) * sizeof *c);
	memcpy(q, seq, (size_t)n_seq * sizeof *q);
	*b = (Balance){ c, q, n_seq, share };
	n->par = b;
	return tape_run(t, n, tape_ten2(t, 1, 1));
}
