/* tensors.c - see tensors.h. A large tensor is read in evenly spaced rows, so that a look is over in a moment; the sample says how many
 * of its numbers were read. */
#include "engine/tensors.h"
#include "engine/engine.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	LIST_MAX = 200000,         /* tensors that are listed */
	TABLE_BYTES = 64 << 20,    /* a checkpoint up to this size is read whole for the table */
	TABLE_COLS = 7,
	READ_MAX = 1 << 25,        /* numbers of one tensor that are read */
	MAP_ROWS = 96, MAP_COLS = 192, BINS = 48, LOOK_TOKENS = 256, VECTOR_WRAP = 64
};

/* --- the list --- */

/* A name may be any text: what would break the list becomes '?'. */
static void list_line(Buf *b, const StEntry *t)
{
	for (const char *p = t->name; *p; p++)
		buf_addc(b, *p < 0x21 || *p > 0x7e ? '?' : *p);
	buf_printf(b, "\t%s\t%llu\t", dtype_name(t->dtype), (unsigned long long)(t->end - t->begin));
	for (int i = 0; i < t->rank; i++)
		buf_printf(b, "%s%lld", i ? "x" : "", (long long)t->shape[i]);
	buf_addc(b, '\n');
}

static bool readable(Dtype d)
{
	return dtype_bits(d) >= 8 && d != DT_C64 && d != DT_F8_E8M0;
}

/* A tensor with its scales when it is a weight, else as it is stored. */
static bool tensor_get(const Jobs *j, const StEntry *t, Ten *out)
{
	Ckpt *c = j->model->lm->ckpt;
	Err none = { 0 };
	return readable(t->dtype) && ((dtype_is_float(t->dtype) && ckpt_ten(c, t->name, out, &none)) || ckpt_raw(c, t->name, out, &none));
}

static void table_row(const Jobs *j, const StEntry *t, double v[TABLE_COLS])
{
	Ten x;
	for (int i = 0; i < TABLE_COLS; i++)
		v[i] = NAN;
	if (!tensor_get(j, t, &x))
		return;
	TenStat s = ten_stat(&x);
	const double row[TABLE_COLS] = { s.min, s.max, s.mean, s.std, (double)s.zeros, (double)s.nans, (double)s.infs };
	memcpy(v, row, sizeof row);
}

static bool tell_table(Jobs *j, size_t n, Err *e)
{
	double *v = malloc(sizeof *v * TABLE_COLS * (n ? n : 1));
	if (!v)
		return err_set(e, E_5001, "tensors: out of memory");
	for (size_t i = 0; i < n; i++)
		table_row(j, ckpt_at(j->model->lm->ckpt, i, NULL), v + i * TABLE_COLS);
	Sample s = { .topic = "model.tensor_table", .kind = SAMPLE_TENSOR, .dtype = DT_F64, .rank = 2, .shape = { (uint32_t)n, TABLE_COLS },
		.data = v, .bytes = sizeof *v * TABLE_COLS * n };
	publish_sample(&j->publish, &s);
	free(v);
	return true;
}

bool tensors_tell(Jobs *j, Err *e)
{
	Ckpt *c = j->model ? j->model->lm->ckpt : NULL;
	if (!c)
		return err_set(e, E_9002, "no model is loaded; send load first");
	size_t n = ckpt_count(c) < LIST_MAX ? ckpt_count(c) : LIST_MAX;
	Buf b = BUF_INIT;
	for (size_t i = 0; i < n; i++)
		list_line(&b, ckpt_at(c, i, NULL));
	publish_text(&j->publish, "model.tensors", ckpt_count(c), &b);
	buf_done(&b);
	return ckpt_bytes(c) > TABLE_BYTES || tell_table(j, n, e);
}

void tensors_wanted(Jobs *j)
{
	Err e = { 0 };
	if (!j->model || j->tensors_told || !hooks_want(j->hooks, "model.tensors"))
		return;
	j->tensors_told = true;
	tensors_tell(j, &e);
}

/* --- one tensor --- */

/* R x C numbers, read in rows; a long vector is wrapped into lines so that it makes a picture. */
typedef struct Grid2 { const Ten *x; int64_t R, C; bool wrapped; real *row; int64_t step; } Grid2;

