/* guard.c - the guard sits in a session of its own, so that no signal of the terminal reaches it, and reads a
 * pipe whose other end only the screen's process holds: the end of file is the death of the screen, however
 * it came. The system closes that pipe before the shell hears of the death, so the terminal is right when the
 * prompt appears.
 *
 * Standard error goes through it too: a message printed while the screen is up would spoil the picture, and
 * one printed by a dying program would vanish with the second screen. */
#include "tui/guard.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NOTE_MAX = 16 << 10 };
typedef struct Note { char s[NOTE_MAX]; size_t n; } Note;

static void write_all(int fd, const char *s, size_t n)
{
	while (n) {
		ssize_t k = write(fd, s, n);
		if (k < 0 && errno != EINTR)
			return;
		s += k > 0 ? k : 0;
		n -= k > 0 ? (size_t)k : 0;
	}
}

static void note_read(int fd, Note *note)
{
	char block[1024];
	ssize_t n = read(fd, block, sizeof block);
	size_t room = sizeof note->s - note->n;
	if (n <= 0)
		return;
	size_t k = (size_t)n < room ? (size_t)n : room;
	memcpy(note->s + note->n, block, k);
	note->n += k;
}

/* '+': the screen is on; '-': it is off; 'q': it has left. End of file: it died. */
static bool guard_wait(int control, int note_fd, Note *note)
{
	char c, state = '+';
	for (;;) {
		struct pollfd p[2] = { { .fd = control, .events = POLLIN }, { .fd = note_fd, .events = POLLIN } };
		if (poll(p, 2, -1) < 0)
			continue;
		if (p[1].revents & POLLIN)
			note_read(note_fd, note);
		else if (p[1].revents)
			note_fd = -1;
		if (!p[0].revents)
			continue;
		ssize_t n = read(control, &c, 1);
		if (n == 1 && c != 'q')
			state = c;
		else if (n == 1)
			return false;
		else if (n == 0 || errno != EINTR)
			return state == '+';
	}
}

/* What is still in the pipe; whoever else holds its other end is not waited for. */
static void note_drain(int fd, Note *note)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	while (note->n < sizeof note->s && poll(&p, 1, 0) == 1 && p.revents & POLLIN)
		note_read(fd, note);
}

/* Text of our own dying program: control characters other than line ends become blanks all the same. */
static void note_print(Note *note)
{
	for (size_t i = 0; i < note->n; i++)
		if ((unsigned char)note->s[i] < 0x20 && note->s[i] != '\n')
			note->s[i] = ' ';
	write_all(2, note->s, note->n);
}

static void guard_run(int tty, const struct termios *before, const char *leave, int control, int note_fd)
{
	Note note = { .n = 0 };
	sigset_t none;
	setsid();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGHUP, SIG_IGN);
	signal(SIGTTOU, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	for (int fd = 0; fd < 256; fd++)
		if (fd != 2 && fd != tty && fd != control && fd != note_fd)
			close(fd);
	if (guard_wait(control, note_fd, &note)) {
		write_all(tty, leave, strlen(leave));
		tcsetattr(tty, TCSANOW, before);
	}
	note_drain(note_fd, &note);
	note_print(&note); /* the guard's standard error is still the one of before */
	_exit(0);
}

bool guard_start(Guard *w, int tty, const struct termios *before, const char *leave)
{
	int control[2], note[2];
	*w = (Guard){ .pid = -1, .control = -1, .saved_stderr = -1 };
	if (pipe2(control, O_CLOEXEC))
		return false;
	if (pipe2(note, O_CLOEXEC)) {
		close(control[0]);
		close(control[1]);
		return false;
	}
	w->pid = fork();
	if (w->pid == 0) {
		close(control[1]);
		close(note[1]);
		guard_run(tty, before, leave, control[0], note[0]);
	}
	close(control[0]);
	close(note[0]);
	if (w->pid < 0) {
		close(control[1]);
		close(note[1]);
		return false;
	}
	w->control = control[1];
	w->saved_stderr = fcntl(2, F_DUPFD_CLOEXEC, 3);
	dup2(note[1], 2);
	close(note[1]);
	return true;
}

void guard_say(Guard *w, bool screen_on)
{
	if (w->control >= 0)
		write_all(w->control, screen_on ? "+" : "-", 1);
}

void guard_stop(Guard *w)
{
	if (w->pid <= 0)
		return;
	if (w->saved_stderr >= 0) {
		dup2(w->saved_stderr, 2);
		close(w->saved_stderr);
	} else {
		close(2);
	}
	write_all(w->control, "q", 1);
	close(w->control);
	while (waitpid(w->pid, NULL, 0) < 0 && errno == EINTR)
		;
	w->pid = -1;
}
