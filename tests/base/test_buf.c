/* test_buf.c - growing strings and reading whole files, including things that are not files. */
#include "base/buf.h"
#include "base/err.h"
#include "tests/unit.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *path_of(const char *name)
{
	static char s[256];
	snprintf(s, sizeof s, "%s/%s", unit_tmp(), name);
	return s;
}

static const char *file_put(const char *name, const void *p, size_t n)
{
	const char *path = path_of(name);
	FILE *f = fopen(path, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(p, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
	return path;
}

TEST(buf_grows_and_stays_terminated)
{
	Buf b = BUF_INIT;
	assert_string_equal(buf_str(&b), "");
	for (int i = 0; i < 1000; i++) {
		buf_addc(&b, 'a' + i % 26);
		buf_add(&b, "\0", 1);
		assert_int_equal(b.s[b.len], 0);
	}
	assert_int_equal(b.len, 2000);
	buf_clear(&b);
	assert_int_equal(b.len, 0);
	buf_adds(&b, "x=");
	buf_printf(&b, "%d %s", 42, "answers");
	buf_printf(&b, "%0300d", 7);
	assert_int_equal(b.len, 2 + 10 + 300);
	assert_int_equal(strncmp(b.s, "x=42 answers000", 15), 0);
	char *s = buf_take(&b);
	assert_int_equal(strlen(s), 312);
	assert_int_equal(b.len, 0);
	free(s);
	s = buf_take(&b);
	assert_string_equal(s, "");
	free(s);
	buf_done(&b);
}

TEST(buf_failure_sticks)
{
	Buf b = BUF_INIT;
	buf_adds(&b, "kept");
	assert_false(buf_reserve(&b, SIZE_MAX - 2));
	assert_true(b.failed);
	buf_adds(&b, "lost");
	buf_printf(&b, "%d", 1);
	assert_string_equal(buf_str(&b), "kept");
	assert_null(buf_take(&b));
	buf_done(&b);
}

TEST(buf_reads_files)
{
	Err e = { 0 };
	Buf b = BUF_INIT;
	assert_true(buf_read_file(&b, file_put("five", "ab\0cd", 5), 5, &e));
	assert_int_equal(b.len, 5);
	assert_memory_equal(b.s, "ab\0cd", 6);
	assert_true(buf_read_file(&b, file_put("empty", "", 0), 0, &e));
	assert_int_equal(b.len, 5);
	buf_clear(&b);
	assert_true(buf_read_file(&b, "/proc/self/stat", 1 << 20, &e)); /* says it has no bytes */
	assert_true(b.len > 10);
	buf_done(&b);
}

static void refusal_check(const char *path, size_t max, int code)
{
	Err e = { 0 };
	Buf b = BUF_INIT;
	assert_false(buf_read_file(&b, path, max, &e));
	assert_int_equal(e.code, code);
	assert_non_null(strstr(e.text, path));
	buf_done(&b);
}

TEST(buf_refuses_what_is_no_file)
{
	refusal_check(path_of("absent"), 10, E_4001);
	refusal_check(unit_tmp(), 10, E_4001);
	refusal_check("/dev/zero", 10, E_4001);
	assert_int_equal(mkfifo(path_of("fifo"), 0600), 0);
	refusal_check(path_of("fifo"), 10, E_4001);
	refusal_check(file_put("six", "abcdef", 6), 5, E_5003);
	refusal_check("/proc/self/stat", 3, E_5003);
}
