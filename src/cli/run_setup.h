/* run_setup.h - from a configuration file and the options of the command line to a run that can step. */
#ifndef CLI_RUN_SETUP_H
#define CLI_RUN_SETUP_H
#include "cli/cmd.h"
#include "script/run_file.h"
#include "script/run_start.h"

typedef struct RunSetup {
	bool rl;                   /* set before run_setup: of reinforcement learning; steps are iterations then */
	RunFile *file;
	RunStart start;            /* the tokenizer and the run itself */
	char out[4096];            /* --out, else the file's, else runs/NAME */
	int64_t stop;              /* steps after which to stop */
	int64_t plus;              /* of --steps +N, else -1 */
} RunSetup;
/* Options: out, steps, set (repeated), resume, and the global seed, threads, memory-limit. */
bool run_setup(RunSetup *r, const Args *a, const char *config, Err *e);
void run_setup_done(RunSetup *r);
/* A table of settings as text: name, what it is when not given, what it does. */
void run_settings_text(Buf *b, const Setting *table);
#define OPT_RUN \
	{ "out", 'o', OPT_STR, "DIR", "where checkpoints and the finished model go (default: the file's, else runs/NAME)" }, \
	{ "steps", 'n', OPT_STR, "N", "stop after N steps, +N: after N more; the schedules stay those of the file" }, \
	{ "resume", 0, OPT_FLAG, NULL, "go on from the newest checkpoint in the output folder" }, \
	{ "set", 0, OPT_STR, "NAME=VALUE", "change a setting; may be given again" }
#endif
