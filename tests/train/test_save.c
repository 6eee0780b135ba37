/* test_save.c - checkpoints: back to the bit, through kills, full disks, damage and rivals. */
#include "base/folder.h"
#include "tests/unit.h"
#include "train/state.h"
#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char config_text[] = "{\"model_type\":\"deepseek_v3\",\"vocab_size\":260,\"hidden_size\":16,\"intermediate_size\":24,"
	"\"moe_intermediate_size\":8,\"num_hidden_layers\":2,\"num_attention_heads\":2,\"n_routed_experts\":4,\"num_experts_per_tok\":2,"
	"\"first_k_dense_replace\":1,\"n_group\":1,\"topk_group\":1,\"q_lora_rank\":8,\"kv_lora_rank\":8,\"qk_nope_head_dim\":4,"
	"\"qk_rope_head_dim\":4,\"v_head_dim\":4,\"max_position_embeddings\":128,\"num_nextn_predict_layers\":1}";

/* Documents that are numbers: any function of (row, i) will do. */
static bool numbers_get(void *ud, Split split, uint64_t row, uint64_t i, Document *s, Err *e)
{
	static char text[64];
	(void)ud;
	(void)e;
	snprintf(text, sizeof text, "%llu+%llu=%llu.", (unsigned long long)(row % 17), (unsigned long long)i,
		(unsigned long long)(row % 17 + i + (split == SPLIT_HELD_OUT)));
	*s = (Document){ .answer = text, .n_answer = strlen(text) };
	return true;
}

static const Source numbers = { numbers_get, NULL };

static TrainSettings usual(void)
{
	TrainSettings s;
	settings_default(&s);
	s.batch = 2;
	s.seq = 16;
	s.steps = 20;
	s.warmup = 2;
	return s;
}

typedef struct Fixture { Train *t; Tok *tok; Config c; } Fixture;

static Fixture run_new(const TrainSettings *s, int threads, const char *change, AttnKind attention)
{
	static const char *const special[] = { "<|end_of_text|>", NULL };
	Fixture f = { .tok = tok_bytes(special) };
	Err e = { 0 };
	assert_true(config_parse(config_text, sizeof config_text - 1, "config", &f.c, &e));
	if (change)
		f.c.hidden_size = 32;
	assert_true(config_set_attention(&f.c, attention == ATTN_MLA ? "mla" : "mha", 0, "test", &e));
	TrainStart o = { .config = &f.c, .threads = threads };
	f.t = train_new(&o, s, &numbers, f.tok, &e);
	if (!f.t)
		fail_msg("E%d %s", e.code, e.text);
	return f;
}

static Fixture run_usual(void)
{
	TrainSettings s = usual();
	return run_new(&s, 1, NULL, ATTN_MLA);
}

static void run_free(Fixture *f)
{
	train_free(f->t);
	tok_free(f->tok);
}

static void run_steps(Train *t, int n)
{
	StepReport r;
	Err e = { 0 };
	for (int i = 0; i < n; i++)
		if (!train_step(t, &r, &e))
			fail_msg("E%d %s", e.code, e.text);
}

/* A step that costs nothing: every number changes, the same way for the same step. */
static void step_quick(Train *t)
{
	Params *p = &t->params;
	t->step++;
	t->updates++;
	t->rows += 3;
	t->tokens += 97;
	t->best = 1 / (double)t->step;
	for (int64_t i = 0; i < p->count; i++) {
		p->w[i] += (real)0.001 * (real)(i % 7) / (real)t->step;
		p->m[i] = (real)(t->step * 31 + i % 1000);
		p->v[i] = p->m[i] / 3;
	}
	for (int i = 0; i < p->n_bias; i++)
		ten_real(p->bias[i])[i] += (real)0.001;
}

static void save(Train *t, const char *out)
{
	Err e = { 0 };
	if (!train_save(t, out, &e))
		fail_msg("E%d %s", e.code, e.text);
}

static const char *out_new(void)
{
	static char path[200];
	static int n;
	snprintf(path, sizeof path, "%s/out-%d", unit_tmp(), n++);
	return path;
}

static char *names_of(const char *dir)
{
	struct dirent **list;
	static char all[1000];
	int n = scandir(dir, &list, NULL, alphasort);
	all[0] = '\0';
	for (int i = 0; i < n; i++) {
		if (list[i]->d_name[0] != '.')
			snprintf(all + strlen(all), sizeof all - strlen(all), "%s ", list[i]->d_name);
		free(list[i]);
	}
	free(n >= 0 ? list : NULL);
	return all;
}

