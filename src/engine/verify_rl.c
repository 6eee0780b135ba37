/* verify_rl.c - see verify_rl.h. Conventions of the files: lathe-verify(1), and the README beside them. */
#include "engine/verify_rl_parts.h"
#include "base/json.h"
#include "rl/advantage.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { SIZE_MAX_NUMBERS = 1 << 24, ANSWERS_MAX = 4096 };

/* --- stored values --- */

double check_setting(const RlCheck *k, const char *name, double fallback)
{
	const json_t *v = json_object_get(k->settings, name);
	return json_is_number(v) ? json_number_value(v) : fallback;
}

const char *check_word(const RlCheck *k, const char *name)
{
	const char *s = json_string_value(json_object_get(k->settings, name));
	return s ? s : "";
}

bool check_has(const RlCheck *k, const char *name)
{
	return st_find(k->st, name) != NULL;
}

static double number_at(const char *p, Dtype d, int64_t i)
{
	float f;
	int64_t v;
	if (d == DT_F32) {
		memcpy(&f, p + i * 4, sizeof f);
		return (double)f;
	}
	if (d == DT_U8)
		return (double)(uint8_t)p[i];
	memcpy(&v, p + i * 8, sizeof v);
	return (double)v;
}

double *check_numbers(const RlCheck *k, const char *name, int64_t n)
{
	const StEntry *t = st_find(k->st, name);
	int64_t have = 1;
	for (int i = 0; t && i < t->rank; i++)
		have = t->shape[i] <= SIZE_MAX_NUMBERS && have <= SIZE_MAX_NUMBERS ? have * t->shape[i] : SIZE_MAX_NUMBERS + 1;
	if (!t || (n >= 0 && have != n) || have > SIZE_MAX_NUMBERS || (t->dtype != DT_F32 && t->dtype != DT_I64 && t->dtype != DT_U8)) {
		err_set(k->e, E_3200, "%s: \"%s\" is missing, or not %lld numbers of F32, I64 or U8", st_path(k->st), name, (long long)n);
		return NULL;
	}
	const char *p = st_data(k->st, t, k->e);
	double *v = p ? arena_alloc(k->a, (size_t)(have + 1) * sizeof *v) : NULL;
	if (p && !v)
		err_set(k->e, E_5001, "%s: out of memory", st_path(k->st));
	for (int64_t i = 0; v && i < have; i++)
		v[i] = number_at(p, t->dtype, i);
	return v;
}

static Case *case_new(RlCheck *k, const char *name)
{
	char full[160];
	snprintf(full, sizeof full, "%s: %s", k->file, name);
	return cases_add(k->out, full, k->e);
}

bool check_same(RlCheck *k, const char *name, const double *own, int64_t n, double atol, double rtol)
{
	const double *want = check_numbers(k, name, n);
	Case *c = want ? case_new(k, name) : NULL;
	double most = 0, scale = 0;
	int64_t where = 0;
	if (!c)
		return false;
	for (int64_t i = 0; i < n; i++) {
		double d = fabs(own[i] - want[i]);
		scale = fmax(scale, fabs(want[i]));
		if (!(d <= most)) { /* a NaN counts as the greatest */
			most = d;
			where = i;
		}
	}
	c->max_abs = most;
	c->max_rel = scale > 0 ? most / scale : most;
	c->ok = most <= atol + rtol * scale;
	snprintf(c->at, sizeof c->at, "[%lld] %.7g, stored %.7g", (long long)where, n ? own[where] : 0, n ? want[where] : 0);
	k->out->ok &= c->ok;
	return true;
}

bool check_gradient_like(RlCheck *k, const char *name, const double *own, int64_t n)
{
	const double *want = check_numbers(k, name, n);
	double scale = 1;
	for (int64_t i = 0; want && i < n; i++)
		scale = fmax(scale, fabs(want[i]));
	return want && check_same(k, name, own, n, 1e-6 * scale, 0);
}

static bool check_value(RlCheck *k, const char *name, double own, double atol)
{
	return !check_has(k, name) || check_same(k, name, &own, 1, atol, 0);
}

/* --- what the files have in common --- */

static bool word_is(const RlCheck *k, const char *name, const char *word)
{
	return strcmp(check_word(k, name), word) == 0;
}

