/* convert_write.c - the data of converted tensors, streamed: a few rows are held at a time, whatever the
 * tensor's size. FP8 blocks are quantised as checkpoints.md 3 has it: scale = amax / 448 (1 for a block of
 * zeros), code = round(value / scale). */
#include "cli/convert.h"
#include "base/hash.h"
#include "num/fp8_quant.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PIECE = 1 << 18 /* elements */, COPY_PIECE = 16 << 20 /* bytes */, BLOCK = 128 };

typedef struct Out { StWriter *w; ConvertTell tell; void *ud; Err *e; Pool *pool; } Out;

static bool out_put(Out *o, const void *bytes, size_t n)
{
	return st_writer_put(o->w, bytes, n, o->e) &&
		(o->tell(o->ud, n) || err_set(o->e, E_4002, "stopped while writing"));
}

static bool memory_fail(const Out *o, const char *name)
{
	return err_set(o->e, E_5001, "tensor \"%.120s\": out of memory", name);
}

static bool put_copy(Out *o, const Put *p, const Ten *x)
{
	const char *from = x->data;
	for (uint64_t at = 0; at < p->bytes; at += COPY_PIECE) {
		uint64_t n = p->bytes - at < COPY_PIECE ? p->bytes - at : COPY_PIECE;
		if (!out_put(o, from + at, (size_t)n))
			return false;
	}
	return true;
}

/* F16 ends at 65504: a weight beyond it would silently become infinite. */
static bool values_fit(const Out *o, const Put *p, const real *v, int64_t n)
{
	for (int64_t i = 0; p->dtype == DT_F16 && i < n; i++)
		if (fabs((double)v[i]) >= 65520 && isfinite((double)v[i]))
			return err_set(o->e, E_6001,
				"tensor \"%.120s\" holds %g, F16 ends at 65504; use --dtype bf16", p->name,
				(double)v[i]);
	return true;
}

/* A tensor without scales is a plain run of values; with scales it goes row by row. */
static bool put_cast(Out *o, const Put *p, const Ten *x)
{
	Ten flat = ten_wrap(x->dtype, x->data, 2, (int64_t[]){ ten_count(x), 1 }, x->name);
	const Ten *from = x->scale ? x : &flat;
	int64_t rows = ten_rows(from), cols = ten_cols(from),
		step = cols > 0 && cols < PIECE ? PIECE / cols : 1;
	real *v = malloc(sizeof *v * (size_t)(step * cols + 1));
	char *out = malloc((size_t)(step * cols) * dtype_bits(p->dtype) / 8 + 1);
	bool ok = (v && out) || memory_fail(o, p->name);
	for (int64_t i = 0; ok && i < rows; i += step) {
		int64_t n = rows - i < step ? rows - i : step;
		ten_read(from, i, n, v);
		ok = values_fit(o, p, v, n * cols);
		if (ok) {
			dtype_from_real(p->dtype, v, (size_t)(n * cols), out);
			ok = out_put(o, out, (size_t)(n * cols) * dtype_bits(p->dtype) / 8);
		}
	}
	free(v);
	free(out);
	return ok;
}

/* A stripe of a matrix, one block high, as it becomes FP8. */
typedef struct Stripe { real *v; uint8_t *code; float *scale; int64_t cols; } Stripe;

static bool stripe_init(const Out *o, Stripe *s, const Put *p, int64_t cols)
{
	const size_t n = (size_t)cols;
	*s = (Stripe){ malloc(sizeof *s->v * (BLOCK * n + 1)), malloc(BLOCK * n + 1), malloc(sizeof *s->scale * (n / BLOCK + 1)), cols };
	return (s->v && s->code && s->scale) || memory_fail(o, p->name);
}

static void stripe_done(Stripe *s)
{
	free(s->v);
	free(s->code);
	free(s->scale);
}

