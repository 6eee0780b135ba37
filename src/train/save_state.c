/* save_state.c - state.json: the counters of a run, its settings, what it ran on, and the size and hash of
 * every file beside it. Its own last member is the hash of all text before, so that a changed digit is
 * found as surely as a changed weight. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "base/folder.h"
#include "base/hash.h"
#include "num/kernels.h"
#include "train/save.h"
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "unversioned"
#endif
#define FORMAT "lathe-train-1"
enum { STATE_MAX = 4 << 20 };

static const char *kernels_name(const Train *t)
{
	return t->pool ? pool_kernels(t->pool)->name : "none";
}

static void hex_put(Jout *j, const char *key, uint64_t v)
{
	char hex[20];
	snprintf(hex, sizeof hex, "%016llx", (unsigned long long)v);
	jout_kstr(j, key, hex);
}

static bool file_put(Jout *j, const char *folder, const char *name, Err *e)
{
	uint64_t hash, bytes;
	char *path = folder_join(folder, name);
	bool ok = path ? folder_hash(path, &hash, &bytes, e)
		: err_set(e, E_5001, "%s: out of memory", folder);
	free(path);
	if (!ok)
		return false;
	jout_key(j, name);
	jout_obj(j);
	jout_kint(j, "bytes", (int64_t)bytes);
	hex_put(j, "hash", hash);
	jout_end_obj(j);
	return true;
}

static int no_dots(const struct dirent *x)
{
	return x->d_name[0] != '.';
}

/* All files of the folder, in the order of their names. */
static bool files_put(Jout *j, const char *folder, Err *e)
{
	struct dirent **list;
	int n = scandir(folder, &list, no_dots, alphasort);
	bool ok = n >= 0 || err_errno(e, "open", folder);
	jout_key(j, "files");
	jout_obj(j);
	for (int i = 0; i < n; i++) {
		ok = ok && file_put(j, folder, list[i]->d_name, e);
		free(list[i]);
	}
	jout_end_obj(j);
	if (n >= 0)
		free(list);
	return ok;
}

static void counters_put(const Train *t, Jout *j)
{
	jout_kstr(j, "format", FORMAT);
	jout_kstr(j, "version", PACKAGE_VERSION);
	jout_kstr(j, "kernels", kernels_name(t));
	jout_kint(j, "step", t->step);
	jout_kint(j, "rows", (int64_t)t->rows);
	jout_kint(j, "tokens", t->tokens);
	jout_kint(j, "updates", t->updates);
	jout_knum(j, "best", t->best);
	jout_kint(j, "worse", t->worse);
	jout_kbool(j, "ema", t->params.ema != NULL);
	hex_put(j, "state_hash", train_hash(t));
	jout_key(j, "settings");
	jout_obj(j);
	settings_write(&t->s, j);
	jout_end_obj(j);
}

bool state_write(const Train *t, const char *folder, Err *e)
{
	Buf b = BUF_INIT;
	Jout j;
	jout_init(&j, &b);
	jout_obj(&j);
	counters_put(t, &j);
	bool ok = files_put(&j, folder, e);
	hex_put(&j, "check", hash_bytes(buf_str(&b), b.len, 0));
	jout_end_obj(&j);
	buf_addc(&b, '\n');
	if (ok && b.failed)
		ok = err_set(e, E_5001, "%s: out of memory", folder);
	ok = ok && folder_file(folder, "state.json", b.s, b.len, e);
	buf_done(&b);
	return ok;
}

static bool damaged(Err *e, const char *path, const char *what)
{
	return err_set(e, E_7101, "%s: %s", path, what);
}

static bool text_whole(const Buf *b)
{
	static const char tail[] = ",\"check\":\"";
	size_t end = sizeof tail - 1 + 16 + 3; /* sixteen digits, then "} and a newline */
	char want[64];
	if (b->len < end)
		return false;
	uint64_t hash = hash_bytes(b->s, b->len - end, 0);
	snprintf(want, sizeof want, "%s%016llx\"}\n", tail, (unsigned long long)hash);
	return memcmp(b->s + b->len - end, want, end) == 0;
}

static bool int_get(const json_t *root, const char *key, int64_t *v)
{
	const json_t *x = json_object_get(root, key);
	*v = json_integer_value(x);
	return json_is_integer(x) && *v >= 0;
}

/* The members that a checkpoint of this format has. */
static bool members_get(SavedState *s)
{
	const json_t *r = s->root, *best = json_object_get(r, "best");
	s->best = json_is_number(best) ? json_number_value(best) : INFINITY;
	s->ema = json_is_true(json_object_get(r, "ema"));
	return int_get(r, "step", &s->step) && int_get(r, "rows", &s->rows) &&
		int_get(r, "tokens", &s->tokens) && int_get(r, "updates", &s->updates) &&
		int_get(r, "worse", &s->worse) &&
		json_is_object(json_object_get(r, "settings")) && json_is_object(json_object_get(r, "files"));
}

