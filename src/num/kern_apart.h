/* kern_apart.h - gemm_nt of many rows: the sums of kern_nt.h with their lanes apart. Included by kern.c only.
 *
 * There, lane l of an accumulator sums every VL-th product, and each tile ends with a tree over its lanes. Here W is turned, so that
 * vectors run along columns of y: all products of lane 0 of a tile come first, then those of lane 2, and so on in the order in which
 * the tree adds the lanes, which now takes one vector addition for a vector of results. The same products in the same order: the
 * same bits. Turning W pays from some tens of rows on, most where K is small and the tree takes as long as the products. Only the set
 * with eight lanes in one register has it. */
#ifndef NUM_KERN_APART_H
#define NUM_KERN_APART_H
#include "num/kern_chain.h"
#include "num/kern_nt.h"

#if defined(KERN_AVX2)
/* The turned columns of a block take at most the bytes of APART_BYTES, which leaves room in the second cache. A strip of x of at most
 * APART_K columns stays in the first one while all lanes and columns pass by. */
enum { APART_STRIP = 6, APART_WIDE = 2, APART_COLS = APART_WIDE * VL, APART_ACC = APART_STRIP * APART_WIDE, APART_ROWS = 32,
	APART_MOST = 1024, APART_K = 512, APART_BYTES = 208 << 10, APART_OFF = 16, APART_ROW = APART_K + 2 * VL + APART_OFF };
#define EACH_APART(X) X(4) X(5) X(6)
static const int64_t LANE_AT[VL] = { 0, 8, 4, 12, 16, 24, 20, 28 }; /* bytes */

typedef struct ApartTile {
	const char *x;              /* the strip's first row, bytes between rows */
	int64_t x_row;
	const real *w;              /* a turned panel: for each lane in order, `steps` rows of APART_COLS */
	int64_t steps, lane_size;   /* lane_size: reals from one lane to the next */
	real *y;
	int64_t ldy, cols;
	bool add;
} ApartTile;

/* The sums of all lanes of vector j in the order of kern_nt.h's tree. */
INLINE V apart_tree(V lane[VL][APART_ACC], int j)
{
	V a = (v_load(&lane[0][j]) + v_load(&lane[1][j])) + (v_load(&lane[2][j]) + v_load(&lane[3][j]));
	V b = (v_load(&lane[4][j]) + v_load(&lane[5][j])) + (v_load(&lane[6][j]) + v_load(&lane[7][j]));
	return a + b;
}

/* All lanes wait in memory until the last is there. */
INLINE void apart_run(Lie lie, int mr, const ApartTile *t)
{
	V lane[VL][APART_ACC], acc[APART_ACC];
	const char *x[APART_STRIP], *w = (const char *)t->w;
	const int64_t steps = t->steps, lane_bytes = t->lane_size * (int64_t)sizeof(real);
	UNROLL
	for (int r = 0; r < mr; r++)
		x[r] = t->x + r * t->x_row;
	for (int i = 0; i < VL; i++, w += lane_bytes) {
		UNROLL
		for (int j = 0; j < mr * APART_WIDE; j++)
			acc[j] = v_set(0);
		chain_run(lie, mr, APART_WIDE, acc, x, LANE_AT[i] << (lie == LIE_PAIR), w, steps, (real *)&lane[i], APART_COLS);
	}
	real *y = t->y;
	const int64_t ldy = t->ldy;
	if (t->cols == APART_COLS && !t->add) {
		UNROLL
		for (int j = 0; j < mr * APART_WIDE; j++)
			v_store(y + j / APART_WIDE * ldy + j % APART_WIDE * VL, apart_tree(lane, j));
		return;
	}
	for (int r = 0; r < mr; r++, y += ldy) {
		real out[APART_COLS];
		for (int j = 0; j < APART_WIDE; j++)
			v_store(out + j * VL, apart_tree(lane, r * APART_WIDE + j));
		for (int64_t j = 0; j < t->cols; j++)
			y[j] = t->add ? y[j] + out[j] : out[j];
	}
}

#define APART_FN(mr) \
	static void apart_lane_##mr(const ApartTile *t) { apart_run(LIE_LANE, mr, t); } \
	static void apart_pair_##mr(const ApartTile *t) { apart_run(LIE_PAIR, mr, t); }
