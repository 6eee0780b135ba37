/* ops.h - the table of contents of the engine: every op, its equation, its shapes.
 *
 * T tokens (rows), h hidden, H heads, E experts, K experts per token. All activations are REAL rows;
 * weights are as stored (any dtype), [out, in] row-major. Every function returns NULL once the tape has
 * failed. Gradients flow to every REAL input and weight unless the line says otherwise. */
#ifndef OPS_OPS_H
#define OPS_OPS_H
#include "tape/tape.h"

/* --- sums, views --- */
Ten *add(Tape *t, Ten *a, Ten *b);                         /* y = a + b                            [T,h] */
Ten *mul(Tape *t, Ten *a, Ten *b);                         /* y = a * b elementwise                [T,h] */
Ten *divide(Tape *t, Ten *a, Ten *b);                      /* y = a / b elementwise                [T,h] */
Ten *scale(Tape *t, Ten *a, real c);                       /* y = c a                              [T,h] */
Ten *add_row(Tape *t, Ten *x, Ten *b);                     /* y = x + b, b one row for all         [T,h] */
Ten *mul_row(Tape *t, Ten *x, Ten *b);                     /* y = x * b, b one row for all         [T,h] */
Ten *total(Tape *t, Ten *x);                               /* y = the sum of all numbers           [1,1] */
Ten *transpose(Tape *t, Ten *x);                           /* y_ji = x_ij, a copy                  [h,T] */
/* each number by itself */
Ten *exp_each(Tape *t, Ten *x);
Ten *log_each(Tape *t, Ten *x);
Ten *tanh_each(Tape *t, Ten *x);
Ten *relu(Tape *t, Ten *x);                                /* y = max(x, 0); no gradient at 0 */
Ten *silu(Tape *t, Ten *x);                                /* y = x / (1 + exp(-x)) */
Ten *cols(Tape *t, Ten *x, int64_t from, int64_t n);       /* y = x[:, from:from+n], a view        [T,n] */
Ten *rows(Tape *t, Ten *x, int64_t from, int64_t n);       /* y = x[from:from+n, :], a view        [n,h] */
Ten *concat(Tape *t, Ten *a, Ten *b);                      /* y = [a ; b] along columns      [T,h_a+h_b] */
/* y_i = x[row_i] (last positions, MTP shifts); row is copied                                       [n,h] */
Ten *pick(Tape *t, Ten *x, const int32_t *row, int64_t n);

/* --- weights --- */
Ten *embed(Tape *t, Ten *W, const int32_t *id, int64_t n); /* y_i = W[id_i]; E_2003: not an id     [n,h] */
Ten *linear(Tape *t, Ten *x, Ten *W);                      /* y = x W^T; recipe applies          [T,out] */
Ten *linear_bias(Tape *t, Ten *x, Ten *W, Ten *b);         /* y = x W^T + b; b may be NULL       [T,out] */
Ten *rmsnorm(Tape *t, Ten *x, Ten *g, double eps);         /* y = g x / sqrt(mean x^2 + eps), each row   */
Ten *swiglu(Tape *t, Ten *gate, Ten *up);                  /* y = silu(gate) * up                        */
Ten *sigmoid(Tape *t, Ten *x);                             /* y = 1 / (1 + exp(-x))                      */
Ten *softmax(Tape *t, Ten *x);                             /* over the last dimension                    */

/* --- rotary positions (mla.md 4, 5) --- */
typedef struct RopeTable {
	int d;                  /* numbers rotated: d/2 pairs */
	int n_pos, start;       /* positions start .. start + n_pos - 1 */
	bool half;              /* pairs (i, i + d/2), not (2i, 2i + 1) */
	const real *cos, *sin;  /* [n_pos, d/2] */
} RopeTable;
/* Rotates columns [from, from+d) of each of H heads of width `width` in every row, at position pos[row].
 * Neighbouring pairs (2i, 2i+1), or (i, i+d/2) when table->half. Other columns are copied. */
Ten *rope(Tape *t, Ten *x, int H, int width, int from, const int32_t *pos, const RopeTable *table);

