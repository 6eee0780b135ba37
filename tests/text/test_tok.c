/* test_tok.c - encoding, decoding and streaming against the Hugging Face libraries; the byte tokenizer; added
 * tokens; BOS. */
#include "tests/text/lines.h"
#include "tests/unit.h"
#include "text/tok_parts.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const minis[] = { "mini_v2", "mini_v3", "mini_r1", "mini_v31" };

static Tok *mini_open(const char *name, bool general)
{
	Err e = { 0 };
	char dir[4096];
	snprintf(dir, sizeof dir, "%s", lines_path(name, ""));
	Tok *t = general ? tok_open_general(dir, &e) : tok_open(dir, &e);
	if (!t)
		fail_msg("%s", e.text);
	return t;
}

static void ids_same(const Ids *want, const Ids *got)
{
	assert_int_equal(want->n, got->n);
	if (want->n)
		assert_memory_equal(want->id, got->id, want->n * sizeof *want->id);
}

static void case_check(const json_t *line, void *ctx)
{
	const Tok *t = ctx;
	const json_t *text = json_object_get(line, "text"), *decoded = json_object_get(line, "decoded");
	Ids want = { 0 }, got = { 0 };
	Buf back = BUF_INIT;
	Err e = { 0 };
	lines_ids(line, &want);
	assert_true(tok_encode(t, json_string_value(text), json_string_length(text), &got, &e));
	ids_same(&want, &got);
	tok_decode(t, want.id, want.n, &back);
	lines_same(decoded ? decoded : text, &back);
	ids_done(&want);
	ids_done(&got);
	buf_done(&back);
}

TEST(encode_as_the_library)
{
	for (size_t i = 0; i < 4; i++) {
		Tok *t = mini_open(minis[i], false);
		assert_int_equal(t->split.kind, i == 0 ? SPLIT_V2 : SPLIT_V3);
		assert_true(lines_each(lines_path(minis[i], "cases.jsonl"), case_check, t) > 50);
		tok_free(t);
	}
}

TEST(encode_through_patterns_as_the_library)
{
	for (size_t i = 0; i < 4; i++) {
		Tok *t = mini_open(minis[i], true);
		assert_int_equal(t->split.kind, SPLIT_STEPS);
		lines_each(lines_path(minis[i], "cases.jsonl"), case_check, t);
		tok_free(t);
	}
}

static void decode_check(const json_t *line, void *ctx)
{
	Ids ids = { 0 };
	Buf got = BUF_INIT;
	lines_ids(line, &ids);
	tok_decode(ctx, ids.id, ids.n, &got);
	lines_same(json_object_get(line, "text"), &got);
	ids_done(&ids);
	buf_done(&got);
}

static void stream_check(const json_t *line, void *ctx)
{
	const json_t *pieces = json_object_get(line, "pieces");
	TokStream s;
	Ids ids = { 0 };
	Buf all = BUF_INIT, one = BUF_INIT;
	lines_ids(line, &ids);
	tok_stream_init(&s, ctx);
	for (size_t i = 0; i < ids.n; i++) {
		buf_clear(&one);
		tok_stream_push(&s, ids.id[i], &one);
		lines_same(json_array_get(pieces, i), &one);
		buf_add(&all, buf_str(&one), one.len);
	}
	buf_clear(&one);
	tok_stream_flush(&s, &one);
	lines_same(json_object_get(line, "flush"), &one);
	buf_add(&all, buf_str(&one), one.len);
	lines_same(json_object_get(line, "text"), &all);
	ids_done(&ids);
	buf_done(&all);
	buf_done(&one);
}

TEST(decode_and_stream_as_the_library)
{
	for (size_t i = 0; i < 4; i++) {
		Tok *t = mini_open(minis[i], false);
		lines_each(lines_path(minis[i], "decode.jsonl"), decode_check, t);
		lines_each(lines_path(minis[i], "stream.jsonl"), stream_check, t);
		tok_free(t);
	}
}

TEST(bos_and_eos_come_from_the_config)
{
	Tok *t = mini_open("mini_v3", false);
	assert_int_equal(tok_bos(t), 0);
	assert_int_equal(tok_eos(t), 1);
	assert_true(tok_add_bos(t));
	assert_int_equal(tok_find(t, "<｜begin▁of▁sentence｜>"), 0);
	assert_true(tok_is_special(t, 0));
	assert_false(tok_is_special(t, tok_find(t, "<｜User｜>")));
	assert_int_equal(tok_find(t, "<｜Nobody｜>"), -1);
	tok_free(t);
}

