/* attend_backward.c - gradients of fused attention in the form that keeps one number a row: probabilities are
 * computed again from the saved log-sums, tile by tile (training.md 2.5).
 *
 * A task is one sequence and one key head, and owns its rows of every gradient but that of the shared rotary
 * key, which is summed over key heads in ascending order afterwards. Blocks of keys are the outer loop: a
 * block is turned once for all rows. */
#include "ops/attend_core.h"
#include "num/rows.h"
#include <math.h>
#include <string.h>

typedef struct Back {
	Pool *pool;
	const AttCore *c;
	const AttGrads *g;
	real *D; /* [T * H]: sum_c go o = sum_j P dP of each row, so no second pass over the keys is needed */
	real *scratch;      /* per worker: P, dS, both transposed, turned keys and values */
	int64_t scratch_size;
	real *k2;           /* per key head: [keys of all, d2]; NULL when one head writes at once */
	int64_t k2_size;
	int heads;          /* key heads */
} Back;

enum { BLOCK = ATT_ROWS * ATT_KEYS };

/* Rows [row, row + nt) of one head against keys [at, at + n) of the sequence. */
typedef struct Here {
	const Seq *s;
	int head, worker;
	int64_t row, nt, pos, at, n;
	real *P, *dS, *PT, *dST;
	Mat K1, K2, V;      /* turned */
} Here;

typedef struct Dots { const AttCore *c; const AttGrads *g; real *D; } Dots;

static void dot_rows(void *arg, int64_t from, int64_t to)
{
	const Dots *d = arg;
	for (int64_t r = from; r < to; r++)
		for (int h = 0; h < d->c->H; h++) {
			const real *g = att_real(&d->g->go, r, h), *o = att_out(&d->c->o, r, h);
			real sum = 0;
			for (int i = 0; i < d->c->dv; i++)
				sum += g[i] * o[i];
			d->D[r * d->c->H + h] = sum;
		}
}

/* P = exp(scale s - lse) by way of the vector exponential: exp(s - max) times exp(max - lse). */
static void probs_again(const Back *b, const Here *h)
{
	const AttCore *c = b->c;
	gemm_nn_one(
		b->pool, h->worker, h->nt, att_real(&c->q1, h->row, h->head), c->q1.ld, &h->K1, h->P, ATT_KEYS, 0);
	if (c->d2)
		gemm_nn_one(b->pool, h->worker, h->nt, att_real(&c->q2, h->row, h->head), c->q2.ld, &h->K2, h->P,
			ATT_KEYS, GEMM_ACC);
	for (int64_t m = 0; m < h->nt; m++) {
		real *s = h->P + m * ATT_KEYS, factor, sum = 0;
		int64_t see = h->pos + m + 1 - h->at, n = see < 0 ? 0 : see < h->n ? see : h->n;
		for (int64_t i = n; i < h->n; i++)
			s[i] = 0;
		if (n == 0)
			continue;
		real max = row_softmax_online(pool_kernels(b->pool), n, s, -(real)INFINITY, &factor, &sum);
		real f = num_exp(max - c->lse[(h->row + m) * c->H + h->head]);
		for (int64_t i = 0; i < n; i++)
			s[i] *= f;
	}
}

/* dS = scale P (dP - D), and both transposed for the products that run over rows. */
static void score_grads(const Back *b, const Here *h)
{
	const AttCore *c = b->c;
	gemm_nn_one(b->pool, h->worker, h->nt, att_real(&b->g->go, h->row, h->head), b->g->go.ld, &h->V, h->dS,
		ATT_KEYS, 0);
	for (int64_t m = 0; m < h->nt; m++) {
		real *p = h->P + m * ATT_KEYS, *d = h->dS + m * ATT_KEYS, D = b->D[(h->row + m) * c->H + h->head];
		for (int64_t i = 0; i < h->n; i++)
			d[i] = c->scale * p[i] * (d[i] - D);
		for (int64_t i = 0; i < h->n; i++)
			h->PT[i * ATT_ROWS + m] = p[i];
		for (int64_t i = 0; i < h->n; i++)
			h->dST[i * ATT_ROWS + m] = d[i];
	}
}

/* out[M rows] (+)= x[M, N] W */
static void product(const Back *b, const Here *h, int64_t M, const real *x, int64_t ldx, Mat W, real *out,
	int64_t ld, unsigned flags)
{
	gemm_nn_one(b->pool, h->worker, M, x, ldx, &W, out, ld, flags);
}

