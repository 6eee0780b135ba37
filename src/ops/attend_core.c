/* attend_core.c - the forward pass of fused attention: tiles of query rows against ranges of keys (see
 * attend_core.h). */
#include "ops/attend_core.h"
#include "num/rows.h"
#include <math.h>
#include <string.h>

/* Query rows that share their keys: nt tokens times nh heads, row m being token m / nh, head m % nh. */
typedef struct Tile { int seq, head, nh, nt; int64_t row, pos; int ranges; int64_t part; } Tile;
typedef struct Task { int tile, range; } Task;

typedef struct Work {
	const AttCore *c;
	Pool *pool;
	Tile *tile;
	Task *task;
	real *part, *scratch; /* partial results of tiles with several ranges; a worker's scores, maxima, sums and
							 turned keys */
	int64_t scratch_size;
	int n_tiles, n_tasks;
	int64_t used;           /* of part */
} Work;

enum {
	SCORES = ATT_HEADS * ATT_KEYS,
	SCRATCH = SCORES + 2 * ATT_TURNED_ROWS,
	TILES = 1024,
	TASKS = 4096,
	PART_REALS = 1 << 20
};

/* How many heads and tokens make a tile. Heads of one key head are taken together where their rows lie
 * evenly. */
static void tile_shape(const AttCore *c, const Seq *s, int *nh, int *nt)
{
	int g = c->group;
	bool even = g == c->H && c->q1.ld == g * c->q1.head && c->o.ld == g * c->o.head &&
		(c->d2 == 0 || c->q2.ld == g * c->q2.head);
	*nh = 1;
	*nt = c->turned ? ATT_TURNED_ROWS : ATT_ROWS;
	if (g > 1 && g <= ATT_ROWS && even) {
		*nh = g;
		*nt = ATT_ROWS / g;
	} else if (g > 1 && (s->rows == 1 || g > ATT_ROWS)) {
		*nh = g < ATT_HEADS ? g : ATT_HEADS;
		*nt = 1;
	}
}

/* The next tile after *k (all zero: the first); false after the last. */
static bool tile_next(const AttCore *c, Tile *k)
{
	int nh, nt;
	for (bool first = k->nt == 0; k->seq < c->n_seq; first = true) {
		const Seq *s = &c->seq[k->seq];
		tile_shape(c, s, &nh, &nt);
		if (first) {
			k->row = s->row0;
			k->head = 0;
		} else {
			k->head += k->nh;
			if (k->head == c->H) {
				k->head = 0;
				k->row += k->nt;
			}
		}
		int64_t left = s->row0 + s->rows - k->row;
		if (left > 0) {
			int in_group = c->group - k->head % c->group;
			k->nh = nh < in_group ? nh : in_group;
			k->nt = left < nt ? (int)left : nt;
			k->pos = s->keys - s->rows + k->row - s->row0;
			k->ranges = (int)((k->pos + k->nt - 1) / ATT_RANGE + 1);
			return true;
		}
		k->seq++;
	}
	return false;
}

static int64_t part_size(const AttCore *c, const Tile *k)
{
	return k->ranges > 1 ? (int64_t)k->nh * k->nt * (c->dv + 2) * k->ranges : 0;
}

/* Where a task writes: rows of o with their stride, running maxima and sums. */
typedef struct Place { real *o; int64_t ld; real *max, *sum; } Place;

static Place part_place(const Work *w, const Tile *k, int range)
{
	int64_t M = (int64_t)k->nh * k->nt, dv = w->c->dv;
	real *p = w->part + k->part + range * M * (dv + 2);
	return (Place){ p, dv, p + M * dv, p + M * dv + M };
}

static int64_t row_stride(const Tile *k, int64_t ld, int64_t head)
{
	return k->nh == 1 ? ld : head;
}

enum { VECTOR = 16 };
typedef real Four __attribute__((vector_size(4 * sizeof(real))));

static void four_at(const real *p, real c, Four *v)
{
	memcpy(v, p, sizeof *v);
	*v *= c;
}

/* Four rows and four columns at a time, in registers. */
static void turn_four(const real *x, int64_t ld, real c, real *out)
{
	Four a, b, d, e;
	four_at(x, c, &a);
	four_at(x + ld, c, &b);
	four_at(x + 2 * ld, c, &d);
	four_at(x + 3 * ld, c, &e);
	Four ab = __builtin_shufflevector(a, b, 0, 4, 1, 5), AB = __builtin_shufflevector(a, b, 2, 6, 3, 7);
	Four de = __builtin_shufflevector(d, e, 0, 4, 1, 5), DE = __builtin_shufflevector(d, e, 2, 6, 3, 7);
	Four y[4] = { __builtin_shufflevector(ab, de, 0, 1, 4, 5), __builtin_shufflevector(ab, de, 2, 3, 6, 7),
		__builtin_shufflevector(AB, DE, 0, 1, 4, 5), __builtin_shufflevector(AB, DE, 2, 3, 6, 7) };
	for (int i = 0; i < 4; i++)
		memcpy(out + i * ATT_KEYS, &y[i], sizeof y[i]);
}

