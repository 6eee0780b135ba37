/* rl_watch.h - what an iteration of reinforcement learning tells those who watch the run: curves, and one group of answers in full. Topics
 * rl.* are in lathe-probes(7). */
#ifndef ENGINE_RL_WATCH_H
#define ENGINE_RL_WATCH_H
#include "engine/train_watch.h"
#include "rl/rl.h"

/* After each iteration, or an evaluation before the first one. eta: seconds to the last iteration. */
void rl_watch_tell(TrainWatch *w, Rl *r, const RlReport *x, double eta);
#endif
