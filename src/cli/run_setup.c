/* run_setup.c - see run_setup.h. */
#include "cli/run_setup.h"
#include "cli/args.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool set_option(RunFile *f, const char *text, Err *e)
{
	char name[64];
	const char *eq = strchr(text, '=');
	if (!eq || eq == text || (size_t)(eq - text) >= sizeof name)
		return err_set(e, E_2003, "--set %.80s: give it as NAME=VALUE", text);
	memcpy(name, text, (size_t)(eq - text));
	name[eq - text] = 0;
	return f->is_rl ? rl_settings_set(&f->rl, &f->settings, name, eq + 1, e) : settings_set(&f->settings, name, eq + 1, e);
}

static bool steps_option(RunSetup *r, const char *text, Err *e)
{
	int64_t n;
	bool more = text && text[0] == '+';
	r->plus = -1;
	r->stop = r->rl ? r->file->rl.iterations : r->file->settings.steps;
	if (!text)
		return true;
	if (!args_read_int(text + more, &n) || n < 0)
		return err_set(e, E_2003, "--steps %.40s: a number of steps, or +N for N more", text);
	*(more ? &r->plus : &r->stop) = n;
	return true;
}

bool run_setup(RunSetup *r, const Args *a, const char *config, Err *e)
{
	char lua[4096];
	*r = (RunSetup){ .rl = r->rl };
	if (!cli_data_dir("lua", lua, sizeof lua))
		return err_set(e, E_4001, "lua: the folder of Lua modules is not there; install lathe, or run it from its build tree");
	char path[4400];
	bool named = !strchr(config, '/') && !strstr(config, ".lua");
	snprintf(path, sizeof path, "%s%s%s%s", named ? lua : "", named ? r->rl ? "/configs/" : "/configs/train-" : "", config, named ? ".lua" : "");
	r->file = r->rl ? run_rl_open(path, lua, e) : run_file_open(path, lua, e);
	if (!r->file)
		return false;
	for (int i = 0; args_nth(a, "set", i); i++)
		if (!set_option(r->file, args_nth(a, "set", i), e))
			return false;
	if (args_has(a, "seed"))
		r->file->settings.seed = args_int(a, "seed", 1);
	if (!steps_option(r, args_str(a, "steps", NULL), e))
		return false;
	const char *out = args_str(a, "out", r->file->out);
	snprintf(r->out, sizeof r->out, "%s%s", out ? out : "runs/", out ? "" : r->file->name);
	RunStartOptions o = { .threads = cli_threads(a), .memory_limit = cli_memory_limit(a), .ckpt_path = cli_ckpt_path };
	return run_start(&r->start, r->file, &o, e);
}

void run_setup_done(RunSetup *r)
{
	run_start_done(&r->start);
	run_file_free(r->file);
}

void run_settings_text(Buf *b, const Setting *table)
{
	buf_adds(b, "Settings, with the value that each has when it is not given ('*': may be changed while running):\n\n");
	for (const Setting *s = table; s->name; s++) {
		Buf usual = BUF_INIT;
		if (s->kind == SETTING_WORD) {
			const char *w = s->words;
			for (int i = (int)s->usual; i > 0; i--)
				w += strcspn(w, " ") + 1;
			buf_printf(&usual, "%.*s", (int)strcspn(w, " "), w);
		} else if (s->kind == SETTING_FLAG) {
			buf_adds(&usual, s->usual != 0 ? "true" : "false");
		} else {
			buf_printf(&usual, "%g", s->usual);
		}
		buf_printf(b, "  %c %-16s %-9s %s", s->live ? '*' : ' ', s->name, buf_str(&usual), s->help);
		if (s->words)
			buf_printf(b, " (%s)", s->words);
		buf_addc(b, '\n');
		buf_done(&usual);
	}
}
