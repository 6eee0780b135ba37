/* tok.c - text to ids and back: added tokens, pre-tokenizer, merging (checkpoints.md section 6.3), and
 * decoding. */
#include "base/utf8.h"
#include "text/bpe.h"
#include "text/tok_parts.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { TEXT_MAX = 1 << 30 };
static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */

void ids_done(Ids *v)
{
	free(v->id);
	*v = (Ids){ 0 };
}

bool ids_push(Ids *v, int32_t id)
{
	if (v->n == v->cap) {
		size_t cap = v->cap ? v->cap * 2 : 64;
		int32_t *p = cap <= SIZE_MAX / sizeof *p ? realloc(v->id, cap * sizeof *p) : NULL;
		if (!p)
			return false;
		v->id = p;
		v->cap = cap;
	}
	v->id[v->n++] = id;
	return true;
}

bool tok_added_put(
	Tok *t, const char *s, size_t n, int64_t id, bool normalized, bool special, const char *where, Err *e)
{
	Vocab *v = &t->vocab;
	if (n == 0)
		return err_set(e, E_3134, "%s: an added token without text", where);
	if (n > ADDED_BYTES_MAX)
		return err_set(e, E_5003, "%s: an added token of %zu bytes; the limit is %d", where, n,
			ADDED_BYTES_MAX);
	int32_t had = vocab_find(v, s, n);
	if (had >= 0 && had != id)
		return err_set(e, E_3134, "%s: added token \"%.60s\" has id %lld here and id %d before",
			where, s, (long long)id, (int)had);
	if (had < 0 && !vocab_add(v, s, n, id, where, e)) {
		if (e && e->code == E_3132)
			e->code = E_3134;
		return false;
	}
	v->tok[id].special |= special;
	return added_put(normalized ? &t->normal : &t->raw, s, n, (int32_t)id, e);
}

/* path, or path/tokenizer.json for a folder. */
static char *file_path(const char *path)
{
	struct stat st;
	Buf b = BUF_INIT;
	buf_adds(&b, path);
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		buf_adds(&b, "/tokenizer.json");
	return buf_take(&b);
}

static Tok *open_either(const char *path, bool general, Err *e)
{
	char *file = file_path(path);
	Tok *t = calloc(1, sizeof *t);
	bool ok = false;
	if (!t || !file) {
		err_set(e, E_5001, "%s: out of memory", path);
	} else {
		t->bos = t->eos = -1;
		ok = tok_read(t, file, general, e) && tok_read_config(t, file, e);
	}
	free(file);
	if (ok)
		return t;
	tok_free(t);
	return NULL;
}

Tok *tok_open(const char *path, Err *e)
{
	return open_either(path, false, e);
}

Tok *tok_open_general(const char *path, Err *e)
{
	return open_either(path, true, e);
}

static bool bytes_fill(Tok *t, const char *const *special, Err *e)
{
	char s[4];
	if (!vocab_init(&t->vocab, 256, e))
		return false;
	for (int b = 0; b < 256; b++)
		if (!vocab_add(&t->vocab, s, utf8_put(s, t->vocab.alpha.cp[b]), b, "byte tokenizer", e))
			return false;
	for (int32_t i = 0; special && special[i]; i++)
		if (!tok_added_put(t, special[i], strlen(special[i]), 256 + i, false, true, "special tokens", e))
			return false;
	vocab_bytes_index(&t->vocab);
	return true;
}

Tok *tok_bytes(const char *const *special)
{
	Tok *t = calloc(1, sizeof *t);
	if (!t)
		return NULL;
	t->bos = t->eos = -1;
	if (bytes_fill(t, special, NULL))
		return t;
	tok_free(t);
	return NULL;
}

void tok_free(Tok *t)
{
	if (!t)
		return;
	vocab_done(&t->vocab);
	split_done(&t->split);
	added_done(&t->raw);
	added_done(&t->normal);
	free(t);
}

int32_t tok_count(const Tok *t)
{
	return t->vocab.count;
}

int32_t tok_bos(const Tok *t)
{
	return t->bos;
}

int32_t tok_eos(const Tok *t)
{
	return t->eos;
}

bool tok_add_bos(const Tok *t)
{
	return t->add_bos && t->bos >= 0;
}

int32_t tok_find(const Tok *t, const char *token)
{
	size_t n = strlen(token);
	int32_t id = added_find(&t->raw, token, n);
	if (id < 0)
		id = added_find(&t->normal, token, n);
	return id >= 0 || n == 0 ? id : vocab_find_bytes(&t->vocab, token, n);
}

bool tok_is_special(const Tok *t, int32_t id)
{
	return id >= 0 && id < t->vocab.count && t->vocab.tok[id].special;
}

/* One call of tok_encode. */
typedef struct Encode { const Tok *t; Bpe bpe; Err *e; } Encode;

static bool plain_encode(Encode *c, const char *s, size_t n)
{
	if (n == 0)
		return true;
	if (c->t->vocab.merges || c->t->whole)
		return split_run(&c->t->split, s, n, bpe_piece, &c->bpe, c->e);
	for (size_t i = 0; i < n; i++) /* nothing merges: pieces do not matter */
		if (!bpe_piece(&c->bpe, s + i, 1))
			return false;
	return true;
}

