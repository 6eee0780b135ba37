/* generate_batch.h - `generate --batch FILE`: many prompts, one forward a step. */
#ifndef CLI_GENERATE_BATCH_H
#define CLI_GENERATE_BATCH_H
#include "cli/model_args.h"
/* FILE holds a JSON object a line: {"text":...} or {"ids":[...]}, with "n" optionally. Prints a JSON
 * object a line, in that order. */
bool generate_batch(const Args *a, LatheModel *m, const LatheSessionOptions *o, const char *path,
	int64_t max_tokens, Err *e);
#endif
