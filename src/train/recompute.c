/* recompute.c - a step that keeps only what goes into each layer and computes the layer again when its gradient is due: the memory of one
 * layer rather than of all, for one more forward. The same operations in the same order, so the same bits. */
#include "ops/ops.h"
#include "train/loss.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool recompute_begin(Train *t, int64_t n, Err *e)
{
	int64_t need = n * (t->lm->n_layers + 1);
	if (!t->layer) {
		t->layer = tape_new(t->pool, 0);
		if (!t->layer || !balance_hooks(t, t->layer, e))
			return err_set(e, E_5001, "out of memory for computing layers again");
	}
	train_recipe(t, t->layer);
	if (need > t->inputs_n) {
		free(t->inputs);
		t->inputs = malloc(sizeof *t->inputs * (size_t)need);
		t->inputs_n = t->inputs ? need : 0;
	}
	return t->inputs || err_set(e, E_5001, "out of memory for the inputs of %d layers", t->lm->n_layers);
}

/* What goes into layer i, as a leaf of a tape. */
static Ten *input_leaf(Train *t, Tape *tape, int i, int64_t T, bool grad)
{
	int64_t h = t->lm->c.hidden_size;
	tape_reset(tape);
	tape_record(tape, grad);
	return tape_leaf(tape, ten_wrap(REAL_DTYPE, t->inputs + i * T * h, 2, (int64_t[]){ T, h }, "layer_input"), grad);
}

static bool keep(Train *t, Tape *tape, int i, const Ten *x, Err *e)
{
	if (!tape_ok(tape, e))
		return false;
	memcpy(t->inputs + i * ten_count(x), ten_real(x), sizeof(real) * (size_t)ten_count(x));
	return true;
}

static bool forward_all(Train *t, const Run *r, Err *e)
{
	int64_t T = r->b->T;
	Err le = { 0 };
	if (!lm_rope_reserve(t->lm, t->s.seq + 1, &le)) {
		*e = le;
		return false;
	}
	tape_reset(t->layer);
	tape_record(t->layer, false);
	if (!keep(t, t->layer, 0, embed(t->layer, t->lm->W_E, r->b->id, T), e))
		return false;
	for (int i = 0; i < t->lm->n_layers; i++)
		if (!keep(t, t->layer, i + 1, block_forward(t->layer, r, &t->lm->block[i], input_leaf(t, t->layer, i, T, false)), e))
			return false;
	return true;
}

/* Layer i again, with its gradients: g, that of its output, becomes that of its input. */
static bool layer_back(Train *t, const Run *r, int i, unsigned terms, real *g, LossParts *out, Err *e)
{
	Ten *x = input_leaf(t, t->layer, i, r->b->T, true);
	t->aux = NULL;
	Ten *y = block_forward(t->layer, r, &t->lm->block[i], x);
	if (y && t->aux) {
		out->aux += (double)*ten_real(t->aux);
		out->loss += terms & TERM_AUX ? (double)*ten_real(t->aux) : 0;
		if (terms & TERM_AUX)
			tape_backward(t->layer, t->aux, NULL);
	}
	if (y)
		tape_backward(t->layer, y, g);
	if (!tape_ok(t->layer, e))
		return false;
	if (x->grad)
		memcpy(g, ten_real(x->grad), sizeof(real) * (size_t)ten_count(x));
	return true;
}

/* Head, MTP modules and final norm are computed once; g: the gradient of the last layer's output. */
static bool head_back(Train *t, const TrainBatch *b, double lambda, unsigned terms, real *g, LossParts *out, Err *e)
{
	int64_t T = (int64_t)b->rows * b->seq;
	Ten *x = input_leaf(t, t->tape, t->lm->n_layers, T, true);
	t->aux = NULL;
	Ten *final = tape_name(t->tape, "final", rmsnorm(t->tape, x, t->lm->g_final, t->lm->c.rms_norm_eps));
	Ten *loss = loss_behind(t, b, final, lambda, terms, out);
	bool fine = !loss || isfinite(*ten_real(loss));
	if (loss && fine)
		tape_backward(t->tape, loss, NULL);
	tape_record(t->tape, false);
	if (!tape_ok(t->tape, e))
		return false;
	memset(g, 0, sizeof(real) * (size_t)ten_count(x));
	if (x->grad)
		memcpy(g, ten_real(x->grad), sizeof(real) * (size_t)ten_count(x));
	return fine || loss_bad(t, e);
}

bool recompute_run(Train *t, const TrainBatch *b, double lambda, unsigned terms, LossParts *out, Err *e)
{
	int64_t T = (int64_t)b->rows * b->seq, n = T * t->lm->c.hidden_size;
	Batch batch = { (int)T, b->id, b->pos, b->n_seq, b->docs, NULL };
	Run r = { t->lm, NULL, &batch, FORM_NAIVE };
	t->seq = b->docs;
	t->n_seq = b->n_seq;
	real *g = malloc(sizeof *g * (size_t)(n + 1));
	bool ok = (g || err_set(e, E_5001, "out of memory for a gradient")) && recompute_begin(t, n, e) && forward_all(t, &r, e);
	ok = ok && head_back(t, b, lambda, terms, g, out, e);
	t->seq = b->docs; /* the MTP modules had their own */
	t->n_seq = b->n_seq;
	for (int i = t->lm->n_layers - 1; ok && i >= 0; i--)
		ok = layer_back(t, &r, i, terms, g, out, e);
	if (ok) {
		tape_reset(t->layer);
		tape_record(t->layer, true);
		tape_backward(t->layer, embed(t->layer, t->lm->W_E, b->id, T), g);
		ok = tape_ok(t->layer, e);
	}
	tape_record(t->layer, false);
	free(g);
	return ok;
}
