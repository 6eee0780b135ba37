/* generate_batch.c - see generate_batch.h. */
#include "cli/generate_batch.h"
#include <stdlib.h>
#include <string.h>

enum { BATCH_TEXTS_MAX = 4096, BATCH_FILE_MAX = 64 << 20 };

typedef struct Text { int32_t *prompt, *made; size_t n_prompt; int64_t n_made, max; bool eos; } Text;
typedef struct Texts {
	const Args *a;
	LatheModel *m;
	Text *text;
	LatheBatchText *in;
	int n, cap;
	const char *path;
} Texts;

static void texts_done(Texts *t)
{
	for (int i = 0; i < t->n; i++) {
		free(t->text[i].prompt);
		free(t->text[i].made);
	}
	free(t->text);
	free(t->in);
}

static bool line_ids(const Texts *t, const json_t *list, int line, Text *x, Err *e)
{
	x->n_prompt = json_array_size(list);
	x->prompt = malloc(sizeof *x->prompt * (x->n_prompt + 1));
	if (!x->prompt)
		return err_set(e, E_5001, "out of memory");
	for (size_t i = 0; i < x->n_prompt; i++) {
		const json_t *v = json_array_get(list, i);
		json_int_t id = json_is_integer(v) ? json_integer_value(v) : -1;
		if (id < 0 || id >= lathe_vocab(t->m))
			return err_set(e, E_2003,
				"%s: line %d: ids[%zu] is not an id of this model (0 to %lld)", t->path, line,
				i, (long long)lathe_vocab(t->m) - 1);
		x->prompt[i] = (int32_t)id;
	}
	return true;
}

static bool line_prompt(const Texts *t, const json_t *j, int line, Text *x, Err *e)
{
	const json_t *text = json_object_get(j, "text"), *ids = json_object_get(j, "ids"),
		     *n = json_object_get(j, "n");
	LatheError le = { 0 };
	if (n && (!json_is_integer(n) || json_integer_value(n) < 0 || json_integer_value(n) > 1 << 24))
		return err_set(e, E_2003, "%s: line %d: n is not a count of tokens", t->path, line);
	if (n)
		x->max = json_integer_value(n);
	if (json_is_array(ids))
		return line_ids(t, ids, line, x, e);
	if (!json_is_string(text))
		return err_set(e, E_2003, "%s: line %d: \"text\" or \"ids\" is needed", t->path, line);
	return lathe_encode(t->m, json_string_value(text), json_string_length(text),
		       !args_has(t->a, "no-bos"), &x->prompt, &x->n_prompt, &le) ||
		model_error(e, &le);
}

static bool line_add(Texts *t, const char *s, size_t n, int line, int64_t max, Err *e)
{
	if (t->n == BATCH_TEXTS_MAX)
		return err_set(e, E_5003, "%s: more than %d prompts", t->path, BATCH_TEXTS_MAX);
	if (t->n == t->cap) {
		int cap = t->cap ? 2 * t->cap : 16;
		Text *to = realloc(t->text, sizeof *to * (size_t)cap);
		if (!to)
			return err_set(e, E_5001, "out of memory");
		t->text = to;
		t->cap = cap;
	}
	json_t *j = json_parse(s, n, t->path, E_2003, e);
	if (!j)
		return err_wrap(e, "line %d", line);
	Text *x = &t->text[t->n++];
	*x = (Text){ .max = max };
	bool ok = line_prompt(t, j, line, x, e);
	json_decref(j);
	if (ok && !(x->made = malloc(sizeof *x->made * (size_t)(x->max + 1))))
		ok = err_set(e, E_5001, "out of memory for %lld tokens", (long long)x->max);
	return ok;
}

static bool texts_read(Texts *t, int64_t max, Err *e)
{
	Buf b = BUF_INIT;
	bool ok = model_read(t->path, &b, BATCH_FILE_MAX, e);
	int line = 1;
	for (const char *s = buf_str(&b), *end = s + b.len; ok && s < end; line++) {
		const char *nl = memchr(s, '\n', (size_t)(end - s));
		size_t n = nl ? (size_t)(nl - s) : (size_t)(end - s);
		if (n)
			ok = line_add(t, s, n, line, max, e);
		s += n + 1;
	}
	buf_done(&b);
	if (ok && t->n == 0)
		ok = err_set(e, E_2003, "%s: no prompts", t->path);
	t->in = ok ? malloc(sizeof *t->in * (size_t)t->n) : NULL;
	for (int i = 0; t->in && i < t->n; i++)
		t->in[i] = (LatheBatchText){ t->text[i].prompt, t->text[i].n_prompt, t->text[i].max };
	return ok && (t->in || err_set(e, E_5001, "out of memory"));
}

static void take(int text, const LatheToken *k, bool eos, void *ud)
{
	Text *x = &((Texts *)ud)->text[text];
	x->made[x->n_made++] = k->id;
	x->eos = eos;
}

static void line_out(const Texts *t, int i, Buf *b)
{
	const Text *x = &t->text[i];
	Jout j;
	char *text = lathe_decode(t->m, x->made, (size_t)(x->n_made - x->eos));
	jout_init(&j, b);
	jout_obj(&j);
	jout_kint(&j, "index", i);
	model_json_ids(&j, "prompt_ids", x->prompt, x->n_prompt);
	model_json_ids(&j, "ids", x->made, (size_t)x->n_made);
	jout_kstr(&j, "text", text ? text : "");
	jout_kstr(&j, "finish", x->eos ? "eos" : x->n_made == x->max ? "length" : "context");
	jout_end_obj(&j);
	buf_addc(b, '\n');
	free(text);
}

bool generate_batch(const Args *a, LatheModel *m, const LatheSessionOptions *o, const char *path,
	int64_t max_tokens, Err *e)
{
	Texts t = { .a = a, .m = m, .path = path };
	LatheError le = { 0 };
	Buf b = BUF_INIT;
	bool ok = texts_read(&t, max_tokens, e);
	if (ok && !lathe_batch(m, o, t.in, t.n, take, &t, &le))
		ok = model_error(e, &le);
	for (int i = 0; ok && i < t.n; i++)
		line_out(&t, i, &b);
	ok = ok && cli_out(&b, e);
	buf_done(&b);
	texts_done(&t);
	return ok;
}
