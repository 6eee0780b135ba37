/* verify.c - runs the golden file's tokens through the model, in one piece, in chunks or token by token
 * through the cache, and compares what the hooks see with what the file holds. */
#include "engine/verify.h"
#include "engine/engine.h"
#include "base/utf8.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Places in the order of computing: final and logits, with the MTP modules' logits behind. */
enum { AFTER_LAYERS = 1 << 16 };

/* One golden probe and the place for ours. */
typedef struct Probe {
	const StEntry *t;
	const void *golden;
	int64_t rows, width;      /* rows of one sequence; numbers of one row */
	float *own;               /* [B*rows*width]; NaN where nothing was computed */
	int layer;                /* order of computing, for `first` */
} Probe;

typedef struct Verify {
	LatheModel *m;
	St *st;
	const VerifyOptions *o;
	int B, T, n, skipped;
	int32_t *id;              /* [B*T] */
	Probe *probe;
	int *hook;
	const int32_t *row_seq, *row_pos;  /* of the rows of the forward that runs */
	int row_n;
	real *level;              /* hidden states for the MTP modules, [B*T*h] */
} Verify;

static const char *const known_tail[] = { "attn.out", "mlp.out", "resid_pre", "resid_mid", "resid_post",
	"moe.logits", "moe.scores", "moe.topk", "moe.weights", "attn.c_Q", "attn.q", "attn.c_KV", "attn.k_R",
	NULL };

/* layers.N.TAIL, mtp.J.logits, embed, final, logits. *layer orders them. */
static bool probe_known(const char *name, int *layer)
{
	int n, len = 0;
	if (strcmp(name, "embed") == 0)
		return (*layer = -1), true;
	if (strcmp(name, "final") == 0 || strcmp(name, "logits") == 0)
		return (*layer = AFTER_LAYERS), true;
	if (sscanf(name, "mtp.%4d.logits%n", &n, &len) == 1 && n >= 0 && len && name[len] == 0)
		return (*layer = AFTER_LAYERS + 1 + n), true;
	if (sscanf(name, "layers.%4d.%n", &n, &len) != 1 || n < 0 || !len)
		return false;
	*layer = n;
	for (int i = 0; known_tail[i]; i++)
		if (strcmp(name + len, known_tail[i]) == 0)
			return true;
	return false;
}

/* --- reading the file --- */

static bool verify_ids(Verify *v, Err *e)
{
	const StEntry *t = st_find(v->st, "input_ids");
	if (!t || t->dtype != DT_I64 || t->rank != 2 || t->shape[0] < 1 || t->shape[1] < 1)
		return err_set(e, E_3200, "%s: input_ids [B,T] of I64 is missing; this is not a golden file",
			st_path(v->st));
	if (t->shape[0] > INT32_MAX / t->shape[1])
		return err_set(e, E_3200, "%s: input_ids has more than 2^31 tokens", st_path(v->st));
	v->B = (int)t->shape[0];
	v->T = (int)t->shape[1];
	const char *p = st_data(v->st, t, e);
	v->id = malloc(sizeof *v->id * (size_t)v->B * (size_t)v->T);
	if (!p || !v->id)
		return err_set(e, E_5001, "%s: out of memory", st_path(v->st));
	for (int64_t i = 0; i < (int64_t)v->B * v->T; i++) {
		int64_t x;
		memcpy(&x, p + i * 8, 8);
		if (x < 0 || x >= v->m->lm->c.vocab_size)
			return err_set(e, E_3200,
				"%s: input_ids[%lld] = %lld is not an id of this model (0 to %lld)",
				st_path(v->st), (long long)i, (long long)x,
				(long long)v->m->lm->c.vocab_size - 1);
		v->id[i] = (int32_t)x;
	}
	return true;
}

/* With --layers the probes of what is not loaded are left out. */
static bool verify_beyond(const Verify *v, const Probe *p, bool greedy)
{
	const Lm *lm = v->m->lm;
	return lm->n_layers < lm->c.num_hidden_layers && (greedy || p->layer >= lm->n_layers);
}

