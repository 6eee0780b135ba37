/* balance.c - keeping experts busy alike: counts of what the router chose, the bias rule (V3 report 2.1.2, "auxiliary-loss-free"), and
 * the coefficients of the balance losses (V3 eq. 17-20, V2 report 2.2.3). Sees the router through hooks. */
#include "ops/ops.h"
#include "train/state.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* The place in t->router of the MoE layer that a name like "layers.3.moe.topk" tells, or -1. */
static int router_of(const Train *t, const char *full)
{
	int layer = -1;
	if (sscanf(full, "layers.%d.", &layer) != 1)
		return -1;
	for (int i = 0; i < t->n_moe; i++)
		if (t->load[i].layer == layer)
			return i;
	return -1;
}

/* Of one sequence: how often each expert was chosen. */
static void count_rows(const Ten *topk, const Seq *q, int64_t *count)
{
	int64_t K = ten_cols(topk);
	const int32_t *id = topk->data;
	for (int64_t i = q->row0 * K; i < (q->row0 + q->rows) * K; i++)
		count[id[i]]++;
}

/* Tokens of a sequence with at least one expert on each device. */
static void count_devices(const Ten *topk, const Seq *q, int E, int D, int64_t *sent)
{
	int64_t K = ten_cols(topk);
	const int32_t *id = topk->data;
	for (int64_t r = q->row0; r < q->row0 + q->rows; r++)
		for (int d = 0; d < D; d++) {
			bool there = false;
			for (int64_t k = 0; k < K; k++)
				there |= id[r * K + k] / (E / D) == d;
			sent[d] += there;
		}
}

/* c_i of one sequence: alpha f_i, and V2's alpha_2 f'_d + alpha_3 f''_d of the expert's device d. */
static void coefficients(const Train *t, const Ten *topk, const Seq *q, int E, int64_t *count, int64_t *sent, real *c)
{
	const TrainSettings *s = &t->s;
	double T = q->rows, K = (double)ten_cols(topk), docs = t->docs_all;
	int D = s->balance == BALANCE_V2 && s->devices > 1 && E % s->devices == 0 ? (int)s->devices : 1;
	memset(count, 0, sizeof *count * (size_t)E);
	memset(sent, 0, sizeof *sent * (size_t)D);
	count_rows(topk, q, count);
	if (D > 1)
		count_devices(topk, q, E, D, sent);
	for (int i = 0; i < E; i++) {
		int d = i / (E / D);
		double f = E / (K * T) * (double)count[i], group = 0;
		for (int j = d * (E / D); j < (d + 1) * (E / D); j++)
			group += E / (K * T) * (double)count[j] / (E / D);
		double comm = D / ((double)s->devices_kept * T) * (double)sent[d];
		c[i] = (real)((s->alpha * f + (D > 1 ? s->alpha_device * group + s->alpha_comm * comm : 0)) / docs);
	}
}

static Ten *see_scores(Tape *tape, Ten *x, const char *full, void *ud)
{
	Train *t = ud;
	int i = router_of(t, full);
	(void)tape;
	if (i >= 0)
		t->router[i].scores = x;
	return x;
}

/* Adds a layer's balance term to the loss. */
static bool add_term(Train *t, Tape *tape, int i, const Ten *topk)
{
	int E = t->load[i].E;
	real *c = tape_alloc(tape, sizeof *c * (size_t)(t->n_seq * E));
	int64_t *count = tape_alloc(tape, sizeof *count * (size_t)E * 2);
	for (int q = 0; c && count && q < t->n_seq; q++)
		coefficients(t, topk, &t->seq[q], E, count, count + E, c + q * E);
	if (!c || !count)
		return false;
	if (!t->router[i].scores)
		return tape_fail(tape, E_2102, "the router names no scores, which this balance loss reads: nn.name(\"scores\", ...) before it "
			"chooses; or balance = \"bias\"");
	Ten *term = balance(tape, t->router[i].scores, c, t->seq, t->n_seq, !t->router[i].moe->softmax);
	t->router[i].scores = NULL; /* the next forward's are others */
	t->aux = t->aux ? add(tape, t->aux, term) : term;
	return t->aux != NULL;
}

