/* run.c - one text: given tokens fed in chunks, tokens made one by one, each told as it comes. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "base/clock.h"
#include "engine/jobs.h"
#include "engine/trace.h"
#include <stdlib.h>
#include <string.h>

/* Given tokens between two looks at the commands, and seconds between two gen.stats. */
enum { FEED_CHUNK = 512 };
static const double stats_every = 0.1;

static void run_tell_stats(Jobs *j)
{
	TextRun *r = &j->run;
	StatsNote n = {
		.accepted_at = r->accepted_at, .n_accepted = r->n_accepted, .seconds = clock_now() - r->begun
	};
	int64_t have = r->n_rates < RUN_RATES ? r->n_rates : RUN_RATES;
	if (have > 1) {
		double newest = r->rate_time[(r->n_rates - 1) % RUN_RATES],
		       oldest = r->rate_time[(r->n_rates - have) % RUN_RATES];
		if (newest > oldest)
			n.decode_rate = (double)(have - 1) / (newest - oldest);
	}
	lathe_session_stats(r->session, &n.s);
	publish_stats(&j->publish, (uint64_t)r->pos, &n);
	publish_flush(&j->publish);
	r->told = clock_now();
}

void run_end(Jobs *j)
{
	TextRun *r = &j->run;
	lathe_session_free(r->session);
	free(r->pending);
	*r = (TextRun){ .number = r->number, .step = -1 };
}

/* gen.run: viewers forget the text before. */
static void run_tell_begin(Jobs *j, size_t n, const RunOptions *o)
{
	static const char *const attention[] = { "auto", "naive", "absorbed" }, *const mtp[] = { "auto", "on",
		"off" };
	Buf b = BUF_INIT;
	Jout out;
	jout_init(&out, &b);
	jout_obj(&out);
	jout_kint(&out, "run", j->run.number);
	jout_kint(&out, "prompt_tokens", (int64_t)n);
	jout_kint(&out, "n", o->n);
	jout_knum(&out, "temperature", o->s.temperature);
	jout_knum(&out, "top_p", o->s.top_p);
	jout_kint(&out, "top_k", o->s.top_k);
	jout_knum(&out, "min_p", o->s.min_p);
	jout_kint(&out, "seed", (int64_t)o->s.seed);
	jout_kstr(&out, "attention", attention[o->s.attention]);
	jout_kstr(&out, "mtp", mtp[o->s.mtp]);
	jout_kstr(&out, "cache_dtype", o->s.cache_dtype ? o->s.cache_dtype : "f32");
	jout_end_obj(&out);
	publish_text(&j->publish, STORE_RUN, 0, &b);
	buf_done(&b);
}

bool run_begin(Jobs *j, const int32_t *ids, size_t n, const RunOptions *o, Err *e)
{
	LatheError le = { 0 };
	RunOptions options = *o;
	TextRun *r = &j->run;
	run_end(j);
	/* Literals: the session may keep the pointer. */
	options.s.cache_dtype = strcmp(o->cache_dtype, "bf16") == 0  ? "bf16"
				: strcmp(o->cache_dtype, "fp8") == 0 ? "fp8"
				: strcmp(o->cache_dtype, "f32") == 0 ? "f32"
								     : NULL;
	r->session = lathe_session_new(j->model, &options.s, &le);
	if (!r->session)
		return jobs_error(e, &le);
	r->number++;
	r->left = o->n;
	r->begun = clock_now();
	run_tell_begin(j, n, &options);
	return run_feed(j, ids, n, e);
}

bool run_feed(Jobs *j, const int32_t *ids, size_t n, Err *e)
{
	TextRun *r = &j->run;
	size_t rest = r->n_pending - r->fed, all, bytes;
	if (__builtin_add_overflow(rest, n, &all) || __builtin_mul_overflow(all, sizeof *ids, &bytes))
		return err_set(e, E_5001, "feed: %zu tokens are too many", n);
	int32_t *more = malloc(bytes ? bytes : 1);
	if (!more)
		return err_set(e, E_5001, "feed: out of memory for %zu tokens", all);
	if (rest > 0)
		memcpy(more, r->pending + r->fed, rest * sizeof *more);
	if (n > 0)
		memcpy(more + rest, ids, n * sizeof *more);
	free(r->pending);
	r->pending = more;
	r->n_pending = all;
	r->fed = 0;
	r->finish = NULL;
	jobs_state(j, r->paused ? ENGINE_PAUSED : ENGINE_PREFILL);
	return true;
}

