/* tok_write.c - the byte tokenizer as a tokenizer.json that the Hugging Face library loads too: a byte-level
 * BPE of 256 tokens, token b for byte b, without a merge. */
#include "base/json.h"
#include "base/utf8.h"
#include "text/tok_parts.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

static void symbol_key(Jout *j, const Vocab *v, int b)
{
	char s[5];
	s[utf8_put(s, v->alpha.cp[b])] = '\0';
	jout_kint(j, s, b);
}

static void added_write(Jout *j, const char *s, int32_t id)
{
	static const char *const off[] = { "single_word", "lstrip", "rstrip", "normalized" };
	jout_obj(j);
	jout_kint(j, "id", id);
	jout_kstr(j, "content", s);
	for (size_t i = 0; i < 4; i++)
		jout_kbool(j, off[i], false);
	jout_kbool(j, "special", true);
	jout_end_obj(j);
}

static void bytelevel_write(Jout *j, const char *key)
{
	jout_key(j, key);
	jout_obj(j);
	jout_kstr(j, "type", "ByteLevel");
	jout_kbool(j, "add_prefix_space", false);
	jout_kbool(j, "trim_offsets", true);
	jout_kbool(j, "use_regex", false);
	jout_end_obj(j);
}

static void model_write(Jout *j, const Vocab *v)
{
	static const char *const none[] = { "dropout", "unk_token", "continuing_subword_prefix",
		"end_of_word_suffix" };
	static const char *const off[] = { "fuse_unk", "byte_fallback", "ignore_merges" };
	jout_key(j, "model");
	jout_obj(j);
	jout_kstr(j, "type", "BPE");
	for (size_t i = 0; i < 4; i++) {
		jout_key(j, none[i]);
		jout_null(j);
	}
	for (size_t i = 0; i < 3; i++)
		jout_kbool(j, off[i], false);
	jout_key(j, "vocab");
	jout_obj(j);
	for (int b = 0; b < 256; b++)
		symbol_key(j, v, b);
	jout_end_obj(j);
	jout_key(j, "merges");
	jout_arr(j);
	jout_end_arr(j);
	jout_end_obj(j);
}

static void file_text(Buf *out, const Vocab *v, const char *const *special)
{
	static const char *const none[] = { "truncation", "padding", "normalizer", "post_processor" };
	Jout j;
	jout_init(&j, out);
	jout_obj(&j);
	jout_kstr(&j, "version", "1.0");
	for (size_t i = 0; i < 4; i++) {
		jout_key(&j, none[i]);
		jout_null(&j);
	}
	jout_key(&j, "added_tokens");
	jout_arr(&j);
	for (int32_t i = 0; special && special[i]; i++)
		added_write(&j, special[i], 256 + i);
	jout_end_arr(&j);
	bytelevel_write(&j, "pre_tokenizer");
	bytelevel_write(&j, "decoder");
	model_write(&j, v);
	jout_end_obj(&j);
	buf_addc(out, '\n');
}

static bool text_store(const char *path, const Buf *b, Err *e)
{
	FILE *f = fopen(path, "wb");
	if (!f)
		return err_errno(e, "create", path);
	bool ok = fwrite(b->s, 1, b->len, f) == b->len && fflush(f) == 0;
	if (!ok)
		err_errno(e, "write", path);
	if (fclose(f) != 0 && ok)
		return err_errno(e, "write", path);
	return ok;
}

bool tok_write_bytes(const char *path, const char *const *special, Err *e)
{
	Tok *t = tok_bytes(
		special); /* refuses what it could not read back: an empty or a long token, one given twice */
	Buf b = BUF_INIT;
	if (!t)
		return err_set(e, E_3134,
			"%s: the special tokens cannot be used: empty, given twice, or longer than %d bytes",
			path, ADDED_BYTES_MAX);
	file_text(&b, &t->vocab, special);
	tok_free(t);
	bool ok = b.failed ? err_set(e, E_5001, "%s: out of memory", path) : text_store(path, &b, e);
	buf_done(&b);
	return ok;
}
