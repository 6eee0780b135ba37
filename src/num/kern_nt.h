/* kern_nt.h - gemm_nt of one task. Included by kern.c only.
 *
 * x meets W in strips of mr rows. Rows of real x and W are read where they lie; W of dtypes other than real and bf16 is expanded
 * first, a block of rows and K at a time, into scratch that all strips then use. Accumulators wait in scratch between two blocks
 * of K, so that the chain of an element is the same whichever way it was cut.
 *
 * For W in bf16, x is laid out anew, strip by strip: [vector][row of the strip]. Pairs: vector 2b of x holds the even elements of
 * block b (2L of them), vector 2b+1 the odd ones, so that W is unpacked with one shift and one mask; both products go to the one
 * accumulator. */
#ifndef NUM_KERN_NT_H
#define NUM_KERN_NT_H
#include "num/kern_vec.h"

/* Rows of x in a strip, columns of a tile for each, and a number of columns that all of them divide (but the one of one row,
 * which is alone in its task). At least eight chains run side by side. */
#if KERN_WIDE || defined(KERN_EMU512)
enum { STRIP = 6, UNIT = 8 };
#define EACH_TILE(X) X(1, 8) X(2, 4) X(3, 4) X(4, 4) X(5, 4) X(6, 4)
#elif !KERN_X86
enum { STRIP = 2, UNIT = 4 }; /* vectors may be several registers each, or none */
#define EACH_TILE(X) X(1, 4) X(2, 2)
#else
enum { STRIP = 4, UNIT = 12 };
#define EACH_TILE(X) X(1, 8) X(2, 4) X(3, 4) X(4, 3)
#endif
#define TILE_COLS(mr, nr) [mr] = nr,
static const int NT_COLS[STRIP + 1] = { EACH_TILE(TILE_COLS) };
enum { COLS_MAX = 8, TILE_MAX = 24, STREAM_ROWS = 2, LINE_BYTES = 64, K_BLOCK = 1024, X_BYTES = 512 << 10, ROWS_MAX = 192,
	AHEAD_ROW = 2 << 10, AHEAD_LEAST = 8 << 10, AHEAD_MOST = 16 << 10 };

typedef enum Feed { FEED_REAL, FEED_PAIRS, FEED_DOT } Feed; /* how W meets x: row by row, bf16 pairs, bf16 dot product */

/* A run of tiles: one strip of x with `cols` rows of W, in groups of nr; `full` steps of K and `part` elements after them. */
typedef struct Run {
	const char *x;             /* FEED_REAL: the first row, and bytes between rows */
	int64_t x_row;
	const char *w;             /* the first row of W, and bytes between rows */
	int64_t w_row;
	int64_t full, part;        /* part in bytes */
	real *state;               /* accumulators between two blocks of K, tile after tile */
	bool resume, save;         /* start from state; leave them there rather than reduce into y */
	bool add;
	int64_t ahead;             /* bytes: W is asked for that far ahead of a tile, in the order it lies in; 0: not */
	real *y;
	int64_t ldy, cols;
} Run;

/* What one tile of a run works on. A missing column is computed on a copy of the row before it and dropped. */
typedef struct Tile {
	const char *w[COLS_MAX];
	const char *x[STRIP];           /* FEED_REAL */
	real *state, *y;
	int cols;
	char tail[COLS_MAX + STRIP][sizeof(V)]; /* a step of a row is one vector in every feed */
} Tile;

static Feed feed_of(const Mat *W, unsigned flags)
{
	(void)flags;
#if KERN_DOT_BF16
	if (W->dtype == DT_BF16 && (flags & GEMM_X_BF16))
		return FEED_DOT;
#endif
	return W->dtype == DT_BF16 ? FEED_PAIRS : FEED_REAL;
}

/* Elements of K in one step of a feed, and bytes that a step takes of a row of x. */
INLINE int64_t feed_step(Feed f)
{
	return f == FEED_REAL ? VL : 2 * VL;
}

INLINE size_t feed_bytes(Feed f)
{
	return f == FEED_PAIRS ? 2 * sizeof(V) : sizeof(V);
}

/* Four sums or the `cols` first of them. */
INLINE void sums_write(real *y, V4 s, int cols, bool add)
{
	if (cols == 4 && !add) {
		memcpy(y, &s, sizeof s);
		return;
	}
	UNROLL
	for (int j = 0; j < 4; j++)
		if (j < cols)
			y[j] = add ? y[j] + s[j] : s[j];
}

