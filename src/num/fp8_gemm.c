/* fp8_gemm.c - see fp8_gemm.h. Codes are expanded, a piece of K at a time, into pairs of value and power of two of its exponent, which the
 * kernel multiplies and compares; rows and columns that hold NaN or infinity go through the plain rule instead. */
#include "num/fp8_gemm.h"
#include <math.h>
#include <string.h>

enum { STEP = 32, PIECE = 128, ROWS = 64, COLS = 32, BITS_FAST = 16, LANES_MAX = 16 };

/* --- the rule, one sum at a time --- */

/* Exponent of an operand: of a subnormal one, that of the smallest normal number. Zero: far below all. */
static int operand_exponent(float v, const FpFormat *f)
{
	int e = v == 0 ? -10000 : ilogbf(v), least = 1 - f->bias;
	return v == 0 || e >= least ? e : least;
}

/* The magnitude n cut to its highest bits + 1 places. */
static int64_t highest(int64_t n, int bits)
{
	int64_t m = n < 0 ? -n : n;
	int drop = 0;
	while (m >> drop >= (int64_t)1 << (bits + 1))
		drop++;
	m = m >> drop << drop;
	return n < 0 ? -m : m;
}

static float mma_step(const float *a, const float *b, const int *ea, const int *eb, int n, int bits, float c)
{
	int top = c == 0 ? -10000 : ilogbf(c);
	double all = (double)c;
	for (int i = 0; i < n; i++) {
		top = ea[i] + eb[i] > top ? ea[i] + eb[i] : top;
		all += (double)a[i] * (double)b[i];
	}
	if (!isfinite(all))
		return (float)all;
	if (top < -1000)
		return 0;
	int64_t sum = (int64_t)ldexp((double)c, bits - top);
	for (int i = 0; i < n; i++)
		sum += (int64_t)ldexp((double)a[i] * (double)b[i], bits - top);
	return (float)ldexp((double)highest(sum, bits), top - bits);
}

float fp_mma_chain(FpId fa, const uint8_t *a, int64_t lda, FpId fb, const uint8_t *b, int64_t ldb, int64_t n, int bits, float c)
{
	for (int64_t k = 0; k < n; k += STEP) {
		float va[STEP], vb[STEP];
		int ea[STEP], eb[STEP], m = n - k < STEP ? (int)(n - k) : STEP;
		for (int i = 0; i < m; i++) {
			va[i] = fp_decode(fa, a[(k + i) * lda]);
			vb[i] = fp_decode(fb, b[(k + i) * ldb]);
			ea[i] = operand_exponent(va[i], fp_format(fa));
			eb[i] = operand_exponent(vb[i], fp_format(fb));
		}
		c = mma_step(va, vb, ea, eb, m, bits, c);
	}
	return c;
}

/* --- products of matrices --- */

typedef struct Codes {
	float value[256], power[256];  /* power: 2^exponent; 0 of zero */
	bool odd[256];                 /* NaN or infinity */
} Codes;

typedef struct Gemm {
	Pool *p;
	const Kernels *k;
	FpMat A, B;
	FpAccum acc;
	Codes a, b;
	real *y;
	int64_t ldy, row_tasks;
	bool add;
} Gemm;

/* Operands and sums of one task. Plain arrays: their sizes are known. */
typedef struct Work {
	float a[ROWS * PIECE * 2];
	float b[COLS * PIECE * 2];
	float c[ROWS * COLS], sum[ROWS * COLS];
	bool odd_row[ROWS], odd_col[COLS];
} Work;

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static void codes_init(Codes *c, FpId f)
{
	const FpFormat *fmt = fp_format(f);
	const uint32_t n = 1u << fmt->bits;
	for (uint32_t i = 0; i < 256; i++) {
		float v = fp_decode(f, i & (n - 1));
		c->odd[i] = !isfinite(v);
		c->value[i] = c->odd[i] ? 0 : v;
		c->power[i] = c->odd[i] || v == 0 ? 0 : ldexpf(1, operand_exponent(v, fmt));
	}
}

/* The end of the piece that begins at k: of its scales' groups, of N_C, or of what the buffers hold. */
static int64_t piece_end(const Gemm *g, int64_t k)
{
	const int64_t step[] = { g->A.group_k, g->B.group_k, g->acc.every, PIECE };
	int64_t end = g->A.k;
	for (int i = 0; i < 4; i++)
		if (step[i])
			end = least(end, (k / step[i] + 1) * step[i]);
	return end;
}

/* Does the sum go to f32 at k, where a piece ends? */
static bool promotes(const Gemm *g, int64_t k)
{
	const int64_t step[] = { g->A.group_k, g->B.group_k, g->acc.every };
	bool due = k == g->A.k;
	for (int i = 0; i < 3; i++)
		due |= step[i] && k % step[i] == 0;
	return due;
}

static float mat_scale(const FpMat *m, int64_t row, int64_t k)
{
	if (!m->scale)
		return 1;
	return m->scale[(m->group_rows ? row / m->group_rows : 0) * m->scale_row + (m->group_k ? k / m->group_k : 0) * m->scale_k];
}

/* Rows of A, [row][k][2], padded with zeros to whole steps. */
static void rows_pack(const FpMat *m, const Codes *c, int64_t row, int64_t n, int64_t k, int64_t len, float *to, bool *odd)
{
	const int64_t whole = (len + STEP - 1) / STEP * STEP;
	for (int64_t r = 0; r < n; r++) {
		const uint8_t *code = m->code + (row + r) * m->ld_row + k * m->ld_k;
		float *o = to + r * PIECE * 2;
		for (int64_t i = 0; i < len; i++) {
			uint8_t x = code[i * m->ld_k];
			o[2 * i] = c->value[x];
			o[2 * i + 1] = c->power[x];
			odd[r] |= c->odd[x];
		}
		memset(o + 2 * len, 0, (size_t)(whole - len) * 2 * sizeof *o);
	}
}

