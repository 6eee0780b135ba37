/* loss.c - the forward of a training step and its loss: cross entropy of every target, the MTP modules' (V3 report 2.2), the balance terms. */
#include "ops/ops.h"
#include "train/loss.h"
#include <math.h>

/* Rows of one depth of prediction: token i of a document with those that follow. */
typedef struct Depth { int T, n_seq; int32_t *row, *id, *label, *pos; Seq *seq; double targets; } Depth;

static bool depth_alloc(Train *t, Depth *d, int rows, int docs)
{
	size_t n = sizeof(int32_t) * (size_t)(rows + 1);
	d->row = tape_alloc(t->tape, n);
	d->id = tape_alloc(t->tape, n);
	d->label = tape_alloc(t->tape, n);
	d->pos = tape_alloc(t->tape, n);
	d->seq = tape_alloc(t->tape, sizeof *d->seq * (size_t)(docs + 1));
	return !tape_failed(t->tape);
}

/* Depth k from depth k - 1 (rows of `up`): each document loses its last row, ids and labels move on by one. */
static bool depth_next(Train *t, const Depth *up, Depth *d)
{
	if (!depth_alloc(t, d, up->T, up->n_seq))
		return false;
	d->T = d->n_seq = 0;
	d->targets = 0;
	for (int q = 0; q < up->n_seq; q++) {
		Seq s = { .row0 = d->T };
		for (int i = up->seq[q].row0; i + 1 < up->seq[q].row0 + up->seq[q].rows; i++, d->T++, s.rows++) {
			d->row[d->T] = i;
			d->id[d->T] = up->id[i + 1];
			d->label[d->T] = up->label[i + 1];
			d->pos[d->T] = up->pos[i];
			d->targets += up->label[i + 1] >= 0;
		}
		if (s.rows)
			d->seq[d->n_seq++] = s;
	}
	return true;
}

static Run run_on(Train *t, const Depth *d, Batch *b)
{
	*b = (Batch){ d->T, d->id, d->pos, d->n_seq, d->seq, NULL };
	t->seq = d->seq;
	t->n_seq = d->n_seq;
	return (Run){ t->lm, NULL, b, FORM_NAIVE };
}

static Ten *plus(Tape *tape, Ten *sum, Ten *term)
{
	return sum && term ? add(tape, sum, term) : sum ? sum : term;
}

/* The modules one behind the other, each on the states of the one before. */
static Ten *mtp_losses(Train *t, const Depth *first, Ten *state, double lambda, LossParts *out)
{
	Depth up = *first, d;
	Ten *sum = NULL;
	for (int k = 0; k < t->lm->n_mtp && depth_next(t, &up, &d) && d.T > 0; k++, up = d) {
		Batch b;
		Run r = run_on(t, &d, &b);
		state = mtp_hidden(t->tape, &r, k, pick(t->tape, state, d.row, d.T));
		double norm = t->s.mtp_norm == MTP_PAPER ? t->targets : d.targets * t->targets / (first->targets > 0 ? first->targets : 1);
		Ten *loss = cross_entropy(t->tape, mtp_logits(t->tape, &r, k, state, NULL, 0), d.label, norm);
		if (!loss)
			return NULL;
		out->mtp[k] += (double)*ten_real(loss);
		sum = plus(t->tape, sum, scale(t->tape, loss, (real)(lambda / t->lm->n_mtp)));
	}
	return sum;
}

Ten *loss_behind(Train *t, const TrainBatch *b, Ten *final, double lambda, unsigned terms, LossParts *out)
{
	Depth d = { b->rows * b->seq, b->n_seq, NULL, b->id, b->label, b->pos, b->docs, 0 };
	for (int i = 0; i < d.T; i++)
		d.targets += b->label[i] >= 0;
	Batch batch;
	Run r = run_on(t, &d, &batch);
	Ten *main = cross_entropy(t->tape, lm_logits(t->tape, &r, final, NULL, 0), d.label, t->targets);
	if (!main)
		return NULL;
	out->main += (double)*ten_real(main);
	Ten *mtp = t->lm->n_mtp && lambda > 0 ? mtp_losses(t, &d, final, lambda, out) : NULL;
	if (tape_failed(t->tape))
		return NULL;
	out->aux += t->aux ? (double)*ten_real(t->aux) : 0;
	Ten *loss = plus(t->tape, terms & TERM_MAIN ? main : NULL, terms & TERM_MTP ? mtp : NULL);
	loss = plus(t->tape, loss, terms & TERM_AUX ? t->aux : NULL);
	out->loss += loss ? (double)*ten_real(loss) : 0;
	return loss;
}

Ten *loss_forward(Train *t, const TrainBatch *b, double lambda, unsigned terms, LossParts *out)
{
	Batch batch = { b->rows * b->seq, b->id, b->pos, b->n_seq, b->docs, NULL };
	Run r = { t->lm, NULL, &batch, FORM_NAIVE };
	t->aux = NULL;
	t->seq = b->docs;
	t->n_seq = b->n_seq;
	return loss_behind(t, b, lm_hidden(t->tape, &r), lambda, terms, out);
}
