/* test_err.c - errors as values, the catalogue, and the one safe line on stderr. */
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/utf8.h"
#include "tests/unit.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TEST(err_first_one_wins)
{
	Err e = { 0 };
	assert_false(err_set(&e, E_4001, "config.json: %s", "missing"));
	assert_false(err_set(&e, E_5001, "later"));
	assert_int_equal(e.code, E_4001);
	assert_string_equal(e.text, "config.json: missing");
	assert_int_equal(err_exit(&e), 4);
	assert_false(err_wrap(&e, "layer %d", 3));
	assert_string_equal(e.text, "layer 3: config.json: missing");
	err_clear(&e);
	assert_int_equal(err_exit(&e), 0);
	assert_false(err_wrap(&e, "nothing to wrap"));
	assert_string_equal(e.text, "");
	assert_false(err_set(NULL, E_4001, "nobody listens"));
	assert_false(err_wrap(NULL, "nobody"));
}

TEST(err_long_texts_are_cut_between_characters)
{
	Err e = { 0 };
	char s[2000];
	for (size_t i = 0; i + 3 < sizeof s; i += 3)
		memcpy(s + i, "\xe6\xbc\xa2", 4);
	err_set(&e, E_4001, "%s", s);
	assert_true(utf8_valid(e.text, strlen(e.text)));
	assert_in_range(strlen(e.text), ERR_TEXT - 4, ERR_TEXT - 1);
	err_wrap(&e, "%s", "x");
	assert_true(utf8_valid(e.text, strlen(e.text)));
	err_wrap(&e, "%s", s);
	assert_true(utf8_valid(e.text, strlen(e.text)));
}

TEST(err_errno_chooses_the_code)
{
	static const struct { int no; const char *what; int code; } cases[] = {
		{ ENOENT, "open", E_4001 }, { EACCES, "read", E_4001 }, { ENOSPC, "write", E_4002 },
		{ EIO, "write", E_4002 }, { EIO, "fsync", E_4002 }, { EIO, "read", E_4001 },
		{ ENOMEM, "open", E_5001 }, { EPIPE, "write", E_4002 }, { EROFS, "open", E_4002 },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		Err e = { 0 };
		errno = cases[i].no;
		assert_false(err_errno(&e, cases[i].what, "dir/file"));
		assert_int_equal(e.code, cases[i].code);
		assert_non_null(strstr(e.text, "dir/file"));
		assert_non_null(strstr(e.text, strerror(cases[i].no)));
	}
	Err e = { 0 };
	errno = ENOENT;
	err_errno(&e, "open", NULL);
	assert_int_equal(strncmp(e.text, "open: ", 6), 0);
}

TEST(err_catalogue_is_whole_and_ordered)
{
	int last = 0;
	size_t n = 0;
	for (const ErrInfo *i; (i = err_info_at(n)) != NULL; n++) {
		assert_true(i->code > last);
		assert_in_range(i->code, 1000, 9999);
		assert_true(strlen(i->title) > 3 && strlen(i->title) < 60);
		assert_true(strlen(i->cause) > 10 && strlen(i->cure) > 5);
		assert_null(strpbrk(i->title, "\n\t"));
		assert_ptr_equal(err_info(i->code), i);
		last = i->code;
	}
	assert_true(n > 10);
	assert_null(err_info(0));
	assert_null(err_info(1234567));
}

/* What err_print writes, caught in a file. */
static void print_catch(const Err *e, Buf *out)
{
	char path[256];
	snprintf(path, sizeof path, "%s/stderr", unit_tmp());
	int keep = dup(2);
	fflush(stderr);
	assert_non_null(freopen(path, "w", stderr));
	err_print(e);
	fflush(stderr);
	dup2(keep, 2);
	close(keep);
	assert_true(buf_read_file(out, path, 1 << 16, NULL));
}

TEST(err_print_is_one_safe_line)
{
	Err e = { 0 };
	Buf b = BUF_INIT;
	err_set(&e, E_4001, "%s", "evil\x1b]0;t\x07name\nlathe: ok\xc2\x9b\xe2\x80\xae");
	print_catch(&e, &b);
	assert_int_equal(strncmp(buf_str(&b),
		"lathe: error[E4001]: evil<1b>]0;t<07>name<0a>lathe: ok<u+009b><u+202e>\n", 75), 0);
	assert_ptr_equal(strchr(b.s, '\n'), b.s + b.len - 1);
	for (size_t i = 0; i + 1 < b.len; i++)
		assert_true((unsigned char)b.s[i] >= 0x20 && b.s[i] != 0x7f);
	buf_done(&b);
}

TEST(clocks_go_forward)
{
	double t = clock_now();
	int64_t w = clock_wall_us();
	assert_true(w > INT64_C(1600000000) * 1000000);
	assert_true(clock_now() >= t);
}