/* Rows [from, n) and columns [at, at + some) one by one, of any type a cache has. */
static void turn_plain(const AttSide *s, int64_t row, int64_t head, int64_t from, int64_t n, int64_t at,
	int64_t some, real c, real *out)
{
	for (int64_t r = from; r < n; r++) {
		real one[4];
		if (s->dtype == REAL_DTYPE)
			memcpy(one, att_real(s, row + r, head) + at, (size_t)some * sizeof *one);
		else
			dtype_to_real(s->dtype, (const uint16_t *)s->p + (row + r) * s->ld + head * s->head + at,
				(size_t)some, one);
		for (int64_t j = 0; j < some; j++)
			out[(at + j) * ATT_KEYS + r] = c * one[j];
	}
}

Mat att_turn(const AttSide *s, int64_t row, int64_t head, int64_t n, int64_t width, real c, real *out)
{
	int64_t all = (n + VECTOR - 1) / VECTOR * VECTOR;
	for (int64_t at = 0; at < width; at += 4) {
		int64_t some = width - at < 4 ? width - at : 4, r = 0;
		for (; s->dtype == REAL_DTYPE && some == 4 && r + 4 <= n; r += 4)
			turn_four(att_real(s, row + r, head) + at, s->ld, c, out + at * ATT_KEYS + r);
		turn_plain(s, row, head, r, n, at, some, c, out);
		for (int64_t j = 0; j < some; j++)
			memset(out + (at + j) * ATT_KEYS + n, 0, (size_t)(all - n) * sizeof *out);
	}
	return (Mat){ .data = out, .dtype = REAL_DTYPE, .rows = width, .cols = all, .stride = ATT_KEYS };
}

/* The keys of a block turned, both parts one below the other, scaled. */
static Mat turned_keys(const Work *w, const Tile *k, int64_t key, int n, int worker)
{
	const AttCore *c = w->c;
	real *turned = w->scratch + worker * w->scratch_size + SCRATCH;
	Mat K = att_turn(&c->k1, key, k->head / c->group, n, c->d1, c->scale, turned);
	if (c->d2)
		att_turn(&c->k2, key, 0, n, c->d2, c->scale, turned + (int64_t)c->d1 * ATT_KEYS);
	K.rows += c->d2;
	return K;
}

/* Logits of the tile's rows against n keys from key on; still to be scaled unless the keys are turned. */
static void block_scores(
	const Work *w, const Tile *k, int64_t key, int n, int worker, const Mat *turned, real *S)
{
	const AttCore *c = w->c;
	int64_t M = (int64_t)k->nh * k->nt;
	if (c->turned) {
		gemm_nn_one(w->pool, worker, M, att_real(&c->q1, k->row, k->head),
			row_stride(k, c->q1.ld, c->q1.head), turned, S, ATT_KEYS, 0);
		return;
	}
	Mat K1 = att_mat(&c->k1, key, k->head / c->group, n, c->d1);
	gemm_nt_one(w->pool, worker, M, att_real(&c->q1, k->row, k->head), row_stride(k, c->q1.ld, c->q1.head),
		&K1, S, ATT_KEYS, 0);
	if (c->d2 == 0)
		return;
	Mat K2 = att_mat(&c->k2, key, 0, n, c->d2);
	gemm_nt_one(w->pool, worker, M, att_real(&c->q2, k->row, k->head), row_stride(k, c->q2.ld, c->q2.head),
		&K2, S, ATT_KEYS, GEMM_ACC);
}

/* Scores to exponentials, row by row as far as the row may look; the rest of the n columns becomes 0. */
static void block_softmax(const Work *w, const Tile *k, int64_t at, int n, real *S, const Place *to)
{
	const AttCore *c = w->c;
	for (int m = 0; m < k->nh * k->nt; m++) {
		real *s = S + (int64_t)m * ATT_KEYS, factor = 1;
		int64_t see = k->pos + m / k->nh + 1 - at;
		int see_n = see < 0 ? 0 : see < n ? (int)see : n;
		for (int i = 0; !c->turned && i < see_n; i++)
			s[i] *= c->scale;
		for (int i = see_n; i < n; i++)
			s[i] = 0;
		if (see_n == 0)
			continue;
		bool fresh = at % ATT_RANGE == 0;
		to->max[m] = row_softmax_online(pool_kernels(w->pool), see_n, s, to->max[m], &factor, &to->sum[m]);
		for (int i = 0; !fresh && factor != 1 && i < c->dv; i++)
			to->o[m * to->ld + i] *= factor;
	}
}

