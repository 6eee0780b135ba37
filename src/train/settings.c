/* settings.c - the table of settings, and changing one by its name. */
#include "train/settings.h"
#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AT(field) offsetof(TrainSettings, field)
#define INT(name, least, most, usual, live, help) { #name, SETTING_INT, AT(name), least, most, usual, NULL, live, help }
#define NUMBER(name, least, most, usual, live, help) { #name, SETTING_NUMBER, AT(name), least, most, usual, NULL, live, help }
#define FLAG(name, usual, live, help) { #name, SETTING_FLAG, AT(name), 0, 1, usual, NULL, live, help }
#define WORD(name, usual, words, live, help) { #name, SETTING_WORD, AT(name), 0, 0, usual, words, live, help }

static const Setting table[] = {
	INT(seed, 0, 9e15, 1, false, "of weights, data and everything drawn"),
	INT(steps, 0, 1e12, 1000, true, "optimizer steps in all"),
	INT(batch, 1, 1 << 16, 16, true, "rows of a step"),
	INT(seq, 2, 1 << 20, 128, false, "tokens of a row"),
	INT(accumulate, 1, 1 << 16, 1, true, "parts that a step's rows are forwarded in: less memory, the same gradient"),
	INT(batch_start, 0, 1 << 16, 0, false, "rows of the first step, when the batch grows"),
	INT(batch_ramp, 0, 1e12, 0, false, "steps over which the batch grows to `batch`"),
	WORD(lr_shape, LR_COSINE, "constant cosine v3 linear", true, "course of the learning rate after warm-up"),
	NUMBER(lr, 0, 10, 1e-3, true, "learning rate at its peak"),
	NUMBER(lr_final, 0, 1, 0.1, true, "learning rate at the end, as a share of the peak"),
	NUMBER(lr_hold, 0, 1, 0.67, true, "v3: share of the steps at the peak before the cosine"),
	INT(warmup, 0, 1e12, 50, true, "steps of linear growth from 0"),
	NUMBER(beta1, 0, 0.999999, 0.9, true, "AdamW: decay of the first moment"),
	NUMBER(beta2, 0, 0.999999, 0.95, true, "AdamW: decay of the second moment"),
	NUMBER(eps, 0, 1, 1e-8, true, "AdamW: added to the root of the second moment"),
	NUMBER(weight_decay, 0, 10, 0.1, true, "AdamW: of tensors of two dimensions"),
	NUMBER(clip, 0, 1e30, 1, true, "greatest norm of all gradients together; 0: none"),
	NUMBER(init_std, 0, 10, 0.02, false, "of random weights; those that write the residual stream: divided by sqrt(2 layers)"),
	NUMBER(ema, 0, 0.999999, 0, false, "decay of the averaged weights, finished as DIR/model-ema; 0: none are kept"),
	FLAG(moments_bf16, 0, false, "round AdamW's moments to BF16, the type the V3 report keeps them in (memory stays that of f32)"),
	WORD(gemm, GEMM_F32, "f32 bf16 fp8", true, "products of weights: as they are, rounded to BF16, or by fp8_recipe"),
	WORD(fp8_recipe, 0, "fp8-v3 fp8-v3-pow2 fp8-block fp8-hybrid fp8-tensor fp8-e5m2 mxfp8 nvfp4", true,
		"gemm fp8: number formats and groups, see lathe-fp8(1)"),
	WORD(fp8_sum, 0, "f32 hopper", true, "gemm fp8: sums in f32, or as Hopper's tensor cores form them (slower)"),
	INT(fp8_bits, 4, 25, 13, true, "fp8_sum hopper: places that a sum keeps; above 16 far slower"),
	INT(fp8_promote, 0, 1 << 20, 128, true, "fp8_sum hopper: products until a sum goes to f32, rounded up to 32; 0: only where a group ends"),
	NUMBER(fp8_floor, 0, 1, 0, true, "gemm fp8: least amax of a group; the kernels of V3 have 1e-4"),
	WORD(balance, BALANCE_BIAS, "none bias sequence v2", true, "how experts are kept busy alike"),
	NUMBER(gamma, 0, 1, 1e-3, true, "bias: what the correction bias moves by after each step"),
	NUMBER(gamma_frozen, 0, 1, 0.1, true, "bias: share of the steps at the end in which it stands still"),
	NUMBER(alpha, 0, 100, 1e-4, true, "sequence, v2: weight of the loss over experts"),
	NUMBER(alpha_device, 0, 100, 0, true, "v2: weight of the loss over devices"),
	NUMBER(alpha_comm, 0, 100, 0, true, "v2: weight of the loss over communication"),
	INT(devices, 1, 4096, 1, false, "v2: groups of experts"),
	INT(devices_kept, 1, 4096, 1, false, "v2: groups that a token may be sent to"),
	WORD(mtp_norm, MTP_PAPER, "paper mean", true, "an MTP module's losses divided by the number of main targets, or of its own"),
	NUMBER(mtp_lambda, 0, 100, 0.3, true, "weight of the MTP modules' mean loss"),
	NUMBER(mtp_lambda_late, 0, 100, 0.1, true, "the same in the last part"),
	NUMBER(mtp_late, 0, 1, 0.33, true, "share of the steps that is the last part"),
	FLAG(document_mask, 0, false, "tokens see their own document only"),
	FLAG(fim_middle, 0, false, "loss on the middle of a cut document only"),
	NUMBER(fim, 0, 1, 0, false, "share of the documents given as prefix, suffix, middle"),
	FLAG(recompute, 0, true, "keep only the blocks' inputs and compute the rest again: less memory, more time"),
	INT(checkpoint_every, 0, 1e12, 500, true, "steps; 0: only at the end"),
	INT(keep, 1, 1000, 2, true, "checkpoints that stay"),
	INT(eval_every, 0, 1e12, 100, true, "steps between losses on held-out text; 0: never"),
	INT(eval_rows, 1, 1 << 16, 16, false, "rows of held-out text"),
	INT(sample_every, 0, 1e12, 0, true, "steps between samples of text; 0: never"),
	INT(patience, 0, 1e6, 0, true, "stop after so many held-out losses without a better one; 0: never"),
	{ NULL, 0, 0, 0, 0, 0, NULL, false, NULL },
};

