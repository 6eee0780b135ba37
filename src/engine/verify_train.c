/* verify_train.c - see verify_train.h. Tolerances and conventions are those that case.json states. */
#include "engine/verify_train.h"
#include "base/json.h"
#include "tensor/st.h"
#include "train/train.h"
#include "train/update.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CASE_MAX = 4 << 20 };

typedef struct Check {
	const char *dir;
	json_t *c;              /* case.json */
	TrainSettings s;
	int threads;
	Train *t;
	Cases *out;
	Err *e;
} Check;

static double number_at(const json_t *j, double fallback, const char *a, const char *b)
{
	j = json_object_get(j, a);
	if (b)
		j = json_object_get(j, b);
	return json_is_number(j) ? json_number_value(j) : fallback;
}

static double tolerance(const Check *k, const char *group, const char *name, double fallback)
{
	const json_t *t = json_object_get(k->c, "tolerance");
	return number_at(t, fallback, group ? group : name, group ? name : NULL);
}

static Case *case_new(Check *k, const char *file, const char *name)
{
	char full[160];
	snprintf(full, sizeof full, "%s: %s", file, name);
	return cases_add(k->out, full, k->e);
}

/* Compares n numbers; |a - b| <= atol + rtol max|b| everywhere. */
static bool case_numbers(Check *k, const char *file, const char *name, const real *own, const float *want, int64_t n, double atol, double rtol)
{
	Case *c = case_new(k, file, name);
	double most = 0, scale = 0;
	int64_t where = 0;
	if (!c)
		return false;
	for (int64_t i = 0; i < n; i++) {
		double d = fabs((double)own[i] - (double)want[i]);
		scale = fmax(scale, fabs((double)want[i]));
		if (!(d <= most)) { /* a NaN counts as the greatest */
			most = d;
			where = i;
		}
	}
	c->max_abs = most;
	c->max_rel = scale > 0 ? most / scale : most;
	c->ok = most <= atol + rtol * scale;
	snprintf(c->at, sizeof c->at, "[%lld] %.7g, stored %.7g", (long long)where, n ? (double)own[where] : 0, n ? (double)want[where] : 0);
	k->out->ok &= c->ok;
	return true;
}

static bool case_value(Check *k, const char *file, const char *name, double own, double want, double atol, double rtol)
{
	real a = (real)own;
	float b = (float)want;
	return case_numbers(k, file, name, &a, &b, 1, atol, rtol);
}

static bool is_type(const StEntry *t, Dtype d, int64_t n)
{
	int64_t have = 1;
	for (int i = 0; i < t->rank; i++)
		have *= t->shape[i];
	return t->dtype == d && (n < 0 || have == n);
}

/* The numbers of an F32 entry of n elements, copied to aligned memory; NULL: not there, or not of that size. */
static float *floats_of(St *st, const char *name, int64_t n, Err *e)
{
	const StEntry *t = st_find(st, name);
	const void *p = t && is_type(t, DT_F32, n) ? st_data(st, t, e) : NULL;
	float *f = p ? malloc(sizeof *f * (size_t)(n + 1)) : NULL;
	if (f)
		memcpy(f, p, sizeof *f * (size_t)n);
	else if (!e->code)
		err_set(e, E_3200, "%s: \"%s\" is missing or not %lld numbers of F32", st_path(st), name, (long long)n);
	return f;
}

static St *file_open(const Check *k, const char *name, bool *there)
{
	char path[4400];
	Err none = { 0 };
	snprintf(path, sizeof path, "%s/%s", k->dir, name);
	St *st = st_open(path, &none);
	*there = st != NULL;
	return st;
}

/* --- batches --- */

static bool ids_of(St *st, const char *name, int32_t *to, int rows, int seq, int64_t most, Err *e)
{
	const StEntry *t = st_find(st, name);
	const char *p = t && is_type(t, DT_I64, (int64_t)rows * seq) ? st_data(st, t, e) : NULL;
	if (!p)
		return err_set(e, E_3200, "%s: \"%s\" is missing or not I64 [%d, %d]", st_path(st), name, rows, seq);
	for (int64_t i = 0; i < (int64_t)rows * seq; i++) {
		int64_t v;
		memcpy(&v, p + i * 8, 8);
		if (v >= most || v < -100)
			return err_set(e, E_3200, "%s: %s[%lld] = %lld is no id of this model", st_path(st), name, (long long)i, (long long)v);
		to[i] = (int32_t)v;
	}
	return true;
}

