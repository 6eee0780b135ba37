/* test_hostile.c - broken and lying safetensors files and checkpoint folders, each with what a reader must
 * say; and what is made here because it cannot be stored: links, a FIFO, a sparse file, headers at the
 * limits. */
#include "base/json.h"
#include "tensor/ckpt.h"
#include "tensor/st_header.h"
#include "tests/unit.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Opens and closes; the exit status. */
static int look(const char *path, Err *e)
{
	err_clear(e);
	Ckpt *c = ckpt_open(path, e);
	if (!c) {
		assert_int_not_equal(e->code, 0);
		assert_true(strlen(e->text) > 10);
		assert_null(strchr(e->text, '\n'));
		return err_exit(e);
	}
	for (size_t i = 0; i < ckpt_count(c); i++)
		assert_non_null(ckpt_at(c, i, NULL));
	ckpt_close(c);
	return 0;
}

static bool refused(int status)
{
	return status == 3 || status == 4 || status == 5;
}

static void cases_run(const char *kind)
{
	char line[4096];
	int n = 0, bad = 0;
	FILE *f = fopen(unit_src("tests/data/hostile/checkpoint-cases.jsonl"), "r");
	assert_non_null(f);
	while (fgets(line, sizeof line, f)) {
		char path[512];
		Err e = { 0 };
		json_t *j = json_parse(line, strlen(line), "cases", E_3070, &e);
		assert_non_null(j);
		if (strcmp(json_string_value(json_object_get(j, "kind")), kind) == 0) {
			const char *file = json_string_value(json_object_get(j, "file"));
			const char *expect = json_string_value(json_object_get(j, "expect"));
			snprintf(path, sizeof path, "tests/data/hostile/%s", file);
			int status = look(unit_src(path), &e);
			bool ok = strcmp(expect, "accept") == 0 ? status == 0
				: strcmp(expect, "reject") == 0 ? refused(status)
								: status == 0 || refused(status);
			if (!ok)
				print_error("%s: expected %s, exit %d %s\n", file, expect, status, e.text);
			if (getenv("SHOW_ERRORS"))
				print_message("# %s: %d %s\n", file, e.code, e.text);
			bad += !ok;
			n++;
		}
		json_decref(j);
	}
	fclose(f);
	assert_int_equal(bad, 0);
	assert_true(n > 25);
}

TEST(hostile_safetensors)
{
	cases_run("safetensors");
}

TEST(hostile_index)
{
	cases_run("index");
}

static const char *tmp_path(const char *name)
{
	static char s[256];
	snprintf(s, sizeof s, "%s/%s", unit_tmp(), name);
	return s;
}

/* A file of a header (its length field first), then `data` zero bytes, sparse. */
static const char *file_make(const char *name, const char *header, size_t n, off_t data)
{
	const char *path = tmp_path(name);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	for (int i = 0; i < 8; i++)
		fputc((int)(n >> (8 * i) & 0xff), f);
	assert_int_equal(fwrite(header, 1, n, f), n);
	fflush(f);
	assert_int_equal(ftruncate(fileno(f), (off_t)(8 + n) + data), 0);
	fclose(f);
	return path;
}

TEST(sparse_40_gigabytes)
{
	static const char h[] =
		"{\"x\":{\"dtype\":\"F32\",\"shape\":[10000000,1000],\"data_offsets\":[0,40000000000]}}";
	Err e = { 0 };
	const char *path = file_make("big.safetensors", h, sizeof h - 1, 40000000000);
	assert_int_equal(look(path, &e), 0);
	unlink(path);
}

TEST(not_regular_files)
{
	Err e = { 0 };
	const char *path = tmp_path("fifo.safetensors");
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(look(path, &e), 4); /* and does not wait for a writer */
	path = tmp_path("self.safetensors");
	assert_int_equal(symlink(path, path), 0);
	assert_int_equal(look(path, &e), 4);
	path = tmp_path("zero.safetensors");
	assert_int_equal(symlink("/dev/zero", path), 0);
	assert_int_equal(look(path, &e), 4);
	assert_int_equal(look(tmp_path("nothing"), &e), 4);
	assert_int_equal(mkdir(tmp_path("empty"), 0700), 0);
	assert_int_equal(look(tmp_path("empty"), &e), 4);
}

