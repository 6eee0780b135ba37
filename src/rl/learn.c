/* learn.c - from rewards to weights: advantages, log-probabilities of the reference, and the updates of an iteration. */
#include "base/rng.h"
#include "rl/lab.h"
#include <math.h>
#include <string.h>

#define FRESH 1e-5 /* greatest |ln r| of samples that the policy itself has just drawn */

/* Sums over the updates of an iteration. */
typedef struct Learned { PolicyStats all; double value_loss, values; int64_t updates; } Learned;

static bool memory_fail(Err *e)
{
	return err_set(e, E_5001, "out of memory for an iteration");
}

static bool sample_arrays(Rl *r, RlSample *s)
{
	size_t n = (size_t)(s->n + 1) * sizeof(real);
	s->advantage = arena_zalloc(r->a, n);
	s->ret = arena_zalloc(r->a, n);
	return s->advantage && s->ret;
}

/* --- advantages --- */

/* Process supervision: the tokens of one group, by the scores of all its steps together. */
static bool step_advantages(Rl *r, RlSample *s, Err *e)
{
	int T = 0;
	for (int i = 0; i < r->group; i++)
		T = s[i].n > T ? s[i].n : T;
	size_t n = (size_t)r->group * (size_t)T;
	double *score = arena_zalloc(r->a, 3 * n * sizeof *score), *end = score + n, *A = end + n;
	int64_t *group = arena_zalloc(r->a, (size_t)r->group * sizeof *group);
	if (!score || !group)
		return memory_fail(e);
	for (int i = 0; i < r->group; i++)
		for (int k = 0; s[i].score && k < s[i].n; k++) {
			score[i * T + k] = s[i].score[k];
			end[i * T + k] = s[i].end[k];
		}
	rl_step_advantages(score, end, group, r->group, T, A);
	for (int i = 0; i < r->group; i++)
		for (int k = 0; k < s[i].n; k++)
			s[i].advantage[k] = (real)A[i * T + k];
	return true;
}

static bool has_steps(const RlSample *s, int n)
{
	for (int i = 0; i < n; i++)
		if (s[i].score)
			return true;
	return false;
}

static bool group_advantages(Rl *r, RlReport *out, Err *e)
{
	size_t n = (size_t)(r->n + 1);
	double *reward = arena_alloc(r->a, n * sizeof *reward), *A = arena_alloc(r->a, n * sizeof *A);
	int64_t *group = arena_alloc(r->a, n * sizeof *group);
	int groups;
	if (!reward || !A || !group)
		return memory_fail(e);
	for (int i = 0; i < r->n; i++) {
		reward[i] = r->sample[i].reward;
		group[i] = i / r->group;
	}
	int equal = rl_group_advantages(reward, group, r->n, rl_std(&r->s), A, &groups);
	if (isnan(out->degenerate))
		out->degenerate = (double)equal / groups;
	for (int i = 0; i < r->n; i++)
		for (int k = 0; k < r->sample[i].n; k++)
			r->sample[i].advantage[k] = (real)A[i];
	for (int i = 0; i < r->n; i += r->group)
		if (has_steps(&r->sample[i], r->group) && !step_advantages(r, &r->sample[i], e))
			return false;
	return true;
}

/* The score comes with the last token, the distance to the reference with each. */
static void token_rewards(const Rl *r, const RlSample *s, double *reward, double *value)
{
	for (int k = 0; k < s->n; k++) {
		reward[k] = s->ref && r->s.kl_reward > 0 ? -r->s.kl_reward * ((double)s->logp[k] - (double)s->ref[k]) : 0;
		value[k] = (double)s->value[k];
	}
	reward[s->n - 1] += s->reward;
}

static bool value_advantages(Rl *r, Err *e)
{
	int64_t n = 0, at = 0;
	for (int i = 0; i < r->n; i++)
		n += r->sample[i].n;
	double *reward = arena_alloc(r->a, 4 * (size_t)(n + 1) * sizeof *reward), *value = reward + n, *A = value + n, *ret = A + n;
	if (!reward)
		return memory_fail(e);
	for (int i = 0; i < r->n; at += r->sample[i++].n) {
		token_rewards(r, &r->sample[i], reward + at, value + at);
		rl_gae(reward + at, value + at, r->sample[i].n, r->s.discount, r->s.gae, A + at, ret + at);
	}
	if (r->s.whiten)
		rl_whiten(A, n);
	at = 0;
	for (int i = 0; i < r->n; at += r->sample[i++].n)
		for (int k = 0; k < r->sample[i].n; k++) {
			r->sample[i].advantage[k] = (real)A[at + k];
			r->sample[i].ret[k] = (real)ret[at + k];
		}
	return true;
}

/* --- the reference --- */

static void weights_swap(Rl *r, const real *put, real *keep)
{
	const Params *p = train_params(r->t);
	memcpy(keep, p->w, sizeof *keep * (size_t)p->count);
	memcpy(p->w, put, sizeof *put * (size_t)p->count);
}