/* --- attention over batches of sequences --- */
typedef struct Seq {
	int row0, rows;         /* of q */
	int key0, keys;         /* of the key tensors; the last `rows` keys are these rows themselves */
} Seq;
typedef struct Attend {
	/* query heads, key heads (MHA: G = H, GQA, MQA: G = 1); head i uses key head i / (H/G) */
	int H, G;
	/* per-head key width, shared rotary key width (0: none), value width. q is [T, H*(d_k+d_r)] */
	int d_k, d_r, d_v;
	/* columns from one head to the next in k and v (MLA: both d_k+d_v, k and v being views of kv) */
	int k_width, v_width;
	double scale;           /* of the whole logit */
	const Seq *seq;
	int n_seq;
} Attend;
/* o = softmax_s<=t(scale (q_C k_C + q_R k_R)) v, causal by position in the sequence. Fused; k_R NULL when
 * d_r = 0. [T,H*d_v] */
Ten *attend(Tape *t, Ten *q, Ten *k, Ten *k_R, Ten *v, const Attend *a);
/* The same in three, for hooks on scores and probs (padded with 0 past a row's keys): scores, probs
 * [T*H, max keys]. */
Ten *attend_scores(Tape *t, Ten *q, Ten *k, Ten *k_R, const Attend *a);
Ten *attend_probs(Tape *t, Ten *scores, const Attend *a);
Ten *attend_values(Tape *t, Ten *probs, Ten *v, const Attend *a);
/* Absorbed MLA, the latent as the one key and value of all heads (mla.md 7):
 * q~_i = W_UK,i^T q_C,i ; o_i = W_UV,i sum_s a_i(s) c_KV(s).  [T,H*d_v]
 * W_UKV [H*(d_k+d_v), r], c_KV [S,r] (REAL or BF16), k_R [S,d_r]. probs_out, when not NULL, receives
 * [T*H, max keys]. */
Ten *attend_latent(Tape *t, Ten *q, Ten *c_KV, Ten *k_R, Ten *W_UKV, const Attend *a, Ten **probs_out);

/* --- router (moe.md 3, 4) --- */
typedef struct RouteRule {
	int E, K, n_group, topk_group;
	bool group_top2;        /* V3: a group counts by the sum of its two best; V2: by its best */
	bool normalise;         /* weights divided by their sum (+1e-20) */
	double scale;           /* routed_scaling_factor */
} RouteRule;
/* Which experts: the K best of scores + bias (bias may be NULL) within the topk_group best groups;
 * excluded = -inf; ties to the lower id; ascending by id. I32 [T,K]. Not differentiable. group_sum
 * [T,n_group] and group_kept I32 [T,n_group] are by-products (pass NULL when nobody looks). */
Ten *route_choose(Tape *t, Ten *scores, Ten *bias, const RouteRule *r, Ten **group_sum, Ten **group_kept);
/* w_i = scale s_i / (sum_S s + 1e-20), or scale s_i. Gradient flows to scores, not through the choice.
 * [T,K] */
Ten *route_weights(Tape *t, Ten *scores, Ten *topk, const RouteRule *r);

/* Token copies sorted by expert: rows of expert e are [offset[e], offset[e+1]). Within an expert,
 * ascending by token. */
typedef struct Dispatch {
	int E, K;
	int64_t T;
	int64_t *offset;        /* [E+1] */
	int32_t *token;         /* [T*K]: of each sorted row */
	int32_t *slot;          /* [T*K]: the sorted row of a token's k-th choice */
} Dispatch;
const Dispatch *dispatch_plan(Tape *t, Ten *topk, int E);
Ten *dispatch(Tape *t, Ten *x, const Dispatch *d); /* y_j = x[token_j]  [T*K,h] */
/* Rows of expert e times W[e]; recipe applies.  [T*K,out] */
Ten *linear_grouped(Tape *t, Ten *x, Ten *const *W, const Dispatch *d);
/* out_t = sum_k w_tk y[slot_tk], k ascending.  [T,h] */
Ten *combine(Tape *t, Ten *y, Ten *w, const Dispatch *d);

