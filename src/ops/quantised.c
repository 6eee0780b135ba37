/* quantised.c - see quantised.h.
 *
 * Operands become real copies in the step arena, given back after the product, and go through the same kernels as any other; with Hopper's
 * accumulation they become codes and scales. Weights stored as FP8 blocks that the rule asks for are taken as they are. */
#include "ops/quantised.h"
#include "num/fp8_stats.h"
#include <math.h>
#include <string.h>

enum { FPROP, DGRAD, WGRAD };

/* An operand in memory, [rows, cols]; turned: the sum runs down its rows. */
typedef struct Operand { const real *x; int64_t rows, cols, ld; bool turned; } Operand;

/* The groups of an operand as they lie in memory. */
static FpQuant lying(const FpQuant *q, bool turned)
{
	FpQuant m = *q;
	m.rows = turned ? q->cols : q->rows;
	m.cols = turned ? q->rows : q->cols;
	return m;
}

/* The first weight that has rows: for shapes and names. NULL: none has. */
static const Ten *layer_weight(const QuantLayer *l)
{
	for (int i = 0; i < l->n; i++)
		if (l->row[i] < l->row[i + 1])
			return l->W[i];
	return NULL;
}

/* --- copies with quantised values --- */

/* Whether W holds these very blocks already. */
static bool is_stored(const FpQuant *q, const Ten *W)
{
	return W->dtype == DT_F8_E4M3 && W->scale && q->format == FP_E4M3 && q->rows == 128 && q->cols == 128;
}

typedef struct Values {
	Tape *t;
	const QuantLayer *l;
	const FpQuant *q, *before;    /* before: of an earlier copy, along the rows; NULL: none */
	Operand a;                    /* all rows */
	real *to;                     /* of rows */
	Mat *m;                       /* of weights, with the place for the values in m[i].data */
} Values;

static void rows_do(void *arg, int i, int worker)
{
	const Values *v = arg;
	int64_t from = v->l->row[i], n = v->l->row[i + 1] - from, cols = v->a.cols;
	FpOut out = { .y = v->to + from * cols, .ldy = cols };
	(void)worker;
	const real *x = v->a.x + from * v->a.ld;
	int64_t ld = v->a.ld;
	if (v->before) {
		fp_quantise(tape_pool(v->t), v->before, n, cols, x, ld, &out);
		x = out.y;
		ld = cols;
	}
	FpQuant q = lying(v->q, v->a.turned);
	fp_quantise(tape_pool(v->t), &q, n, cols, x, ld, &out);
}

/* One layer's own work is cut into tasks; that of many layers is dealt out layer by layer. */
static void each_layer(const Values *v, void (*fn)(void *, int, int))
{
	if (v->l->n == 1)
		fn((void *)(uintptr_t)v, 0, 0);
	else
		par_for(tape_pool(v->t), v->l->n, fn, (void *)(uintptr_t)v);
}

/* A dense copy of rows with their values under q; NULL: the tape has failed. */
static const real *rows_values(Tape *t, const QuantLayer *l, const FpQuant *before, const FpQuant *q, Operand a)
{
	Values v = { .t = t, .l = l, .q = q, .before = before, .a = a, .to = tape_alloc(t, (size_t)(a.rows * a.cols) * sizeof(real)) };
	if (v.to)
		each_layer(&v, rows_do);
	return v.to;
}

static void weight_do(void *arg, int i, int worker)
{
	const Values *v = arg;
	const Ten *W = v->l->W[i];
	real *to = (real *)(uintptr_t)v->m[i].data;
	(void)worker;
	if (v->l->row[i] == v->l->row[i + 1] || is_stored(v->q, W))
		return;
	int64_t rows = ten_rows(W), cols = ten_cols(W);
	FpQuant q = lying(v->q, v->a.turned);
	const real *x = W->dtype == REAL_DTYPE ? ten_real(W) : to;
	int64_t ld = W->dtype == REAL_DTYPE ? W->stride : cols;
	if (x == to)
		ten_read(W, 0, rows, to);
	fp_quantise(tape_pool(v->t), &q, rows, cols, x, ld, &(FpOut){ .y = to, .ldy = cols });
}

