/* test_hostile.c - a sound tokenizer.json, broken in one place at a time: each gives one error with its code,
 * none a crash. */
#include "tests/text/lines.h"
#include "tests/unit.h"
#include "text/tok_parts.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Break { const char *from, *to; int code; } Break;

static const Break breaks[] = {
	{ "\"type\": \"BPE\"", "\"type\": \"WordPiece\"", E_3131 },
	{ "\"type\": \"BPE\"", "\"type\": 5", E_3131 },
	{ "\"model\":", "\"modal\":", E_3130 },
	{ "\"vocab\": {", "\"vocab\": [{", E_3130 },
	{ "\"vocab\": {", "\"vocab\": {\"!\": 5, ", E_3132 },
	{ "\"vocab\": {", "\"vocab\": {\"zz\": 0, ", E_3132 },
	{ "\"vocab\": {", "\"vocab\": {\"zz\": -1, ", E_3132 },
	{ "\"vocab\": {", "\"vocab\": {\"zz\": 1.5, ", E_3132 },
	{ "\"vocab\": {", "\"vocab\": {\"zz\": 1e3, ", E_3132 },
	{ "\"vocab\": {", "\"vocab\": {\"zz\": 007, ", E_3132 },
	{ "\"vocab\": {", "\"vocab\": {\"zz\": \"7\", ", E_3132 },
	{ "\"vocab\": {", "\"vocab\": {\"zz\": 2147483648, ", E_3132 },
	{ "\"vocab\": {", "\"vocab\": {\"zz\": 99999999999999999999999999, ", E_3132 },
	{ "\"vocab\": {", "\"vocab\": {\"\\ud800\": 300, ", E_3130 },
	{ "\"vocab\": {", "\"vocab\": {\"\\udc00\\ud800\": 300, ", E_3130 },
	{ "\"vocab\": {", "\"vocab\": {\"\\u12g4\": 300, ", E_3130 },
	{ "\"vocab\": {", "\"vocab\": {\"\\x\": 300, ", E_3130 },
	{ "\"vocab\": {", "\"vocab\": {\"\\u0000\": 300, ", E_3130 },
	{ "\"vocab\": {", "\"vocab\": {\"a\nb\": 300, ", E_3130 },
	{ "\"vocab\": {", "\"vocab\": {\"\xff\": 300, ", E_3130 },
	{ "\"vocab\": {", "\"vocab\": {\"zz\" 300, ", E_3130 },
	{ "\"vocab\": {", "\"vocab\": {, ", E_3130 },
	{ "\"vocab\": {", "\"vocab\": {}, \"vocab\": {",
		E_3133 }, /* its merges come first and find nothing, or the key is there twice */
	{ "\"merges\": [", "\"merges\": [\"abc\", ", E_3133 },
	{ "\"merges\": [", "\"merges\": [\"a b c\", ", E_3133 },
	{ "\"merges\": [", "\"merges\": [\" a\", ", E_3133 },
	{ "\"merges\": [", "\"merges\": [\"a \", ", E_3133 },
	{ "\"merges\": [", "\"merges\": [5, ", E_3133 },
	{ "\"merges\": [", "\"merges\": [[\"a\"], ", E_3130 },
	{ "\"merges\": [", "\"merges\": [[\"a\", \"b\", \"c\"], ", E_3133 },
	{ "\"merges\": [", "\"merges\": [[\"a\", \"\"], ", E_3133 },
	{ "\"merges\": [", "\"merges\": [\"qqq a\", ", E_3133 },
	{ "\"merges\": [", "\"merges\": [\"a qqq\", ", E_3133 },
	{ "\"merges\": [", "\"merges\": [\"! !\", ", E_3133 },
	{ "\"merges\": [", "\"merges\": [,", E_3133 },
	{ "\"merges\":", "\"mergers\":", E_3130 },
	{ "\"added_tokens\": [", "\"added_tokens\": [{\"id\": 5, \"content\": \"zz\"}, ", E_3134 },
	{ "\"added_tokens\": [", "\"added_tokens\": [{\"id\": -5, \"content\": \"zz\"}, ", E_3134 },
	{ "\"added_tokens\": [", "\"added_tokens\": [{\"id\": 1099511627776, \"content\": \"zz\"}, ",
		E_3134 },
	{ "\"added_tokens\": [", "\"added_tokens\": [{\"id\": 300, \"content\": 5}, ", E_3134 },
	{ "\"added_tokens\": [", "\"added_tokens\": [{\"content\": \"zz\"}, ", E_3134 },
	{ "\"added_tokens\": [", "\"added_tokens\": [{\"id\": 300, \"content\": \"!\"}, ", E_3134 },
	{ "\"added_tokens\": [", "\"added_tokens\": [{\"id\": 300, \"content\": \"zz\", \"lstrip\": true}, ",
		E_3131 },
	{ "\"added_tokens\": [", "\"added_tokens\": [{\"id\": 300, \"content\": \"zz\", \"special\": 1}, ",
		E_3134 },
	{ "\"added_tokens\": [", "\"added_tokens\": [5, ", E_3134 },
	{ "\"added_tokens\": [", "\"added_tokens\": 7, \"more\": [", E_3134 },
	{ "\"dropout\": null", "\"dropout\": 0.1", E_3131 },
	{ "\"byte_fallback\": false", "\"byte_fallback\": true", E_3131 },
	{ "\"normalizer\": {", "\"normalizer\": {\"normalizers\": [{\"type\": \"NFC\"}]}, \"old\": {",
		E_3131 },
	{ "\"decoder\":", "\"decoded\":", E_3131 },
	{ "\"post_processor\": {", "\"post_processor\": {\"type\": \"Roberta\"}, \"old\": {", E_3131 },
	{ "\"pre_tokenizer\":", "\"pre_tokens\":", E_3131 },
	{ "{", "[{", E_3130 },
	{ "{", "{{", E_3130 },
	{ "{", "\xef\xbb\xbf{", E_3130 },
	{ "{", "", E_3130 },
};