static bool verify_probe(Verify *v, const StEntry *t, Err *e)
{
	Probe *p = &v->probe[v->n];
	*p = (Probe){ .t = t };
	bool greedy = strcmp(t->name, "greedy") == 0;
	if (!greedy && !probe_known(t->name, &p->layer))
		return err_set(e, E_3201, "%s: \"%s\" is not a probe that this version computes",
			st_path(v->st), t->name);
	if (verify_beyond(v, p, greedy)) {
		v->skipped++;
		return true;
	}
	bool fits = t->rank >= 2 && (!greedy || t->rank == 2) && t->shape[0] == v->B &&
		(t->dtype == DT_F32 || t->dtype == DT_I64);
	for (int i = 1; fits && i < t->rank; i++)
		fits = t->shape[i] > 0;
	if (!fits)
		return err_set(e, E_3200, "%s: \"%s\" has a dtype or shape that a golden probe cannot have",
			st_path(v->st), t->name);
	p->rows = t->shape[1];
	p->width = 1;
	for (int i = 2; i < t->rank; i++)
		p->width *= t->shape[i];
	int64_t n = v->B * p->rows * p->width;
	p->golden = st_data(v->st, t, e);
	p->own = malloc(sizeof *p->own * (size_t)(n ? n : 1));
	if (!p->golden || !p->own)
		return err_set(e, E_5001, "%s: out of memory for \"%s\"", st_path(v->st), t->name);
	for (int64_t i = 0; i < n; i++)
		p->own[i] = NAN;
	v->n++;
	return true;
}

static bool verify_read(Verify *v, Err *e)
{
	size_t n = st_count(v->st);
	const char *format = st_meta(v->st, "format");
	if (!format || strcmp(format, "lathe-golden-1") != 0)
		return err_set(e, E_3200, "%s: metadata \"format\" is not lathe-golden-1", st_path(v->st));
	v->probe = calloc(n, sizeof *v->probe);
	v->hook = calloc(n, sizeof *v->hook);
	if (!v->probe || !v->hook)
		return err_set(e, E_5001, "out of memory");
	if (!verify_ids(v, e))
		return false;
	for (size_t i = 0; i < n; i++)
		if (strcmp(st_at(v->st, i)->name, "input_ids") != 0 && !verify_probe(v, st_at(v->st, i), e))
			return false;
	return v->n > 0 || v->skipped == 0 ||
		err_set(e, E_2003, "%s: holds no probe of the first %d layers", st_path(v->st),
			v->m->lm->n_layers);
}

/* --- computing --- */

static Ten *verify_see(Tape *t, Ten *x, const char *full, void *ud)
{
	Verify *v = ud;
	Probe *p = NULL;
	for (int i = 0; i < v->n && !p; i++)
		if (strcmp(v->probe[i].t->name, full) == 0)
			p = &v->probe[i];
	int64_t w = ten_cols(x);
	real *row = x->dtype == DT_I32 ? NULL : tape_alloc(t, sizeof *row * (size_t)w);
	for (int r = 0; p && p->width == w && r < v->row_n && r < ten_rows(x); r++) {
		int64_t pos = v->row_pos[r];
		if (pos >= p->rows)
			continue;
		float *to = p->own + (v->row_seq[r] * p->rows + pos) * w;
		if (row)
			ten_read(x, r, 1, row);
		for (int64_t i = 0; i < w; i++)
			to[i] = row ? (float)row[i] : (float)((const int32_t *)x->data)[r * w + i];
	}
	return x;
}

