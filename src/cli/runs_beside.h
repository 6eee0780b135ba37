/* runs_beside.h - losses of other training runs, to be drawn beside those of the run that is shown. */
#ifndef CLI_RUNS_BESIDE_H
#define CLI_RUNS_BESIDE_H
#include "probe/store.h"
/* Puts a recording's losses into s as runs.NAME.train.*; NAME is that of the run's folder, or of the file. */
bool runs_beside(Store *s, const char *path, Err *e);

/* The same for a screen that goes on: recordings that grow are read on, and of a live run's neighbours (train.rec in the folders beside its
 * own) the newest are found by themselves. */
enum { BESIDE_RUNS = 8 };
typedef struct Beside Beside;
Beside *beside_new(void);
void beside_free(Beside *b);
/* E_2003 when there are BESIDE_RUNS already. */
bool beside_add(Beside *b, const char *path, Err *e);
/* Takes what has come since; returns the number of samples. */
size_t beside_read(Beside *b, Store *s);
#endif
