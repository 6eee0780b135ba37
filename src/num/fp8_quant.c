/* fp8_quant.c - see fp8_quant.h. The second pass, which rounds, finds in the caches what the first one read for the scale: a group within a
 * row is done at once; of groups of several rows a strip is, row by row, because rows are what lies together. */
#include "num/fp8_quant.h"
#include <string.h>

enum { TASK_ROWS = 16, STRIP = 2048 /* columns */, TASK_SIZE = 32768, PARTS_MAX = 256 };

typedef struct Quantise {
	const Kernels *k;
	const FpQuant *q;
	FpGrid grid;
	FpGroups g;
	int64_t rows, cols, ldx;
	const real *x;
	FpOut out;
	const float *fixed;           /* one scale for all, or NULL */
	float tensor;                 /* NV */
	int64_t task_rows, task_cols, n_cols;
} Quantise;

static int64_t div_up(int64_t a, int64_t b)
{
	return (a + b - 1) / b;
}

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

FpGroups fp_groups(const FpQuant *q, int64_t rows, int64_t cols)
{
	FpGroups g = { q->rows > 0 ? q->rows : rows, q->cols > 0 ? q->cols : cols, 0, 0 };
	g.n_rows = g.rows > 0 ? div_up(rows, g.rows) : 0;
	g.n_cols = g.cols > 0 ? div_up(cols, g.cols) : 0;
	return g;
}

FpGrid fp_grid(FpId id)
{
	const FpFormat *f = fp_format(id);
	const uint32_t nan = f->top == FP_TOP_NUMBER ? 0 : fp_encode(id, __builtin_nanf(""), true) & ((1u << (f->bits - 1)) - 1);
	return (FpGrid){ (128 - f->bias) << 23, 23 - f->mant, 32 - f->bits, nan, f->max };
}

static uint32_t bits_of(float f)
{
	uint32_t u;
	memcpy(&u, &f, 4);
	return u;
}

static float float_of(uint32_t u)
{
	float f;
	memcpy(&f, &u, 4);
	return f;
}

/* 2^(exponent of amax - e_max), within what an e8m0 holds. */
static float scale_mx(const FpQuant *q, float amax)
{
	int e = (int)(bits_of(amax) >> 23) - fp_format(q->format)->e_max;
	return float_of((uint32_t)(e < 1 ? 1 : e > 254 ? 254 : e) << 23);
}

/* The smallest scale that is not zero stands in for zero: a group of small values loses them, but nothing is divided by zero. */
static float scale_nv(const FpQuant *q, float amax, float tensor)
{
	uint32_t code = fp_encode(FP_E4M3, amax / fp_format(q->format)->max / tensor, true);
	return fp_decode(FP_E4M3, code ? code : 1) * tensor;
}

float fp_scale_tensor(const FpQuant *q, float amax)
{
	float s = amax / (fp_format(q->format)->max * fp_format(FP_E4M3)->max);
	return s > 0 ? s : 1;
}

float fp_scale(const FpQuant *q, float amax, float tensor)
{
	if (amax < q->floor)
		amax = q->floor;
	if (q->scale == FP_SCALE_NV)
		return scale_nv(q, amax, tensor);
	if (!(amax > 0))
		return 1;
	if (q->scale == FP_SCALE_MX)
		return scale_mx(q, amax);
	float s = amax / fp_format(q->format)->max;
	if (q->scale == FP_SCALE_POW2)
		return float_of(fp_encode(FP_E8M0, s, true) << 23);
	return s > 0 ? s : 1; /* 0: below the smallest float */
}

/* Columns [c0, c1) of row r, under one scale or one for each. */
static void run_cast(const Quantise *j, int64_t r, int64_t c0, int64_t c1, const float *scale, bool each)
{
	j->k->fp_cast(c1 - c0, j->x + r * j->ldx + c0, scale, each, &j->grid, j->out.code ? j->out.code + r * j->out.ld_code + c0 : NULL,
		j->out.y ? j->out.y + r * j->out.ldy + c0 : NULL);
}

/* The scale of group i of a row, columns [c, c + its width). */
static float row_scale(const Quantise *j, int64_t r, int64_t c, const float *given)
{
	if (j->fixed || given)
		return j->fixed ? *j->fixed : *given;
	return fp_scale(j->q, j->k->fp_amax(least(j->g.cols, j->cols - c), j->x + r * j->ldx + c), j->tensor);
}

/* A row whose groups are its own. The scale of the next group is sought before this one is rounded: its numbers come from memory meanwhile. */
static void row_do(const Quantise *j, int64_t r)
{
	const bool is_given = j->q->scale == FP_SCALE_GIVEN;
	float *kept = j->out.scale && !j->fixed ? j->out.scale + r * j->g.n_cols : NULL;
	float next = row_scale(j, r, 0, is_given ? kept : NULL);
	for (int64_t c = 0, i = 0; c < j->cols; c += j->g.cols, i++) {
		const int64_t end = least(c + j->g.cols, j->cols);
		const float scale = next;
		if (end < j->cols)
			next = row_scale(j, r, end, is_given ? kept + i + 1 : NULL);
		if (kept)
			kept[i] = scale;
		run_cast(j, r, c, end, &scale, false);
	}
}

/* scale[] of the groups of a strip: rows [r0, r1), columns [c0, c1). */
static void strip_scales(const Quantise *j, int64_t r0, int64_t r1, int64_t c0, int64_t c1, float *scale)
{
	const int64_t n = div_up(c1 - c0, j->g.cols);
	memset(scale, 0, (size_t)n * sizeof *scale);
	for (int64_t r = r0; r < r1; r++) {
		const real *x = j->x + r * j->ldx;
		if (j->g.cols == 1)
			j->k->fp_amax_each(n, x + c0, scale);
		for (int64_t i = 0, c = c0; j->g.cols > 1 && i < n; i++, c += j->g.cols) {
			float a = j->k->fp_amax(least(j->g.cols, c1 - c), x + c);
			scale[i] = a > scale[i] ? a : scale[i];
		}
	}
	for (int64_t i = 0; i < n; i++)
		scale[i] = fp_scale(j->q, scale[i], j->tensor);
}

