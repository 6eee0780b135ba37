/* train_watch.c - see train_watch.h. Two threads: the caller's, which trains and publishes, and one that talks to viewers. The bus between
 * them is the engine's. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "engine/train_watch.h"
#include "base/clock.h"
#include "engine/card.h"
#include "engine/crowd.h"
#include "engine/place.h"
#include "engine/publish.h"
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KEEP = 64 << 20, NAMES = 9, SELDOM = 5 /* steps between values that are dear */, EXPERTS_EACH = 1024, PAUSE_LOOK = 5 /* a second */ };

static const double GATE_SHARE = 0.01;

struct TrainWatch {
	Train *train;
	Rl *rl;
	TrainSettings told;       /* as published last */
	RlSettings rl_told;
	Bus *bus;
	Publish publish;
	Place place;
	Crowd crowd;              /* the socket thread's once that runs */
	pthread_t thread;
	bool threaded, paused, ending;
	int64_t stop, load_every;
	double last_time;         /* of the recording so far */
	int *group;               /* of each trained tensor: its layer, or n_groups - 1 for the rest */
	float *norm;
	double *sum;
	int n_groups;
	/* A look at the router on held-out text costs a small forward: when somebody watches it, and not more of the time than GATE_SHARE. */
	TrainGate *gate;
	int gate_viewer[CROWD_VIEWERS], n_gate;
	bool gate_tried, gate_now;
	double gate_cost, gate_spare; /* seconds: of the last look; saved up since */
};

/* --- samples --- */

static void put_values(TrainWatch *w, const char *topic, int64_t step, Dtype d, const void *v, uint32_t n)
{
	Sample s = { .topic = topic, .kind = SAMPLE_TENSOR, .dtype = d, .step = (uint64_t)step, .data = v };
	s.rank = n > 1;
	s.shape[0] = n;
	s.bytes = (size_t)n * dtype_bits(d) / 8;
	publish_sample(&w->publish, &s);
}

static void put_number(TrainWatch *w, const char *topic, int64_t step, double v)
{
	float f = (float)v;
	if (isfinite(f))
		put_values(w, topic, step, DT_F32, &f, 1);
}

/* Once more only when it says something new: a run that is resumed often does not repeat itself. */
static void put_new_text(TrainWatch *w, const char *topic, int64_t step, const Buf *b)
{
	const Sample *last = store_last(bus_store(w->bus), topic);
	if (!last || last->bytes != b->len || memcmp(last->data, buf_str(b), b->len) != 0)
		publish_text(&w->publish, topic, (uint64_t)step, b);
}

static void put_settings(TrainWatch *w)
{
	Buf b = BUF_INIT;
	Jout j;
	w->told = *train_settings(w->train);
	jout_init(&j, &b);
	jout_obj(&j);
	settings_write(&w->told, &j);
	if (w->rl) {
		w->rl_told = *rl_settings(w->rl);
		setting_write_all(rl_settings_table(), &w->rl_told, &j);
	}
	jout_end_obj(&j);
	put_new_text(w, "train.settings", train_at(w->train), &b);
	buf_done(&b);
}

static void put_card(TrainWatch *w, const char *out)
{
	const Lm *lm = train_lm(w->train);
	Buf b = BUF_INIT;
	card_write_config(&b, out, &lm->c, (int64_t)sizeof(real) * train_params(w->train)->count);
	put_new_text(w, "model.card", train_at(w->train), &b);
	buf_done(&b);
}

static void put_status(TrainWatch *w, const char *state, const char *finish)
{
	const Err *bad = &w->publish.record_error;
	int64_t at = train_at(w->train);
	Buf b = BUF_INIT;
	Jout j;
	jout_init(&j, &b);
	jout_obj(&j);
	jout_kstr(&j, "state", state);
	jout_kstr(&j, "message", bad->code ? bad->text : "");
	jout_kint(&j, "code", bad->code);
	jout_kstr(&j, "name", w->place.name);
	jout_kint(&j, "pid", (int64_t)getpid());
	jout_kbool(&j, "model", true);
	jout_kint(&j, "pos", at);
	jout_kint(&j, "left", w->stop > at ? w->stop - at : 0);
	jout_key(&j, "finish");
	if (finish)
		jout_str(&j, finish);
	else
		jout_null(&j);
	jout_end_obj(&j);
	publish_text(&w->publish, "engine.status", (uint64_t)at, &b);
	publish_flush(&w->publish);
	buf_done(&b);
}

