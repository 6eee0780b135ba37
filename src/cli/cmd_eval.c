/* cmd_eval.c - held-out problems with known answers: pass@1, pass@k (unbiased, Chen et al. 2021), maj@k, by level. */
#include "cli/cmd.h"
#include "cli/model_args.h"
#include "script/run_file.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EVAL_LEVELS = 64, EVAL_TOGETHER = 64, EVAL_K_MAX = 1024, EVAL_KS = 12 };

static const Opt opts[] = {
	{ "n", 'n', OPT_INT, "N", "problems (default 200)" },
	{ "k", 'k', OPT_INT, "K", "answers to each (default 1)" },
	{ "level", 0, OPT_INT, "L", "problems of this level only" },
	{ "temperature", 't', OPT_NUM, "T", "0: the likeliest answer (default 1)" },
	{ "show", 0, OPT_INT, "N", "print the first answer to the first N problems" },
	OPT_LAYERS,
	{ 0 },
};

typedef struct Answer { int32_t *id; int64_t n; bool right; char *said; } Answer;
typedef struct Level { int64_t n, right, all; } Level;
typedef struct Eval {
	const Args *a;
	LatheModel *m;
	RunFile *file;
	int64_t n, k, base;        /* base: the problem that the batch at hand begins with */
	double temperature;
	Answer *answer;            /* of the batch at hand, k to a problem */
	int64_t done;
	double pass1, passk[EVAL_KS], majk[EVAL_KS];
	Level level[EVAL_LEVELS];
} Eval;

static void keep_token(int text, const LatheToken *t, bool eos, void *ud)
{
	Answer *x = &((Eval *)ud)->answer[text];
	if (!eos)
		x->id[x->n++] = t->id;
}

static bool judge(Eval *v, int64_t problem, Answer *x, Err *e)
{
	const char *said;
	char *text = lathe_decode(v->m, x->id, (size_t)x->n);
	if (!text)
		return err_set(e, E_5001, "out of memory for an answer");
	bool ok = v->file->exam.judge(v->file->exam.ud, (uint64_t)problem, text, strlen(text), &x->right, &said, e);
	free(x->said);
	x->said = ok && said ? strdup(said) : NULL;
	if (ok && v->done < args_int(v->a, "show", 0) && (x - v->answer) % v->k == 0)
		fprintf(stderr, "%s %s\n", x->right ? "right" : "wrong", text);
	free(text);
	return ok;
}

/* The ks that are told: 1, 2, 4, ... below K, and K. 0 after the last. */
static int64_t eval_k(int64_t K, int i)
{
	int64_t k = (int64_t)1 << i;
	return k < K ? k : k < 2 * K && (k == K || k / 2 < K) ? K : 0;
}

/* The chance that k answers drawn from n, of which `right` are right, hold a right one: 1 - C(n-c,k)/C(n,k). */
static double pass_at(int64_t n, int64_t right, int64_t k)
{
	double none = 1;
	if (n - right < k)
		return 1;
	for (int64_t i = n - right + 1; i <= n; i++)
		none *= 1 - (double)k / (double)i;
	return 1 - none;
}

/* Is the answer that is given most often right? Ties go to the one that comes first. */
static bool majority(const Answer *x, int64_t k)
{
	int64_t best = -1, most = 0;
	for (int64_t i = 0; i < k; i++) {
		int64_t same = 0;
		for (int64_t j = 0; x[i].said && j < k; j++)
			same += x[j].said && strcmp(x[j].said, x[i].said) == 0;
		if (same > most) {
			most = same;
			best = i;
		}
	}
	return best >= 0 && x[best].right;
}

static bool problem_count(Eval *v, int64_t problem, int level, Answer *x, Err *e)
{
	int64_t right = 0;
	for (int64_t i = 0; i < v->k; i++) {
		if (!judge(v, problem, &x[i], e))
			return false;
		right += x[i].right;
	}
	v->pass1 += (double)right / (double)v->k;
	for (int i = 0; eval_k(v->k, i); i++) {
		v->passk[i] += pass_at(v->k, right, eval_k(v->k, i));
		v->majk[i] += majority(x, eval_k(v->k, i));
	}
	v->done++;
	if (level >= 0 && level < EVAL_LEVELS) {
		v->level[level].n++;
		v->level[level].right += right;
		v->level[level].all += v->k;
	}
	return true;
}

