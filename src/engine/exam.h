/* exam.h - a model asked problems with known answers: pass@1, pass@k without bias (Chen et al. 2021), maj@k, by level. */
#ifndef ENGINE_EXAM_H
#define ENGINE_EXAM_H
#include "base/err.h"
#include "engine/lathe.h"
#include "train/source.h"

enum { EXAM_LEVELS = 64, EXAM_TOGETHER = 64, EXAM_K_MAX = 1024, EXAM_KS = 12 };

typedef struct ExamOptions {
	int64_t n, k;              /* problems, answers to each; both at least 1, k at most EXAM_K_MAX */
	double temperature;
	uint64_t seed;
	int64_t show;              /* the first answer to so many problems is told */
	void (*shown)(void *ud, bool right, const char *text);
	void *ud;                  /* of shown and stopped */
	bool (*stopped)(void *ud); /* between batches; true ends the exam with E_5004. NULL: never */
} ExamOptions;

typedef struct ExamLevel { int64_t n, right, all; } ExamLevel;   /* problems; right answers of all */
/* Sums over the n problems: divide by n. */
typedef struct ExamResult {
	int64_t n, k;
	double pass1, passk[EXAM_KS], majk[EXAM_KS];
	ExamLevel level[EXAM_LEVELS];
} ExamResult;

bool exam_run(LatheModel *m, const Exam *x, const ExamOptions *o, ExamResult *r, Err *e);
/* The ks that are told: 1, 2, 4, ... below K, and K. 0 after the last. */
int64_t exam_k(int64_t K, int i);
#endif