/* The weights with their values under q, as matrices; one without rows has the header of another. */
static const Mat *weight_values(Tape *t, const QuantLayer *l, const FpQuant *q, bool turned)
{
	const Ten *first = layer_weight(l);
	const int64_t rows = ten_rows(first), cols = ten_cols(first);
	Values v = { .t = t, .l = l, .q = q, .a = { .turned = turned }, .m = tape_alloc(t, (size_t)l->n * sizeof *v.m) };
	for (int i = 0; v.m && i < l->n; i++) {
		const Ten *W = l->row[i] < l->row[i + 1] ? l->W[i] : first;
		v.m[i] = ten_mat(W);
		if (W != l->W[i] || is_stored(q, W))
			continue;
		v.m[i] = (Mat){ .dtype = REAL_DTYPE, .rows = rows, .cols = cols, .stride = cols,
			.data = tape_alloc(t, (size_t)(rows * cols) * sizeof(real)) };
	}
	if (tape_failed(t))
		return NULL;
	each_layer(&v, weight_do);
	return v.m;
}

/* --- codes, for Hopper's sums --- */

/* Codes and scales of an operand in the step arena; without codes the tape has failed. */
static FpMat codes_of(Tape *t, const FpQuant *q, Operand a)
{
	const FpQuant m = lying(q, a.turned);
	const FpGroups g = fp_groups(&m, a.rows, a.cols);
	uint8_t *code = tape_alloc(t, (size_t)(a.rows * a.cols));
	float *scale = tape_alloc(t, (size_t)(g.n_rows * g.n_cols) * sizeof *scale);
	FpMat c = { .code = code, .format = q->format, .scale = scale, .group_rows = q->rows, .group_k = q->cols };
	c.rows = a.turned ? a.cols : a.rows;
	c.k = a.turned ? a.rows : a.cols;
	c.ld_row = a.turned ? 1 : a.cols;
	c.ld_k = a.turned ? a.cols : 1;
	c.scale_row = a.turned ? 1 : g.n_cols;
	c.scale_k = a.turned ? g.n_cols : 1;
	if (code && scale)
		fp_quantise(tape_pool(t), &m, a.rows, a.cols, a.x, a.ld, &(FpOut){ .code = code, .ld_code = a.cols, .scale = scale });
	else
		c.code = NULL;
	return c;
}

/* A weight's values as they are stored, expanded. */
static Operand weight_operand(Tape *t, const Ten *W, bool turned)
{
	Operand a = { .rows = ten_rows(W), .cols = ten_cols(W), .ld = W->dtype == REAL_DTYPE ? W->stride : ten_cols(W), .turned = turned };
	if (W->dtype == REAL_DTYPE) {
		a.x = ten_real(W);
		return a;
	}
	real *to = tape_alloc(t, (size_t)(a.rows * a.cols) * sizeof *to);
	if (to)
		ten_read(W, 0, a.rows, to);
	a.x = to;
	return a;
}

/* y (+)= a b^T from codes of both. */
static void hopper_product(Tape *t, const Precision *p, Operand a, Operand b, real *y, int64_t ldy, bool add)
{
	if (!a.x || !b.x)
		return;
	FpMat A = codes_of(t, &p->a, a), B = codes_of(t, &p->b, b);
	if (A.code && B.code)
		fp_gemm(tape_pool(t), &A, &B, &p->accumulate, y, ldy, add);
}

/* --- the three products --- */

static bool is_hopper(const Precision *p)
{
	return p->accumulate.bits > 0;
}

static void fprop(Tape *t, const QuantLayer *l, const real *x, int64_t ldx, real *y, int64_t ldy)
{
	const Precision *p = &l->rule->fprop;
	const int64_t K = ten_cols(layer_weight(l)), M = l->row[l->n];
	for (int i = 0; is_hopper(p) && i < l->n; i++) {
		int64_t at = l->row[i], n = l->row[i + 1] - at;
		if (n)
			hopper_product(t, p, (Operand){ x + at * ldx, n, K, ldx, false }, weight_operand(t, l->W[i], false), y + at * ldy, ldy, false);
	}
	if (is_hopper(p))
		return;
	const real *values = rows_values(t, l, NULL, &p->a, (Operand){ x, M, K, ldx, false });
	const Mat *W = weight_values(t, l, &p->b, false);
	if (values && W)
		gemm_nt_grouped(tape_pool(t), l->n, l->row, values, K, W, y, ldy, 0);
}

static void dgrad(Tape *t, const QuantLayer *l, const real *g, int64_t ldg, real *dx, int64_t lddx, bool add)
{
	const Precision *p = &l->rule->dgrad;
	const int64_t N = ten_rows(layer_weight(l)), M = l->row[l->n];
	for (int i = 0; is_hopper(p) && i < l->n; i++) {
		int64_t at = l->row[i], n = l->row[i + 1] - at;
		if (n)
			hopper_product(t, p, (Operand){ g + at * ldg, n, N, ldg, false }, weight_operand(t, l->W[i], true), dx + at * lddx, lddx, add);
	}
	if (is_hopper(p))
		return;
	const real *values = rows_values(t, l, NULL, &p->a, (Operand){ g, M, N, ldg, false });
	const Mat *W = weight_values(t, l, &p->b, true);
	if (values && W)
		gemm_nn_grouped(tape_pool(t), l->n, l->row, values, N, W, dx, lddx, add ? GEMM_ACC : 0);
}

