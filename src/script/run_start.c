/* run_start.c - see run_start.h. */
#include "script/run_start.h"
#include "base/json.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "@name" or a folder. */
static bool tokenizer_open(RunStart *r, const RunFile *f, const RunStartOptions *o, Err *e)
{
	char *dir = o->ckpt_path(f->tokenizer ? f->tokenizer : f->from, e);
	if (!dir)
		return false;
	snprintf(r->tokenizer, sizeof r->tokenizer, "%s", dir);
	free(dir);
	r->tok = tok_open(r->tokenizer, e);
	return r->tok != NULL;
}

/* The fields attention and kv_heads into the config; a checkpoint has its own, which they may only repeat. */
static bool attention_take(const RunFile *f, Config *c, Err *e)
{
	Config asked = *c;
	if (!f->attention)
		return true;
	if (!config_set_attention(&asked, f->attention, f->kv_heads, f->name, e))
		return false;
	if (f->from && strcmp(asked.attention, c->attention) != 0)
		return err_set(e, E_2102, "%s: attention = \"%.40s\", but %s has %s", f->name, f->attention, f->from,
			c->attention[0] ? c->attention : "mla");
	if (!f->from)
		*c = asked;
	return true;
}

static bool put_missing(json_t *model, const char *key, int64_t value, Err *e)
{
	if (value < 0 || json_object_get(model, key))
		return true;
	return json_object_set_new(model, key, json_integer(value)) == 0 || err_set(e, E_5001, "out of memory for a model's config");
}

static bool config_of(const RunFile *f, const Tok *tok, Config *c, Err *e)
{
	json_t *model = json_parse(f->model, strlen(f->model), f->name, E_3070, e);
	char *text = NULL;
	if (model && put_missing(model, "vocab_size", tok_count(tok), e) && put_missing(model, "eos_token_id", tok_eos(tok), e)) {
		text = json_dumps(model, JSON_COMPACT);
		if (!text)
			err_set(e, E_5001, "out of memory for a model's config");
	}
	bool ok = text && config_parse(text, strlen(text), f->name, c, e);
	free(text);
	json_decref(model);
	return ok;
}

static bool model_start(RunStart *r, const RunFile *f, const RunStartOptions *o, Err *e)
{
	Config c;
	TrainStart start = { .config = &c, .parts = o->parts, .threads = o->threads, .memory_limit = o->memory_limit };
	char *from = f->from ? o->ckpt_path(f->from, e) : NULL;
	bool ok = f->from ? from && config_read(from, &c, e) : config_of(f, r->tok, &c, e);
	start.from = from;
	if (ok && attention_take(f, &c, e))
		r->train = train_new(&start, &f->settings, &f->source, r->tok, e);
	free(from);
	return r->train != NULL;
}

bool run_start(RunStart *r, const RunFile *f, const RunStartOptions *o, Err *e)
{
	*r = (RunStart){ 0 };
	return tokenizer_open(r, f, o, e) && model_start(r, f, o, e);
}

void run_start_done(RunStart *r)
{
	train_free(r->train);
	tok_free(r->tok);
	*r = (RunStart){ 0 };
}