/* Resumes a fresh run; the step it is at, or -1. */
static int64_t resume(Fixture *f, const char *out, Buf *note)
{
	bool found;
	Err e = { 0 };
	*f = run_usual();
	if (!train_resume(f->t, out, &found, note, &e))
		fail_msg("E%d %s", e.code, e.text);
	return found ? train_at(f->t) : -1;
}

static void flip(const char *out, const char *file, long at)
{
	char path[400];
	snprintf(path, sizeof path, "%s/%s", out, file);
	int fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	struct stat st;
	fstat(fd, &st);
	char c;
	off_t where = at < 0 ? st.st_size + at : at;
	assert_int_equal(pread(fd, &c, 1, where), 1);
	c = (char)(c ^ 1);
	assert_int_equal(pwrite(fd, &c, 1, where), 1);
	close(fd);
}

TEST(save_resumed_is_unbroken)
{
	TrainSettings s = usual();
	s.ema = 0.9;
	const char *out = out_new();
	bool found;
	Err e = { 0 };
	Buf note = BUF_INIT;
	Fixture whole = run_new(&s, 1, NULL, ATTN_MLA), first = run_new(&s, 1, NULL, ATTN_MLA), rest = run_new(&s, 2, NULL, ATTN_MLA);
	run_steps(whole.t, 9);
	run_steps(first.t, 4);
	first.t->best = 0.1 + 0.2;
	whole.t->best = 0.1 + 0.2;
	save(first.t, out);
	uint64_t at4 = train_hash(first.t);
	run_free(&first);
	assert_true(train_resume(rest.t, out, &found, &note, &e) && found);
	assert_true(train_hash(rest.t) == at4);
	assert_string_equal(buf_str(&note), "");
	run_steps(rest.t, 5);
	assert_true(train_hash(rest.t) == train_hash(whole.t));
	run_free(&rest);
	run_free(&whole);
	buf_done(&note);
}

TEST(save_folder_is_a_model)
{
	Fixture f = run_usual();
	Err e = { 0 };
	Config c;
	char path[300];
	const char *out = out_new();
	bool used = true;
	assert_true(train_claim(f.t, out, unit_src("data/tiny"), &used, &e));
	assert_false(used);
	run_steps(f.t, 1);
	save(f.t, out);
	assert_string_equal(names_of(out), "lock step-000001 ");
	snprintf(path, sizeof path, "%s/step-000001", out);
	assert_string_equal(names_of(path), "config.json generation_config.json model.safetensors optimizer.safetensors state.json "
					    "tokenizer.json tokenizer_config.json ");
	assert_true(config_read(path, &c, &e));
	assert_true(c.dtype == REAL_DTYPE && c.num_nextn_predict_layers == 1);
	Ckpt *k = ckpt_open((strcat(path, "/model.safetensors"), path), &e);
	assert_non_null(k);
	Ten x;
	assert_true(ckpt_ten(k, "model.layers.2.mlp.gate.e_score_correction_bias", &x, &e) && x.dtype == REAL_DTYPE);
	assert_memory_equal(x.data, ten_real(f.t->params.bias[1]), 4 * sizeof(real));
	ckpt_close(k);
	Lm *m = lm_open(path, NULL, &e);
	assert_non_null(m);
	assert_int_equal(m->n_mtp, 1);
	lm_free(m);
	run_free(&f);
}

TEST(save_keeps_the_newest)
{
	Fixture f = run_usual();
	const char *out = out_new();
	for (int i = 0; i < 5; i++) {
		step_quick(f.t);
		save(f.t, out);
	}
	assert_string_equal(names_of(out), "lock step-000004 step-000005 ");
	save(f.t, out); /* once more at the same step: swapped */
	assert_string_equal(names_of(out), "lock step-000004 step-000005 ");
	/* a damaged one does not count as kept */
	run_free(&f);
	flip(out, "step-000004/optimizer.safetensors", -5);
	f.t = NULL;
	assert_int_equal(resume(&f, out, NULL), 5);
	step_quick(f.t);
	save(f.t, out);
	step_quick(f.t);
	save(f.t, out);
	assert_string_equal(names_of(out), "lock step-000006 step-000007 ");
	run_free(&f);
}

