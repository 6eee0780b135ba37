/* test_tensor.c - shapes, reading with scales and from unaligned places, statistics. */
#include "tensor/ckpt.h"
#include "tests/unit.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TEST(tensor_shapes)
{
	Buf b = BUF_INIT;
	float v[24] = { 0 };
	Ten x = ten_wrap(DT_F32, v, 3, (int64_t[]){ 2, 3, 4 }, "c_KV");
	assert_int_equal(ten_rows(&x), 6);
	assert_int_equal(ten_cols(&x), 4);
	assert_int_equal(ten_count(&x), 24);
	ten_describe(&x, &b);
	assert_string_equal(b.s, "c_KV[2x3x4]");
	buf_clear(&b);
	Ten one = ten_wrap(DT_F32, v, 0, NULL, "s");
	assert_int_equal(ten_count(&one), 1);
	ten_describe(&one, &b);
	assert_string_equal(b.s, "s[]");
	Mat m = ten_mat(&x);
	assert_int_equal(m.rows, 6);
	assert_int_equal(m.cols, 4);
	assert_int_equal(m.stride, 4);
	buf_done(&b);
}

TEST(tensor_reads_scaled_blocks_unaligned)
{
	enum { R = 130, C = 200 };
	unsigned char *w = malloc(R * C + 1);
	char *s = malloc(4 * sizeof(float) + 1);
	real *out = malloc(sizeof *out * R * C);
	static const float scale[4] = { 1, 2, 4, 8 };
	for (int i = 0; i < R * C; i++)
		w[1 + i] = 0x38; /* 1.0 in E4M3 */
	memcpy(s + 1, scale, sizeof scale);
	Ten x = ten_wrap(DT_F8_E4M3, w + 1, 2, (int64_t[]){ R, C }, "w");
	x.scale = (const float *)(const void *)(s + 1);
	x.scale_stride = 2;
	ten_read(&x, 0, R, out);
	for (int i = 0; i < R; i++)
		for (int j = 0; j < C; j++)
			assert_true(out[i * C + j] == (real)scale[i / 128 * 2 + j / 128]);
	free(w);
	free(s);
	free(out);
}

TEST(tensor_reads_views)
{
	float v[3][5];
	real out[4];
	for (int i = 0; i < 15; i++)
		((float *)v)[i] = (float)i;
	Ten x = ten_wrap(DT_F32, &v[0][2], 2, (int64_t[]){ 3, 2 }, "v");
	x.stride = 5;
	ten_read(&x, 1, 2, out);
	assert_true(out[0] == 7 && out[1] == 8 && out[2] == 12 && out[3] == 13);
}

TEST(tensor_statistics)
{
	float v[6] = { 1, -3, 0, 2, NAN, INFINITY };
	Ten x = ten_wrap(DT_F32, v, 1, (int64_t[]){ 6 }, "v");
	TenStat s = ten_stat(&x);
	assert_true(s.min == -3 && s.max == 2 && s.zeros == 1 && s.nans == 1 && s.infs == 1);
	assert_close(s.mean, 0, 1e-12, 0);
	assert_close(s.rms, sqrt(14.0 / 4), 1e-12, 0);
	assert_close(s.std, sqrt(14.0 / 4), 1e-12, 0);
	Ten none = ten_wrap(DT_F32, v, 2, (int64_t[]){ 0, 4 }, "none");
	assert_true(ten_stat(&none).rms == 0);
}

/* Writes a file and opens it as a checkpoint. */
static Ckpt *ckpt_make(const char *name, Dtype weight, int64_t rows, int64_t cols, Dtype scale, int64_t srows,
	int64_t scols)
{
	static const char zeros[1 << 16];
	char path[256];
	Err e = { 0 };
	snprintf(path, sizeof path, "%s/%s.safetensors", unit_tmp(), name);
	StWriter *w = st_writer_new(path, &e);
	assert_true(st_writer_add(w, "w", weight, 2, (int64_t[]){ rows, cols }, &e));
	assert_true(st_writer_add(w, "w_scale_inv", scale, 2, (int64_t[]){ srows, scols }, &e));
	assert_true(st_writer_begin(w, &e));
	for (size_t i = 0; i < 2; i++)
		assert_true(st_writer_put(w, zeros,
			(size_t)(st_writer_at(w, i)->end - st_writer_at(w, i)->begin), &e));
	assert_true(st_writer_commit(w, &e));
	Ckpt *c = ckpt_open(path, &e);
	assert_non_null(c);
	return c;
}

static int ten_code(Ckpt *c, const char *name)
{
	Err e = { 0 };
	Ten x;
	ckpt_ten(c, name, &x, &e);
	ckpt_close(c);
	return e.code;
}

TEST(ckpt_attaches_scales)
{
	Err e = { 0 };
	Ten x;
	Ckpt *c = ckpt_make("fp8", DT_F8_E4M3, 130, 257, DT_F32, 2, 3);
	assert_true(ckpt_ten(c, "w", &x, &e));
	assert_non_null(x.scale);
	assert_int_equal(x.scale_stride, 3);
	assert_int_equal(x.rank, 2);
	assert_true(ckpt_ten(c, "w_scale_inv", &x, &e));
	assert_null(x.scale);
	assert_int_equal(ckpt_files(c), 1);
	assert_string_equal(ckpt_file(c, 0), "fp8.safetensors");
	ckpt_close(c);
	assert_int_equal(ten_code(ckpt_make("s1", DT_F8_E4M3, 130, 257, DT_F32, 2, 2), "w"), E_3223);
	assert_int_equal(ten_code(ckpt_make("s2", DT_F8_E4M3, 130, 257, DT_BF16, 2, 3), "w"), E_3223);
	assert_int_equal(ten_code(ckpt_make("s3", DT_BF16, 130, 20, DT_F32, 2, 1), "w"), E_3223);
	assert_int_equal(ten_code(ckpt_make("s4", DT_I32, 4, 4, DT_F32, 1, 1), "w"), E_3222);
	assert_int_equal(ten_code(ckpt_make("s5", DT_F32, 4, 4, DT_F32, 1, 1), "nothing"), E_3220);
}
