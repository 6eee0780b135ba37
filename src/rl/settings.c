/* settings.c - see settings.h. */
#include "rl/settings.h"
#include <stddef.h>
#include <string.h>

#define AT(field) offsetof(RlSettings, field)
#define INT(name, least, most, usual, live, help) { #name, SETTING_INT, AT(name), least, most, usual, NULL, live, help }
#define NUMBER(name, least, most, usual, live, help) { #name, SETTING_NUMBER, AT(name), least, most, usual, NULL, live, help }
#define FLAG(name, usual, live, help) { #name, SETTING_FLAG, AT(name), 0, 1, usual, NULL, live, help }
#define WORD(name, usual, words, live, help) { #name, SETTING_WORD, AT(name), 0, 0, usual, words, live, help }

static const Setting table[] = {
	WORD(algorithm, RL_GRPO, "grpo drgrpo dapo gspo rloo reinforce v32 ppo", false, "what the settings below are by themselves"),
	INT(iterations, 0, 1e9, 60, true, "roll-outs with their updates, in all"),
	INT(prompts, 1, 1 << 14, 16, true, "problems of an iteration"),
	INT(group, 1, 1 << 12, 8, true, "answers to each"),
	INT(epochs, 1, 1000, 1, true, "times that an iteration's answers are gone through"),
	INT(updates, 1, 1 << 12, 1, true, "updates of each time, each with its share of the answers"),
	INT(max_new, 0, 1 << 16, 0, false, "tokens that an answer may take; 0: as the exam says"),
	NUMBER(temperature, 0.01, 100, 1, true, "of sampling, and of the probabilities that are trained"),
	NUMBER(top_p, 0, 1, 1, true, "sampling among the likeliest tokens with this probability together; 1: all"),
	INT(top_k, 0, 1 << 20, 0, true, "sampling among so many of the likeliest tokens; 0: all"),
	FLAG(keep_sampling, 1, true, "probabilities among the tokens that top_p and top_k had left (V3.2)"),
	FLAG(keep_routing, 0, true, "experts in training are those that sampling had chosen (V3.2)"),
	WORD(std, 0, "auto none population sample leave-one-out", true, "what a group's advantages are divided by, or their baseline"),
	WORD(mean, 0, "auto sequence token constant", true, "the loss: mean of answers' means, mean of tokens, sum by the greatest length"),
	WORD(ratio, 0, "auto token mean sum none", true, "of each token, or one for a whole answer; none: REINFORCE"),
	NUMBER(clip_low, -1, 1e6, -1, true, "a ratio is cut at 1 - clip_low; -1: auto"),
	NUMBER(clip_high, -1, 1e6, -1, true, "and at 1 + clip_high; -1: auto"),
	NUMBER(clip_dual, 0, 1e6, 0, true, "no token of a bad answer costs more than this times its advantage; 0: no such limit"),
	NUMBER(kl, 0, 100, 0, true, "weight of the distance to the reference policy"),
	WORD(kl_form, 0, "auto k1 k2 k3 rk3", true, "how it is estimated; rk3: without bias (V3.2)"),
	NUMBER(delta, -1, 1000, -1, true, "bad answers that have drifted by more than this count no longer (V3.2); 0: they do; -1: auto"),
	INT(ref_every, 0, 1e9, 0, true, "iterations after which the policy becomes the reference; 0: the first one stays"),
	INT(fill, -1, 64, -1, true, "draws at most so many times more for groups with a difference (DAPO); 0: does not; -1: auto"),
	NUMBER(format, -100, 100, 0.1, true, "reward of the right form, beside 1 for a right answer; a reward of the file's own replaces both"),
	INT(overlong, 0, 1 << 16, 0, true, "tokens before max_new in which a penalty grows to -1 (DAPO); 0: none"),
	NUMBER(discount, 0, 1, 1, true, "ppo: gamma"),
	NUMBER(gae, 0, 1, 1, true, "ppo: lambda"),
	NUMBER(kl_reward, 0, 100, 0, true, "ppo: weight of the distance to the reference in each token's reward"),
	NUMBER(value_lr, 0, 10, 1e-3, true, "ppo: learning rate of the value head"),
	NUMBER(value_clip, 0, 100, 0, true, "ppo: how far one update may carry a value; 0: as far as it goes"),
	INT(value_alone, 0, 1e6, 3, true, "ppo: iterations at the start in which only the value head learns"),
	FLAG(whiten, 1, true, "ppo: advantages of a roll-out with mean 0 and variance 1"),
	INT(eval_n, 0, 1 << 20, 1000, true, "held-out problems at the start and the end; 0: never"),
	INT(eval_some, 1, 1 << 20, 200, true, "held-out problems every eval_every iterations in between"),
	{ NULL, 0, 0, 0, 0, 0, NULL, false, NULL },
};

