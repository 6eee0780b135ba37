/* verify_rl_policy.c - sampled answers of a stored checkpoint: their log-probabilities under the conditions of sampling (temperature, the
 * tokens that were kept, the experts that were chosen), the loss, and its gradient for every weight. */
#include "engine/verify_rl_parts.h"
#include "rl/policy.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { CASE_MAX = 4 << 20, LENGTH_MAX = 4096 };

typedef struct Answers { RlCheck k; Train *t; RlRoutes *routes; RlSample *s, **list; int64_t length; bool keep, routed; double atol_logp, atol_loss, rtol; } Answers;

/* Token ids, keep sets and routes of answer i. */
static bool answer_take(Answers *w, int i, const double *ids, double given, double n)
{
	const Lm *lm = train_lm(w->t);
	int64_t V = lm->c.vocab_size;
	RlDraw d = { .keep_sets = w->keep, .routes = w->routed };
	RlSample *s = &w->s[i];
	if (!(given >= 1 && n >= 1 && given + n <= (double)w->length && n <= w->k.T))
		return err_set(w->k.e, E_3200, "%s: answer %d has %g + %g tokens of %lld", st_path(w->k.st), i, given, n, (long long)w->length);
	int32_t *id = arena_alloc(w->k.a, sizeof *id * (size_t)w->length);
	if (!id || !rl_sample_new(s, w->k.a, id, (int)given, (int)n, V, rl_routes_size(w->routes), &d))
		return err_set(w->k.e, E_5001, "%s: out of memory", st_path(w->k.st));
	s->n = (int)n;
	for (int j = 0; j < s->n_given + s->n; j++) {
		double v = ids[i * w->length + j];
		if (!(v >= 0 && v < (double)V))
			return err_set(w->k.e, E_3200, "%s: input_ids[%d, %d] = %g is no id of this model", st_path(w->k.st), i, j, v);
		s->id[j] = (int32_t)v;
	}
	w->list[i] = s;
	return true;
}

static bool keeps_take(Answers *w)
{
	int64_t V = train_lm(w->t)->c.vocab_size;
	const double *keep = w->keep ? check_numbers(&w->k, "keep", (int64_t)w->k.N * w->k.T * V) : NULL;
	for (int i = 0; keep && i < w->k.N; i++)
		for (int64_t j = 0; j < w->s[i].n * V; j++)
			w->s[i].keep[j] = keep[i * w->k.T * V + j] != 0;
	return !w->keep || keep;
}

static bool routes_take(Answers *w)
{
	const Lm *lm = train_lm(w->t);
	const RlRoutes *r = w->routes;
	for (int l = 0; w->routed && l < lm->n_layers; l++) {
		char name[64];
		if (r->place[l] < 0)
			continue;
		snprintf(name, sizeof name, "routes.layers.%d", l);
		const double *v = check_numbers(&w->k, name, w->k.N * w->length * r->K);
		if (!v)
			return false;
		for (int i = 0; i < w->k.N; i++)
			for (int64_t j = 0; j < (w->s[i].n_given + w->s[i].n) * (int64_t)r->K; j++)
				rl_route_at(r, &w->s[i], r->place[l], 0)[j] = (int32_t)v[i * w->length * r->K + j];
	}
	return true;
}

static bool answers_take(Answers *w)
{
	RlCheck *k = &w->k;
	const StEntry *x = st_find(k->st, "logp"), *ids_at = st_find(k->st, "input_ids");
	if (!x || x->rank != 2 || x->shape[0] < 1 || x->shape[0] > 64 || x->shape[1] < 1 || x->shape[1] > LENGTH_MAX || !ids_at ||
		ids_at->rank != 2 || ids_at->shape[0] != x->shape[0] || ids_at->shape[1] < 2 || ids_at->shape[1] > LENGTH_MAX)
		return err_set(k->e, E_3200, "%s: \"logp\" [N,T] or \"input_ids\" [N,L] is missing or too large", st_path(k->st));
	k->N = (int)x->shape[0];
	k->T = (int)x->shape[1];
	w->length = ids_at->shape[1];
	w->keep = check_has(k, "keep");
	for (size_t i = 0; i < st_count(k->st); i++)
		w->routed |= strncmp(st_at(k->st, i)->name, "routes.", 7) == 0;
	const double *ids = check_numbers(k, "input_ids", k->N * w->length), *given = check_numbers(k, "prompt_len", k->N);
	const double *n = check_numbers(k, "completion_len", k->N);
	w->s = arena_zalloc(k->a, sizeof *w->s * (size_t)k->N);
	w->list = arena_zalloc(k->a, sizeof *w->list * (size_t)k->N);
	bool ok = ids && given && n && w->s && w->list;
	for (int i = 0; ok && i < k->N; i++)
		ok = answer_take(w, i, ids, given[i], n[i]);
	return ok && keeps_take(w) && routes_take(w);
}

/* Stored [N,T] at the answers' tokens. */
static real *tokens_of(Answers *w, const RlPass *p, const char *name)
{
	const double *v = check_numbers(&w->k, name, (int64_t)w->k.N * w->k.T);
	real *r = v ? arena_alloc(w->k.a, sizeof *r * (size_t)(p->n + 1)) : NULL;
	for (int i = 0; r && i < w->k.N; i++)
		for (int j = 0; j < w->s[i].n; j++)
			r[p->first[i] + j] = (real)v[i * w->k.T + j];
	return r;
}