/* Cuts at the tokens of one set; the text between goes to the next set, then to the pre-tokenizer. */
static bool added_encode(Encode *c, const Added *set, const char *s, size_t n)
{
	size_t at = 0;
	for (;;) {
		size_t from = at, len = 0;
		int32_t id = added_next(set, s, n, &from, &len);
		size_t to = id >= 0 ? from : n;
		bool last = set == &c->t->normal;
		if (!(last ? plain_encode(c, s + at, to - at) : added_encode(c, &c->t->normal, s + at, to - at)))
			return false;
		if (id < 0)
			return true;
		if (!ids_push(c->bpe.out, id))
			return err_set(c->e, E_5001, "out of memory for token ids");
		at = from + len;
	}
}

/* Index of the first byte that is not ASCII. */
static size_t ascii_end(const char *s, size_t n)
{
	size_t i = 0;
	for (uint64_t w; n - i >= 8; i += 8) {
		memcpy(&w, s + i, 8);
		if (w & 0x8080808080808080u)
			break;
	}
	while (i < n && (unsigned char)s[i] < 0x80)
		i++;
	return i;
}

static bool text_valid(const char *s, size_t n)
{
	for (size_t i = 0; (i += ascii_end(s + i, n - i)) < n;) {
		size_t j = i;
		while (j < n && (unsigned char)s[j] >= 0x80)
			j++;
		if (!utf8_valid(s + i, j - i))
			return false;
		i = j;
	}
	return true;
}

/* Appends s with U+FFFD for each maximal invalid part. */
static void lossy_add(Buf *out, const char *s, size_t n)
{
	size_t from = 0;
	for (size_t i = 0; (i += ascii_end(s + i, n - i)) < n;) {
		uint32_t cp;
		size_t k = utf8_next(s + i, n - i, &cp);
		bool bad = cp == 0xfffd && !(k == 3 && memcmp(s + i, replacement, 3) == 0);
		if (bad) {
			buf_add(out, s + from, i - from);
			buf_add(out, replacement, 3);
			from = i + k;
		}
		i += k;
	}
	buf_add(out, s + from, n - from);
}

bool tok_encode(const Tok *t, const char *s, size_t n, Ids *out, Err *e)
{
	Encode c = { .t = t, .e = e };
	Buf clean = BUF_INIT;
	if (n > TEXT_MAX)
		return err_set(e, E_5003, "a text of %zu bytes; the limit is %d", n, TEXT_MAX);
	if (!text_valid(s, n)) {
		lossy_add(&clean, s, n);
		if (clean.failed) {
			buf_done(&clean);
			return err_set(e, E_5001, "out of memory for a text");
		}
		s = clean.s;
		n = clean.len;
	}
	bpe_init(&c.bpe, &t->vocab, t->whole, n, out, e);
	bool ok = added_encode(&c, &t->raw, s, n);
	bpe_done(&c.bpe);
	buf_done(&clean);
	return ok;
}

void tok_bytes_of(const Tok *t, int32_t id, Buf *out)
{
	const Token *k = id >= 0 && id < t->vocab.count ? &t->vocab.tok[id] : NULL;
	if (k && k->used)
		buf_add(out, t->vocab.pool + k->bytes_at, k->bytes_n);
	else
		buf_add(out, replacement, 3);
}

void tok_decode(const Tok *t, const int32_t *id, size_t n, Buf *out)
{
	Buf raw = BUF_INIT;
	for (size_t i = 0; i < n; i++)
		tok_bytes_of(t, id[i], &raw);
	lossy_add(out, buf_str(&raw), raw.len);
	out->failed |= raw.failed;
	buf_done(&raw);
}

void tok_stream_init(TokStream *s, const Tok *t)
{
	*s = (TokStream){ .t = t };
}

void tok_stream_push(TokStream *s, int32_t id, Buf *out)
{
	Buf raw = BUF_INIT;
	buf_add(&raw, s->tail, s->n);
	tok_bytes_of(s->t, id, &raw);
	size_t tail = utf8_tail(buf_str(&raw), raw.len);
	lossy_add(out, buf_str(&raw), raw.len - tail);
	s->n = tail;
	if (tail)
		memcpy(s->tail, raw.s + raw.len - tail, tail);
	out->failed |= raw.failed;
	buf_done(&raw);
}

void tok_stream_flush(TokStream *s, Buf *out)
{
	lossy_add(out, s->tail, s->n);
	s->n = 0;
}

bool tok_alone(const char *bytes, size_t n, Buf *out)
{
	bool whole = true;
	for (size_t i = 0, u; i < n; i += u) {
		uint32_t cp;
		u = utf8_next(bytes + i, n - i, &cp);
		bool good = utf8_valid(bytes + i, u);
		whole = whole && good;
		if (good)
			buf_add(out, bytes + i, u);
		for (size_t k = 0; !good && k < u; k++)
			buf_printf(out, "<%02X>", (unsigned char)bytes[i + k]);
	}
	return whole;
}