const Setting *settings_table(void)
{
	return table;
}

static void setting_put(void *values, const Setting *x, double v)
{
	char *at = (char *)values + x->offset;
	int64_t i = (int64_t)v;
	if (x->kind == SETTING_NUMBER)
		memcpy(at, &v, sizeof v);
	else
		memcpy(at, &i, sizeof i);
}

static double setting_get(const void *values, const Setting *x)
{
	const char *at = (const char *)values + x->offset;
	int64_t i;
	double v;
	memcpy(&v, at, sizeof v);
	memcpy(&i, at, sizeof i);
	return x->kind == SETTING_NUMBER ? v : (double)i;
}

void setting_defaults(const Setting *of, void *values)
{
	for (const Setting *x = of; x->name; x++)
		setting_put(values, x, x->usual);
}

void settings_default(TrainSettings *s)
{
	memset(s, 0, sizeof *s);
	setting_defaults(table, s);
}

/* Letters at the beginning that two names share; the nearest name is told in errors. */
static size_t shared_start(const char *a, const char *b)
{
	size_t n = 0;
	while (a[n] && a[n] == b[n])
		n++;
	return n;
}

const Setting *setting_named(const Setting *of, const char *name)
{
	for (; of->name; of++)
		if (strcmp(of->name, name) == 0)
			return of;
	return NULL;
}

static const Setting *setting_find(const Setting *of, const char *name, Err *e)
{
	const Setting *near = of, *found = setting_named(of, name);
	if (found)
		return found;
	for (const Setting *x = of; x->name; x++) {
		if (shared_start(x->name, name) > shared_start(near->name, name))
			near = x;
	}
	err_set(e, E_2101, "setting \"%s\": there is none of that name (near it: %s); `lathe help train` lists them", name,
		near->name);
	return NULL;
}