TEST(ids_that_are_no_tokens)
{
	static const int32_t odd[] = { -1, 1 << 30, INT32_MAX };
	Tok *t = mini_open("mini_v3", false);
	Buf b = BUF_INIT;
	tok_decode(t, odd, 3, &b);
	assert_string_equal(buf_str(&b), "\ufffd\ufffd\ufffd");
	assert_false(tok_is_special(t, -1));
	buf_done(&b);
	tok_free(t);
}

TEST(not_utf8_is_taken_as_replacement_characters)
{
	static const char bad[] = "a\xff\xfe" "b\xe4\xbd", good[] = "a\ufffd\ufffdb\ufffd";
	Tok *t = mini_open("mini_v3", false);
	Ids a = { 0 }, b = { 0 };
	assert_true(tok_encode(t, bad, sizeof bad - 1, &a, NULL));
	assert_true(tok_encode(t, good, sizeof good - 1, &b, NULL));
	ids_same(&b, &a);
	ids_done(&a);
	ids_done(&b);
	tok_free(t);
}

TEST(byte_tokenizer)
{
	static const char *const special[] = { "<bos>", "<eos>", NULL };
	Tok *t = tok_bytes(special);
	Ids ids = { 0 };
	Buf b = BUF_INIT;
	assert_int_equal(tok_count(t), 258);
	assert_true(tok_encode(t, "h\xc3\xa9<eos>\n", 9, &ids, NULL));
	static const int32_t want[] = { 'h', 0xc3, 0xa9, 257, '\n' };
	assert_int_equal(ids.n, 5);
	assert_memory_equal(ids.id, want, sizeof want);
	tok_decode(t, ids.id, ids.n, &b);
	assert_string_equal(buf_str(&b), "h\xc3\xa9<eos>\n");
	ids_done(&ids);
	buf_done(&b);
	tok_free(t);
}

TEST(byte_tokenizer_goes_through_a_file)
{
	static const char *const special[] = { "<bos>", "<eos>", NULL },
				 *const twice[] = { "<a>", "<a>", NULL };
	char path[256];
	Err e = { 0 };
	snprintf(path, sizeof path, "%s/tokenizer.json", unit_tmp());
	assert_true(tok_write_bytes(path, special, &e));
	Tok *t = tok_open(unit_tmp(), &e), *u = tok_bytes(special);
	assert_non_null(t);
	assert_int_equal(tok_count(t), 258);
	for (int32_t i = 0; i < 258; i++) {
		Buf a = BUF_INIT, b = BUF_INIT;
		tok_bytes_of(t, i, &a);
		tok_bytes_of(u, i, &b);
		assert_int_equal(a.len, b.len);
		assert_memory_equal(a.s, b.s, a.len);
		buf_done(&a);
		buf_done(&b);
	}
	tok_free(t);
	tok_free(u);
	assert_false(tok_write_bytes(path, twice, &e));
	err_clear(&e);
	assert_false(tok_write_bytes("/nowhere/tokenizer.json", special, &e));
	assert_int_equal(e.code, E_4002);
}

/* Tokens not normalized are found before the others, each set leftmost and longest. */
TEST(added_tokens_leftmost_longest)
{
	Added a = { 0 };
	size_t from = 0, len = 0;
	assert_true(added_put(&a, "<a", 2, 1, NULL) && added_put(&a, "<ab>", 4, 2, NULL) &&
		added_put(&a, "b>", 2, 3, NULL));
	assert_int_equal(added_next(&a, "x<ab>", 5, &from, &len), 2);
	assert_int_equal(from, 1);
	assert_int_equal(len, 4);
	from = 0;
	assert_int_equal(added_next(&a, "<ab", 3, &from, &len), 1);
	from = 0;
	assert_int_equal(added_next(&a, "ab>", 3, &from, &len), 3);
	assert_int_equal(from, 1);
	from = 0;
	assert_int_equal(added_next(&a, "<", 1, &from, &len), -1);
	assert_int_equal(added_find(&a, "<a", 2), 1);
	assert_int_equal(added_find(&a, "<", 1), -1);
	added_done(&a);
}
