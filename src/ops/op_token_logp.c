/* op_token_logp.c - the log-probability of chosen tokens, at a temperature and, where sampling had cut off the unlikely ones, among the
 * tokens that were left (V3.2 report 3.1, "Keep Sampling Mask"): only so is it the probability that the token was drawn with. */
#include "num/kernels.h"
#include "ops/op.h"
#include <math.h>
#include <string.h>

typedef struct Chosen { const int32_t *id; const uint8_t *keep; real inv; real *max, *sum; } Chosen;
typedef struct ChosenRows { Tape *t; const Chosen *c; const Ten *z; const real *seed; real *d; bool add; } ChosenRows;

enum { PIECE = 1024 };

/* exp(z/T - max/T) of a piece of a row, 0 for tokens that are not among those kept. */
static real piece_exp(const ChosenRows *r, int64_t row, int64_t at, int64_t n, real max, real *e)
{
	const Chosen *c = r->c;
	const Kernels *k = pool_kernels(tape_pool(r->t));
	const real *z = ten_real(r->z) + row * r->z->stride + at;
	const uint8_t *keep = c->keep ? c->keep + row * ten_cols(r->z) + at : NULL;
	real sum = 0;
	if (c->inv == 1 && !keep)
		return k->row_exp(n, z, max, e);
	for (int64_t i = 0; i < n; i++)
		e[i] = keep && !keep[i] ? 0 : (real)exp((double)((z[i] - max) * c->inv));
	for (int64_t i = 0; i < n; i++)
		sum += e[i];
	return sum;
}

static real kept_max(const real *z, const uint8_t *keep, int64_t V)
{
	real max = -(real)INFINITY;
	for (int64_t i = 0; i < V; i++)
		if (keep[i] && z[i] > max)
			max = z[i];
	return max;
}

static void chosen_rows(void *arg, int64_t from, int64_t to)
{
	const ChosenRows *r = arg;
	const Chosen *c = r->c;
	const Kernels *k = pool_kernels(tape_pool(r->t));
	int64_t V = ten_cols(r->z);
	real e[PIECE];
	for (int64_t row = from; row < to; row++) {
		const real *z = ten_real(r->z) + row * r->z->stride;
		real max = c->keep ? kept_max(z, c->keep + row * V, V) : k->row_max(V, z), sum = 0;
		for (int64_t at = 0; at < V; at += PIECE)
			sum += piece_exp(r, row, at, V - at < PIECE ? V - at : PIECE, max, e);
		c->max[row] = max;
		c->sum[row] = sum;
		r->d[row] = (z[c->id[row]] - max) * c->inv - (real)log((double)sum);
	}
}

static void token_logp_fwd(Tape *t, Node *n)
{
	Chosen *c = n->par;
	int64_t T = ten_rows(n->in[0]);
	c->max = tape_alloc(t, (size_t)(T + 1) * sizeof(real));
	c->sum = tape_alloc(t, (size_t)(T + 1) * sizeof(real));
	ChosenRows r = { .t = t, .c = c, .z = n->in[0], .d = ten_real(n->out[0]) };
	if (!tape_failed(t))
		op_rows_for(t, T, ten_cols(n->in[0]) * 4, chosen_rows, &r);
}

/* dz = seed / T (1[v = id] - p_v) */
static void chosen_back(void *arg, int64_t from, int64_t to)
{
	const ChosenRows *r = arg;
	const Chosen *c = r->c;
	int64_t V = ten_cols(r->z);
	real e[PIECE];
	for (int64_t row = from; row < to; row++) {
		real *d = r->d + row * V, g = r->seed[row] * c->inv;
		for (int64_t at = 0; at < V; at += PIECE) {
			int64_t m = V - at < PIECE ? V - at : PIECE;
			piece_exp(r, row, at, m, c->max[row], e);
			for (int64_t i = 0; i < m; i++)
				d[at + i] = (r->add ? d[at + i] : 0) - g * (e[i] / c->sum[row]);
		}
		d[c->id[row]] += g;
	}
}