/* Norm of the last gradient by layer, before clipping: which part learns, and which is about to run away. */
static void put_layer_norm(TrainWatch *w, int64_t step)
{
	const Params *p = train_params(w->train);
	memset(w->sum, 0, sizeof *w->sum * (size_t)w->n_groups);
	for (int i = 0; i < p->n; i++) {
		const real *g = p->g + p->p[i].at;
		double s = 0;
		for (int64_t k = 0; k < p->p[i].n; k++)
			s += (double)g[k] * (double)g[k];
		w->sum[w->group[i]] += s;
	}
	for (int i = 0; i < w->n_groups; i++)
		w->norm[i] = (float)sqrt(w->sum[i]);
	put_values(w, "train.layer_norm", step, DT_F32, w->norm, (uint32_t)w->n_groups);
}

static void put_loads(TrainWatch *w, int64_t step)
{
	int n;
	const LayerLoad *l = train_loads(w->train, &n);
	char topic[64];
	for (int i = 0; i < n; i++) {
		int32_t *v = malloc(sizeof *v * (size_t)l[i].E);
		for (int k = 0; v && k < l[i].E; k++)
			v[k] = (int32_t)l[i].count[k];
		snprintf(topic, sizeof topic, "layers.%d.moe.load", l[i].layer);
		Sample s = { .topic = topic, .kind = SAMPLE_TENSOR, .dtype = DT_I32, .rank = 2, .shape = { 1, (uint32_t)l[i].E },
			.step = (uint64_t)step, .data = v, .bytes = sizeof *v * (size_t)l[i].E };
		if (v)
			publish_sample(&w->publish, &s);
		free(v);
	}
}

static void put_bias(TrainWatch *w, int64_t step)
{
	const Lm *lm = train_lm(w->train);
	char topic[64];
	for (int i = 0; i < lm->n_layers + lm->n_mtp; i++) {
		const Block *b = i < lm->n_layers ? &lm->block[i] : &lm->mtp[i - lm->n_layers].block;
		if (!b->is_moe || !b->moe.bias)
			continue;
		snprintf(topic, sizeof topic, "layers.%d.moe.bias", b->index);
		put_values(w, topic, step, REAL_DTYPE, ten_real(b->moe.bias), (uint32_t)ten_count(b->moe.bias));
	}
}

static void put_gate(void *ud, int layer, int T, int E, const float *weight)
{
	TrainWatch *w = ud;
	char topic[64];
	snprintf(topic, sizeof topic, "train.gate.%d", layer);
	Sample s = { .topic = topic, .kind = SAMPLE_TENSOR, .dtype = DT_F32, .rank = 2, .shape = { (uint32_t)T, (uint32_t)E },
		.step = (uint64_t)train_at(w->train), .data = weight, .bytes = sizeof *weight * (size_t)T * (size_t)E };
	publish_sample(&w->publish, &s);
}

/* Watched, every few steps; else with each held-out loss, so that a recording has it, too. */
static bool gate_due(TrainWatch *w, const StepReport *r)
{
	w->gate_spare += r->seconds * GATE_SHARE;
	bool asked = w->n_gate > 0 ? r->step % SELDOM == 0 : !isnan(r->held_out);
	return r->step == 1 || w->gate_now || (asked && w->gate_spare >= w->gate_cost);
}

static void gate_look(TrainWatch *w)
{
	Err e = { 0 };
	double t0 = clock_now();
	if (!w->gate_tried) {
		Buf b = BUF_INIT;
		w->gate_tried = true;
		w->gate = train_gate_new(w->train, &e);
		if (w->gate)
			train_gate_text(w->train, w->gate, &b);
		if (w->gate)
			put_new_text(w, "train.gate_text", train_at(w->train), &b);
		buf_done(&b);
	}
	if (w->gate && !train_gate_look(w->train, w->gate, put_gate, w, &e)) {
		train_gate_free(w->gate);
		w->gate = NULL;
	}
	w->gate_now = false;
	w->gate_spare = 0;
	w->gate_cost = clock_now() - t0;
}

static void put_report(TrainWatch *w, const StepReport *r)
{
	const struct { const char *topic; double v; } row[] = {
		{ "train.loss", r->loss }, { "train.main_loss", r->main }, { "train.mtp_loss", r->n_mtp ? r->mtp[0] : NAN },
		{ "train.aux_loss", r->aux }, { "train.lr", r->lr }, { "train.grad_norm", r->grad_norm },
		{ "train.tok_per_s", r->tok_per_s }, { "train.maxvio", r->maxvio }, { "train.dead", r->dead },
		{ "train.bias_drift", r->bias_drift }, { "train.held_out", r->held_out },
	};
	const int64_t step[] = { r->step, w->stop, r->tokens };
	put_values(w, "train.step", r->step, DT_I64, step, 3);
	for (size_t i = 0; i < sizeof row / sizeof *row; i++)
		put_number(w, row[i].topic, r->step, row[i].v);
}

