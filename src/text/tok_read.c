/* tok_read.c - tokenizer.json and tokenizer_config.json. model.vocab and model.merges, which are nearly the
 * whole file, are read where they stand (text/pull.h); the rest becomes a tree with 0 in their places. */
#include "base/json.h"
#include "text/pull.h"
#include "text/tok_parts.h"
#include <stdlib.h>
#include <string.h>

enum {
	FILE_MAX = 1 << 28,
	CONFIG_MAX = 1 << 24,
	MERGES_MAX = 1 << 24,
	TOKEN_GUESS = 64 /* bytes of file per token */
};

typedef struct Span { size_t from, to; } Span; /* to = 0: absent */

typedef struct Reader {
	Tok *t;
	const char *path;
	Err *e;
	Buf file;
	Span vocab, merges;
	bool late; /* the merges stand before the vocabulary: read them after it */
} Reader;

static bool vocab_entries(const Reader *r, Pull *p)
{
	int64_t id;
	if (!pull_take(p, '{'))
		return false;
	if (pull_peek(p) == '}')
		return pull_take(p, '}');
	for (;;) {
		if (!pull_string(p) || !pull_take(p, ':') || !pull_int(p, &id) ||
			!vocab_add(&r->t->vocab, p->str, p->len, id, r->path, r->e))
			return false;
		if (pull_peek(p) != ',')
			return pull_take(p, '}');
		p->at++;
	}
}

/* "a b" */
static bool merge_string(const Reader *r, Pull *p, int32_t rank)
{
	if (!pull_string(p))
		return false;
	const char *blank = memchr(p->str, ' ', p->len);
	size_t a = blank ? (size_t)(blank - p->str) : 0;
	if (!blank || memchr(blank + 1, ' ', p->len - a - 1))
		return err_set(r->e, E_3133,
			"%s: model.merges[%d]: \"%.*s\" is not two parts with one blank between", r->path,
			(int)rank, p->len < 60 ? (int)p->len : 60, p->str);
	return vocab_merge_add(&r->t->vocab, p->str, a, blank + 1, p->len - a - 1, rank, r->path, r->e);
}

/* ["a", "b"] */
static bool merge_pair(const Reader *r, Pull *p, int32_t rank)
{
	Buf left = BUF_INIT;
	bool ok = pull_take(p, '[') && pull_string(p);
	if (ok)
		buf_add(&left, p->str, p->len);
	ok = ok && pull_take(p, ',') && pull_string(p);
	if (ok && pull_peek(p) != ']')
		ok = err_set(r->e, E_3133, "%s: model.merges[%d]: more than two parts", r->path, (int)rank);
	if (ok && left.failed)
		ok = err_set(r->e, E_5001, "%s: out of memory", r->path);
	ok = ok && pull_take(p, ']') &&
		vocab_merge_add(&r->t->vocab, buf_str(&left), left.len, p->str, p->len, rank, r->path, r->e);
	buf_done(&left);
	return ok;
}

static bool merge_entries(const Reader *r, Pull *p)
{
	if (!pull_take(p, '['))
		return false;
	if (pull_peek(p) == ']')
		return pull_take(p, ']');
	for (int32_t rank = 0;; rank++) {
		char c = pull_peek(p);
		if (rank == MERGES_MAX)
			return err_set(r->e, E_5003, "%s: model.merges: more than %d", r->path, MERGES_MAX);
		if (c != '"' && c != '[')
			return pull_fail(p, E_3133, "a merge is neither a string nor a pair");
		if (!(c == '"' ? merge_string(r, p, rank) : merge_pair(r, p, rank)))
			return false;
		if (pull_peek(p) != ',')
			return pull_take(p, ']');
		p->at++;
	}
}

/* Is the string at p this key? Steps over it and the colon. */
static bool key_is(Pull *p, const char *key)
{
	size_t n = strlen(key), k = p->at + 1;
	bool hit = p->n > k && p->n - k > n && memcmp(p->s + k, key, n) == 0 && p->s[k + n] == '"';
	pull_skip(p);
	if (pull_peek(p) == ':')
		p->at++;
	return hit;
}

/* Reads model.vocab and model.merges (if it comes behind) where they stand, and remembers their places. Text
 * that is not JSON gives what it gives: the tree reader, which sees all but the spans, refuses it. false: an
 * error in a span. */
static bool model_walk(Reader *r, Pull *p)
{
	p->at++;
	while (pull_peek(p) == '"') {
		Pull key = *p;
		bool vocab = key_is(&key, "vocab"), merges = key_is(p, "merges");
		char c = pull_peek(p);
		Span s = { p->at, 0 };
		if (vocab && c == '{' && !r->vocab.to) {
			if (!vocab_entries(r, p))
				return false;
			r->vocab = (Span){ s.from, p->at };
		} else if (merges && c == '[' && !r->merges.to) {
			r->late = !r->vocab.to;
			if (!r->late && !merge_entries(r, p))
				return false;
			if (r->late && !pull_skip(p))
				return true;
			r->merges = (Span){ s.from, p->at };
		} else if (!pull_skip(p)) {
			return true;
		}
		if (pull_peek(p) == ',')
			p->at++;
	}
	if (pull_peek(p) == '}')
		p->at++;
	return true;
}

