/* jobs.c - the computing thread: takes commands, and between them moves the text on. It never waits for a
 * viewer. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "engine/jobs.h"
#include "base/clock.h"
#include "engine/card.h"
#include "engine/tensors.h"
#include "engine/trace.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool jobs_error(Err *e, const LatheError *from)
{
	return err_set(e, from->code ? from->code : E_5001, "%s", from->text);
}

bool jobs_init(Jobs *j, Bus *bus, const char *name)
{
	*j = (Jobs){ .bus = bus, .publish = { .bus = bus }, .told_state = ENGINE_ERROR };
	j->run.step = -1;
	j->changed = clock_now();
	j->defaults = (RunOptions){ .n = 256, .s = { .alternatives = 8 } };
	j->hooks = hooks_new(&j->publish);
	j->name = strdup(name);
	if (j->hooks && j->name)
		return true;
	jobs_done(j);
	return false;
}

static void model_close(Jobs *j)
{
	run_end(j);
	tree_done(j);
	if (j->diff)
		diff_ask_done(j->diff);
	j->tensors_told = false;
	if (j->hooks)
		hooks_model(j->hooks, NULL);
	lathe_close(j->model);
	j->model = NULL;
	free(j->path);
	j->path = NULL;
}

void jobs_done(Jobs *j)
{
	model_close(j);
	hooks_free(j->hooks);
	publish_record_stop(&j->publish, NULL);
	free(j->publish.record_path);
	free(j->name);
	free(j->diff);
	free(j->load.precision);
	*j = (Jobs){ 0 };
}

static void put_progress(Jout *o, const Jobs *j)
{
	const TextRun *r = &j->run;
	jout_key(o, "progress");
	if (j->state == ENGINE_PREFILL && r->n_pending > 0)
		jout_f32(o, (float)((double)r->fed / (double)r->n_pending));
	else
		jout_null(o);
}

static void put_string(Jout *o, const char *key, const char *s)
{
	jout_key(o, key);
	if (s)
		jout_str(o, s);
	else
		jout_null(o);
}

static const char *state_message(const Jobs *j)
{
	if (j->state == ENGINE_ERROR)
		return j->error.text;
	if (j->publish.record_error.code)
		return j->publish.record_error.text;
	return "";
}

void jobs_tell(Jobs *j)
{
	static const char *const state[] = { "idle", "loading", "prefill", "decode", "paused", "error" };
	Buf b = BUF_INIT;
	Jout o;
	jout_init(&o, &b);
	jout_obj(&o);
	jout_kstr(&o, "state", state[j->state]);
	jout_kstr(&o, "message", state_message(j));
	jout_kint(&o, "code", j->state == ENGINE_ERROR ? j->error.code : j->publish.record_error.code);
	jout_kstr(&o, "name", j->name);
	jout_kint(&o, "pid", (int64_t)getpid());
	put_string(&o, "path", j->path);
	jout_kbool(&o, "model", j->model != NULL);
	put_progress(&o, j);
	jout_kint(&o, "run", j->run.number);
	jout_kint(&o, "pos", j->run.pos);
	jout_kint(&o, "left", j->run.left);
	put_string(&o, "finish", j->run.finish);
	jout_kint(&o, "watched", (int64_t)hooks_count(j->hooks));
	put_string(&o, "recording", j->publish.record_path);
	jout_end_obj(&o);
	j->told_state = j->state;
	publish_text(&j->publish, "engine.status", (uint64_t)j->run.pos, &b);
	buf_done(&b);
}

void jobs_state(Jobs *j, EngineState s)
{
	if (s == j->state && s == j->told_state)
		return;
	j->state = s;
	j->changed = clock_now();
	jobs_tell(j);
	publish_flush(&j->publish);
}

static void tell_card(Jobs *j)
{
	Buf b = BUF_INIT;
	card_write(&b, j->path, j->model);
	publish_text(&j->publish, "model.card", 0, &b);
	buf_done(&b);
}

bool jobs_load(Jobs *j, const char *path, Err *e)
{
	LatheError le = { 0 };
	model_close(j);
	j->path = strdup(path);
	jobs_state(j, ENGINE_LOADING);
	const LatheOpenOptions o = { j->load.threads, j->load.layers, j->load.memory_limit,
		j->load.precision };
	j->model = lathe_open(path, &o, &le);
	if (!j->model) {
		j->error = (Err){ 0 };
		jobs_error(&j->error, &le);
		jobs_state(j, ENGINE_ERROR);
		return err_set(e, j->error.code, "%s", j->error.text);
	}
	hooks_model(j->hooks, j->model);
	tell_card(j);
	tensors_wanted(j);
	jobs_state(j, ENGINE_IDLE);
	return true;
}

/* The fields of a command's reply follow id and ok, which are known only after it has run: they are written
 * apart and joined. */
static void answer(Jobs *j, int viewer, const json_t *command)
{
	Buf fields = BUF_INIT, reply = BUF_INIT;
	Jout f, o;
	Err e = { 0 };
	jout_init(&f, &fields);
	jout_obj(&f);
	bool ok = orders_run(j, viewer, command, &f, &e);
	jout_end_obj(&f);
	bus_reply_begin(&o, &reply, command, ok);
	if (!ok) {
		jout_kint(&o, "code", e.code);
		jout_kstr(&o, "error", e.text);
	}
	jout_end_obj(&o);
	if (ok && fields.len > 2 && reply.len > 0) {
		reply.s[reply.len - 1] = ',';
		buf_add(&reply, fields.s + 1, fields.len - 1);
	}
	bus_reply(j->bus, viewer, &reply);
	buf_done(&fields);
	buf_done(&reply);
}

static void job_do(Jobs *j, Job *job)
{
	if (job->command)
		answer(j, job->viewer, job->command);
	else
		hooks_unwatch(j->hooks, job->viewer, NULL);
	json_decref(job->command);
}

void jobs_work(Jobs *j)
{
	Job job;
	while (!bus_quitting(j->bus)) {
		/* A flood of commands does not keep the text from moving on. */
		for (int i = 0; i < BUS_JOBS && bus_take(j->bus, &job, 0); i++)
			job_do(j, &job);
		if (run_wants(&j->run))
			run_advance(j);
		else if (bus_take(j->bus, &job, -1))
			job_do(j, &job);
	}
}