bool check_rule(const RlCheck *k, PolicyRule *r)
{
	const char *mean = check_word(k, "aggregate");
	bool sum = strcmp(mean, "output sum, mean over N") == 0;
	*r = (PolicyRule){ .low = check_setting(k, "eps_low", 0), .high = check_setting(k, "eps_high", 0), .dual = check_setting(k, "dual", 0),
		.beta = sum ? 0 : check_setting(k, "beta", 0), .delta = check_setting(k, "delta", 0), .length = check_setting(k, "L_max", 0) };
	r->ratio = sum ? RATIO_SUM : word_is(k, "ratio", "sequence mean") ? RATIO_MEAN : check_word(k, "baseline")[0] ? RATIO_NONE : RATIO_TOKEN;
	r->mean = strcmp(mean, "token") == 0 ? MEAN_TOKEN : strcmp(mean, "constant") == 0 ? MEAN_CONSTANT : MEAN_SEQUENCE;
	r->kl = word_is(k, "kl", "r*k3") ? KL_RK3 : KL_K3;
	if (sum || r->mean != MEAN_SEQUENCE || strcmp(mean, "sequence") == 0)
		return true;
	return err_set(k->e, E_3200, "%s: the aggregate \"%.40s\" is not known", st_path(k->st), mean);
}

static RlStd std_of(const RlCheck *k)
{
	bool others = word_is(k, "baseline", "leave-one-out") || word_is(k, "aggregate", "output sum, mean over N");
	return others ? RL_STD_LEAVE_ONE_OUT : word_is(k, "std", "population") ? RL_STD_POPULATION : word_is(k, "std", "sample") ? RL_STD_SAMPLE
		: RL_STD_NONE;
}

static int64_t *groups_of(const RlCheck *k)
{
	const double *g = check_numbers(k, "group", k->N);
	int64_t *group = g ? arena_alloc(k->a, sizeof *group * (size_t)k->N) : NULL;
	for (int i = 0; group && i < k->N; i++)
		group[i] = (int64_t)g[i];
	return group;
}

/* RLOO's reward: less the distance to the reference, of the whole answer. */
static bool rewards_with_kl(RlCheck *k, double *reward)
{
	int64_t n = (int64_t)k->N * k->T;
	const double *mask = check_numbers(k, "mask", n), *old = check_numbers(k, "logp_old", n), *ref = check_numbers(k, "logp_ref", n);
	for (int64_t i = 0; mask && old && ref && i < n; i++)
		reward[i / k->T] -= mask[i] > 0 ? check_setting(k, "beta", 0) * (old[i] - ref[i]) : 0;
	return mask && old && ref && check_same(k, "rewards_with_kl", reward, k->N, 2e-6, 0);
}

double *check_advantages(RlCheck *k)
{
	double *reward = check_numbers(k, "rewards", k->N), *own = arena_alloc(k->a, sizeof *own * (size_t)k->N);
	int64_t *group = reward ? groups_of(k) : NULL;
	bool ok = group && own && (!check_has(k, "rewards_with_kl") || rewards_with_kl(k, reward));
	if (ok)
		rl_group_advantages(reward, group, k->N, std_of(k), own, NULL);
	return ok && check_gradient_like(k, "advantages", own, k->N) ? own : NULL;
}

bool check_tokens(RlCheck *k, RlTokens *x)
{
	int64_t n = (int64_t)k->N * k->T;
	const double *mask = check_numbers(k, "mask", n);
	*x = (RlTokens){ .first = arena_alloc(k->a, sizeof *x->first * (size_t)(k->N + 1)), .at = arena_alloc(k->a, sizeof *x->at * (size_t)(n + 1)) };
	for (int64_t i = 0; mask && x->first && x->at && i < n; i++) {
		if (i % k->T == 0)
			x->first[i / k->T] = (int32_t)x->n;
		if (mask[i] > 0)
			x->at[x->n++] = (int32_t)i;
	}
	if (mask && x->first)
		x->first[k->N] = (int32_t)x->n;
	return mask && x->first && x->at;
}

/* The stored [N,T] at the counted tokens, as real. NULL: not there. */
static real *gather(RlCheck *k, const RlTokens *x, const double *v)
{
	real *r = v ? arena_alloc(k->a, sizeof *r * (size_t)(x->n + 1)) : NULL;
	for (int64_t i = 0; r && i < x->n; i++)
		r[i] = (real)v[x->at[i]];
	return r;
}

static real *gather_named(RlCheck *k, const RlTokens *x, const char *name)
{
	return check_has(k, name) ? gather(k, x, check_numbers(k, name, (int64_t)k->N * k->T)) : NULL;
}

