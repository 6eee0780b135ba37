/* rl.c - see rl.h. */
#include "base/clock.h"
#include "rl/lab.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 64 /* more than `fill` can be */, PROBLEMS = 1 << 14, EVAL_TURN = -1, EVAL_TOGETHER = 256 };

static bool reference_make(Rl *r, Err *e)
{
	const Params *p = train_params(r->t);
	size_t n = sizeof(real) * (size_t)p->count;
	r->ref = malloc(n);
	r->aside = malloc(n);
	if (!r->ref || !r->aside)
		return err_set(e, E_5001, "out of memory for the weights of the reference");
	memcpy(r->ref, p->w, n);
	return true;
}

/* MTP modules get no gradient here, so nothing may make them smaller either. */
static void modules_keep(Train *t)
{
	const Params *p = train_params(t);
	for (int i = 0, layer; i < p->n; i++)
		if (sscanf(p->p[i].t->name, "model.layers.%d.", &layer) == 1 && layer >= train_lm(t)->n_layers)
			p->p[i].decays = false;
}

Rl *rl_new(Train *t, const RlSettings *s, const RlTask *task, Err *e)
{
	Rl *r = calloc(1, sizeof *r);
	TrainSettings *ts = train_settings(t);
	if (!r || !(r->a = arena_new("rl", 0))) {
		free(r);
		err_set(e, E_5001, "out of memory for reinforcement learning");
		return NULL;
	}
	r->t = t;
	r->s = *s;
	r->task = *task;
	ts->balance = BALANCE_NONE;
	ts->steps = s->iterations;
	modules_keep(t);
	rl_keep(r);
	bool ok = train_tok(t) || err_set(e, E_2102, "reinforcement learning needs a tokenizer");
	ok = ok && rl_settings_check(s, e) && rl_routes_open(&r->routes, train_tape(t), train_lm(t), e) && reference_make(r, e) &&
		(s->algorithm != RL_PPO || rl_critic_open(&r->critic, train_lm(t)->c.hidden_size, e));
	if (ok)
		return r;
	rl_free(r);
	return NULL;
}

void rl_free(Rl *r)
{
	if (!r)
		return;
	train_extra(r->t, &(TrainExtra){ 0 });
	rl_routes_close(&r->routes, train_tape(r->t));
	rl_critic_close(&r->critic);
	free(r->ref);
	free(r->aside);
	free(r->problem);
	free(r->sample);
	arena_free(r->a);
	free(r);
}

RlSettings *rl_settings(Rl *r) { return &r->s; }
Train *rl_train(Rl *r) { return r->t; }

const RlSample *rl_samples(const Rl *r, int *n)
{
	*n = r->n;
	return r->sample;
}

double rl_length(const Rl *r)
{
	return (double)(r->s.max_new > 0 ? r->s.max_new : r->task.max_new);
}

RlReport rl_report_empty(const Rl *r)
{
	RlReport x = { .iter = train_at(r->t) };
	double *none[] = { &x.reward, &x.accuracy, &x.answered, &x.ended, &x.length, &x.entropy, &x.degenerate, &x.used, &x.kl, &x.clip, &x.clip_low,
		&x.clip_high, &x.masked, &x.value_loss, &x.grad_norm, &x.lr, &x.ln_r_first, &x.ln_r, &x.eval, &x.eval_length, &x.tok_per_s };
	for (size_t i = 0; i < sizeof none / sizeof *none; i++)
		*none[i] = NAN;
	return x;
}

/* --- problems --- */

/* Prompts of n problems: the i-th is number[i]. Ids lie in the arena. */
static bool prompts_ask(Rl *r, Split split, const uint64_t *number, int n, RlPrompt *out, Err *e)
{
	Ids ids = { 0 };
	bool ok = true;
	for (int i = 0; ok && i < n; i++) {
		const char *text;
		size_t len;
		ids.n = 0;
		ok = r->task.ask(r->task.ud, split, number[i], &text, &len, e) && tok_encode(train_tok(r->t), text, len, &ids, e);
		if (ok && ids.n == 0)
			ok = err_set(e, E_2102, "a problem's prompt has no tokens");
		int32_t *own = ok ? arena_alloc(r->a, ids.n * sizeof *own) : NULL;
		if (ok && !own)
			ok = err_set(e, E_5001, "out of memory for prompts");
		if (ok)
			memcpy(own, ids.id, ids.n * sizeof *own);
		out[i] = (RlPrompt){ own, (int)ids.n };
	}
	ids_done(&ids);
	return ok;
}

