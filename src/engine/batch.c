/* batch.c - several texts side by side: their next tokens come from one forward. A row's bits do not
 * depend on its company, so each text is the one that a session of its own would have made. */
#include "engine/engine.h"
#include <stdlib.h>
#include <string.h>

enum { BATCH_CHUNK = 512 };

typedef struct Lane { int64_t n, made; int32_t next; bool open; Sampler sampler; } Lane;
typedef struct Batcher {
	LatheModel *m;
	const LatheSessionOptions *o;
	const LatheBatchText *text;
	int n_text, n_open;
	Lane *lane;
	Kv *kv;
	int32_t *id, *pos;      /* rows of the forward */
	Seq *seq;
	int *slot, *which;      /* which: the text of each sequence */
	LatheBatchFn fn;
	void *ud;
} Batcher;

static void batch_done(Batcher *b)
{
	for (int i = 0; b->lane && i < b->n_text; i++)
		sampler_done(&b->lane[i].sampler);
	free(b->lane);
	free(b->id);
	free(b->pos);
	free(b->seq);
	free(b->slot);
	free(b->which);
	kv_free(b->kv);
}

/* The longest text decides, since all slots grow together. */
static bool batch_fits(const Batcher *b, Err *e)
{
	int64_t longest = 0;
	for (int i = 0; i < b->n_text; i++)
		if ((int64_t)b->text[i].n + b->text[i].max_tokens > longest)
			longest = (int64_t)b->text[i].n + b->text[i].max_tokens;
	if (longest > b->m->lm->c.max_position_embeddings)
		longest = b->m->lm->c.max_position_embeddings;
	LmForecast f = lm_forecast(b->m->lm, longest, b->n_text, session_cache_dtype(b->o));
	int64_t need = f.weights + f.cache + f.work * b->n_text;
	if (!b->m->memory_limit || need <= (int64_t)b->m->memory_limit)
		return true;
	return err_set(e, E_5002,
		"%d texts of up to %lld tokens need %.1f MiB (weights %.1f, cache %.1f), the limit is %.1f "
		"MiB; take fewer or raise --memory-limit",
		b->n_text, (long long)longest, (double)need / 1048576, (double)f.weights / 1048576,
		(double)f.cache / 1048576, (double)b->m->memory_limit / 1048576);
}

static bool batch_init(Batcher *b, Err *e)
{
	size_t n = (size_t)b->n_text, rows = n > BATCH_CHUNK ? n : BATCH_CHUNK;
	int vocab = (int)b->m->lm->c.vocab_size;
	b->lane = calloc(n, sizeof *b->lane);
	b->id = malloc(sizeof *b->id * rows);
	b->pos = malloc(sizeof *b->pos * rows);
	b->seq = malloc(sizeof *b->seq * n);
	b->slot = malloc(sizeof *b->slot * n);
	b->which = malloc(sizeof *b->which * n);
	if (!b->lane || !b->id || !b->pos || !b->seq || !b->slot || !b->which)
		return err_set(e, E_5001, "out of memory for %d texts", b->n_text);
	for (int i = 0; i < b->n_text; i++) {
		Sampling how = session_sampling(b->m, b->o);
		how.seed = b->o->seed + (uint64_t)i;
		if (!sampler_init(&b->lane[i].sampler, &how, vocab, e))
			return false;
	}
	if (!batch_fits(b, e))
		return false;
	b->kv = lm_kv(b->m->lm, b->n_text, 256, session_cache_dtype(b->o), e);
	return b->kv != NULL;
}

/* One forward of the sequences in seq/slot; logits of the last row of each. */
static const Ten *batch_forward(Batcher *b, int rows_n, int n_seq, AttnForm form, Err *e)
{
	Tape *t = b->m->tape;
	tape_reset(t);
	int32_t *last = tape_alloc(t, sizeof *last * (size_t)n_seq);
	for (int i = 0; last && i < n_seq; i++)
		last[i] = b->seq[i].row0 + b->seq[i].rows - 1;
	Batch x = { rows_n, b->id, b->pos, n_seq, b->seq, b->slot };
	Run r = { b->m->lm, b->kv, &x, form };
	b->m->probe_position = b->pos[0];
	const Ten *logits = lm_logits(t, &r, lm_hidden(t, &r), last, n_seq);
	return tape_ok(t, e) ? logits : NULL;
}

