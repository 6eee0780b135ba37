/* test_golden.c - every model of tests/data/models against values computed by Hugging Face transformers:
 * in one piece, absorbed, in chunks, token by token. */
#include "tests/unit.h"
#include "engine/engine.h"
#include "engine/lathe.h"
#include "engine/verify.h"
#include "tensor/st.h"
#include <dirent.h>
#include <stdio.h>
#include <string.h>

static void check_model(const char *name, const VerifyOptions *o)
{
	char rel[300], dir[4200], golden[4400];
	LatheOpenOptions open = { .threads = 2 };
	LatheError le = { 0 };
	Err e = { 0 };
	VerifyReport r;
	snprintf(rel, sizeof rel, "tests/data/models/%s", name);
	snprintf(dir, sizeof dir, "%s", unit_src(rel));
	snprintf(golden, sizeof golden, "%s/golden.safetensors", dir);
	LatheModel *m = lathe_open(dir, &open, &le);
	if (!m)
		fail_msg("%s: %s", name, le.text);
	if (!verify_run(m, golden, o, &r, &e))
		fail_msg("%s: %s", name, e.text);
	assert_true(r.n > 3);
	for (int i = 0; i < r.n; i++)
		if (!r.probe[i].ok)
			fail_msg("%s: %s is off by %g (relative %g) at %s", name, r.probe[i].name,
				r.probe[i].max_abs, r.probe[i].max_rel, r.probe[i].at);
	assert_true(r.ok);
	verify_done(&r);
	lathe_close(m);
}

static void check_all(const VerifyOptions *o)
{
	DIR *d = opendir(unit_src("tests/data/models"));
	int n = 0;
	assert_non_null(d);
	for (struct dirent *x; (x = readdir(d));)
		if (x->d_name[0] != '.') {
			check_model(x->d_name, o);
			n++;
		}
	closedir(d);
	assert_true(n >= 10);
}

TEST(golden_in_one_piece)
{
	check_all(&(VerifyOptions){ .attention = LATHE_ATTENTION_NAIVE });
}

TEST(golden_absorbed)
{
	check_all(&(VerifyOptions){ .attention = LATHE_ATTENTION_ABSORBED });
}

TEST(golden_in_chunks)
{
	check_all(&(VerifyOptions){ .chunk = 7 });
}

TEST(golden_absorbed_in_chunks)
{
	check_all(&(VerifyOptions){ .chunk = 5, .attention = LATHE_ATTENTION_ABSORBED });
}

TEST(golden_token_by_token)
{
	check_all(&(VerifyOptions){ .chunk = 1 });
}

TEST(golden_token_by_token_naive)
{
	check_model("v3", &(VerifyOptions){ .chunk = 1, .attention = LATHE_ATTENTION_NAIVE });
	check_model("v2-lite", &(VerifyOptions){ .chunk = 1, .attention = LATHE_ATTENTION_NAIVE });
}

/* A golden file with an unknown name is an error, not a skip. */
TEST(golden_refuses_other_files)
{
	Err e = { 0 };
	VerifyReport r;
	LatheError le;
	LatheModel *m = lathe_open(unit_src("tests/data/models/v2-lite"), NULL, &le);
	assert_non_null(m);
	char path[4200];
	snprintf(path, sizeof path, "%s", unit_src("tests/data/models/v2-lite/model.safetensors"));
	assert_false(verify_run(m, path, &(VerifyOptions){ 0 }, &r, &e));
	assert_int_equal(e.code, E_3200);
	verify_done(&r);
	lathe_close(m);
}

typedef struct Part { const char *name; Dtype dtype; int rank; int64_t shape[3]; } Part;

/* A golden file of zeros in these shapes. */
static void golden_write(const char *path, const Part *part, int n)
{
	static const char zeros[4096];
	Err e = { 0 };
	StWriter *w = st_writer_new(path, &e);
	assert_non_null(w);
	assert_true(st_writer_meta(w, "format", "lathe-golden-1", &e));
	for (int i = 0; i < n; i++)
		assert_true(st_writer_add(w, part[i].name, part[i].dtype, part[i].rank, part[i].shape, &e));
	assert_true(st_writer_begin(w, &e));
	for (size_t i = 0; i < st_writer_count(w); i++) {
		const StEntry *t = st_writer_at(w, i);
		if (t->end > t->begin)
			assert_true(st_writer_put(w, zeros, (size_t)(t->end - t->begin), &e));
	}
	assert_true(st_writer_commit(w, &e));
}

/* Layers that the model has not, and scores wider than its router, are off and not looked up beyond its
 * end. */
