/* verify_rl_parts.h - what the two files of verify_rl*.c share: stored tensors as numbers, and one comparison after the other. */
#ifndef ENGINE_VERIFY_RL_PARTS_H
#define ENGINE_VERIFY_RL_PARTS_H
#include "base/arena.h"
#include "engine/verify_rl.h"
#include "ops/ops.h"
#include "tensor/st.h"

typedef struct RlCheck {
	St *st;
	const char *file;        /* its name, in front of each case */
	json_t *settings;
	Arena *a;
	int N, T;                /* answers, and tokens of the longest */
	Cases *out;
	Err *e;
} RlCheck;

/* Of settings; the fallback when it is not there. */
double check_setting(const RlCheck *k, const char *name, double fallback);
const char *check_word(const RlCheck *k, const char *name);   /* "" when it is not there */
/* The n numbers of an entry in the check's arena, F32, I64 or U8 alike; NULL + error: missing, or of another size. n -1: any. */
double *check_numbers(const RlCheck *k, const char *name, int64_t n);
bool check_has(const RlCheck *k, const char *name);
/* |own - stored| <= atol + rtol max|stored| at every element. False: the stored ones cannot be read. */
bool check_same(RlCheck *k, const char *name, const double *own, int64_t n, double atol, double rtol);
/* As in check_same with the tolerance of gradients: 1e-6 max(1, max|stored|). */
bool check_gradient_like(RlCheck *k, const char *name, const double *own, int64_t n);

/* The policy loss that the settings describe. */
bool check_rule(const RlCheck *k, PolicyRule *r);
/* Checks advantages of `rewards` in their groups; NULL: error. [N] */
double *check_advantages(RlCheck *k);

/* Answers' counted tokens one behind the other. */
typedef struct RlTokens { int64_t n; int32_t *first, *at /* [n]: place in [N,T] */; } RlTokens;
bool check_tokens(RlCheck *k, RlTokens *x);
/* loss, kl, clip fractions and dropped answers. */
bool check_loss_stats(RlCheck *k, const PolicyRule *r, double loss, const PolicyStats *s, double atol);

/* verify_rl_policy.c */
bool verify_rl_policy(const char *dir, int threads, Cases *out, Err *e);
#endif
