/* lens.c - the logit lens (nostalgebraist 2020): the last norm and the head on the residual stream behind every layer, as if the model
 * ended there. It shows at which layer the next token was decided. One more forward over the text, only when somebody asks. */
#include "engine/engine.h"
#include "engine/trace.h"
#include "num/topk.h"
#include "ops/ops.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { LENS_TOKENS = 512, LENS_TOP = 3, LENS_MEMORY = 64 << 20 };

/* What one layer says at one position. */
typedef struct LensCell { int32_t id[LENS_TOP]; float p[LENS_TOP], taken; int32_t rank; } LensCell;

typedef struct Lens {
	Jobs *j;
	const int32_t *ids;
	int64_t n;
	int layers;
	LensCell *cell;            /* [chunk, layers] */
	float *p;                  /* [chunk, layers] of the token that is there */
} Lens;

static double row_lse(const real *x, int n)
{
	double most = -INFINITY, sum = 0;
	for (int i = 0; i < n; i++)
		most = (double)x[i] > most ? (double)x[i] : most;
	for (int i = 0; i < n; i++)
		sum += exp((double)x[i] - most);
	return most + log(sum);
}

static void lens_cell(LensCell *c, const real *x, int V, int32_t taken)
{
	double z = row_lse(x, V);
	int k = topk_sorted(x, V, V < LENS_TOP ? V : LENS_TOP, c->id);
	for (int i = 0; i < LENS_TOP; i++) {
		c->id[i] = i < k ? c->id[i] : -1;
		c->p[i] = i < k ? (float)exp((double)x[c->id[i]] - z) : 0;
	}
	c->taken = taken >= 0 ? (float)exp((double)x[taken] - z) : NAN;
	c->rank = 0;
	for (int i = 0; taken >= 0 && i < V; i++)
		c->rank += x[i] > x[taken];
}

static void put_cell(Jout *o, const LatheModel *m, const LensCell *c)
{
	jout_obj(o);
	jout_key(o, "top");
	jout_arr(o);
	for (int i = 0; i < LENS_TOP && c->id[i] >= 0; i++) {
		jout_obj(o);
		jout_kint(o, "id", c->id[i]);
		trace_put_token(o, m, "text", c->id[i]);
		jout_key(o, "p");
		jout_f32(o, c->p[i]);
		jout_end_obj(o);
	}
	jout_end_arr(o);
	jout_kint(o, "rank", c->rank);
	jout_end_obj(o);
}

/* Rows [at, at + n) of the text have passed the last layer: row i speaks of position at + i + 1. */
static void lens_tell(const Lens *l, int64_t at, int64_t n)
{
	for (int64_t i = 0; i < n; i++) {
		Buf b = BUF_INIT;
		Jout o;
		jout_init(&o, &b);
		jout_obj(&o);
		jout_key(&o, "layers");
		jout_arr(&o);
		for (int k = 0; k < l->layers; k++)
			put_cell(&o, l->j->model, &l->cell[i * l->layers + k]);
		jout_end_arr(&o);
		jout_end_obj(&o);
		publish_text(&l->j->publish, "lens.top", (uint64_t)(at + i + 1), &b);
		buf_done(&b);
	}
	Sample s = { .topic = "lens.p", .kind = SAMPLE_TENSOR, .dtype = DT_F32, .rank = 2, .step = (uint64_t)(at + 1),
		.shape = { (uint32_t)n, (uint32_t)l->layers }, .data = l->p, .bytes = sizeof *l->p * (size_t)(n * l->layers) };
	publish_sample(&l->j->publish, &s);
}

static Ten *lens_see(Tape *t, Ten *x, const char *full, void *ud)
{
	Lens *l = ud;
	const Lm *lm = l->j->model->lm;
	int64_t at = l->j->model->probe_position, n = ten_rows(x);
	int layer = -1;
	if (sscanf(full, "layers.%d.", &layer) != 1 || layer < 0 || layer >= l->layers)
		return x;
	Ten *y = linear(t, rmsnorm(t, x, lm->g_final, lm->c.rms_norm_eps), lm->W_head);
	if (!y)
		return NULL;
	for (int64_t i = 0; i < n; i++) {
		LensCell *c = &l->cell[i * l->layers + layer];
		lens_cell(c, ten_real(y) + i * y->stride, (int)lm->c.vocab_size, at + i + 1 < l->n ? l->ids[at + i + 1] : -1);
		l->p[i * l->layers + layer] = c->taken;
	}
	if (layer == l->layers - 1)
		lens_tell(l, at, n);
	return x;
}

static size_t lens_text(const Jobs *j, const int32_t **ids)
{
	size_t n = j->run.session ? lathe_session_text(j->run.session, ids) : 0;
	return n > LENS_TOKENS ? LENS_TOKENS : n;
}

double lens_work(const Jobs *j)
{
	const int32_t *ids;
	const Config *c = &j->model->lm->c;
	return (double)lens_text(j, &ids) *
		((double)config_params(c).active + (double)j->model->lm->n_layers * (double)c->vocab_size * (double)c->hidden_size);
}

bool lens_run(Jobs *j, Err *e)
{
	const Lm *lm = j->model->lm;
	Lens l = { .j = j, .layers = lm->n_layers };
	LatheError le = { 0 };
	l.n = (int64_t)lens_text(j, &l.ids);
	int64_t chunk = LENS_MEMORY / 4 / (lm->c.vocab_size * l.layers + 1);
	chunk = chunk < 1 ? 1 : chunk > 128 ? 128 : chunk;
	if (l.n == 0)
		return true;
	l.cell = calloc((size_t)(chunk * l.layers), sizeof *l.cell);
	l.p = calloc((size_t)(chunk * l.layers), sizeof *l.p);
	bool ok = l.cell && l.p;
	if (!ok)
		err_set(e, E_5001, "lens: out of memory");
	LatheSessionOptions o = { .mtp = LATHE_MTP_OFF, .attention = j->defaults.s.attention, .chunk = (int)chunk };
	hooks_model(j->hooks, NULL); /* the viewers' own probes saw these tokens already */
	int hook = ok ? tape_hook(j->model->tape, "layers.*.resid_post", lens_see, &l) : 0;
	LatheSession *s = hook ? lathe_session_new(j->model, &o, &le) : NULL;
	if (ok)
		ok = (s && lathe_session_feed(s, l.ids, (size_t)l.n, &le)) || jobs_error(e, &le);
	tape_unhook(j->model->tape, hook);
	lathe_session_free(s);
	hooks_model(j->hooks, j->model);
	free(l.cell);
	free(l.p);
	return ok;
}
