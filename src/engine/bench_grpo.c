/* bench_grpo.c - one iteration of GRPO: 16 problems, 8 answers to each of `tokens` tokens, rewards by rule, one update; and what sampling one
 * answer at a time would give. Answers never end early, so that every iteration is as long. */
#include "base/rng.h"
#include "engine/bench_parts.h"
#include "num/limits.h"
#include "rl/advantage.h"
#include "rl/rollout.h"
#include "rl/policy.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { PROBLEMS = 16, GROUP = 8, GIVEN = 8, ANSWERS = PROBLEMS * GROUP };

typedef struct Grpo {
	const BenchJob *j;
	Train *t;
	RlRoutes routes;
	Arena *a;
	Err *e;
	int32_t id[PROBLEMS][GIVEN];
	RlSample s[ANSWERS];
	int64_t turn;
	double rollout, reward, update, n; /* seconds so far; iterations */
	double single;                     /* tokens a second, one answer at a time */
} Grpo;

static bool grpo_init(Grpo *g, const BenchJob *j, Err *e)
{
	TrainSettings set;
	*g = (Grpo){ .j = j, .e = e, .a = arena_new("grpo", 0) };
	settings_default(&set);
	set.balance = BALANCE_NONE;
	TrainStart start = { .from = j->from, .config = j->config, .threads = pool_threads(j->pool), .memory_limit = j->memory_limit };
	g->t = g->a ? train_new(&start, &set, NULL, NULL, e) : NULL;
	if (!g->a)
		return err_set(e, E_5001, "out of memory for a roll-out");
	Rng r = rng_make(11, 0);
	for (int i = 0; g->t && i < PROBLEMS; i++)
		for (int k = 0; k < GIVEN; k++)
			g->id[i][k] = (int32_t)rng_below(&r, (uint32_t)train_lm(g->t)->c.vocab_size);
	return g->t && rl_routes_open(&g->routes, train_tape(g->t), train_lm(g->t), e);
}

static void grpo_done(Grpo *g)
{
	if (g->t)
		rl_routes_close(&g->routes, train_tape(g->t));
	train_free(g->t);
	if (g->a)
		arena_free(g->a);
}

static bool draw(Grpo *g, int problems, int group)
{
	RlPrompt p[PROBLEMS];
	RlDraw d = { .temperature = 1, .top_p = 1, .n_ids = (int32_t)train_lm(g->t)->c.vocab_size, .seed = 1, .turn = g->turn++ };
	for (int i = 0; i < problems; i++)
		p[i] = (RlPrompt){ g->id[i], GIVEN };
	arena_reset(g->a);
	return rl_rollout(g->t, &g->routes, NULL, &d, p, problems, group, (int)g->j->tokens, g->a, g->s, g->e);
}

/* The share of even ids, and advantages: what a rule of this kind costs. */
static bool reward(Grpo *g, double *A)
{
	double value[ANSWERS] = { 0 };
	int64_t group[ANSWERS];
	for (int i = 0; i < ANSWERS; i++) {
		group[i] = i / GROUP;
		for (int k = 0; k < g->s[i].n; k++)
			value[i] += g->s[i].id[GIVEN + k] % 2 == 0;
	}
	rl_group_advantages(value, group, ANSWERS, RL_STD_POPULATION, A, NULL);
	return true;
}

static bool part_back(Grpo *g, RlSample *const *s, int n, const double *A)
{
	static const PolicyRule rule = { .ratio = RATIO_TOKEN, .mean = MEAN_SEQUENCE, .low = 0.2, .high = 0.2 };
	Tape *t = train_tape(g->t);
	RlPass p;
	RlView v = { 1, false, false };
	if (!rl_policy_forward(g->t, &g->routes, &v, s, n, true, &p, g->e))
		return false;
	real *old = tape_alloc(t, sizeof *old * (size_t)(p.n + 1)), *adv = tape_alloc(t, sizeof *adv * (size_t)(p.n + 1));
	for (int i = 0; old && adv && i < n; i++)
		for (int k = 0; k < s[i]->n; k++) {
			old[p.first[i] + k] = s[i]->logp[k];
			adv[p.first[i] + k] = (real)A[s[i] - g->s];
		}
	PolicyTokens x = { .n_out = n, .first = p.first, .old = old, .advantage = adv, .outputs = ANSWERS, .tokens = (double)p.n };
	Ten *loss = old && adv ? policy_loss(t, p.logp, &rule, &x, NULL) : NULL;
	return (loss && tape_backward(t, loss, NULL)) || (!tape_ok(t, g->e) && false);
}

static bool update(Grpo *g, const double *A)
{
	RlSample *list[ANSWERS];
	Params *p = train_params(g->t);
	double norm;
	memset(p->g, 0, sizeof(real) * (size_t)p->count);
	for (int i = 0; i < ANSWERS; i++)
		list[i] = &g->s[i];
	for (int i = 0, part; i < ANSWERS; i += part) {
		part = rl_policy_part(list + i, ANSWERS - i);
		if (!part_back(g, list + i, part, A))
			return false;
	}
	return train_apply(g->t, 1e-6, &norm, g->e);
}

static double grpo_once(void *ud)
{
	Grpo *g = ud;
	double A[ANSWERS], t0 = bench_clock(g->j->pool), tokens = (double)ANSWERS * (double)g->j->tokens;
	if (!draw(g, PROBLEMS, GROUP))
		return -1;
	double t1 = bench_clock(g->j->pool);
	reward(g, A);
	double t2 = bench_clock(g->j->pool);
	if (!update(g, A))
		return -1;
	double t3 = bench_clock(g->j->pool);
	g->rollout += t1 - t0;
	g->reward += t2 - t1;
	g->update += t3 - t2;
	g->n++;
	return tokens / (t3 - t0);
}

/* Of a generated token: once forward in sampling, three times that in the update, with its share of the prompt. */
static double token_flop(const Grpo *g)
{
	double n = (double)g->j->tokens, all = GIVEN + n;
	return 4 * bench_prompt_flop(train_lm(g->t), all, n) / n;
}

static double grpo_limit(void *ud)
{
	const Grpo *g = ud;
	Pool *p = g->j->pool;
	double t0 = bench_clock(p);
	if (g->j->tokens < 1 || !draw(ud, 1, 1))
		return -1;
	double single = (double)g->j->tokens / (bench_clock(p) - t0);
	((Grpo *)ud)->single = single > g->single ? single : g->single;
	return limit_flops(p, DT_F32) * pool_threads(p) * 1e9 / token_flop(g);
}

bool bench_grpo(const BenchJob *j, BenchResult *r, Err *e)
{
	Grpo g;
	bool ok = grpo_init(&g, j, e) && bench_pairs(j, 5, grpo_once, grpo_limit, &g, r);
	r->unit = "tok/s";
	if (ok) {
		double tokens = (double)ANSWERS * (double)j->tokens, rate = tokens * g.n / g.rollout;
		const BenchPart part[] = { { "iteration_s", tokens / r->value }, { "rollout_s", g.rollout / g.n }, { "reward_s", g.reward / g.n },
			{ "update_s", g.update / g.n }, { "rollout_tok_per_s", rate }, { "single_tok_per_s", g.single }, { "batching", rate / g.single } };
		memcpy(r->part, part, sizeof part);
		r->n_part = sizeof part / sizeof *part;
		snprintf(r->limit_is, sizeof r->limit_is, "%.3f MFLOP a generated token (forward, and three times that to learn from it) at the "
			"multiply-add rate", token_flop(&g) / 1e6);
	}
	grpo_done(&g);
	return ok;
}
