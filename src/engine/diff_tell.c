/* diff_tell.c - the text of an engine against another precision, form of attention, checkpoint or prompt: compare.c's report as samples.
 * Without being asked otherwise native is compared with bf16: what the usual shortcut costs this model on this text. */
#include "engine/compare.h"
#include "engine/engine.h"
#include "engine/trace.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIFF_TOKENS = 256, DIFF_WORST = 16 };

void diff_ask_done(DiffAsk *a)
{
	free(a->precision);
	free(a->form);
	free(a->path);
	free(a->text);
	*a = (DiffAsk){ 0 };
}

static size_t diff_text(const Jobs *j, const int32_t **ids)
{
	size_t n = j->run.session ? lathe_session_text(j->run.session, ids) : 0;
	return n > DIFF_TOKENS ? DIFF_TOKENS : n;
}

/* Tokens of the text, of which only the first are compared. */
static int64_t diff_whole(const Jobs *j)
{
	const int32_t *ids;
	return j->run.session ? (int64_t)lathe_session_text(j->run.session, &ids) : 0;
}

double diff_work(const Jobs *j)
{
	const int32_t *ids;
	return 2 * (double)diff_text(j, &ids) * (double)config_params(&j->model->lm->c).active;
}

/* --- the two sides --- */

typedef struct Sides { CompareSide a, b; char name_a[300], name_b[300]; LatheModel *other; int32_t *ids; } Sides;

static void sides_done(Sides *s)
{
	lathe_close(s->other);
	free(s->ids);
}

static const char *base_name(const char *path)
{
	size_t n = strlen(path);
	while (n > 1 && path[n - 1] == '/')
		n--;
	while (n > 0 && path[n - 1] != '/')
		n--;
	return path + n;
}

/* "@reason" is looked for beside the model that is open: the box has them side by side. */
static bool other_open(Jobs *j, const char *path, Sides *s, Err *e)
{
	char beside[4400];
	LatheError le = { 0 };
	const LatheOpenOptions o = { j->load.threads, j->load.layers, j->load.memory_limit, j->load.precision };
	if (path[0] == '@' && j->path) {
		size_t n = (size_t)(base_name(j->path) - j->path);
		snprintf(beside, sizeof beside, "%.*s%s", (int)(n < 4000 ? n : 4000), j->path, path + 1);
		path = beside;
	}
	s->other = lathe_open(path, &o, &le);
	if (!s->other)
		return jobs_error(e, &le);
	if (lathe_vocab(s->other) != lathe_vocab(j->model))
		return err_set(e, E_2003, "compare: %s has a vocabulary of %lld, this model of %lld: the same ids mean other things", path,
			(long long)lathe_vocab(s->other), (long long)lathe_vocab(j->model));
	s->b.m = s->other;
	snprintf(s->name_b, sizeof s->name_b, "%.280s", base_name(path));
	return true;
}

static bool other_text(Jobs *j, const char *text, Sides *s, Err *e)
{
	LatheError le = { 0 };
	size_t n = 0;
	if (!lathe_encode(j->model, text, strlen(text), true, &s->ids, &n, &le))
		return jobs_error(e, &le);
	if (n == 0)
		return err_set(e, E_2003, "compare: the other text has no tokens");
	s->b.ids = s->ids;
	s->b.n = n > DIFF_TOKENS ? DIFF_TOKENS : n;
	snprintf(s->name_a, sizeof s->name_a, "this text");
	snprintf(s->name_b, sizeof s->name_b, "\"%.280s\"", text);
	return true;
}

static void precision_says(const char *p, char *out, size_t n)
{
	if (strcmp(p, "native") == 0)
		snprintf(out, n, "native precision");
	else
		snprintf(out, n, "%.200s products", p);
}

static bool sides_make(Jobs *j, Sides *s, Err *e)
{
	const DiffAsk *k = j->diff;
	const char *own = j->load.precision ? j->load.precision : "native";
	s->a = s->b = (CompareSide){ .m = j->model, .form = LATHE_ATTENTION_AUTO };
	s->a.n = s->b.n = diff_text(j, &s->a.ids);
	s->b.ids = s->a.ids;
	snprintf(s->name_a, sizeof s->name_a, "%.280s", j->path ? base_name(j->path) : "this model");
	if (k && k->path)
		return other_open(j, k->path, s, e);
	if (k && k->text)
		return other_text(j, k->text, s, e);
	if (k && k->form) {
		s->a.form = LATHE_ATTENTION_NAIVE;
		s->b.form = LATHE_ATTENTION_ABSORBED;
		snprintf(s->name_a, sizeof s->name_a, "naive attention");
		snprintf(s->name_b, sizeof s->name_b, "absorbed attention");
		return true;
	}
	s->a.precision = own;
	s->b.precision = k && k->precision ? k->precision : strcmp(own, "bf16") == 0 ? "native" : "bf16";
	precision_says(s->a.precision, s->name_a, sizeof s->name_a);
	precision_says(s->b.precision, s->name_b, sizeof s->name_b);
	return true;
}

/* --- samples --- */