/* The gradient that has arrived at v, back in its places; 0 elsewhere. */
static bool check_scattered(RlCheck *k, const RlTokens *x, const Ten *v, const char *name)
{
	int64_t n = (int64_t)k->N * k->T;
	double *all = arena_zalloc(k->a, sizeof *all * (size_t)n);
	if (!all)
		return err_set(k->e, E_5001, "%s: out of memory", st_path(k->st));
	for (int64_t i = 0; v->grad && i < x->n; i++)
		all[x->at[i]] = (double)ten_real(v->grad)[i];
	return check_gradient_like(k, name, all, n);
}

bool check_loss_stats(RlCheck *k, const PolicyRule *r, double loss, const PolicyStats *s, double atol)
{
	bool whole = r->ratio == RATIO_MEAN || r->ratio == RATIO_SUM, low_high = check_has(k, "clip_fraction_low") && !whole;
	double cut = whole ? s->outputs_cut / s->outputs : (s->cut_low + s->cut_high) / s->tokens;
	return check_same(k, "loss", &loss, 1, atol, 0) && check_value(k, "clip_fraction", cut, 1e-7) &&
		(!low_high || (check_value(k, "clip_fraction_low", s->cut_low / s->tokens, 1e-7) &&
			check_value(k, "clip_fraction_high", s->cut_high / s->tokens, 1e-7))) && check_value(k, "kl", s->kl_sum / s->tokens, atol);
}

/* --- one loss --- */

/* advantage: [N], or [N,T] when of tokens. */
static bool check_loss(RlCheck *k, Tape *t, const double *advantage, bool of_tokens)
{
	PolicyRule r;
	PolicyStats stats = { 0 };
	RlTokens x;
	if (!check_rule(k, &r) || !check_tokens(k, &x))
		return false;
	real *logp = gather_named(k, &x, "logp"), *A = arena_alloc(k->a, sizeof *A * (size_t)(x.n + 1));
	uint8_t *kept = arena_alloc(k->a, (size_t)k->N + 1);
	if (!logp || !A || !kept)
		return k->e->code ? false : err_set(k->e, E_3200, "%s: \"logp\" is missing", st_path(k->st));
	for (int64_t i = 0; i < x.n; i++)
		A[i] = (real)advantage[of_tokens ? x.at[i] : x.at[i] / k->T];
	PolicyTokens p = { .n_out = k->N, .first = x.first, .old = gather_named(k, &x, "logp_old"), .advantage = A, .outputs = k->N,
		.tokens = (double)x.n, .kept = kept };
	p.ref = r.beta > 0 ? gather_named(k, &x, "logp_ref") : NULL;
	tape_reset(t);
	tape_record(t, true);
	Ten *leaf = tape_leaf(t, ten_wrap(REAL_DTYPE, logp, 2, (int64_t[]){ x.n, 1 }, "logp"), true);
	Ten *loss = policy_loss(t, leaf, &r, &p, &stats);
	if (!loss || !tape_backward(t, loss, NULL))
		return !tape_ok(t, k->e) && false;
	bool ok = check_loss_stats(k, &r, (double)*ten_real(loss), &stats, 2e-6) && check_scattered(k, &x, leaf, "grad_logp");
	double *keep = arena_alloc(k->a, sizeof *keep * (size_t)(k->N + 1));
	for (int i = 0; keep && i < k->N; i++)
		keep[i] = kept[i];
	return ok && keep && (!check_has(k, "seq_keep") || check_same(k, "seq_keep", keep, k->N, 0, 0));
}

static bool check_process(RlCheck *k, Tape *t)
{
	int64_t n = (int64_t)k->N * k->T;
	const double *score = check_numbers(k, "step_rewards", n), *end = check_numbers(k, "step_end", n);
	int64_t *group = groups_of(k);
	double *own = arena_alloc(k->a, sizeof *own * (size_t)n);
	if (!score || !end || !group || !own)
		return false;
	rl_step_advantages(score, end, group, k->N, k->T, own);
	const double *mask = check_numbers(k, "mask", n), *stored = check_numbers(k, "advantages", n);
	for (int64_t i = 0; mask && stored && i < n; i++)
		own[i] = mask[i] > 0 ? own[i] : stored[i]; /* where nothing counts, anything may stand */
	return mask && stored && check_gradient_like(k, "advantages", own, n) && check_loss(k, t, own, true);
}