/* --- losses, [1,1] --- */
/* y = -1/norm sum_t log softmax(z_t)[label_t] over rows with label >= 0; labels are copied. */
Ten *cross_entropy(Tape *t, Ten *z, const int32_t *label, double norm);
/* y = sum_q sum_i coef_qi P_qi: P_qi the mean over the rows of sequence q of expert i's share of the scores [T,E]; share: divide a row by
 * its sum first (sigmoid gate). coef [n_seq,E], copied. */
Ten *balance(Tape *t, Ten *scores, const real *coef, const Seq *seq, int n_seq, bool share);

/* --- reinforcement learning (rl.md 1, 2, 6) --- */
/* y_t = log softmax(z_t / temperature)[id_t], among the columns with keep[t, v] != 0 (NULL: all); ids and keep are copied. [n,1] */
Ten *token_logp(Tape *t, Ten *z, const int32_t *id, double temperature, const uint8_t *keep);

/* r: of each token; one for all tokens of an output, exp of the mean or the sum of ln r (GSPO, RLOO); or no ratio, -A l (REINFORCE). */
typedef enum PolicyRatio { RATIO_TOKEN, RATIO_MEAN, RATIO_SUM, RATIO_NONE } PolicyRatio;
/* Mean over outputs of the mean over an output's tokens; over all tokens alike; sum / (outputs * length). */
typedef enum PolicyMean { MEAN_SEQUENCE, MEAN_TOKEN, MEAN_CONSTANT } PolicyMean;
/* Estimates of KL(policy || reference): with u = exp(l_ref - l): -ln u, (ln u)^2 / 2, u - ln u - 1, and r times that (V3.2: unbiased). */
typedef enum PolicyKl { KL_K1, KL_K2, KL_K3, KL_RK3 } PolicyKl;
typedef struct PolicyRule {
	PolicyRatio ratio;
	PolicyMean mean;
	PolicyKl kl;
	double low, high;       /* r is cut at 1 - low and 1 + high */
	double dual;            /* with A < 0 no token costs more than dual |A|; 0: no such limit */
	double beta;            /* weight of the KL estimate */
	double delta;           /* outputs with mean ln(1/r) above it lose their tokens with A < 0 (V3.2); 0: none do */
	double length;          /* MEAN_CONSTANT */
} PolicyRule;
/* The tokens of n_out outputs one behind the other: output i has [first[i], first[i+1]). */
typedef struct PolicyTokens {
	int n_out;
	const int32_t *first;   /* [n_out + 1] */
	const real *old, *ref;  /* [n] log-probabilities; old NULL with RATIO_NONE, ref NULL: no KL */
	const real *advantage;  /* [n] */
	double outputs, tokens; /* of the whole step, which may come in parts: what means are divided by */
	uint8_t *kept;          /* [n_out], set: 0 where an output was dropped for its drift; may be NULL */
} PolicyTokens;
/* Adds up: counts of tokens and outputs, sums over tokens, the greatest |ln r|. */
typedef struct PolicyStats {
	double tokens, outputs, cut_low, cut_high, outputs_cut, masked, kl_sum, ln_r_sum, ln_r_most;
} PolicyStats;
/* y = the mean of -min(r A, clip(r) A) + beta KL over the tokens; logp [n,1]. stats may be NULL and must live until the op is done. */
Ten *policy_loss(Tape *t, Ten *logp, const PolicyRule *r, const PolicyTokens *x, PolicyStats *stats);
typedef struct ValueStats { double outside, clipped; } ValueStats; /* tokens with |V - V_old| > eps; where the clipped part is greater */
/* y = 1/(2 norm) sum_t max((V - ret)^2, (clip(V, old - eps, old + eps) - ret)^2); V [n,1]; old NULL or eps 0: no clipping. */
Ten *value_loss(Tape *t, Ten *v, const real *old, const real *ret, double eps, double norm, ValueStats *stats);

/* --- the table: every op above, for the gradient check, `lathe help ops` and Lua --- */
extern const Op *const op_table[];   /* NULL-terminated */
#endif
