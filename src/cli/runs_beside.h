/* runs_beside.h - losses of other training runs, to be drawn beside those of the recording that is shown. */
#ifndef CLI_RUNS_BESIDE_H
#define CLI_RUNS_BESIDE_H
#include "probe/store.h"
/* Puts a recording's losses into s as runs.NAME.train.*; NAME is that of the run's folder, or of the file. */
bool runs_beside(Store *s, const char *path, Err *e);
#endif
