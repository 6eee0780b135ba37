/* term.c - modes. Each one that is switched on has its undoing in `leave`, which the guard process holds too.
 */
#include "tui/term.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { COPY_MAX = 74994 /* what xterm takes */ };

static const char mouse_on[] = "\033[?1002h\033[?1006h", mouse_off[] = "\033[?1006l\033[?1002l";

static void make_sequences(Term *t)
{
	const char *alt = t->caps.alternate ? "\033[?1049h" : "", *back = t->caps.alternate ? "\033[?1049l" : "";
	/* without auto-wrap the last cell of the last row can be drawn without scrolling */
	snprintf(t->enter, sizeof t->enter, "%s\033[?7l\033[?25l\033[?2004h", alt);
	/* the second screen is emptied too: after a change of size some emulators mix its rows into the first one
	 */
	snprintf(t->leave, sizeof t->leave, "%s%s\033[?2004l\033[?7h\033[0m\033[?25h\033[H\033[2J%s",
		t->caps.sync ? "\033[?2026l" : "", mouse_off, back);
}

static void set_raw(Term *t)
{
	struct termios raw = t->before;
	raw.c_iflag &= ~(tcflag_t)(BRKINT | ICRNL | INLCR | IGNCR | INPCK | ISTRIP | IXON | PARMRK);
	raw.c_oflag &= ~(tcflag_t)OPOST;
	raw.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | IEXTEN | ISIG);
	raw.c_cflag |= CS8;
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	tcsetattr(t->out, TCSANOW, &raw);
}

bool term_open(Term *t, const Caps *caps, bool mouse, Err *e)
{
	memset(t, 0, sizeof *t);
	t->caps = *caps;
	t->mouse = mouse;
	t->out = 1;
	t->in = isatty(0) ? 0 : open("/dev/tty", O_RDWR | O_CLOEXEC);
	t->guard.pid = -1;
	if (t->in < 0 || tcgetattr(t->out, &t->before))
		return err_set(e, E_4001,
			"the terminal: %s; run lathe in a terminal, or see `lathe scene --help` for pictures without one",
			strerror(errno));
	make_sequences(t);
	guard_start(&t->guard, t->out, &t->before, t->leave);
	term_enter(t);
	return true;
}

void term_enter(Term *t)
{
	if (t->on)
		return;
	t->on = true;
	guard_say(&t->guard, true);
	set_raw(t);
	term_write(t, t->enter, strlen(t->enter));
	if (t->mouse)
		term_write(t, mouse_on, sizeof mouse_on - 1);
}

void term_leave(Term *t)
{
	if (!t->on)
		return;
	t->on = false;
	term_write(t, t->leave, strlen(t->leave));
	tcsetattr(t->out, TCSANOW, &t->before);
	guard_say(&t->guard, false);
}

void term_close(Term *t)
{
	term_leave(t);
	guard_stop(&t->guard);
	if (t->in > 2)
		close(t->in);
	t->in = -1;
}

void term_mouse(Term *t, bool on)
{
	if (on != t->mouse && t->on)
		term_write(t, on ? mouse_on : mouse_off, sizeof mouse_on - 1);
	t->mouse = on;
}

static void put_base64(Buf *b, const unsigned char *s, size_t n)
{
	static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	for (size_t i = 0; i < n; i += 3) {
		unsigned v = (unsigned)s[i] << 16 | (i + 1 < n ? (unsigned)s[i + 1] << 8 : 0) |
			(i + 2 < n ? s[i + 2] : 0);
		buf_addc(b, digit[v >> 18]);
		buf_addc(b, digit[v >> 12 & 63]);
		buf_addc(b, i + 1 < n ? digit[v >> 6 & 63] : '=');
		buf_addc(b, i + 2 < n ? digit[v & 63] : '=');
	}
}

bool term_copy(Term *t, const char *text)
{
	Buf b = BUF_INIT;
	size_t n = strlen(text);
	if (!t->caps.clipboard || n > COPY_MAX / 4 * 3)
		return false;
	buf_adds(&b, "\033]52;c;");
	put_base64(&b, (const unsigned char *)text, n);
	buf_adds(&b, "\a");
	bool ok = !b.failed && term_write(t, b.s, b.len);
	buf_done(&b);
	return ok;
}

void term_size(const Term *t, int *w, int *h)
{
	struct winsize ws;
	*w = 80;
	*h = 24;
	if (!ioctl(t->out, TIOCGWINSZ, &ws) && ws.ws_col > 0 && ws.ws_row > 0) {
		*w = ws.ws_col;
		*h = ws.ws_row;
	}
}

/* A terminal that was stopped, or a line that is slow, makes write wait; an engine is never behind this, only
 * the screen. */
bool term_write(Term *t, const char *s, size_t n)
{
	while (n) {
		ssize_t k = write(t->out, s, n);
		if (k < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
			struct pollfd p = { .fd = t->out, .events = POLLOUT };
			poll(&p, 1, 1000);
		} else if (k < 0 && errno != EINTR) {
			return false;
		}
		s += k > 0 ? k : 0;
		n -= k > 0 ? (size_t)k : 0;
	}
	return true;
}