/* prefix: "" or "batch.3."; masked: documents see themselves only, when the file has doc_ids. */
static bool batch_read(Check *k, St *st, const char *prefix, bool masked, TrainBatch *b)
{
	char name[64], doc[64];
	snprintf(name, sizeof name, "%sinput_ids", prefix);
	snprintf(doc, sizeof doc, "%sdoc_ids", prefix);
	const StEntry *t = st_find(st, name);
	*b = (TrainBatch){ 0 };
	if (!t || t->rank != 2 || t->shape[0] < 1 || t->shape[1] < 2 || t->shape[0] > (1 << 20) / t->shape[1])
		return err_set(k->e, E_3200, "%s: \"%s\" [B,T] is missing or too large", st_path(st), name);
	int rows = (int)t->shape[0], seq = (int)t->shape[1];
	int64_t vocab = train_lm(k->t)->c.vocab_size;
	bool ok = pack_new(b, rows, seq, k->e) && ids_of(st, name, b->id, rows, seq, vocab, k->e);
	snprintf(name, sizeof name, "%slabels", prefix);
	ok = ok && ids_of(st, name, b->label, rows, seq, vocab, k->e);
	masked = masked && st_find(st, doc);
	ok = ok && (!masked || ids_of(st, doc, b->pos, rows, seq, 1 << 20, k->e));
	for (int i = 0; ok && i < rows * seq; i++) {
		bool fresh = i % seq == 0 || (masked && b->pos[i] != b->pos[i - 1]);
		if (fresh)
			b->docs[b->n_seq++] = (Seq){ .row0 = i };
		b->docs[b->n_seq - 1].rows++;
	}
	for (int i = 0; i < rows * seq && ok; i++)
		b->pos[i] = i % seq;
	return ok;
}

/* --- gradients --- */

/* "loss", "loss.main", "loss.mtp.0", "loss.aux"; false: not one that is computed. */
static bool part_value(const StepReport *r, const char *name, double *v)
{
	int k, end = 0;
	if (strcmp(name, "loss") == 0)
		*v = r->loss;
	else if (strcmp(name, "loss.main") == 0)
		*v = r->main;
	else if (strcmp(name, "loss.aux") == 0)
		*v = r->aux;
	else if (sscanf(name, "loss.mtp.%d%n", &k, &end) == 1 && name[end] == 0 && k >= 0 && k < r->n_mtp)
		*v = r->mtp[k];
	else
		return false;
	return true;
}

static bool check_losses(Check *k, St *st, const char *file, const StepReport *r)
{
	for (size_t i = 0; i < st_count(st); i++) {
		const char *name = st_at(st, i)->name;
		double v;
		if (!part_value(r, name, &v))
			continue;
		float *f = floats_of(st, name, 1, k->e);
		bool ok = f && case_value(k, file, name, v, (double)*f, tolerance(k, NULL, "loss_atol", 5e-6), 0);
		free(f);
		if (!ok)
			return false;
	}
	return true;
}

static bool check_gradient(Check *k, const char *file, unsigned terms, bool masked)
{
	bool there, in;
	St *st = file_open(k, file, &there), *batch = file_open(k, "batch.safetensors", &in);
	TrainBatch b = { 0 };
	StepReport r;
	bool ok = there && in && batch_read(k, batch, "", masked, &b) && train_gradient(k->t, &b, terms, &r, k->e) &&
		check_losses(k, st, file, &r);
	Params *p = ok ? train_params(k->t) : NULL;
	double rtol = tolerance(k, "grad", "rtol", 5e-5);
	for (int i = 0; ok && i < p->n; i++) {
		float *f = floats_of(st, p->p[i].t->name, p->p[i].n, k->e);
		ok = f && case_numbers(k, file, p->p[i].t->name, p->g + p->p[i].at, f, p->p[i].n, 1e-12, rtol);
		free(f);
	}
	float *norm = ok ? floats_of(st, "grad_norm", 1, k->e) : NULL;
	ok = norm && case_value(k, file, "grad_norm", params_norm_of(k->t), (double)*norm, 0, rtol);
	free(norm);
	pack_free(&b);
	st_close(st);
	st_close(batch);
	return ok || !there;
}

