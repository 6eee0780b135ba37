/* cmd_engine.c - the engine process: computes, and tells viewers what it does. */
#include "base/clock.h"
#include "base/utf8.h"
#include "cli/stream_report.h"
#include "cli/cmd.h"
#include "engine/client.h"
#include "engine/serve.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LIST_MAX = 64 };

/* Written by the handler, read by the socket thread: a signal is one byte, its number. */
static int stop_pipe[2] = { -1, -1 };

static void on_stop(int sig)
{
	unsigned char c = (unsigned char)sig;
	if (write(stop_pipe[1], &c, 1) < 0)
		return; /* full: it has been told already */
}

/* SIGHUP is not for an engine: it outlives the terminal. */
static bool engine_signals(Err *e)
{
	if (pipe(stop_pipe) != 0)
		return err_errno(e, "pipe", NULL);
	for (int i = 0; i < 2; i++) {
		fcntl(stop_pipe[i], F_SETFD, FD_CLOEXEC);
		fcntl(stop_pipe[i], F_SETFL, O_NONBLOCK);
	}
	struct sigaction stop = { .sa_handler = on_stop, .sa_flags = SA_RESTART },
			 ignore = { .sa_handler = SIG_IGN };
	sigemptyset(&stop.sa_mask);
	sigemptyset(&ignore.sa_mask);
	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGHUP, &ignore, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
	return true;
}

/* The state of a running engine: the last that it tells a new viewer before it falls silent. NULL when it
 * does not within a moment. */
static json_t *ask_status(const char *socket)
{
	Client *c = client_connect(socket, NULL);
	Store *s = c ? store_new(16 << 20) : NULL;
	double until = clock_now() + 0.5, heard = clock_now();
	while (s && client_alive(c) && clock_now() < until &&
		(!store_last(s, "engine.status") || clock_now() - heard < 0.03)) {
		struct pollfd p = { .fd = client_fd(c), .events = POLLIN };
		if (!client_more(c))
			poll(&p, 1, 10);
		if (client_read(c, s) > 0)
			heard = clock_now();
	}
	json_t *status = s ? stream_json(s, "engine.status") : NULL;
	store_free(s);
	client_free(c);
	return status;
}

static void list_row(const ClientEngine *x, Buf *out)
{
	json_t *st = ask_status(x->socket);
	const char *state = json_string_value(json_object_get(st, "state")),
		   *path = json_string_value(json_object_get(st, "path"));
	buf_printf(out, "%-16s %8d  ", x->name, x->pid);
	safe_text(out, state ? state : "?", state ? strlen(state) : 1, 0);
	buf_adds(out, "  ");
	safe_text(out, path ? path : "-", path ? strlen(path) : 1, 0);
	buf_addc(out, '\n');
	json_decref(st);
}

static void list_row_json(const ClientEngine *x, Jout *j)
{
	json_t *st = ask_status(x->socket);
	const char *state = json_string_value(json_object_get(st, "state")),
		   *path = json_string_value(json_object_get(st, "path"));
	jout_obj(j);
	jout_kstr(j, "name", x->name);
	jout_kint(j, "pid", x->pid);
	jout_kstr(j, "socket", x->socket);
	jout_key(j, "state");
	state ? jout_str(j, state) : jout_null(j);
	jout_key(j, "path");
	path ? jout_str(j, path) : jout_null(j);
	jout_end_obj(j);
	json_decref(st);
}

static int engine_list(const Args *a, Err *e)
{
	ClientEngine x[LIST_MAX];
	size_t n = client_list(x, LIST_MAX, e);
	if (e->code)
		return err_exit(e);
	Buf b = BUF_INIT;
	Jout j;
	jout_init(&j, &b);
	if (args_has(a, "json"))
		jout_arr(&j);
	for (size_t i = 0; i < n && i < LIST_MAX; i++)
		if (args_has(a, "json"))
			list_row_json(&x[i], &j);
		else
			list_row(&x[i], &b);
	if (args_has(a, "json")) {
		jout_end_arr(&j);
		buf_addc(&b, '\n');
	} else if (n == 0) {
		buf_adds(&b, "no engine runs\n");
	}
	cli_out(&b, e);
	buf_done(&b);
	return err_exit(e);
}

/* --fd N must be a connected socket that was handed down. */
static bool check_fd(const Args *a, int *fd, Err *e)
{
	int64_t n = args_int(a, "fd", -1);
	struct stat st;
	*fd = (int)n;
	if (!args_has(a, "fd"))
		return true;
	return (n > 2 && n < 1024 && fstat((int)n, &st) == 0 && S_ISSOCK(st.st_mode)) ||
	       err_set(e, E_2003, "engine: --fd %lld: not a socket handed down to this process",
		       (long long)n);
}

