/* exam.c - problems asked together, judged in order: the same problems and seed give the same answers, whatever the batch. */
#include "engine/exam.h"
#include <stdlib.h>
#include <string.h>

typedef struct Answer { int32_t *id; int64_t n; bool right; char *said; } Answer;
typedef struct Sitting {
	LatheModel *m;
	const Exam *exam;
	const ExamOptions *o;
	ExamResult *r;
	int64_t base;              /* the problem that the batch at hand begins with */
	Answer *answer;            /* of the batch at hand, k to a problem */
} Sitting;

static bool lathe_failed(Err *e, const LatheError *from)
{
	return err_set(e, from->code, "%s", from->text);
}

static void keep_token(int text, const LatheToken *t, bool eos, void *ud)
{
	Answer *x = &((Sitting *)ud)->answer[text];
	if (!eos)
		x->id[x->n++] = t->id;
}

static bool judge(Sitting *v, int64_t problem, Answer *x, Err *e)
{
	const char *said;
	char *text = lathe_decode(v->m, x->id, (size_t)x->n);
	if (!text)
		return err_set(e, E_5001, "out of memory for an answer");
	bool ok = v->exam->judge(v->exam->ud, (uint64_t)problem, text, strlen(text), &x->right, &said, e);
	free(x->said);
	x->said = ok && said ? strdup(said) : NULL;
	if (ok && v->r->n < v->o->show && v->o->shown && (x - v->answer) % v->o->k == 0)
		v->o->shown(v->o->ud, x->right, text);
	free(text);
	return ok;
}

int64_t exam_k(int64_t K, int i)
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

static bool problem_count(Sitting *v, int64_t problem, int level, Answer *x, Err *e)
{
	int64_t right = 0, k = v->o->k;
	ExamResult *r = v->r;
	for (int64_t i = 0; i < k; i++) {
		if (!judge(v, problem, &x[i], e))
			return false;
		right += x[i].right;
	}
	r->pass1 += (double)right / (double)k;
	for (int i = 0; exam_k(k, i); i++) {
		r->passk[i] += pass_at(k, right, exam_k(k, i));
		r->majk[i] += majority(x, exam_k(k, i));
	}
	r->n++;
	if (level >= 0 && level < EXAM_LEVELS) {
		r->level[level].n++;
		r->level[level].right += right;
		r->level[level].all += k;
	}
	return true;
}

/* n answers to the problems from base on: asked together, judged in order. */
static bool exam_batch(Sitting *v, int n, Err *e)
{
	LatheBatchText text[EXAM_K_MAX] = { { 0 } };
	int level[EXAM_TOGETHER];
	int32_t *prompt[EXAM_TOGETHER] = { 0 };
	const Exam *x = v->exam;
	bool ok = true;
	int k = (int)v->o->k, asked = n / k;
	for (int i = 0; ok && i < asked; i++) {
		const char *s;
		size_t len, ids;
		LatheError le = { 0 };
		ok = x->ask(x->ud, (uint64_t)(v->base + i), &s, &len, &level[i], e) &&
			(lathe_encode(v->m, s, len, false, &prompt[i], &ids, &le) || lathe_failed(e, &le));
		for (int j = 0; ok && j < k; j++) {
			text[i * k + j] = (LatheBatchText){ prompt[i], ids, x->max_new };
			v->answer[i * k + j].n = 0;
		}
	}
	LatheError le = { 0 };
	LatheSessionOptions o = { .temperature = v->o->temperature, .seed = v->o->seed + (uint64_t)(v->base * k) };
	ok = ok && (lathe_batch(v->m, &o, text, asked * k, keep_token, v, &le) || lathe_failed(e, &le));
	for (int i = 0; ok && i < asked; i++)
		ok = problem_count(v, v->base + i, level[i], v->answer + i * k, e);
	for (int i = 0; i < asked; i++)
		free(prompt[i]);
	v->base += asked;
	return ok;
}

bool exam_run(LatheModel *m, const Exam *x, const ExamOptions *o, ExamResult *r, Err *e)
{
	Sitting v = { .m = m, .exam = x, .o = o, .r = r };
	int together = o->k > EXAM_TOGETHER ? (int)o->k : EXAM_TOGETHER / (int)o->k * (int)o->k;
	*r = (ExamResult){ .k = o->k };
	v.answer = calloc((size_t)together, sizeof *v.answer);
	bool ok = v.answer != NULL;
	for (int i = 0; ok && i < together; i++)
		ok = (v.answer[i].id = malloc(sizeof(int32_t) * (size_t)(x->max_new + 1))) != NULL;
	if (!ok)
		err_set(e, E_5001, "out of memory for answers");
	while (ok && v.base < o->n) {
		int64_t left = (o->n - v.base) * o->k;
		ok = !(o->stopped && o->stopped(o->ud)) || err_set(e, E_5004, "stopped");
		ok = ok && exam_batch(&v, left < together ? (int)left : together, e);
	}
	for (int i = 0; v.answer && i < together; i++) {
		free(v.answer[i].id);
		free(v.answer[i].said);
	}
	free(v.answer);
	return ok;
}