EACH_APART(APART_FN)
#define APART_TILE(mr) [mr] = { apart_lane_##mr, apart_pair_##mr },
static void (*const APART_TILES[APART_STRIP + 1][2])(const ApartTile *) = { EACH_APART(APART_TILE) };

/* ---- turning W ---- */

/* Eight elements of eight rows, to eight vectors with one element of each row. */
INLINE void turn_eight(const real *const *row, int64_t k, __m256 *out)
{
	__m256 a[8];
	UNROLL
	for (int i = 0; i < 8; i++) {
		const real *p = row[i % 4] + k + i / 4 * 4, *q = row[i % 4 + 4] + k + i / 4 * 4;
		a[i] = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(p)), _mm_loadu_ps(q), 1);
	}
	UNROLL
	for (int h = 0; h < 8; h += 4) {
		__m256 l = _mm256_unpacklo_ps(a[h], a[h + 1]), m = _mm256_unpackhi_ps(a[h], a[h + 1]);
		__m256 n = _mm256_unpacklo_ps(a[h + 2], a[h + 3]), o = _mm256_unpackhi_ps(a[h + 2], a[h + 3]);
		out[h] = _mm256_shuffle_ps(l, n, 0x44);
		out[h + 1] = _mm256_shuffle_ps(l, n, 0xee);
		out[h + 2] = _mm256_shuffle_ps(m, o, 0x44);
		out[h + 3] = _mm256_shuffle_ps(m, o, 0xee);
	}
}

/* Where element i of a vector of W goes: its lane's place in the order, and which step of it. `vector` counts vectors of W. */
INLINE real *turn_place(real *panel, Lie lie, int64_t lane_size, int64_t vector, int i)
{
	static const int place[VL] = { 0, 2, 1, 3, 4, 6, 5, 7 }; /* the order is its own inverse */
	if (lie == LIE_LANE)
		return panel + place[i] * lane_size + vector * APART_COLS;
	return panel + place[(vector % 2 * VL + i) / 2] * lane_size + (vector / 2 * 2 + i % 2) * APART_COLS;
}

/* Sixteen rows of W, each of `vectors` whole vectors. The rows that follow are asked for. */
INLINE void panel_turn(Lie lie, const real *const *row, int64_t vectors, int64_t lane_size, real *panel)
{
	const char *next = (const char *)(row[APART_COLS - 1] + vectors * VL);
	for (int64_t v = 0; v < vectors; v++, next += APART_COLS * VL * sizeof(real)) {
		UNROLL
		for (int i = 0; i < APART_COLS * VL * (int)sizeof(real); i += LINE_BYTES)
			__builtin_prefetch(next + i, 0, 2);
		for (int h = 0; h < APART_WIDE; h++) {
			__m256 out[VL];
			turn_eight(row + h * VL, v * VL, out);
			UNROLL
			for (int i = 0; i < VL; i++)
				v_store(turn_place(panel, lie, lane_size, v, i) + h * VL, (V)out[i]);
		}
	}
}

typedef struct Apart {
	const NtTask *t;
	Lie lie;
	int64_t vectors, lane_size, panel_size; /* of W's rows; in reals */
	real *w, *rows, *x;                     /* turned panels; rows of W as real, padded; a strip of x, padded or rounded */
} Apart;

/* Columns [n, n + APART_COLS) of y: rows of W where they lie, or as real and padded with zeros. */
static void apart_turn(const Apart *a, int64_t n, real *panel)
{
	const NtTask *t = a->t;
	const Mat *W = t->W;
	const int64_t K = W->cols;
	const bool lies = W->dtype == REAL_DTYPE && K == a->vectors * VL && n + APART_COLS <= t->n1;
	const real *row[APART_COLS];
	for (int j = 0; j < APART_COLS; j++) {
		real *own = a->rows + j * APART_ROW;
		row[j] = lies ? (const real *)W->data + (n + j) * W->stride : own;
		if (lies)
			continue;
		memset(own, 0, (size_t)(a->vectors * VL) * sizeof *own);
		if (n + j < t->n1)
			row_expand(W, n + j, 0, K, own);
	}
	if (a->lie == LIE_LANE)
		panel_turn(LIE_LANE, row, a->vectors, a->lane_size, panel);
	else
		panel_turn(LIE_PAIR, row, a->vectors, a->lane_size, panel);
}