static bool engine_options(const Args *a, ServeOptions *o, Err *e)
{
	*o = (ServeOptions){ .name = args_str(a, "name", NULL),
		.socket = args_str(a, "socket", NULL),
		.fd = -1,
		.stop_fd = stop_pipe[0],
		.exit_with_viewer = args_has(a, "exit-with-viewer"),
		.quiet = args_has(a, "quiet") || args_has(a, "fd"),
		.linger = args_num(a, "linger", args_has(a, "fd") ? 900 : 0),
		.threads = cli_threads(a),
		.layers = args_int(a, "layers", 0),
		.seed = (uint64_t)args_int(a, "seed", 0),
		.memory_limit = cli_memory_limit(a),
		.keep = (size_t)args_int(a, "keep", 0),
		.precision = args_str(a, "precision", NULL) };
	if (o->name && o->socket)
		return err_set(e, E_2003, "engine: give --name or --socket, not both");
	if (o->layers < 0)
		return err_set(e, E_2003, "engine: --layers %lld: 1 or more", (long long)o->layers);
	if (args_has(a, "keep") && o->keep < (size_t)16 << 20)
		return err_set(e, E_2003, "engine: --keep: at least 16M");
	o->must_load = !args_has(a, "fd");
	return check_fd(a, &o->fd, e);
}

/* A path with '/' in it, so that it is not taken for a name. */
static char *socket_path(const char *s)
{
	Buf b = BUF_INIT;
	if (!strchr(s, '/'))
		buf_adds(&b, "./");
	buf_adds(&b, s);
	return buf_take(&b);
}

static int engine_run(const Args *a, Err *e)
{
	ServeOptions o;
	ServeEnd end = { 0 };
	if (args_has(a, "list"))
		return engine_list(a, e);
	if (!engine_signals(e) || !engine_options(a, &o, e))
		return err_exit(e);
	char *path = args_count(a) ? cli_ckpt_path(args_at(a, 0), e) : NULL;
	char *socket = o.socket ? socket_path(o.socket) : NULL;
	o.path = path;
	o.socket = socket;
	if (!e->code)
		serve_run(&o, &end, e);
	/* The computing thread hangs in one long step: nothing of it can be freed. */
	if (end.stuck)
		_exit(end.status);
	free(path);
	free(socket);
	return e->code ? err_exit(e) : end.status;
}

static const Opt opts[] = {
	{ "name", 0, OPT_STR, "NAME",
		"the name to be found under; default main, or main-2 ... when that is taken" },
	{ "socket", 0, OPT_STR, "PATH", "listen at this path instead of under a name" },
	{ "list", 0, OPT_FLAG, NULL, "list the engines that run, and end" },
	{ "layers", 0, OPT_INT, "N", "load and run only the first N layers" },
	{ "precision", 0, OPT_STR, "RECIPE", "a name of `lathe help fp8`: native, bf16, fp8-v3, ..." },
	{ "keep", 0, OPT_SIZE, "SIZE", "samples kept for viewers that come later (default 64M)" },
	{ "exit-with-viewer", 0, OPT_FLAG, NULL, "end when the last viewer has left" },
	{ "linger", 0, OPT_NUM, "SECONDS",
		"end after so long without viewers and work; default never, 900 for the workbench's own" },
	{ "fd", 0, OPT_INT, "N",
		"an inherited socket to the first viewer; how the workbench starts its engine" },
	{ 0 },
};
static const char *const examples[] = { "lathe engine --name work @tiny &", "lathe engine --list",
	"lathe engine --list --json", NULL };

const Cmd cmd_engine = {
	.name = "engine",
	.usage = "[CKPT] [--name NAME | --socket PATH]",
	.summary = "run models in the background for screens to attach to",
	.text = "An engine holds one model and makes one text at a time. Screens connect to it over a UNIX "
		"socket, send commands and get samples: tokens, speeds, and the "
		"probes they watch. It never waits for them, and goes on when they leave. `lathe attach` "
		"opens a screen on it. The protocol is described in "
		"lathe-stream(5), the topics in lathe-probes(7).\n\n"
		"The path of the socket is printed once it listens. The folder of the sockets is "
		"$XDG_RUNTIME_DIR/lathe, or /tmp/lathe-UID; only processes of the same user may "
		"connect. A name that a running engine holds is refused with exit status 9. SIGTERM and "
		"SIGINT end it cleanly with status 143 and 130.",
	.opts = opts,
	.examples = examples,
	.min_args = 0,
	.max_args = 1,
	.run = engine_run,
};