void train_watch_settings(TrainWatch *w)
{
	bool same = memcmp(&w->told, train_settings(w->train), sizeof w->told) == 0;
	if (!same || (w->rl && memcmp(&w->rl_told, rl_settings(w->rl), sizeof w->rl_told) != 0))
		put_settings(w);
}

Publish *train_watch_publish(TrainWatch *w)
{
	return &w->publish;
}

void train_watch_step(TrainWatch *w, const StepReport *r, double eta)
{
	train_watch_settings(w);
	put_report(w, r);
	if (r->step % w->load_every == 0 || r->step == 1)
		put_loads(w, r->step);
	if (r->step % SELDOM == 0 || r->step == 1) {
		put_layer_norm(w, r->step);
		put_bias(w, r->step);
		put_number(w, "train.memory", r->step, (double)publish_rss());
		put_number(w, "train.eta", r->step, eta);
	}
	if (gate_due(w, r))
		gate_look(w);
	/* A process that is killed behind its checkpoint has told all steps before it. */
	publish_flush(&w->publish);
}

void train_watch_sample(TrainWatch *w, const Buf *text)
{
	publish_text(&w->publish, "train.sample", (uint64_t)train_at(w->train), text);
	publish_flush(&w->publish);
}

/* --- orders --- */

static bool setting_text(const json_t *v, char *out, size_t n, Err *e)
{
	if (json_is_string(v))
		return snprintf(out, n, "%s", json_string_value(v)) < (int)n || err_set(e, E_2102, "set: the value is too long");
	if (json_is_boolean(v))
		return snprintf(out, n, "%s", json_is_true(v) ? "true" : "false") > 0;
	if (json_is_number(v))
		return snprintf(out, n, "%.17g", json_number_value(v)) > 0;
	return err_set(e, E_3183, "set: needs a \"value\" that is a number, a word, true or false");
}

static int words_count(const char *words)
{
	int n = 1;
	for (; *words; words++)
		n += *words == ' ';
	return n;
}

/* What a key can say without knowing the value there is: "next" word, or "x0.5" of a number. Else text as it is. */
static void setting_relative(const void *s, const Setting *x, char *text, size_t n)
{
	const char *at = (const char *)s + x->offset;
	int64_t i;
	double d;
	memcpy(&i, at, sizeof i);
	memcpy(&d, at, sizeof d);
	if (x->kind == SETTING_WORD && strcmp(text, "next") == 0) {
		const char *w = x->words;
		for (int64_t k = (i + 1) % words_count(x->words); k > 0; k--)
			w += strcspn(w, " ") + 1;
		snprintf(text, n, "%.*s", (int)strcspn(w, " "), w);
	} else if (x->kind == SETTING_NUMBER && text[0] == 'x') {
		char *end;
		double by = strtod(text + 1, &end);
		if (end != text + 1 && !*end)
			snprintf(text, n, "%.6g", d * by);
	}
}

static bool order_set(TrainWatch *w, const json_t *c, Buf *note, Err *e)
{
	const char *key = json_string_value(json_object_get(c, "key"));
	char value[64];
	if (!key || !setting_text(json_object_get(c, "value"), value, sizeof value, e))
		return key ? false : err_set(e, E_3183, "set: needs a \"key\", the name of a setting");
	const Setting *own = w->rl ? setting_named(rl_settings_table(), key) : NULL, *s = own ? own : setting_named(settings_table(), key);
	if (s)
		setting_relative(own ? (const void *)rl_settings(w->rl) : (const void *)train_settings(w->train), s, value, sizeof value);
	if (w->rl ? !rl_settings_change(rl_settings(w->rl), train_settings(w->train), key, value, e)
		: !settings_change(train_settings(w->train), key, value, e))
		return false;
	buf_printf(note, "step %lld: %s = %s\n", (long long)train_at(w->train), key, value);
	put_settings(w);
	return true;
}

static void set_paused(TrainWatch *w, bool paused)
{
	if (w->paused == paused || w->ending)
		return;
	w->paused = paused;
	put_status(w, paused ? "paused" : "train", NULL);
}