INLINE void tile_finish(const Run *u, const Tile *t, int mr, int nr, V acc[TILE_MAX])
{
	if (u->save) {
		UNROLL
		for (int i = 0; i < mr * nr; i++)
			v_store(t->state + i * VL, acc[i]);
		return;
	}
	const V z = v_set(0);
	real *y = t->y;
	UNROLL
	for (int r = 0; r < mr; r++, y += u->ldy)
		UNROLL
		for (int j = 0; j < nr; j += 4) {
			const V *a = acc + r * nr + j;
			V4 s = v_sum4(a[0], j + 1 < nr ? a[1] : z, j + 2 < nr ? a[2] : z, j + 3 < nr ? a[3] : z);
			if (t->cols == nr && !u->add)
				sums_write(y + j, s, nr - j < 4 ? nr - j : 4, false);
			else if (j < t->cols)
				sums_write(y + j, s, t->cols - j < 4 ? t->cols - j : 4, u->add);
		}
}

/* The products of one vector of each row of a laid-out strip with nr vectors of W. */
INLINE void step_strip(int mr, int nr, V *acc, const char *x, const V *w)
{
	UNROLL
	for (int r = 0; r < mr; r++) {
		V a = v_load(x + (size_t)r * sizeof(V));
		UNROLL
		for (int j = 0; j < nr; j++)
			acc[r * nr + j] = v_fma(a, w[j], acc[r * nr + j]);
	}
}

INLINE void step_real(int mr, int nr, V *acc, const Tile *t, int64_t at)
{
	V w[COLS_MAX];
	UNROLL
	for (int j = 0; j < nr; j++)
		w[j] = v_load(t->w[j] + at);
	UNROLL
	for (int r = 0; r < mr; r++) {
		V a = v_load(t->x[r] + at);
		UNROLL
		for (int j = 0; j < nr; j++)
			acc[r * nr + j] = v_fma(a, w[j], acc[r * nr + j]);
	}
}

/* Few rows: each vector of W is fetched once and used at once. */
INLINE void step_pairs_few(int mr, int nr, V *acc, const Tile *t, const char *x, int64_t at)
{
	V even[STREAM_ROWS], odd[STREAM_ROWS];
	UNROLL
	for (int r = 0; r < mr; r++) {
		even[r] = v_load(x + (size_t)r * sizeof(V));
		odd[r] = v_load(x + (size_t)(mr + r) * sizeof(V));
	}
	UNROLL
	for (int j = 0; j < nr; j++) {
		VU p = v_load_pairs(t->w[j] + at);
		V w = v_even(p), z = v_odd(p);
		UNROLL
		for (int r = 0; r < mr; r++)
			acc[r * nr + j] = v_fma(odd[r], z, v_fma(even[r], w, acc[r * nr + j]));
	}
}

/* More rows: the second half fetches W anew (the empty asm hides that it is the same place), as no registers are left for it. */
INLINE void step_pairs(int mr, int nr, V *acc, const Tile *t, const char *x, int64_t at)
{
	V w[COLS_MAX];
	if (mr <= STREAM_ROWS) {
		step_pairs_few(mr, nr, acc, t, x, at);
		return;
	}
	UNROLL
	for (int j = 0; j < nr; j++)
		w[j] = v_even(v_load_pairs(t->w[j] + at));
	step_strip(mr, nr, acc, x, w);
	__asm__ volatile("" : "+r"(at));
	UNROLL
	for (int j = 0; j < nr; j++)
		w[j] = v_odd_spare(v_load_pairs(t->w[j] + at));
	step_strip(mr, nr, acc, x + (size_t)mr * sizeof(V), w);
}

#if KERN_DOT_BF16
INLINE void step_dot(int mr, int nr, V *acc, const Tile *t, const char *x, int64_t at)
{
	VU w[COLS_MAX];
	UNROLL
	for (int j = 0; j < nr; j++)
		w[j] = v_load_pairs(t->w[j] + at);
	UNROLL
	for (int r = 0; r < mr; r++) {
		VU a = v_load_pairs(x + (size_t)r * sizeof(VU));
		UNROLL
		for (int j = 0; j < nr; j++)
			acc[r * nr + j] = v_dot_bf16(acc[r * nr + j], a, w[j]);
	}
}
#else
#define step_dot step_pairs /* no set without the instruction chooses FEED_DOT */
#endif