/* The scores at the tokens that their steps end with. */
static bool steps_take(Rl *r, RlSample *s, const RlVerdict *v, Err *e)
{
	size_t all = 0, n = (size_t)s->n * sizeof *s->score;
	Buf b = BUF_INIT;
	s->score = arena_zalloc(r->a, n);
	s->end = arena_zalloc(r->a, n);
	for (int k = 0; s->score && s->end && k < s->n; k++) {
		size_t from = all;
		buf_clear(&b);
		tok_bytes_of(train_tok(r->t), s->id[s->n_given + k], &b);
		all += b.len;
		for (int i = 0; i < v->n_steps; i++) {
			if ((v->step[i].end > from || k == 0) && (v->step[i].end <= all || k == s->n - 1)) {
				s->score[k] += v->step[i].score;
				s->end[k] = 1;
			}
		}
	}
	bool ok = s->score && s->end && !b.failed;
	buf_done(&b);
	return ok || err_set(e, E_5001, "out of memory for the scores of steps");
}

static bool answer_judge(Rl *r, Split split, uint64_t problem, RlSample *s, Buf *text, Err *e)
{
	RlVerdict v = { 0 };
	buf_clear(text);
	tok_decode(train_tok(r->t), s->id + s->n_given, (size_t)(s->n - s->ended), text);
	RlAnswer a = { buf_str(text), text->len, s->n, s->ended };
	if (text->failed)
		return err_set(e, E_5001, "out of memory for an answer");
	if (!r->task.judge(r->task.ud, split, problem, &a, &v, e))
		return false;
	s->right = v.right;
	s->answered = v.answered;
	s->reward = v.rewarded ? v.reward : v.right + r->s.format * v.answered;
	double late = s->n - (rl_length(r) - (double)r->s.overlong);
	if (r->s.overlong > 0 && late > 0)
		s->reward -= late / (double)r->s.overlong;
	for (int i = 0; i < v.n_steps; i++)
		if (!isfinite(v.step[i].score))
			return err_set(e, E_8003, "reward: the score %g of step %d is not a finite number", v.step[i].score, i + 1);
	if (v.n_steps > 0 && !steps_take(r, s, &v, e))
		return false;
	return isfinite(s->reward) || err_set(e, E_8003, "reward: %g is not a finite number", s->reward);
}

/* --- roll-outs --- */

static RlDraw draw_of(const Rl *r, int64_t turn)
{
	bool filters = r->s.top_p < 1 || r->s.top_k > 0;
	return (RlDraw){ .temperature = r->s.temperature, .top_p = r->s.top_p, .top_k = (int)r->s.top_k, .n_ids = tok_count(train_tok(r->t)),
		.keep_sets = filters && r->s.keep_sampling, .routes = r->s.keep_routing != 0, .values = r->critic.p.w != NULL,
		.seed = (uint64_t)train_settings(r->t)->seed, .turn = turn };
}

/* Answers of n groups to problems of `round`, judged. which: the places of these groups. */
static bool groups_draw(Rl *r, const int *which, int n, int round, RlReport *out, Err *e)
{
	double t0 = clock_now();
	RlPrompt *prompt = arena_alloc(r->a, sizeof *prompt * (size_t)n);
	uint64_t *number = arena_alloc(r->a, sizeof *number * (size_t)n);
	RlSample *s = arena_alloc(r->a, sizeof *s * (size_t)n * (size_t)r->group);
	RlDraw d = draw_of(r, train_at(r->t) * ROUNDS + round);
	Buf text = BUF_INIT;
	if (!prompt || !number || !s)
		return err_set(e, E_5001, "out of memory for a roll-out");
	for (int i = 0; i < n; i++)
		number[i] = ((uint64_t)train_at(r->t) * ROUNDS + (uint64_t)round) * PROBLEMS + (uint64_t)which[i];
	bool ok = prompts_ask(r, SPLIT_TRAIN, number, n, prompt, e);
	double t1 = clock_now();
	ok = ok && rl_rollout(r->t, &r->routes, &r->critic, &d, prompt, n, r->group, (int)rl_length(r), r->a, s, e);
	double t2 = clock_now();
	for (int i = 0; ok && i < n * r->group; i++) {
		int place = which[i / r->group];
		ok = answer_judge(r, SPLIT_TRAIN, number[i / r->group], &s[i], &text, e);
		r->problem[place] = number[i / r->group];
		out->tokens += s[i].n;
		s[i].prompt = place;
		r->sample[place * r->group + i % r->group] = s[i];
	}
	buf_done(&text);
	out->rollout_s += t2 - t1;
	out->reward_s += t1 - t0 + clock_now() - t2;
	return ok;
}

static bool group_is_equal(const Rl *r, int g)
{
	const RlSample *s = r->sample + (int64_t)g * r->group;
	for (int k = 1; k < r->group; k++)
		if (s[k].reward != s[0].reward)
			return false;
	return true;
}

