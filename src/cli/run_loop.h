/* run_loop.h - what the loops of `lathe train` and `lathe rl` share: signals, where a run begins, changes while it is going on, and the
 * pieces of a line of progress. */
#ifndef CLI_RUN_LOOP_H
#define CLI_RUN_LOOP_H
#include "cli/run_setup.h"
#include "engine/train_watch.h"
#include <time.h>

/* SIGINT, SIGTERM and SIGHUP end the run after the step at hand. */
void run_signals(void);
/* The signal that came, or 0. */
int run_stopped_by(void);
bool run_was_stopped(void);
/* As if the signal had come: the terminal is gone. */
void run_stop_by(int sig);

/* On standard error; nothing for an empty text. */
void run_note(const char *text);
/* Each line of text as a note, and no more of it. */
void run_notes(Buf *b);

/* Where the run begins: nothing, the newest checkpoint of its own folder (--resume), or one of another run (--fork). *from: the step. Takes
 * --steps +N into account. */
bool run_from(RunSetup *r, const Args *a, int64_t *from, Err *e);

/* NAME=VALUE lines in OUT/live, read again when the file has changed. */
typedef bool (*RunChange)(void *ud, const char *name, const char *value, Err *e);
void run_live(const RunSetup *r, struct timespec *seen, RunChange change, void *ud);
/* Orders of viewers; true: one of them asked for the end. w may be NULL. */
bool run_orders(TrainWatch *w);
TrainWatch *run_watch(const RunSetup *r, Rl *rl);

bool run_is_due(int64_t every, int64_t step);
/* 12 s, 3:20, 1 h 05 min. */
void run_time_text(Buf *b, double seconds);
/* Appends a field to the line that begins at `from`, unless it would be wider than the terminal then. */
void run_field(Buf *b, size_t from, const char *name, int digits, double v, const char *unit);
#endif
