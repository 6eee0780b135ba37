/* test_guard.c - however a screen dies, its terminal gets the modes back that it had. */
#include "tests/unit.h"
#include "tui/term.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static int pty_open(int *slave)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY);
	if (master < 0 || grantpt(master) || unlockpt(master))
		return -1;
	*slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	return *slave < 0 ? -1 : master;
}

/* A program with a screen on the terminal; it says so with a byte, then dies by the signal (0: leaves; -1:
 * suspended, then killed). */
static void screen_child(int slave, int ready, int sig)
{
	Term t;
	Caps caps = { .screen = true, .alternate = true, .sync = true, .utf8 = true };
	struct rlimit none = { 0, 0 };
	setrlimit(RLIMIT_CORE, &none);
	dup2(slave, 0);
	dup2(slave, 1);
	dup2(slave, 2);
	if (!term_open(&t, &caps, true, NULL))
		_exit(99);
	fprintf(stderr, "last words\n");
	if (sig < 0)
		term_leave(&t);
	if (sig == 0)
		term_close(&t);
	if (write(ready, "r", 1) != 1)
		_exit(98);
	if (sig > 0)
		raise(sig);
	if (sig < 0)
		raise(SIGKILL);
	_exit(0);
}

/* All that comes out of the terminal until it has been silent for a while after `want` was seen. */
static void drain(int master, char *out, size_t max, const char *want)
{
	size_t n = 0;
	for (int quiet = 0; quiet < 100;) {
		struct pollfd p = { .fd = master, .events = POLLIN };
		int k = poll(&p, 1, 20);
		out[n] = 0;
		if (k <= 0) {
			quiet += strstr(out, want) ? 50 : 1;
			continue;
		}
		ssize_t got = read(master, out + n, max - 1 - n);
		if (got <= 0)
			break;
		n += (size_t)got;
	}
	out[n] = 0;
}

static void die_by(int sig)
{
	int slave = -1, ready[2], status;
	char c, out[8192];
	struct termios before, after;
	int master = pty_open(&slave);
	assert_true(master >= 0);
	assert_int_equal(tcgetattr(slave, &before), 0);
	assert_int_equal(pipe(ready), 0);
	pid_t pid = fork();
	if (pid == 0)
		screen_child(slave, ready[1], sig);
	assert_int_equal(read(ready[0], &c, 1), 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	drain(master, out, sizeof out, "last words");
	assert_non_null(strstr(out, "\033[?1049h"));
	assert_non_null(strstr(out, "\033[?1049l"));
	assert_non_null(strstr(out, "\033[?2004l"));
	assert_non_null(strstr(out, "\033[?1002l"));
	assert_non_null(strstr(strstr(out, "\033[?1049l"), "last words")); /* told, but not into the picture */
	if (sig < 0) /* it had left before: nothing may be sent to a shell's screen */
		assert_null(strstr(strstr(out, "\033[?1049l") + 1, "\033[?1049l"));
	assert_int_equal(tcgetattr(slave, &after), 0);
	assert_int_equal(after.c_lflag, before.c_lflag);
	assert_int_equal(after.c_iflag, before.c_iflag);
	assert_int_equal(after.c_oflag, before.c_oflag);
	close(ready[0]);
	close(ready[1]);
	close(master);
	close(slave);
}

TEST(guard_terminal_is_restored_after_any_death)
{
	static const int deaths[] = { 0, SIGKILL, SIGSEGV, SIGABRT, SIGFPE, SIGBUS, SIGTERM, SIGHUP, SIGINT,
		SIGQUIT, SIGPIPE, SIGILL, -1 };
	for (size_t i = 0; i < sizeof deaths / sizeof deaths[0]; i++)
		die_by(deaths[i]);
}
