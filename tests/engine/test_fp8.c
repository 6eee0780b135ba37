/* test_fp8.c - stored values of other implementations for formats, quantisers, MX groups and Hopper's sums; files that lie; one model in every
 * precision. */
#include "tests/unit.h"
#include "engine/precision.h"
#include "engine/verify_fp8.h"
#include "base/buf.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static void matches(const char *name, int at_least)
{
	char rel[128];
	Cases r;
	Err e = { 0 };
	snprintf(rel, sizeof rel, "tests/data/fp8/%s.safetensors", name);
	if (!verify_fp8(unit_src(rel), 2, &r, &e))
		fail_msg("%s", e.text);
	for (int i = 0; i < r.n; i++)
		if (!r.c[i].ok)
			fail_msg("%s: %s", r.c[i].name, r.c[i].at);
	assert_true(r.ok && r.n >= at_least);
	cases_done(&r);
}

TEST(stored_decodings_match) { matches("decode", 9); }
TEST(stored_encodings_match) { matches("encode", 10); }
TEST(stored_quantised_matrices_match) { matches("quant", 100); }
TEST(blocks_of_another_writer_are_read) { matches("quant_hf", 2); }
TEST(stored_mx_groups_match) { matches("mx", 18); }
TEST(stored_accumulations_match) { matches("dot", 200); }

/* A copy of a file with `n` bytes at `at` behind the first `text` changed. */
static const char *spoilt(const char *name, const char *text, size_t at, const char *bytes, size_t n)
{
	static char path[4200];
	char rel[128];
	Buf b = BUF_INIT;
	Err e = { 0 };
	snprintf(rel, sizeof rel, "tests/data/fp8/%s.safetensors", name);
	assert_true(buf_read_file(&b, unit_src(rel), 8 << 20, &e));
	char *found = text ? memmem(b.s, b.len, text, strlen(text)) : b.s;
	assert_non_null(found);
	memcpy(found + at, bytes, n);
	snprintf(path, sizeof path, "%s/%s.safetensors", unit_tmp(), name);
	FILE *f = fopen(path, "wb");
	assert_true(f && fwrite(b.s, 1, b.len, f) == b.len && fclose(f) == 0);
	buf_done(&b);
	return path;
}

TEST(a_wrong_value_is_off_and_told)
{
	Cases r;
	Err e = { 0 };
	Buf b = BUF_INIT;
	assert_true(buf_read_file(&b, unit_src("tests/data/fp8/quant.safetensors"), 8 << 20, &e));
	size_t last = b.len - 1; /* the last code of the last matrix */
	char other = (char)(b.s[last] ^ 1);
	buf_done(&b);
	assert_true(verify_fp8(spoilt("quant", NULL, last, &other, 1), 1, &r, &e));
	assert_false(r.ok);
	int off = 0;
	for (int i = 0; i < r.n; i++)
		off += !r.c[i].ok;
	assert_int_equal(off, 1);
	cases_done(&r);
}

TEST(files_of_another_kind_are_refused)
{
	static const struct { const char *name, *text; size_t at; const char *bytes; } bad[] = { { "decode", "lathe-fp8-1", 10, "9" },
		{ "decode", "\"decode\"", 1, "encode" }, { "decode", "\"decode\"", 1, "nocode" }, { "decode", "\"e4m3fn.codes", 1, "e9" },
		{ "dot", "any256_5.b", 9, "c" }, { "quant", "e5m2\\\"", 0, "e9m2" }, { "mx", "mx_e2m3fn.codes", 0, "my" } };
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		Cases r;
		Err e = { 0 };
		bool ran = verify_fp8(spoilt(bad[i].name, bad[i].text, bad[i].at, bad[i].bytes, strlen(bad[i].bytes)), 1, &r, &e);
		assert_false(ran);
		assert_int_equal(e.code, E_3202);
		cases_done(&r);
	}
	Cases r;
	Err e = { 0 };
	assert_false(verify_fp8(unit_src("tests/data/models/v3-odd/model.safetensors"), 1, &r, &e));
	assert_int_equal(e.code, E_3202);
	cases_done(&r);
}

static const PrecisionFormat *format_of(const PrecisionReport *r, const char *name)
{
	for (int i = 0; i < r->n; i++)
		if (strcmp(r->format[i].name, name) == 0)
			return &r->format[i];
	fail_msg("no %s", name);
	return NULL;
}

TEST(every_precision_is_reported_and_eight_bits_cost_more_than_sixteen)
{
	static const int32_t ids[] = { 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 };
	LatheError le = { 0 };
	LatheModel *m = lathe_open(unit_src("tests/data/models/v3-odd"), &(LatheOpenOptions){ .threads = 1 }, &le);
	if (!m)
		fail_msg("%s", le.text);
	PrecisionReport r, one;
	Err e = { 0 };
	assert_true(precision_run(m, ids, 10, NULL, &r, &e));
	const PrecisionFormat *f32 = format_of(&r, "f32"), *bf16 = format_of(&r, "bf16"), *fp8 = format_of(&r, "fp8-v3");
	assert_true(f32->kl == 0 && f32->top1_agree > 0.999 && f32->routes_flipped == 0 && f32->n_products == 0);
	assert_true(bf16->kl > 0 && bf16->kl_bf16 == 0 && bf16->kl < fp8->kl && isfinite(fp8->ppl) && fp8->n_layers == f32->n_layers);
	assert_true(fp8->n_products > 10);
	for (int i = 0; i < fp8->n_products; i++) {
		const PrecisionProduct *p = &fp8->product[i];
		assert_true(p->result.rel_l2 > 0.005 && p->result.rel_l2 < 0.08 && p->input.rel_l2 < 0.04 && p->weight.rel_l2 < 0.04);
		assert_true(p->input.clamped == 0 && p->weight.clamped == 0);
	}
	assert_true(format_of(&r, "nvfp4")->product[0].result.rel_l2 > fp8->product[0].result.rel_l2);
	assert_true(precision_run(m, ids, 1, (const char *const[]){ "fp8-v3", NULL }, &one, &e));
	assert_true(one.n == 3 && isnan(one.format[2].ppl));
	precision_done(&one);
	assert_false(precision_run(m, ids, 1, (const char *const[]){ "fp3", NULL }, &one, &e));
	assert_int_equal(e.code, E_2003);
	precision_done(&one);
	precision_done(&r);
	lathe_close(m);
}
