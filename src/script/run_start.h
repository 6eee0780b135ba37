/* run_start.h - from what a configuration says (RunFile) to a run that can step: its tokenizer and its model. The same for `lathe train` and
 * for a script's lathe.train, so that the same settings give the same bits. */
#ifndef SCRIPT_RUN_START_H
#define SCRIPT_RUN_START_H
#include "script/run_file.h"
#include "train/train.h"

typedef struct RunStartOptions {
	int threads;
	size_t memory_limit;
	const LmParts *parts;      /* NULL: all as the config says */
	char *(*ckpt_path)(const char *given, Err *e);   /* as in lab.h */
} RunStartOptions;

typedef struct RunStart {
	Tok *tok;
	Train *train;
	char tokenizer[4096];      /* folder of its files */
} RunStart;

/* The file must live as long as the run. A model without vocab_size or eos_token_id gets them from the tokenizer. False: e; run_start_done
 * is needed in any case. */
bool run_start(RunStart *r, const RunFile *f, const RunStartOptions *o, Err *e);
void run_start_done(RunStart *r);
#endif
