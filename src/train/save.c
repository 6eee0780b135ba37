/* save.c - checkpoints of a run, and the finished model. What must hold: a kill or a power cut at any
 * moment leaves the last whole checkpoint, weights that are not finite never push out good ones, and a run
 * that goes on from a checkpoint is the unbroken run. */
#include "base/folder.h"
#include "base/hash.h"
#include "text/tok.h"
#include "train/save.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool memory_fail(const char *path, Err *e)
{
	return err_set(e, E_5001, "%s: out of memory", path);
}

static uint64_t reals_hash(const real *x, int64_t n, uint64_t h)
{
	return hash_bytes(x, sizeof *x * (size_t)n, h);
}

uint64_t train_hash(const Train *t)
{
	const Params *p = &t->params;
	int64_t counters[] = { t->step, (int64_t)t->rows, t->tokens, t->updates, t->worse };
	uint64_t h = hash_bytes(counters, sizeof counters, 0);
	h = hash_bytes(&t->best, sizeof t->best, h);
	h = reals_hash(p->w, p->count, h);
	h = reals_hash(p->m, p->count, h);
	h = reals_hash(p->v, p->count, h);
	if (p->ema)
		h = reals_hash(p->ema, p->count, h);
	for (int i = 0; i < p->n_bias; i++)
		h = reals_hash(ten_real(p->bias[i]), ten_count(p->bias[i]), h);
	return h;
}

static bool all_finite(const real *x, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		if (!isfinite(x[i]))
			return false;
	return true;
}

static bool finite_check(const Train *t, Err *e)
{
	const Params *p = &t->params;
	const char *bad = NULL;
	for (int i = 0; !bad && i < p->n; i++) {
		int64_t at = p->p[i].at, n = p->p[i].n;
		if (!all_finite(p->w + at, n) || !all_finite(p->m + at, n) || !all_finite(p->v + at, n))
			bad = p->p[i].t->name;
	}
	for (int i = 0; !bad && i < p->n_bias; i++)
		if (!all_finite(ten_real(p->bias[i]), ten_count(p->bias[i])))
			bad = p->bias[i]->name;
	return !bad || err_set(e, E_6101,
		"step %lld: \"%.120s\" or its moments are not finite; nothing was saved, the checkpoints "
		"before stay", (long long)t->step, bad);
}

/* The config that belongs to the run's tensors when they are stored as d. */
static Config config_of(const Train *t, Dtype d)
{
	Config c = t->lm->c;
	c.num_nextn_predict_layers = t->lm->n_mtp;
	c.fp8 = false;
	c.dtype = d;
	return c;
}

static bool config_put(const Train *t, const char *folder, Dtype d, Err *e)
{
	Buf b = BUF_INIT;
	Config c = config_of(t, d);
	bool ok = (config_write(&c, &b) || memory_fail(folder, e)) &&
		folder_file(folder, "config.json", b.s, b.len, e);
	buf_done(&b);
	return ok;
}

/* Where text ends: what programs that generate look at. */
static bool generation_put(const Train *t, const char *folder, Err *e)
{
	const Config *c = &t->lm->c;
	Buf b = BUF_INIT;
	Jout j;
	jout_init(&j, &b);
	jout_obj(&j);
	jout_kbool(&j, "_from_model_config", true);
	if (c->bos_token_id >= 0)
		jout_kint(&j, "bos_token_id", c->bos_token_id);
	if (c->n_eos == 1)
		jout_kint(&j, "eos_token_id", c->eos_token_id[0]);
	if (c->n_eos > 1) {
		jout_key(&j, "eos_token_id");
		jout_arr(&j);
		for (int64_t i = 0; i < c->n_eos; i++)
			jout_int(&j, c->eos_token_id[i]);
		jout_end_arr(&j);
	}
	jout_end_obj(&j);
	buf_addc(&b, '\n');
	bool ok = (!b.failed || memory_fail(folder, e)) &&
		folder_file(folder, "generation_config.json", b.s, b.len, e);
	buf_done(&b);
	return ok;
}

