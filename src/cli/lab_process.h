/* lab_process.h - scripts in a process that can be killed: for run and repl. */
#ifndef CLI_LAB_PROCESS_H
#define CLI_LAB_PROCESS_H
#include "cli/cmd.h"
#include "script/lab.h"

#define OPT_LAB \
	{ "out", 'o', OPT_STR, "DIR", "folder of the results that the script writes; default: the present one" }, \
	{ "time-limit", 0, OPT_NUM, "SECONDS", "end the script after so long (exit status 5)" }

/* What the options say; lua: a buffer for the folder of modules, which must live as long as o. */
bool lab_process_options(const Args *a, LabOptions *o, char *lua, size_t n, Err *e);
/* Runs o->script, or without one what is typed, and waits for the end. seconds, memory: --time-limit and --memory-limit, 0: none. The exit
 * status; e has what is to be told by this process. */
int lab_process(const LabOptions *o, double seconds, size_t memory, Err *e);
#endif