static void wgrad(Tape *t, const QuantLayer *l, const real *g, int64_t ldg, const real *x, int64_t ldx, real *const *dW)
{
	const Precision *p = &l->rule->wgrad;
	const FpQuant *cached = l->rule->fprop.format == FMT_QUANT ? &l->rule->fprop.a : NULL;
	const int64_t N = ten_rows(layer_weight(l)), K = ten_cols(layer_weight(l)), M = l->row[l->n];
	if (is_hopper(p)) {
		const real *back = cached ? rows_values(t, l, NULL, cached, (Operand){ x, M, K, ldx, false }) : x;
		int64_t ld = cached ? K : ldx;
		for (int i = 0; back && i < l->n; i++) {
			int64_t at = l->row[i], n = l->row[i + 1] - at;
			if (n && dW[i])
				hopper_product(t, p, (Operand){ g + at * ldg, n, N, ldg, true }, (Operand){ back + at * ld, n, K, ld, true }, dW[i], K, true);
		}
		return;
	}
	const real *gv = rows_values(t, l, NULL, &p->a, (Operand){ g, M, N, ldg, true });
	const real *xv = rows_values(t, l, cached, &p->b, (Operand){ x, M, K, ldx, true });
	if (gv && xv)
		gemm_tn_grouped(tape_pool(t), l->n, l->row, gv, N, N, xv, K, K, dW, K, GEMM_ACC);
}

/* --- errors, for whoever looks --- */

/* What q does to an operand. */
static void operand_sums(Tape *t, FpSums *s, const FpQuant *q, Operand a)
{
	const FpQuant m = lying(q, a.turned);
	const FpGroups g = fp_groups(&m, a.rows, a.cols);
	float *scale = tape_alloc(t, (size_t)(g.n_rows * g.n_cols) * sizeof *scale);
	if (!scale || !a.x)
		return;
	fp_quantise(tape_pool(t), &m, a.rows, a.cols, a.x, a.ld, &(FpOut){ .scale = scale });
	fp_sums_add(s, &m, a.rows, a.cols, a.x, a.ld, scale);
}

/* [3, 7]: the result, its left and its right operand; columns as in FpStats. */
static void errors_show(Tape *t, const char *name, const FpSums s[3])
{
	Ten *e = tape_ten2(t, 3, 7);
	for (int i = 0; e && i < 3; i++) {
		const FpStats f = fp_stats(&s[i]);
		const double v[] = { f.rel_l2, f.max_abs, f.sqnr_db, f.underflow, f.subnormal, f.above, f.clamped };
		for (int k = 0; k < 7; k++)
			ten_real(e)[i * 7 + k] = (real)v[k];
	}
	tape_show(t, name, e);
}

/* Operands of the product of layer i: activations or gradients by rows, and what they are multiplied with. */
static void layer_sums(Tape *t, const QuantLayer *l, int product, int i, Operand rows, const Operand *other, FpSums s[3])
{
	const Precision *p = product == FPROP ? &l->rule->fprop : product == DGRAD ? &l->rule->dgrad : &l->rule->wgrad;
	int64_t at = l->row[i], n = l->row[i + 1] - at;
	if (!n)
		return;
	Operand b = other ? *other : weight_operand(t, l->W[i], product == DGRAD);
	rows.x += at * rows.ld;
	rows.rows = n;
	if (other) {
		b.x += at * b.ld;
		b.rows = n;
	}
	operand_sums(t, &s[1], &p->a, rows);
	operand_sums(t, &s[2], &p->b, b);
}

/* The product as it is and as it would be without quantising, both anew, so that nothing else knows of it. */
static void fprop_show(Tape *t, const char *name, const QuantLayer *l, const real *x, int64_t ldx)
{
	const int64_t N = ten_rows(layer_weight(l)), K = ten_cols(layer_weight(l)), M = l->row[l->n];
	real *y = tape_alloc(t, (size_t)(2 * M * N) * sizeof *y);
	FpSums s[3] = { { 0 } };
	if (!y)
		return;
	fprop(t, l, x, ldx, y, N);
	for (int i = 0; i < l->n && !tape_failed(t); i++) {
		int64_t at = l->row[i], n = l->row[i + 1] - at;
		Mat W = ten_mat(n ? l->W[i] : layer_weight(l));
		gemm_nt(tape_pool(t), n, x + at * ldx, ldx, &W, y + (M + at) * N, N, 0);
		layer_sums(t, l, FPROP, i, (Operand){ x, M, K, ldx, false }, NULL, s);
	}
	fp_sums_compare(&s[0], M, N, y + M * N, N, y, N);
	errors_show(t, name, s);
}

