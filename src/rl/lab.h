/* lab.h - the inside of a run, for the files rl.c, learn.c and keep.c only. */
#ifndef RL_LAB_H
#define RL_LAB_H
#include "rl/policy.h"
#include "rl/rl.h"

struct Rl {
	Train *t;
	RlSettings s;
	RlTask task;
	RlRoutes routes;
	RlCritic critic;         /* ppo */
	real *ref, *aside;       /* the reference's weights; those of the policy while it is at work */
	Arena *a;                /* of one iteration */
	RlSample *sample;        /* [prompts * group] */
	uint64_t *problem;       /* [prompts]: of each group */
	int n, group;
};

/* --- learn.c: what the answers teach --- */
/* Rewards are there. Advantages, reference, updates; adds to the report. */
bool rl_learn(Rl *r, RlReport *out, Err *e);
double rl_length(const Rl *r);                   /* tokens that an answer may take */

/* --- keep.c: what a checkpoint has beside the training run's own --- */
void rl_keep(Rl *r);
#endif
