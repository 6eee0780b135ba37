/* cmd_eval.c - held-out problems with known answers: pass@1, pass@k (unbiased, Chen et al. 2021), maj@k, by level. */
#include "base/utf8.h"
#include "cli/cmd.h"
#include "cli/model_args.h"
#include "engine/exam.h"
#include "script/run_file.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const Opt opts[] = {
	{ "n", 'n', OPT_INT, "N", "problems (default 200)" },
	{ "k", 'k', OPT_INT, "K", "answers to each (default 1)" },
	{ "level", 0, OPT_INT, "L", "problems of this level only" },
	{ "temperature", 't', OPT_NUM, "T", "0: the likeliest answer (default 1)" },
	{ "show", 0, OPT_INT, "N", "print the first answer to the first N problems" },
	OPT_LAYERS,
	{ 0 },
};

typedef struct Eval {
	const Args *a;
	LatheModel *m;
	RunFile *file;
	ExamOptions o;
	ExamResult r;
} Eval;

static void shown(void *ud, bool right, const char *text)
{
	Buf b = BUF_INIT;
	(void)ud;
	safe_text(&b, text, strlen(text), SAFE_LF);
	fprintf(stderr, "%s %s\n", right ? "right" : "wrong", buf_str(&b));
	buf_done(&b);
}

static void ks_json(const Eval *v, Jout *j, const char *name, const double *sum)
{
	char key[24];
	jout_key(j, name);
	jout_obj(j);
	for (int i = 0; exam_k(v->r.k, i); i++) {
		snprintf(key, sizeof key, "%lld", (long long)exam_k(v->r.k, i));
		jout_knum(j, key, sum[i] / (double)v->r.n);
	}
	jout_end_obj(j);
}

static void eval_json(const Eval *v, const char *task, Buf *b)
{
	Jout j;
	char key[24];
	jout_init(&j, b);
	jout_obj(&j);
	jout_kstr(&j, "task", task);
	jout_kint(&j, "n", v->r.n);
	jout_kint(&j, "k", v->r.k);
	jout_knum(&j, "temperature", v->o.temperature);
	jout_knum(&j, "pass1", v->r.pass1 / (double)v->r.n);
	ks_json(v, &j, "passk", v->r.passk);
	ks_json(v, &j, "majk", v->r.majk);
	jout_key(&j, "by_level");
	jout_obj(&j);
	for (int i = 0; i < EXAM_LEVELS; i++) {
		snprintf(key, sizeof key, "%d", i);
		if (v->r.level[i].n)
			jout_knum(&j, key, (double)v->r.level[i].right / (double)v->r.level[i].all);
	}
	jout_end_obj(&j);
	jout_end_obj(&j);
	buf_addc(b, '\n');
}

static void eval_text(const Eval *v, const char *task, Buf *b)
{
	double n = (double)v->r.n, p = v->r.pass1 / n;
	buf_printf(b, "%s: %.1f %% of %lld held-out problems right (standard error %.1f), temperature %g\n", task, 100 * p, (long long)v->r.n,
		100 * sqrt(p * (1 - p) / n), v->o.temperature);
	for (int i = 1; exam_k(v->r.k, i); i++)
		buf_printf(b, "  of %-4lld answers  one right %5.1f %%, the most frequent right %5.1f %%\n", (long long)exam_k(v->r.k, i),
			100 * v->r.passk[i] / n, 100 * v->r.majk[i] / n);
	for (int i = 1; i < EXAM_LEVELS; i++)
		if (v->r.level[i].n)
			buf_printf(b, "  level %-2d  %5.1f %%  of %lld\n", i, 100 * (double)v->r.level[i].right / (double)v->r.level[i].all,
				(long long)v->r.level[i].n);
}

static bool exam_open(Eval *v, const char *dir, Buf *task, Err *e)
{
	char lua[4096];
	if (!cli_data_dir("lua", lua, sizeof lua))
		return err_set(e, E_4001, "lua: the folder of Lua modules is not there; install lathe, or run it from its build tree");
	if (strcmp(args_at(v->a, 1), "default") == 0) {
		if (!run_exam_task(dir, task, e))
			return false;
	} else {
		buf_adds(task, args_at(v->a, 1));
	}
	v->file = run_exam_open(buf_str(task), (int)args_int(v->a, "level", 0), lua, e);
	return v->file != NULL;
}

static int eval_run(Eval *v, const char *dir, Err *e)
{
	Buf task = BUF_INIT, b = BUF_INIT;
	bool ok = exam_open(v, dir, &task, e) && exam_run(v->m, &v->file->exam, &v->o, &v->r, e);
	if (ok && args_has(v->a, "json"))
		eval_json(v, buf_str(&task), &b);
	else if (ok)
		eval_text(v, buf_str(&task), &b);
	int status = ok && cli_out(&b, e) ? 0 : err_exit(e);
	buf_done(&task);
	buf_done(&b);
	run_file_free(v->file);
	return status;
}

static int run(const Args *a, Err *e)
{
	Eval v = { .a = a, .o = { .n = args_int(a, "n", 200), .k = args_int(a, "k", 1), .temperature = args_num(a, "temperature", 1),
		.seed = (uint64_t)args_int(a, "seed", 1), .show = args_int(a, "show", 0), .shown = shown } };
	char *dir = NULL;
	if (v.o.n < 1 || v.o.k < 1 || v.o.k > EXAM_K_MAX || v.o.temperature < 0) {
		err_set(e, E_2003, "eval: --n and --k are at least 1, --k at most %d, --temperature not negative", EXAM_K_MAX);
		return err_exit(e);
	}
	v.m = model_open(a, args_at(a, 0), NULL, &dir, e);
	int status = v.m ? eval_run(&v, dir, e) : err_exit(e);
	lathe_close(v.m);
	free(dir);
	return status;
}

static const char *const examples[] = { "lathe eval @reason default --n 20", "lathe eval @reason chain3 --n 10 --k 4 --json", NULL };

const Cmd cmd_eval = {
	.name = "eval",
	.usage = "CKPT TASK [--n N] [--k K] [--level L]",
	.summary = "held-out problems with known answers",
	.text = "Asks N problems that no training run of the box has seen, K answers to each, and judges them by rule. "
		"TASK is a name of lua/lathe/tasks.lua (mult2, add4, chain6, ...) or default: the one that the "
		"model's card names.\n\n"
		"pass1 is the share of right answers, passk the share of problems with a right one among k "
		"(without bias), majk that of problems whose most frequent answer is right.",
	.opts = opts,
	.examples = examples,
	.min_args = 2,
	.max_args = 2,
	.run = run,
};
