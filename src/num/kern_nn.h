/* kern_nn.h - gemm_nn and gemm_tn of one task: d[m][k] (+)= sum over n of g(m, n) W[n][k], n ascending, one chain per element
 * that starts from zero or from d. Included by kern.c only.
 *
 * Vectors run along k, so an element's bits cannot depend on the tile. A tile keeps its part of d in registers over a block of
 * n, and waits in d itself between blocks. Many rows of d: the block of W is copied (or expanded) to scratch first. */
#ifndef NUM_KERN_NN_H
#define NUM_KERN_NN_H
#include "num/kern_vec.h"

#if KERN_WIDE || defined(KERN_EMU512)
enum { NN_STRIP = 6, NN_WIDE = 4 };
#define EACH_NN(X) X(1, 8) X(1, 4) X(1, 2) X(1, 1) X(2, 8) X(2, 4) X(2, 2) X(2, 1) X(3, 4) X(3, 2) X(3, 1) X(4, 4) X(4, 2) X(4, 1) \
	X(5, 4) X(5, 2) X(5, 1) X(6, 4) X(6, 2) X(6, 1)
static const int NN_COLS[NN_STRIP + 1] = { 0, 8, 8, 4, 4, 4, 4 };
#elif !KERN_X86
enum { NN_STRIP = 2, NN_WIDE = 2 };
#define EACH_NN(X) X(1, 2) X(1, 1) X(2, 2) X(2, 1)
static const int NN_COLS[NN_STRIP + 1] = { 0, 2, 2 };
#else
enum { NN_STRIP = 6, NN_WIDE = 2 };
#define EACH_NN(X) X(1, 8) X(1, 4) X(1, 2) X(1, 1) X(2, 4) X(2, 2) X(2, 1) X(3, 4) X(3, 2) X(3, 1) X(4, 2) X(4, 1) X(5, 2) X(5, 1) \
	X(6, 2) X(6, 1)
static const int NN_COLS[NN_STRIP + 1] = { 0, 8, 4, 4, 2, 2, 2 };
#endif
/* Direct blocks have few rows of W, whose lines at one k share a cache set when the stride is a power of two. */
enum { NN_DIRECT_ROWS = 8, NN_DIRECT_BLOCK = 8, NN_BLOCK = 128, NN_SPAN = 192, NN_PITCH = NN_SPAN + 16 };

typedef struct NnTile {
	const char *g;          /* g(m, n) at g + m * g_row + n * g_red bytes */
	int64_t g_row, g_red;
	const char *w;
	int64_t w_row;          /* bytes */
	int64_t n;
	real *d;
	int64_t ldd;
	bool zero;              /* start from zero rather than from d */
} NnTile;

INLINE real g_at(const NnTile *t, int64_t m, int64_t n)
{
	real v;
	memcpy(&v, t->g + m * t->g_row + n * t->g_red, sizeof v);
	return v;
}

INLINE void nn_run(bool bf16, int mr, int nv, const NnTile *t)
{
	V acc[24];
	UNROLL
	for (int i = 0; i < mr * nv; i++)
		acc[i] = t->zero ? v_set(0) : v_load(t->d + (i / nv) * t->ldd + (i % nv) * VL);
	const char *row = t->w;
	for (int64_t n = 0; n < t->n; n++, row += t->w_row) {
		V w[8];
		UNROLL
		for (int j = 0; j < nv; j++)
			w[j] = bf16 ? v_load_bf16(row + (size_t)j * 2 * VL) : v_load(row + (size_t)j * sizeof(V));
		UNROLL
		for (int r = 0; r < mr; r++) {
			V g = v_set(g_at(t, r, n));
			UNROLL
			for (int j = 0; j < nv; j++)
				acc[r * nv + j] = v_fma(g, w[j], acc[r * nv + j]);
		}
	}
	UNROLL
	for (int i = 0; i < mr * nv; i++)
		v_store(t->d + (i / nv) * t->ldd + (i % nv) * VL, acc[i]);
}

#define NN_FN(mr, nv) \
	static void nn_real_##mr##_##nv(const NnTile *t) { nn_run(false, mr, nv, t); } \
	static void nn_bf16_##mr##_##nv(const NnTile *t) { nn_run(true, mr, nv, t); }
EACH_NN(NN_FN)
#define NN_ROW(mr, nv) [mr][nv] = { nn_real_##mr##_##nv, nn_bf16_##mr##_##nv },
static void (*const NN_TILES[NN_STRIP + 1][9][2])(const NnTile *) = { EACH_NN(NN_ROW) };