static void gate_unwatch(TrainWatch *w, int viewer)
{
	int n = 0;
	for (int i = 0; i < w->n_gate; i++)
		if (w->gate_viewer[i] != viewer)
			w->gate_viewer[n++] = w->gate_viewer[i];
	w->n_gate = n;
}

/* All else that there is to watch is sent unasked. */
static void gate_watch(TrainWatch *w, int viewer, const json_t *c)
{
	const json_t *list = json_object_get(c, "patterns");
	bool on = strcmp(json_string_value(json_object_get(c, "cmd")), "watch") == 0, all = !list && !on, hit = all;
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *s = json_string_value(json_array_get(list, i));
		hit |= s && (strncmp(s, "train.gate.", 11) == 0 || strcmp(s, "train.**") == 0 || strcmp(s, "**") == 0);
	}
	if (!hit)
		return;
	gate_unwatch(w, viewer);
	if (on && w->n_gate < CROWD_VIEWERS) {
		w->gate_now |= w->n_gate == 0;
		w->gate_viewer[w->n_gate++] = viewer;
	}
}

static bool order_run(TrainWatch *w, int viewer, const json_t *c, Buf *note, Err *e)
{
	const char *cmd = json_string_value(json_object_get(c, "cmd"));
	if (cmd && strcmp(cmd, "set") == 0)
		return order_set(w, c, note, e);
	if (cmd && (strcmp(cmd, "pause") == 0 || strcmp(cmd, "resume") == 0)) {
		set_paused(w, cmd[0] == 'p');
		return true;
	}
	if (cmd && (strcmp(cmd, "stop") == 0 || strcmp(cmd, "quit") == 0)) {
		w->ending = true;
		return true;
	}
	if (cmd && strcmp(cmd, "status") == 0) {
		put_status(w, w->paused ? "paused" : "train", NULL);
		return true;
	}
	if (cmd && (strcmp(cmd, "watch") == 0 || strcmp(cmd, "unwatch") == 0)) {
		gate_watch(w, viewer, c);
		return true;
	}
	return err_set(e, E_9002, "this is a training run: it takes pause, resume, set, stop and status");
}

static void order_answer(TrainWatch *w, const Job *job, Buf *note)
{
	Buf reply = BUF_INIT;
	Jout j;
	Err e = { 0 };
	bool ok = order_run(w, job->viewer, job->command, note, &e);
	bus_reply_begin(&j, &reply, job->command, ok);
	if (!ok) {
		jout_kint(&j, "code", e.code);
		jout_kstr(&j, "error", e.text);
	}
	jout_end_obj(&j);
	bus_reply(w->bus, job->viewer, &reply);
	buf_done(&reply);
}

bool train_watch_orders(TrainWatch *w, bool (*is_over)(void), Buf *note)
{
	Job job;
	for (;;) {
		bool more = bus_take(w->bus, &job, w->paused && !w->ending ? 1.0 / PAUSE_LOOK : 0);
		if (more && job.command) {
			order_answer(w, &job, note);
			json_decref(job.command);
		} else if (more) {
			gate_unwatch(w, job.viewer);
		}
		if (!more && (!w->paused || w->ending || is_over()))
			return w->ending;
	}
}

/* --- the socket thread --- */

static void take_command(void *ud, Viewer *v, json_t *c)
{
	TrainWatch *w = ud;
	const char *cmd = json_string_value(json_object_get(c, "cmd"));
	if (cmd && strcmp(cmd, "detach") == 0) {
		viewer_reply_ok(v, c);
		viewer_bye(v, "detached");
	} else if (!bus_post(w->bus, v->id, c)) {
		viewer_reply_error(v, c, E_9002, "64 commands wait already; read their replies first");
	} else {
		return;
	}
	json_decref(c);
}

static void *talk(void *ud)
{
	TrainWatch *w = ud;
	struct pollfd p[CROWD_POLL];
	while (!bus_is_finished(w->bus)) {
		crowd_poll(&w->crowd, true, p);
		if (poll(p, CROWD_POLL, w->crowd.more ? 0 : -1) < 0 && errno != EINTR)
			break;
		crowd_turn(&w->crowd, p);
	}
	return NULL;
}

