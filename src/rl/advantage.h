/* advantage.h - how much better an answer was than was to be expected: against its group (GRPO and kin), or against a learned value (PPO).
 * Plain numbers in, plain numbers out; rl.md 2 to 4. */
#ifndef RL_ADVANTAGE_H
#define RL_ADVANTAGE_H
#include <stdbool.h>
#include <stdint.h>

/* R - mean; that by the group's standard deviation + 1e-4, of n or of n - 1; R - mean of the others. */
typedef enum RlStd { RL_STD_NONE, RL_STD_POPULATION, RL_STD_SAMPLE, RL_STD_LEAVE_ONE_OUT } RlStd;

/* advantage[i] of n answers with reward[i] in group[i] (any numbers, in any order). A group whose rewards are all equal gets zeros;
 * the result is how many of these there are, *groups how many in all (may be NULL). */
int rl_group_advantages(const double *reward, const int64_t *group, int n, RlStd std, double *advantage, int *groups);
/* Process supervision: step scores of n answers of T tokens, score[n, T] where end[n, T] is not 0. All scores of a group are normalised
 * together (population + 1e-4); a token's advantage is the sum over the steps that end at it or later. */
void rl_step_advantages(const double *score, const double *end, const int64_t *group, int n, int T, double *advantage);
/* One answer of n tokens: reward and value of each; the value behind the end is 0. ret = advantage + value. */
void rl_gae(const double *reward, const double *value, int64_t n, double discount, double lambda, double *advantage, double *ret);
/* (A - mean) / sqrt(var + 1e-8), var of n - 1. */
void rl_whiten(double *advantage, int64_t n);
#endif