/* One forward of columns [at, at+n) of every sequence; level < 0: the main model, else MTP module `level`. */
static bool verify_forward(Verify *v, Kv *kv, int at, int n, int level, AttnForm form, Err *e)
{
	Lm *lm = v->m->lm;
	Tape *t = v->m->tape;
	tape_reset(t);
	int T = v->B * n, h = (int)lm->c.hidden_size;
	int32_t *id = tape_alloc(t, sizeof *id * 3 * (size_t)T), *pos = id ? id + T : NULL,
		*which = id ? pos + T : NULL;
	Seq *seq = tape_alloc(t, sizeof *seq * (size_t)v->B);
	int *slot = tape_alloc(t, sizeof *slot * (size_t)v->B);
	Ten *hid = level < 0 ? NULL : tape_ten2(t, T, h);
	if (tape_failed(t))
		return tape_ok(t, e);
	for (int b = 0; b < v->B; b++) {
		seq[b] = (Seq){ .row0 = b * n, .rows = n };
		slot[b] = b;
		for (int i = 0; i < n; i++) {
			int r = b * n + i;
			pos[r] = at + i;
			which[r] = b;
			id[r] = v->id[b * v->T + at + i + 1 + level];
			if (hid)
				memcpy(ten_real(hid) + (int64_t)r * h,
					v->level + ((int64_t)b * v->T + at + i) * h,
					sizeof(real) * (size_t)h);
		}
	}
	v->row_seq = which;
	v->row_pos = pos;
	v->row_n = T;
	Batch batch = { T, id, pos, v->B, seq, slot };
	Run r = { lm, kv, &batch, form };
	Ten *out = level < 0 ? lm_hidden(t, &r) : mtp_hidden(t, &r, level, hid);
	Ten *logits = level < 0 ? lm_logits(t, &r, out, NULL, 0) : mtp_logits(t, &r, level, out, NULL, 0);
	if (!tape_ok(t, e) || !logits)
		return false;
	for (int i = 0; i < T; i++)
		memcpy(v->level + ((int64_t)which[i] * v->T + pos[i]) * h,
			ten_real(out) + (int64_t)i * out->stride, sizeof(real) * (size_t)h);
	return true;
}

/* MTP modules up to the last one that a probe asks for: by its number, or as a layer behind the main ones. */
static int modules_asked(const Verify *v)
{
	int64_t asked = 0, main = v->m->lm->c.num_hidden_layers;
	for (int i = 0; i < v->n; i++) {
		int layer = v->probe[i].layer;
		int64_t last = layer > AFTER_LAYERS ? layer - AFTER_LAYERS
			: layer < AFTER_LAYERS ? layer - main + 1 : 0;
		asked = last > asked ? last : asked;
	}
	return asked < v->m->lm->n_mtp ? (int)asked : v->m->lm->n_mtp;
}

static bool verify_compute(Verify *v, Err *e)
{
	Lm *lm = v->m->lm;
	int chunk = v->o->chunk > 0 && v->o->chunk < v->T ? v->o->chunk : v->T;
	AttnForm form = v->o->attention == LATHE_ATTENTION_NAIVE      ? FORM_NAIVE
			: v->o->attention == LATHE_ATTENTION_ABSORBED ? FORM_ABSORBED
			: chunk == 1                                  ? FORM_ABSORBED
								      : FORM_NAIVE;
	int modules = modules_asked(v);
	Kv *kv = lm_kv(lm, v->B, v->T, REAL_DTYPE, e);
	v->level = malloc(sizeof *v->level * (size_t)v->B * (size_t)v->T * (size_t)lm->c.hidden_size);
	bool ok = kv && (v->level || err_set(e, E_5001, "out of memory"));
	for (int at = 0; ok && at < v->T; at += chunk)
		ok = verify_forward(v, kv, at, v->T - at < chunk ? v->T - at : chunk, -1, form, e);
	for (int j = 0; ok && j < modules; j++)
		for (int at = 0, end = v->T - 1 - j; ok && at < end; at += chunk)
			ok = verify_forward(v, kv, at, end - at < chunk ? end - at : chunk, j, form, e);
	kv_free(kv);
	return ok;
}

static bool verify_greedy(Verify *v, Probe *p, Err *e)
{
	LatheSessionOptions o = { .mtp = LATHE_MTP_OFF, .attention = v->o->attention };
	for (int b = 0; b < v->B; b++) {
		LatheError le = { 0 };
		LatheSession *s = lathe_session_new(v->m, &o, &le);
		bool ok = s && lathe_session_feed(s, v->id + (size_t)b * (size_t)v->T, (size_t)v->T, &le);
		LatheToken t;
		for (int64_t i = 0; ok && i < p->rows; i++) {
			int got = lathe_session_next(s, &t, &le);
			ok = got >= 0;
			if (got <= 0)
				break;
			p->own[b * p->rows + i] = (float)t.id;
		}
		lathe_session_free(s);
		if (!ok)
			return err_set(e, le.code, "%s", le.text);
	}
	return true;
}

