/* attend_core.h - fused causal attention over any arrangement of heads: MHA, GQA, MQA, MLA naive, and MLA
 * absorbed, which is MQA over the latent. The logit is a sum of two products (un-rotated and rotary part), so
 * keys need not be joined.
 *
 * Bits of a result row depend on its position and its numbers alone: keys go in blocks of ATT_KEYS counted
 * from the start of the sequence, blocks in ranges of ATT_RANGE, online softmax within a range, ranges merged
 * in order. So decoding, a chunk of 7 and a prefill give the same bits, and so do any number of threads: the
 * tasks are (rows x one range). */
#ifndef OPS_ATTEND_CORE_H
#define OPS_ATTEND_CORE_H
#include "ops/op.h"

enum { ATT_KEYS = 64, ATT_RANGE = 512, ATT_ROWS = 64, ATT_TURNED_ROWS = 256, ATT_HEADS = 64 };

/* One operand: element c of head i in row r lies at p[r * ld + i * head + c]. */
typedef struct AttSide { const void *p; Dtype dtype; int64_t ld, head; } AttSide;
typedef struct AttOut { real *p; int64_t ld, head; } AttOut; /* p NULL: not wanted */

typedef struct AttCore {
	int H, group;           /* query heads; how many share a key head */
	int d1, d2, dv;         /* widths of the two parts of the logit (d2 may be 0) and of the value */
	real scale;
	bool turned; /* scores by way of turned keys (see att_turn), for narrow heads; q2 must follow q1 in each
					row */
	const Seq *seq;
	int n_seq;
	AttSide q1, q2, k1, k2, v; /* k2 is shared by all heads: head stride 0 */
	AttOut o;
	real *lse;              /* [T * H]: log of each row's softmax sum; NULL: not wanted */
} AttCore;

/* add_q false: q1 and q2 are set, not added to. */
typedef struct AttGrads { AttOut q1, q2, k1, k2, v; AttSide go; bool add_q; } AttGrads;

void att_forward(Tape *t, const AttCore *c);
/* Adds to the gradients that are wanted; needs c->lse, and c->o as forward left it. All operands must be
 * REAL. */
void att_backward(Tape *t, const AttCore *c, const AttGrads *g);
/* probs[row * H + head, key], padded with 0 to `width` keys; needs c->lse. */
void att_probs(Tape *t, const AttCore *c, real *probs, int64_t width);

/* Sequences must cover the T rows in order, and lie within the S keys, every row among its keys. */
bool att_seqs_fit(Tape *t, const Op *op, const Ten *q, const Ten *k, const Attend *a);
int64_t att_max_keys(const Attend *a);
/* A copy of the parameters that lives as long as the node. */
Attend *att_keep(Tape *t, const Attend *a);
/* The sequences of test cases, 0 <= i < 3: T rows over S keys with a past, two sequences, a long one. */
Attend att_case(int i, int H, int G, int *T, int *S);

/* Turns n rows of `width` columns, at most ATT_KEYS of them, times c: out[col * ATT_KEYS + row], so that
 * products with narrow heads run along keys and need no sums over lanes. Returns the matrix [width, n], n
 * rounded up to whole vectors that hold zeros. */
Mat att_turn(const AttSide *s, int64_t row, int64_t head, int64_t n, int64_t width, real c, real *out);

static inline const real *att_real(const AttSide *s, int64_t row, int64_t head)
{
	return (const real *)s->p + row * s->ld + head * s->head;
}

static inline real *att_out(const AttOut *s, int64_t row, int64_t head)
{
	return s->p + row * s->ld + head * s->head;
}

/* Rows [row, row+n) of one head as a matrix for gemm. */
static inline Mat att_mat(const AttSide *s, int64_t row, int64_t head, int64_t n, int64_t width)
{
	int64_t at = (row * s->ld + head * s->head) * (s->dtype == DT_BF16 ? 2 : (int64_t)sizeof(real));
	return (
		Mat){ .data = (const char *)s->p + at, .dtype = s->dtype, .rows = n, .cols = width, .stride = s->ld };
}
#endif