static bool file_whole(const char *folder, const char *name, const json_t *want, Err *e)
{
	uint64_t hash, bytes;
	char hex[20];
	const char *stored = json_string_value(json_object_get(want, "hash"));
	if (!stored || strchr(name, '/') || name[0] == '.')
		return damaged(e, folder, "state.json names a file that it must not");
	char *path = folder_join(folder, name);
	bool ok = path ? folder_hash(path, &hash, &bytes, e)
		: err_set(e, E_5001, "%s: out of memory", folder);
	if (ok && (int64_t)bytes != json_integer_value(json_object_get(want, "bytes")))
		ok = damaged(e, path, "is not as long as it was written");
	if (ok) {
		snprintf(hex, sizeof hex, "%016llx", (unsigned long long)hash);
		ok = strcmp(hex, stored) == 0 ||
			damaged(e, path, "its bytes are not those that were written");
	}
	free(path);
	return ok;
}

static bool files_whole(const SavedState *s, const char *folder, Err *e)
{
	static const char *const must[] = { "config.json", "model.safetensors", "optimizer.safetensors" };
	json_t *files = json_object_get(s->root, "files"), *x;
	const char *name;
	for (size_t i = 0; i < sizeof must / sizeof must[0]; i++)
		if (!json_object_get(files, must[i]))
			return damaged(e, folder, "state.json lacks a file that every checkpoint has");
	json_object_foreach(files, name, x)
		if (!file_whole(folder, name, x, e))
			return false;
	return true;
}

static bool state_parse(SavedState *s, const char *path, Err *e)
{
	Buf b = BUF_INIT;
	bool ok = buf_read_file(&b, path, STATE_MAX, e) &&
		(text_whole(&b) || damaged(e, path, "is cut or damaged"));
	s->root = ok ? json_parse(b.s, b.len, path, E_7101, e) : NULL;
	buf_done(&b);
	if (!s->root)
		return false;
	const char *format = json_string_value(json_object_get(s->root, "format"));
	if (!format || strcmp(format, FORMAT) != 0)
		return damaged(e, path, "is of a format that this version does not know");
	return members_get(s) || damaged(e, path, "lacks a member");
}

bool state_read(SavedState *s, const char *folder, Err *e)
{
	char *path = folder_join(folder, "state.json");
	*s = (SavedState){ 0 };
	bool ok = path != NULL || err_set(e, E_5001, "%s: out of memory", folder);
	ok = ok && state_parse(s, path, e) && files_whole(s, folder, e);
	free(path);
	return ok;
}

void state_done(SavedState *s)
{
	json_decref(s->root);
	s->root = NULL;
}

/* Settings that leave the numbers alone: how often something is looked at or kept. */
static bool setting_is_idle(const char *name)
{
	static const char *const idle[] = { "checkpoint_every", "keep", "eval_every", "eval_rows",
		"sample_every", "recompute", NULL };
	for (int i = 0; idle[i]; i++)
		if (strcmp(name, idle[i]) == 0)
			return true;
	return false;
}

static void value_show(Buf *b, const json_t *v)
{
	Jout j;
	jout_init(&j, b);
	if (json_is_string(v))
		buf_adds(b, json_string_value(v));
	else if (json_is_integer(v))
		jout_int(&j, json_integer_value(v));
	else if (json_is_real(v))
		jout_num(&j, json_real_value(v));
	else
		buf_adds(b, json_is_true(v) ? "true" : json_is_false(v) ? "false" : "unknown");
}

static bool values_equal(const json_t *a, const json_t *b)
{
	return json_is_number(a) && json_is_number(b) ? json_number_value(a) == json_number_value(b)
		: json_equal(a, b);
}

/* "settings changed: lr 0.001 -> 0.002, ..." */
static void settings_note(const json_t *old, json_t *now, Buf *note)
{
	const char *name;
	json_t *x;
	bool first = true;
	json_object_foreach(now, name, x) {
		const json_t *was = json_object_get(old, name);
		if (setting_is_idle(name) || values_equal(was, x))
			continue;
		buf_printf(note, "%s %s ", first ? "settings changed:" : ",", name);
		value_show(note, was);
		buf_adds(note, " -> ");
		value_show(note, x);
		first = false;
	}
	if (!first)
		buf_addc(note, '\n');
}

static void word_note(const SavedState *s, const char *key, const char *now, Buf *note)
{
	const char *was = json_string_value(json_object_get(s->root, key));
	if (!was || strcmp(was, now) != 0)
		buf_printf(note, "%s: was %s, is %s; the course may not be the same to the bit\n", key,
			was ? was : "unknown", now);
}

bool state_note(const Train *t, const SavedState *s, Buf *note)
{
	Buf b = BUF_INIT;
	Jout j;
	jout_init(&j, &b);
	jout_obj(&j);
	settings_write(&t->s, &j);
	jout_end_obj(&j);
	json_t *now = b.failed ? NULL : json_parse(b.s, b.len, "settings", E_5001, NULL);
	if (now)
		settings_note(json_object_get(s->root, "settings"), now, note);
	word_note(s, "version", PACKAGE_VERSION, note);
	word_note(s, "kernels", kernels_name(t), note);
	if (s->ema != (t->params.ema != NULL))
		buf_adds(note, s->ema ? "averaged weights: no longer kept\n"
			: "averaged weights: begin with the weights of this step\n");
	bool ok = now != NULL;
	json_decref(now);
	buf_done(&b);
	return ok;
}
