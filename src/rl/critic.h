/* critic.h - PPO's value head: one linear layer on the state after the last norm, V = w h + b. It has an optimizer of its own and sends no
 * gradient into the policy; it begins as 0. */
#ifndef RL_CRITIC_H
#define RL_CRITIC_H
#include "train/train.h"

typedef struct RlCritic {
	Params p;                /* one flat array: w, then b */
	Param part[2];
	Ten w, b, gw, gb;
	int64_t updates;
} RlCritic;

bool rl_critic_open(RlCritic *c, int64_t hidden, Err *e);
void rl_critic_close(RlCritic *c);
real rl_critic_value(const RlCritic *c, const real *state);
/* Values of n states on the tape, [n,1]; the gradient ends at the head. */
Ten *rl_critic_forward(RlCritic *c, Tape *t, const Ten *state);
/* AdamW on the gradients that are there, with the moments' decays of s, no weight decay. E_6101: not finite. */
bool rl_critic_update(RlCritic *c, Tape *t, const TrainSettings *s, double lr, Err *e);
#endif
