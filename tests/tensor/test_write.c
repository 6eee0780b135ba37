/* test_write.c - the safetensors writer: what it writes reads back, has the order and padding of the
 * official library, and never leaves half a file. */
#include "tensor/st.h"
#include "tests/unit.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *tmp_path(const char *name)
{
	static char s[256];
	snprintf(s, sizeof s, "%s/%s", unit_tmp(), name);
	return s;
}

TEST(writer_orders_and_pads)
{
	static const char expected[] = "{\"__metadata__\":{\"format\":\"pt\"},"
		"\"i\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[0,8]},"
		"\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,16]},"
		"\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[16,20]},"
		"\"h\":{\"dtype\":\"BF16\",\"shape\":[0,4],\"data_offsets\":[20,20]},"
		"\"q\":{\"dtype\":\"F8_E4M3\",\"shape\":[3],\"data_offsets\":[20,23]}}";
	Err e = { 0 };
	const char *path = tmp_path("order.safetensors");
	StWriter *w = st_writer_new(path, &e);
	assert_true(st_writer_meta(w, "format", "pt", &e));
	assert_true(st_writer_add(w, "q", DT_F8_E4M3, 1, (int64_t[]){ 3 }, &e));
	assert_true(st_writer_add(w, "b", DT_F32, 1, (int64_t[]){ 1 }, &e));
	assert_true(st_writer_add(w, "h", DT_BF16, 2, (int64_t[]){ 0, 4 }, &e));
	assert_true(st_writer_add(w, "a", DT_F32, 1, (int64_t[]){ 2 }, &e));
	assert_true(st_writer_add(w, "i", DT_I64, 0, NULL, &e));
	assert_true(st_writer_begin(w, &e));
	assert_int_equal(access(path, F_OK), -1); /* not there before it is whole */
	static const unsigned char data[23] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18,
		19, 20, 21, 22, 23 };
	assert_string_equal(st_writer_at(w, 0)->name, "i");
	assert_true(st_writer_put(w, data, 8, &e) && st_writer_put(w, data + 8, 3, &e) &&
		st_writer_put(w, data + 11, 5, &e));
	assert_true(st_writer_put(w, data + 16, 4, &e) && st_writer_put(w, data + 20, 3, &e));
	assert_true(st_writer_commit(w, &e));

	Buf b = BUF_INIT;
	assert_true(buf_read_file(&b, path, 4096, &e));
	size_t n = sizeof expected - 1, padded = (n + 7) / 8 * 8;
	assert_int_equal(b.len, 8 + padded + 23);
	assert_int_equal((unsigned char)b.s[0] | (unsigned char)b.s[1] << 8, padded);
	assert_memory_equal(b.s + 8, expected, n);
	for (size_t i = n; i < padded; i++)
		assert_int_equal(b.s[8 + i], ' ');
	assert_memory_equal(b.s + 8 + padded, data, 23);
	buf_done(&b);

	St *s = st_open(path, &e);
	assert_non_null(s);
	assert_int_equal(st_count(s), 5);
	assert_string_equal(st_meta(s, "format"), "pt");
	assert_memory_equal(st_data(s, st_find(s, "q"), &e), data + 20, 3);
	assert_int_equal(st_data_bytes(s), 23);
	st_close(s);
}

TEST(writer_refuses)
{
	Err e = { 0 };
	StWriter *w = st_writer_new(tmp_path("bad.safetensors"), &e);
	assert_true(st_writer_add(w, "x", DT_F32, 1, (int64_t[]){ 2 }, &e));
	assert_false(st_writer_add(w, "y", DT_F4, 1, (int64_t[]){ 3 }, &e));
	assert_int_equal(e.code, E_3011);
	err_clear(&e);
	assert_false(st_writer_add(w, "y", DT_F64, 2, (int64_t[]){ INT64_MAX, 2 }, &e));
	assert_int_equal(e.code, E_3012);
	err_clear(&e);
	assert_false(st_writer_add(w, "\xff", DT_F32, 1, (int64_t[]){ 2 }, &e));
	err_clear(&e);
	assert_true(st_writer_add(w, "x", DT_BF16, 1, (int64_t[]){ 2 }, &e));
	assert_false(st_writer_begin(w, &e));
	assert_int_equal(e.code, E_3005);
	st_writer_abort(w);
	err_clear(&e);
	w = st_writer_new("/nonexistent/folder/x.safetensors", &e);
	assert_false(st_writer_begin(w, &e));
	assert_int_equal(err_exit(&e), 4);
	st_writer_abort(w);
}

static int files_in(const char *dir)
{
	int n = 0;
	DIR *d = opendir(dir);
	for (const struct dirent *x; (x = readdir(d)) != NULL;)
		n += x->d_name[0] != '.';
	closedir(d);
	return n;
}

TEST(writer_leaves_no_half_file)
{
	Err e = { 0 };
	char dir[256], path[300];
	snprintf(dir, sizeof dir, "%s", tmp_path("half"));
	assert_int_equal(mkdir(dir, 0700), 0);
	snprintf(path, sizeof path, "%s/x.safetensors", dir);
	for (int round = 0; round < 2; round++) {
		StWriter *w = st_writer_new(path, &e);
		assert_true(st_writer_add(w, "x", DT_F32, 1, (int64_t[]){ 2 }, &e));
		assert_true(st_writer_begin(w, &e));
		assert_true(st_writer_put(w, "1234", 4, &e));
		assert_int_equal(files_in(dir), 1);
		if (round == 0) {
			st_writer_abort(w);
		} else {
			assert_false(st_writer_commit(w, &e)); /* four bytes are missing */
			assert_int_equal(err_exit(&e), 4);
		}
		assert_int_equal(files_in(dir), 0);
	}
}

/* A file in use keeps its bytes when another is written over its name. */
TEST(writer_replaces_while_mapped)
{
	Err e = { 0 };
	St *old = NULL;
	for (int v = 1; v <= 2; v++) {
		char four[4] = { (char)v, (char)v, (char)v, (char)v };
		StWriter *w = st_writer_new(tmp_path("replace.safetensors"), &e);
		assert_true(st_writer_add(w, "x", DT_F32, 1, (int64_t[]){ 1 }, &e) && st_writer_begin(w, &e) &&
			    st_writer_put(w, four, 4, &e) && st_writer_commit(w, &e));
		if (v == 1) {
			old = st_open(tmp_path("replace.safetensors"), &e);
			assert_memory_equal(st_data(old, st_at(old, 0), &e), four, 4);
		}
	}
	assert_int_equal(*(const char *)st_data(old, st_at(old, 0), &e), 1);
	st_close(old);
}

/* Opened, replaced, and only then mapped: an error, not another file's bytes. */
TEST(reader_notices_replacement)
{
	Err e = { 0 };
	St *old = NULL;
	for (int v = 1; v <= 2; v++) {
		StWriter *w = st_writer_new(tmp_path("swap.safetensors"), &e);
		assert_true(st_writer_add(w, "x", DT_F32, 1, (int64_t[]){ v }, &e) && st_writer_begin(w, &e) &&
			    st_writer_put(w, "12345678", (size_t)v * 4, &e) && st_writer_commit(w, &e));
		if (v == 1)
			old = st_open(tmp_path("swap.safetensors"), &e);
	}
	assert_null(st_data(old, st_at(old, 0), &e));
	assert_int_equal(e.code, E_4001);
	st_close(old);
}
