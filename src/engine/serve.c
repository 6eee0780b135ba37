/* serve.c - the socket thread of an engine and its life from first to last. Only poll() waits here. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "engine/serve.h"
#include "base/clock.h"
#include "engine/crowd.h"
#include "engine/jobs.h"
#include "engine/place.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Seconds that the computing thread gets to end its step, and that viewers get to read the last words. */
static const double end_patience = 5, bye_patience = 0.5;

typedef struct Serve {
	const ServeOptions *o;
	Bus *bus;
	Jobs jobs;
	Err load_error;          /* of must_load; the worker's until it is joined */
	pthread_t worker;
	Place place;
	Crowd crowd;
	int status;
	double end_at;           /* quitting since, +patience; 0: not quitting */
	double alone_since;      /* no viewer and nothing published since; 0: not so */
	uint64_t alone_serial;
} Serve;

static void *work(void *ud)
{
	Serve *s = ud;
	bool loaded = !s->o->path || jobs_load(&s->jobs, s->o->path, s->o->must_load ? &s->load_error : NULL);
	if (!s->o->path)
		jobs_tell(&s->jobs);
	if (loaded || !s->o->must_load)
		jobs_work(&s->jobs);
	/* The recording is closed here, so that it is whole even when nobody waits for the rest. */
	publish_record_stop(&s->jobs.publish, NULL);
	bus_finish(s->bus);
	return NULL;
}

static void serve_quit(Serve *s, int status)
{
	if (s->end_at > 0)
		return;
	s->status = status;
	s->end_at = clock_now() + end_patience;
	bus_quit(s->bus);
}

/* quit and detach are done here, since the computing thread may be in the middle of a long step. */
static void take_command(void *ud, Viewer *v, json_t *c)
{
	Serve *s = ud;
	const char *cmd = json_string_value(json_object_get(c, "cmd"));
	if (cmd && strcmp(cmd, "quit") == 0) {
		viewer_reply_ok(v, c);
		serve_quit(s, 0);
	} else if (cmd && strcmp(cmd, "detach") == 0) {
		viewer_reply_ok(v, c);
		viewer_bye(v, "detached");
	} else if (s->end_at > 0 || !bus_post(s->bus, v->id, c)) {
		viewer_reply_error(v, c, E_9002,
			s->end_at > 0 ? "the engine is ending"
				      : "64 commands wait already; read their replies first");
	} else {
		return;
	}
	json_decref(c);
}

static void take_signal(Serve *s)
{
	unsigned char sig = 0;
	ssize_t n = read(s->o->stop_fd, &sig, 1);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		sig = SIGTERM;
	if (sig)
		serve_quit(s, 128 + sig);
}

/* An engine that everybody has left and that has nothing to do ends after a while, so that closed
 * terminals leave no crowd. */
static void linger(Serve *s)
{
	bool alone = s->o->linger > 0 && s->crowd.had_viewer && s->crowd.n == 0;
	uint64_t serial = alone ? bus_serial(s->bus) : 0;
	if (!alone)
		s->alone_since = 0;
	else if (s->alone_since <= 0 || serial != s->alone_serial)
		s->alone_since = clock_now();
	else if (clock_now() - s->alone_since >= s->o->linger)
		serve_quit(s, 0);
	s->alone_serial = serial;
}

static int poll_wait(const Serve *s)
{
	double until = s->end_at > 0 ? s->end_at : s->alone_since > 0 ? s->alone_since + s->o->linger : 0;
	if (s->crowd.more)
		return 0;
	if (until <= 0)
		return -1;
	double left = until - clock_now();
	return left > 0 ? (int)(left * 1000) + 1 : 0;
}

static void loop(Serve *s)
{
	struct pollfd p[CROWD_POLL + 1];
	while (!bus_is_finished(s->bus) && (s->end_at <= 0 || clock_now() < s->end_at)) {
		bool going = s->end_at <= 0;
		crowd_poll(&s->crowd, going, p);
		p[CROWD_POLL] = (struct pollfd){ .fd = going ? s->o->stop_fd : -1, .events = POLLIN };
		linger(s);
		if (poll(p, CROWD_POLL + 1, poll_wait(s)) < 0 && errno != EINTR)
			break;
		if (p[CROWD_POLL].revents)
			take_signal(s);
		crowd_turn(&s->crowd, p);
		if (s->crowd.n == 0 && s->crowd.had_viewer && s->o->exit_with_viewer)
			serve_quit(s, 0);
	}
}

/* The worker gets no signals: they are the socket thread's. Its pool inherits that. But a fault is its own: a
 * blocked SIGBUS would kill without the word that main.c has for a file cut short. */
static bool worker_start(Serve *s, Err *e)
{
	sigset_t all, old;
	sigfillset(&all);
	sigdelset(&all, SIGBUS);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	int failed = pthread_create(&s->worker, NULL, work, s);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return !failed || err_set(e, E_5001, "engine: cannot start a thread: %s", strerror(failed));
}

static bool serve_open(Serve *s, Err *e)
{
	const ServeOptions *o = s->o;
	if (o->name && !o->socket && !place_name_ok(o->name))
		return err_set(e, E_2003, "engine name \"%s\": 1 to %d letters, digits, '-' or '_'", o->name,
			PLACE_NAME);
	if (!place_take(o->socket ? o->socket : o->name, &s->place, e))
		return false;
	s->crowd.listen_fd = place_listen(&s->place, e);
	if (s->crowd.listen_fd < 0)
		return false;
	s->bus = bus_new(o->keep ? o->keep : (size_t)64 << 20);
	if (!s->bus || !jobs_init(&s->jobs, s->bus, s->place.name[0] ? s->place.name : s->place.socket))
		return err_set(e, E_5001, "engine: out of memory");
	s->jobs.load = (LoadOptions){ o->threads, o->layers, o->memory_limit,
		o->precision ? strdup(o->precision) : NULL };
	s->jobs.defaults.s.seed = o->seed;
	s->crowd.bus = s->bus;
	s->crowd.name = s->jobs.name;
	if (o->fd >= 0)
		crowd_add(&s->crowd, o->fd);
	return true;
}

static void serve_close(Serve *s)
{
	if (s->bus)
		jobs_done(&s->jobs);
	bus_free(s->bus);
	if (s->crowd.listen_fd >= 0)
		close(s->crowd.listen_fd);
}

bool serve_run(const ServeOptions *o, ServeEnd *end, Err *e)
{
	*end = (ServeEnd){ 0 };
	Serve *s = calloc(1, sizeof *s);
	if (!s)
		return err_set(e, E_5001, "engine: out of memory");
	s->o = o;
	s->place.lock = s->crowd.listen_fd = -1;
	s->crowd.command = take_command;
	s->crowd.ud = s;
	bool ok = serve_open(s, e);
	if (ok && !o->quiet) {
		printf("%s\n", s->place.socket);
		fflush(stdout);
	}
	ok = ok && worker_start(s, e);
	if (ok) {
		loop(s);
		/* The name is free before the viewers hear of the end, so that they may start another at
		 * once. */
		place_release(&s->place);
		crowd_bye(&s->crowd, "the engine ends", bye_patience);
		end->status = s->status;
		end->stuck = !bus_is_finished(s->bus);
		if (!end->stuck)
			pthread_join(s->worker, NULL);
		if (!end->stuck && s->load_error.code)
			ok = err_set(e, s->load_error.code, "%s", s->load_error.text);
	}
	/* A stuck thread still uses what serve_close would free. */
	if (!end->stuck)
		serve_close(s);
	place_release(&s->place);
	if (!end->stuck)
		free(s);
	return ok;
}
