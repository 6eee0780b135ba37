/* run_loop.c - see run_loop.h. */
#include "cli/run_loop.h"
#include "base/utf8.h"
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

static volatile sig_atomic_t stopped_by;

static void on_signal(int sig)
{
	stopped_by = sig;
}

void run_signals(void)
{
	struct sigaction act = { .sa_handler = on_signal };
	sigemptyset(&act.sa_mask);
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGHUP, &act, NULL);
}

int run_stopped_by(void)
{
	return stopped_by;
}

bool run_was_stopped(void)
{
	return stopped_by != 0;
}

void run_stop_by(int sig)
{
	stopped_by = sig;
}

/* What comes from files and viewers is made harmless for the terminal. */
void run_note(const char *text)
{
	Buf b = BUF_INIT;
	safe_text(&b, text, strlen(text), 0);
	if (text[0])
		fprintf(stderr, "lathe: %s\n", buf_str(&b));
	buf_done(&b);
}

static void note_done(Buf *b)
{
	run_note(buf_str(b));
	buf_done(b);
}

void run_notes(Buf *b)
{
	for (char *line = b->s, *end; b->len && line && (end = strchr(line, '\n')); line = end + 1) {
		*end = 0;
		run_note(line);
	}
	buf_clear(b);
}

/* --- where it begins --- */

static bool place(RunSetup *r, const Args *a, Buf *text, Err *e)
{
	Train *t = r->start.train;
	bool used = false, found = false;
	if (!train_claim(t, r->out, r->start.tokenizer, &used, e))
		return false;
	if (args_has(a, "resume")) {
		if (!train_resume(t, r->out, &found, text, e))
			return false;
		if (!found)
			buf_printf(text, "%s: no checkpoint yet; beginning", r->out);
		return true;
	}
	if (used)
		return err_set(e, E_2003, "%s: holds checkpoints of a run; --resume goes on from them, --out DIR begins elsewhere", r->out);
	return !args_has(a, "fork") || train_load(t, args_str(a, "fork", ""), text, e);
}

bool run_from(RunSetup *r, const Args *a, int64_t *from, Err *e)
{
	Buf text = BUF_INIT;
	bool ok = place(r, a, &text, e);
	run_note(buf_str(&text));
	buf_done(&text);
	*from = train_at(r->start.train);
	if (r->plus >= 0)
		r->stop = *from + r->plus;
	return ok;
}

/* --- changes while it is going on --- */

static void live_line(const RunSetup *r, char *line, RunChange change, void *ud)
{
	char *eq = strchr(line, '=');
	Err e = { 0 };
	Buf b = BUF_INIT;
	if (!eq)
		return;
	*eq = 0;
	if (change(ud, line, eq + 1, &e))
		buf_printf(&b, "step %lld: %s = %s", (long long)train_at(r->start.train), line, eq + 1);
	else
		buf_adds(&b, e.text);
	note_done(&b);
}

void run_live(const RunSetup *r, struct timespec *seen, RunChange change, void *ud)
{
	char path[4200], line[256];
	struct stat st;
	snprintf(path, sizeof path, "%s/live", r->out);
	if (stat(path, &st) != 0 || (st.st_mtim.tv_sec == seen->tv_sec && st.st_mtim.tv_nsec == seen->tv_nsec))
		return;
	*seen = st.st_mtim;
	if (!S_ISREG(st.st_mode)) { /* a FIFO would be waited for */
		Buf b = BUF_INIT;
		buf_printf(&b, "%s: not a file; it is not read", path);
		note_done(&b);
		return;
	}
	FILE *f = fopen(path, "r");
	while (f && fgets(line, sizeof line, f)) {
		line[strcspn(line, "\r\n")] = 0;
		live_line(r, line, change, ud);
	}
	if (f)
		fclose(f);
}

bool run_orders(TrainWatch *w)
{
	Buf b = BUF_INIT;
	bool end = w && train_watch_orders(w, run_was_stopped, &b);
	run_notes(&b);
	buf_done(&b);
	return end;
}

TrainWatch *run_watch(const RunSetup *r, Rl *rl)
{
	Buf b = BUF_INIT;
	TrainWatchOptions o = { .out = r->out, .stop = r->stop, .rl = rl };
	TrainWatch *w = train_watch_new(r->start.train, &o, &b);
	run_notes(&b);
	buf_done(&b);
	return w;
}

/* --- a line of progress --- */

bool run_is_due(int64_t every, int64_t step)
{
	return every > 0 && step % every == 0;
}

void run_time_text(Buf *b, double s)
{
	if (s < 60)
		buf_printf(b, "%.0f s", s);
	else if (s < 3600)
		buf_printf(b, "%d:%02d", (int)s / 60, (int)s % 60);
	else
		buf_printf(b, "%d h %02d min", (int)(s / 3600), (int)s / 60 % 60);
}

static int terminal_width(void)
{
	struct winsize ws = { 0 };
	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == 0 && ws.ws_col > 0 ? ws.ws_col : 80;
}

void run_field(Buf *b, size_t from, const char *name, int digits, double v, const char *unit)
{
	char text[64];
	snprintf(text, sizeof text, "  %s%.*f%s", name, digits, v, unit);
	if (b->len - from + strlen(text) < (size_t)terminal_width())
		buf_adds(b, text);
}
