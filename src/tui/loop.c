/* loop.c - one thread that waits for the keyboard, the engine and signals at once, and draws.
 *
 * A key is answered with a frame at once. What the engine sends is drawn at most 30 times a second, and only
 * when the picture would differ. Signals arrive as data through a descriptor (they are blocked otherwise), so
 * that no code here runs inside a handler and there is no global state. */
#include "tui/loop.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/utf8.h"
#include "tui/keys.h"
#include "tui/order.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

static const int taken_signals[] = { SIGWINCH, SIGTSTP, SIGCONT, SIGHUP, SIGTERM, SIGINT, SIGQUIT, SIGPIPE };
enum { N_SIGNALS = sizeof taken_signals / sizeof taken_signals[0], STORE_BUDGET = 192 << 20 };
static const double frame_least = 1.0 / 30, tick = 0.25;

static void signal_set(sigset_t *set)
{
	sigemptyset(set);
	for (int i = 0; i < N_SIGNALS; i++)
		sigaddset(set, taken_signals[i]);
}

/* --- drawing --- */

static void loop_fit(Screen *l)
{
	int w, h;
	term_size(&l->term, &w, &h);
	if ((w != l->grid->w || h != l->grid->h) && grid_resize(l->grid, w, h))
		paint_forget(l->paint);
}

static void loop_draw(Screen *l, double now)
{
	if (l->resized)
		loop_fit(l);
	l->resized = l->dirty = false;
	l->drawn = now;
	app_draw(l->app, l->store, l->grid, now);
	buf_clear(&l->out);
	if (!paint_frame(l->paint, l->grid, &l->out))
		return;
	if (l->out.len && !term_write(&l->term, l->out.s, l->out.len))
		l->status = 128 + SIGHUP;
}

/* --- keyboard --- */

static void loop_suspend(Screen *l)
{
	sigset_t set;
	struct sigaction dfl = { .sa_handler = SIG_DFL };
	sigemptyset(&dfl.sa_mask);
	sigemptyset(&set);
	sigaddset(&set, SIGTSTP);
	term_leave(&l->term);
	sigaction(SIGTSTP, &dfl, NULL);
	kill(0, SIGTSTP); /* the whole job, as the terminal would have done */
	sigprocmask(SIG_UNBLOCK, &set, NULL); /* stopped here until somebody says continue */
	sigprocmask(SIG_BLOCK, &set, NULL);
	term_enter(&l->term);
	paint_forget(l->paint);
	l->resized = true;
}

static bool key_is_ctrl(const Key *k, uint32_t letter)
{
	return k->code == AK_CHAR && k->mods == MOD_CTRL && k->cp == letter;
}

static void loop_key(Screen *l, const Key *k)
{
	if (key_is_ctrl(k, 'z')) {
		loop_suspend(l);
		l->now_dirty = true;
		return;
	}
	if (key_is_ctrl(k, 'l'))
		paint_forget(l->paint);
	if (app_key(l->app, l->store, *k) || key_is_ctrl(k, 'l'))
		l->now_dirty = true;
}

static void loop_events(Screen *l, bool idle)
{
	for (KeysEvent ev; (ev = keys_next(l->keys, idle)).kind != KEYS_NONE;) {
		if (ev.kind == KEYS_KEY)
			loop_key(l, &ev.key);
		else if (app_paste(l->app, ev.text, ev.n))
			l->now_dirty = true;
	}
}

static void loop_input(Screen *l, int revents)
{
	char block[4096];
	if (!(revents & (POLLIN | POLLHUP | POLLERR)))
		return;
	ssize_t n = read(l->term.in, block, sizeof block);
	if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN)) {
		l->status = 128 + SIGHUP; /* the terminal is gone */
		return;
	}
	if (n > 0 && keys_feed(l->keys, block, (size_t)n))
		loop_events(l, false);
}

/* --- signals --- */

static void loop_signals(Screen *l)
{
	struct signalfd_siginfo si[16];
	ssize_t n = read(l->signal_fd, si, sizeof si);
	for (size_t i = 0; n > 0 && i < (size_t)n / sizeof si[0]; i++) {
		int sig = (int)si[i].ssi_signo;
		if (sig == SIGWINCH) {
			l->resized = l->dirty = true;
		} else if (sig == SIGTSTP) {
			loop_suspend(l);
			l->dirty = true;
		} else if (sig == SIGCONT) { /* a stop that nobody announced: the shell may have changed the modes */
			l->term.on = false;
			term_enter(&l->term);
			paint_forget(l->paint);
			l->resized = l->dirty = true;
		} else if (sig == SIGINT) {
			loop_key(l, &(Key){ .code = AK_CHAR, .cp = 'c', .mods = MOD_CTRL });
		} else if (sig != SIGPIPE) {
			l->status = 128 + sig;
		}
	}
}

/* --- engine --- */

