/* cmd_repl.c - the module of experiments, line by line. */
#include "cli/cmd.h"
#include "cli/lab_process.h"

static const Opt opts[] = { OPT_LAB, { 0 } };

static int run(const Args *a, Err *e)
{
	char lua[4096];
	LabOptions o;
	if (!lab_process_options(a, &o, lua, sizeof lua, e))
		return err_exit(e);
	return lab_process(&o, args_num(a, "time-limit", 0), cli_memory_limit(a), e);
}

static const char *const examples[] = { "echo 'lathe.open \"@tiny\"' | lathe repl", NULL };

const Cmd cmd_repl = {
	.name = "repl",
	.usage = "[--out DIR]",
	.summary = "the Lua of experiments, line by line",
	.text = "Reads Lua from standard input, runs each line, and prints what it gives; a line that is not complete goes on in the next. `lathe` is there "
		"already; what is to be kept is assigned without `local`. See lathe(3lua) for what there is.\n\n"
		"On a terminal, Ctrl-C stops what is running, Ctrl-C twice or Ctrl-D leaves. An error is printed, and the next line is read; without a "
		"terminal the exit status is 8 if any line had one.",
	.opts = opts,
	.examples = examples,
	.min_args = 0,
	.max_args = 0,
	.run = run,
};