/* The positions at which the next token's distribution moved most. */
static void put_worst(Jout *o, const Jobs *j, const CompareReport *r)
{
	char *done = calloc((size_t)r->tokens + 1, 1);
	jout_key(o, "worst");
	jout_arr(o);
	for (int k = 0; done && k < DIFF_WORST; k++) {
		int64_t at = -1;
		for (int64_t i = 0; i < r->tokens; i++)
			if (!done[i] && r->kl_at[i] > 0 && (at < 0 || r->kl_at[i] > r->kl_at[at]))
				at = i;
		if (at < 0)
			break;
		done[at] = 1;
		jout_obj(o);
		jout_kint(o, "pos", at + 1);
		jout_key(o, "kl");
		jout_f32(o, r->kl_at[at]);
		trace_put_token(o, j->model, "a", r->best[2 * at]);
		trace_put_token(o, j->model, "b", r->best[2 * at + 1]);
		jout_end_obj(o);
	}
	jout_end_arr(o);
	free(done);
}

static void put_names(Jout *o, const CompareReport *r)
{
	jout_key(o, "values");
	jout_arr(o);
	for (int i = 0; i < r->n; i++)
		jout_str(o, r->layer[i].name);
	jout_end_arr(o);
	jout_key(o, "routers");
	jout_arr(o);
	for (int i = 0; i < r->n_routes; i++)
		jout_str(o, r->route[i].name);
	jout_end_arr(o);
}

static void tell_about(Jobs *j, const Sides *s, const CompareReport *r)
{
	Buf b = BUF_INIT;
	Jout o;
	jout_init(&o, &b);
	jout_obj(&o);
	jout_kstr(&o, "a", s->name_a);
	jout_kstr(&o, "b", s->name_b);
	jout_kint(&o, "tokens", r->tokens);
	jout_kint(&o, "of", diff_whole(j));
	jout_key(&o, "first");
	if (r->first)
		jout_str(&o, r->first);
	else
		jout_null(&o);
	jout_kint(&o, "first_at", r->first_at);
	jout_knum(&o, "kl", r->kl);
	jout_knum(&o, "top1_agree", r->top1_agree);
	jout_kint(&o, "routes", r->routes);
	jout_kint(&o, "routes_flipped", r->routes_flipped);
	put_names(&o, r);
	put_worst(&o, j, r);
	jout_end_obj(&o);
	publish_text(&j->publish, "diff.about", 0, &b);
	buf_done(&b);
}

static void tell_table(Jobs *j, const char *topic, const float *v, uint32_t rows, uint32_t cols)
{
	Sample s = { .topic = topic, .kind = SAMPLE_TENSOR, .dtype = DT_F32, .rank = 2, .shape = { rows, cols }, .data = v,
		.bytes = sizeof *v * rows * cols };
	if (rows > 0 && cols > 0)
		publish_sample(&j->publish, &s);
}

/* Position by position kl and whether the best token is the same; row i is about the token at i + 1. */
static void tell_tokens(Jobs *j, const CompareReport *r)
{
	float *v = malloc(sizeof *v * 2 * (size_t)(r->tokens + 1));
	for (int64_t i = 0; v && i < r->tokens; i++) {
		v[2 * i] = r->kl_at[i];
		v[2 * i + 1] = (float)(r->best[2 * i] == r->best[2 * i + 1]);
	}
	Sample s = { .topic = "diff.tokens", .kind = SAMPLE_TENSOR, .dtype = DT_F32, .rank = 2, .step = 1, .shape = { (uint32_t)r->tokens, 2 },
		.data = v, .bytes = sizeof *v * 2 * (size_t)r->tokens };
	if (v && r->tokens > 0)
		publish_sample(&j->publish, &s);
	free(v);
}

static void tell_layers(Jobs *j, const CompareReport *r)
{
	float *v = malloc(sizeof *v * 2 * (size_t)(r->n + r->n_routes + 1));
	for (int i = 0; v && i < r->n; i++) {
		v[2 * i] = (float)r->layer[i].rel_l2;
		v[2 * i + 1] = (float)r->layer[i].max_abs;
	}
	if (v)
		tell_table(j, "diff.layers", v, (uint32_t)r->n, 2);
	for (int i = 0; v && i < r->n_routes; i++) {
		v[2 * i] = (float)r->route[i].flipped;
		v[2 * i + 1] = (float)r->route[i].routes;
	}
	if (v)
		tell_table(j, "diff.routes", v, (uint32_t)r->n_routes, 2);
	free(v);
}

bool diff_run(Jobs *j, Err *e)
{
	Sides s = { 0 };
	CompareReport r = { 0 };
	const int32_t *ids;
	if (diff_text(j, &ids) == 0)
		return true;
	bool ok = sides_make(j, &s, e);
	hooks_model(j->hooks, NULL); /* the viewers' probes see the text, not this comparison */
	ok = ok && compare_sides(&s.a, &s.b, &r, e);
	hooks_model(j->hooks, j->model);
	if (ok) {
		tell_layers(j, &r);
		tell_table(j, "diff.by_token", r.rel, (uint32_t)r.tokens, (uint32_t)r.n);
		tell_table(j, "diff.flips", r.flip, (uint32_t)r.tokens, (uint32_t)r.n_routes);
		tell_tokens(j, &r);
		tell_about(j, &s, &r); /* last: who has it has all */
		publish_flush(&j->publish);
	}
	compare_done(&r);
	sides_done(&s);
	return ok;
}
