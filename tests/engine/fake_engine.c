/* fake_engine.c - an engine process over fake_lathe.c, for the tests to start, kill and pester: its
 * arguments are those of `lathe engine` that the tests need, but it ends with its last viewer unless
 * --stay is given, so that a test that fails leaves no process behind. */
#include "engine/serve.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int stop_pipe[2];

static void on_signal(int sig)
{
	unsigned char c = (unsigned char)sig;
	if (write(stop_pipe[1], &c, 1) < 0)
		_exit(1);
}

/* As the program's own in main.c. */
static void on_sigbus(int sig)
{
	(void)sig;
	_exit(3);
}

int main(int argc, char **argv)
{
	ServeOptions o = { .fd = -1, .stop_fd = -1, .quiet = true, .exit_with_viewer = true };
	for (int i = 2; i < argc; i++) {
		const char *next = i + 1 < argc ? argv[i + 1] : "";
		if (strcmp(argv[i], "--fd") == 0)
			o.fd = atoi(argv[++i]);
		else if (strcmp(argv[i], "--name") == 0)
			o.name = next, i++;
		else if (strcmp(argv[i], "--socket") == 0)
			o.socket = next, i++;
		else if (strcmp(argv[i], "--keep") == 0)
			o.keep = (size_t)atol(next), i++;
		else if (strcmp(argv[i], "--stay") == 0)
			o.exit_with_viewer = false;
		else
			o.path = argv[i];
	}
	o.must_load = o.fd < 0;
	if (pipe(stop_pipe) != 0)
		return 1;
	o.stop_fd = stop_pipe[0];
	signal(SIGTERM, on_signal);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGBUS, on_sigbus);
	Err e = { 0 };
	ServeEnd end;
	if (!serve_run(&o, &end, &e)) {
		err_print(&e);
		return err_exit(&e);
	}
	if (end.stuck)
		_exit(end.status);
	return end.status;
}