/* While nr rows of W are worked on side by side, the lines `ahead` of them are asked for in the order they lie in. The processor by
 * itself sees nr short streams, loses each at its end, and fetches rows of 0.5 to 2 KiB from memory at half the rate (measured on
 * Zen 3; with rows of 4 KiB there is no difference). With one strip of few rows they go to L1, else to L2. */
INLINE void lines_ask(int mr, int nr, int64_t wide, const char **next)
{
	UNROLL
	for (int i = 0; i < nr * (int)wide; i += LINE_BYTES)
		if (mr <= STREAM_ROWS)
			__builtin_prefetch(*next + i, 0, 3);
		else
			__builtin_prefetch(*next + i, 0, 2);
	*next += nr * wide;
}

/* One step of all columns at byte `at` of the rows of W. */
INLINE void tile_step(Feed f, int mr, int nr, V *acc, const Tile *t, const char *x, int64_t at, const char **next)
{
	if (next)
		lines_ask(mr, nr, f == FEED_REAL ? (int64_t)sizeof(V) : (int64_t)sizeof(VU), next);
	if (f == FEED_DOT) {
		step_dot(mr, nr, acc, t, x, at);
	} else if (f == FEED_PAIRS) {
		step_pairs(mr, nr, acc, t, x, at);
	} else {
		step_real(mr, nr, acc, t, at);
	}
}

/* The last, partial step of each row is made whole in a copy; apart, so that its calls do not cost the loop registers. mr 0: x is
 * laid out, and whole. */
static __attribute__((noinline)) void tail_fill(Tile *t, int mr, int nr, int64_t at, int64_t bytes)
{
	memset(t->tail, 0, sizeof t->tail);
	for (int i = 0; i < nr + mr; i++) {
		const char **row = i < nr ? t->w + i : t->x + i - nr;
		memcpy(t->tail[i], *row + at, (size_t)bytes);
		*row = t->tail[i];
	}
}

/* mr, nr, f and ask are literals at each call, so that acc lives in registers. */
INLINE void tile_run(Feed f, int mr, int nr, bool ask, const Run *u, Tile *t)
{
	V acc[TILE_MAX];
	UNROLL
	for (int i = 0; i < mr * nr; i++)
		acc[i] = u->resume ? v_load(t->state + i * VL) : v_set(0);
	const int64_t wide = f == FEED_REAL ? (int64_t)sizeof(V) : (int64_t)sizeof(VU);
	const char *x = u->x;
	const char *next = t->w[0] + u->ahead;
	int64_t full = u->full, part = u->part;
	for (;;) {
		for (int64_t at = 0; at < full * wide; at += wide, x += (size_t)mr * feed_bytes(f))
			tile_step(f, mr, nr, acc, t, x, at, ask ? &next : NULL);
		if (!part)
			break;
		tail_fill(t, f == FEED_REAL ? mr : 0, nr, full * wide, part);
		full = 1;
		part = 0;
	}
	tile_finish(u, t, mr, nr, acc);
}

INLINE void tiles_run(Feed f, int mr, int nr, const Run *u)
{
	Tile t; /* not cleared: the tail is filled when there is one */
	t.state = u->state;
	t.y = u->y;
	const char *w = u->w;
	for (int64_t left = u->cols; left > 0; left -= nr) {
		t.cols = left < nr ? (int)left : nr;
		UNROLL
		for (int j = 0; j < nr; j++)
			t.w[j] = w + (j < t.cols ? j : t.cols - 1) * u->w_row;
		UNROLL
		for (int r = 0; f == FEED_REAL && r < mr; r++)
			t.x[r] = u->x + r * u->x_row;
		if (u->ahead)
			tile_run(f, mr, nr, true, u, &t);
		else
			tile_run(f, mr, nr, false, u, &t);
		w += nr * u->w_row;
		t.state += mr * nr * VL;
		t.y += nr;
	}
}

#define TILE_FN(mr, nr) \
	static void tile_real_##mr(const Run *u) { tiles_run(FEED_REAL, mr, nr, u); } \
	static void tile_pairs_##mr(const Run *u) { tiles_run(FEED_PAIRS, mr, nr, u); }
