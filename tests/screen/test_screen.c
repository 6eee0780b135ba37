/* test_screen.c - golden screens: every scene of every recording, at every size, as text and as plain
 * ASCII, against the files in tests/screen/golden. LATHE_GOLDEN=write (make golden) writes them instead. */
#include "tests/view/rig.h"
#include <stdlib.h>

static const struct { int w, h; } sizes[] = { { 80, 24 }, { 200, 60 }, { 40, 12 }, { 20, 5 } };

static void golden_compare(const char *name, const Buf *got)
{
	char rel[160];
	Buf want = BUF_INIT;
	Err e = { 0 };
	snprintf(rel, sizeof rel, "tests/screen/golden/%s.txt", name);
	const char *path = unit_src(rel), *mode = getenv("LATHE_GOLDEN");
	if (mode && strcmp(mode, "write") == 0) {
		FILE *f = fopen(path, "w");
		assert_non_null(f);
		fwrite(buf_str(got), 1, got->len, f);
		fclose(f);
		return;
	}
	if (!buf_read_file(&want, path, 1 << 20, &e))
		fail_msg("%s; `make golden` writes it", e.text);
	if (want.len != got->len || memcmp(want.s, buf_str(got), got->len) != 0)
		fail_msg("%s differs; now:\n%s", rel, buf_str(got));
	buf_done(&want);
}

static void golden_one(const char *rec, const char *scene, const char *keys, const char *tag, bool ascii,
	int w, int h)
{
	char name[128];
	Buf b = BUF_INIT;
	Err e = { 0 };
	Rig r = rig_open(rec, scene, true, w, h);
	app_set_ascii(r.a, ascii);
	rig_keys(&r, keys);
	assert_true(app_export(r.a, r.s, "text", w, h, &b, &e));
	snprintf(name, sizeof name, "%s-%s%s-%dx%d%s", rec, scene, tag, w, h, ascii ? "-ascii" : "");
	golden_compare(name, &b);
	int lines = 0;
	for (size_t i = 0; i < b.len; i++) {
		lines += b.s[i] == '\n';
		assert_true(!ascii || (unsigned char)b.s[i] < 0x7f);
	}
	assert_int_equal(lines, h);
	buf_done(&b);
	rig_close(&r);
}

static void golden_scenes(const char *rec)
{
	static const char *const scene[] = { "home", "router", "cache", "token" };
	for (int s = 0; s < 4; s++)
		for (size_t z = 0; z < sizeof sizes / sizeof *sizes; z++)
			golden_one(rec, scene[s], "", "", false, sizes[z].w, sizes[z].h);
}

TEST(golden_v3)
{
	golden_scenes("v3");
}

TEST(golden_v2)
{
	golden_scenes("v2");
}

TEST(golden_wide)
{
	golden_one("wide", "home", "", "", false, 80, 24);
	golden_one("wide", "token", "", "", false, 80, 24);
	golden_one("wide", "router", "", "", false, 80, 24);
	golden_one("wide", "home", "", "", true, 80, 24);
}

/* A recording that `lathe train` made: 60 steps, resumed at 36 with another rate. */
TEST(golden_train)
{
	for (size_t z = 0; z < sizeof sizes / sizeof *sizes; z++)
		golden_one("train", "train", "", "", false, sizes[z].w, sizes[z].h);
	golden_one("train", "train", "", "", true, 80, 24);
	golden_one("train", "train", "l", "-log", false, 80, 24);
	golden_one("train", "train", "<Tab><Tab>z<Right><Right>", "-loads", false, 80, 24);
	golden_one("train", "home", "", "", false, 80, 24);
	golden_one("empty", "train", "", "", false, 80, 24);
	golden_one("v3", "train", "", "", false, 80, 24);
}

TEST(golden_empty)
{
	golden_scenes("empty");
}

TEST(golden_ascii)
{
	static const char *const scene[] = { "home", "router", "cache", "token" };
	for (int s = 0; s < 4; s++)
		golden_one("v3", scene[s], "", "", true, 80, 24);
}

TEST(golden_keys)
{
	golden_one("v3", "router", "#", "-numbers", false, 80, 24);
	golden_one("v3", "router", "kk+<Right>", "-moved", false, 80, 24);
	golden_one("v3", "router", "z", "-zoom", false, 80, 24);
	golden_one("v3", "home", "?", "-help", false, 80, 24);
	golden_one("v3", "home", ":sce<Tab>", "-command", false, 80, 24);
	golden_one("v3", "cache", "<Left><Left>", "-context", false, 80, 24);
}