static bool setting_try(void *s, const Setting *x, double v, Err *e)
{
	bool whole = x->kind == SETTING_NUMBER || v == floor(v);
	if (!(v >= x->least && v <= x->most) || !whole)
		return err_set(e, E_2102, "setting %s = %.17g: %s from %g to %g", x->name, v,
			x->kind == SETTING_NUMBER ? "a number" : "a whole number", x->least, x->most);
	setting_put(s, x, v);
	return true;
}

/* The value that a word stands for: its place in the list. -1: not there. */
static int word_place(const char *words, const char *word)
{
	size_t n = strlen(word);
	int place = 0;
	for (const char *w = words; *w; place++) {
		size_t k = strcspn(w, " ");
		if (k == n && memcmp(w, word, n) == 0)
			return place;
		w += k + (w[k] == ' ');
	}
	return -1;
}

static bool setting_word(void *s, const Setting *x, const char *value, Err *e)
{
	int place = word_place(x->words, value);
	if (place < 0)
		return err_set(e, E_2102, "setting %s = \"%s\": one of %s", x->name, value, x->words);
	setting_put(s, x, place);
	return true;
}

bool setting_set(const Setting *of, void *s, const char *name, const char *value, Err *e)
{
	const Setting *x = setting_find(of, name, e);
	if (!x)
		return false;
	if (x->kind == SETTING_WORD)
		return setting_word(s, x, value, e);
	if (x->kind == SETTING_FLAG && (strcmp(value, "true") == 0 || strcmp(value, "false") == 0))
		return setting_try(s, x, value[0] == 't', e);
	char *end;
	errno = 0;
	double v = strtod(value, &end);
	if (end == value || *end || errno == ERANGE)
		return err_set(e, E_2102, "setting %s = \"%s\": not a number", name, value);
	return setting_try(s, x, v, e);
}

bool settings_set(TrainSettings *s, const char *name, const char *value, Err *e)
{
	return setting_set(table, s, name, value, e);
}

bool settings_change(TrainSettings *s, const char *name, const char *value, Err *e)
{
	const Setting *x = setting_find(table, name, e);
	if (x && !x->live)
		return err_set(e, E_2102, "setting %s cannot be changed while a run is going on", name);
	return x && settings_set(s, name, value, e);
}

bool setting_set_number(const Setting *of, void *s, const char *name, double value, Err *e)
{
	const Setting *x = setting_find(of, name, e);
	if (x && x->kind == SETTING_WORD)
		return err_set(e, E_2102, "setting %s = %g: one of %s", name, value, x->words);
	return x && setting_try(s, x, value, e);
}

bool settings_set_number(TrainSettings *s, const char *name, double value, Err *e)
{
	return setting_set_number(table, s, name, value, e);
}

/* The word of a place, and what comes behind it; "" past the last. */
static const char *word_at(const char *w, int place)
{
	for (; place > 0; place--) {
		w += strcspn(w, " ");
		w += *w == ' ';
	}
	return w;
}

void settings_word(const TrainSettings *s, const char *name, char *out, size_t n)
{
	Err none = { 0 };
	const Setting *x = setting_find(table, name, &none);
	const char *w = x && x->words ? word_at(x->words, (int)setting_get(s, x)) : "";
	snprintf(out, n, "%.*s", (int)strcspn(w, " "), w);
}

static void word_write(const Setting *x, int place, Jout *j)
{
	const char *w = word_at(x->words, place);
	jout_key(j, x->name);
	jout_strn(j, w, strcspn(w, " "));
}

void setting_write_all(const Setting *of, const void *s, Jout *j)
{
	for (const Setting *x = of; x->name; x++) {
		double v = setting_get(s, x);
		if (x->kind == SETTING_WORD)
			word_write(x, (int)v, j);
		else if (x->kind == SETTING_FLAG)
			jout_kbool(j, x->name, v != 0);
		else if (x->kind == SETTING_INT)
			jout_kint(j, x->name, (int64_t)v);
		else
			jout_knum(j, x->name, v);
	}
}

void settings_write(const TrainSettings *s, Jout *j)
{
	setting_write_all(table, s, j);
}