/* Columns of the result, rows of B: [panel][k][2][lanes], zeros where there are none. */
static void cols_pack(const Gemm *g, int64_t col, int64_t n, int64_t k, int64_t len, Work *w)
{
	const FpMat *m = &g->B;
	const int lanes = g->k->lanes;
	for (int64_t j = 0; j < COLS; j++) {
		float *o = w->b + j / lanes * (PIECE * 2 * lanes) + j % lanes;
		const uint8_t *code = m->code + (col + (j < n ? j : 0)) * m->ld_row + k * m->ld_k;
		for (int64_t i = 0; i < PIECE; i++) {
			bool there = j < n && i < len;
			uint8_t x = there ? code[i * m->ld_k] : 0;
			o[2 * i * lanes] = there ? g->b.value[x] : 0;
			o[(2 * i + 1) * lanes] = there ? g->b.power[x] : 0;
			w->odd_col[j] |= there && g->b.odd[x];
		}
	}
}

static void piece_multiply(const Gemm *g, Work *w, int64_t rows, int64_t len)
{
	const int lanes = g->k->lanes;
	const int64_t whole = (len + STEP - 1) / STEP * STEP;
	for (int64_t j = 0; j < COLS / lanes; j++)
		for (int64_t r = 0; r < rows; r += 4)
			g->k->fp_mma((int)least(rows - r, 4), whole, w->a + r * PIECE * 2, PIECE * 2, w->b + j * PIECE * 2 * lanes, g->acc.bits,
				w->c + (j * ROWS + r) * lanes);
}

static float *at(const Gemm *g, float *block, int64_t r, int64_t j)
{
	const int lanes = g->k->lanes;
	return block + (j / lanes * ROWS + r) * lanes + j % lanes;
}

static void piece_promote(const Gemm *g, Work *w, int64_t row, int64_t rows, int64_t col, int64_t cols, int64_t k)
{
	for (int64_t r = 0; r < rows; r++) {
		float sa = mat_scale(&g->A, row + r, k);
		for (int64_t j = 0; j < cols; j++) {
			float scale = sa * mat_scale(&g->B, col + j, k), *c = at(g, w->c, r, j);
			*at(g, w->sum, r, j) += *c * scale;
			*c = 0;
		}
	}
}

/* One result by the plain rule. */
static float plain_dot(const Gemm *g, int64_t row, int64_t col)
{
	float c = 0, sum = 0;
	for (int64_t k = 0, end; k < g->A.k; k = end) {
		end = piece_end(g, k);
		c = fp_mma_chain(g->A.format, g->A.code + row * g->A.ld_row + k * g->A.ld_k, g->A.ld_k, g->B.format,
			g->B.code + col * g->B.ld_row + k * g->B.ld_k, g->B.ld_k, end - k, g->acc.bits, c);
		if (!promotes(g, end))
			continue;
		float scale = mat_scale(&g->A, row, k) * mat_scale(&g->B, col, k);
		sum += c * scale;
		c = 0;
	}
	return sum;
}

static void task_put(const Gemm *g, Work *w, int64_t row, int64_t rows, int64_t col, int64_t cols)
{
	const bool slow = g->acc.bits > BITS_FAST;
	for (int64_t r = 0; r < rows; r++)
		for (int64_t j = 0; j < cols; j++) {
			real *y = g->y + (row + r) * g->ldy + col + j;
			float v = slow || w->odd_row[r] || w->odd_col[j] ? plain_dot(g, row + r, col + j) : *at(g, w->sum, r, j);
			*y = g->add ? *y + (real)v : (real)v;
		}
}

static void gemm_do(void *arg, int i, int worker)
{
	const Gemm *g = arg;
	Work *w = pool_kernel_scratch(g->p, worker, sizeof *w);
	int64_t row = i % g->row_tasks * ROWS, col = i / g->row_tasks * COLS;
	int64_t rows = least(ROWS, g->A.rows - row), cols = least(COLS, g->B.rows - col);
	memset(w->c, 0, sizeof w->c);
	memset(w->sum, 0, sizeof w->sum);
	memset(w->odd_row, 0, sizeof w->odd_row);
	memset(w->odd_col, 0, sizeof w->odd_col);
	for (int64_t k = 0, end; k < g->A.k && g->acc.bits <= BITS_FAST; k = end) {
		end = piece_end(g, k);
		rows_pack(&g->A, &g->a, row, rows, k, end - k, w->a, w->odd_row);
		cols_pack(g, col, cols, k, end - k, w);
		piece_multiply(g, w, rows, end - k);
		if (promotes(g, end))
			piece_promote(g, w, row, rows, col, cols, k);
	}
	task_put(g, w, row, rows, col, cols);
}

void fp_gemm(Pool *p, const FpMat *A, const FpMat *B, const FpAccum *acc, real *y, int64_t ldy, bool add)
{
	Gemm g = { .p = p, .k = pool_kernels(p), .A = *A, .B = *B, .acc = *acc, .y = y, .ldy = ldy, .add = add };
	codes_init(&g.a, A->format);
	codes_init(&g.b, B->format);
	g.row_tasks = (A->rows + ROWS - 1) / ROWS;
	par_for(p, (int)(g.row_tasks * ((B->rows + COLS - 1) / COLS)), gemm_do, &g);
}
