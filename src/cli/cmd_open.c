/* cmd_open.c - the workbench on a checkpoint or a recording; `lathe` alone comes here too. */
#include "cli/report.h"
#include "cli/workbench.h"
#include "engine/client.h"
#include "probe/record.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char box_default[] = "@tiny";

typedef enum OpenKind { OPEN_WRONG, OPEN_CKPT, OPEN_RECORDING } OpenKind;

static bool begins_as_stream(const char *path)
{
	char head[sizeof stream_magic] = { 0 };
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	bool yes = fd >= 0 && read(fd, head, sizeof head) == (ssize_t)sizeof head &&
		!memcmp(head, stream_magic, sizeof head);
	if (fd >= 0)
		close(fd);
	return yes;
}

static OpenKind open_kind(const char *path, Err *e)
{
	struct stat st;
	size_t n = strlen(path);
	if (stat(path, &st)) {
		err_set(e, E_4001, "%s: %s; give a checkpoint folder, a .safetensors file, a recording or "
			"@NAME",
			path, strerror(errno));
		return OPEN_WRONG;
	}
	if (S_ISDIR(st.st_mode) || (n > 12 && !strcmp(path + n - 12, ".safetensors")))
		return OPEN_CKPT;
	if (S_ISREG(st.st_mode) && begins_as_stream(path))
		return OPEN_RECORDING;
	if (n > 6 && !strcmp(path + n - 6, ".lathe"))
		err_set(e, E_2004, "%s: bundles are not in this version of lathe; open the checkpoint folder "
			"itself",
			path);
	else
		err_set(e, E_3180,
			"%s: neither a checkpoint nor a recording; give a folder with config.json, a "
			".safetensors file or a recording",
			path);
	return OPEN_WRONG;
}

static int open_recording(const Args *a, const char *path, bool screen, Err *e)
{
	bool torn = false;
	Buf b = BUF_INIT;
	Store *s = store_new((size_t)512 << 20);
	int status = 0;
	if (!s)
		err_set(e, E_5001, "%s: out of memory for a recording", path);
	else if (record_load(path, s, &torn, e) && screen)
		status = workbench_run(a, NULL, false, s, e);
	else if (!e->code && workbench_picture(a, s, &b, e))
		cli_out(&b, e);
	buf_done(&b);
	store_free(s);
	return e->code ? err_exit(e) : status;
}

/* The engine goes first, so that it loads while the first frame is drawn. */
static int open_screen(const Args *a, const char *path, Err *e)
{
	const char *argv[12];
	int n = 0;
	static const char *const passed[] = { "threads", "seed", "memory-limit" };
	char option[3][24];
	for (int i = 0; i < 3; i++)
		if (args_has(a, passed[i])) {
			snprintf(option[i], sizeof option[i], "--%s", passed[i]);
			argv[n++] = option[i];
			argv[n++] = args_str(a, passed[i], "");
		}
	if (path)
		argv[n++] = path;
	argv[n] = NULL;
	Client *c = client_spawn(NULL, argv, e);
	return c ? workbench_run(a, c, true, NULL, e) : err_exit(e);
}

static int open_report(const Args *a, const char *label, const char *path, const Err *why, Err *e)
{
	Buf b = BUF_INIT;
	if (path)
		report_model(a, label, path, &b, e);
	else
		report_nothing(&b, why->text);
	if (b.len)
		cli_out(&b, e);
	buf_done(&b);
	return err_exit(e);
}

static int open_run(const Args *a, Err *e)
{
	const char *arg = args_count(a) ? args_at(a, 0) : "default";
	bool boxed = !strcmp(arg, "default");
	Err why = { 0 };
	char *path = cli_ckpt_path(boxed ? box_default : arg, &why);
	bool screen = workbench_caps(a).screen;
	int status;
	if (!path && !boxed) {
		*e = why;
		return err_exit(e);
	}
	OpenKind kind = path ? open_kind(path, e) : OPEN_CKPT;
	if (kind == OPEN_WRONG)
		status = err_exit(e);
	else if (kind == OPEN_RECORDING)
		status = open_recording(a, path, screen, e);
	else if (screen)
		status = open_screen(a, path, e);
	else
		status = open_report(a, boxed ? box_default : arg, path, &why, e);
	free(path);
	return status;
}

static const Opt open_opts[] = { OPT_SCREEN, { NULL, 0, OPT_FLAG, NULL, NULL } };
static const char *const open_examples[] = { "lathe open @tiny", "lathe open --scene router --ascii @tiny",
	"lathe open default", NULL };

const Cmd cmd_open = {
	.name = "open",
	.usage = "[CKPT | RECORDING | default]",
	.summary = "the workbench on a model or a recording",
	.text = "Opens the screen on a checkpoint, on a recording, or (default, or nothing) on the model in "
		"the "
			"box. An engine process is started first and loads "
			"the model while the first frame is drawn. It computes in a session of its own: a "
			"screen that dies or loses its terminal leaves it running, and "
			"`lathe attach` finds it again; leaving with q ends it.\n\n"
			"In the screen ? shows the keys of the scene, : takes commands, Tab moves between "
			"panes, q leaves. In a recording [ and ] go back and forth in time, End to "
			"its end.\n\n"
			"Without a terminal, or with TERM=dumb, a page of text is printed instead: about the "
			"model, or the picture of the recording.",
	.opts = open_opts,
	.examples = open_examples,
	.min_args = 0,
	.max_args = 1,
	.run = open_run,
};
