/* test_record.c - recordings on disk: whole, torn, damaged, not there, not ours. */
#include "probe/record.h"
#include "tests/unit.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *path_of(const char *name)
{
	static char path[2][200];
	static int at;
	at ^= 1;
	snprintf(path[at], sizeof path[at], "%s/%s", unit_tmp(), name);
	return path[at];
}

static void write_file(const char *path, const char *p, size_t n)
{
	FILE *f = fopen(path, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(p, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

static void write_three(const char *path)
{
	Err e = { 0 };
	Record *r = record_create(path, &e);
	assert_non_null(r);
	for (int i = 0; i < 3; i++) {
		Sample s = { .topic = "gen.token",
			.kind = SAMPLE_TEXT,
			.step = (uint64_t)i,
			.time = i,
			.data = "{\"text\":\"hi\"}",
			.bytes = 13 };
		assert_true(record_put(r, &s, &e));
	}
	assert_true(record_close(r, &e));
}

TEST(record_round_trip)
{
	const char *path = path_of("r1");
	write_three(path);
	struct stat st;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	Store *s = store_new(1 << 20);
	Err e = { 0 };
	bool torn = true;
	assert_true(record_load(path, s, &torn, &e));
	assert_false(torn);
	assert_int_equal(store_count(s, "gen.token"), 3);
	assert_string_equal((const char *)store_last(s, "gen.token")->data, "{\"text\":\"hi\"}");
	store_free(s);
	assert_null(record_create(path, &e));
	assert_int_equal(e.code, E_4002);
}

TEST(record_cut_at_every_byte)
{
	Buf b = BUF_INIT;
	Err e = { 0 };
	const char *path = path_of("r2");
	write_three(path);
	assert_true(buf_read_file(&b, path, 1 << 20, &e));
	size_t frame = (b.len - 8) / 3;
	for (size_t n = 0; n < b.len; n++) {
		const char *cut = path_of("cut");
		write_file(cut, b.s, n);
		Store *s = store_new(1 << 20);
		bool torn;
		e = (Err){ 0 };
		bool ok = record_load(cut, s, &torn, &e);
		assert_int_equal(ok, n >= 8);
		if (ok) {
			assert_int_equal(store_count(s, "gen.token"), (n - 8) / frame);
			assert_int_equal(torn, (n - 8) % frame != 0);
		} else {
			assert_int_equal(e.code, E_3180);
		}
		store_free(s);
	}
	buf_done(&b);
}

TEST(record_damage_is_named_with_its_place)
{
	Buf b = BUF_INIT;
	Err e = { 0 };
	const char *path = path_of("r3");
	write_three(path);
	assert_true(buf_read_file(&b, path, 1 << 20, &e));
	size_t frame = (b.len - 8) / 3;
	b.s[8 + frame + 40] ^= 1;
	const char *bad = path_of("bad");
	write_file(bad, b.s, b.len);
	Store *s = store_new(1 << 20);
	assert_false(record_load(bad, s, NULL, &e));
	assert_int_equal(e.code, E_3181);
	char place[32];
	snprintf(place, sizeof place, "byte %zu", 8 + frame);
	assert_non_null(strstr(e.text, place));
	assert_int_equal(store_count(s, "gen.token"), 1);
	store_free(s);
	buf_done(&b);
}

TEST(record_other_version_and_other_files)
{
	Store *s = store_new(1 << 20);
	Err e = { 0 };
	const char *p = path_of("v");
	write_file(p, "\x89LATHE\x02\n", 8);
	assert_false(record_load(p, s, NULL, &e));
	assert_int_equal(e.code, E_3180);
	assert_non_null(strstr(e.text, "version 2"));
	e = (Err){ 0 };
	assert_false(record_load(unit_tmp(), s, NULL, &e));
	assert_int_equal(e.code, E_4001);
	e = (Err){ 0 };
	assert_false(record_load(path_of("missing"), s, NULL, &e));
	assert_int_equal(e.code, E_4001);
	const char *fifo = path_of("fifo");
	assert_int_equal(mkfifo(fifo, 0600), 0);
	e = (Err){ 0 };
	assert_false(record_load(fifo, s, NULL, &e));
	assert_int_equal(e.code, E_4001);
	store_free(s);
}

TEST(record_a_frame_larger_than_the_read_step)
{
	enum { N = 3 << 20 };
	Err e = { 0 };
	char *big = test_malloc(N);
	memset(big, 'x', N);
	const char *path = path_of("large");
	Record *r = record_create(path, &e);
	Sample s = { .topic = "big", .kind = SAMPLE_TEXT, .data = big, .bytes = N };
	assert_true(record_put(r, &s, &e) && record_put(r, &s, &e));
	assert_true(record_close(r, &e));
	Store *st = store_new(16 << 20);
	assert_true(record_load(path, st, NULL, &e));
	assert_int_equal(store_count(st, "big"), 2);
	assert_int_equal(store_last(st, "big")->bytes, N);
	store_free(st);
	test_free(big);
}

TEST(record_a_full_disk_is_an_error_not_a_crash)
{
	const char *link = path_of("full");
	assert_int_equal(symlink("/dev/full", link), 0);
	Err e = { 0 };
	/* O_EXCL and O_NOFOLLOW keep a recording from following links. */
	assert_null(record_create(link, &e));
	assert_int_equal(e.code, E_4002);
}