static bool place_open(TrainWatch *w, const char *socket, Err *e)
{
	char name[PLACE_NAME + 1];
	bool ok = false;
	for (int i = 1; !ok && i <= (socket ? 1 : NAMES); i++) {
		snprintf(name, sizeof name, i > 1 ? "train-%d" : "train", i);
		err_clear(e);
		ok = place_take(socket ? socket : name, &w->place, e);
		if (!ok && e->code != E_9001)
			return false;
	}
	if (ok)
		w->crowd.listen_fd = place_listen(&w->place, e);
	return ok && w->crowd.listen_fd >= 0;
}

/* Signals are for the thread that trains. */
static bool talk_start(TrainWatch *w, const char *socket, Err *e)
{
	sigset_t all, old;
	if (!place_open(w, socket, e))
		return false;
	w->crowd.name = w->place.name[0] ? w->place.name : w->place.socket;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	int failed = pthread_create(&w->thread, NULL, talk, w);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	w->threaded = !failed;
	return !failed || err_set(e, E_5001, "cannot start a thread: %s", strerror(failed));
}

/* --- life --- */

static void take_old(void *ud, const Sample *s)
{
	TrainWatch *w = ud;
	bus_put(w->bus, s);
	w->last_time = s->time;
}

static bool recording_open(TrainWatch *w, const char *out, Err *e)
{
	char path[4400];
	snprintf(path, sizeof path, "%s/train.rec", out);
	if (mkdir(out, 0777) != 0 && errno != EEXIST)
		return err_errno(e, "make", out);
	w->publish.record = record_resume(path, (uint64_t)train_at(w->train), take_old, w, e);
	w->publish.record_path = w->publish.record ? strdup(path) : NULL;
	bus_set_time(w->bus, w->last_time);
	return w->publish.record != NULL;
}

static bool groups_make(TrainWatch *w)
{
	const Lm *lm = train_lm(w->train);
	const Params *p = train_params(w->train);
	int n, E = 0;
	w->n_groups = lm->n_layers + lm->n_mtp + 1;
	w->group = calloc((size_t)p->n + 1, sizeof *w->group);
	w->norm = calloc((size_t)w->n_groups, sizeof *w->norm);
	w->sum = calloc((size_t)w->n_groups, sizeof *w->sum);
	if (!w->group || !w->norm || !w->sum)
		return false;
	for (int i = 0; i < p->n; i++) {
		int layer;
		bool in = p->p[i].t->name && sscanf(p->p[i].t->name, "model.layers.%d.", &layer) == 1 && layer < w->n_groups - 1;
		w->group[i] = in && layer >= 0 ? layer : w->n_groups - 1;
	}
	const LayerLoad *l = train_loads(w->train, &n);
	for (int i = 0; i < n; i++)
		E += l[i].E;
	w->load_every = 1 + E / EXPERTS_EACH;
	return true;
}

static void put_note(Buf *note, const char *what, const Err *e)
{
	buf_printf(note, "%s: %s\n", what, e->text);
}

TrainWatch *train_watch_new(Train *t, const TrainWatchOptions *o, Buf *note)
{
	TrainWatch *w = calloc(1, sizeof *w);
	Err e = { 0 };
	if (!w)
		return NULL;
	w->train = t;
	w->rl = o->rl;
	w->stop = o->stop;
	w->place.lock = w->crowd.listen_fd = -1;
	w->bus = bus_new(KEEP);
	w->publish.bus = w->crowd.bus = w->bus;
	w->crowd.command = take_command;
	w->crowd.ud = w;
	if (!w->bus || !groups_make(w)) {
		train_watch_free(w);
		return NULL;
	}
	if (!recording_open(w, o->out, &e))
		put_note(note, "this run is not recorded", &e);
	put_card(w, o->out);
	put_settings(w);
	err_clear(&e);
	if (!(o->socket && !o->socket[0]) && !talk_start(w, o->socket, &e))
		put_note(note, "this run cannot be attached to", &e);
	put_status(w, "train", NULL);
	return w;
}

void train_watch_free(TrainWatch *w)
{
	if (!w)
		return;
	if (w->bus && w->norm)
		put_status(w, "idle", train_at(w->train) >= w->stop ? "length" : "stopped");
	if (w->threaded) {
		bus_finish(w->bus);
		pthread_join(w->thread, NULL);
	}
	place_release(&w->place);
	if (w->threaded)
		crowd_bye(&w->crowd, "the training run has ended", 0.5);
	publish_record_stop(&w->publish, NULL);
	free(w->publish.record_path);
	if (w->crowd.listen_fd >= 0)
		close(w->crowd.listen_fd);
	bus_free(w->bus);
	train_gate_free(w->gate);
	free(w->group);
	free(w->norm);
	free(w->sum);
	free(w);
}