/* --- KL estimators alone: the loss of a policy without advantage --- */

static bool check_estimator(RlCheck *k, Tape *t, const RlTokens *x, PolicyKl kind, const char *name)
{
	char grad[32];
	PolicyRule r = { .ratio = RATIO_TOKEN, .mean = MEAN_TOKEN, .kl = kind, .low = 0.2, .high = 0.2, .beta = 1 };
	real *logp = gather_named(k, x, "logp"), *none = arena_zalloc(k->a, sizeof *none * (size_t)(x->n + 1));
	PolicyTokens p = { .n_out = k->N, .first = x->first, .old = gather_named(k, x, "logp_old"), .ref = gather_named(k, x, "logp_ref"),
		.advantage = none, .outputs = k->N, .tokens = (double)x->n };
	tape_reset(t);
	tape_record(t, true);
	Ten *leaf = logp && none ? tape_leaf(t, ten_wrap(REAL_DTYPE, logp, 2, (int64_t[]){ x->n, 1 }, "logp"), true) : NULL;
	Ten *loss = policy_loss(t, leaf, &r, &p, NULL);
	if (!loss || !tape_backward(t, loss, NULL))
		return !tape_ok(t, k->e) && false;
	double v = (double)*ten_real(loss);
	snprintf(grad, sizeof grad, "grad_%s", name);
	return check_same(k, name, &v, 1, 2e-6, 0) && check_scattered(k, x, leaf, grad);
}

static bool check_estimators(RlCheck *k, Tape *t)
{
	RlTokens x;
	return check_tokens(k, &x) && check_estimator(k, t, &x, KL_K1, "k1") && check_estimator(k, t, &x, KL_K2, "k2") &&
		check_estimator(k, t, &x, KL_K3, "k3") && check_estimator(k, t, &x, KL_RK3, "r_k3");
}

/* --- PPO --- */

typedef struct Ppo { RlTokens x; double *token, *advantage, *ret; } Ppo;

/* The score at the last token, and at each token the distance to the reference. */
static bool ppo_rewards(RlCheck *k, Ppo *p)
{
	int64_t n = (int64_t)k->N * k->T;
	double beta = check_setting(k, "beta_r", 0);
	const double *score = check_numbers(k, "rewards", k->N), *old = beta > 0 ? check_numbers(k, "logp_old", n) : NULL;
	const double *ref = beta > 0 ? check_numbers(k, "logp_ref", n) : NULL;
	p->token = arena_zalloc(k->a, sizeof *p->token * (size_t)n);
	if (!score || !p->token || (beta > 0 && (!old || !ref)))
		return false;
	for (int64_t i = 0; i < p->x.n; i++)
		p->token[p->x.at[i]] = beta > 0 ? -beta * (old[p->x.at[i]] - ref[p->x.at[i]]) : 0;
	for (int i = 0; i < k->N; i++)
		if (p->x.first[i + 1] > p->x.first[i])
			p->token[p->x.at[p->x.first[i + 1] - 1]] += score[i];
	return check_gradient_like(k, "token_rewards", p->token, n);
}

static bool ppo_advantages(RlCheck *k, Ppo *p)
{
	int64_t n = (int64_t)k->N * k->T;
	const double *value = check_numbers(k, "values_old", n);
	double *r = arena_alloc(k->a, 4 * sizeof *r * (size_t)(p->x.n + 1)), *v = r + p->x.n, *A = v + p->x.n, *ret = A + p->x.n;
	p->advantage = arena_zalloc(k->a, sizeof *p->advantage * (size_t)n);
	p->ret = arena_zalloc(k->a, sizeof *p->ret * (size_t)n);
	if (!value || !r || !p->advantage || !p->ret)
		return false;
	for (int64_t i = 0; i < p->x.n; i++) {
		r[i] = p->token[p->x.at[i]];
		v[i] = value[p->x.at[i]];
	}
	for (int i = 0; i < k->N; i++) {
		int32_t at = p->x.first[i];
		rl_gae(r + at, v + at, p->x.first[i + 1] - at, check_setting(k, "gamma", 1), check_setting(k, "lambda", 1), A + at, ret + at);
	}
	bool whiten = json_is_true(json_object_get(k->settings, "whiten"));
	for (int64_t i = 0; i < p->x.n; i++) {
		p->ret[p->x.at[i]] = ret[i];
		p->advantage[p->x.at[i]] = A[i];
	}
	if (whiten && !check_gradient_like(k, "advantages_raw", p->advantage, n))
		return false;
	if (whiten)
		rl_whiten(A, p->x.n);
	for (int64_t i = 0; i < p->x.n; i++)
		p->advantage[p->x.at[i]] = A[i];
	return check_gradient_like(k, "advantages", p->advantage, n) && check_gradient_like(k, "returns", p->ret, n);
}