/* Chooses the next token of text i, tells it, and closes the text when it has ended. */
static bool batch_choose(Batcher *b, int i, const real *logits, Err *e)
{
	Lane *l = &b->lane[i];
	LatheToken t;
	if (!token_finite(b->m, logits, l->n, e))
		return false;
	int32_t id = sampler_pick(&l->sampler, logits, l->n);
	token_facts(b->m, b->o, logits, id, l->n, &t);
	l->next = id;
	l->n++;
	l->made++;
	bool eos = token_is_eos(b->m, b->o, id);
	l->open = !eos && l->made < b->text[i].max_tokens && l->n < b->m->lm->c.max_position_embeddings;
	b->n_open -= !l->open;
	b->fn(i, &t, eos, b->ud);
	return true;
}

static bool batch_prefill(Batcher *b, int i, Err *e)
{
	const LatheBatchText *x = &b->text[i];
	AttnForm form = b->o->attention == LATHE_ATTENTION_ABSORBED ? FORM_ABSORBED : FORM_NAIVE;
	Lane *l = &b->lane[i];
	const Ten *logits = NULL;
	if (x->n < 1 || (int64_t)x->n > b->m->lm->c.max_position_embeddings)
		return err_set(e, E_2003, "text %d has %zu tokens; 1 to %lld are needed", i, x->n,
			       (long long)b->m->lm->c.max_position_embeddings);
	for (size_t at = 0; at < x->n;) {
		int n = x->n - at < BATCH_CHUNK ? (int)(x->n - at) : BATCH_CHUNK;
		for (int k = 0; k < n; k++) {
			b->id[k] = x->ids[at + (size_t)k];
			b->pos[k] = (int32_t)(at + (size_t)k);
		}
		b->seq[0] = (Seq){ .row0 = 0, .rows = n };
		b->slot[0] = i;
		if (!(logits = batch_forward(b, n, 1, form, e)))
			return false;
		at += (size_t)n;
	}
	l->n = (int64_t)x->n;
	l->open = x->max_tokens > 0;
	b->n_open += l->open;
	return !l->open || batch_choose(b, i, ten_real(logits), e);
}

static bool batch_step(Batcher *b, Err *e)
{
	int n = 0;
	for (int i = 0; i < b->n_text; i++)
		if (b->lane[i].open) {
			b->id[n] = b->lane[i].next;
			b->pos[n] = (int32_t)(b->lane[i].n - 1);
			b->seq[n] = (Seq){ .row0 = n, .rows = 1 };
			b->slot[n] = b->which[n] = i;
			n++;
		}
	AttnForm form = b->o->attention == LATHE_ATTENTION_NAIVE ? FORM_NAIVE : FORM_ABSORBED;
	const Ten *logits = batch_forward(b, n, n, form, e);
	for (int k = 0; logits && k < n; k++)
		if (!batch_choose(b, b->which[k], ten_real(logits) + k * logits->stride, e))
			return false;
	return logits != NULL;
}

bool lathe_batch(LatheModel *m, const LatheSessionOptions *o, const LatheBatchText *text, int n,
	LatheBatchFn fn, void *ud, LatheError *error)
{
	static const LatheSessionOptions none;
	Err e = { 0 };
	Batcher b = { .m = m, .o = o ? o : &none, .text = text, .n_text = n, .fn = fn, .ud = ud };
	bool ok = n > 0 || err_set(&e, E_2003, "a batch needs at least one text");
	ok = ok && session_options_check(m, b.o, &e) && batch_init(&b, &e);
	for (int i = 0; ok && i < n; i++)
		ok = batch_prefill(&b, i, &e);
	while (ok && b.n_open > 0)
		ok = batch_step(&b, &e);
	batch_done(&b);
	if (!ok)
		engine_error(&e, error);
	return ok;
}