typedef struct Look1 {
	double stat[STAT_N];
	int64_t bin[BINS];
	float *map;
	int map_rows, map_cols;
	int64_t *in_block;
	double *sum;
} Look1;

static void grid_of(Grid2 *g, const Ten *x)
{
	*g = (Grid2){ .x = x, .R = ten_rows(x), .C = ten_cols(x) };
	if (g->R == 1 && g->C > 2 * VECTOR_WRAP) {
		g->wrapped = true;
		g->R = (g->C + VECTOR_WRAP - 1) / VECTOR_WRAP;
		g->C = VECTOR_WRAP;
	}
	int64_t all = ten_count(x);
	g->step = all > READ_MAX && !g->wrapped ? (all + READ_MAX - 1) / READ_MAX : 1;
}

/* Row r of the grid into g->row; returns how many numbers it has. whole: the vector's own row has been read already. */
static int64_t grid_row(Grid2 *g, int64_t r, const real **out)
{
	if (!g->wrapped) {
		ten_read(g->x, r, 1, g->row);
		*out = g->row;
		return g->C;
	}
	if (r == 0)
		ten_read(g->x, 0, 1, g->row);
	*out = g->row + r * VECTOR_WRAP;
	int64_t left = ten_cols(g->x) - r * VECTOR_WRAP;
	return left < VECTOR_WRAP ? left : VECTOR_WRAP;
}

/* First pass: moments, by Welford's update. */
static void pass_stat(Grid2 *g, double s[STAT_N])
{
	double m2 = 0, n = 0;
	s[STAT_MIN] = INFINITY;
	s[STAT_MAX] = -INFINITY;
	for (int64_t r = 0; r < g->R; r += g->step) {
		const real *v;
		int64_t c = grid_row(g, r, &v);
		s[STAT_READ] += (double)c;
		for (int64_t i = 0; i < c; i++) {
			double x = (double)v[i], d = x - s[STAT_MEAN];
			s[STAT_ZEROS] += x == 0;
			s[STAT_NANS] += isnan(x);
			s[STAT_INFS] += isinf(x) != 0;
			if (!isfinite(x))
				continue;
			s[STAT_MIN] = x < s[STAT_MIN] ? x : s[STAT_MIN];
			s[STAT_MAX] = x > s[STAT_MAX] ? x : s[STAT_MAX];
			s[STAT_MEAN] += d / ++n;
			m2 += d * (x - s[STAT_MEAN]);
		}
	}
	s[STAT_STD] = n > 0 ? sqrt(m2 / n) : 0;
	if (n == 0)
		s[STAT_MIN] = s[STAT_MAX] = 0;
}

/* Second pass: how often which size. */
static void pass_hist(Grid2 *g, Look1 *k)
{
	double lo = k->stat[STAT_MIN], span = k->stat[STAT_MAX] - lo;
	for (int64_t r = 0; r < g->R; r += g->step) {
		const real *v;
		int64_t n = grid_row(g, r, &v);
		for (int64_t c = 0; c < n; c++) {
			double x = (double)v[c];
			int b = isfinite(x) && span > 0 ? (int)((x - lo) / span * BINS) : 0;
			if (isfinite(x))
				k->bin[b >= BINS ? BINS - 1 : b]++;
		}
	}
}

/* A number of the picture: the largest of its block with its sign, or the mean; NaN wins. */
static void block_add(Look1 *k, int64_t at, double x)
{
	double old = (double)k->map[at];
	k->sum[at] += x;
	if (k->in_block[at]++ == 0 || (!isnan(old) && (isnan(x) || fabs(x) > fabs(old))))
		k->map[at] = (float)x;
}

/* The rows and columns of the picture, inside of what there is. */
static TensorAsk window_of(const Grid2 *g, const TensorAsk *how)
{
	TensorAsk w = *how;
	if (w.rows < 1 || w.cols < 1 || w.row < 0 || w.col < 0 || w.row >= g->R || w.col >= g->C)
		w = (TensorAsk){ how->mean, 0, 0, g->R, g->C };
	w.rows = w.rows < g->R - w.row ? w.rows : g->R - w.row;
	w.cols = w.cols < g->C - w.col ? w.cols : g->C - w.col;
	return w;
}

