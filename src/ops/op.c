/* op.c - what the ops share: refusals that name tensors and shapes, loops over rows, and leaves for test
 * cases. */
#include "ops/op.h"
#include "num/kernels.h"
#include <stdio.h>
#include <string.h>

bool op_ready(Tape *t, const Op *op, int need, Ten *const *in)
{
	if (tape_failed(t))
		return false;
	for (int i = 0; i < need; i++)
		if (!in[i]) {
			tape_fail_op(t, op, E_6002, "input %d is missing", i + 1);
			return false;
		}
	return true;
}

Ten *op_misfit(Tape *t, const Op *op, const Ten *a, const Ten *b, const char *fmt, ...)
{
	Buf text = BUF_INIT, why = BUF_INIT;
	char line[256];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	buf_adds(&why, line);
	ten_describe(a, &text);
	if (b) {
		buf_adds(&text, " does not fit ");
		ten_describe(b, &text);
	}
	tape_fail_op(t, op, E_6002, "%s: %s", buf_str(&text), buf_str(&why));
	buf_done(&text);
	buf_done(&why);
	return NULL;
}

bool op_is_real(Tape *t, const Op *op, const Ten *x)
{
	if (x->dtype == REAL_DTYPE)
		return true;
	op_misfit(t, op, x, NULL, "numbers of type %s are needed, not %s", dtype_name(REAL_DTYPE),
		dtype_name(x->dtype));
	return false;
}

const real *op_row(Tape *t, const Ten *w)
{
	bool dense = ten_rows(w) == 1 || w->stride == ten_cols(w);
	if (w->dtype == REAL_DTYPE && dense && (uintptr_t)w->data % sizeof(real) == 0)
		return w->data;
	real *p = tape_alloc(t, (size_t)ten_count(w) * sizeof *p);
	if (p)
		ten_read(w, 0, ten_rows(w), p);
	return p;
}

enum { BLOCK_COST = 1 << 15 };  /* operations worth a hand-over to another thread */

typedef struct Blocks { int64_t n, size; OpRows fn; void *arg; } Blocks;

static void block_run(void *arg, int i, int worker)
{
	const Blocks *b = arg;
	(void)worker;
	int64_t from = i * b->size;
	b->fn(b->arg, from, from + b->size < b->n ? from + b->size : b->n);
}

void op_rows_for(Tape *t, int64_t n, int64_t cost, OpRows fn, void *arg)
{
	int64_t size = BLOCK_COST / (cost > 0 ? cost : 1);
	if (size < 1)
		size = 1;
	if (n <= size) {
		if (n > 0)
			fn(arg, 0, n);
		return;
	}
	if (n / size > 4096)
		size = n / 4096;
	Blocks b = { n, size, fn, arg };
	par_for(tape_pool(t), (int)((n + size - 1) / size), block_run, &b);
}

typedef struct Accumulate {
	const Kernels *k;
	bool set;               /* y is written, not added to */
	int64_t cols;
	real c;
	const real *x;
	int64_t ldx;
	real *y;
	int64_t ldy;
} Accumulate;

static void accumulate_rows(void *arg, int64_t from, int64_t to)
{
	const Accumulate *a = arg;
	for (int64_t r = from; r < to; r++) {
		const real *x = a->x + r * a->ldx;
		real *y = a->y + r * a->ldy;
		if (a->set)
			a->k->row_scale(a->cols, x, a->c, NULL, y);
		else
			a->k->row_add(a->cols, a->c, x, y);
	}
}

void op_accumulate(
	Tape *t, int64_t n_rows, int64_t n_cols, real c, const real *x, int64_t ldx, real *y, int64_t ldy)
{
	Accumulate a = { pool_kernels(tape_pool(t)), false, n_cols, c, x, ldx, y, ldy };
	op_rows_for(t, n_rows, n_cols, accumulate_rows, &a);
}

void op_grad_send(Tape *t, Ten *x, real c, const real *g, int64_t ldg)
{
	bool add;
	real *d = tape_grad_place(t, x, &add);
	if (!d)
		return;
	int64_t n = ten_cols(x);
	Accumulate a = { pool_kernels(tape_pool(t)), !add, n, c, g, ldg, d, n };
	op_rows_for(t, ten_rows(x), n, accumulate_rows, &a);
}

Ten *case_leaf(Tape *t, OpCase *c, Dtype d, int64_t n_rows, int64_t n_cols, double spread)
{
	int64_t n = n_rows * n_cols;
	real *v = tape_alloc(t, (size_t)n * sizeof *v);
	void *data = v && d != REAL_DTYPE ? tape_alloc(t, (size_t)n * sizeof(double)) : v;
	if (!data)
		return NULL;
	for (int64_t i = 0; i < n; i++)
		v[i] = (real)(spread * rng_normal(c->rng));
	bool counted = d == REAL_DTYPE && c->n < 8;
	if (counted && c->nudge_leaf == c->n && c->nudge_at < n)
		v[c->nudge_at] += (real)c->nudge;
	if (d != REAL_DTYPE)
		dtype_from_real(d, v, (size_t)n, data);
	Ten *x = tape_leaf(t, ten_wrap(d, data, 2, (int64_t[]){ n_rows, n_cols }, "leaf"), counted);
	if (counted)
		c->leaf[c->n++] = x;
	return x;
}