static bool tokenizer_put(const char *from, const char *folder, Err *e)
{
	const char *const *names = tok_files();
	bool there;
	for (int i = 0; from && names[i]; i++)
		if (!folder_copy(from, folder, names[i], &there, e))
			return false;
	return true;
}

/* One file of numbers, written, and read back when nothing was rounded. */
static bool numbers_put(const Slots *k, const char *folder, const char *name, bool exact, Err *e)
{
	char *path = folder_join(folder, name);
	bool ok = path != NULL || memory_fail(folder, e);
	ok = ok && slots_write(k, path, e) && (!exact || slots_read(k, path, 0, SLOTS_COMPARE, e));
	free(path);
	return ok;
}

static bool weights_put(const Train *t, const char *folder, Dtype d, Err *e)
{
	Slots k;
	bool ok = slots_weights(&k, t, d, e) &&
		numbers_put(&k, folder, "model.safetensors", d == REAL_DTYPE, e);
	slots_done(&k);
	return ok;
}

static bool optimizer_put(const Train *t, const char *folder, Err *e)
{
	Slots k;
	bool ok = slots_optimizer(&k, t, t->params.ema != NULL, e) &&
		numbers_put(&k, folder, "optimizer.safetensors", true, e);
	slots_done(&k);
	return ok;
}

static bool model_put(const Train *t, const char *folder, Dtype d, const char *tokenizer, Err *e)
{
	return config_put(t, folder, d, e) && generation_put(t, folder, e) &&
		tokenizer_put(tokenizer, folder, e) &&
		weights_put(t, folder, d, e);
}

bool train_claim(Train *t, const char *out, const char *tokenizer_dir, bool *used, Err *e)
{
	char *own = tokenizer_dir ? strdup(tokenizer_dir) : NULL;
	if (tokenizer_dir && !own)
		return memory_fail(out, e);
	if (own) {
		free(t->save.tokenizer);
		t->save.tokenizer = own;
	}
	return save_claim(&t->save, out, used, e);
}

bool train_save(Train *t, const char *out, Err *e)
{
	if (!finite_check(t, e) || !save_claim(&t->save, out, NULL, e))
		return false;
	char *place = save_path(out, t->step), *temp = place ? folder_temp(place, e) : NULL;
	bool ok = temp != NULL || memory_fail(out, e);
	ok = ok && model_put(t, temp, REAL_DTYPE, t->save.tokenizer, e) && optimizer_put(t, temp, e) &&
		(!t->extra.put || t->extra.put(t->extra.ud, temp, e)) && state_write(t, temp, e) && folder_place(temp, place, true, e);
	if (ok) {
		save_known(&t->save, t->step);
		save_rotate(&t->save, t->step, t->s.keep < 1 ? 1 : t->s.keep);
	} else if (temp) {
		folder_remove(temp);
	}
	free(place);
	free(temp);
	return ok;
}

/* OUT/NAME: the weights as they are. */
static bool finish_put(Train *t, const char *out, const char *name, Dtype d, const char *tokenizer_dir, Err *e)
{
	char *place = folder_join(out, name), *temp = place ? folder_temp(place, e) : NULL;
	bool ok = temp != NULL || memory_fail(out, e);
	ok = ok && model_put(t, temp, d, tokenizer_dir, e) && folder_place(temp, place, true, e);
	if (!ok && temp)
		folder_remove(temp);
	free(place);
	free(temp);
	return ok;
}

/* Weights and averages change places. */
static void ema_swap(Params *p)
{
	for (int64_t i = 0; i < p->count; i++) {
		real w = p->w[i];
		p->w[i] = p->ema[i];
		p->ema[i] = w;
	}
}

