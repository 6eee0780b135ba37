/* adamw.c - AdamW over the flat arrays (Loshchilov and Hutter 2019; training.md 2.13), and the norm of all gradients.
 *
 * Work is cut into blocks of one size by the arrays alone, so sums have one order for any number of threads. */
#include "num/dtype.h"
#include "num/kernels.h"
#include "train/state.h"
#include <math.h>

enum { BLOCK = NORM_BLOCK };

typedef struct Sums { const Params *p; double *part; } Sums;

static void norm_block(void *arg, int i, int worker)
{
	const Sums *s = arg;
	int64_t from = (int64_t)i * BLOCK, to = from + BLOCK < s->p->count ? from + BLOCK : s->p->count;
	double sum[4] = { 0 };
	int64_t k = from;
	(void)worker;
	for (; k + 4 <= to; k += 4)
		for (int j = 0; j < 4; j++)
			sum[j] += (double)s->p->g[k + j] * (double)s->p->g[k + j];
	for (; k < to; k++)
		sum[0] += (double)s->p->g[k] * (double)s->p->g[k];
	s->part[i] = sum[0] + sum[1] + sum[2] + sum[3];
}

double params_norm(Pool *pool, const Params *p)
{
	int n = (int)((p->count + BLOCK - 1) / BLOCK);
	Sums s = { p, p->norm_parts };
	double all = 0;
	par_for(pool, n, norm_block, &s);
	for (int i = 0; i < n; i++)
		all += s.part[i];
	return sqrt(all);
}

double params_norm_of(Train *t)
{
	return params_norm(t->pool, &t->params);
}

double adamw_clip(const TrainSettings *s, double norm)
{
	double f = s->clip / (norm + 1e-6);
	return s->clip > 0 && f < 1 ? f : 1;
}

const Param *params_bad(const Params *p)
{
	for (int i = 0; i < p->n; i++)
		for (int64_t k = p->p[i].at; k < p->p[i].at + p->p[i].n; k++)
			if (!isfinite(p->g[k]))
				return &p->p[i];
	return NULL;
}

typedef struct Adam { const Kernels *k; const Params *p; AdamStep step; real ema; bool bf16; } Adam;

/* Numbers [from, to) of one tensor. */
static void adam_run(const Adam *a, int64_t from, int64_t to, bool decays)
{
	real *w = a->p->w, *m = a->p->m, *v = a->p->v;
	AdamStep step = a->step;
	step.decay = decays ? step.decay : 0;
	a->k->row_adamw(to - from, &step, a->p->g + from, w + from, m + from, v + from);
	for (int64_t i = from; a->bf16 && i < to; i++) {
		m[i] = (real)bf16_to_f32(bf16_from_f32((float)m[i]));
		v[i] = (real)bf16_to_f32(bf16_from_f32((float)v[i]));
	}
	for (int64_t i = from; a->p->ema && i < to; i++)
		a->p->ema[i] += (1 - a->ema) * (w[i] - a->p->ema[i]);
}

static void adam_block(void *arg, int i, int worker)
{
	const Adam *a = arg;
	const Param *p = a->p->p;
	int64_t from = (int64_t)i * BLOCK, to = from + BLOCK < a->p->count ? from + BLOCK : a->p->count;
	int k = 0;
	(void)worker;
	for (int below = a->p->n; below - k > 1;) { /* the last tensor that begins at or before `from` */
		int mid = (k + below) / 2;
		*(p[mid].at <= from ? &k : &below) = mid;
	}
	for (; k < a->p->n && p[k].at < to; k++) {
		int64_t end = p[k].at + p[k].n;
		adam_run(a, from > p[k].at ? from : p[k].at, to < end ? to : end, p[k].decays);
	}
}

void adamw_update(Pool *pool, const Params *p, const TrainSettings *s, double lr, double factor, int64_t t)
{
	AdamStep step = { (real)s->beta1, (real)s->beta2, (real)s->eps, (real)lr, (real)(lr * s->weight_decay), (real)factor,
		(real)(1 / (1 - pow(s->beta1, (double)t))), (real)(1 / (1 - pow(s->beta2, (double)t))) };
	Adam a = { pool_kernels(pool), p, step, (real)s->ema, s->moments_bf16 };
	par_for(pool, (int)((p->count + BLOCK - 1) / BLOCK), adam_block, &a);
}
