/* test_folder.c - folders that appear whole: placing, replacing, what is left by killed programs, hashes. */
#include "base/folder.h"
#include "tests/unit.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool there(const char *path)
{
	return access(path, F_OK) == 0;
}

static void place_with(const char *place, const char *text, bool replace, bool want)
{
	Err e = { 0 };
	char *temp = folder_temp(place, &e);
	assert_non_null(temp);
	assert_true(folder_file(temp, "text", text, strlen(text), &e));
	assert_int_equal(folder_place(temp, place, replace, &e), want);
	if (!want) {
		assert_int_equal(err_exit(&e), 4);
		folder_remove(temp);
	}
	assert_false(there(temp));
	free(temp);
}

static void holds(const char *place, const char *text)
{
	char path[300];
	Buf b = BUF_INIT;
	Err e = { 0 };
	snprintf(path, sizeof path, "%s/text", place);
	assert_true(buf_read_file(&b, path, 100, &e));
	assert_string_equal(buf_str(&b), text);
	buf_done(&b);
}

TEST(folder_placed_and_replaced)
{
	char place[200];
	Err e = { 0 };
	snprintf(place, sizeof place, "%s/a/b/c", unit_tmp());
	assert_true(folder_make(place, &e) && folder_make(place, &e) && folder_is_empty(place));
	strcat(place, "/new");
	place_with(place, "one", false, true);
	holds(place, "one");
	place_with(place, "two", false, false);
	holds(place, "one");
	place_with(place, "two", true, true);
	holds(place, "two");
	assert_false(folder_is_empty(place));
	strcat(place, "/text");
	assert_false(folder_make(place, &e)); /* a file is in the way */
	assert_int_equal(err_exit(&e), 4);
}

TEST(folder_files_are_new)
{
	char dir[200], path[300];
	Err e = { 0 };
	bool found;
	snprintf(dir, sizeof dir, "%s/files", unit_tmp());
	assert_true(folder_make(dir, &e));
	assert_true(folder_file(dir, "x", "12", 2, &e));
	assert_false(folder_file(dir, "x", "34", 2, &e)); /* nothing is written over */
	assert_int_equal(e.code, E_4002);
	err_clear(&e);
	assert_true(folder_copy(dir, dir, "none", &found, &e) && !found);
	snprintf(path, sizeof path, "%s/other", unit_tmp());
	assert_true(folder_make(path, &e) && folder_copy(dir, path, "x", &found, &e) && found);
	uint64_t a, b, n;
	snprintf(path, sizeof path, "%s/x", dir);
	assert_true(folder_hash(path, &a, &n, &e) && n == 2);
	assert_true(folder_file(dir, "y", "13", 2, &e));
	snprintf(path, sizeof path, "%s/y", dir);
	assert_true(folder_hash(path, &b, &n, &e) && a != b);
	assert_false(folder_hash(dir, &a, &n, &e));
}

static bool is_ours(const char *name)
{
	return strcmp(name, "p") == 0 || strcmp(name, "q") == 0;
}

TEST(folder_leftovers_are_cleared)
{
	static const char *const made[] = { "p.tmp-1", "p.old-2", "q", "q.old-3", "r.tmp-1", "p.tmp-x", "p.tmp-" };
	static const char *const stay[] = { "p", "q", "r.tmp-1", "p.tmp-x", "p.tmp-" };
	char dir[200], path[300];
	Err e = { 0 };
	snprintf(dir, sizeof dir, "%s/left", unit_tmp());
	for (size_t i = 0; i < sizeof made / sizeof made[0]; i++) {
		snprintf(path, sizeof path, "%s/%s", dir, made[i]);
		assert_true(folder_make(path, &e) && folder_file(path, "text", made[i], strlen(made[i]), &e));
	}
	assert_true(folder_leftovers(dir, is_ours, &e));
	for (size_t i = 0; i < sizeof stay / sizeof stay[0]; i++) {
		snprintf(path, sizeof path, "%s/%s", dir, stay[i]);
		assert_true(there(path));
	}
	for (int i = 0; i < 4; i++) {
		snprintf(path, sizeof path, "%s/%s", dir, made[i]);
		assert_int_equal(there(path), i == 2);
	}
	snprintf(path, sizeof path, "%s/p", dir);
	holds(path, "p.old-2"); /* what was being replaced comes back when nothing took its place */
}