/* One block of keys for the rows of a tile that see any of it, so many at a time as scratch has scores
 * for. */
static void block_run(const Work *w, const Tile *k, int64_t at, int n, int worker, const Place *to)
{
	const AttCore *c = w->c;
	int64_t key = c->seq[k->seq].key0 + at;
	int step = k->nh == 1 ? ATT_ROWS : k->nt;
	real *S = w->scratch + worker * w->scratch_size;
	Mat V = att_mat(&c->v, key, k->head / c->group, n, c->dv), turned = { 0 };
	if (c->turned)
		turned = turned_keys(w, k, key, n, worker);
	for (int i = 0; i < k->nt; i += step) {
		Tile part = *k;
		int64_t m = (int64_t)i * k->nh;
		part.row += i;
		part.pos += i;
		part.nt = k->nt - i < step ? k->nt - i : step;
		int64_t see = part.pos + part.nt - at;
		if (see <= 0)
			continue;
		Place p = { to->o + m * to->ld, to->ld, to->max + m, to->sum + m };
		V.rows = see < n ? see : n;
		if (c->turned)
			turned.cols = (V.rows + VECTOR - 1) / VECTOR * VECTOR;
		block_scores(w, &part, key, (int)V.rows, worker, &turned, S);
		block_softmax(w, &part, at, (int)V.rows, S, &p);
		gemm_nn_one(w->pool, worker, (int64_t)part.nh * part.nt, S, ATT_KEYS, &V, p.o, p.ld,
			at % ATT_RANGE ? GEMM_ACC : 0);
	}
}

static void range_run(const Work *w, const Tile *k, int range, int worker, const Place *to)
{
	int64_t M = (int64_t)k->nh * k->nt, from = (int64_t)range * ATT_RANGE, end = from + ATT_RANGE;
	if (end > k->pos + k->nt)
		end = k->pos + k->nt;
	for (int m = 0; m < M; m++) {
		to->max[m] = -(real)INFINITY;
		to->sum[m] = 0;
	}
	for (int64_t at = from; at < end; at += ATT_KEYS)
		block_run(w, k, at, end - at < ATT_KEYS ? (int)(end - at) : ATT_KEYS, worker, to);
}

static real *lse_of(const AttCore *c, const Tile *k, int m)
{
	return c->lse + (k->row + m / k->nh) * c->H + k->head + m % k->nh;
}

/* Divides by the sums: what one range has summed is the whole. */
static void tile_finish(const AttCore *c, const Tile *k, const Place *p)
{
	for (int m = 0; m < k->nh * k->nt; m++) {
		real r = 1 / p->sum[m];
		for (int i = 0; i < c->dv; i++)
			p->o[m * p->ld + i] *= r;
		if (c->lse)
			*lse_of(c, k, m) = p->max[m] + (real)log((double)p->sum[m]);
	}
}

static void task_run(void *arg, int i, int worker)
{
	const Work *w = arg;
	const AttCore *c = w->c;
	const Task *q = &w->task[i];
	const Tile *k = &w->tile[q->tile];
	Place to;
	if (k->ranges > 1) {
		to = part_place(w, k, q->range);
	} else {
		real *sums = w->scratch + worker * w->scratch_size + SCORES;
		to = (Place){ att_out(&c->o, k->row, k->head), row_stride(k, c->o.ld, c->o.head), sums,
			sums + ATT_TURNED_ROWS };
	}
	range_run(w, k, q->range, worker, &to);
	if (k->ranges == 1)
		tile_finish(c, k, &to);
}

/* One row from its ranges, in order. A weight of exactly 1 is not multiplied, so a row within one range has
 * that range's bits. */
static void merge_row(const Work *w, const Tile *k, int m, real *o)
{
	const AttCore *c = w->c;
	int ranges = (int)((k->pos + m / k->nh) / ATT_RANGE + 1);
	real max = -(real)INFINITY, sum = 0;
	for (int r = 0; r < ranges; r++) {
		real v = part_place(w, k, r).max[m];
		if (v > max || isnan(v))
			max = v;
	}
	for (int r = 0; r < ranges; r++) {
		Place p = part_place(w, k, r);
		real f = p.max[m] == max ? 1 : num_exp(p.max[m] - max);
		const real *from = p.o + m * p.ld;
		sum += f * p.sum[m];
		for (int i = 0; i < c->dv; i++)
			o[i] = r ? o[i] + f * from[i] : f * from[i];
	}
	for (int i = 0; i < c->dv; i++)
		o[i] *= 1 / sum;
	if (c->lse)
		*lse_of(c, k, m) = max + (real)log((double)sum);
}

