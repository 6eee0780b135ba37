/* model.c - lathe_open and what belongs to a model rather than to a text: tokenizer, watches,
 * replacements. */
#include "engine/change.h"
#include "engine/engine.h"
#include "base/utf8.h"
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *lathe_version(void)
{
#ifdef PACKAGE_VERSION
	return PACKAGE_VERSION;
#else
	return "0";
#endif
}

void engine_error(const Err *e, LatheError *out)
{
	if (!out)
		return;
	out->code = e->code;
	snprintf(out->text, sizeof out->text, "%s", e->text);
}

static int default_threads(void)
{
	cpu_set_t set;
	long n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : sysconf(_SC_NPROCESSORS_ONLN);
	return n < 1 ? 1 : n > 64 ? 64 : (int)n;
}

/* The tokenizer is optional: a checkpoint without one runs on ids. A broken one is remembered and told
 * when text is asked for. */
static void open_tokenizer(LatheModel *m)
{
	char path[4200];
	snprintf(path, sizeof path, "%s/tokenizer.json", ckpt_dir(m->lm->ckpt));
	if (access(path, F_OK) == 0) {
		m->tok = tok_open(path, &m->tok_error);
		m->tok_broken = !m->tok;
	} else {
		err_set(&m->tok_error, E_4001,
			"%s: no tokenizer.json beside the weights; give token ids (--ids)",
			ckpt_dir(m->lm->ckpt));
	}
}

static bool open_engine(LatheModel *m, const LatheOpenOptions *o, Err *e)
{
	m->memory_limit = o->memory_limit;
	m->pool = pool_new(o->threads > 0 ? o->threads : default_threads());
	if (!m->pool)
		return err_set(e, E_5001, "could not start the threads");
	size_t weights = (size_t)m->lm->weight_bytes;
	m->tape = tape_new(m->pool, o->memory_limit ? o->memory_limit - weights : 0);
	if (!m->tape)
		return err_set(e, E_5001, "out of memory");
	const Recipe *r = o->precision ? recipe_find(o->precision, e) : NULL;
	if (o->precision && !r)
		return false;
	m->recipe = r;
	tape_set_recipe(m->tape, r);
	return true;
}

LatheModel *lathe_open(const char *path, const LatheOpenOptions *o, LatheError *error)
{
	return model_open_parts(path, o, NULL, error);
}

LatheModel *model_open_parts(const char *path, const LatheOpenOptions *o, const LmParts *parts, LatheError *error)
{
	static const LatheOpenOptions none;
	Err e = { 0 };
	if (!o)
		o = &none;
	LatheModel *m = calloc(1, sizeof *m);
	LmOptions lo = { .layers = o->layers, .memory_limit = o->memory_limit, .parts = parts };
	if (!m)
		err_set(&e, E_5001, "out of memory");
	else if ((m->lm = lm_open(path, &lo, &e)) && open_engine(m, o, &e)) {
		open_tokenizer(m);
		return m;
	}
	engine_error(&e, error);
	lathe_close(m);
	return NULL;
}

LatheModel *model_borrow(Lm *lm, Tok *tok, const LatheOpenOptions *o, Err *e)
{
	LatheModel *m = calloc(1, sizeof *m);
	if (!m) {
		err_set(e, E_5001, "out of memory");
		return NULL;
	}
	m->lm = lm;
	m->tok = tok;
	m->borrowed = true;
	if (!tok)
		err_set(&m->tok_error, E_4001, "the run has no tokenizer; give token ids");
	if (open_engine(m, o, e))
		return m;
	lathe_close(m);
	return NULL;
}

void lathe_close(LatheModel *m)
{
	if (!m)
		return;
	while (m->watch)
		lathe_unwatch(m, watch_id(m->watch));
	tape_free(m->tape);
	if (m->view) {
		model_view_done(m);
		return;
	}
	if (!m->borrowed) {
		tok_free(m->tok);
		lm_free(m->lm);
	}
	pool_free(m->pool);
	free(m);
}

int64_t lathe_layers(const LatheModel *m)
{
	return m->lm->n_layers;
}

int64_t lathe_vocab(const LatheModel *m)
{
	return m->lm->c.vocab_size;
}

bool lathe_has_mtp(const LatheModel *m)
{
	return m->lm->n_mtp > 0;
}

bool lathe_encode(const LatheModel *m, const char *text, size_t n, bool add_bos, int32_t **ids, size_t *n_ids,
	LatheError *error)
{
	Ids v = { 0 };
	Err e = { 0 };
	if (!m->tok) {
		engine_error(&m->tok_error, error);
		return false;
	}
	bool ok = true;
	if (add_bos && tok_add_bos(m->tok) && tok_bos(m->tok) >= 0)
		ok = ids_push(&v, tok_bos(m->tok)) || err_set(&e, E_5001, "out of memory");
	if (ok && tok_encode(m->tok, text, n, &v, &e)) {
		*ids = v.id;
		*n_ids = v.n;
		return true;
	}
	ids_done(&v);
	engine_error(&e, error);
	return false;
}

bool lathe_text_broken(const LatheModel *m, LatheError *why)
{
	if (m->tok_broken)
		engine_error(&m->tok_error, why);
	return m->tok_broken;
}

char *lathe_decode(const LatheModel *m, const int32_t *ids, size_t n)
{
	Buf b = BUF_INIT;
	if (m->tok)
		tok_decode(m->tok, ids, n, &b);
	buf_adds(&b, "");
	return buf_take(&b);
}

char *lathe_token_bytes(const LatheModel *m, int32_t id, size_t *n)
{
	Buf b = BUF_INIT;
	if (!m->tok)
		return NULL;
	buf_adds(&b, "");
	tok_bytes_of(m->tok, id, &b);
	*n = b.len;
	return buf_take(&b);
}
