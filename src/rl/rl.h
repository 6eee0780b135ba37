/* rl.h - reinforcement learning of a policy from rewards: roll-outs, rewards, advantages, updates. One iteration is a function of what the
 * run holds and of (settings, iteration), so a run that goes on from a checkpoint is the unbroken run, to the bit.
 *
 * The counter of iterations is the training run's step; its settings `steps` follow `iterations`, and its correction biases stand still. */
#ifndef RL_RL_H
#define RL_RL_H
#include "rl/rollout.h"
#include "rl/settings.h"

/* What is known of an answer when it is judged. */
typedef struct RlAnswer { const char *text; size_t n; int64_t length; bool ended; } RlAnswer;
/* Process supervision: the score of a step that ends behind byte `end` of the text. */
typedef struct RlStep { size_t end; double score; } RlStep;
enum { RL_STEPS = 64 };
typedef struct RlVerdict {
	bool right, answered, rewarded;
	double reward;           /* when rewarded: the task's own */
	int n_steps;             /* 0: the outcome alone counts; else the steps' scores make the advantages */
	RlStep step[RL_STEPS];
} RlVerdict;
/* Problems: the i-th of each split, the same whenever it is asked for. Training never sees those held out. */
typedef struct RlTask {
	bool (*ask)(void *ud, Split split, uint64_t i, const char **prompt, size_t *n, Err *e);
	bool (*judge)(void *ud, Split split, uint64_t i, const RlAnswer *a, RlVerdict *v, Err *e);
	int64_t max_new;
	void *ud;
} RlTask;

/* What an iteration reports; NAN: there is no such number. Means over all answers that were drawn first, or over their tokens. */
typedef struct RlReport {
	int64_t iter;
	double reward, accuracy, answered, ended, length, entropy;
	double degenerate;       /* share of groups with equal rewards */
	double used;             /* share of answers that sent a gradient */
	double kl;               /* mean k3 estimate to the reference: of all tokens with a KL weight, else of the first group's */
	double clip, clip_low, clip_high, masked, value_loss, grad_norm, lr;
	double ln_r_first, ln_r; /* greatest |ln r| of the first update: 0 when sampling and training agree; mean of all updates */
	double eval, eval_length; /* share of right answers to eval_n held-out problems at temperature 1 */
	int64_t eval_n, tokens, updates; /* tokens: generated in this iteration */
	double tok_per_s;        /* generated, by the time of all of the iteration */
	double seconds, rollout_s, reward_s, update_s, eval_s;
} RlReport;

typedef struct Rl Rl;
/* Takes t and the task by reference; the settings of t are made to fit. */
Rl *rl_new(Train *t, const RlSettings *s, const RlTask *task, Err *e);
void rl_free(Rl *r);
/* False: E_6101, E_6102, errors of the task, memory. */
bool rl_iterate(Rl *r, RlReport *out, Err *e);
/* Answers to the first n held-out problems: sets eval, eval_n, eval_length, eval_s. The draws are the same each time. */
bool rl_eval(Rl *r, int64_t n, RlReport *out, Err *e);
/* A report without numbers, of the iterations so far. */
RlReport rl_report_empty(const Rl *r);
RlSettings *rl_settings(Rl *r);
Train *rl_train(Rl *r);
/* The last iteration's answers, prompt by prompt, until the next one; *n 0 before the first. */
const RlSample *rl_samples(const Rl *r, int *n);
#endif
