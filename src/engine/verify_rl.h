/* verify_rl.h - losses of reinforcement learning against stored values of other implementations: one file of log-probabilities, rewards,
 * losses and gradients (format lathe-rl-1), or a folder with a checkpoint and sampled answers (lathe-rl-policy-1). */
#ifndef ENGINE_VERIFY_RL_H
#define ENGINE_VERIFY_RL_H
#include "engine/cases.h"
/* False: it cannot be read or run. The result is freed by cases_done. */
bool verify_rl(const char *path, int threads, Cases *out, Err *e);
#endif