/* Numbers of tokens back in [N,T]; what is stored elsewhere is padding. */
static bool tokens_same(Answers *w, const RlPass *p, const real *own, const char *name, double atol)
{
	double *v = check_numbers(&w->k, name, (int64_t)w->k.N * w->k.T);
	for (int i = 0; v && i < w->k.N; i++)
		for (int j = 0; j < w->s[i].n; j++)
			v[i * w->k.T + j] = (double)own[p->first[i] + j];
	return v && check_same(&w->k, name, v, (int64_t)w->k.N * w->k.T, atol, 0);
}

static bool weights_same(Answers *w)
{
	const Params *p = train_params(w->t);
	bool ok = true;
	for (int i = 0; ok && i < p->n; i++) {
		Buf name = BUF_INIT;
		double *g = arena_alloc(w->k.a, sizeof *g * (size_t)p->p[i].n);
		buf_printf(&name, "grad.%s", p->p[i].t->name);
		for (int64_t j = 0; g && j < p->p[i].n; j++)
			g[j] = (double)p->g[p->p[i].at + j];
		ok = g && check_same(&w->k, buf_str(&name), g, p->p[i].n, 0, w->rtol);
		buf_done(&name);
	}
	return ok;
}

static bool answers_check(Answers *w)
{
	RlCheck *k = &w->k;
	PolicyRule rule;
	PolicyStats stats = { 0 };
	RlPass p;
	RlView v = { check_setting(k, "temperature", 1), true, true };
	Tape *t = train_tape(w->t);
	const double *A = check_rule(k, &rule) ? check_advantages(k) : NULL;
	if (!A || !rl_policy_forward(w->t, w->routes, &v, w->list, k->N, true, &p, k->e))
		return false;
	real *adv = arena_alloc(k->a, sizeof *adv * (size_t)(p.n + 1));
	PolicyTokens x = { .n_out = k->N, .first = p.first, .old = tokens_of(w, &p, "logp_old"), .ref = tokens_of(w, &p, "logp_ref"), .advantage = adv,
		.outputs = k->N, .tokens = (double)p.n };
	for (int i = 0; adv && i < k->N; i++)
		for (int j = p.first[i]; j < p.first[i + 1]; j++)
			adv[j] = (real)A[i];
	memset(train_params(w->t)->g, 0, sizeof(real) * (size_t)train_params(w->t)->count);
	tape_thrift(t, false); /* the gradient of the log-probabilities is looked at */
	Ten *loss = adv && x.old && x.ref ? policy_loss(t, p.logp, &rule, &x, &stats) : NULL;
	if (!loss || !tape_backward(t, loss, NULL))
		return k->e->code ? false : !tape_ok(t, k->e) && false;
	return tokens_same(w, &p, ten_real(p.logp), "logp", w->atol_logp) && tokens_same(w, &p, ten_real(p.logp->grad), "grad_logp", w->atol_loss) &&
		check_loss_stats(k, &rule, (double)*ten_real(loss), &stats, w->atol_loss) && weights_same(w);
}

static double tolerance(const json_t *c, const char *a, const char *b, double fallback)
{
	const json_t *v = json_object_get(json_object_get(c, "tolerance"), a);
	v = b ? json_object_get(v, b) : v;
	return json_is_number(v) ? json_number_value(v) : fallback;
}

static bool file_check(const json_t *c, Train *t, RlRoutes *routes, const char *dir, const char *file, Cases *out, Err *e)
{
	Buf path = BUF_INIT;
	Answers w = { .t = t, .routes = routes, .atol_logp = tolerance(c, "logp_atol", NULL, 2e-5), .atol_loss = tolerance(c, "loss_atol", NULL, 1e-5),
		.rtol = tolerance(c, "grad", "rtol", 1e-4) };
	buf_printf(&path, "%s/%s", dir, file);
	w.k = (RlCheck){ .file = file, .settings = json_object_get(c, "settings"), .out = out, .e = e };
	w.k.st = strchr(file, '/') ? (err_set(e, E_3200, "%s/case.json: a file name with a slash", dir), NULL) : st_open(buf_str(&path), e);
	w.k.a = w.k.st ? arena_new("rl check", 0) : NULL;
	bool ok = w.k.a && answers_take(&w) && answers_check(&w);
	if (!ok && !e->code)
		err_set(e, E_5001, "%s: out of memory", dir);
	if (w.k.a)
		arena_free(w.k.a);
	st_close(w.k.st);
	buf_done(&path);
	return ok;
}

static bool files_check(json_t *c, const char *dir, int threads, Cases *out, Err *e)
{
	TrainSettings s;
	RlRoutes routes = { 0 };
	const char *file, *source = json_string_value(json_object_get(c, "source"));
	json_t *x, *files = json_object_get(c, "files");
	settings_default(&s);
	s.balance = BALANCE_NONE;
	snprintf(out->source, sizeof out->source, "%s", source ? source : "");
	Train *t = train_new(&(TrainStart){ .from = dir, .threads = threads }, &s, NULL, NULL, e);
	bool ok = t && rl_routes_open(&routes, train_tape(t), train_lm(t), e);
	json_object_foreach(files, file, x)
		ok = ok && file_check(c, t, &routes, dir, file, out, e);
	if (ok && out->n == 0)
		ok = err_set(e, E_3200, "%s: nothing to compare is there", dir);
	if (t)
		rl_routes_close(&routes, train_tape(t));
	train_free(t);
	return ok;
}

bool verify_rl_policy(const char *dir, int threads, Cases *out, Err *e)
{
	char path[4400];
	snprintf(path, sizeof path, "%s/case.json", dir);
	json_t *c = json_parse_file(path, CASE_MAX, E_3200, e);
	bool ok = c && files_check(c, dir, threads, out, e);
	json_decref(c);
	return ok;
}