/* What "auto" is. */
typedef struct Choice { RlStd std; PolicyMean mean; PolicyRatio ratio; double low, high, delta; PolicyKl kl; int fill; } Choice;
static const Choice choice[] = {
	[RL_GRPO] = { RL_STD_POPULATION, MEAN_SEQUENCE, RATIO_TOKEN, 0.2, 0.2, 0, KL_K3, 0 },
	[RL_DR_GRPO] = { RL_STD_NONE, MEAN_CONSTANT, RATIO_TOKEN, 0.2, 0.2, 0, KL_K3, 0 },
	[RL_DAPO] = { RL_STD_POPULATION, MEAN_TOKEN, RATIO_TOKEN, 0.2, 0.28, 0, KL_K3, 3 },
	[RL_GSPO] = { RL_STD_POPULATION, MEAN_SEQUENCE, RATIO_MEAN, 3e-4, 4e-4, 0, KL_K3, 0 },
	[RL_RLOO] = { RL_STD_LEAVE_ONE_OUT, MEAN_SEQUENCE, RATIO_SUM, 0.2, 0.2, 0, KL_K3, 0 },
	[RL_REINFORCE] = { RL_STD_NONE, MEAN_TOKEN, RATIO_NONE, 0, 0, 0, KL_K3, 0 },
	[RL_V32] = { RL_STD_NONE, MEAN_SEQUENCE, RATIO_TOKEN, 0.2, 0.2, 0.5, KL_RK3, 0 },
	[RL_PPO] = { RL_STD_NONE, MEAN_TOKEN, RATIO_TOKEN, 0.2, 0.2, 0, KL_K3, 0 },
};

const Setting *rl_settings_table(void)
{
	return table;
}

void rl_settings_default(RlSettings *s)
{
	memset(s, 0, sizeof *s);
	setting_defaults(table, s);
}

/* In neither table. */
static bool unknown(const char *name, Err *e)
{
	if (setting_named(table, name) || setting_named(settings_table(), name))
		return false;
	err_set(e, E_2101, "setting \"%s\": there is none of that name; `lathe help rl` and `lathe help train` list them", name);
	return true;
}

bool rl_settings_set(RlSettings *s, TrainSettings *t, const char *name, const char *value, Err *e)
{
	if (unknown(name, e))
		return false;
	if (setting_named(table, name))
		return setting_set(table, s, name, value, e);
	return settings_set(t, name, value, e);
}

bool rl_settings_change(RlSettings *s, TrainSettings *t, const char *name, const char *value, Err *e)
{
	const Setting *x = setting_named(table, name);
	if (unknown(name, e))
		return false;
	if (!x)
		return settings_change(t, name, value, e);
	if (!x->live)
		return err_set(e, E_2102, "setting %s cannot be changed while a run is going on", name);
	RlSettings next = *s;
	if (!setting_set(table, &next, name, value, e) || !rl_settings_check(&next, e))
		return false;
	*s = next;
	return true;
}

PolicyRule rl_rule(const RlSettings *s, double length)
{
	const Choice *c = &choice[s->algorithm];
	return (PolicyRule){ .ratio = s->ratio ? (PolicyRatio)(s->ratio - 1) : c->ratio,
		.mean = s->mean ? (PolicyMean)(s->mean - 1) : c->mean,
		.kl = s->kl_form ? (PolicyKl)(s->kl_form - 1) : c->kl,
		.low = s->clip_low < 0 ? c->low : s->clip_low,
		.high = s->clip_high < 0 ? c->high : s->clip_high,
		.dual = s->clip_dual,
		.beta = s->kl,
		.delta = s->delta < 0 ? c->delta : s->delta,
		.length = length };
}

RlStd rl_std(const RlSettings *s)
{
	return s->std ? (RlStd)(s->std - 1) : choice[s->algorithm].std;
}

double rl_beta(const RlSettings *s)
{
	return s->kl > s->kl_reward ? s->kl : s->kl_reward;
}

int64_t rl_fill(const RlSettings *s)
{
	return s->fill < 0 ? choice[s->algorithm].fill : s->fill;
}

bool rl_settings_check(const RlSettings *s, Err *e)
{
	if (s->algorithm != RL_PPO && s->group < 2)
		return err_set(e, E_2102, "setting group = %lld: a group's answers are compared with each other, so at least 2; only ppo does with 1",
			(long long)s->group);
	if (s->algorithm == RL_PPO && s->kl_reward > 0 && s->kl > 0)
		return err_set(e, E_2102, "settings kl and kl_reward: the distance counts either in the loss or in the reward, not in both");
	if (s->algorithm != RL_PPO && s->kl_reward > 0)
		return err_set(e, E_2102, "setting kl_reward is ppo's; `kl` is the weight in the loss");
	if (s->top_p <= 0)
		return err_set(e, E_2102, "setting top_p = 0: a number above 0, 1 for all tokens");
	if (s->prompts * s->group > 1 << 16)
		return err_set(e, E_2102, "settings prompts = %lld and group = %lld: at most %d answers an iteration", (long long)s->prompts,
			(long long)s->group, 1 << 16);
	return true;
}
