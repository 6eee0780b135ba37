/* cmd_run.c - an experiment: a script and its arguments. */
#include "cli/cmd.h"
#include "cli/lab_process.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const Opt opts[] = { { "quick", 'q', OPT_FLAG, NULL, "ask the script for a short run (lathe.quick)" }, OPT_LAB, { 0 } };

/* A name without a slash or .lua is an example in the box. */
static void script_path(const char *given, const char *lua, char *path, size_t n)
{
	bool named = !strchr(given, '/') && !strstr(given, ".lua");
	snprintf(path, n, "%s%s%s%s", named ? lua : "", named ? "/examples/" : "", given, named ? ".lua" : "");
}

static int is_script(const struct dirent *d)
{
	size_t n = strlen(d->d_name);
	return n > 4 && strcmp(d->d_name + n - 4, ".lua") == 0;
}

/* The names of the examples in the box, in the order of the alphabet. */
static void add_examples(Buf *out, const char *lua)
{
	char dir[4200];
	struct dirent **list;
	snprintf(dir, sizeof dir, "%s/examples", lua);
	int n = scandir(dir, &list, is_script, alphasort);
	for (int i = 0; i < n; i++) {
		buf_printf(out, "%s%.*s", i ? ", " : "", (int)strlen(list[i]->d_name) - 4, list[i]->d_name);
		free(list[i]);
	}
	if (n >= 0)
		free(list);
}

static void more(Buf *out)
{
	char lua[4096];
	if (!cli_data_dir("lua", lua, sizeof lua))
		return;
	buf_adds(out, "Examples in the box: ");
	add_examples(out, lua);
	buf_addc(out, '.');
}

/* A name that is no example: which there are. */
static bool is_there(const char *given, const char *path, const char *lua, Err *e)
{
	if (strchr(given, '/') || strstr(given, ".lua") || access(path, F_OK) == 0)
		return true;
	Buf b = BUF_INIT;
	add_examples(&b, lua);
	err_set(e, E_4001, "run: no example \"%.80s\"; there are %s; a script of your own ends in .lua", given, buf_str(&b));
	buf_done(&b);
	return false;
}

static int run(const Args *a, Err *e)
{
	char lua[4096], path[4400];
	LabOptions o;
	int n = args_count(a);
	if (!lab_process_options(a, &o, lua, sizeof lua, e))
		return err_exit(e);
	script_path(args_at(a, 0), lua, path, sizeof path);
	if (!is_there(args_at(a, 0), path, lua, e))
		return err_exit(e);
	const char **args = calloc((size_t)n, sizeof *args);
	for (int i = 1; args && i < n; i++)
		args[i - 1] = args_at(a, i);
	o.script = path;
	o.n_args = args ? n - 1 : 0;
	o.args = args;
	int status = lab_process(&o, args_num(a, "time-limit", 0), cli_memory_limit(a), e);
	free(args);
	return status;
}

static const char *const examples[] = { "lathe run addition --quick", "lathe run addition --quick --time-limit 60 --memory-limit 1G --out results", NULL };

const Cmd cmd_run = {
	.name = "run",
	.usage = "SCRIPT.lua [ARGS] [--quick] [--out DIR]",
	.summary = "run an experiment written in Lua",
	.text = "SCRIPT.lua is Lua 5.4 with the module `lathe`: it opens models, looks inside and changes them, trains new ones, and writes tables "
		"and pictures; see lathe(3lua). A name without a slash means the file lua/examples/NAME.lua in the box. ARGS are the script's own "
		"(lathe.args); those that look like options go behind `--`.\n\n"
		"The script runs in a process of its own. It can read checkpoints and modules beside it, print, and write results below --out; it cannot "
		"start programs, read other files, or see the environment. Ctrl-C stops it at its next step, a second Ctrl-C or two seconds end it by force.\n\n"
		"An error of the script is one line with its file and line (exit status 8). Over --time-limit or --memory-limit it ends with exit status 5. "
		"The same script, seed and machine print the same.",
	.more = more,
	.opts = opts,
	.examples = examples,
	.min_args = 1,
	.max_args = -1,
	.run = run,
};
