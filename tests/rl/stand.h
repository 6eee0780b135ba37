/* stand.h - a tiny model with a byte tokenizer and a task that it can learn in a few iterations: say the letter that was asked for. */
#ifndef TESTS_RL_STAND_H
#define TESTS_RL_STAND_H
#include "rl/rl.h"

typedef struct Stand { Tok *tok; TrainSettings ts; RlSettings s; RlTask task; Train *t; Rl *rl; int asked, judged; bool steps; } Stand;
/* Settings to begin with; the test changes some and calls stand_up. */
void stand_settings(Stand *k);
void stand_up(Stand *k, int threads);
void stand_down(Stand *k);
/* The next iteration; fails the test on an error. */
RlReport stand_iterate(Stand *k);
#endif