bool run_wants(const TextRun *r)
{
	return r->session && !r->paused && (r->fed < r->n_pending || (r->left > 0 && !r->finish));
}

static void run_finish(Jobs *j, const char *why)
{
	j->run.finish = why;
	j->run.left = 0;
	j->run.step = -1;
	run_tell_stats(j);
	look_idle(j);
	jobs_state(j, ENGINE_IDLE);
}

void run_stop(Jobs *j)
{
	TextRun *r = &j->run;
	if (!r->session)
		return;
	r->n_pending = r->fed;
	r->paused = false;
	run_finish(j, "stopped");
}

static void run_fail(Jobs *j, const LatheError *le)
{
	run_finish(j, "error");
	j->run.n_pending = j->run.fed;
	j->error = (Err){ 0 };
	jobs_error(&j->error, le);
	jobs_state(j, ENGINE_ERROR);
}

static void run_tell_given(Jobs *j, int32_t id)
{
	TextRun *r = &j->run;
	Buf text = BUF_INIT;
	LatheToken t = { 0 };
	bool known = r->pos > 0 && lathe_session_prompt_token(r->session, r->pos, &t);
	t.id = id;
	t.position = r->pos;
	piece_push(&r->piece, j->model, id, &text);
	publish_token(&j->publish, j->model, &(TokenNote){ &t, true, known, buf_str(&text) });
	buf_done(&text);
	r->pos++;
}

static void run_fed(Jobs *j)
{
	if (j->run.left == 0)
		look_idle(j);
	jobs_state(j, j->run.left > 0 ? ENGINE_DECODE : ENGINE_IDLE);
}

static void run_feed_chunk(Jobs *j)
{
	TextRun *r = &j->run;
	LatheError le = { 0 };
	size_t n = r->n_pending - r->fed;
	if (n > FEED_CHUNK)
		n = FEED_CHUNK;
	jobs_state(j, ENGINE_PREFILL);
	if (!lathe_session_feed(r->session, r->pending + r->fed, n, &le)) {
		run_fail(j, &le);
		return;
	}
	for (size_t i = 0; i < n; i++)
		run_tell_given(j, r->pending[r->fed + i]);
	r->fed += n;
	run_tell_stats(j);
	if (r->fed == r->n_pending)
		run_fed(j);
	else
		jobs_tell(j);
}

/* How far down its chain of drafts each accepted token was. */
static void run_count_draft(TextRun *r, const LatheToken *t)
{
	if (t->draft != LATHE_DRAFT_ACCEPTED) {
		r->accepted_run = 0;
		return;
	}
	if (r->accepted_run < RUN_ACCEPTED) {
		r->accepted_at[r->accepted_run++]++;
		if (r->accepted_run > r->n_accepted)
			r->n_accepted = r->accepted_run;
	}
}

static void run_take(Jobs *j, const LatheToken *t)
{
	TextRun *r = &j->run;
	Buf text = BUF_INIT;
	piece_push(&r->piece, j->model, t->id, &text);
	publish_token(&j->publish, j->model, &(TokenNote){ t, false, true, buf_str(&text) });
	buf_done(&text);
	run_count_draft(r, t);
	tree_token(j, t);
	r->pos = t->position + 1;
	r->rate_time[r->n_rates++ % RUN_RATES] = clock_now();
	if (clock_now() - r->told >= stats_every)
		run_tell_stats(j);
}

static void run_token(Jobs *j)
{
	TextRun *r = &j->run;
	LatheError le = { 0 };
	LatheToken t = { .drafted_id = -1 };
	jobs_state(j, ENGINE_DECODE);
	int more = lathe_session_next(r->session, &t, &le);
	if (more < 0) {
		run_fail(j, &le);
	} else if (more == 0) {
		run_finish(j, lathe_session_at_eos(r->session) ? "eos" : "context");
	} else {
		run_take(j, &t);
		if (--r->left == 0) {
			run_finish(j, "length");
		} else if (r->step > 0 && --r->step == 0) {
			r->step = -1;
			r->paused = true;
			run_tell_stats(j);
			look_idle(j);
			jobs_state(j, ENGINE_PAUSED);
		}
	}
}

void run_advance(Jobs *j)
{
	if (j->run.fed < j->run.n_pending)
		run_feed_chunk(j);
	else
		run_token(j);
}