static void pass_map(Grid2 *g, Look1 *k, const TensorAsk *w, int64_t step)
{
	int64_t br = (int64_t)k->stat[STAT_BLOCK_ROWS], bc = (int64_t)k->stat[STAT_BLOCK_COLS];
	const real *v;
	if (g->wrapped)
		grid_row(g, 0, &v); /* the vector is read with its first line */
	for (int64_t r = 0; r < w->rows; r += step) {
		int64_t n = grid_row(g, w->row + r, &v) - w->col;
		for (int64_t c = 0; c < w->cols && c < n; c++)
			block_add(k, r / br * k->map_cols + c / bc, (double)v[w->col + c]);
	}
	for (int64_t i = 0; w->mean && i < (int64_t)k->map_rows * k->map_cols; i++)
		k->map[i] = k->in_block[i] ? (float)(k->sum[i] / (double)k->in_block[i]) : NAN;
}

static void look_done(Look1 *k, Grid2 *g)
{
	free(g->row);
	free(k->map);
	free(k->in_block);
	free(k->sum);
}

static bool look_run1(Look1 *k, Grid2 *g, const TensorAsk *how)
{
	TensorAsk w = window_of(g, how);
	int64_t step = w.rows * w.cols > READ_MAX && !g->wrapped ? (w.rows * w.cols + READ_MAX - 1) / READ_MAX : 1;
	int64_t br = (w.rows + MAP_ROWS - 1) / MAP_ROWS, bc = (w.cols + MAP_COLS - 1) / MAP_COLS;
	br = br < step ? step : br; /* a row of each block is read: the picture has no holes */
	br = br < 1 ? 1 : br;
	bc = bc < 1 ? 1 : bc;
	k->map_rows = (int)((w.rows + br - 1) / br);
	k->map_cols = (int)((w.cols + bc - 1) / bc);
	size_t n = (size_t)k->map_rows * (size_t)k->map_cols;
	g->row = malloc(sizeof *g->row * (size_t)(ten_cols(g->x) > 0 ? ten_cols(g->x) : 1));
	k->map = calloc(n ? n : 1, sizeof *k->map);
	k->in_block = calloc(n ? n : 1, sizeof *k->in_block);
	k->sum = calloc(n ? n : 1, sizeof *k->sum);
	if (!g->row || !k->map || !k->in_block || !k->sum)
		return false;
	const struct { int i; double v; } fact[] = {
		{ STAT_COUNT, (double)ten_count(g->x) }, { STAT_ROWS, (double)g->R }, { STAT_COLS, (double)g->C }, { STAT_BLOCK_ROWS, (double)br },
		{ STAT_BLOCK_COLS, (double)bc }, { STAT_BLOCK_MEAN, w.mean }, { STAT_ROW0, (double)w.row }, { STAT_COL0, (double)w.col },
	};
	for (size_t i = 0; i < sizeof fact / sizeof *fact; i++)
		k->stat[fact[i].i] = fact[i].v;
	pass_stat(g, k->stat);
	pass_hist(g, k);
	pass_map(g, k, &w, step);
	return true;
}

/* family: "model.tensor" for the checkpoint, "probe" for values on the text. */
static void tell_one(Jobs *j, const char *family, const char *name, const Look1 *k)
{
	char topic[SAMPLE_TOPIC_MAX + 1];
	const struct { const char *what; Dtype d; int rank; uint32_t shape[2]; const void *v; size_t bytes; } row[] = {
		{ "stat", DT_F64, 1, { STAT_N, 0 }, k->stat, sizeof k->stat },
		{ "hist", DT_I64, 1, { BINS, 0 }, k->bin, sizeof k->bin },
		{ "map", DT_F32, 2, { (uint32_t)k->map_rows, (uint32_t)k->map_cols }, k->map,
			sizeof *k->map * (size_t)k->map_rows * (size_t)k->map_cols },
	};
	for (int i = 2; i >= 0; i--) { /* the statistics last: who has them has all */
		snprintf(topic, sizeof topic, "%s_%s.%s", family, row[i].what, name);
		Sample s = { .topic = topic, .kind = SAMPLE_TENSOR, .dtype = row[i].d, .rank = row[i].rank, .data = row[i].v,
			.bytes = row[i].bytes, .shape = { row[i].shape[0], row[i].shape[1] } };
		publish_sample(&j->publish, &s);
	}
	publish_flush(&j->publish);
}