/* The last columns, fewer than a vector: the same chains on padded copies. */
static void nn_edge(bool bf16, int mr, int64_t cols, const NnTile *t)
{
	for (int r = 0; r < mr; r++) {
		real *d = t->d + r * t->ldd;
		V acc = t->zero ? v_set(0) : v_load_part(d, cols, 0);
		for (int64_t n = 0; n < t->n; n++) {
			const char *row = t->w + n * t->w_row;
			uint16_t h[VL] = { 0 };
			if (bf16)
				memcpy(h, row, (size_t)cols * 2);
			V w = bf16 ? v_load_bf16(h) : v_load_part(row, cols, 0);
			acc = v_fma(v_set(g_at(t, r, n)), w, acc);
		}
		v_store_part(d, acc, cols);
	}
}

/* A strip of mr rows over `cols` columns. */
static void nn_strip(bool bf16, int mr, int64_t cols, NnTile t)
{
	const size_t elem = bf16 ? 2 : sizeof(real);
	for (int nv = NN_COLS[mr]; nv > 0; nv /= 2)
		for (; cols >= nv * VL; cols -= nv * VL) {
			NN_TILES[mr][nv][bf16](&t);
			t.d += nv * VL;
			t.w += (size_t)nv * VL * elem;
		}
	if (cols)
		nn_edge(bf16, mr, cols, &t);
}

/* All rows of d over columns [k, k + cols), with a block of n rows of W that begins at t->w. */
static void nn_block(const NnTask *task, bool bf16, int64_t k, int64_t cols, int64_t n0, NnTile t)
{
	const int64_t strips = (task->M + NN_STRIP - 1) / NN_STRIP;
	const size_t elem = bf16 ? 2 : sizeof(real);
	t.zero = n0 == 0 && !(task->flags & GEMM_ACC);
	const int64_t width = task->M > NN_DIRECT_ROWS ? NN_WIDE * VL : cols; /* a column of W stays in L1 over the strips */
	for (int64_t c = 0; c < cols; c += width)
		for (int64_t i = 0, row = 0; i < strips; i++) {
			int mr = (int)((task->M + i) / strips);
			t.g = (const char *)(task->g + row * task->g_row + n0 * task->g_red);
			NnTile part = t;
			part.d = task->d + row * task->ldd + k + c;
			part.w = t.w + (size_t)c * elem;
			nn_strip(bf16, mr, cols - c < width ? cols - c : width, part);
			row += mr;
		}
}

static void nn_zero(const NnTask *t)
{
	if (!(t->flags & GEMM_ACC))
		for (int64_t m = 0; m < t->M; m++)
			memset(t->d + m * t->ldd + t->k0, 0, (size_t)(t->k1 - t->k0) * sizeof(real));
}

static void nn_direct(const NnTask *t, NnTile tile)
{
	const bool bf16 = t->W->dtype == DT_BF16;
	const size_t elem = dtype_bits(t->W->dtype) / 8;
	tile.w_row = t->W->stride * (int64_t)elem;
	for (int64_t n = 0; n < t->W->rows; n += NN_DIRECT_BLOCK) {
		tile.n = t->W->rows - n < NN_DIRECT_BLOCK ? t->W->rows - n : NN_DIRECT_BLOCK;
		tile.w = (const char *)t->W->data + (size_t)(n * t->W->stride + t->k0) * elem;
		nn_block(t, bf16, t->k0, t->k1 - t->k0, n, tile);
	}
}

static void nn_copied(const NnTask *t, NnTile tile)
{
	real *w = t->scratch;
	tile.w = t->scratch;
	tile.w_row = NN_PITCH * (int64_t)sizeof(real);
	for (int64_t k = t->k0; k < t->k1; k += NN_SPAN) {
		int64_t cols = t->k1 - k < NN_SPAN ? t->k1 - k : NN_SPAN;
		for (int64_t n = 0; n < t->W->rows; n += NN_BLOCK) {
			tile.n = t->W->rows - n < NN_BLOCK ? t->W->rows - n : NN_BLOCK;
			for (int64_t i = 0; i < tile.n; i++)
				row_expand(t->W, n + i, k, cols, w + i * NN_PITCH);
			nn_block(t, false, k, cols, n, tile);
		}
	}
}

static void nn(const NnTask *t)
{
	NnTile tile = { .g_row = t->g_row * (int64_t)sizeof(real), .g_red = t->g_red * (int64_t)sizeof(real), .ldd = t->ldd };
	if (t->W->rows == 0)
		nn_zero(t);
	else if (t->M <= NN_DIRECT_ROWS && (t->W->dtype == REAL_DTYPE || t->W->dtype == DT_BF16))
		nn_direct(t, tile);
	else
		nn_copied(t, tile);
}
#endif