static void strip_do(const Quantise *j, int64_t group, int64_t r0, int64_t r1, int64_t c0, int64_t c1)
{
	float own[STRIP], *kept = j->out.scale ? j->out.scale + group * j->g.n_cols + c0 / j->g.cols : NULL, *scale = kept ? kept : own;
	if (j->q->scale != FP_SCALE_GIVEN)
		strip_scales(j, r0, r1, c0, c1, scale);
	for (int64_t r = r0; r < r1; r++) {
		if (j->g.cols == 1)
			run_cast(j, r, c0, c1, scale, true);
		for (int64_t i = 0, c = c0; j->g.cols > 1 && c < c1; i++, c += j->g.cols)
			run_cast(j, r, c, least(c + j->g.cols, c1), scale + i, false);
	}
}

static void quantise_do(void *arg, int i, int worker)
{
	const Quantise *j = arg;
	(void)worker;
	int64_t top = i / j->n_cols * j->task_rows, left = i % j->n_cols * j->task_cols;
	int64_t bottom = least(top + j->task_rows, j->rows), right = least(left + j->task_cols, j->cols);
	for (int64_t r = top; r < bottom; r += j->g.rows) {
		if (j->g.rows == 1)
			row_do(j, r);
		else
			strip_do(j, r / j->g.rows, r, least(r + j->g.rows, bottom), left, right);
	}
}

/* Tasks follow from the shape alone. */
static void quantise_cut(Quantise *j)
{
	const int64_t round = j->g.rows == 1 ? div_up(TASK_SIZE, j->cols) : div_up(TASK_ROWS, j->g.rows);
	j->task_rows = round * j->g.rows;
	j->task_cols = j->g.rows == 1 ? j->cols : j->g.cols >= STRIP ? j->g.cols : STRIP / j->g.cols * j->g.cols;
	j->n_cols = div_up(j->cols, j->task_cols);
}

/* The largest does not depend on how rows are dealt out. */
typedef struct Amax { const Kernels *k; const real *x; int64_t rows, cols, ldx, part; float most[PARTS_MAX]; } Amax;

static void amax_do(void *arg, int i, int worker)
{
	Amax *a = arg;
	(void)worker;
	for (int64_t r = i * a->part, end = least(r + a->part, a->rows); r < end; r++) {
		float m = a->k->fp_amax(a->cols, a->x + r * a->ldx);
		a->most[i] = m > a->most[i] ? m : a->most[i];
	}
}

float fp_matrix_amax(Pool *p, int64_t rows, int64_t cols, const real *x, int64_t ldx)
{
	Amax a = { .k = pool_kernels(p), .x = x, .rows = rows, .cols = cols, .ldx = ldx };
	a.part = rows > TASK_ROWS * PARTS_MAX ? div_up(rows, PARTS_MAX) : TASK_ROWS;
	par_for(p, (int)div_up(rows, a.part), amax_do, &a);
	for (int i = 1; i < PARTS_MAX; i++)
		a.most[0] = a.most[i] > a.most[0] ? a.most[i] : a.most[0];
	return a.most[0];
}

void fp_quantise(Pool *p, const FpQuant *q, int64_t rows, int64_t cols, const real *x, int64_t ldx, const FpOut *out)
{
	Quantise j = { .k = pool_kernels(p), .q = q, .grid = fp_grid(q->format), .g = fp_groups(q, rows, cols), .rows = rows, .cols = cols,
		.ldx = ldx, .x = x, .out = *out };
	if (rows <= 0 || cols <= 0)
		return;
	bool whole = j.g.n_rows == 1 && j.g.n_cols == 1;
	float amax = whole || q->scale == FP_SCALE_NV ? fp_matrix_amax(p, rows, cols, x, ldx) : 0, one;
	j.tensor = fp_scale_tensor(q, amax);
	if (whole) { /* rows are dealt out, whatever the group */
		one = q->scale == FP_SCALE_GIVEN ? *out->scale : fp_scale(q, amax, j.tensor);
		if (out->scale)
			*out->scale = one;
		j.fixed = &one;
		j.g.rows = 1;
	}
	quantise_cut(&j);
	par_for(p, (int)(div_up(rows, j.task_rows) * j.n_cols), quantise_do, &j);
}

void fp_expand(FpId f, const FpGroups *g, int64_t rows, int64_t cols, const uint8_t *code, int64_t ld_code, const float *scale, real *y,
	int64_t ldy)
{
	float value[256];
	fp_decode_all(f, value);
	for (int64_t r = 0; r < rows; r++) {
		const float *s = scale + r / g->rows * g->n_cols;
		for (int64_t c = 0; c < cols; c++)
			y[r * ldy + c] = (real)(value[code[r * ld_code + c]] * s[c / g->cols]);
	}
}

float fp_delayed_scale(const FpDelayed *d, const FpQuant *q, float amax)
{
	float most = d->n ? 0 : amax;
	for (int i = 0; i < d->n; i++)
		most = d->amax[i] > most ? d->amax[i] : most;
	return fp_scale(q, most, fp_scale_tensor(q, most));
}

void fp_delayed_note(FpDelayed *d, float amax)
{
	d->amax[d->at] = amax;
	d->at = (d->at + 1) % FP_HISTORY;
	d->n = d->n < FP_HISTORY ? d->n + 1 : d->n;
}
