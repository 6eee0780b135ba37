/* kern_nn.h - gemm_nn and gemm_tn of one task: d[m][k] (+)= sum over n of g(m, n) W[n][k], n ascending, one chain per element
 * that starts from zero or from d. Included by kern.c only.
 *
 * Vectors run along k, so an element's bits cannot depend on the tile. A tile keeps its part of d in registers over a block of
 * n, and waits in d itself between blocks. Many rows of d: columns of W go through scratch, a panel of one tile's width at a
 * time, which stays in L1 while all strips of g pass by; a g that lies across (gemm_tn) is laid out strip by strip before. */
#ifndef NUM_KERN_NN_H
#define NUM_KERN_NN_H
#include "num/kern_chain.h"

#if KERN_WIDE || defined(KERN_EMU512)
enum { NN_STRIP = 6, NN_WIDE = 4 };
#define EACH_NN(X) X(1, 8) X(1, 4) X(1, 2) X(1, 1) X(2, 8) X(2, 4) X(2, 2) X(2, 1) X(3, 4) X(3, 2) X(3, 1) X(4, 4) X(4, 2) X(4, 1) \
	X(5, 4) X(5, 2) X(5, 1) X(6, 4) X(6, 2) X(6, 1)
static const int NN_COLS[NN_STRIP + 1] = { 0, 8, 8, 4, 4, 4, 4 };
#define EACH_OVER(X) X(1) X(2) X(3) X(4) X(5) X(6)
#elif !KERN_X86
enum { NN_STRIP = 2, NN_WIDE = 2 };
#define EACH_NN(X) X(1, 2) X(1, 1) X(2, 2) X(2, 1)
static const int NN_COLS[NN_STRIP + 1] = { 0, 2, 2 };
#define EACH_OVER(X) X(1) X(2)
#else
enum { NN_STRIP = 6, NN_WIDE = 2 };
#define EACH_NN(X) X(1, 8) X(1, 4) X(1, 2) X(1, 1) X(2, 4) X(2, 2) X(2, 1) X(3, 4) X(3, 2) X(3, 1) X(4, 2) X(4, 1) X(5, 2) X(5, 1) \
	X(6, 2) X(6, 1)
static const int NN_COLS[NN_STRIP + 1] = { 0, 8, 4, 4, 2, 2, 2 };
#define EACH_OVER(X) X(1) X(2) X(3) X(4) X(5) X(6)
#endif
/* Direct blocks have few rows of W, whose lines at one k share a cache set when the stride is a power of two. A panel takes half
 * of L1. Strips of g lie off the powers of two (NN_APART). */
enum { NN_DIRECT_ROWS = 8, NN_DIRECT_BLOCK = 8, NN_BLOCK = VL == 16 ? 96 : 256, NN_PANEL = NN_WIDE * VL, NN_APART = 16,
	NN_LAID = NN_STRIP * NN_BLOCK + NN_APART, NN_SMALL = 16 << 10,
	NN_LINE = 64 / sizeof(real), NN_LAY_STRIPS = 8, NN_LAY_ROWS = 8 };

