/* params.c - a model to be trained: every weight is a slice of one array of real numbers, with its gradient and moments in arrays of the
 * same shape. The correction biases lie apart: they have no gradient. */
#include "base/hash.h"
#include "base/rng.h"
#include "model/lm_build.h"
#include "train/state.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* b.m is either counted (no arrays yet) or filled. */
typedef struct Make {
	Build b;
	Params *p;
	Ckpt *from;
	const TrainSettings *s;
	const LmParts *parts;
	int64_t layers;
	Ten counted; /* what the counting pass hands out */
} Make;

static bool is_bias(const char *name)
{
	return strstr(name, "e_score_correction_bias") != NULL;
}

/* Where a block writes the residual stream, weights start smaller, so that its variance does not grow with depth (training.md 3.3). */
static double start_std(const Make *k, const char *name)
{
	bool out = strstr(name, "o_proj.weight") || strstr(name, "down_proj.weight");
	return k->s->init_std / (out ? sqrt(2.0 * (double)k->layers) : 1);
}

static void start_fill(const Make *k, const char *name, int rank, int64_t n, real *to)
{
	Rng g = rng_make((uint64_t)k->s->seed ^ hash_bytes(name, strlen(name), 0), 0x77656967);
	double std = start_std(k, name);
	bool ones = k->b.part ? k->b.part->ones : strstr(name, "norm") != NULL;
	if (rank == 1)
		for (int64_t i = 0; i < n; i++)
			to[i] = ones ? 1 : 0;
	else
		for (int64_t i = 0; i < n; i++)
			to[i] = (real)(std * rng_normal(&g));
}

static bool from_file(Make *k, const char *name, int rank, const int64_t *shape, real *to)
{
	Ten x;
	if (!ckpt_ten(k->from, name, &x, k->b.e))
		return false;
	bool same = x.rank == rank;
	for (int i = 0; same && i < rank; i++)
		same = x.shape[i] == shape[i];
	if (!same)
		return err_set(k->b.e, E_3221, "%s: \"%s\" does not have the shape that the config makes it", ckpt_dir(k->from), name);
	ten_read(&x, 0, ten_rows(&x), to);
	return true;
}

/* The tensor itself: a slice of the flat arrays, or for a bias memory of its own. */
static Ten *make_ten(Make *k, const char *name, int rank, const int64_t *shape, int64_t n, int64_t at)
{
	Params *p = k->p;
	bool bias = is_bias(name);
	real *to = bias ? arena_alloc(k->b.m->perm, sizeof *to * (size_t)n) : p->w + at;
	char *own = arena_strdup(k->b.m->perm, name);
	Ten *t = arena_zalloc(k->b.m->perm, sizeof *t), *g = arena_zalloc(k->b.m->perm, sizeof *g);
	if (!to || !own || !t || !g) {
		err_set(k->b.e, E_5001, "out of memory for %s", name);
		return NULL;
	}
	*t = ten_wrap(REAL_DTYPE, to, rank, shape, own);
	if (!bias) {
		*g = ten_wrap(REAL_DTYPE, p->g + at, rank, shape, own);
		t->grad = g;
		t->needs_grad = true;
	}
	if (k->from)
		return from_file(k, name, rank, shape, to) ? t : NULL;
	start_fill(k, name, rank, n, to);
	return t;
}

static Ten *make_get(Build *b, const char *name, int rank, const int64_t *shape, bool optional)
{
	Make *k = (Make *)b;
	Params *p = k->p;
	int64_t n = rank > 1 ? shape[0] * shape[1] : shape[0];
	if (b->failed || optional)
		return NULL;
	Ten *t = p->w ? make_ten(k, name, rank, shape, n, p->count) : &k->counted;
	b->failed = !t;
	if (b->failed)
		return NULL;
	if (is_bias(name)) {
		if (p->w)
			p->bias[p->n_bias] = t;
		p->n_bias++;
		return t;
	}
	if (p->w) {
		p->p[p->n] = (Param){ t, p->count, n, rank > 1 };
		b->m->weight_bytes += n * (int64_t)sizeof(real);
	}
	p->n++;
	p->count += n;
	return t;
}

static bool make_model(Make *k, const Config *c, Err *e)
{
	LmOptions o = { .parts = k->parts };
	k->b.m = calloc(1, sizeof(Lm));
	if (!k->b.m || !(k->b.m->perm = arena_new("trained weights", 0)))
		return err_set(e, E_5001, "out of memory for a model to train");
	k->b.m->c = *c;
	k->b.m->ckpt = k->from; /* some releases have no MTP modules: build_model looks */
	bool ok = build_model(&k->b, &o);
	k->b.m->ckpt = NULL;
	return ok;
}

static void *zeroed(Arena *a, int64_t n, size_t size, bool *ok)
{
	void *p = arena_zalloc(a, (size_t)(n + 1) * size);
	*ok = *ok && p;
	return p;
}

static bool params_arrays(Train *t, size_t limit, Err *e)
{
	Params *p = &t->params;
	int64_t n = p->count, need = n * (int64_t)sizeof(real) * (t->s.ema > 0 ? 5 : 4);
	bool ok = true;
	if (limit && need > (int64_t)limit)
		return err_set(e, E_5002, "training %lld numbers needs %.1f MiB for weights, gradients and moments, the limit is %.1f MiB",
			(long long)n, (double)need / (1 << 20), (double)limit / (1 << 20));
	p->w = zeroed(t->perm, n, sizeof(real), &ok);
	p->g = zeroed(t->perm, n, sizeof(real), &ok);
	p->m = zeroed(t->perm, n, sizeof(real), &ok);
	p->v = zeroed(t->perm, n, sizeof(real), &ok);
	p->ema = t->s.ema > 0 ? zeroed(t->perm, n, sizeof(real), &ok) : NULL;
	p->norm_parts = zeroed(t->perm, n / NORM_BLOCK + 1, sizeof(double), &ok);
	p->p = zeroed(t->perm, p->n, sizeof *p->p, &ok);
	p->bias = zeroed(t->perm, p->n_bias, sizeof(Ten *), &ok);
	return ok || err_set(e, E_5001, "out of memory for weights, gradients and moments of %lld numbers", (long long)n);
}

bool params_make(Train *t, const TrainStart *o, Err *e)
{
	Config c;
	Make k = { .b = { .get = make_get, .dtype = REAL_DTYPE, .e = e }, .p = &t->params, .s = &t->s, .parts = o->parts };
	if (o->from && (!(k.from = ckpt_open(o->from, e)) || !config_read(ckpt_dir(k.from), &c, e))) {
		ckpt_close(k.from);
		return false;
	}
	if (!o->from)
		c = *o->config;
	k.layers = c.num_hidden_layers;
	bool ok = make_model(&k, &c, e);
	lm_free(k.b.m);
	k.b.m = NULL;
	ok = ok && params_arrays(t, o->memory_limit, e);
	t->params.count = t->params.n = t->params.n_bias = 0;
	ok = ok && make_model(&k, &c, e);
	t->lm = k.b.m;
	ckpt_close(k.from);
	if (ok && t->params.ema)
		memcpy(t->params.ema, t->params.w, sizeof(real) * (size_t)t->params.count);
	return ok;
}