static bool ppo_values(RlCheck *k, Tape *t, const Ppo *p)
{
	ValueStats stats = { 0 };
	real *v = gather_named(k, &p->x, "values"), *old = gather_named(k, &p->x, "values_old"), *ret = gather(k, &p->x, p->ret);
	if (!v || !old || !ret)
		return false;
	tape_reset(t);
	tape_record(t, true);
	Ten *leaf = tape_leaf(t, ten_wrap(REAL_DTYPE, v, 2, (int64_t[]){ p->x.n, 1 }, "values"), true);
	Ten *loss = value_loss(t, leaf, old, ret, check_setting(k, "eps_v", 0), (double)p->x.n, &stats);
	if (!loss || !tape_backward(t, loss, NULL))
		return !tape_ok(t, k->e) && false;
	double value = (double)*ten_real(loss), n = (double)p->x.n;
	return check_same(k, "value_loss", &value, 1, 2e-6, 0) && check_scattered(k, &p->x, leaf, "grad_values") &&
		check_value(k, "value_outside", stats.outside / n, 1e-7) && check_value(k, "value_clip_fraction", stats.clipped / n, 1e-7);
}

static bool check_ppo(RlCheck *k, Tape *t)
{
	Ppo p;
	return check_tokens(k, &p.x) && ppo_rewards(k, &p) && ppo_advantages(k, &p) && check_loss(k, t, p.advantage, true) && ppo_values(k, t, &p);
}

/* --- a file --- */

static bool check_kind(RlCheck *k, Tape *t)
{
	if (check_has(k, "k3") && check_has(k, "grad_k3"))
		return check_estimators(k, t);
	if (check_has(k, "token_rewards"))
		return check_ppo(k, t);
	if (check_has(k, "step_rewards"))
		return check_process(k, t);
	const double *A = check_advantages(k);
	return A && check_loss(k, t, A, false);
}

static bool file_check(RlCheck *k, int threads)
{
	const char *format = st_meta(k->st, "format"), *settings = st_meta(k->st, "settings"), *source = st_meta(k->st, "source");
	const StEntry *x = st_find(k->st, "logp");
	if (!format || strcmp(format, "lathe-rl-1") != 0 || !settings)
		return err_set(k->e, E_3200, "%s: is not of the format lathe-rl-1 with its settings", st_path(k->st));
	if (!x || x->rank != 2 || x->shape[0] < 1 || x->shape[0] > ANSWERS_MAX || x->shape[1] < 1 || x->shape[1] > ANSWERS_MAX)
		return err_set(k->e, E_3200, "%s: \"logp\" [N,T] is missing or too large", st_path(k->st));
	k->N = (int)x->shape[0];
	k->T = (int)x->shape[1];
	k->settings = json_parse(settings, strlen(settings), st_path(k->st), E_3200, k->e);
	snprintf(k->out->source, sizeof k->out->source, "%s", source ? source : "");
	Pool *pool = k->settings ? pool_new(threads > 0 ? threads : 1) : NULL;
	Tape *t = pool ? tape_new(pool, 0) : NULL;
	bool ok = t ? check_kind(k, t) : k->e->code ? false : err_set(k->e, E_5001, "out of memory for a check");
	tape_free(t);
	pool_free(pool);
	json_decref(k->settings);
	return ok;
}

bool verify_rl(const char *path, int threads, Cases *out, Err *e)
{
	struct stat st;
	const char *base = strrchr(path, '/');
	RlCheck k = { .file = base ? base + 1 : path, .out = out, .e = e };
	*out = (Cases){ .ok = true };
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return verify_rl_policy(path, threads, out, e);
	k.st = st_open(path, e);
	k.a = k.st ? arena_new("rl check", 0) : NULL;
	bool ok = k.a ? file_check(&k, threads) : k.st ? err_set(e, E_5001, "out of memory for a check") : false;
	if (k.a)
		arena_free(k.a);
	st_close(k.st);
	return ok;
}