static bool root_walk(Reader *r, Pull *p)
{
	if (pull_peek(p) != '{')
		return true;
	p->at++;
	while (pull_peek(p) == '"') {
		bool model = key_is(p, "model");
		if (model && pull_peek(p) == '{') {
			if (!model_walk(r, p))
				return false;
		} else if (!pull_skip(p)) {
			return true;
		}
		if (pull_peek(p) == ',')
			p->at++;
	}
	return true;
}

static bool spans_read(Reader *r)
{
	Pull p;
	pull_init(&p, buf_str(&r->file), r->file.len, r->path, r->e);
	bool ok = root_walk(r, &p);
	if (ok && r->late && r->vocab.to) {
		p.at = r->merges.from;
		ok = merge_entries(r, &p);
	}
	pull_done(&p);
	return ok;
}

/* Appends file[from, to); of a span only the line ends, so that places in messages stay true, and a 0. */
static void rest_add(const Reader *r, Buf *out, size_t from, size_t to, bool is_span)
{
	const char *s = buf_str(&r->file);
	if (!is_span) {
		buf_add(out, s + from, to - from);
		return;
	}
	for (size_t i = from; i < to; i++)
		if (s[i] == '\n')
			buf_addc(out, '\n');
	buf_addc(out, '0');
}

static json_t *rest_parse(const Reader *r)
{
	Span a = r->vocab, b = r->merges;
	Buf out = BUF_INIT;
	size_t at = 0;
	if (a.to && b.to && b.from < a.from) {
		a = r->merges;
		b = r->vocab;
	}
	for (int i = 0; i < 2; i++) {
		Span s = i ? b : a;
		if (!s.to)
			continue;
		rest_add(r, &out, at, s.from, false);
		rest_add(r, &out, s.from, s.to, true);
		at = s.to;
	}
	rest_add(r, &out, at, r->file.len, false);
	json_t *j = NULL;
	if (out.failed)
		err_set(r->e, E_5001, "%s: out of memory", r->path);
	else
		j = json_parse(buf_str(&out), out.len, r->path, E_3130, r->e);
	buf_done(&out);
	return j;
}

static bool kind_fail(const Reader *r, const char *what)
{
	return err_set(r->e, E_3131, "%s: %s", r->path, what);
}

/* null, false, 0 or "" */
static bool is_off(const json_t *v)
{
	return !v || json_is_null(v) || json_is_false(v) ||
		(json_is_number(v) && json_number_value(v) == 0) ||
		(json_is_string(v) && json_string_length(v) == 0);
}

static bool model_check(const Reader *r, const json_t *root)
{
	static const char *const off[] = { "dropout", "byte_fallback", "continuing_subword_prefix",
		"end_of_word_suffix" };
	const json_t *m = json_object_get(root, "model"), *whole = json_object_get(m, "ignore_merges");
	const char *type = json_string_value(json_object_get(m, "type"));
	if (!json_is_object(m))
		return err_set(r->e, E_3130, "%s: no \"model\" object: not a tokenizer.json", r->path);
	if (!type || strcmp(type, "BPE") != 0)
		return err_set(r->e, E_3131, "%s: model.type is %.40s: lathe does only BPE", r->path,
			type ? type : "missing");
	for (size_t i = 0; i < sizeof off / sizeof off[0]; i++)
		if (!is_off(json_object_get(m, off[i])))
			return err_set(r->e, E_3131,
				"%s: model.%s is set: lathe does only plain byte-level BPE", r->path, off[i]);
	if (!r->vocab.to || !r->merges.to)
		return err_set(r->e, E_3130, "%s: model.%s is missing or not %s", r->path,
			r->vocab.to ? "merges" : "vocab", r->vocab.to ? "an array" : "an object");
	r->t->whole = json_is_true(whole);
	return true;
}

static bool normalizer_check(const Reader *r, const json_t *root)
{
	const json_t *n = json_object_get(root, "normalizer"), *list = json_object_get(n, "normalizers");
	if (!n || json_is_null(n) || (json_is_array(list) && json_array_size(list) == 0))
		return true;
	return kind_fail(
		r, "a normalizer is set: lathe takes text as it is, use a tokenizer.json without one");
}

static bool is_bytelevel(const json_t *v)
{
	const char *type = json_string_value(json_object_get(v, "type"));
	return type && strcmp(type, "ByteLevel") == 0;
}

static bool ends_check(const Reader *r, const json_t *root)
{
	const json_t *post = json_object_get(root, "post_processor");
	if (post && !json_is_null(post) && !is_bytelevel(post))
		return kind_fail(r,
			"post_processor: lathe knows only ByteLevel; tokens to add belong into "
			"tokenizer_config.json");
	if (!is_bytelevel(json_object_get(root, "decoder")))
		return kind_fail(r, "decoder: lathe knows only ByteLevel");
	return true;
}

static bool added_flag(const Reader *r, const json_t *o, const char *key, bool *out)
{
	const json_t *v = json_object_get(o, key);
	*out = json_is_true(v);
	return !v || json_is_boolean(v) ||
		err_set(r->e, E_3134, "%s: added_tokens: \"%s\" is not true or false", r->path, key);
}