/* --- comparing --- */

static void probe_at(const Probe *p, int64_t i, char *out, size_t n)
{
	int64_t row = i / p->width;
	snprintf(out, n, "[%lld,%lld,%lld]", (long long)(row / p->rows), (long long)(row % p->rows),
		(long long)(i % p->width));
}

static double golden_num(const Probe *p, int64_t i)
{
	if (p->t->dtype == DT_I64) {
		int64_t x;
		memcpy(&x, (const char *)p->golden + i * 8, 8);
		return (double)x;
	}
	float x;
	memcpy(&x, (const char *)p->golden + i * 4, 4);
	return (double)x;
}

static void compare_floats(const Probe *p, int64_t n, double atol, double rtol, VerifyProbe *out)
{
	double worst = -1;
	for (int64_t i = 0; i < n; i++) {
		double a = (double)p->own[i], b = golden_num(p, i), d = fabs(a - b);
		double over = d - (atol + rtol * fabs(b));
		if (!(d <= out->max_abs))
			out->max_abs = d;
		if (!(d / fmax(fabs(b), 1e-30) <= out->max_rel) && fabs(b) > atol)
			out->max_rel = d / fabs(b);
		if (!(over <= 0))
			out->ok = false;
		if (!(d <= worst)) {
			worst = d;
			probe_at(p, i, out->at, sizeof out->at);
		}
	}
}

/* The router of a layer that the file names, or NULL: this model has none there. */
static const Moe *router_at(const Lm *lm, int layer)
{
	if (layer < 0 || layer >= lm->n_layers + lm->n_mtp)
		return NULL;
	const Block *b = layer < lm->n_layers ? &lm->block[layer] : &lm->mtp[layer - lm->n_layers].block;
	return b->is_moe ? &b->moe : NULL;
}

/* The score by which an expert was chosen, of our own run; NaN when it was not captured. Layer, expert and
 * shapes are the file's, so none is believed. */
static double choice_score(const Verify *v, const Probe *topk, int64_t row, double expert)
{
	char name[300];
	const Moe *moe = router_at(v->m->lm, topk->layer);
	if (!moe || !(expert >= 0 && expert < moe->rule.E))
		return NAN;
	snprintf(name, sizeof name, "layers.%d.moe.scores", topk->layer);
	for (int i = 0; i < v->n; i++) {
		const Probe *p = &v->probe[i];
		if (strcmp(p->t->name, name) == 0 && p->width == moe->rule.E && p->rows == topk->rows)
			return (double)p->own[row * p->width + (int)expert] +
			       (moe->bias ? (double)ten_real(moe->bias)[(int)expert] : 0);
	}
	return NAN;
}

static bool row_holds(const float *x, int64_t n, double id)
{
	for (int64_t i = 0; i < n; i++)
		if ((double)x[i] == id)
			return true;
	return false;
}

/* Sets must be equal; an expert in one and not the other is right where its score ties with the worst that
 * was chosen. */
static bool compare_set(const Verify *v, const Probe *p, int64_t row)
{
	const float *own = p->own + row * p->width;
	double least = INFINITY;
	for (int64_t i = 0; i < p->width; i++)
		least = fmin(least, choice_score(v, p, row, (double)own[i]));
	for (int64_t i = 0; i < p->width; i++) {
		double want = golden_num(p, row * p->width + i);
		if (row_holds(own, p->width, want))
			continue;
		if (!(fabs(choice_score(v, p, row, want) - least) < 1e-6))
			return false;
	}
	return true;
}