static void tile_back(const Back *b, const Here *h)
{
	const AttCore *c = b->c;
	const AttGrads *g = b->g;
	int64_t key = h->s->key0 + h->at, kh = h->head / c->group;
	unsigned first = h->at == 0 && !g->add_q ? 0 : GEMM_ACC; /* every row sees the first block of keys */
	probs_again(b, h);
	score_grads(b, h);
	if (g->q1.p)
		product(b, h, h->nt, h->dS, ATT_KEYS, att_mat(&c->k1, key, kh, h->n, c->d1),
			att_out(&g->q1, h->row, h->head), g->q1.ld, first);
	if (c->d2 && g->q2.p)
		product(b, h, h->nt, h->dS, ATT_KEYS, att_mat(&c->k2, key, 0, h->n, c->d2),
			att_out(&g->q2, h->row, h->head), g->q2.ld, first);
	if (g->v.p)
		product(b, h, h->n, h->PT, ATT_ROWS, att_mat(&g->go, h->row, h->head, h->nt, c->dv),
			att_out(&g->v, key, kh), g->v.ld, GEMM_ACC);
	if (g->k1.p)
		product(b, h, h->n, h->dST, ATT_ROWS, att_mat(&c->q1, h->row, h->head, h->nt, c->d1),
			att_out(&g->k1, key, kh), g->k1.ld, GEMM_ACC);
	if (c->d2 && g->k2.p) {
		real *to = b->k2 ? b->k2 + kh * b->k2_size + key * c->d2 : att_out(&g->k2, key, 0);
		product(b, h, h->n, h->dST, ATT_ROWS, att_mat(&c->q2, h->row, h->head, h->nt, c->d2), to,
			b->k2 ? c->d2 : g->k2.ld, GEMM_ACC);
	}
}

/* All rows of the key head's group that see the block of keys. */
static void block_back(const Back *b, Here *h, int key_head)
{
	const AttCore *c = b->c;
	const Seq *s = h->s;
	int64_t past = s->keys - s->rows, key = s->key0 + h->at;
	real *turned = h->dST + BLOCK;
	h->K1 = att_turn(&c->k1, key, key_head, h->n, c->d1, c->scale, turned);
	if (c->d2)
		h->K2 = att_turn(&c->k2, key, 0, h->n, c->d2, c->scale, turned + (int64_t)c->d1 * ATT_KEYS);
	h->V = att_turn(&c->v, key, key_head, h->n, c->dv, 1, turned + (int64_t)(c->d1 + c->d2) * ATT_KEYS);
	int64_t first = h->at > past ? (h->at - past) / ATT_ROWS * ATT_ROWS : 0;
	for (h->head = key_head * c->group; h->head < (key_head + 1) * c->group; h->head++)
		for (int64_t r = first; r < s->rows; r += ATT_ROWS) {
			h->row = s->row0 + r;
			h->nt = s->rows - r < ATT_ROWS ? s->rows - r : ATT_ROWS;
			h->pos = past + r;
			tile_back(b, h);
		}
}

static void back_run(void *arg, int i, int worker)
{
	const Back *b = arg;
	const Seq *s = &b->c->seq[i / b->heads];
	real *p = b->scratch + worker * b->scratch_size;
	Here h = { .s = s, .worker = worker, .P = p, .dS = p + BLOCK, .PT = p + 2 * BLOCK, .dST = p + 3 * BLOCK };
	if (s->rows == 0)
		return;
	for (h.at = 0; h.at < s->keys; h.at += ATT_KEYS) {
		h.n = s->keys - h.at < ATT_KEYS ? s->keys - h.at : ATT_KEYS;
		block_back(b, &h, i % b->heads);
	}
}

static bool back_alloc(Tape *t, Back *b, int64_t T, int64_t keys)
{
	const AttCore *c = b->c;
	b->scratch_size = 4 * BLOCK + (int64_t)(c->d1 + c->d2 + c->dv) * ATT_KEYS;
	b->scratch = tape_alloc(t, (size_t)(pool_threads(b->pool) * b->scratch_size) * sizeof(real));
	b->D = tape_alloc(t, (size_t)(T * c->H) * sizeof(real));
	if (c->d2 && b->g->k2.p && b->heads > 1) {
		b->k2_size = keys * c->d2;
		b->k2 = tape_alloc(t, (size_t)(b->heads * b->k2_size) * sizeof(real));
		if (b->k2)
			memset(b->k2, 0, (size_t)(b->heads * b->k2_size) * sizeof(real));
	}
	return !tape_failed(t);
}

void att_backward(Tape *t, const AttCore *c, const AttGrads *g)
{
	Back b = { .pool = tape_pool(t), .c = c, .g = g, .heads = c->H / c->group };
	int64_t keys = 0, T = 0;
	for (int i = 0; i < c->n_seq; i++) {
		if (c->seq[i].key0 + c->seq[i].keys > keys)
			keys = c->seq[i].key0 + c->seq[i].keys;
		T += c->seq[i].rows;
	}
	ArenaMark mark = arena_mark(tape_arena(t));
	if (back_alloc(t, &b, T, keys) && T > 0) {
		Dots d = { c, g, b.D };
		op_rows_for(t, T, (int64_t)2 * c->H * c->dv, dot_rows, &d);
		par_for(b.pool, c->n_seq * b.heads, back_run, &b);
		for (int j = 0; b.k2 && j < b.heads; j++)
			op_accumulate(t, keys, c->d2, 1, b.k2 + j * b.k2_size, c->d2, g->k2.p, g->k2.ld);
	}
	arena_release(tape_arena(t), mark);
}
