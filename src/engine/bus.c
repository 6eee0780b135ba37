/* bus.c - the meeting place of an engine's two threads. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "engine/bus.h"
#include "base/clock.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

typedef struct Reply { struct Reply *next; int viewer; size_t n; char json[]; } Reply;
typedef struct JobNode { struct JobNode *next; Job job; } JobNode;

struct Bus {
	pthread_mutex_t lock;
	pthread_cond_t jobs_changed;
	Store *store;
	JobNode *jobs, **jobs_end;
	size_t n_jobs;
	Reply *replies, **replies_end;
	int wake[2];
	bool woken, quit, done;
	double start;
};

static bool wake_open(int fd[2])
{
	if (pipe(fd) != 0)
		return false;
	for (int i = 0; i < 2; i++)
		if (fcntl(fd[i], F_SETFL, O_NONBLOCK) != 0 || fcntl(fd[i], F_SETFD, FD_CLOEXEC) != 0)
			return false;
	return true;
}

Bus *bus_new(size_t keep)
{
	Bus *b = calloc(1, sizeof *b);
	if (!b)
		return NULL;
	b->wake[0] = b->wake[1] = -1;
	b->jobs_end = &b->jobs;
	b->replies_end = &b->replies;
	b->start = clock_now();
	b->store = store_new(keep);
	pthread_condattr_t mono;
	pthread_condattr_init(&mono);
	pthread_condattr_setclock(&mono, CLOCK_MONOTONIC);
	pthread_mutex_init(&b->lock, NULL);
	pthread_cond_init(&b->jobs_changed, &mono);
	pthread_condattr_destroy(&mono);
	if (!b->store || !wake_open(b->wake)) {
		bus_free(b);
		return NULL;
	}
	return b;
}

void bus_free(Bus *b)
{
	if (!b)
		return;
	while (b->jobs) {
		JobNode *x = b->jobs;
		b->jobs = x->next;
		json_decref(x->job.command);
		free(x);
	}
	while (b->replies) {
		Reply *x = b->replies;
		b->replies = x->next;
		free(x);
	}
	for (int i = 0; i < 2; i++)
		if (b->wake[i] >= 0)
			close(b->wake[i]);
	store_free(b->store);
	pthread_cond_destroy(&b->jobs_changed);
	pthread_mutex_destroy(&b->lock);
	free(b);
}

double bus_time(const Bus *b)
{
	return clock_now() - b->start;
}

void bus_set_time(Bus *b, double t)
{
	b->start = clock_now() - t;
}

/* Under the lock. One byte in the pipe is enough until the other side has looked. */
static void wake_other(Bus *b)
{
	if (b->woken)
		return;
	b->woken = true;
	while (write(b->wake[1], "", 1) < 0 && errno == EINTR)
		continue;
}

void bus_put(Bus *b, const Sample *s)
{
	pthread_mutex_lock(&b->lock);
	store_add(b->store, s);
	wake_other(b);
	pthread_mutex_unlock(&b->lock);
}

const Store *bus_store(const Bus *b)
{
	return b->store;
}

/* Under the lock: waits until there is a job, or quit, or `wait` seconds are over. */
static void jobs_wait(Bus *b, double wait)
{
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	if (wait > 0) {
		until.tv_sec += (time_t)wait;
		until.tv_nsec += (long)((wait - (double)(time_t)wait) * 1e9);
		if (until.tv_nsec >= 1000000000) {
			until.tv_sec++;
			until.tv_nsec -= 1000000000;
		}
	}
	while (!b->jobs && !b->quit) {
		if (wait < 0)
			pthread_cond_wait(&b->jobs_changed, &b->lock);
		else if (pthread_cond_timedwait(&b->jobs_changed, &b->lock, &until) == ETIMEDOUT)
			break;
	}
}

bool bus_take(Bus *b, Job *out, double wait)
{
	pthread_mutex_lock(&b->lock);
	if (!b->jobs && wait != 0)
		jobs_wait(b, wait);
	JobNode *x = b->jobs;
	if (x) {
		b->jobs = x->next;
		if (!b->jobs)
			b->jobs_end = &b->jobs;
		if (x->job.command)
			b->n_jobs--;
	}
	pthread_mutex_unlock(&b->lock);
	if (!x)
		return false;
	*out = x->job;
	free(x);
	return true;
}

void bus_reply(Bus *b, int viewer, const Buf *json)
{
	Reply *r = json->failed ? NULL : malloc(sizeof *r + json->len);
	if (!r)
		return;
	*r = (Reply){ .viewer = viewer, .n = json->len };
	memcpy(r->json, buf_str(json), json->len);
	pthread_mutex_lock(&b->lock);
	*b->replies_end = r;
	b->replies_end = &r->next;
	wake_other(b);
	pthread_mutex_unlock(&b->lock);
}

void bus_reply_begin(Jout *j, Buf *out, const json_t *command, bool ok)
{
	const json_t *id = json_object_get(command, "id");
	jout_init(j, out);
	jout_obj(j);
	jout_key(j, "id");
	if (json_is_integer(id))
		jout_int(j, json_integer_value(id));
	else
		jout_null(j);
	jout_kbool(j, "ok", ok);
}