static void token_logp_bwd_x(Tape *t, Node *n)
{
	bool add;
	real *d = tape_grad_place(t, n->in[0], &add);
	ChosenRows r = { .t = t, .c = n->par, .z = n->in[0], .seed = op_grad_in(n->out[0]), .d = d, .add = add };
	if (d)
		op_rows_for(t, ten_rows(n->in[0]), ten_cols(n->in[0]) * 4, chosen_back, &r);
}

static Ten *token_logp_case(Tape *t, int i, OpCase *c)
{
	static const int32_t id[] = { 2, 0, 4, 1 };
	static const uint8_t keep[] = { 1, 0, 1, 1, 0, 1, 1, 0, 0, 1, 0, 0, 1, 0, 1, 1, 1, 1, 1, 1 };
	static const char *const what[] = { "temperature 1", "temperature 0.7", "temperature 1.5 among the kept" };
	if (i >= 3)
		return NULL;
	c->what = what[i];
	return token_logp(t, case_leaf(t, c, REAL_DTYPE, 4, 5, 2), id, i == 0 ? 1 : i == 1 ? 0.7 : 1.5, i == 2 ? keep : NULL);
}

/* From a script: the temperature 1 when it is left out. */
static Ten *token_logp_call(Tape *t, const OpArg *a)
{
	if (a[1].i != (a[0].t ? ten_rows(a[0].t) : a[1].i))
		return op_misfit(t, &op_token_logp, a[0].t, NULL, "%lld ids: one for each row is needed", (long long)a[1].i);
	return token_logp(t, a[0].t, a[1].list, a[2].n > 0 ? a[2].n : 1, NULL);
}

const Op op_token_logp = {
	.name = "token_logp",
	.equation = "y_t = log softmax(z_t / T over the kept)[id_t]",
	.doc = "Temperature as in sampling; a token that was not kept has no probability and cannot be chosen.",
	.source = "V3.2 report 3.1; rl.md 1, 5.4",
	.fwd = token_logp_fwd, .bwd_x = token_logp_bwd_x, .cases = token_logp_case,
	.args = "z:t ids:l temperature:n?", .call = token_logp_call,
};

static bool chosen_fit(Tape *t, const Ten *z, const int32_t *id, const uint8_t *keep)
{
	int64_t V = ten_cols(z);
	for (int64_t i = 0; i < ten_rows(z); i++) {
		bool known = id[i] >= 0 && id[i] < V;
		if (!known || (keep && !keep[i * V + id[i]])) {
			op_misfit(t, &op_token_logp, z, NULL, "id %d of row %lld is not one of the columns%s", (int)id[i], (long long)i,
				known ? " that were kept" : "");
			return false;
		}
	}
	return true;
}

Ten *token_logp(Tape *t, Ten *z, const int32_t *id, double temperature, const uint8_t *keep)
{
	const Op *op = &op_token_logp;
	if (!op_ready(t, op, 1, &z) || !op_is_real(t, op, z))
		return NULL;
	if (!(temperature > 0))
		return op_misfit(t, op, z, NULL, "the temperature %g is not above 0", temperature);
	if (!chosen_fit(t, z, id, keep))
		return NULL;
	size_t T = (size_t)ten_rows(z), V = (size_t)ten_cols(z);
	int32_t *own = tape_alloc(t, (T + 1) * sizeof *own);
	uint8_t *kept = keep ? tape_alloc(t, T * V + 1) : NULL;
	Chosen *c = tape_alloc(t, sizeof *c);
	Node *n = c && own && (kept || !keep) ? tape_node(t, op, 1, &z) : NULL;
	if (!n)
		return NULL;
	memcpy(own, id, T * sizeof *own);
	if (keep)
		memcpy(kept, keep, T * V);
	*c = (Chosen){ .id = own, .keep = kept, .inv = (real)(1 / temperature) };
	n->par = c;
	return tape_run(t, n, tape_ten2(t, (int64_t)T, 1));
}