static void dgrad_show(Tape *t, const char *name, const QuantLayer *l, const real *g, int64_t ldg)
{
	const int64_t N = ten_rows(layer_weight(l)), K = ten_cols(layer_weight(l)), M = l->row[l->n];
	real *y = tape_alloc(t, (size_t)(2 * M * K) * sizeof *y);
	FpSums s[3] = { { 0 } };
	if (!y)
		return;
	dgrad(t, l, g, ldg, y, K, false);
	for (int i = 0; i < l->n && !tape_failed(t); i++) {
		int64_t at = l->row[i], n = l->row[i + 1] - at;
		Mat W = ten_mat(n ? l->W[i] : layer_weight(l));
		gemm_nn(tape_pool(t), n, g + at * ldg, ldg, &W, y + (M + at) * K, K, 0);
		layer_sums(t, l, DGRAD, i, (Operand){ g, M, N, ldg, false }, NULL, s);
	}
	fp_sums_compare(&s[0], M, K, y + M * K, K, y, K);
	errors_show(t, name, s);
}

static void wgrad_show(Tape *t, const char *name, const QuantLayer *l, const real *g, int64_t ldg, const real *x, int64_t ldx)
{
	const int64_t N = ten_rows(layer_weight(l)), K = ten_cols(layer_weight(l)), M = l->row[l->n], size = N * K;
	real *y = tape_alloc(t, (size_t)((l->n + 1) * size) * sizeof *y), **dW = tape_alloc(t, (size_t)l->n * sizeof *dW);
	FpSums s[3] = { { 0 } };
	if (!y || !dW)
		return;
	for (int i = 0; i < l->n; i++)
		dW[i] = l->row[i] < l->row[i + 1] ? memset(y + (i + 1) * size, 0, (size_t)size * sizeof *y) : NULL;
	wgrad(t, l, g, ldg, x, ldx, dW);
	Operand other = { x, M, K, ldx, true };
	for (int i = 0; i < l->n && !tape_failed(t); i++) {
		int64_t at = l->row[i], n = l->row[i + 1] - at;
		if (!n)
			continue;
		gemm_tn(tape_pool(t), n, g + at * ldg, ldg, N, x + at * ldx, ldx, K, y, K, 0);
		fp_sums_compare(&s[0], N, K, y, K, dW[i], K);
		layer_sums(t, l, WGRAD, i, (Operand){ g, M, N, ldg, true }, &other, s);
	}
	errors_show(t, name, s);
}

/* --- with the step arena given back --- */

static const char *watched(Tape *t, const QuantLayer *l, int product)
{
	const Ten *W = layer_weight(l);
	return W ? tape_error_name(t, W->name, product) : NULL;
}

void quantised_fprop(Tape *t, const QuantLayer *l, const real *x, int64_t ldx, real *y, int64_t ldy)
{
	const char *name = watched(t, l, FPROP);
	if (!layer_weight(l) || tape_failed(t))
		return;
	ArenaMark m = arena_mark(tape_arena(t));
	fprop(t, l, x, ldx, y, ldy);
	arena_release(tape_arena(t), m);
	if (name)
		fprop_show(t, name, l, x, ldx);
}

void quantised_dgrad(Tape *t, const QuantLayer *l, const real *g, int64_t ldg, real *dx, int64_t lddx, bool add)
{
	const char *name = watched(t, l, DGRAD);
	if (!layer_weight(l) || tape_failed(t))
		return;
	ArenaMark m = arena_mark(tape_arena(t));
	dgrad(t, l, g, ldg, dx, lddx, add);
	arena_release(tape_arena(t), m);
	if (name)
		dgrad_show(t, name, l, g, ldg);
}

void quantised_wgrad(Tape *t, const QuantLayer *l, const real *g, int64_t ldg, const real *x, int64_t ldx, real *const *dW)
{
	const char *name = watched(t, l, WGRAD);
	if (!layer_weight(l) || tape_failed(t))
		return;
	ArenaMark m = arena_mark(tape_arena(t));
	wgrad(t, l, g, ldg, x, ldx, dW);
	arena_release(tape_arena(t), m);
	if (name)
		wgrad_show(t, name, l, g, ldg, x, ldx);
}
