/* cmd_attach.c - a screen for an engine that runs already. */
#include "base/clock.h"
#include "cli/stream_report.h"
#include "cli/workbench.h"
#include <poll.h>

/* Reads what the engine keeps, until it has told its state and nothing more has come for a moment; one that is busy has no such moment, and
 * is left after a second. */
static bool attach_listen(Client *c, Store *s, Err *e)
{
	double begin = clock_now(), until = begin + 10, quiet = begin;
	while (client_alive(c) && clock_now() < until) {
		struct pollfd p = { .fd = client_fd(c), .events = POLLIN };
		if (!client_more(c))
			poll(&p, 1, 50);
		if (client_read(c, s) > 0)
			quiet = clock_now();
		if (store_last(s, "engine.status") && (clock_now() - quiet > 0.1 || clock_now() - begin > 1))
			return true;
	}
	return client_alive(c) || err_set(e, E_9003, "%s", client_ending(c));
}

static int attach_print(const Args *a, Client *c, Err *e)
{
	Store *s = store_new((size_t)256 << 20);
	Buf b = BUF_INIT;
	if (!s) {
		err_set(e, E_5001, "attach: out of memory");
	} else if (attach_listen(c, s, e)) {
		if (args_has(a, "json")) {
			Jout j;
			jout_init(&j, &b);
			jout_obj(&j);
			jout_kstr(&j, "name", client_name(c));
			jout_kint(&j, "pid", client_pid(c));
			stream_report_json(s, false, &j);
			jout_end_obj(&j);
			buf_addc(&b, '\n');
		} else {
			stream_report(s, client_name(c), false, &b);
		}
		cli_out(&b, e);
	}
	buf_done(&b);
	store_free(s);
	client_free(c);
	return err_exit(e);
}

static int attach_run(const Args *a, Err *e)
{
	Client *c = client_connect(args_at(a, 0), e);
	if (!c)
		return err_exit(e);
	if (args_has(a, "json") || !workbench_caps(a).screen)
		return attach_print(a, c, e);
	return workbench_run(a, c, false, NULL, e);
}

static const Opt opts[] = { OPT_SCREEN, { 0 } };
static const char *const examples[] = { "lathe attach", "lathe attach work", "lathe attach work --json",
	NULL };

const Cmd cmd_attach = {
	.name = "attach",
	.usage = "[NAME | SOCKET]",
	.summary = "a screen for an engine that runs already",
	.text = "Connects to a running engine by its name or the path of its socket; without either, to the "
		"only one that runs. The screen first gets what the engine "
		"has kept of its story. Leaving it leaves the engine running. Several screens may be "
		"attached at once. `lathe engine --list` shows the names. Beside the losses of a training run those of up to eight others are drawn whose "
		"folders lie beside its own, as far as they have come; `:beside FILE` adds one.\n\n"
		"Without a terminal, or with --json, what the engine has told so far is printed instead.",
	.opts = opts,
	.examples = examples,
	.min_args = 0,
	.max_args = 1,
	.run = attach_run,
};
