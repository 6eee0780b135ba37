/* loop.c - steps: rows, gradients (in parts when asked), update, report. */
#include "base/clock.h"
#include "text/tok.h"
#include "train/loss.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const fim_tokens[][3] = {
	{ "<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>" },
	{ "<fim_begin>", "<fim_hole>", "<fim_end>" },
};

static void find_tokens(Train *t)
{
	t->eos = t->tok ? tok_eos(t->tok) : -1;
	t->fim[0] = -1;
	for (size_t i = 0; t->tok && t->fim[0] < 0 && i < sizeof fim_tokens / sizeof fim_tokens[0]; i++)
		for (int k = 2; k >= 0; k--)
			t->fim[k] = tok_find(t->tok, fim_tokens[i][k]);
}

static bool tokens_fit(const Train *t, Err *e)
{
	int64_t have = t->tok ? tok_count(t->tok) : 0;
	if (have > t->lm->c.vocab_size)
		return err_set(e, E_2102, "the tokenizer has %lld ids, the model's vocab_size is %lld", (long long)have,
			(long long)t->lm->c.vocab_size);
	if (t->s.fim > 0 && t->fim[0] < 0)
		return err_set(e, E_2102, "setting fim: the tokenizer has no tokens <fim_begin>, <fim_hole>, <fim_end>");
	return true;
}

Train *train_new(const TrainStart *o, const TrainSettings *s, const Source *source, const Tok *tok, Err *e)
{
	Train *t = calloc(1, sizeof *t);
	int threads = o->threads > 0 ? o->threads : (int)sysconf(_SC_NPROCESSORS_ONLN);
	if (!t || !(t->perm = arena_new("training", 0)) || !(t->pool = pool_new(threads)) || !(t->tape = tape_new(t->pool, o->memory_limit))) {
		train_free(t);
		err_set(e, E_5001, "out of memory for a training run");
		return NULL;
	}
	t->s = *s;
	t->source = source;
	t->tok = tok;
	t->best = INFINITY;
	tape_thrift(t->tape, true);
	find_tokens(t);
	if (params_make(t, o, e) && tokens_fit(t, e) && balance_watch(t, e) && balance_hooks(t, t->tape, e))
		return t;
	train_free(t);
	return NULL;
}

void train_free(Train *t)
{
	if (!t)
		return;
	tape_free(t->tape);
	tape_free(t->layer);
	free(t->inputs);
	pool_free(t->pool);
	lm_free(t->lm);
	arena_free(t->perm);
	save_release(&t->save);
	free(t);
}

/* Rows [from, from + n) of a batch as one of its own, documents renumbered into docs. */
static TrainBatch batch_part(const TrainBatch *b, int from, int n, Seq *docs)
{
	int64_t at = (int64_t)from * b->seq;
	TrainBatch p = { .rows = n, .seq = b->seq, .id = b->id + at, .label = b->label + at, .pos = b->pos + at, .docs = docs };
	for (int i = 0; i < b->n_seq; i++)
		if (b->docs[i].row0 >= at && b->docs[i].row0 < at + (int64_t)n * b->seq)
			docs[p.n_seq++] = (Seq){ .row0 = b->docs[i].row0 - (int)at, .rows = b->docs[i].rows };
	return p;
}

bool loss_bad(const Train *t, Err *e)
{
	return err_set(e, E_6101, "step %lld: the loss is not a finite number; go on from the last checkpoint with a lower lr",
		(long long)t->step + 1);
}

static void precision_set(const TrainSettings *s, Precision *p)
{
	p->a.floor = p->b.floor = (float)s->fp8_floor;
	p->accumulate = s->fp8_sum ? (FpAccum){ (int)s->fp8_bits, (int)((s->fp8_promote + 31) / 32 * 32) } : (FpAccum){ 0, 0 };
}

/* The named recipe with what the settings say about sums. */
static const Recipe *recipe_fp8(Train *t)
{
	char word[32];
	settings_word(&t->s, "fp8_recipe", word, sizeof word);
	t->recipe = *recipe_by_name(word);
	for (int i = 0; i < t->recipe.n; i++) {
		RecipeRule *r = &t->recipe.rule[i];
		precision_set(&t->s, &r->fprop);
		precision_set(&t->s, &r->dgrad);
		precision_set(&t->s, &r->wgrad);
	}
	return &t->recipe;
}

void train_recipe(Train *t, Tape *tape)
{
	static const Recipe native = { .name = "native" };
	tape_set_recipe(tape, t->s.gemm == GEMM_FP8 ? recipe_fp8(t) : t->s.gemm == GEMM_BF16 ? recipe_by_name("bf16") : &native);
}

/* Forward and backward of one part; gradients add up. */
static bool part_run(Train *t, const TrainBatch *b, unsigned terms, LossParts *sum, Err *e)
{
	tape_reset(t->tape);
	train_recipe(t, t->tape);
	if (t->s.recompute)
		return recompute_run(t, b, schedule_lambda(&t->s, t->step), terms, sum, e);
	tape_record(t->tape, true);
	Ten *loss = loss_forward(t, b, schedule_lambda(&t->s, t->step), terms, sum);
	if (loss && isfinite(*ten_real(loss)))
		tape_backward(t->tape, loss, NULL);
	tape_record(t->tape, false);
	if (!tape_ok(t->tape, e))
		return false;
	return (loss && isfinite(*ten_real(loss))) || loss_bad(t, e);
}