bool train_finish(Train *t, const char *out, Dtype d, const char *tokenizer_dir, Err *e)
{
	if (d != DT_F32 && d != DT_BF16 && d != DT_F16 && d != REAL_DTYPE)
		return err_set(e, E_2003, "a finished model is written as f32, f16 or bf16; for FP8 blocks "
			"use `lathe convert --dtype fp8`");
	if (!finite_check(t, e) || !save_claim(&t->save, out, NULL, e) || !finish_put(t, out, "model", d, tokenizer_dir, e))
		return false;
	if (!t->params.ema)
		return true;
	ema_swap(&t->params);
	bool ok = finish_put(t, out, "model-ema", d, tokenizer_dir, e);
	ema_swap(&t->params);
	return ok;
}

static bool model_fits(const Train *t, const char *folder, Err *e)
{
	Config saved, own = config_of(t, REAL_DTYPE);
	Buf what = BUF_INIT;
	if (!config_read(folder, &saved, e))
		return false;
	bool ok = !config_differs(&saved, &own, &what) ||
		err_set(e, E_3301, "%s: is a checkpoint of another model: %s in this run; name another "
			"--out", folder, buf_str(&what));
	buf_done(&what);
	return ok;
}

static bool numbers_take(Train *t, const SavedState *s, const char *folder, Err *e)
{
	Slots w = { 0 }, o = { 0 };
	bool ema = s->ema && t->params.ema;
	char *model = folder_join(folder, "model.safetensors"),
		*rest = folder_join(folder, "optimizer.safetensors");
	bool ok = (model && rest) || memory_fail(folder, e);
	ok = ok && slots_weights(&w, t, REAL_DTYPE, e) && slots_optimizer(&o, t, ema, e) &&
		slots_read(&w, model, 0, SLOTS_COPY, e) &&
		slots_read(&o, rest, s->ema && !ema ? (size_t)t->params.n : 0, SLOTS_COPY, e);
	if (ok && t->params.ema && !ema)
		memcpy(t->params.ema, t->params.w, sizeof(real) * (size_t)t->params.count);
	slots_done(&w);
	slots_done(&o);
	free(model);
	free(rest);
	return ok;
}

static bool state_take(Train *t, const SavedState *s, const char *folder, Buf *note, Err *e)
{
	if (!model_fits(t, folder, e) || !numbers_take(t, s, folder, e))
		return false;
	t->step = s->step;
	t->rows = (uint64_t)s->rows;
	t->tokens = s->tokens;
	t->updates = s->updates;
	t->best = s->best;
	t->worse = s->worse;
	if (t->extra.take && !t->extra.take(t->extra.ud, folder, note, e))
		return false;
	return state_note(t, s, note) || memory_fail(folder, e);
}

bool train_load(Train *t, const char *folder, Buf *note, Err *e)
{
	SavedState s;
	bool ok = state_read(&s, folder, e) && state_take(t, &s, folder, note, e);
	state_done(&s);
	return ok;
}

/* One of OUT's checkpoints. False: an error that ends the search; a damaged one is noted only. */
static bool step_try(Train *t, int64_t step, bool *found, Buf *note, Err *e)
{
	SavedState s;
	Err why = { 0 };
	char *folder = save_path(t->save.out, step);
	if (!folder)
		return memory_fail(t->save.out, e);
	bool whole = state_read(&s, folder, &why), ok = true;
	if (whole && s.step != step)
		whole = err_set(&why, E_7101, "%s: is the checkpoint of step %lld", folder,
			(long long)s.step);
	if (whole)
		ok = state_take(t, &s, folder, note, e);
	else if (why.code == E_5001)
		ok = err_set(e, why.code, "%s", why.text);
	else
		buf_printf(note, "passed over: %s\n", why.text);
	*found = whole && ok;
	if (*found)
		save_known(&t->save, step);
	state_done(&s);
	free(folder);
	return ok;
}

bool train_resume(Train *t, const char *out, bool *found, Buf *note, Err *e)
{
	int64_t *steps;
	size_t n;
	*found = false;
	if (access(out, F_OK) != 0 && errno == ENOENT)
		return true;
	if (!save_claim(&t->save, out, NULL, e))
		return false;
	bool ok = save_steps(out, &steps, &n, e);
	for (size_t i = 0; ok && !*found && i < n; i++)
		ok = step_try(t, steps[i], found, note, e);
	free(steps);
	return ok;
}
