/* rollout.h - answers of the policy that is being trained to many problems at once. */
#ifndef RL_ROLLOUT_H
#define RL_ROLLOUT_H
#include "rl/critic.h"
#include "rl/route.h"
#include "train/train.h"

typedef struct RlPrompt { const int32_t *id; int n; } RlPrompt;
/* `group` answers to each of n prompts, at most max_new tokens each: out[n * group], prompt by prompt. A prompt is read once for its whole
 * group; an answer that has ended leaves the batch. The arrays lie in a. What is drawn depends on neither company nor threads.
 * critic: gives the values, when d asks for them. */
bool rl_rollout(Train *t, RlRoutes *routes, const RlCritic *critic, const RlDraw *d, const RlPrompt *prompt, int n, int group, int max_new,
	Arena *a, RlSample *out, Err *e);
#endif