EACH_TILE(TILE_FN)
#if KERN_DOT_BF16
#define TILE_DOT(mr, nr) static void tile_dot_##mr(const Run *u) { tiles_run(FEED_DOT, mr, nr, u); }
EACH_TILE(TILE_DOT)
#define TILE_ROW(mr, nr) { tile_real_##mr, tile_pairs_##mr, tile_dot_##mr },
#else
#define TILE_ROW(mr, nr) { tile_real_##mr, tile_pairs_##mr, tile_pairs_##mr },
#endif
static void (*const TILES[STRIP][3])(const Run *) = { EACH_TILE(TILE_ROW) };

/* ---- laying out x ---- */

INLINE V x_round(V v, bool bf16)
{
	return bf16 ? v_round_bf16(v) : v;
}

/* Rows rounded to bf16. */
static void x_round_rows(int64_t M, int64_t K, const real *x, int64_t ldx, char *out, size_t row)
{
	const int64_t full = K / VL, part = K % VL;
	for (; M > 0; M--, x += ldx, out += row) {
		for (int64_t v = 0; v < full; v++)
			v_store(out + (size_t)v * sizeof(V), v_round_bf16(v_load(x + v * VL)));
		if (part)
			v_store(out + (size_t)full * sizeof(V), v_round_bf16(v_load_part(x + full * VL, part, 0)));
	}
}

/* Two vectors of consecutive elements to their even and their odd ones. */
INLINE void v_unzip(V a, V b, V *even, V *odd)
{
#if KERN_WIDE
	const __m512i e = _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
	*even = (V)_mm512_permutex2var_ps((__m512)a, e, (__m512)b);
	*odd = (V)_mm512_permutex2var_ps((__m512)a, _mm512_add_epi32(e, _mm512_set1_epi32(1)), (__m512)b);
#elif defined(KERN_AVX2)
	__m256 lo = _mm256_permute2f128_ps((__m256)a, (__m256)b, 0x20), hi = _mm256_permute2f128_ps((__m256)a, (__m256)b, 0x31);
	*even = (V)_mm256_shuffle_ps(lo, hi, 0x88);
	*odd = (V)_mm256_shuffle_ps(lo, hi, 0xdd);
#else
	real t[2 * VL], e[VL], o[VL];
	v_store(t, a);
	v_store(t + VL, b);
	for (int i = 0; i < VL; i++) {
		e[i] = t[2 * i];
		o[i] = t[2 * i + 1];
	}
	*even = v_load(e);
	*odd = v_load(o);
#endif
}

INLINE V x_load(const real *p, int64_t left)
{
	return left >= VL ? v_load(p) : left > 0 ? v_load_part(p, left, 0) : v_set(0);
}

static void x_pack_pairs(int mr, int64_t K, const real *x, int64_t ldx, bool bf16, char *out)
{
	for (int64_t k = 0; k < K; k += 2 * VL, out += (size_t)mr * 2 * sizeof(V))
		for (int r = 0; r < mr; r++) {
			const real *p = x + r * ldx + k;
			V even, odd;
			v_unzip(x_round(x_load(p, K - k), bf16), x_round(x_load(p + VL, K - k - VL), bf16), &even, &odd);
			v_store(out + (size_t)r * sizeof(V), even);
			v_store(out + (size_t)(mr + r) * sizeof(V), odd);
		}
}

#if KERN_DOT_BF16
static void x_pack_dot(int mr, int64_t K, const real *x, int64_t ldx, char *out)
{
	for (int64_t k = 0; k < K; k += 2 * VL)
		for (int r = 0; r < mr; r++)
			for (int h = 0; h < 2; h++, out += sizeof(VH)) {
				VU u = (VU)v_round_bf16(x_load(x + r * ldx + k + h * VL, K - k - h * VL));
				VH half = __builtin_convertvector(u >> 16, VH);
				memcpy(out, &half, sizeof half);
			}
}
#else
#define x_pack_dot(mr, K, x, ldx, out) x_pack_pairs(mr, K, x, ldx, true, out)
#endif

/* ---- strips: M rows in strips as equal as can be ---- */

typedef struct Strip { int64_t row; int mr; } Strip;

static int64_t strip_count(int64_t M)
{
	return (M + STRIP - 1) / STRIP;
}