static void compare_ints(const Verify *v, const Probe *p, VerifyProbe *out)
{
	bool greedy = strcmp(p->t->name, "greedy") == 0;
	for (int64_t row = 0; row < v->B * (greedy ? 1 : p->rows) && out->ok; row++) {
		if (!greedy) {
			out->ok = compare_set(v, p, row);
			if (!out->ok)
				probe_at(p, row * p->width, out->at, sizeof out->at);
			continue;
		}
		for (int64_t i = 0; i < p->rows && out->ok; i++) {
			double want = golden_num(p, row * p->rows + i);
			out->ok = (double)p->own[row * p->rows + i] == want;
			probe_at(p, row * p->rows + i, out->at, sizeof out->at);
			if (want == (double)v->m->lm->c.eos_token_id[0] && v->m->lm->c.n_eos)
				break;
		}
	}
	out->max_abs = out->max_rel = out->ok ? 0 : 1;
}

static bool verify_compare(Verify *v, VerifyReport *r, Err *e)
{
	int first = 1 << 20;
	r->ok = true;
	for (int i = 0; i < v->n; i++) {
		Probe *p = &v->probe[i];
		VerifyProbe *out = &r->probe[r->n++];
		*out = (VerifyProbe){ .name = strdup(p->t->name), .ok = true };
		if (!out->name)
			return err_set(e, E_5001, "out of memory for a report of %d probes", v->n);
		if (p->t->dtype == DT_I64)
			compare_ints(v, p, out);
		else
			compare_floats(p, v->B * p->rows * p->width, r->atol, r->rtol, out);
		r->ok &= out->ok;
		if (!out->ok && p->layer < first && strcmp(p->t->name, "greedy") != 0) {
			first = p->layer;
			snprintf(r->first, sizeof r->first, "%s", p->t->name);
		}
	}
	return true;
}

static double meta_num(St *st, const char *key, double fallback)
{
	const char *s = st_meta(st, key);
	char *end;
	double x = s ? strtod(s, &end) : fallback;
	return isfinite(x) && x >= 0 ? x : fallback;
}

static bool verify_all(Verify *v, VerifyReport *r, Err *e)
{
	if (!verify_read(v, e))
		return false;
	r->skipped = v->skipped;
	const char *source = st_meta(v->st, "source");
	snprintf(r->source, sizeof r->source, "%s", source ? source : "");
	r->atol = meta_num(v->st, "atol", 1e-4);
	r->rtol = meta_num(v->st, "rtol", 1e-4);
	r->probe = calloc((size_t)v->n + 1, sizeof *r->probe);
	if (!r->probe)
		return err_set(e, E_5001, "out of memory");
	for (int i = 0; i < v->n; i++)
		v->hook[i] = tape_hook(v->m->tape, v->probe[i].t->name, verify_see, v);
	bool ok = verify_compute(v, e);
	for (int i = 0; i < v->n; i++)
		tape_unhook(v->m->tape, v->hook[i]);
	for (int i = 0; ok && i < v->n; i++)
		if (strcmp(v->probe[i].t->name, "greedy") == 0)
			ok = verify_greedy(v, &v->probe[i], e);
	return ok && verify_compare(v, r, e);
}

bool verify_run(LatheModel *m, const char *golden_path, const VerifyOptions *o, VerifyReport *out, Err *e)
{
	Verify v = { .m = m, .o = o };
	*out = (VerifyReport){ 0 };
	bool mla = config_attention(&m->lm->c) == ATTN_MLA;
	if (o->attention == LATHE_ATTENTION_ABSORBED && !mla)
		return err_set(e, E_2003, "attention absorbed: this model's attention is %s, only MLA has a latent to work on; leave it at auto",
			m->lm->c.attention);
	v.st = st_open(golden_path, e);
	bool ok = v.st && verify_all(&v, out, e);
	for (int i = 0; i < v.n; i++)
		free(v.probe[i].own);
	free(v.probe);
	free(v.hook);
	free(v.id);
	free(v.level);
	st_close(v.st);
	if (!ok)
		verify_done(out);
	return ok;
}

void verify_done(VerifyReport *r)
{
	for (int i = 0; i < r->n; i++)
		free((void *)(uintptr_t)r->probe[i].name);
	free(r->probe);
	*r = (VerifyReport){ 0 };
}