static void loop_replies(Screen *l)
{
	ClientReply r;
	while (client_reply(l->client, &r))
		if (!r.ok) {
			Buf b = BUF_INIT;
			safe_text(&b, r.error, strlen(r.error), 0);
			app_message(l->app, true, buf_str(&b));
			buf_done(&b);
			l->dirty = true;
		}
}

static void loop_engine(Screen *l)
{
	if (!l->client)
		return;
	if (client_read(l->client, l->store))
		l->dirty = true;
	loop_replies(l);
	bool alive = client_alive(l->client);
	if (alive != l->alive) {
		l->alive = alive;
		app_set_engine(l->app, alive, client_ending(l->client));
		l->dirty = true;
	}
}

/* --- the loop --- */

static int loop_timeout(const Screen *l, double now)
{
	double wait = tick;
	int keys = keys_wait(l->keys);
	if (l->dirty && l->drawn + frame_least - now < wait)
		wait = l->drawn + frame_least - now;
	if (l->client && client_more(l->client))
		wait = 0;
	int ms = wait <= 0 ? 0 : (int)(wait * 1000) + 1;
	return keys >= 0 && keys < ms ? keys : ms;
}

static void loop_wait(Screen *l)
{
	int fd = l->client ? client_fd(l->client) : -1;
	struct pollfd p[3] = { { .fd = l->term.in, .events = POLLIN }, { .fd = l->signal_fd, .events = POLLIN },
		{ .fd = fd, .events = (short)(POLLIN | (fd >= 0 && client_wants_write(l->client) ? POLLOUT : 0)) } };
	int n = poll(p, 3, loop_timeout(l, clock_now()));
	if (p[1].revents)
		loop_signals(l);
	if (n > 0 && p[0].revents) {
		l->input_at = clock_now();
		loop_input(l, p[0].revents);
	} else if (keys_wait(l->keys) >= 0 && (clock_now() - l->input_at) * 1000 >= keys_wait(l->keys)) {
		loop_events(l, true);
	}
	if (n <= 0 || p[2].revents || fd < 0 || client_more(l->client))
		loop_engine(l);
}

static void loop_step(Screen *l)
{
	loop_wait(l);
	screen_orders(l);
	double now = clock_now();
	if (now - l->looked > 1) {
		l->looked = now;
		l->dirty |= app_reload(l->app);
		if (l->src->beside && l->src->beside_read(l->src->beside, l->store) > 0)
			l->dirty = true;
	}
	if (!l->dirty && !l->now_dirty && now - l->drawn >= tick)
		l->dirty = app_needs_draw(l->app, l->store, now);
	if (l->now_dirty || (l->dirty && now - l->drawn >= frame_least)) {
		l->now_dirty = false;
		loop_draw(l, now);
	}
}

static void loop_free(Screen *l)
{
	app_free(l->app);
	paint_free(l->paint);
	grid_free(l->grid);
	keys_free(l->keys);
	buf_done(&l->out);
	if (l->own_store)
		store_free(l->own_store);
	if (l->signal_fd >= 0)
		close(l->signal_fd);
}

static bool loop_new(Screen *l, const TuiSource *src, Err *e)
{
	sigset_t set;
	int w, h;
	PaintOptions po = { .depth = src->caps.depth, .sync = src->caps.sync, .utf8 = src->caps.utf8 };
	if (!src->store && !(l->own_store = store_new(STORE_BUDGET)))
		return err_set(e, E_5001, "out of memory for what the engine sends");
	l->store = src->store ? src->store : l->own_store;
	term_size(&l->term, &w, &h);
	l->keys = keys_new();
	l->grid = grid_new(w, h);
	l->paint = paint_new(&po);
	if (!l->keys || !l->grid || !l->paint)
		return err_set(e, E_5001, "out of memory for a screen of %dx%d", w, h);
	l->app = app_new(&src->app, e);
	if (!l->app)
		return false;
	signal_set(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	l->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (l->signal_fd < 0)
		return err_errno(e, "signalfd", "signals");
	return true;
}

static void loop_begin(Screen *l, const TuiSource *src)
{
	l->alive = l->client && client_alive(l->client);
	if (l->client)
		app_set_engine(l->app, l->alive, client_ending(l->client));
	for (int i = 0; l->client && src->commands && src->commands[i]; i++)
		client_send(l->client, src->commands[i]);
	loop_draw(l, clock_now());
}

int tui_run(const TuiSource *src, Err *e)
{
	sigset_t before;
	Screen l = { .src = src, .client = src->client, .signal_fd = -1, .status = -1 };
	sigprocmask(SIG_SETMASK, NULL, &before);
	if (!term_open(&l.term, &src->caps, src->mouse, e))
		return err_exit(e);
	bool ok = loop_new(&l, src, e);
	if (ok)
		loop_begin(&l, src);
	while (ok && l.status < 0 && !app_quit(l.app))
		loop_step(&l);
	term_close(&l.term);
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (ok && l.status < 0 && l.client && src->own_engine)
		client_end(l.client, 2);
	loop_free(&l);
	return !ok ? err_exit(e) : l.status < 0 ? 0 : l.status;
}