static Strip strip_at(int64_t M, int64_t i)
{
	int64_t n = strip_count(M), base = M / n, more = M % n;
	return (Strip){ i * base + (i < more ? i : more), (int)(base + (i < more)) };
}

/* ---- the task ---- */

/* Expanded rows lie off the powers of two that would make them evict each other. */
enum { W_ROW = K_BLOCK * (int)sizeof(real) + LINE_BYTES, W_ALL = UNIT * W_ROW };

typedef struct Nt {
	const NtTask *t;
	Feed feed;
	int64_t K, steps;    /* steps of the whole K, the last one perhaps partial */
	size_t row_bytes;    /* between rows of x, or of a row of a laid-out strip */
	char *x;
	char *w;             /* UNIT rows of one block of K, W_ROW bytes apart */
	real *state;         /* accumulators between blocks of K, UNIT vectors for each row */
	const char *next;    /* the block of W that comes next: its first row, bytes between rows, how much of each */
	int64_t next_row, next_bytes;
	int next_rows;
} Nt;

static void x_lay_out(const Nt *s)
{
	const NtTask *t = s->t;
	bool bf16 = t->flags & GEMM_X_BF16;
	for (int64_t i = 0, n = strip_count(t->M); i < n; i++) {
		Strip st = strip_at(t->M, i);
		const real *x = t->x + st.row * t->ldx;
		char *out = s->x + (size_t)st.row * s->row_bytes;
		if (s->feed == FEED_REAL)
			x_round_rows(st.mr, s->K, x, t->ldx, out, s->row_bytes);
		else if (s->feed == FEED_PAIRS)
			x_pack_pairs(st.mr, s->K, x, t->ldx, bf16, out);
		else
			x_pack_dot(st.mr, s->K, x, t->ldx, out);
	}
}

static Run run_of(const Nt *s, Strip st, int64_t n0, int64_t n1)
{
	const NtTask *t = s->t;
	return (Run){ .x = s->x + (size_t)st.row * s->row_bytes, .x_row = (int64_t)s->row_bytes, .add = t->flags & GEMM_ACC,
		.y = t->y + st.row * t->ldy + n0, .ldy = t->ldy, .cols = (t->n1 < n1 ? t->n1 : n1) - n0 };
}

/* How far ahead the first strip asks for W: about a tile's rows, or the columns that all strips use before the next ones. */
static int64_t ahead_of(int64_t row, int mr)
{
	int64_t tile = row * NT_COLS[mr];
	if (row > AHEAD_ROW)
		return 0;
	return mr > STREAM_ROWS ? row * UNIT : tile < AHEAD_LEAST ? AHEAD_LEAST : tile > AHEAD_MOST ? AHEAD_MOST : tile;
}

static void run_direct(const Nt *s, int64_t n0, int64_t n1)
{
	const Mat *W = s->t->W;
	const int64_t step = feed_step(s->feed), row = W->stride * (int64_t)(dtype_bits(W->dtype) / 8);
	for (int64_t i = 0, strips = strip_count(s->t->M); i < strips; i++) {
		Strip st = strip_at(s->t->M, i);
		Run u = run_of(s, st, n0, n1);
		u.w = (const char *)W->data + n0 * row;
		u.w_row = row;
		u.full = s->K / step;
		u.part = s->K % step * (int64_t)(dtype_bits(W->dtype) / 8);
		u.ahead = i == 0 ? ahead_of(row, st.mr) : 0;
		TILES[st.mr - 1][s->feed](&u);
	}
}

/* Asks for a share of the next block of W while this one is worked on. */
static void next_fetch(const Nt *s, int64_t i, int64_t strips)
{
	const int64_t lines = s->next_bytes / LINE_BYTES;
	for (int r = 0; r < s->next_rows; r++)
		for (int64_t l = lines * i / strips; l < lines * (i + 1) / strips; l++)
			__builtin_prefetch(s->next + r * s->next_row + l * LINE_BYTES, 0, 2);
}

