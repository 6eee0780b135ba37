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

/* With colours off: what the colours say is in the shapes. */
static void golden_mono(const char *rec, const char *scene)
{
	char name[128];
	Buf b = BUF_INIT;
	Err e = { 0 };
	Rig r = rig_open(rec, scene, true, 80, 24);
	assert_true(app_set_theme(r.a, "mono"));
	assert_true(app_export(r.a, r.s, "ansi", 80, 24, &b, &e));
	assert_null(strstr(buf_str(&b), "[0;38;"));
	assert_null(strstr(buf_str(&b), ";48;"));
	snprintf(name, sizeof name, "%s-%s-80x24-mono", rec, scene);
	golden_compare(name, &b);
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
	golden_one("train", "train", "", "", false, 120, 40);
	golden_one("train", "train", "", "", true, 120, 40);
	golden_one("train", "train", ":layer 1<Enter><Tab><Tab><Tab><Tab>z", "-routing", false, 120, 40);
	golden_one("train", "train", "l", "-log", false, 80, 24);
	golden_one("train", "train", "<Tab><Tab>z<Right><Right>", "-loads", false, 80, 24);
	golden_one("train", "home", "", "", false, 80, 24);
	golden_one("empty", "train", "", "", false, 80, 24);
	golden_one("v3", "train", "", "", false, 80, 24);
}

/* MLA, MoE and MTP: of V3, of V2 without bias and MTP, and of nothing; by keys to other heads, layers and panes. */
TEST(golden_inside)
{
	static const char *const scene[] = { "mla", "moe", "mtp" }, *const rec[] = { "v3", "v2", "empty" };
	for (int s = 0; s < 3; s++) {
		for (int r = 0; r < 3; r++) {
			golden_one(rec[r], scene[s], "", "", false, 80, 24);
			golden_one(rec[r], scene[s], "", "", false, 120, 40);
			golden_one(rec[r], scene[s], "", "", false, 40, 12);
		}
		golden_one("v3", scene[s], "", "", false, 200, 60);
		golden_one("v3", scene[s], "", "", true, 80, 24);
		golden_one("v3", scene[s], "z#", "-numbers", false, 80, 24);
		golden_one("v3", scene[s], "", "", false, 20, 5);
		golden_mono("v3", scene[s]);
	}
	golden_one("v3", "mla", "+))<Left><Left><Left>", "-moved", false, 80, 24);
	golden_one("v3", "mla", "--", "-none", false, 80, 24);
	golden_one("v3", "mla", "<Tab>jj", "-head", false, 80, 24);
	golden_one("v3", "moe", "<Tab><Tab>jj", "-expert", false, 120, 40);
	golden_one("v3", "moe", "--", "-dense", false, 80, 24);
	golden_one("v3", "mtp", "<Tab><Left><Left>", "-along", false, 80, 24);
	golden_one("wide", "mtp", "", "", false, 80, 24);
}

/* A scene at every size that matters, and in ASCII; text pictures are those of the mono theme. */
static void golden_sizes(const char *rec, const char *scene)
{
	static const struct { int w, h; } all[] = { { 80, 24 }, { 120, 40 }, { 200, 60 }, { 40, 12 } };
	for (size_t z = 0; z < sizeof all / sizeof *all; z++)
		golden_one(rec, scene, "", "", false, all[z].w, all[z].h);
	golden_one(rec, scene, "", "", true, 80, 24);
}

/* A recording of @reason with a branch, some tensors looked at and a comparison; how it is made stands in local.mk. */
TEST(golden_trace)
{
	golden_sizes("trace", "trace");
	golden_one("trace", "trace", ":token 12<Enter>c", "-moved", false, 80, 24);
	golden_one("trace", "trace", "T", "-root", false, 120, 40);
	golden_one("trace", "trace", "?", "-help", false, 80, 24);
	golden_one("empty", "trace", "", "", false, 80, 24);
	golden_one("v3", "trace", "", "", false, 80, 24);
}

TEST(golden_tensors)
{
	golden_sizes("trace", "tensors");
	golden_one("trace", "tensors", "/attn 1.<Enter>", "-filter", false, 80, 24);
	golden_one("trace", "tensors", "<Down><Down><Down><Down><Right>", "-open", false, 120, 40);
	golden_one("empty", "tensors", "", "", false, 80, 24);
	golden_one("v3", "tensors", "", "", false, 80, 24);
}

TEST(golden_diff)
{
	golden_sizes("trace", "diff");
	golden_one("trace", "diff", "<Tab><Left><Left><Left>+", "-moved", false, 120, 40);
	golden_one("empty", "diff", "", "", false, 80, 24);
	golden_one("v3", "diff", "", "", false, 80, 24);
}

/* A recording that `lathe rl grpo-mult2` made: 7 small iterations; how stands in local.mk. */
TEST(golden_rl)
{
	golden_sizes("rl", "rl");
	golden_one("rl", "rl", "w<Tab><Right><Right>c", "-worst", false, 120, 40);
	golden_one("rl", "rl", "<Tab><Tab>z", "-accuracy", false, 80, 24);
	golden_one("rl", "rl", "[[[[[[[[[[[[[[[[[[[[", "-before", false, 120, 40);
	golden_one("rl", "rl", "?", "-help", false, 80, 24);
	golden_one("rl", "rl", "", "", false, 20, 5);
	golden_one("empty", "rl", "", "", false, 80, 24);
	golden_one("train", "rl", "", "", false, 80, 24);
	golden_mono("rl", "rl");
}

/* @domains with an outlier planted in layer 2 that changes nothing in exact arithmetic; how it is made stands in local.mk. */
TEST(golden_fp8)
{
	golden_sizes("fp8", "fp8");
	golden_one("fp8", "fp8", "<S-Tab>:layer 2<Enter>", "-layer", false, 120, 40);
	golden_one("fp8", "fp8", "j", "-down", false, 80, 24);
	golden_one("empty", "fp8", "", "", false, 80, 24);
	golden_one("v3", "fp8", "", "", false, 80, 24);
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