TEST(save_damage_is_passed_over)
{
	static const struct { const char *file; long at; } cases[] = { { "model.safetensors", -100 }, { "model.safetensors", 12 },
		{ "optimizer.safetensors", -1 }, { "config.json", 40 }, { "state.json", 60 }, { "state.json", -4 }, { "state.json", -1 },
		{ "generation_config.json", 5 } };
	Fixture f = run_usual();
	const char *out = out_new();
	f.t->s.keep = 100;
	step_quick(f.t);
	save(f.t, out);
	uint64_t good = train_hash(f.t);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char name[100];
		step_quick(f.t);
		save(f.t, out);
		snprintf(name, sizeof name, "step-%06lld/%s", (long long)f.t->step, cases[i].file);
		flip(out, name, cases[i].at);
	}
	char path[300];
	step_quick(f.t);
	save(f.t, out);
	snprintf(path, sizeof path, "%s/step-%06lld/state.json", out, (long long)f.t->step);
	unlink(path);
	step_quick(f.t);
	save(f.t, out);
	snprintf(path, sizeof path, "%s/step-%06lld/optimizer.safetensors", out, (long long)f.t->step);
	assert_int_equal(truncate(path, 1000), 0);
	run_free(&f);
	Buf note = BUF_INIT;
	assert_int_equal(resume(&f, out, &note), 1);
	assert_true(train_hash(f.t) == good);
	size_t lines = 0;
	for (const char *p = buf_str(&note); (p = strstr(p, "passed over: ")) != NULL; p++)
		lines++;
	assert_int_equal(lines, 10);
	assert_non_null(strstr(buf_str(&note), "step-000002/model.safetensors: its bytes are not those that were written"));
	assert_non_null(strstr(buf_str(&note), "step-000011/optimizer.safetensors: is not as long as it was written"));
	run_free(&f);
	/* none whole: none found */
	flip(out, "step-000001/model.safetensors", -9);
	assert_int_equal(resume(&f, out, &note), -1);
	assert_int_equal(train_at(f.t), 0);
	run_free(&f);
	buf_done(&note);
}

TEST(save_of_another_model)
{
	Fixture f = run_usual();
	TrainSettings s = usual();
	const char *out = out_new();
	bool found;
	Err e = { 0 };
	Buf note = BUF_INIT;
	save(f.t, out);
	run_free(&f);
	f = run_new(&s, 1, "hidden_size", ATTN_MLA);
	assert_false(train_resume(f.t, out, &found, &note, &e));
	assert_int_equal(e.code, E_3301);
	assert_non_null(strstr(e.text, "hidden_size is 16 and 32"));
	run_free(&f);
	err_clear(&e);
	f = run_new(&s, 1, NULL, ATTN_GQA);
	assert_false(train_resume(f.t, out, &found, &note, &e));
	assert_int_equal(e.code, E_3301);
	assert_non_null(strstr(e.text, "lathe_attention is absent and \"mha\""));
	run_free(&f);
	buf_done(&note);
}

TEST(save_notes_what_changes_the_course)
{
	Fixture f = run_usual();
	TrainSettings s = usual();
	const char *out = out_new();
	bool found;
	Err e = { 0 };
	Buf note = BUF_INIT;
	step_quick(f.t);
	save(f.t, out);
	run_free(&f);
	s.lr = 2e-3;
	s.batch = 4;
	s.keep = 7;
	s.ema = 0.5;
	f = run_new(&s, 1, NULL, ATTN_MLA);
	assert_true(train_resume(f.t, out, &found, &note, &e) && found);
	assert_string_equal(buf_str(&note), "settings changed: batch 2 -> 4, lr 0.001 -> 0.002, ema 0 -> 0.5\n"
					    "averaged weights: begin with the weights of this step\n");
	assert_memory_equal(f.t->params.ema, f.t->params.w, sizeof(real) * (size_t)f.t->params.count);
	assert_true(f.t->s.lr == 2e-3);
	step_quick(f.t);
	save(f.t, out);
	run_free(&f);
	buf_clear(&note);
	assert_int_equal(resume(&f, out, &note), 2); /* and the other way: saved with averages, run without */
	assert_non_null(strstr(buf_str(&note), "averaged weights: no longer kept"));
	run_free(&f);
	buf_done(&note);
}