/* --- trajectories --- */

/* Those tensors that the file has. */
static bool check_weights(Check *k, St *st, const char *file, const char *prefix, const char *tol)
{
	Params *p = train_params(k->t);
	for (int i = 0; i < p->n; i++) {
		char name[200];
		snprintf(name, sizeof name, "%s%s", prefix, p->p[i].t->name);
		if (!st_find(st, name))
			continue;
		float *f = floats_of(st, name, p->p[i].n, k->e);
		bool ok = f && case_numbers(k, file, name, p->w + p->p[i].at, f, p->p[i].n, tolerance(k, "trajectory", tol, 1e-4), 0);
		free(f);
		if (!ok)
			return false;
	}
	return true;
}

/* Of the whole way that the weights went: ||w - ref|| <= rtol ||ref - start|| for each tensor. */
static bool check_way(Check *k, St *st, const char *file, const real *start)
{
	Params *p = train_params(k->t);
	double rtol = tolerance(k, "trajectory", "final_update_rtol", 5e-4);
	for (int i = 0; i < p->n; i++) {
		char name[200];
		double off = 0, way = 0;
		snprintf(name, sizeof name, "final.%s", p->p[i].t->name);
		if (!st_find(st, name))
			continue;
		float *f = floats_of(st, name, p->p[i].n, k->e);
		for (int64_t j = 0; f && j < p->p[i].n; j++) {
			double d = (double)p->w[p->p[i].at + j] - (double)f[j], w = (double)f[j] - (double)start[p->p[i].at + j];
			off += d * d;
			way += w * w;
		}
		snprintf(name, sizeof name, "way.%s", p->p[i].t->name);
		bool ok = f && case_value(k, file, name, way > 0 ? sqrt(off / way) : 0, 0, rtol, 0);
		free(f);
		if (!ok)
			return false;
	}
	return true;
}

static bool check_counts(Check *k, St *st, const char *file, int step)
{
	int n;
	const LayerLoad *l = train_loads(k->t, &n);
	for (int i = 0; i < n; i++) {
		char name[64];
		snprintf(name, sizeof name, "counts.%d.layers.%d", step, l[i].layer);
		const StEntry *t = st_find(st, name);
		const char *p = t && is_type(t, DT_I64, l[i].E) ? st_data(st, t, k->e) : NULL;
		Case *c = p ? case_new(k, file, name) : NULL;
		for (int j = 0; c && j < l[i].E; j++) {
			int64_t v;
			memcpy(&v, p + j * 8, 8);
			c->ok &= v == l[i].count[j];
		}
		k->out->ok &= !c || c->ok;
		snprintf(name, sizeof name, "bias.%d.layers.%d", step, l[i].layer);
		float *f = c ? floats_of(st, name, l[i].E, k->e) : NULL;
		bool ok = f && case_numbers(k, file, name, ten_real(train_params(k->t)->bias[i]), f, l[i].E, 0, 0);
		free(f);
		if (!ok && t)
			return false;
	}
	return true;
}

static bool check_step(Check *k, St *st, const char *file, int step, double lr)
{
	char name[64];
	TrainBatch b;
	StepReport r;
	TrainSettings *s = train_settings(k->t);
	s->lr = lr;
	snprintf(name, sizeof name, "batch.%d.", step);
	bool ok = batch_read(k, st, name, true, &b) && train_gradient(k->t, &b, TERMS_ALL, &r, k->e) && train_update(k->t, &r, k->e);
	snprintf(name, sizeof name, "loss.%d", step);
	float *loss = ok ? floats_of(st, name, 1, k->e) : NULL;
	ok = loss && case_value(k, file, name, r.loss, (double)*loss, tolerance(k, "trajectory", "loss_atol", 2e-5), 0);
	snprintf(name, sizeof name, "grad_norm.%d", step);
	float *norm = ok ? floats_of(st, name, 1, k->e) : NULL;
	ok = norm && case_value(k, file, name, r.grad_norm, (double)*norm, 0, 1e-3) && check_counts(k, st, file, step);
	ok = ok && (step || check_weights(k, st, file, "step1.", "step1_atol"));
	free(loss);
	free(norm);
	pack_free(&b);
	return ok;
}