static Ten *see_choice(Tape *tape, Ten *x, const char *full, void *ud)
{
	Train *t = ud;
	int i = router_of(t, full);
	if (i < 0)
		return x;
	if (!tape_recording(tape)) /* a look at held-out text, or a pass that recording repeats */
		return x;
	for (int64_t k = 0, n = ten_count(x); k < n; k++)
		t->load[i].count[((const int32_t *)x->data)[k]]++;
	bool term = (t->s.balance == BALANCE_SEQUENCE || t->s.balance == BALANCE_V2);
	return term && !add_term(t, tape, i, x) ? NULL : x;
}

bool balance_watch(Train *t, Err *e)
{
	Lm *m = t->lm;
	int all = m->n_layers + m->n_mtp;
	t->router = arena_zalloc(t->perm, sizeof *t->router * (size_t)all);
	t->load = arena_zalloc(t->perm, sizeof *t->load * (size_t)all);
	for (int i = 0; t->router && t->load && i < all; i++) {
		const Block *b = i < m->n_layers ? &m->block[i] : &m->mtp[i - m->n_layers].block;
		if (!b->is_moe)
			continue;
		LayerLoad *l = &t->load[t->n_moe];
		*l = (LayerLoad){ b->index, b->moe.rule.E, arena_zalloc(t->perm, sizeof *l->count * (size_t)b->moe.rule.E) };
		t->router[t->n_moe++].moe = &b->moe;
		if (!l->count)
			return err_set(e, E_5001, "out of memory for the loads of experts");
	}
	return (t->router && t->load) || err_set(e, E_5001, "out of memory for the loads of experts");
}

bool balance_hooks(Train *t, Tape *tape, Err *e)
{
	if (tape_hook(tape, "layers.*.moe.scores", see_scores, t) && tape_hook(tape, "layers.*.moe.topk", see_choice, t))
		return true;
	return err_set(e, E_5001, "out of memory for the router's hooks");
}

void balance_begin(Train *t)
{
	for (int i = 0; i < t->n_moe; i++)
		memset(t->load[i].count, 0, sizeof *t->load[i].count * (size_t)t->load[i].E);
}

/* b_i += gamma sign(mean - c_i). */
void balance_update(Train *t)
{
	real gamma = (real)schedule_gamma(&t->s, t->step);
	for (int i = 0; gamma > 0 && i < t->n_moe; i++) {
		const Ten *bias = t->router[i].moe->bias;
		const LayerLoad *l = &t->load[i];
		int64_t sum = 0;
		for (int k = 0; k < l->E; k++)
			sum += l->count[k];
		for (int k = 0; bias && k < l->E; k++) {
			int64_t more = sum - l->count[k] * l->E; /* the sign of mean - count, in whole numbers */
			ten_real(bias)[k] += more > 0 ? gamma : more < 0 ? -gamma : 0;
		}
	}
}

/* MaxVio is the greatest of all layers; drift the root mean square of all biases. */
void balance_report(const Train *t, StepReport *r)
{
	double square = 0;
	int64_t n = 0;
	for (int i = 0; i < t->n_moe; i++) {
		const LayerLoad *l = &t->load[i];
		const Ten *bias = t->router[i].moe->bias;
		double sum = 0, most = 0;
		for (int k = 0; k < l->E; k++) {
			sum += (double)l->count[k];
			most = (double)l->count[k] > most ? (double)l->count[k] : most;
			r->dead += l->count[k] == 0;
			square += bias ? (double)ten_real(bias)[k] * (double)ten_real(bias)[k] : 0;
		}
		n += l->E;
		double vio = sum > 0 ? most * l->E / sum - 1 : 0;
		r->maxvio = vio > r->maxvio ? vio : r->maxvio;
	}
	r->bias_drift = n ? sqrt(square / (double)n) : 0;
}