static bool tell_ten(Jobs *j, const char *family, const char *name, const Ten *x, const TensorAsk *how, Err *e)
{
	Look1 k = { 0 };
	Grid2 g;
	grid_of(&g, x);
	bool ok = ten_count(x) > 0 ? look_run1(&k, &g, how) : true;
	if (ok && ten_count(x) > 0)
		tell_one(j, family, name, &k);
	look_done(&k, &g);
	if (ten_count(x) == 0)
		return err_set(e, E_2003, "tensor: %s has no numbers in it", name);
	return ok || err_set(e, E_5001, "tensor: out of memory for a look at %s", name);
}

/* --- a value of the model on the text so far: kept row by row as the forward makes it --- */

typedef struct Kept { const char *name; float *v; int64_t rows, cols, cap; bool failed; } Kept;

static void keep_rows(const LatheProbe *p, void *ud)
{
	Kept *k = ud;
	int64_t rows = p->rank > 1 ? p->shape[0] : 1, cols = 1;
	for (int i = p->rank > 1 ? 1 : 0; i < p->rank; i++)
		cols *= p->shape[i];
	if (k->rows > 0 && cols != k->cols) /* keys seen grow with the text: the last part has them all */
		k->rows = 0;
	k->cols = cols;
	if ((k->rows + rows) * cols > k->cap) {
		float *to = cols < READ_MAX / (k->rows + rows) ? realloc(k->v, sizeof *to * (size_t)((k->rows + rows) * cols)) : NULL;
		if (!to) {
			k->failed = true;
			return;
		}
		k->v = to;
		k->cap = (k->rows + rows) * cols;
	}
	for (int64_t i = 0; i < rows * cols; i++)
		k->v[k->rows * cols + i] = p->ints ? (float)p->ints[i] : p->data[i];
	k->rows += rows;
}

static bool probe_run(Jobs *j, Kept *k, Err *e)
{
	const int32_t *ids = NULL;
	size_t n = j->run.session ? lathe_session_text(j->run.session, &ids) : 0;
	LatheError le = { 0 };
	LatheSessionOptions o = { .mtp = LATHE_MTP_OFF, .attention = LATHE_ATTENTION_NAIVE, .chunk = LOOK_TOKENS, .alternatives = 1 };
	if (n == 0)
		return err_set(e, E_9002, "tensor: %s is no tensor of the checkpoint, and there is no text yet that a probe could see", k->name);
	n = n > LOOK_TOKENS ? LOOK_TOKENS : n;
	hooks_model(j->hooks, NULL); /* the viewers' own probes saw these tokens already */
	int hook = lathe_watch(j->model, k->name, keep_rows, k);
	LatheSession *s = lathe_session_new(j->model, &o, &le);
	bool ok = s && lathe_session_feed(s, ids, n, &le);
	lathe_unwatch(j->model, hook);
	lathe_session_free(s);
	hooks_model(j->hooks, j->model);
	if (!ok)
		return jobs_error(e, &le);
	if (k->failed)
		return err_set(e, E_5003, "tensor: %s is too large to look at", k->name);
	return k->rows > 0 || err_set(e, E_2003, "tensor: the model has no tensor and no value called %s", k->name);
}

bool tensors_look(Jobs *j, const char *name, const TensorAsk *how, Err *e)
{
	Ckpt *c = j->model->lm->ckpt;
	Ten x;
	if (strlen(name) + 20 > SAMPLE_TOPIC_MAX)
		return err_set(e, E_2003, "tensor: the name is longer than a topic may be");
	for (size_t i = 0; c && i < ckpt_count(c); i++)
		if (strcmp(ckpt_at(c, i, NULL)->name, name) == 0)
			return tensor_get(j, ckpt_at(c, i, NULL), &x)
				? tell_ten(j, "model.tensor", name, &x, how, e)
				: err_set(e, E_2003, "tensor: %s is of type %s, which cannot be shown", name, dtype_name(ckpt_at(c, i, NULL)->dtype));
	Kept k = { .name = name };
	bool ok = probe_run(j, &k, e);
	if (ok) {
		const int64_t shape[2] = { k.rows, k.cols };
		x = ten_wrap(DT_F32, k.v, 2, shape, name);
		ok = tell_ten(j, "probe", name, &x, how, e);
	}
	free(k.v);
	return ok;
}