typedef struct NnTile {
	const char *g;          /* g(m, n) at g + m * g_row + n * g_red bytes */
	int64_t g_row, g_red;
	const char *w;
	int64_t w_row;          /* bytes */
	int64_t n;
	real *d;
	int64_t ldd;
	int64_t next;           /* elements from d to that of the tile that comes next, which is asked for; 0: not */
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
	UNROLL
	for (int r = 0; r < mr; r++)
		if (t->next)
			__builtin_prefetch(t->d + t->next + r * t->ldd, 1);
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

/* A tile over a panel in scratch; g as it lies, its rows side by side (n consecutive), or laid out. */
INLINE void nn_over(Lie lie, int mr, const NnTile *t)
{
	V acc[CHAIN_ACC];
	const char *g[NN_STRIP];
	const int nv = NN_WIDE;
	UNROLL
	for (int i = 0; i < mr * nv; i++)
		acc[i] = t->zero ? v_set(0) : v_load(t->d + (i / nv) * t->ldd + (i % nv) * VL);
	UNROLL
	for (int r = 0; r < mr; r++) {
		g[r] = t->g + r * t->g_row;
		if (t->next)
			__builtin_prefetch(t->d + t->next + r * t->ldd, 1);
	}
	chain_run(lie, mr, nv, acc, g, 0, t->w, t->n, t->d, t->ldd);
}

#define NN_OVER_FN(mr) \
	static void nn_rows_##mr(const NnTile *t) { nn_over(LIE_ROWS, mr, t); } \
	static void nn_laid_##mr(const NnTile *t) { nn_over(LIE_LAID, mr, t); }
EACH_OVER(NN_OVER_FN)
#define NN_OVER_ROW(mr) [mr] = { nn_rows_##mr, nn_laid_##mr },
static void (*const NN_OVER[NN_STRIP + 1][2])(const NnTile *) = { EACH_OVER(NN_OVER_ROW) };

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

/* Strip i of M rows in strips as equal as can be. */
typedef struct NnStrip { int64_t row; int mr; } NnStrip;

static NnStrip nn_strip_at(int64_t M, int64_t strips, int64_t i)
{
	int64_t base = M / strips, more = M % strips;
	return (NnStrip){ i * base + (i < more ? i : more), (int)(base + (i < more)) };
}

static int64_t nn_strips(int64_t M)
{
	return (M + NN_STRIP - 1) / NN_STRIP;
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
	const int64_t strips = nn_strips(t->M);
	tile.w_row = t->W->stride * (int64_t)elem;
	for (int64_t n = 0; n < t->W->rows; n += NN_DIRECT_BLOCK) {
		tile.n = t->W->rows - n < NN_DIRECT_BLOCK ? t->W->rows - n : NN_DIRECT_BLOCK;
		tile.w = (const char *)t->W->data + (size_t)(n * t->W->stride + t->k0) * elem;
		tile.zero = n == 0 && !(t->flags & GEMM_ACC);
		for (int64_t i = 0; i < strips; i++) {
			NnStrip s = nn_strip_at(t->M, strips, i);
			tile.g = (const char *)(t->g + s.row * t->g_row + n * t->g_red);
			tile.d = t->d + s.row * t->ldd + t->k0;
			nn_strip(bf16, s.mr, t->k1 - t->k0, tile);
		}
	}
}

/* One strip's numbers in n rows of a g that lies across. */
static void nn_lay_strip(const real *g, int64_t ldg, int mr, int64_t n, real *to)
{
	if (mr == NN_STRIP)
		for (; n > 0; n--, g += ldg, to += NN_STRIP)
			memcpy(to, g, NN_STRIP * sizeof *to);
	else
		for (; n > 0; n--, g += ldg, to += mr)
			memcpy(to, g, (size_t)mr * sizeof *to);
}

/* A block of a g whose rows lie side by side: [strip][n][row of the strip]. A few strips at a time, as each is on pages of its own,
 * and a processor knows few of those at once; and a few rows, which stay in the first cache. */
static void nn_lay_g(const NnTask *t, int64_t n0, int64_t n, real *out)
{
	const int64_t strips = nn_strips(t->M);
	for (int64_t i = 0; i < strips; i += NN_LAY_STRIPS)
		for (int64_t j = 0; j < n; j += NN_LAY_ROWS) {
			const int64_t end = i + NN_LAY_STRIPS < strips ? i + NN_LAY_STRIPS : strips, some = n - j < NN_LAY_ROWS ? n - j : NN_LAY_ROWS;
			const real *g = t->g + (n0 + j) * t->g_red;
			for (int64_t r = 0; r < some; r++)
				for (int64_t m = nn_strip_at(t->M, strips, i).row; m < nn_strip_at(t->M, strips, end).row; m += NN_LINE)
					__builtin_prefetch(g + (NN_LAY_ROWS + r) * t->g_red + m);
			for (int64_t k = i; k < end; k++) {
				NnStrip s = nn_strip_at(t->M, strips, k);
				nn_lay_strip(g + s.row, t->g_red, s.mr, some, out + k * NN_LAID + j * s.mr);
			}
		}
}

/* Columns [k, k + cols) of n rows of W as real, NN_PANEL apart. */
static void nn_lay_w(const Mat *W, int64_t n0, int64_t n, int64_t k, int64_t cols, real *out)
{
	for (int64_t j = 0; j < n; j++, out += NN_PANEL) {
		if (W->dtype != REAL_DTYPE || cols < NN_PANEL) {
			row_expand(W, n0 + j, k, cols, out);
			continue;
		}
		const char *row = (const char *)W->data + (size_t)((n0 + j) * W->stride + k) * sizeof(real);
		UNROLL
		for (int v = 0; v < NN_WIDE; v++)
			v_store(out + v * VL, v_load(row + (size_t)v * sizeof(V)));
	}
}

/* Asks for share i of the panel of W that comes next, while this one is worked on. */
static void nn_ask(const Mat *W, int64_t n0, int64_t n, int64_t k, int64_t i, int64_t shares)
{
	const int64_t elem = dtype_bits(W->dtype) / 8, row = W->stride * elem;
	const char *p = (const char *)W->data + n0 * row + k * elem;
	const int64_t each = (n + shares - 1) / shares, end = (i + 1) * each < n ? (i + 1) * each : n;
	for (int64_t j = i * each; j < end; j++)
		for (int64_t at = 0; at < NN_PANEL * elem; at += 64)
			__builtin_prefetch(p + j * row + at, 0, 2);
}

/* All strips of d over columns [k, k + cols) with the block of W at tile.w; laid: the block of g laid out, or NULL. */
static void nn_panel(const NnTask *t, NnTile tile, int64_t n0, int64_t k, int64_t cols, const real *laid)
{
	const int64_t strips = nn_strips(t->M), base = t->M / strips, more = t->M % strips;
	const bool ask = k + 2 * NN_PANEL <= t->k1;
	tile.d = t->d + k;
	tile.g = (const char *)(laid ? laid : t->g + n0 * t->g_red);
	for (int64_t i = 0; i < strips; i++) {
		const int mr = (int)(base + (i < more));
		tile.next = i + 1 < strips ? mr * t->ldd : 0;
		if (laid)
			tile.g_red = mr * (int64_t)sizeof(real);
		if (ask)
			nn_ask(t->W, n0, tile.n, k + NN_PANEL, i, strips);
		if (cols == NN_PANEL)
			NN_OVER[mr][laid != NULL](&tile);
		else
			nn_strip(false, mr, cols, tile);
		tile.d += mr * t->ldd;
		tile.g += laid ? NN_LAID * (int64_t)sizeof(real) : mr * tile.g_row;
	}
}

static void nn_panels(const NnTask *t, NnTile tile)
{
	const Mat *W = t->W;
	const int64_t blocks = (W->rows + NN_BLOCK - 1) / NN_BLOCK, each = (W->rows + blocks - 1) / blocks;
	const bool lay = t->g_red != 1;
	real *panel = t->scratch, *laid = panel + NN_BLOCK * NN_PANEL;
	for (int64_t n = 0; n < W->rows; n += each) {
		tile.n = W->rows - n < each ? W->rows - n : each;
		tile.zero = n == 0 && !(t->flags & GEMM_ACC);
		tile.w_row = NN_PANEL * (int64_t)sizeof(real);
		tile.w = (const char *)panel;
		if (lay)
			nn_lay_g(t, n, tile.n, laid);
		for (int64_t k = t->k0; k < t->k1; k += NN_PANEL) {
			int64_t cols = t->k1 - k < NN_PANEL ? t->k1 - k : NN_PANEL;
			nn_lay_w(W, n, tile.n, k, cols, panel);
			nn_panel(t, tile, n, k, cols, lay ? laid : NULL);
		}
	}
}

enum { NN_SCRATCH = (NN_BLOCK * NN_PANEL + (NN_TASK_ROWS + NN_STRIP - 1) / NN_STRIP * NN_LAID) * (int)sizeof(real) };

static void nn(const NnTask *t)
{
	NnTile tile = { .g_row = t->g_row * (int64_t)sizeof(real), .g_red = t->g_red * (int64_t)sizeof(real), .ldd = t->ldd };
	if (t->W->rows == 0)
		nn_zero(t);
	else if (t->M <= NN_DIRECT_ROWS && (t->W->dtype == REAL_DTYPE || t->W->dtype == DT_BF16))
		nn_direct(t, tile);
	else
		nn_panels(t, tile);
}
#endif
