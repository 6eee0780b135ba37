/* settings.h - everything about reinforcement learning that is a number or a word, beside the settings of training (train/settings.h):
 * the same names in a configuration file, in --set, in a change while running, and in what a checkpoint keeps.
 *
 * An algorithm is a set of choices; each of them can be made by itself ("auto": as the algorithm has it). */
#ifndef RL_SETTINGS_H
#define RL_SETTINGS_H
#include "ops/ops.h"
#include "rl/advantage.h"
#include "train/settings.h"

typedef enum RlAlgorithm { RL_GRPO, RL_DR_GRPO, RL_DAPO, RL_GSPO, RL_RLOO, RL_REINFORCE, RL_V32, RL_PPO } RlAlgorithm;

typedef struct RlSettings {
	int64_t algorithm;                     /* RlAlgorithm */
	int64_t iterations, prompts, group, epochs, updates, max_new;
	double temperature, top_p;
	int64_t top_k, keep_sampling, keep_routing;
	int64_t std, mean, ratio;              /* 0: auto; else 1 + RlStd, PolicyMean, PolicyRatio */
	double clip_low, clip_high, clip_dual; /* -1: auto */
	double kl, delta;                      /* beta; -1: auto */
	int64_t kl_form;                       /* 0: auto; else 1 + PolicyKl */
	int64_t ref_every, fill;
	double format;                         /* of the reward that is used when the file has none */
	int64_t overlong;
	double discount, gae, kl_reward, value_lr, value_clip;
	int64_t value_alone, whiten;           /* value_alone: iterations in which the policy stands still */
	int64_t eval_n, eval_some;
} RlSettings;

const Setting *rl_settings_table(void);
void rl_settings_default(RlSettings *s);
/* E_2101, E_2102 as in train/settings.h. A name of either table; rl's first. */
bool rl_settings_set(RlSettings *s, TrainSettings *t, const char *name, const char *value, Err *e);
bool rl_settings_change(RlSettings *s, TrainSettings *t, const char *name, const char *value, Err *e);

/* What the settings come to. length: max_new. */
PolicyRule rl_rule(const RlSettings *s, double length);
RlStd rl_std(const RlSettings *s);
double rl_beta(const RlSettings *s);            /* greater than 0: log-probabilities of the reference are needed */
int64_t rl_fill(const RlSettings *s);           /* how often groups without a difference are drawn again */
/* Settings that are right one by one and not together: E_2102. */
bool rl_settings_check(const RlSettings *s, Err *e);
#endif