/* Problems [base, base + n): asked together, judged in order. */
static bool eval_batch(Eval *v, int n, Err *e)
{
	LatheBatchText text[EVAL_K_MAX];
	int level[EVAL_TOGETHER];
	int32_t *prompt[EVAL_TOGETHER] = { 0 };
	const Exam *x = &v->file->exam;
	bool ok = true;
	int asked = n / (int)v->k;
	for (int i = 0; ok && i < asked; i++) {
		const char *s;
		size_t len, ids;
		LatheError le = { 0 };
		ok = x->ask(x->ud, (uint64_t)(v->base + i), &s, &len, &level[i], e) &&
			(lathe_encode(v->m, s, len, false, &prompt[i], &ids, &le) || model_error(e, &le));
		for (int64_t j = 0; ok && j < v->k; j++) {
			int at = i * (int)v->k + (int)j;
			text[at] = (LatheBatchText){ prompt[i], ids, x->max_new };
			v->answer[at].n = 0;
		}
	}
	LatheError le = { 0 };
	LatheSessionOptions o = { .temperature = v->temperature, .seed = (uint64_t)args_int(v->a, "seed", 1) + (uint64_t)(v->base * v->k) };
	ok = ok && (lathe_batch(v->m, &o, text, asked * (int)v->k, keep_token, v, &le) || model_error(e, &le));
	for (int i = 0; ok && i < asked; i++)
		ok = problem_count(v, v->base + i, level[i], v->answer + i * v->k, e);
	for (int i = 0; i < asked; i++)
		free(prompt[i]);
	v->base += asked;
	return ok;
}

static bool eval_all(Eval *v, Err *e)
{
	int together = v->k > EVAL_TOGETHER ? (int)v->k : EVAL_TOGETHER / (int)v->k * (int)v->k;
	v->answer = calloc((size_t)together, sizeof *v->answer);
	bool ok = v->answer != NULL;
	for (int i = 0; ok && i < together; i++)
		ok = (v->answer[i].id = malloc(sizeof(int32_t) * (size_t)(v->file->exam.max_new + 1))) != NULL;
	if (!ok)
		err_set(e, E_5001, "out of memory for answers");
	while (ok && v->base < v->n) {
		int64_t left = (v->n - v->base) * v->k;
		ok = eval_batch(v, left < together ? (int)left : together, e);
	}
	for (int i = 0; v->answer && i < together; i++) {
		free(v->answer[i].id);
		free(v->answer[i].said);
	}
	free(v->answer);
	return ok;
}

static void ks_json(const Eval *v, Jout *j, const char *name, const double *sum)
{
	char key[24];
	jout_key(j, name);
	jout_obj(j);
	for (int i = 0; eval_k(v->k, i); i++) {
		snprintf(key, sizeof key, "%lld", (long long)eval_k(v->k, i));
		jout_knum(j, key, sum[i] / (double)v->done);
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
	jout_kint(&j, "n", v->done);
	jout_kint(&j, "k", v->k);
	jout_knum(&j, "temperature", v->temperature);
	jout_knum(&j, "pass1", v->pass1 / (double)v->done);
	ks_json(v, &j, "passk", v->passk);
	ks_json(v, &j, "majk", v->majk);
	jout_key(&j, "by_level");
	jout_obj(&j);
	for (int i = 0; i < EVAL_LEVELS; i++) {
		snprintf(key, sizeof key, "%d", i);
		if (v->level[i].n)
			jout_knum(&j, key, (double)v->level[i].right / (double)v->level[i].all);
	}
	jout_end_obj(&j);
	jout_end_obj(&j);
	buf_addc(b, '\n');
}

static void eval_text(const Eval *v, const char *task, Buf *b)
{
	double n = (double)v->done, p = v->pass1 / n;
	buf_printf(b, "%s: %.1f %% of %lld held-out problems right (standard error %.1f), temperature %g\n", task, 100 * p, (long long)v->done,
		100 * sqrt(p * (1 - p) / n), v->temperature);
	for (int i = 1; eval_k(v->k, i); i++)
		buf_printf(b, "  of %-4lld answers  one right %5.1f %%, the most frequent right %5.1f %%\n", (long long)eval_k(v->k, i),
			100 * v->passk[i] / n, 100 * v->majk[i] / n);
	for (int i = 1; i < EVAL_LEVELS; i++)
		if (v->level[i].n)
			buf_printf(b, "  level %-2d  %5.1f %%  of %lld\n", i, 100 * (double)v->level[i].right / (double)v->level[i].all,
				(long long)v->level[i].n);
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
	bool ok = exam_open(v, dir, &task, e) && eval_all(v, e);
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
	Eval v = { .a = a, .n = args_int(a, "n", 200), .k = args_int(a, "k", 1), .temperature = args_num(a, "temperature", 1) };
	char *dir = NULL;
	if (v.n < 1 || v.k < 1 || v.k > EVAL_K_MAX || v.temperature < 0) {
		err_set(e, E_2003, "eval: --n and --k are at least 1, --k at most %d, --temperature not negative", EVAL_K_MAX);
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