/* All strips with the block of W in scratch: columns from n0, steps [s0, s1). */
static void run_block(const Nt *s, int64_t n0, int unit, int64_t s0, int64_t s1)
{
	for (int64_t i = 0, strips = strip_count(s->t->M); i < strips; i++) {
		Strip st = strip_at(s->t->M, i);
		Run u = run_of(s, st, n0, n0 + unit);
		u.x += (size_t)s0 * sizeof(V);
		u.w = s->w;
		u.w_row = W_ROW;
		u.full = (s1 < s->steps ? s1 : s->K / VL) - s0;
		u.part = s1 < s->steps ? 0 : s->K % VL * (int64_t)sizeof(real);
		u.state = s->state + st.row * UNIT * VL;
		u.resume = s0 > 0;
		u.save = s1 < s->steps;
		next_fetch(s, i, strips);
		TILES[st.mr - 1][FEED_REAL](&u);
	}
}

/* Rows [n0, n0 + rows) of W as real, steps [s0, s1). */
static void w_expand(const Nt *s, int64_t n0, int rows, int64_t s0, int64_t s1)
{
	const int64_t k0 = s0 * VL, k1 = s1 * VL < s->K ? s1 * VL : s->K;
	for (int j = 0; j < rows && n0 + j < s->t->n1; j++)
		row_expand(s->t->W, n0 + j, k0, k1 - k0, (real *)(void *)(s->w + (size_t)j * W_ROW));
}

/* Where the block after steps [s0, s1) of columns from n on lies: further along the same rows, or in the next ones. */
static void next_aim(Nt *s, int64_t n, int unit, int64_t s1, int64_t block)
{
	const NtTask *t = s->t;
	const int64_t elem = dtype_bits(t->W->dtype) / 8, step = VL;
	bool same = s1 < s->steps;
	int64_t row = same ? n : n + unit, from = same ? s1 : 0, steps = s->steps - from < block ? s->steps - from : block;
	s->next_rows = (int)(row >= t->n1 ? 0 : t->n1 - row < unit ? t->n1 - row : unit);
	s->next_row = t->W->stride * elem;
	s->next_bytes = steps * step * elem;
	s->next = s->next_rows ? (const char *)t->W->data + row * s->next_row + from * step * elem : NULL;
}

static void run_blocks(Nt *s)
{
	const NtTask *t = s->t;
	const int unit = t->M == 1 ? NT_COLS[1] : UNIT;
	const int64_t most = K_BLOCK / VL, blocks = (s->steps + most - 1) / most, block = (s->steps + blocks - 1) / blocks;
	for (int64_t n = t->n0; n < t->n1; n += unit)
		for (int64_t s0 = 0; s0 < s->steps; s0 += block) {
			int64_t s1 = s0 + block < s->steps ? s0 + block : s->steps;
			w_expand(s, n, unit, s0, s1);
			next_aim(s, n, unit, s1, block);
			run_block(s, n, unit, s0, s1);
		}
}

static int64_t along_rows(int64_t K)
{
	int64_t rows = X_BYTES / ((int64_t)sizeof(real) * (K ? K : 1)) / STRIP * STRIP;
	return rows < STRIP ? STRIP : rows > ROWS_MAX ? ROWS_MAX : rows;
}

static size_t x_row_bytes(int64_t K)
{
	return (size_t)((K + 2 * VL - 1) / (2 * VL) * 2) * sizeof(V);
}

static size_t along_scratch(int64_t M, const Mat *W)
{
	return W_ALL + (size_t)M * (x_row_bytes(W->cols) + UNIT * sizeof(V));
}

static void nt_along(const NtTask *t)
{
	const Feed feed = feed_of(t->W, t->flags);
	const int64_t step = feed_step(feed), K = t->W->cols, steps = (K + step - 1) / step;
	char *p = t->scratch;
	Nt s = { .t = t, .feed = feed, .K = K, .steps = steps, .row_bytes = (size_t)steps * feed_bytes(feed),
		.w = p, .state = (real *)(void *)(p + W_ALL), .x = p + W_ALL + (size_t)t->M * UNIT * sizeof(V) };
	if (feed == FEED_REAL && !(t->flags & GEMM_X_BF16)) {
		s.x = (char *)(uintptr_t)t->x; /* it is only read */
		s.row_bytes = (size_t)t->ldx * sizeof(real);
	} else {
		x_lay_out(&s);
	}
	if (K > 0 && t->W->dtype != REAL_DTYPE && t->W->dtype != DT_BF16) {
		run_blocks(&s);
		return;
	}
	const int unit = t->M == 1 ? 8 * UNIT : UNIT;
	for (int64_t n = t->n0; n < t->n1; n += unit)
		run_direct(&s, n, n + unit);
}
#endif