static void merge_run(void *arg, int i, int worker)
{
	const Work *w = arg;
	const Tile *k = &w->tile[i];
	(void)worker;
	for (int m = 0; k->ranges > 1 && m < k->nh * k->nt; m++)
		merge_row(w, k, m, att_out(&w->c->o, k->row + m / k->nh, k->head + m % k->nh));
}

static void flush(Work *w, bool merges)
{
	if (w->n_tasks > 0)
		par_for(w->pool, w->n_tasks, task_run, w);
	if (merges && w->n_tiles > 0)
		par_for(w->pool, w->n_tiles, merge_run, w);
	w->n_tiles = w->n_tasks = 0;
	w->used = 0;
}

void att_forward(Tape *t, const AttCore *c)
{
	Work w = { .c = c, .pool = tape_pool(t) };
	int64_t part = 0, most = 0, tiles = 0, tasks = 0, longest = 1;
	for (Tile k = { 0 }; tile_next(c, &k); tiles++) {
		int64_t n = part_size(c, &k);
		part += n;
		most = n > most ? n : most;
		tasks += k.ranges;
		longest = k.ranges > longest ? k.ranges : longest;
	}
	most = most > PART_REALS ? most : PART_REALS;
	int64_t max_part = part < most ? part : most, max_tiles = tiles < TILES ? tiles : TILES;
	int64_t max_tasks = tasks < TASKS ? tasks : longest > TASKS ? longest : TASKS;
	ArenaMark mark = arena_mark(tape_arena(t));
	w.tile = tape_alloc(t, (size_t)max_tiles * sizeof *w.tile);
	w.task = tape_alloc(t, (size_t)max_tasks * sizeof *w.task);
	w.part = tape_alloc(t, (size_t)max_part * sizeof(real));
	w.scratch_size = SCRATCH + (c->turned ? (int64_t)(c->d1 + c->d2) * ATT_KEYS : 0);
	w.scratch = tape_alloc(t, (size_t)(pool_threads(w.pool) * w.scratch_size) * sizeof(real));
	bool merges = part > 0;
	for (Tile k = { 0 }; !tape_failed(t) && tile_next(c, &k);) {
		if (w.n_tiles == max_tiles || w.n_tasks + k.ranges > max_tasks ||
			w.used + part_size(c, &k) > max_part)
			flush(&w, merges);
		w.tile[w.n_tiles] = k;
		w.tile[w.n_tiles].part = w.used;
		w.used += part_size(c, &k);
		for (int r = 0; r < k.ranges; r++)
			w.task[w.n_tasks++] = (Task){ w.n_tiles, r };
		w.n_tiles++;
	}
	if (!tape_failed(t))
		flush(&w, merges);
	arena_release(tape_arena(t), mark);
}

typedef struct Probs { const AttCore *c; Pool *pool; real *out; int64_t width; } Probs;

/* Task i: one row of q, all heads, its probabilities from the saved sums. */
static void probs_run(void *arg, int i, int worker)
{
	const Probs *p = arg;
	const AttCore *c = p->c;
	const Seq *s = c->seq;
	while (i >= s->row0 + s->rows)
		s++;
	int64_t n = s->keys - s->rows + i - s->row0 + 1;
	for (int h = 0; h < c->H; h++) {
		real *y = p->out + ((int64_t)i * c->H + h) * p->width, lse = c->lse[(int64_t)i * c->H + h];
		Mat K1 = att_mat(&c->k1, s->key0, h / c->group, n, c->d1), K2 = att_mat(&c->k2, s->key0, 0, n, c->d2);
		gemm_nt_one(p->pool, worker, 1, att_real(&c->q1, i, h), c->q1.ld, &K1, y, p->width, 0);
		if (c->d2)
			gemm_nt_one(p->pool, worker, 1, att_real(&c->q2, i, h), c->q2.ld, &K2, y, p->width, GEMM_ACC);
		for (int64_t k = 0; k < n; k++)
			y[k] = num_exp(y[k] * c->scale - lse);
		for (int64_t k = n; k < p->width; k++)
			y[k] = 0;
	}
}

void att_probs(Tape *t, const AttCore *c, real *probs, int64_t width)
{
	Probs p = { c, tape_pool(t), probs, width };
	const Seq *last = &c->seq[c->n_seq - 1];
	if (c->n_seq > 0)
		par_for(p.pool, last->row0 + last->rows, probs_run, &p);
}