static void report_drawn(const Rl *r, RlReport *out)
{
	double n = r->n, tokens = 0, entropy = 0, reward = 0, right = 0, answered = 0, ended = 0;
	int groups = r->n / r->group, equal = 0;
	for (int i = 0; i < r->n; i++) {
		const RlSample *s = &r->sample[i];
		reward += s->reward;
		right += s->right;
		answered += s->answered;
		ended += s->ended;
		tokens += s->n;
		for (int k = 0; k < s->n; k++)
			entropy += (double)s->entropy[k];
	}
	for (int g = 0; g < groups; g++)
		equal += group_is_equal(r, g);
	out->reward = reward / n;
	out->accuracy = right / n;
	out->answered = answered / n;
	out->ended = ended / n;
	out->length = tokens / n;
	out->entropy = entropy / tokens;
	out->degenerate = r->group > 1 ? (double)equal / groups : NAN;
}

/* All groups, and those without a difference again with other problems, as often as `fill` allows. */
static bool samples_draw(Rl *r, RlReport *out, Err *e)
{
	int groups = r->n / r->group, n = groups, *which = arena_alloc(r->a, sizeof *which * (size_t)groups);
	if (!which)
		return err_set(e, E_5001, "out of memory for a roll-out");
	for (int i = 0; i < groups; i++)
		which[i] = i;
	for (int round = 0; n > 0 && round <= rl_fill(&r->s); round++) {
		if (!groups_draw(r, which, n, round, out, e))
			return false;
		if (round == 0)
			report_drawn(r, out);
		n = 0;
		for (int g = 0; g < groups; g++)
			if (group_is_equal(r, g))
				which[n++] = g;
	}
	return true;
}

static bool samples_room(Rl *r, Err *e)
{
	int n = (int)(r->s.prompts * r->s.group);
	r->group = (int)r->s.group;
	if (n != r->n) {
		free(r->sample);
		free(r->problem);
		r->n = 0;
		r->sample = calloc((size_t)n, sizeof *r->sample);
		r->problem = calloc((size_t)n, sizeof *r->problem);
	}
	if (!r->sample || !r->problem)
		return err_set(e, E_5001, "out of memory for %d answers", n);
	r->n = n;
	return true;
}

static void reference_refresh(Rl *r)
{
	const Params *p = train_params(r->t);
	if (r->s.ref_every > 0 && train_at(r->t) % r->s.ref_every == 0)
		memcpy(r->ref, p->w, sizeof(real) * (size_t)p->count);
}

bool rl_iterate(Rl *r, RlReport *out, Err *e)
{
	double t0 = clock_now();
	*out = rl_report_empty(r);
	out->iter = train_at(r->t) + 1;
	arena_reset(r->a);
	train_settings(r->t)->steps = r->s.iterations;
	if (!samples_room(r, e) || !samples_draw(r, out, e))
		return false;
	double t1 = clock_now();
	if (!rl_learn(r, out, e))
		return false;
	train_turn(r->t, out->tokens);
	reference_refresh(r);
	out->update_s = clock_now() - t1;
	out->seconds = clock_now() - t0;
	out->tok_per_s = (double)out->tokens / out->seconds;
	return true;
}

/* --- held-out problems --- */

static bool eval_some(Rl *r, uint64_t from, int n, double *right, double *tokens, Err *e)
{
	uint64_t number[EVAL_TOGETHER];
	RlPrompt prompt[EVAL_TOGETHER];
	RlDraw d = { .temperature = 1, .top_p = 1, .n_ids = tok_count(train_tok(r->t)), .seed = (uint64_t)train_settings(r->t)->seed,
		.turn = EVAL_TURN - (int64_t)from };
	ArenaMark mark = arena_mark(r->a);
	RlSample *s = arena_alloc(r->a, sizeof *s * (size_t)n);
	Buf text = BUF_INIT;
	if (!s)
		return err_set(e, E_5001, "out of memory for an evaluation");
	for (int i = 0; i < n; i++)
		number[i] = from + (uint64_t)i;
	bool ok = prompts_ask(r, SPLIT_HELD_OUT, number, n, prompt, e) &&
		rl_rollout(r->t, &r->routes, NULL, &d, prompt, n, 1, (int)rl_length(r), r->a, s, e);
	for (int i = 0; ok && i < n; i++) {
		ok = answer_judge(r, SPLIT_HELD_OUT, number[i], &s[i], &text, e);
		*right += s[i].right;
		*tokens += s[i].n;
	}
	buf_done(&text);
	arena_release(r->a, mark);
	return ok;
}

bool rl_eval(Rl *r, int64_t n, RlReport *out, Err *e)
{
	double t0 = clock_now(), right = 0, tokens = 0;
	for (int64_t i = 0; i < n; i += EVAL_TOGETHER)
		if (!eval_some(r, (uint64_t)i, n - i < EVAL_TOGETHER ? (int)(n - i) : EVAL_TOGETHER, &right, &tokens, e))
			return false;
	out->eval = n > 0 ? right / (double)n : NAN;
	out->eval_length = n > 0 ? tokens / (double)n : NAN;
	out->eval_n = n;
	out->eval_s = clock_now() - t0;
	return true;
}
