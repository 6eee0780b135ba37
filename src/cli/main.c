/* main.c - takes the command's name, hands the rest to its row of the table, and turns errors into one line
 * and an exit status. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "cli/args.h"
#include "cli/help.h"
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "unversioned"
#endif

/* A mapped checkpoint that somebody shortens faults on the next read: the only thing left to do is to say so.
 */
static void on_sigbus(int sig)
{
	static const char line[] =
		"lathe: error[E3090]: a mapped file was cut short while in use; copy it again and repeat\n";
	(void)sig;
	if (write(2, line, sizeof line - 1) < 0)
		_exit(4);
	_exit(3);
}

/* A limit on the size of files is a failed write like any other, not a death. */
static void set_signals(void)
{
	struct sigaction bus = { .sa_handler = on_sigbus }, dfl = { .sa_handler = SIG_DFL },
			 ign = { .sa_handler = SIG_IGN };
	sigemptyset(&bus.sa_mask);
	sigemptyset(&dfl.sa_mask);
	sigemptyset(&ign.sa_mask);
	sigaction(SIGBUS, &bus, NULL);
	sigaction(SIGPIPE, &dfl, NULL);
	sigaction(SIGXFSZ, &ign, NULL);
}

static int fail(Err *e)
{
	err_print(e);
	return err_exit(e);
}

static int print_out(Buf *b)
{
	Err e = { 0 };
	bool ok = cli_out(b, &e);
	buf_done(b);
	return ok ? 0 : fail(&e);
}

static int run_command(const Cmd *c, int argc, char *const *argv)
{
	Err e = { 0 };
	Args *a = args_parse(c, argc, argv, &e);
	if (!a)
		return fail(&e);
	if (args_has(a, "help")) {
		Buf b = BUF_INIT;
		help_command(c, &b);
		args_free(a);
		return print_out(&b);
	}
	int status = c->run(a, &e);
	args_free(a);
	if (e.code)
		err_print(&e);
	return status;
}

static int command_unknown(const char *name)
{
	const char *names[128];
	int n = 0;
	Err e = { 0 };
	for (int i = 0; help_planned[i]; i++)
		if (!strcmp(name, help_planned[i])) {
			err_set(&e, E_2004,
				"`%s` is not in this version of lathe; `lathe --help` lists the commands "
				"there are", name);
			return fail(&e);
		}
	for (int i = 0; cmd_table[i] && n < 127; i++)
		names[n++] = cmd_table[i]->name;
	names[n] = NULL;
	const char *near = args_nearest(name, names);
	if (near)
		err_set(&e, E_2001, "no command `%.80s`; did you mean `lathe %s`?", name, near);
	else
		err_set(&e, E_2001, "no command `%.80s`; `lathe --help` lists them, `lathe open FILE` opens "
			"a file",
			name);
	return fail(&e);
}

/* Index of the command's name: global options may stand before it. argc when there is none. */
static int command_at(int argc, char *const *argv)
{
	int i = 1;
	while (i < argc && argv[i][0] == '-' && argv[i][1] == '-' && argv[i][2]) {
		char name[32];
		snprintf(name, sizeof name, "%.*s", (int)strcspn(argv[i] + 2, "="), argv[i] + 2);
		const Opt *o = args_option(NULL, name);
		if (!o)
			return argc;
		i += 1 + (o->kind != OPT_FLAG && !strchr(argv[i], '='));
	}
	return i < argc && argv[i][0] != '-' ? i : argc;
}

/* Options before the command move behind it: lathe --threads 2 info X is lathe info --threads 2 X. */
static int run_at(int at, int argc, char **argv)
{
	const Cmd *c = at < argc ? cmd_find(argv[at]) : cmd_find("open");
	if (!c)
		return command_unknown(at < argc ? argv[at] : "open");
	for (int i = at; at < argc && i > 1; i--)
		argv[i] = argv[i - 1];
	int skip = at < argc ? 2 : 1;
	return run_command(c, argc - skip, argv + skip);
}

int main(int argc, char **argv)
{
	set_signals();
	setlocale(LC_CTYPE, "");
	if (argc > 1 && (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V"))) {
		Buf b = BUF_INIT;
		buf_printf(&b, "lathe %s\n", PACKAGE_VERSION);
		return print_out(&b);
	}
	if (argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))) {
		Buf b = BUF_INIT;
		help_program(&b);
		return print_out(&b);
	}
	return run_at(argc > 0 ? command_at(argc, argv) : argc, argc, argv);
}