static void sound_read(Buf *b)
{
	assert_true(buf_read_file(b, unit_src("tests/data/tokenizers/hostile-base.json"), 1 << 20, NULL));
}

/* Opens s as a tokenizer.json; its error's code, 0 for none. */
static int code_of(const char *s, size_t n, Err *e)
{
	char path[256];
	snprintf(path, sizeof path, "%s/hostile.json", unit_tmp());
	FILE *f = fopen(path, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(s, 1, n, f), n);
	fclose(f);
	*e = (Err){ 0 };
	Tok *t = tok_open(path, e);
	assert_int_equal(t == NULL, e->code != 0);
	tok_free(t);
	return e->code;
}

static void replace(Buf *out, const Buf *in, const Break *k)
{
	const char *at = strstr(in->s, k->from);
	if (!at)
		fail_msg("the sound file holds no %s", k->from);
	buf_add(out, in->s, (size_t)(at - in->s));
	buf_adds(out, k->to);
	buf_adds(out, at + strlen(k->from));
}

TEST(each_rule_has_its_error)
{
	Buf sound = BUF_INIT;
	Err e;
	sound_read(&sound);
	assert_int_equal(code_of(sound.s, sound.len, &e), 0);
	for (size_t i = 0; i < sizeof breaks / sizeof breaks[0]; i++) {
		Buf b = BUF_INIT;
		replace(&b, &sound, &breaks[i]);
		int code = code_of(b.s, b.len, &e);
		if (code != breaks[i].code)
			fail_msg("%s -> %s: E%04d, not E%04d: %s", breaks[i].from, breaks[i].to, code,
				breaks[i].code, e.text);
		assert_non_null(strstr(e.text, "hostile.json"));
		buf_done(&b);
	}
	buf_done(&sound);
}

TEST(cut_anywhere)
{
	Buf sound = BUF_INIT;
	Err e;
	sound_read(&sound);
	while (sound.len && strchr(" \n", sound.s[sound.len - 1]))
		sound.len--;
	for (size_t n = 0; n < sound.len; n += 7)
		assert_int_not_equal(code_of(sound.s, n, &e), 0);
	buf_done(&sound);
}

