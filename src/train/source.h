/* source.h - where training text and exam questions come from. A source is a function of numbers: the same (split, row, i) gives the
 * same sample on any machine, so a position in the data is one counter and nothing lies on disk. */
#ifndef TRAIN_SOURCE_H
#define TRAIN_SOURCE_H
#include "base/err.h"
#include <stdint.h>

typedef enum Split { SPLIT_TRAIN, SPLIT_HELD_OUT } Split;

/* One document. With a prompt, only the answer counts in the loss. Both may hold special tokens as text ("<think>"); the end-of-text
 * token is added by the packer. Valid until the next call. */
typedef struct Document { const char *prompt, *answer; size_t n_prompt, n_answer; } Document;

typedef struct Source {
	/* The i-th document of row `row` (rows of a batch are filled one document after the other). */
	bool (*get)(void *ud, Split split, uint64_t row, uint64_t i, Document *s, Err *e);
	void *ud;
} Source;

/* Questions with known answers; i counts held-out problems of one kind. */
typedef struct Exam {
	/* The i-th problem: its prompt, and its level (0: none) for the table by level. Prompt valid until the next call. */
	bool (*ask)(void *ud, uint64_t i, const char **prompt, size_t *n, int *level, Err *e);
	/* Is `text`, the model's continuation with special tokens spelled out, right for problem i? *answer: what it answered, for maj@k
	 * (NULL: nothing to be read). */
	bool (*judge)(void *ud, uint64_t i, const char *text, size_t n, bool *right, const char **answer, Err *e);
	int64_t max_new;        /* tokens that an answer may take */
	void *ud;
} Exam;
#endif