/* A strip of x that cannot be read where it lies. */
static const real *apart_x(const Apart *a, const real *x, int mr)
{
	const int64_t K = a->t->W->cols;
	for (int r = 0; r < mr; r++) {
		real *to = a->x + r * APART_ROW;
		memset(to + K, 0, (size_t)(a->vectors * VL - K) * sizeof *to);
		if (a->t->flags & GEMM_X_BF16)
			x_round_rows(1, K, x + r * a->t->ldx, a->t->ldx, (char *)to, 0);
		else
			memcpy(to, x + r * a->t->ldx, (size_t)K * sizeof *to);
	}
	return a->x;
}

/* All rows of y over columns [n0, n1), whose panels are turned. */
static void apart_block(const Apart *a, int64_t n0, int64_t n1)
{
	const NtTask *t = a->t;
	const int64_t strips = (t->M + APART_STRIP - 1) / APART_STRIP, base = t->M / strips, more = t->M % strips;
	const bool lies = !(t->flags & GEMM_X_BF16) && t->W->cols == a->vectors * VL;
	int64_t m = 0;
	for (int64_t i = 0; i < strips; i++) {
		const int mr = (int)(base + (i < more));
		ApartTile u = { .x = (const char *)(t->x + m * t->ldx), .x_row = t->ldx * (int64_t)sizeof(real), .w = a->w,
			.steps = a->vectors, .lane_size = a->lane_size, .y = t->y + m * t->ldy + n0, .ldy = t->ldy,
			.add = t->flags & GEMM_ACC };
		if (!lies) {
			u.x = (const char *)apart_x(a, t->x + m * t->ldx, mr);
			u.x_row = APART_ROW * (int64_t)sizeof(real);
		}
		for (int64_t n = n0; n < n1; n += APART_COLS, u.y += APART_COLS, u.w += a->panel_size) {
			u.cols = n1 - n < APART_COLS ? n1 - n : APART_COLS;
			APART_TILES[mr][a->lie == LIE_PAIR](&u);
		}
		m += mr;
	}
}

/* Rows of x in one task: W is turned for all of them at once. */
static int64_t apart_rows(int64_t K)
{
	return K > 0 && K <= APART_K ? APART_MOST : 0;
}

static bool apart_pays(int64_t M, const Mat *W)
{
	return M >= APART_ROWS && W->cols > 0 && W->cols <= APART_K;
}

static size_t apart_scratch(void)
{
	return APART_BYTES + (APART_COLS + APART_STRIP) * APART_ROW * sizeof(real);
}

static void nt_apart(const NtTask *t)
{
	const Lie lie = t->W->dtype == DT_BF16 ? LIE_PAIR : LIE_LANE;
	const int64_t step = lie == LIE_PAIR ? 2 * VL : VL, vectors = (t->W->cols + step - 1) / step * (step / VL);
	Apart a = { .t = t, .lie = lie, .vectors = vectors, .lane_size = vectors * APART_COLS + APART_OFF, .w = t->scratch };
	a.panel_size = VL * a.lane_size;
	a.rows = a.w + APART_BYTES / sizeof(real);
	a.x = a.rows + APART_COLS * APART_ROW;
	const int64_t panels = APART_BYTES / (a.panel_size * (int64_t)sizeof(real)), block = panels * APART_COLS;
	for (int64_t n = t->n0; n < t->n1; n += block) {
		const int64_t end = n + block < t->n1 ? n + block : t->n1;
		for (int64_t c = n, i = 0; c < end; c += APART_COLS, i++)
			apart_turn(&a, c, a.w + i * a.panel_size);
		apart_block(&a, n, end);
	}
}
#else
#define apart_rows(K) 0
#define apart_pays(M, W) false
#define apart_scratch() (size_t)0
#define nt_apart(t) (void)(t)
#endif

static int64_t nt_rows(int64_t K)
{
	const int64_t apart = apart_rows(K), along = along_rows(K);
	return apart > along ? apart : along;
}

static size_t nt_scratch(int64_t M, const Mat *W)
{
	return apart_pays(M, W) ? apart_scratch() : along_scratch(M, W);
}

static void nt(const NtTask *t)
{
	if (apart_pays(t->M, t->W))
		nt_apart(t);
	else
		nt_along(t);
}
#endif