void bus_finish(Bus *b)
{
	pthread_mutex_lock(&b->lock);
	b->done = true;
	wake_other(b);
	pthread_mutex_unlock(&b->lock);
}

static bool job_add(Bus *b, int viewer, json_t *command)
{
	JobNode *x = malloc(sizeof *x);
	if (!x)
		return false;
	*x = (JobNode){ NULL, { viewer, command } };
	pthread_mutex_lock(&b->lock);
	bool room = !command || b->n_jobs < BUS_JOBS;
	if (room) {
		*b->jobs_end = x;
		b->jobs_end = &x->next;
		b->n_jobs += command != NULL;
		pthread_cond_signal(&b->jobs_changed);
	}
	pthread_mutex_unlock(&b->lock);
	if (!room)
		free(x);
	return room;
}

bool bus_post(Bus *b, int viewer, json_t *command)
{
	return job_add(b, viewer, command);
}

void bus_gone(Bus *b, int viewer)
{
	job_add(b, viewer, NULL);
}

int bus_wake_fd(const Bus *b)
{
	return b->wake[0];
}

void bus_wake_clear(Bus *b)
{
	char sink[16];
	pthread_mutex_lock(&b->lock);
	while (read(b->wake[0], sink, sizeof sink) > 0)
		continue;
	b->woken = false;
	pthread_mutex_unlock(&b->lock);
}

bool bus_reply_take(Bus *b, int *viewer, Buf *out)
{
	pthread_mutex_lock(&b->lock);
	Reply *r = b->replies;
	if (r) {
		b->replies = r->next;
		if (!b->replies)
			b->replies_end = &b->replies;
	}
	pthread_mutex_unlock(&b->lock);
	if (!r)
		return false;
	*viewer = r->viewer;
	frame_put_text(out, FRAME_REPLY, r->json, r->n);
	free(r);
	return true;
}

/* Only the newest of a state is worth sending; what happened (a token, a new text, a step of training) is
 * sent one by one; the rest are probes. */
typedef enum TopicKind { TOPIC_STATE, TOPIC_EVENT, TOPIC_PROBE } TopicKind;
static TopicKind topic_kind(const char *t)
{
	if (strncmp(t, "engine.", 7) == 0 || strncmp(t, "model.", 6) == 0 || strcmp(t, "kv.bytes") == 0)
		return TOPIC_STATE;
	if (strncmp(t, "gen.", 4) == 0)
		return strcmp(t, "gen.stats") == 0 ? TOPIC_STATE : TOPIC_EVENT;
	return strncmp(t, "train.", 6) == 0 ? TOPIC_EVENT : TOPIC_PROBE;
}

/* Whether a sample is passed over for a viewer; counted says that the viewer is to be told. */
static bool sample_skipped(const Store *s, const Sample *x, uint64_t serial, size_t lag, bool *counted)
{
	TopicKind kind = topic_kind(x->topic);
	*counted = kind == TOPIC_PROBE;
	if (kind == TOPIC_STATE)
		return store_last(s, x->topic) != x;
	return kind == TOPIC_PROBE && store_behind(s, serial) > lag;
}

void bus_pull(Bus *b, uint64_t *cursor, uint64_t joined, size_t max, size_t lag, Buf *out, uint64_t *drops)
{
	size_t stop = out->len + max;
	const Sample *x;
	pthread_mutex_lock(&b->lock);
	while (out->len < stop && !out->failed) {
		uint64_t at = store_next(b->store, *cursor, &x);
		if (at == 0)
			break;
		/* What fell out of the Store between two looks was missed; what did before the viewer joined
		 * is only old. */
		uint64_t seen = *cursor > joined ? *cursor : joined;
		if (at > seen)
			*drops += at - seen - 1;
		*cursor = at;
		bool counted, snapshot = at <= joined;
		if (!snapshot && sample_skipped(b->store, x, at, lag, &counted))
			*drops += counted;
		else
			frame_put_sample(out, x);
	}
	pthread_mutex_unlock(&b->lock);
}

uint64_t bus_serial(Bus *b)
{
	pthread_mutex_lock(&b->lock);
	uint64_t n = store_serial(b->store);
	pthread_mutex_unlock(&b->lock);
	return n;
}

bool bus_is_finished(Bus *b)
{
	pthread_mutex_lock(&b->lock);
	bool done = b->done;
	pthread_mutex_unlock(&b->lock);
	return done;
}

void bus_quit(Bus *b)
{
	pthread_mutex_lock(&b->lock);
	b->quit = true;
	pthread_cond_signal(&b->jobs_changed);
	wake_other(b);
	pthread_mutex_unlock(&b->lock);
}

bool bus_quitting(Bus *b)
{
	pthread_mutex_lock(&b->lock);
	bool quit = b->quit;
	pthread_mutex_unlock(&b->lock);
	return quit;
}