static RlView view_of(const Rl *r)
{
	return (RlView){ r->s.temperature, r->s.keep_sampling != 0, r->s.keep_routing != 0 };
}

static bool reference_forward(Rl *r, RlSample **list, int n, Err *e)
{
	RlView v = view_of(r);
	bool ok = true;
	for (int i = 0, part; ok && i < n; i += part) {
		RlPass p;
		part = rl_policy_part(list + i, n - i);
		ok = rl_policy_forward(r->t, &r->routes, &v, list + i, part, false, &p, e);
		for (int k = 0; ok && k < part; k++) {
			size_t size = sizeof(real) * (size_t)list[i + k]->n;
			list[i + k]->ref = arena_alloc(r->a, size);
			if (!list[i + k]->ref)
				return memory_fail(e);
			memcpy(list[i + k]->ref, ten_real(p.logp) + p.first[k], size);
		}
	}
	return ok;
}

/* Without a weight the first group is enough for a look at the distance. */
static bool reference_logp(Rl *r, RlSample **all, Err *e)
{
	bool weighs = rl_beta(&r->s) > 0;
	if (!r->ref)
		return true;
	weights_swap(r, r->ref, r->aside);
	bool ok = reference_forward(r, all, weighs || r->n < r->group ? r->n : r->group, e);
	memcpy(train_params(r->t)->w, r->aside, sizeof(real) * (size_t)train_params(r->t)->count);
	return ok;
}

/* k3 of the policy that has drawn the samples. */
static double reference_distance(const Rl *r)
{
	double sum = 0, n = 0;
	for (int i = 0; i < r->n; i++)
		for (int k = 0; r->sample[i].ref && k < r->sample[i].n; k++, n++) {
			double x = (double)r->sample[i].ref[k] - (double)r->sample[i].logp[k];
			sum += exp(x) - x - 1;
		}
	return n > 0 ? sum / n : NAN;
}

/* --- updates --- */

/* What a mean is over: all answers of an update, those without a gradient too. */
typedef struct Update { RlSample **s; int n; double outputs, tokens; bool policy, values; } Update;

static bool teaches(const Rl *r, const RlSample *s)
{
	bool any = r->s.kl > 0 || r->critic.p.w;
	for (int k = 0; !any && k < s->n; k++)
		any = s->advantage[k] != 0;
	return any;
}

/* Numbers of a forward's tokens, one behind the other. */
typedef struct Flat { real *old, *ref, *advantage, *ret, *value; } Flat;

static bool flat_make(const Rl *r, Tape *t, const RlPass *p, RlSample *const *s, Flat *f)
{
	size_t n = (size_t)(p->n + 1) * sizeof(real);
	*f = (Flat){ tape_alloc(t, n), r->s.kl > 0 ? tape_alloc(t, n) : NULL, tape_alloc(t, n), tape_alloc(t, n), tape_alloc(t, n) };
	if (tape_failed(t))
		return false;
	for (int i = 0; i < p->n_out; i++) {
		size_t at = (size_t)p->first[i], size = sizeof(real) * (size_t)s[i]->n;
		memcpy(f->old + at, s[i]->logp, size);
		memcpy(f->advantage + at, s[i]->advantage, size);
		memcpy(f->ret + at, s[i]->ret, size);
		if (f->ref)
			memcpy(f->ref + at, s[i]->ref, size);
		if (s[i]->value)
			memcpy(f->value + at, s[i]->value, size);
	}
	return true;
}

static bool values_back(Rl *r, const Update *u, const RlPass *p, const Flat *f, Learned *sum)
{
	Tape *t = train_tape(r->t);
	tape_record(t, true);
	Ten *loss = value_loss(t, rl_critic_forward(&r->critic, t, p->state), r->s.value_clip > 0 ? f->value : NULL, f->ret, r->s.value_clip,
		u->tokens, NULL);
	sum->value_loss += loss ? (double)*ten_real(loss) : 0;
	return loss && tape_backward(t, loss, NULL);
}

/* Some answers of an update: gradients add up. */
static bool part_back(Rl *r, const Update *u, RlSample *const *s, int n, Learned *sum, Err *e)
{
	Tape *t = train_tape(r->t);
	RlView v = view_of(r);
	RlPass p;
	Flat f;
	PolicyRule rule = rl_rule(&r->s, rl_length(r));
	if (!rl_policy_forward(r->t, &r->routes, &v, s, n, u->policy, &p, e))
		return false;
	if (!flat_make(r, t, &p, s, &f))
		return !tape_ok(t, e) && false;
	PolicyTokens x = { .n_out = n, .first = p.first, .old = f.old, .ref = f.ref, .advantage = f.advantage, .outputs = u->outputs,
		.tokens = u->tokens };
	Ten *loss = policy_loss(t, p.logp, &rule, &x, &sum->all);
	if (loss && !isfinite(*ten_real(loss)))
		return err_set(e, E_6101, "iteration %lld: the loss is not a finite number; go on from the last checkpoint with a lower lr",
			(long long)train_at(r->t) + 1);
	bool ok = loss && (!u->policy || tape_backward(t, loss, NULL)) && (!u->values || values_back(r, u, &p, &f, sum));
	tape_record(t, false);
	return ok || (!tape_ok(t, e) && false);
}