TEST(save_refuses_what_is_not_finite)
{
	Fixture f = run_usual();
	const char *out = out_new();
	Err e = { 0 };
	step_quick(f.t);
	save(f.t, out);
	step_quick(f.t);
	f.t->params.v[f.t->params.p[3].at] = (real)INFINITY;
	assert_false(train_save(f.t, out, &e));
	assert_int_equal(e.code, E_6101);
	assert_non_null(strstr(e.text, f.t->params.p[3].t->name));
	assert_string_equal(names_of(out), "lock step-000001 ");
	run_free(&f);
}

TEST(save_on_a_full_disk)
{
	const char *out = out_new();
	struct rlimit old, small;
	Fixture f = run_usual();
	getrlimit(RLIMIT_FSIZE, &old);
	signal(SIGXFSZ, SIG_IGN);
	step_quick(f.t);
	save(f.t, out);
	for (rlim_t room = 0; room < 100000; room = room * 2 + 300) {
		Err e = { 0 };
		small = old;
		small.rlim_cur = room;
		step_quick(f.t);
		setrlimit(RLIMIT_FSIZE, &small);
		bool ok = train_save(f.t, out, &e);
		setrlimit(RLIMIT_FSIZE, &old);
		assert_false(ok);
		assert_int_equal(err_exit(&e), 4);
		assert_string_equal(names_of(out), "lock step-000001 ");
	}
	save(f.t, out); /* with room again the run goes on */
	signal(SIGXFSZ, SIG_DFL);
	run_free(&f);
}

TEST(save_locks_the_folder)
{
	Fixture a = run_usual(), b = run_usual();
	const char *out = out_new();
	bool found;
	Err e = { 0 };
	Buf note = BUF_INIT;
	save(a.t, out);
	assert_false(train_save(b.t, out, &e));
	assert_int_equal(e.code, E_9101);
	assert_int_equal(err_exit(&e), 9);
	char want[40];
	snprintf(want, sizeof want, "process %ld ", (long)getpid());
	assert_non_null(strstr(e.text, want));
	err_clear(&e);
	assert_false(train_resume(b.t, out, &found, &note, &e));
	assert_int_equal(e.code, E_9101);
	run_free(&a);
	err_clear(&e);
	assert_true(train_resume(b.t, out, &found, &note, &e) && found);
	/* no folder: nothing found, nothing made */
	assert_true(train_resume(b.t, out_new(), &found, &note, &e) && !found);
	run_free(&b);
	buf_done(&note);
}

static void put(const char *out, const char *dir, const char *file)
{
	char path[400];
	snprintf(path, sizeof path, "%s/%s", out, dir);
	mkdir(path, 0777);
	if (file) {
		snprintf(path, sizeof path, "%s/%s/%s", out, dir, file);
		fclose(fopen(path, "w"));
	}
}

TEST(save_clears_what_killed_runs_left)
{
	Fixture f = run_usual();
	const char *out = out_new();
	char from[300], to[300];
	step_quick(f.t);
	save(f.t, out);
	step_quick(f.t);
	save(f.t, out);
	run_free(&f);
	put(out, "step-000003.tmp-123", "model.safetensors");
	put(out, "model.tmp-9", "x");
	put(out, "step-000001.old-77", "x"); /* the step itself is there: goes */
	put(out, "step-3.tmp-123", "x");     /* not ours: these stay */
	put(out, "other.tmp-123", "x");
	put(out, "step-000003.tmp-", NULL);
	snprintf(from, sizeof from, "%s/step-000002", out);
	snprintf(to, sizeof to, "%s/step-000002.old-77", out);
	assert_int_equal(rename(from, to), 0); /* killed between the two renames of a replacement: comes back */
	assert_int_equal(resume(&f, out, NULL), 2);
	assert_string_equal(names_of(out), "lock other.tmp-123 step-000001 step-000002 step-000003.tmp- step-3.tmp-123 ");
	run_free(&f);
}

/* Saves again and again, telling each step that is safe. Never returns. */
static void child_run(const char *out, int fd)
{
	signal(SIGSEGV, SIG_DFL); /* cmocka would go on with the other tests in the child */
	signal(SIGABRT, SIG_DFL);
	Fixture f = run_usual();
	Err e = { 0 };
	Buf note = BUF_INIT;
	bool found;
	if (!train_resume(f.t, out, &found, &note, &e))
		_exit(1);
	for (;;) {
		step_quick(f.t);
		if (!train_save(f.t, out, &e) || write(fd, &f.t->step, sizeof f.t->step) < 0)
			_exit(1);
		if (f.t->step % 3 == 0 && !train_save(f.t, out, &e)) /* the same place again: replaced */
			_exit(1);
		if (f.t->step % 2 == 0 && !train_finish(f.t, out, DT_F32, NULL, &e))
			_exit(1);
	}
}