TEST(golden_names_what_the_model_has_not)
{
	static const Part far[] = {
		{ "input_ids", DT_I64, 2, { 1, 2 } },
		{ "layers.999.moe.topk", DT_I64, 3, { 1, 2, 3 } },
		{ "layers.999.moe.scores", DT_F32, 3, { 1, 2, 8 } },
		{ "layers.1.moe.topk", DT_I64, 3, { 1, 2, 3 } },
		{ "layers.1.moe.scores", DT_F32, 3, { 1, 2, 99 } },
	};
	static const Part empty[] = { { "input_ids", DT_I64, 2, { 1, 2 } },
		{ "greedy", DT_I64, 3, { 1, 64, 0 } } };
	static const Part below[] = { { "input_ids", DT_I64, 2, { 1, 2 } },
		{ "layers.-9.moe.topk", DT_I64, 3, { 1, 2, 3 } } };
	const struct {
		const Part *part;
		int n, code;
	} file[] = { { far, 5, 0 }, { empty, 2, E_3200 }, { below, 2, E_3201 } };
	LatheError le;
	LatheModel *m = lathe_open(unit_src("tests/data/models/v2-lite"), NULL, &le);
	assert_non_null(m);
	for (int i = 0; i < 3; i++) {
		char path[4200];
		Err e = { 0 };
		VerifyReport r;
		snprintf(path, sizeof path, "%s/golden-%d.safetensors", unit_tmp(), i);
		golden_write(path, file[i].part, file[i].n);
		assert_int_equal(verify_run(m, path, &(VerifyOptions){ 0 }, &r, &e), file[i].code == 0);
		assert_int_equal(e.code, file[i].code);
		assert_false(r.ok);
		verify_done(&r);
	}
	lathe_close(m);
}

static Ten *refuse(Tape *t, Ten *x, const char *full, void *ud)
{
	(void)t;
	(void)x;
	(void)full;
	(void)ud;
	return NULL;
}

/* A run that fails half way leaves an empty report, with nothing to free. */
TEST(golden_failed_run_keeps_nothing)
{
	Err e = { 0 };
	VerifyReport r;
	LatheError le;
	LatheModel *m = lathe_open(unit_src("tests/data/models/v2-lite"), NULL, &le);
	char path[4200];
	assert_non_null(m);
	tape_hook(m->tape, "layers.0.attn.out", refuse, NULL);
	snprintf(path, sizeof path, "%s", unit_src("tests/data/models/v2-lite/golden.safetensors"));
	assert_false(verify_run(m, path, &(VerifyOptions){ 0 }, &r, &e));
	assert_int_equal(e.code, E_6003);
	assert_null(r.probe);
	assert_int_equal(r.n, 0);
	lathe_close(m);
}

static Ten *count(Tape *t, Ten *x, const char *full, void *ud)
{
	(void)t;
	(void)full;
	++*(int *)ud;
	return x;
}

/* MTP modules cost time; they run only for probes of theirs, and no further than asked. */
TEST(golden_runs_the_modules_asked_for)
{
	static const Part ids = { "input_ids", DT_I64, 2, { 1, 8 } };
	static const struct {
		Part probe;
		int runs[2];
	} cases[] = {
		{ { "final", DT_F32, 3, { 1, 8, 64 } }, { 0, 0 } },
		{ { "logits", DT_F32, 3, { 1, 8, 160 } }, { 0, 0 } },
		{ { "layers.2.resid_post", DT_F32, 3, { 1, 8, 64 } }, { 0, 0 } },
		{ { "greedy", DT_I64, 2, { 1, 2 } }, { 0, 0 } },
		{ { "mtp.0.logits", DT_F32, 3, { 1, 7, 160 } }, { 1, 0 } },
		{ { "layers.4.resid_post", DT_F32, 3, { 1, 6, 64 } }, { 1, 1 } },
	};
	LatheModel *m = lathe_open(unit_src("tests/data/models/v3-mtp2"), NULL, NULL);
	assert_non_null(m);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char path[4200];
		Err e = { 0 };
		VerifyReport r;
		int runs[2] = { 0 };
		int hook[2] = { tape_hook(m->tape, "mtp.0.logits", count, &runs[0]), tape_hook(m->tape, "mtp.1.logits", count, &runs[1]) };
		snprintf(path, sizeof path, "%s/golden-asked-%zu.safetensors", unit_tmp(), i);
		golden_write(path, (Part[]){ ids, cases[i].probe }, 2);
		assert_true(verify_run(m, path, &(VerifyOptions){ 0 }, &r, &e));
		assert_int_equal(runs[0], cases[i].runs[0]);
		assert_int_equal(runs[1], cases[i].runs[1]);
		verify_done(&r);
		tape_unhook(m->tape, hook[0]);
		tape_unhook(m->tape, hook[1]);
	}
	lathe_close(m);
}

/* The first layers alone: their probes are compared, the others left out. */
TEST(golden_of_the_first_layers)
{
	char path[4200];
	Err e = { 0 };
	VerifyReport r;
	LatheModel *m = lathe_open(unit_src("tests/data/models/v3"), &(LatheOpenOptions){ .layers = 1 }, NULL);
	assert_non_null(m);
	snprintf(path, sizeof path, "%s", unit_src("tests/data/models/v3/golden.safetensors"));
	assert_true(verify_run(m, path, &(VerifyOptions){ 0 }, &r, &e));
	assert_true(r.ok && r.n > 0 && r.skipped > 0);
	for (int i = 0; i < r.n; i++)
		assert_true(strcmp(r.probe[i].name, "embed") == 0 || strncmp(r.probe[i].name, "layers.0.", 9) == 0);
	verify_done(&r);
	golden_write((snprintf(path, sizeof path, "%s/golden-last.safetensors", unit_tmp()), path),
		(Part[]){ { "input_ids", DT_I64, 2, { 1, 2 } }, { "final", DT_F32, 3, { 1, 2, 64 } } }, 2);
	assert_false(verify_run(m, path, &(VerifyOptions){ 0 }, &r, &e));
	assert_int_equal(e.code, E_2003);
	verify_done(&r);
	lathe_close(m);
}