static bool is_fresh(const Rl *r, const Learned *l, Err *e)
{
	if (l->all.ln_r_most < FRESH)
		return true;
	return err_set(e, E_6102, "iteration %lld: ln r = %.3g on samples just drawn, and must be below %g", (long long)train_at(r->t) + 1,
		l->all.ln_r_most, FRESH);
}

static bool update_run(Rl *r, const Update *u, Learned *sum, RlReport *out, Err *e)
{
	Params *p = train_params(r->t);
	const TrainSettings *ts = train_settings(r->t);
	memset(p->g, 0, sizeof(real) * (size_t)p->count);
	if (u->values)
		memset(r->critic.p.g, 0, sizeof(real) * (size_t)r->critic.p.count);
	for (int i = 0, part; i < u->n; i += part) {
		part = rl_policy_part(u->s + i, u->n - i);
		if (!part_back(r, u, u->s + i, part, sum, e))
			return false;
	}
	if (sum->updates == 0) {
		out->ln_r_first = sum->all.ln_r_most;
		if (!is_fresh(r, sum, e))
			return false;
	}
	out->lr = u->policy ? train_lr(r->t) : 0;
	sum->updates++;
	return (!u->policy || train_apply(r->t, out->lr, &out->grad_norm, e)) &&
		(!u->values || rl_critic_update(&r->critic, train_tape(r->t), ts, r->s.value_lr, e));
}

static void shuffle(RlSample **s, int n, uint64_t seed, int64_t turn, int64_t epoch)
{
	Rng g = rng_make(seed ^ 0x73687566, (uint64_t)(turn * 1024 + epoch));
	for (int i = n - 1; i > 0; i--) {
		int k = (int)rng_below(&g, (uint32_t)i + 1);
		RlSample *x = s[i];
		s[i] = s[k];
		s[k] = x;
	}
}

/* The update's share of the answers; those that teach nothing count in the means and are not computed. */
static Update update_of(Rl *r, RlSample **all, int from, int to, RlSample **list)
{
	Update u = { .s = list, .outputs = to - from, .values = r->critic.p.w != NULL };
	u.policy = !u.values || train_at(r->t) >= r->s.value_alone;
	for (int i = from; i < to; i++) {
		u.tokens += all[i]->n;
		if (teaches(r, all[i]))
			list[u.n++] = all[i];
	}
	return u;
}

static bool updates_run(Rl *r, RlSample **all, Learned *sum, RlReport *out, Err *e)
{
	RlSample **list = arena_alloc(r->a, sizeof *list * (size_t)(r->n + 1));
	int parts = r->s.updates < r->n ? (int)r->s.updates : r->n;
	double used = 0;
	if (!list)
		return memory_fail(e);
	for (int64_t k = 0; k < r->s.epochs; k++) {
		if (parts > 1)
			shuffle(all, r->n, (uint64_t)train_settings(r->t)->seed, train_at(r->t), k);
		for (int i = 0; i < parts; i++) {
			Update u = update_of(r, all, r->n * i / parts, r->n * (i + 1) / parts, list);
			used += u.n;
			if (u.n && !update_run(r, &u, sum, out, e))
				return false;
		}
	}
	out->used = used / ((double)r->n * (double)r->s.epochs);
	return true;
}

static void report_learned(const Rl *r, const Learned *l, RlReport *out)
{
	const PolicyStats *s = &l->all;
	bool whole = s->outputs > 0 && (rl_rule(&r->s, 1).ratio == RATIO_MEAN || rl_rule(&r->s, 1).ratio == RATIO_SUM);
	double n = s->tokens > 0 ? s->tokens : 1;
	out->updates = l->updates;
	out->clip_low = s->cut_low / n;
	out->clip_high = s->cut_high / n;
	out->clip = whole ? s->outputs_cut / s->outputs : out->clip_low + out->clip_high;
	out->masked = s->outputs > 0 ? s->masked / s->outputs : 0;
	out->ln_r = s->ln_r_sum / n;
	out->value_loss = r->critic.p.w && l->updates ? l->value_loss / (double)l->updates : NAN;
}

bool rl_learn(Rl *r, RlReport *out, Err *e)
{
	Learned sum = { 0 };
	RlSample **all = arena_alloc(r->a, sizeof *all * (size_t)(r->n + 1));
	bool ok = all != NULL;
	for (int i = 0; ok && i < r->n; i++) {
		all[i] = &r->sample[i];
		ok = sample_arrays(r, all[i]);
	}
	ok = ok || memory_fail(e);
	ok = ok && reference_logp(r, all, e);
	ok = ok && (r->critic.p.w ? value_advantages(r, e) : group_advantages(r, out, e));
	ok = ok && updates_run(r, all, &sum, out, e);
	out->kl = reference_distance(r);
	report_learned(r, &sum, out);
	return ok;
}