TEST(deep_and_long)
{
	Buf b = BUF_INIT;
	Err e;
	for (int i = 0; i < 100000; i++)
		buf_adds(&b, "{\"model\":");
	assert_int_equal(code_of(b.s, b.len, &e), E_3130);
	buf_clear(&b);
	for (int i = 0; i < 30000; i++)
		buf_addc(&b, '[');
	assert_int_equal(code_of(b.s, b.len, &e), E_3130);
	buf_clear(&b);
	Buf sound = BUF_INIT;
	sound_read(&sound);
	Buf to = BUF_INIT;
	buf_adds(&to, "\"added_tokens\": [{\"id\": 300, \"content\": \"");
	for (int i = 0; i < 60000; i++)
		buf_addc(&to, 'x');
	buf_adds(&to, "\"}, ");
	replace(&b, &sound, &(Break){ "\"added_tokens\": [", buf_str(&to), 0 });
	assert_int_equal(code_of(b.s, b.len, &e), E_5003);
	buf_done(&to);
	buf_done(&sound);
	buf_done(&b);
}

/* Found by fuzzing: merges that never end where there is no vocabulary; a first token without text. */
TEST(found_by_fuzzing)
{
	static const char unended[] = "{\"model\":{\"merges\":[[\"a\"";
	static const char empty[] =
		"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"\":0},\"merges\":[]},\"decoder\":{\"type\":"
		"\"ByteLevel\"},"
		"\"pre_tokenizer\":{\"use_regex\":false,\"add_prefix_space\":false,\"type\":\"ByteLevel\"}}";
	Err e;
	assert_int_equal(code_of(unended, sizeof unended - 1, &e), E_3130);
	assert_int_equal(code_of(empty, sizeof empty - 1, &e), 0);
}

TEST(what_is_not_there)
{
	Err e = { 0 };
	assert_null(tok_open("/nowhere", &e));
	assert_int_equal(e.code, E_4001);
	err_clear(&e);
	assert_null(tok_open(unit_tmp(), &e)); /* a folder without the file, unless another test wrote one */
}

/* Merges before the vocabulary, keys in another order, pairs for strings: all the same tokenizer. */
TEST(order_of_keys_does_not_matter)
{
	static const char file[] =
		"{\"model\":{\"merges\":[[\"a\",\"b\"],\"ab "
		"b\"],\"vocab\":{\"a\":2,\"b\":0,\"ab\":1,\"ab\\u0062\":7},\"type\":\"BPE\"},"
		"\"decoder\":{\"type\":\"ByteLevel\"},\"pre_tokenizer\":{\"use_regex\":false,\"add_prefix_"
		"space\":false,\"type\":\"ByteLevel\"}}";
	char path[256];
	Err e;
	Ids ids = { 0 };
	assert_int_equal(code_of(file, sizeof file - 1, &e), 0);
	snprintf(path, sizeof path, "%s/hostile.json", unit_tmp());
	Tok *t = tok_open(path, &e);
	assert_int_equal(tok_count(t), 8);
	assert_true(tok_encode(t, "babb", 4, &ids, &e));
	assert_int_equal(ids.n, 2);
	assert_int_equal(ids.id[0], 0);
	assert_int_equal(ids.id[1], 7);
	ids_done(&ids);
	tok_free(t);
}

TEST(broken_tokenizer_config)
{
	static const struct { const char *text; int code;
	} cases[] = {
		{ "{\"add_bos_token\": 1}", E_3137 },
		{ "{\"bos_token\": 5}", E_3137 },
		{ "[]", E_3137 },
		{ "{", E_3137 },
		{ "{\"bos_token\": null, \"eos_token\": {\"content\": \"zz\"}}", 0 },
	};
	char path[256];
	Buf sound = BUF_INIT;
	Err e;
	sound_read(&sound);
	snprintf(path, sizeof path, "%s/tokenizer_config.json", unit_tmp());
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		FILE *f = fopen(path, "wb");
		assert_non_null(f);
		fputs(cases[i].text, f);
		fclose(f);
		assert_int_equal(code_of(sound.s, sound.len, &e), cases[i].code);
	}
	remove(path);
	buf_done(&sound);
}
