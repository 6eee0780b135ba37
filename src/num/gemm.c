/* gemm.c - cuts products into tasks by their shape and hands them to the pool; the arithmetic is in kern_nt.h and kern_nn.h. */
#include "num/gemm.h"
#include "num/kernels.h"

/* A task should be worth a hand-over (about a microsecond or more of work) and leave enough of them to share. With more than one row
 * every task lays x out anew: many columns should share that, so a worker gets few tasks. */
enum { TASK_MACS = 1 << 17, COLS_ROUND = 24, COLS_LEAST = 48, COLS_ROWS = 192, TASKS_EACH = 4, ROWS_SHARED = 192, NN_FEW = 8, NN_COLS = 192,
	NN_COLS_LEAST = 64, NN_ROUND = 12 };

typedef struct Cut {
	int64_t rows, cols;       /* of the result, per task */
	int64_t n_rows, n_cols;   /* tasks each way */
} Cut;

static int64_t div_up(int64_t a, int64_t b)
{
	return (a + b - 1) / b;
}

static int64_t max64(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static Cut nt_cut(const Pool *p, int64_t M, const Mat *W)
{
	const int threads = pool_threads(p);
	int64_t most = pool_kernels(p)->nt_rows(W->cols);
	most = threads > 1 && most > ROWS_SHARED ? ROWS_SHARED : most;
	int64_t blocks = div_up(M, most), rows = div_up(M, max64(blocks, 1));
	int64_t cols = TASK_MACS / (max64(rows, 1) * max64(W->cols, 1));
	int64_t share = threads == 1 ? W->rows : W->rows * blocks / (threads * TASKS_EACH);
	cols = div_up(max64(cols, M > 1 ? max64(share, COLS_ROWS) : COLS_LEAST), COLS_ROUND) * COLS_ROUND;
	return (Cut){ rows, cols, rows ? div_up(M, rows) : 0, div_up(W->rows, cols) };
}

static NtTask nt_task(NtTask t, Cut c, int64_t row, int64_t col)
{
	int64_t M = t.M - row * c.rows, n0 = col * c.cols;
	t.x += row * c.rows * t.ldx;
	t.y += row * c.rows * t.ldy;
	t.M = M < c.rows ? M : c.rows;
	t.n0 = n0;
	t.n1 = n0 + c.cols < t.W->rows ? n0 + c.cols : t.W->rows;
	return t;
}

static void nt_run(Pool *p, int worker, NtTask t)
{
	const Kernels *k = pool_kernels(p);
	t.scratch = pool_kernel_scratch(p, worker, k->nt_scratch(t.M, t.W));
	k->nt(&t);
}

typedef struct NtJob {
	Pool *p;
	NtTask whole;
	Cut cut;
	/* groups: task numbers [first[g], first[g + 1]) belong to group g, which has its own cut */
	int n_groups;
	const int64_t *row;
} NtJob;

static void nt_do(void *arg, int i, int worker)
{
	const NtJob *j = arg;
	nt_run(j->p, worker, nt_task(j->whole, j->cut, i % j->cut.n_rows, i / j->cut.n_rows));
}

void gemm_nt(Pool *p, int64_t M, const real *x, int64_t ldx, const Mat *W, real *y, int64_t ldy, unsigned flags)
{
	NtJob j = { .p = p, .whole = { .M = M, .x = x, .ldx = ldx, .W = W, .y = y, .ldy = ldy, .flags = flags },
		.cut = nt_cut(p, M, W) };
	par_for(p, (int)(j.cut.n_rows * j.cut.n_cols), nt_do, &j);
}

void gemm_nt_one(Pool *p, int worker, int64_t M, const real *x, int64_t ldx, const Mat *W, real *y, int64_t ldy, unsigned flags)
{
	NtTask whole = { .M = M, .x = x, .ldx = ldx, .W = W, .y = y, .ldy = ldy, .flags = flags };
	Cut c = nt_cut(p, M, W);
	c.cols = W->rows ? W->rows : 1;
	for (int64_t i = 0; i < c.n_rows; i++)
		nt_run(p, worker, nt_task(whole, c, i, 0));
}

/* Task i of a grouped product: groups are walked to find it, which is cheap against the work of a task. */
static void group_do(void *arg, int i, int worker)
{
	const NtJob *j = arg;
	int64_t at = i;
	for (int g = 0; g < j->n_groups; g++) {
		NtTask t = j->whole;
		t.M = j->row[g + 1] - j->row[g];
		t.W = j->whole.W + g;
		Cut c = nt_cut(j->p, t.M, t.W);
		if (at < c.n_rows * c.n_cols) {
			t.x += j->row[g] * t.ldx;
			t.y += j->row[g] * t.ldy;
			nt_run(j->p, worker, nt_task(t, c, at % c.n_rows, at / c.n_rows));
			return;
		}
		at -= c.n_rows * c.n_cols;
	}
}

void gemm_nt_grouped(Pool *p, int n_groups, const int64_t *row, const real *x, int64_t ldx, const Mat *W, real *y,
	int64_t ldy, unsigned flags)
{
	NtJob j = { .p = p, .whole = { .x = x, .ldx = ldx, .W = W, .y = y, .ldy = ldy, .flags = flags },
		.n_groups = n_groups, .row = row };
	int64_t tasks = 0;
	for (int g = 0; g < n_groups; g++) {
		Cut c = nt_cut(p, row[g + 1] - row[g], W + g);
		tasks += c.n_rows * c.n_cols;
	}
	par_for(p, (int)tasks, group_do, &j);
}

typedef struct NnJob {
	Pool *p;
	NnTask whole;
	Cut cut;
} NnJob;

/* Few rows: wide pieces of columns, so that W streams along its rows. Many: all columns share a block of rows of g, as far as there
 * are tasks enough. */
static Cut nn_cut(const Pool *p, int64_t M, int64_t N, int64_t K)
{
	const int threads = pool_threads(p);
	int64_t blocks = div_up(M, NN_TASK_ROWS), rows = div_up(M, max64(blocks, 1));
	int64_t cols = TASK_MACS / (max64(rows, 1) * max64(N, 1)), round = NN_COLS;
	if (rows > NN_FEW) {
		rows = blocks > 1 ? div_up(rows, NN_ROUND) * NN_ROUND : rows;
		blocks = div_up(M, rows);
		round = NN_COLS_LEAST;
		cols = max64(cols, threads == 1 ? K : K * blocks / (threads * TASKS_EACH));
	}
	cols = max64(div_up(cols, round), 1) * round;
	return (Cut){ rows, cols, rows ? div_up(M, rows) : 0, div_up(K, cols) };
}

static void nn_run(Pool *p, int worker, NnTask t, Cut c, int64_t row, int64_t col)
{
	const Kernels *k = pool_kernels(p);
	int64_t M = t.M - row * c.rows, K = t.W->cols;
	t.g += row * c.rows * t.g_row;
	t.d += row * c.rows * t.ldd;
	t.M = M < c.rows ? M : c.rows;
	t.k0 = col * c.cols;
	t.k1 = t.k0 + c.cols < K ? t.k0 + c.cols : K;
	t.scratch = pool_kernel_scratch(p, worker, k->nn_scratch);
	k->nn(&t);
}

static void nn_do(void *arg, int i, int worker)
{
	const NnJob *j = arg;
	nn_run(j->p, worker, j->whole, j->cut, i % j->cut.n_rows, i / j->cut.n_rows);
}

static void nn_all(Pool *p, NnTask whole)
{
	NnJob j = { p, whole, nn_cut(p, whole.M, whole.W->rows, whole.W->cols) };
	par_for(p, (int)(j.cut.n_rows * j.cut.n_cols), nn_do, &j);
}

void gemm_nn(Pool *p, int64_t M, const real *g, int64_t ldg, const Mat *W, real *dx, int64_t lddx, unsigned flags)
{
	nn_all(p, (NnTask){ .M = M, .g = g, .g_row = ldg, .g_red = 1, .W = W, .d = dx, .ldd = lddx, .flags = flags });
}

void gemm_nn_one(Pool *p, int worker, int64_t M, const real *g, int64_t ldg, const Mat *W, real *dx, int64_t lddx, unsigned flags)
{
	NnTask whole = { .M = M, .g = g, .g_row = ldg, .g_red = 1, .W = W, .d = dx, .ldd = lddx, .flags = flags };
	Cut c = nn_cut(p, M, W->rows, W->cols);
	for (int64_t i = 0; i < c.n_rows * c.n_cols; i++)
		nn_run(p, worker, whole, c, i % c.n_rows, i / c.n_rows);
}

void gemm_tn(Pool *p, int64_t M, const real *g, int64_t ldg, int64_t N, const real *x, int64_t ldx, int64_t K, real *dW,
	int64_t lddw, unsigned flags)
{
	Mat X = { .data = x, .dtype = REAL_DTYPE, .rows = M, .cols = K, .stride = ldx };
	nn_all(p, (NnTask){ .M = N, .g = g, .g_row = 1, .g_red = ldg, .W = &X, .d = dW, .ldd = lddw, .flags = flags });
}

/* Group i's product is `whole` with what depends on the group put in: rows of d and one W each (gemm_nn), or rows of g and X, and one d
 * each (gemm_tn). */
typedef struct NnGroups {
	Pool *p;
	NnTask whole;
	Mat X;                /* gemm_tn: the first row */
	real *const *dW;      /* NULL: gemm_nn */
	int n_groups;
	const int64_t *row;
} NnGroups;

static NnTask nn_group(const NnGroups *j, int i, Mat *X)
{
	NnTask t = j->whole;
	const int64_t at = j->row[i], n = j->row[i + 1] - at;
	if (j->dW) {
		*X = j->X;
		X->data = (const real *)X->data + at * X->stride;
		X->rows = n;
		t.W = X;
		t.g += at * t.g_red;
		t.d = j->dW[i];
		t.M = t.d ? t.M : 0;
	} else {
		t.W += i;
		t.g += at * t.g_row;
		t.d += at * t.ldd;
		t.M = n;
	}
	return t;
}

static void nn_group_do(void *arg, int i, int worker)
{
	const NnGroups *j = arg;
	int64_t at = i;
	for (int g = 0; g < j->n_groups; g++) {
		Mat X;
		NnTask t = nn_group(j, g, &X);
		Cut c = nn_cut(j->p, t.M, t.W->rows, t.W->cols);
		if (at < c.n_rows * c.n_cols) {
			nn_run(j->p, worker, t, c, at % c.n_rows, at / c.n_rows);
			return;
		}
		at -= c.n_rows * c.n_cols;
	}
}

static void nn_groups_all(NnGroups j)
{
	int64_t tasks = 0;
	for (int g = 0; g < j.n_groups; g++) {
		Mat X;
		NnTask t = nn_group(&j, g, &X);
		Cut c = nn_cut(j.p, t.M, t.W->rows, t.W->cols);
		tasks += c.n_rows * c.n_cols;
	}
	par_for(j.p, (int)tasks, nn_group_do, &j);
}

void gemm_nn_grouped(Pool *p, int n_groups, const int64_t *row, const real *g, int64_t ldg, const Mat *W, real *dx, int64_t lddx,
	unsigned flags)
{
	nn_groups_all((NnGroups){ .p = p, .n_groups = n_groups, .row = row,
		.whole = { .g = g, .g_row = ldg, .g_red = 1, .W = W, .d = dx, .ldd = lddx, .flags = flags } });
}

void gemm_tn_grouped(Pool *p, int n_groups, const int64_t *row, const real *g, int64_t ldg, int64_t N, const real *x, int64_t ldx,
	int64_t K, real *const *dW, int64_t lddw, unsigned flags)
{
	nn_groups_all((NnGroups){ .p = p, .n_groups = n_groups, .row = row, .dW = dW,
		.X = { .data = x, .dtype = REAL_DTYPE, .cols = K, .stride = ldx },
		.whole = { .M = N, .g = g, .g_row = 1, .g_red = ldg, .ldd = lddw, .flags = flags } });
}
