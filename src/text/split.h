/* split.h - pre-tokenization: text to pieces, by the hand-written V3 or V2 matcher or by a list of steps with
 * patterns. */
#ifndef TEXT_SPLIT_H
#define TEXT_SPLIT_H
#include "base/json.h"
#include "text/class.h"
#include "text/pattern.h"

/* Called for each piece, in order; false stops. */
typedef bool (*PieceFn)(void *ctx, const char *s, size_t n);

typedef enum SplitKind { SPLIT_NONE, SPLIT_V3, SPLIT_V2, SPLIT_STEPS } SplitKind;
typedef enum StepKind {
	STEP_PATTERN,
	STEP_DIGIT /* each numeric character */,
	STEP_DIGITS /* runs of them */
} StepKind;
typedef struct Step { StepKind kind; Pattern *pattern; } Step;
enum { STEPS_MAX = 32 };

typedef struct Split {
	SplitKind kind;
	Classes *classes;
	Step step[STEPS_MAX];
	int steps;
} Split;

/* From the "pre_tokenizer" value. The sequences of V3 and of V2 get the hand-written matcher unless
 * `general`. */
bool split_init(Split *s, const json_t *pre_tokenizer, bool general, const char *where, Err *e);
void split_done(Split *s);
/* text: valid UTF-8. false: fn stopped, or a pattern failed (E_3135). */
bool split_run(const Split *s, const char *text, size_t n, PieceFn fn, void *ctx, Err *e);

/* The matchers themselves (checkpoints.md section 6). */
bool split_v3(const Classes *c, const char *s, size_t n, PieceFn fn, void *ctx);
bool split_v2(const Classes *c, const char *s, size_t n, PieceFn fn, void *ctx);
#endif