static bool check_new(Check *k)
{
	train_free(k->t);
	k->t = train_new(&(TrainStart){ .from = k->dir, .threads = k->threads }, &k->s, NULL, NULL, k->e);
	return k->t != NULL;
}

static bool check_trajectory(Check *k, const char *file, bool bias)
{
	bool there;
	St *st = file_open(k, file, &there);
	const json_t *lr = json_object_get(json_object_get(k->c, "trajectory"), "lr");
	if (!there)
		return true;
	k->s.balance = bias ? BALANCE_BIAS : k->s.balance;
	k->s.gamma = number_at(k->c, 0, "bias_update", "gamma");
	k->s.gamma_frozen = 0;
	bool ok = check_new(k);
	Params *p = ok ? train_params(k->t) : NULL;
	real *start = ok ? malloc(sizeof *start * (size_t)p->count) : NULL;
	ok = ok && (start || err_set(k->e, E_5001, "out of memory for the weights at the start"));
	if (ok)
		memcpy(start, p->w, sizeof *start * (size_t)p->count);
	for (size_t i = 0; ok && i < json_array_size(lr); i++)
		ok = check_step(k, st, file, (int)i, json_number_value(json_array_get(lr, i)));
	ok = ok && check_weights(k, st, file, "final.", "final_atol") && check_way(k, st, file, start);
	free(start);
	st_close(st);
	return ok;
}

/* --- the optimizer alone --- */

static const char *const alone[] = { "a", "b", "c" };

static bool alone_check(Check *k, St *st, const char *file, Params *p, const real *v, const char *what, double atol, double rtol)
{
	for (int i = 0; i < p->n; i++) {
		char name[64];
		snprintf(name, sizeof name, "%s.%s", what, alone[i]);
		float *f = floats_of(st, name, p->p[i].n, k->e);
		bool ok = f && case_numbers(k, file, name, v + p->p[i].at, f, p->p[i].n, atol, rtol);
		free(f);
		if (!ok)
			return false;
	}
	return true;
}

static bool alone_read(Check *k, St *st, Params *p, real *to, const char *what)
{
	for (int i = 0; i < p->n; i++) {
		char name[64];
		snprintf(name, sizeof name, "%s.%s", what, alone[i]);
		float *f = floats_of(st, name, p->p[i].n, k->e);
		for (int64_t j = 0; f && j < p->p[i].n; j++)
			to[p->p[i].at + j] = (real)f[j];
		free(f);
		if (!f)
			return false;
	}
	return true;
}

/* v is compared element by element, as it spans many orders of magnitude. */
static bool alone_v(Check *k, St *st, const char *file, Params *p)
{
	for (int i = 0; i < p->n; i++) {
		char name[64];
		double worst = 0;
		snprintf(name, sizeof name, "v.%s", alone[i]);
		float *f = floats_of(st, name, p->p[i].n, k->e);
		for (int64_t j = 0; f && j < p->p[i].n; j++) {
			double d = fabs((double)p->v[p->p[i].at + j] - (double)f[j]), scale = fabs((double)f[j]);
			worst = fmax(worst, d <= 1e-36 ? 0 : d / fmax(scale, 1e-37));
		}
		bool ok = f && case_value(k, file, name, worst, 0, tolerance(k, NULL, "v_rtol", 1e-5), 0);
		free(f);
		if (!ok)
			return false;
	}
	return true;
}

static bool alone_steps(Check *k, St *st, const char *file, Params *p, double clip)
{
	const json_t *lr = json_object_get(k->c, "lr");
	TrainSettings s = k->s;
	s.clip = clip;
	Pool *pool = pool_new(k->threads ? k->threads : 1);
	bool ok = pool && alone_read(k, st, p, p->w, "w0");
	for (size_t i = 0; ok && i < json_array_size(lr); i++) {
		char name[64], norm[64];
		snprintf(name, sizeof name, "g.%zu", i);
		ok = alone_read(k, st, p, p->g, name);
		double have = params_norm(pool, p);
		snprintf(norm, sizeof norm, "grad_norm.%zu", i);
		float *f = ok && st_find(st, norm) ? floats_of(st, norm, 1, k->e) : NULL;
		ok = ok && (!f || case_value(k, file, norm, have, (double)*f, 0, 1e-6));
		free(f);
		adamw_update(pool, p, &s, json_number_value(json_array_get(lr, i)), adamw_clip(&s, have), (int64_t)i + 1);
		snprintf(name, sizeof name, "w.%zu", i);
		ok = ok && alone_check(k, st, file, p, p->w, name, tolerance(k, NULL, "w_atol", 2e-6), 0);
	}
	pool_free(pool);
	return ok && alone_check(k, st, file, p, p->m, "m", 0, 1e-6) && alone_v(k, st, file, p);
}

