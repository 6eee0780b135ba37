/* tensor.h - shape + data + name. A Ten never owns its data: weights live in a mapped file or a perm
 * arena, activations in the tape's step arena. Rank 0..8, row-major; only the row stride of the last two
 * dimensions may exceed the width (views). */
#ifndef TENSOR_TENSOR_H
#define TENSOR_TENSOR_H
#include "base/arena.h"
#include "base/buf.h"
#include "num/gemm.h"

enum { TEN_MAXRANK = 8 };
struct Node;
struct Scope;

typedef struct Ten {
	const char *name;           /* own name ("c_KV"), or the full tensor name for a weight */
	const struct Scope *scope;  /* where it was named ("layers.3.attn"); NULL for weights */
	Dtype dtype;
	int rank;
	int64_t shape[TEN_MAXRANK];
	int64_t stride;             /* elements between rows: shape[rank-1] unless a column view */
	void *data;
	const float *scale;         /* FP8 block scales or NULL */
	int64_t scale_stride;
	struct Ten *grad;           /* gradient (REAL, dense) or NULL */
	struct Node *node;          /* the op that made it; NULL: a leaf */
	bool needs_grad;
} Ten;

/* rows = product of all but the last dimension (1 for rank 0), cols = last dimension (1 for rank 0). */
int64_t ten_rows(const Ten *x);
int64_t ten_cols(const Ten *x);
int64_t ten_count(const Ten *x);
Mat ten_mat(const Ten *w);                     /* as a matrix for gemm: [rows, cols] */
real *ten_real(const Ten *x);                  /* data as real; BUG unless dtype is REAL_DTYPE */
/* Copies rows [row, row + n_rows) to real, expanding dtype and scales: dst is dense, [n_rows, cols].
 * Whole-byte types only. */
void ten_read(const Ten *x, int64_t row, int64_t n_rows, real *dst);
/* "c_KV[40x24]" */
void ten_describe(const Ten *x, Buf *out);
Ten ten_wrap(Dtype d, void *data, int rank, const int64_t *shape, const char *name);

/* Of the finite values; std is that of the population. All zero for a tensor without finite values. */
typedef struct TenStat { double min, max, mean, std, rms; int64_t zeros, nans, infs; } TenStat;
TenStat ten_stat(const Ten *x);
#endif
