/* policy.h - the policy as training sees it: the log-probabilities of answers' tokens, with the whole texts in one forward. */
#ifndef RL_POLICY_H
#define RL_POLICY_H
#include "rl/route.h"
#include "train/train.h"

/* How log-probabilities are to be understood: the conditions under which the tokens were drawn. */
typedef struct RlView { double temperature; bool keep_sampling, keep_routing; } RlView;

/* The forward of n samples, on the run's tape until its next reset. */
typedef struct RlPass {
	int n_out;
	int32_t *first;          /* [n_out + 1]: tokens of each answer among all */
	int64_t n;               /* tokens */
	Ten *state;              /* [n,h] after the last norm, before each of these tokens */
	Ten *logp;               /* [n,1] */
} RlPass;

/* Resets the tape; records for gradients if asked to. False: E_6xxx or memory. */
bool rl_policy_forward(Train *t, RlRoutes *routes, const RlView *v, RlSample *const *s, int n, bool record, RlPass *out, Err *e);
/* How many of the samples, from the first on, make a forward of a bearable size; at least one. */
int rl_policy_part(RlSample *const *s, int n);
/* The rows of a forward: tokens of the texts but the last of each. */
int64_t rl_policy_rows(RlSample *const *s, int n);
#endif