/* Rows [row, row + n): codes and scales. */
static bool stripe_quantise(const Out *o, const Put *p, const Ten *x, int64_t row, int64_t n, const Stripe *s)
{
	static const FpQuant blocks = { .format = FP_E4M3, .rows = BLOCK, .cols = BLOCK, .scale = FP_SCALE_F32 };
	ten_read(x, row, n, s->v);
	for (int64_t i = 0; i < n * s->cols; i++)
		if (!isfinite((float)s->v[i]))
			return err_set(o->e, E_6001, "tensor \"%.120s\" holds NaN or infinity, which FP8 blocks cannot keep", p->source);
	fp_quantise(o->pool, &blocks, n, s->cols, s->v, s->cols, &(FpOut){ .code = s->code, .ld_code = s->cols, .scale = s->scale });
	return true;
}

/* The codes of a matrix or its scales, stripe by stripe. */
static bool put_stripes(Out *o, const Put *p, const Ten *x)
{
	Stripe s;
	const int64_t rows = ten_rows(x), cols = ten_cols(x);
	bool ok = stripe_init(o, &s, p, cols), scales = p->kind == PUT_SCALE;
	for (int64_t i = 0; ok && i < rows; i += BLOCK) {
		int64_t n = rows - i < BLOCK ? rows - i : BLOCK;
		ok = stripe_quantise(o, p, x, i, n, &s) &&
			(scales ? out_put(o, s.scale, sizeof *s.scale * (size_t)((cols + BLOCK - 1) / BLOCK)) : out_put(o, s.code, (size_t)(n * cols)));
	}
	stripe_done(&s);
	return ok;
}

static bool tensor_put(Out *o, Ckpt *k, const Put *p)
{
	static bool (*const how[])(Out *, const Put *, const Ten *) = {
		[PUT_COPY] = put_copy, [PUT_CAST] = put_cast, [PUT_QUANT] = put_stripes,
			[PUT_SCALE] = put_stripes,
	};
	Ten x;
	/* what is only copied may be of a type that weights cannot have */
	bool ok = p->kind == PUT_COPY ? ckpt_raw(k, p->source, &x, o->e) : ckpt_ten(k, p->source, &x, o->e);
	return ok && how[p->kind](o, p, &x);
}

/* The tensors of one shard in the writer's order, which is not the plan's. */
static bool shard_data(Out *o, const Plan *p, size_t shard, Ckpt *k)
{
	Map *at = map_new(64);
	bool ok = at != NULL || err_set(o->e, E_5001, "out of memory");
	for (size_t i = 0; ok && i < p->n; i++)
		if (p->put[i].shard == shard)
			ok = map_put(at, p->put[i].name, strlen(p->put[i].name), (int64_t)i, NULL) ||
				err_set(o->e, E_5001, "out of memory");
	for (size_t i = 0; ok && i < st_writer_count(o->w); i++) {
		const char *name = st_writer_at(o->w, i)->name;
		ok = tensor_put(o, k, &p->put[map_get(at, name, strlen(name))]);
	}
	map_free(at);
	return ok;
}

bool convert_shard(const Plan *p, size_t shard, Ckpt *k, const char *path, ConvertTell tell, void *ud, Err *e)
{
	Out o = { st_writer_new(path, e), tell, ud, e, pool_new(1) };
	bool ok = o.w && (o.pool || err_set(e, E_5001, "could not start a thread pool")) && st_writer_meta(o.w, "format", "pt", e);
	for (size_t i = 0; ok && i < p->n; i++)
		if (p->put[i].shard == shard)
			ok = st_writer_add(o.w, p->put[i].name, p->put[i].dtype, p->put[i].rank,
				p->put[i].shape, e);
	ok = ok && st_writer_begin(o.w, e) && shard_data(&o, p, shard, k);
	pool_free(o.pool);
	if (ok)
		return st_writer_commit(o.w, e);
	st_writer_abort(o.w);
	return false;
}
