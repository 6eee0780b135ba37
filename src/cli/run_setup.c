/* run_setup.c - see run_setup.h. */
#include "cli/run_setup.h"
#include "cli/args.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool set_option(TrainSettings *s, const char *text, Err *e)
{
	char name[64];
	const char *eq = strchr(text, '=');
	if (!eq || eq == text || (size_t)(eq - text) >= sizeof name)
		return err_set(e, E_2003, "--set %.80s: give it as NAME=VALUE", text);
	memcpy(name, text, (size_t)(eq - text));
	name[eq - text] = 0;
	return settings_set(s, name, eq + 1, e);
}

static bool steps_option(RunSetup *r, const char *text, Err *e)
{
	int64_t n;
	bool more = text && text[0] == '+';
	r->plus = -1;
	r->stop = r->file->settings.steps;
	if (!text)
		return true;
	if (!args_read_int(text + more, &n) || n < 0)
		return err_set(e, E_2003, "--steps %.40s: a number of steps, or +N for N more", text);
	*(more ? &r->plus : &r->stop) = n;
	return true;
}

/* "@name" or a folder. */
static bool tokenizer_open(RunSetup *r, const char *given, Err *e)
{
	char *dir = cli_ckpt_path(given, e);
	if (!dir)
		return false;
	snprintf(r->tokenizer, sizeof r->tokenizer, "%s", dir);
	free(dir);
	r->tok = tok_open(r->tokenizer, e);
	return r->tok != NULL;
}

static bool attention_of(const RunFile *f, const Config *c, TrainStart *o, Err *e)
{
	const char *word = f->attention ? f->attention : "mla";
	int H = (int)c->num_attention_heads;
	o->attention = strcmp(word, "mla") == 0 ? ATTN_MLA : ATTN_GQA;
	o->kv_heads = strcmp(word, "mha") == 0 ? H : strcmp(word, "mqa") == 0 ? 1 : f->kv_heads ? f->kv_heads : H / 2 > 0 ? H / 2 : 1;
	if (o->attention == ATTN_GQA && H % o->kv_heads != 0)
		return err_set(e, E_2102, "%s: kv_heads = %d does not divide the %d heads", f->name, o->kv_heads, H);
	return true;
}

static bool model_start(RunSetup *r, const Args *a, Err *e)
{
	const RunFile *f = r->file;
	Config c;
	TrainStart o = { .config = &c, .threads = cli_threads(a), .memory_limit = (size_t)args_int(a, "memory-limit", 0) };
	char *from = f->from ? cli_ckpt_path(f->from, e) : NULL;
	bool ok = f->from ? from && config_read(from, &c, e) : config_parse(f->model, strlen(f->model), f->name, &c, e);
	o.from = from;
	ok = ok && attention_of(f, &c, &o, e);
	if (ok)
		r->train = train_new(&o, &f->settings, &f->source, r->tok, e);
	free(from);
	return r->train != NULL;
}

bool run_setup(RunSetup *r, const Args *a, const char *config, Err *e)
{
	char lua[4096];
	*r = (RunSetup){ 0 };
	if (!cli_data_dir("lua", lua, sizeof lua))
		return err_set(e, E_4001, "lua: the folder of Lua modules is not there; install lathe, or run it from its build tree");
	char path[4400];
	bool named = !strchr(config, '/') && !strstr(config, ".lua");
	snprintf(path, sizeof path, "%s%s%s%s", named ? lua : "", named ? "/configs/train-" : "", config, named ? ".lua" : "");
	r->file = run_file_open(path, lua, e);
	if (!r->file)
		return false;
	for (int i = 0; args_nth(a, "set", i); i++)
		if (!set_option(&r->file->settings, args_nth(a, "set", i), e))
			return false;
	if (args_has(a, "seed"))
		r->file->settings.seed = args_int(a, "seed", 1);
	if (!steps_option(r, args_str(a, "steps", NULL), e))
		return false;
	const char *out = args_str(a, "out", r->file->out);
	snprintf(r->out, sizeof r->out, "%s%s", out ? out : "runs/", out ? "" : r->file->name);
	const char *tok = r->file->tokenizer ? r->file->tokenizer : r->file->from;
	return tokenizer_open(r, tok, e) && model_start(r, a, e);
}

void run_setup_done(RunSetup *r)
{
	train_free(r->train);
	tok_free(r->tok);
	run_file_free(r->file);
}
