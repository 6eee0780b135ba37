/* cmd_explain.c - what an error code means, and what to do about it. */
#include "cli/args.h"
#include "cli/cmd.h"
#include <stdlib.h>
#include <string.h>

static const char *const status_words[] = { "done", "the answer is no", "usage", "bad input file",
	"input or output", "limit or memory", "numeric failure", "integrity", "script error", "busy" };

static void put_json(Jout *j, const ErrInfo *x)
{
	char code[16];
	snprintf(code, sizeof code, "E%04d", x->code);
	jout_obj(j);
	jout_kstr(j, "code", code);
	jout_kint(j, "exit", x->code / 1000);
	jout_kstr(j, "title", x->title);
	jout_kstr(j, "cause", x->cause);
	jout_kstr(j, "cure", x->cure);
	jout_end_obj(j);
}

static void put_text(Buf *b, const ErrInfo *x)
{
	int s = x->code / 1000;
	buf_printf(b, "E%04d: %s\n\nCause: %s\nTo do: %s\nExit status: %d (%s)\n", x->code, x->title,
		x->cause,
		x->cure, s, s < 10 ? status_words[s] : "");
}

/* "E3012", "e3012" or "3012". */
static const ErrInfo *find_code(const char *s, Err *e)
{
	int64_t n;
	const char *digits = *s == 'E' || *s == 'e' ? s + 1 : s;
	const ErrInfo *x = args_read_int(digits, &n) && n > 0 && n < 10000 ? err_info((int)n) : NULL;
	if (!x)
		err_set(e, E_2003, "explain: `%.40s` is no error code of lathe; `lathe explain` lists them",
			s);
	return x;
}

static void put_all(Buf *b, bool json)
{
	Jout j;
	jout_init(&j, b);
	if (json)
		jout_arr(&j);
	for (size_t i = 0; err_info_at(i); i++) {
		const ErrInfo *x = err_info_at(i);
		if (json)
			put_json(&j, x);
		else
			buf_printf(b, "E%04d  %s\n", x->code, x->title);
	}
	if (json)
		jout_end_arr(&j);
}

static int explain_run(const Args *a, Err *e)
{
	Buf b = BUF_INIT;
	bool json = args_has(a, "json");
	if (!args_count(a)) {
		put_all(&b, json);
	} else {
		const ErrInfo *x = find_code(args_at(a, 0), e);
		Jout j;
		if (!x)
			return err_exit(e);
		jout_init(&j, &b);
		if (json)
			put_json(&j, x);
		else
			put_text(&b, x);
	}
	if (json)
		buf_addc(&b, '\n');
	cli_out(&b, e);
	buf_done(&b);
	return err_exit(e);
}

static const Opt explain_opts[] = { { NULL, 0, OPT_FLAG, NULL, NULL } };
static const char *const explain_examples[] = { "lathe explain E2002", "lathe explain 5002 --json",
	"lathe explain", NULL };

const Cmd cmd_explain = {
	.name = "explain",
	.usage = "[CODE]",
	.summary = "what an error code means and what to do",
	.text =
		"Every error is one line on standard error that carries a code, as in error[E3012]. This "
		"command prints the code's cause, what helps, and "
		"the exit status. The thousands of a code are the exit status. Without CODE all codes are "
		"listed.",
	.opts = explain_opts,
	.examples = explain_examples,
	.min_args = 0,
	.max_args = 1,
	.run = explain_run,
};