static int64_t acknowledged(int fd, int64_t last)
{
	int64_t step;
	while (read(fd, &step, sizeof step) == sizeof step)
		last = step;
	return last;
}

TEST(save_killed_at_any_moment)
{
	const char *out = out_new();
	int64_t safe = 0;
	double begin = (double)time(NULL);
	srand(7);
	for (int round = 0; round < 25 && (double)time(NULL) - begin < 8; round++) {
		int fd[2];
		assert_int_equal(pipe(fd), 0);
		pid_t pid = fork();
		if (pid == 0) {
			close(fd[0]);
			child_run(out, fd[1]);
		}
		close(fd[1]);
		poll(&(struct pollfd){ .fd = fd[0], .events = POLLIN }, 1, round % 5 ? 2000 : 0);
		usleep((useconds_t)(rand() % 60000));
		kill(pid, SIGKILL);
		int status;
		waitpid(pid, &status, 0);
		assert_true(WIFSIGNALED(status));
		safe = acknowledged(fd[0], safe);
		close(fd[0]);
		Fixture f, g = run_usual();
		Buf note = BUF_INIT;
		int64_t at = resume(&f, out, &note);
		assert_true(at >= safe || (safe == 0 && at == -1));
		assert_string_equal(buf_str(&note), "");
		while (g.t->step < at)
			step_quick(g.t);
		assert_true(train_hash(f.t) == train_hash(g.t));
		assert_null(strstr(names_of(out), "tmp-"));
		if (at > 3) {
			char path[300];
			Err e = { 0 };
			snprintf(path, sizeof path, "%s/model", out);
			Lm *m = lm_open(path, NULL, &e);
			if (!m)
				fail_msg("%s", e.text);
			lm_free(m);
		}
		run_free(&f);
		run_free(&g);
		buf_done(&note);
	}
	assert_true(safe > 3);
}

TEST(save_finished_model)
{
	Fixture f = run_usual();
	const char *out = out_new();
	char path[300];
	Err e = { 0 };
	run_steps(f.t, 2);
	snprintf(path, sizeof path, "%s/model", out);
	assert_true(train_finish(f.t, out, DT_F32, NULL, &e));
	assert_true(train_finish(f.t, out, DT_BF16, unit_src("data/tiny"), &e));
	assert_string_equal(names_of(out), "lock model ");
	assert_string_equal(names_of(path), "config.json generation_config.json model.safetensors tokenizer.json tokenizer_config.json ");
	Lm *m = lm_open(path, NULL, &e);
	assert_non_null(m);
	assert_true(m->c.dtype == DT_BF16 && m->W_E->dtype == DT_BF16 && m->n_mtp == 1);
	real first;
	ten_read(m->W_E, 0, 1, f.t->params.g); /* gradients are not needed any more */
	first = (real)bf16_to_f32(bf16_from_f32((float)f.t->params.w[0]));
	assert_true(f.t->params.g[0] == first);
	Ten x;
	assert_true(ckpt_ten(m->ckpt, "model.layers.1.mlp.gate.e_score_correction_bias", &x, &e));
	assert_true(x.dtype == DT_F32);
	lm_free(m);
	assert_false(train_finish(f.t, out, DT_F8_E4M3, NULL, &e));
	assert_int_equal(e.code, E_2003);
	run_free(&f);
}

/* The averages stand beside the weights, which are as they were. */
TEST(save_finished_averages)
{
	TrainSettings s = usual();
	s.ema = 0.5;
	Fixture f = run_new(&s, 1, NULL, ATTN_MLA);
	const char *out = out_new();
	Err e = { 0 };
	char path[300];
	snprintf(path, sizeof path, "%s/model-ema", out);
	run_steps(f.t, 3);
	uint64_t before = train_hash(f.t);
	assert_true(train_finish(f.t, out, REAL_DTYPE, NULL, &e));
	assert_true(train_hash(f.t) == before);
	assert_string_equal(names_of(out), "lock model model-ema ");
	Lm *m = lm_open(path, NULL, &e);
	assert_non_null(m);
	real first;
	ten_read(m->W_E, 0, 1, f.t->params.g);
	first = f.t->params.g[0];
	assert_true(first == f.t->params.ema[0] && first != f.t->params.w[0]);
	lm_free(m);
	run_free(&f);
}