bool train_gradient(Train *t, const TrainBatch *b, unsigned terms, StepReport *r, Err *e)
{
	LossParts sum = { 0 };
	int parts = t->s.accumulate < b->rows ? (int)t->s.accumulate : b->rows;
	Seq *docs = malloc(sizeof *docs * (size_t)(b->n_seq + 1));
	bool ok = docs || err_set(e, E_5001, "out of memory for %d documents", b->n_seq);
	*r = (StepReport){ .step = t->step + 1, .held_out = NAN, .n_mtp = t->lm->n_mtp };
	t->targets = 0;
	t->docs_all = b->n_seq;
	for (int64_t i = 0; i < (int64_t)b->rows * b->seq; i++)
		t->targets += b->label[i] >= 0;
	balance_begin(t);
	memset(t->params.g, 0, sizeof(real) * (size_t)t->params.count);
	for (int i = 0; ok && i < parts; i++) {
		int from = b->rows * i / parts, to = b->rows * (i + 1) / parts;
		TrainBatch p = batch_part(b, from, to - from, docs);
		ok = part_run(t, &p, terms, &sum, e);
	}
	free(docs);
	r->loss = sum.loss;
	r->main = sum.main;
	r->aux = sum.aux;
	memcpy(r->mtp, sum.mtp, sizeof r->mtp);
	return ok;
}

bool train_apply(Train *t, double lr, double *grad_norm, Err *e)
{
	const TrainSettings *s = &t->s;
	*grad_norm = params_norm(t->pool, &t->params);
	if (!isfinite(*grad_norm)) {
		const Param *bad = params_bad(&t->params);
		return err_set(e, E_6101, "step %lld: the gradient of %s is not finite; go on from the last checkpoint with a lower lr",
			(long long)t->step + 1, bad ? bad->t->name : "all tensors together");
	}
	adamw_update(t->pool, &t->params, s, lr, adamw_clip(s, *grad_norm), ++t->updates);
	return true;
}

void train_turn(Train *t, int64_t tokens)
{
	t->step++;
	t->tokens += tokens;
}

bool train_update(Train *t, StepReport *r, Err *e)
{
	r->lr = train_lr(t);
	if (!train_apply(t, r->lr, &r->grad_norm, e))
		return false;
	balance_update(t);
	balance_report(t, r);
	train_turn(t, (int64_t)t->targets);
	r->tokens = t->tokens;
	return true;
}

bool train_step(Train *t, StepReport *r, Err *e)
{
	double t0 = clock_now();
	TrainBatch b;
	if (!pack_new(&b, schedule_batch(&t->s, t->step), t->s.seq, e))
		return false;
	bool ok = pack_fill(t, &b, SPLIT_TRAIN, t->rows, e) && train_gradient(t, &b, TERMS_ALL, r, e) && train_update(t, r, e);
	if (ok)
		t->rows += (uint64_t)b.rows;
	r->seconds = clock_now() - t0;
	r->tok_per_s = (double)b.rows * b.seq / r->seconds;
	pack_free(&b);
	return ok;
}

bool train_eval(Train *t, double *loss, Err *e)
{
	TrainBatch b;
	LossParts sum = { 0 };
	double all = 0, n = 0;
	if (!pack_new(&b, 1, t->s.seq, e))
		return false;
	bool ok = true;
	for (int64_t i = 0; ok && i < t->s.eval_rows; i++) {
		ok = pack_fill(t, &b, SPLIT_HELD_OUT, (uint64_t)i, e);
		t->targets = 1;
		sum = (LossParts){ 0 };
		tape_reset(t->tape);
		ok = ok && (loss_forward(t, &b, 0, TERM_MAIN, &sum) || !tape_ok(t->tape, e));
		ok = ok && tape_ok(t->tape, e);
		all += sum.main;
		for (int k = 0; k < b.seq; k++)
			n += b.label[k] >= 0;
	}
	pack_free(&b);
	*loss = n > 0 ? all / n : 0;
	if (!ok)
		return false;
	t->worse = *loss < t->best ? 0 : t->worse + 1;
	t->best = *loss < t->best ? *loss : t->best;
	return true;
}

TrainSettings *train_settings(Train *t) { return &t->s; }
Lm *train_lm(Train *t) { return t->lm; }
Params *train_params(Train *t) { return &t->params; }
Tape *train_tape(Train *t) { return t->tape; }
const Tok *train_tok(const Train *t) { return t->tok; }
double train_lr(const Train *t) { return schedule_lr(&t->s, t->step); }
void train_extra(Train *t, const TrainExtra *x) { t->extra = *x; }
int64_t train_at(const Train *t) { return t->step; }
int64_t train_worse(const Train *t) { return t->worse; }

const LayerLoad *train_loads(const Train *t, int *n)
{
	*n = t->n_moe;
	return t->load;
}