TEST(shard_is_a_fifo_or_missing)
{
	Err e = { 0 };
	char dir[256], path[512];
	static const char index[] = "{\"weight_map\":{\"x\":\"model-00001-of-00001.safetensors\"}}";
	snprintf(dir, sizeof dir, "%s", tmp_path("shards"));
	assert_int_equal(mkdir(dir, 0700), 0);
	snprintf(path, sizeof path, "%s/model.safetensors.index.json", dir);
	FILE *f = fopen(path, "w");
	fputs(index, f);
	fclose(f);
	assert_int_equal(look(dir, &e), 4);
	snprintf(path, sizeof path, "%s/model-00001-of-00001.safetensors", dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(look(dir, &e), 4);
}

TEST(shards_without_index_must_be_complete)
{
	Err e = { 0 };
	char dir[256];
	snprintf(dir, sizeof dir, "%s", tmp_path("part"));
	assert_int_equal(mkdir(dir, 0700), 0);
	file_make("part/model-00001-of-00002.safetensors", "{}", 2, 0);
	assert_int_equal(look(dir, &e), 3);
	assert_int_equal(e.code, E_3054);
	file_make("part/model-00002-of-00002.safetensors", "{}", 2, 0);
	assert_int_equal(look(dir, &e), 0);
}

TEST(limits)
{
	Err e = { 0 };
	Buf b = BUF_INIT;
	/* a header above 64 MiB, though the format allows it */
	const char *path = tmp_path("long.safetensors");
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_int_equal(write(fd, "\0\0\0\x05\0\0\0\0", 8), 8);
	assert_int_equal(ftruncate(fd, 100000000), 0);
	close(fd);
	assert_int_equal(look(path, &e), 5);
	/* a name of 1025 bytes, 9 dimensions */
	for (int i = 0; i < 2; i++) {
		buf_clear(&b);
		buf_adds(&b, "{\"");
		for (int k = 0; k < 1024 + i; k++)
			buf_addc(&b, 'n');
		buf_adds(&b, "\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}");
		assert_int_equal(look(file_make("name.safetensors", b.s, b.len, 0), &e), i ? 5 : 0);
	}
	static const char rank[] =
		"{\"a\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,1]}}";
	assert_int_equal(look(file_make("rank.safetensors", rank, sizeof rank - 1, 1), &e), 5);
	buf_done(&b);
}

TEST(many_tensors)
{
	Err e = { 0 };
	Buf b = BUF_INIT;
	buf_addc(&b, '{');
	for (int i = 0; i < 100000; i++) /* names fall backward, so that they must be sorted */
		buf_printf(&b, "%s\"t%d\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[%d,%d]}",
			i ? "," : "", i, 99999 - i, 100000 - i);
	buf_addc(&b, '}');
	const char *path = file_make("many.safetensors", b.s, b.len, 100000);
	St *s = st_open(path, &e);
	assert_non_null(s);
	assert_int_equal(st_count(s), 100000);
	assert_string_equal(st_at(s, 0)->name, "t99999");
	assert_int_equal(st_find(s, "t17")->begin, 99999 - 17);
	assert_null(st_find(s, "t100000"));
	st_close(s);
	buf_done(&b);
}

TEST(millions_of_tensors_are_refused)
{
	Err e = { 0 };
	Buf b = BUF_INIT;
	buf_addc(&b, '{');
	for (int i = 0; i < 1000001; i++)
		buf_printf(&b, "%s\"%x\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1]}",
			i ? "," : "", (unsigned)i);
	buf_addc(&b, '}');
	assert_int_equal(look(file_make("millions.safetensors", b.s, b.len, 1), &e), 5);
	unlink(tmp_path("millions.safetensors"));
	buf_done(&b);
}

/* Any change of a valid header gives an error or a header whose tensors lie inside the data. */
TEST(mutated_headers)
{
	static const char good[] = "{\"__metadata__\":{\"format\":\"pt\"},\"a\":{\"dtype\":\"F32\",\"shape\":"
				   "[2,2],\"data_offsets\":[0,16]},"
				   "\"b\\u00e9\":{\"dtype\":\"BF16\",\"shape\":[3],\"data_offsets\":[16,22]},"
				   "\"c\":{\"dtype\":\"U8\",\"shape\":[0,7],\"data_offsets\":[22,22]}}";
	static const char bits[] = "{}[]\":,0123456789eE.-+\\u \n\tabFBdtypes\x01\x80\xff\xc3";
	uint64_t rng = 88172645463325252u;
	for (int round = 0; round < 20000; round++) {
		char s[sizeof good];
		memcpy(s, good, sizeof good);
		for (int k = 0; k <= round % 4; k++) {
			rng ^= rng << 13, rng ^= rng >> 7, rng ^= rng << 17;
			s[rng % (sizeof good - 1)] = bits[(rng >> 32) % (sizeof bits - 1)];
		}
		size_t n = sizeof good - 1 - (round % 7 == 0 ? (size_t)(rng >> 40) % 100 : 0);
		Err e = { 0 };
		StHeader h;
		char *text = malloc(n); /* of its exact size, so that a step past the end shows */
		memcpy(text, s, n);
		bool ok = st_header_parse(&h, text, n, 22, "mutated", &e);
		for (size_t i = 0; ok && i < h.n; i++)
			assert_true(h.t[i].begin <= h.t[i].end && h.t[i].end <= 22);
		assert_true(ok == (e.code == 0));
		if (ok)
			st_header_done(&h);
		free(text);
	}
}