static bool added_entry(const Reader *r, const json_t *o)
{
	static const char *const refused[] = { "single_word", "lstrip", "rstrip" };
	const json_t *content = json_object_get(o, "content"), *id = json_object_get(o, "id");
	bool on, normalized, special;
	if (!json_is_string(content) || !json_is_integer(id))
		return err_set(r->e, E_3134,
			"%s: added_tokens: an entry without a \"content\" string or a whole \"id\"", r->path);
	for (size_t i = 0; i < 3; i++) {
		if (!added_flag(r, o, refused[i], &on))
			return false;
		if (on)
			return err_set(r->e, E_3131,
				"%s: added token \"%.60s\": %s is true, which lathe does not do", r->path,
				json_string_value(content), refused[i]);
	}
	if (!added_flag(r, o, "normalized", &normalized) || !added_flag(r, o, "special", &special))
		return false;
	if (json_string_length(content) == 0)
		return true; /* matches nothing, and has no id, as in the tokenizers library */
	return tok_added_put(r->t, json_string_value(content), json_string_length(content),
		json_integer_value(id), normalized, special, r->path, r->e);
}

static bool added_read(const Reader *r, const json_t *root)
{
	const json_t *list = json_object_get(root, "added_tokens"), *x;
	size_t i;
	if (!list || json_is_null(list))
		return true;
	if (!json_is_array(list))
		return err_set(r->e, E_3134, "%s: added_tokens is not an array", r->path);
	if (json_array_size(list) > ADDED_MAX)
		return err_set(r->e, E_5003, "%s: more than %d added tokens", r->path, ADDED_MAX);
	json_array_foreach(list, i, x)
		if (!added_entry(r, x))
			return false;
	return true;
}

static bool root_read(const Reader *r, const json_t *root, bool general)
{
	const json_t *pre = json_object_get(root, "pre_tokenizer");
	if (!json_is_object(root))
		return err_set(r->e, E_3130, "%s: not a JSON object: not a tokenizer.json", r->path);
	if (!model_check(r, root) || !normalizer_check(r, root) || !ends_check(r, root))
		return false;
	if (!json_is_object(pre))
		return kind_fail(r, "no pre_tokenizer: lathe does only byte-level BPE");
	if (!split_init(&r->t->split, pre, general, r->path, r->e) || !added_read(r, root))
		return false;
	vocab_bytes_index(&r->t->vocab);
	return true;
}

bool tok_read(Tok *t, const char *path, bool general, Err *e)
{
	Reader r = { .t = t, .path = path, .e = e, .file = BUF_INIT };
	bool ok = false;
	if (buf_read_file(&r.file, path, FILE_MAX, e) && vocab_init(&t->vocab, r.file.len / TOKEN_GUESS, e) &&
		spans_read(&r)) {
		json_t *root = rest_parse(&r);
		ok = root && root_read(&r, root, general);
		json_decref(root);
	}
	buf_done(&r.file);
	return ok;
}

/* The id of "key": "text" or {"content": "text"}; -1 when it is absent or no token. */
static bool named_token(
	const Tok *t, const json_t *root, const char *key, const char *where, int32_t *id, Err *e)
{
	const json_t *v = json_object_get(root, key);
	if (json_is_object(v))
		v = json_object_get(v, "content");
	*id = -1;
	if (!v || json_is_null(v))
		return true;
	if (!json_is_string(v))
		return err_set(e, E_3137, "%s: \"%s\" is neither a string nor a token object", where, key);
	*id = tok_find(t, json_string_value(v));
	return true;
}

static bool config_read(Tok *t, const json_t *root, const char *where, Err *e)
{
	const json_t *add = json_object_get(root, "add_bos_token");
	if (!json_is_object(root))
		return err_set(e, E_3137, "%s: not a JSON object", where);
	if (add && !json_is_boolean(add) && !json_is_null(add))
		return err_set(e, E_3137, "%s: \"add_bos_token\" is not true or false", where);
	t->add_bos = json_is_true(add);
	return named_token(t, root, "bos_token", where, &t->bos, e) &&
		named_token(t, root, "eos_token", where, &t->eos, e);
}

bool tok_read_config(Tok *t, const char *path, Err *e)
{
	const char *slash = strrchr(path, '/');
	Buf where = BUF_INIT, file = BUF_INIT;
	Err mine = { 0 };
	bool ok = true;
	buf_add(&where, path, slash ? (size_t)(slash - path) + 1 : 0);
	buf_adds(&where, "tokenizer_config.json");
	if (buf_read_file(&file, buf_str(&where), CONFIG_MAX, &mine)) {
		json_t *root = json_parse(buf_str(&file), file.len, buf_str(&where), E_3137, e);
		ok = root && config_read(t, root, buf_str(&where), e);
		json_decref(root);
	} else if (mine.code != E_4001) { /* a file that is not there is no fault */
		ok = err_set(e, mine.code, "%s", mine.text);
	}
	buf_done(&file);
	buf_done(&where);
	return ok;
}