static bool check_alone(Check *k, const char *file)
{
	bool there;
	St *st = file_open(k, file, &there);
	const json_t *clip = json_object_get(json_object_get(json_object_get(k->c, "files"), file), "clip_max_norm");
	Param part[3];
	Params p = { .p = part, .n = 3 };
	if (!there)
		return true;
	bool ok = true;
	for (int i = 0; ok && i < 3; i++) {
		char name[8];
		snprintf(name, sizeof name, "w0.%s", alone[i]);
		const StEntry *t = st_find(st, name);
		ok = t || err_set(k->e, E_3200, "%s: \"%s\" is missing", st_path(st), name);
		part[i] = (Param){ .at = p.count, .n = 1, .decays = t && t->rank > 1 };
		for (int j = 0; t && j < t->rank; j++)
			part[i].n *= t->shape[j];
		p.count += part[i].n;
	}
	real *all = ok && p.count < 1 << 24 ? calloc((size_t)p.count * 4, sizeof *all) : NULL;
	p.norm_parts = calloc((size_t)p.count / NORM_BLOCK + 1, sizeof *p.norm_parts);
	p.w = all;
	p.g = all + p.count;
	p.m = all + 2 * p.count;
	p.v = all + 3 * p.count;
	ok = ok && all && p.norm_parts && alone_steps(k, st, file, &p, json_is_number(clip) ? json_number_value(clip) : 0);
	free(all);
	free(p.norm_parts);
	st_close(st);
	return ok;
}

/* --- all of a folder --- */

static void check_settings(Check *k)
{
	const json_t *s = json_object_get(k->c, "settings");
	settings_default(&k->s);
	k->s.lr_shape = LR_CONSTANT;
	k->s.warmup = 0;
	k->s.mtp_late = 0;
	k->s.mtp_lambda = number_at(s, 0, "lambda", NULL);
	k->s.alpha = number_at(s, 0, "alpha", NULL);
	k->s.balance = k->s.alpha > 0 ? BALANCE_SEQUENCE : BALANCE_NONE;
	const char *norm = json_string_value(json_object_get(s, "mtp_norm"));
	k->s.mtp_norm = norm && strcmp(norm, "mean") == 0 ? MTP_MEAN : MTP_PAPER;
	snprintf(k->out->source, sizeof k->out->source, "%s", json_string_value(json_object_get(k->c, "source")) ? json_string_value(json_object_get(k->c, "source")) : "");
}

static bool check_model(Check *k)
{
	bool ok = check_new(k) && check_gradient(k, "grad.safetensors", TERMS_ALL, true) &&
		check_gradient(k, "grad-aux.safetensors", TERM_AUX, true) &&
		check_gradient(k, "grad-nomask.safetensors", TERMS_ALL, false);
	if (!ok)
		return false;
	train_settings(k->t)->mtp_norm = MTP_MEAN;
	ok = check_gradient(k, "grad-mean.safetensors", TERMS_ALL, true);
	return ok && check_trajectory(k, "adamw.safetensors", false) && check_trajectory(k, "bias.safetensors", true);
}

bool verify_train(const char *dir, int threads, Cases *out, Err *e)
{
	char path[4400];
	Check k = { .dir = dir, .threads = threads, .out = out, .e = e };
	*out = (Cases){ .ok = true };
	snprintf(path, sizeof path, "%s/case.json", dir);
	k.c = json_parse_file(path, CASE_MAX, E_3200, e);
	if (!k.c)
		return false;
	check_settings(&k);
	bool optimizer = json_object_get(k.c, "files") != NULL;
	bool ok = optimizer ? check_alone(&k, "clip.safetensors") && check_alone(&k, "wide.safetensors") : check_model(&k);
	if (ok && out->n == 0)
		ok = err_set(e, E_3200, "%s: nothing to compare is there", dir);
	train_free(k.t);
	json_decref(k.c);
	return ok;
}
