/* run_place.h - the folder of a run that a script began: a second run of the script begins anew there. */
#ifndef SCRIPT_RUN_PLACE_H
#define SCRIPT_RUN_PLACE_H
#include "train/train.h"

/* Appends ROOT/NAME (root NULL: NAME). E_8003 when a part of NAME is a link: a script writes below its root only. */
bool run_place_below(const char *root, const char *name, Buf *path, Err *e);
/* Whether a run may write into the folder: it is missing, empty, or a run's. E_8003. */
bool run_place_check(const char *out, Err *e);
/* Takes `out` for the run. What an earlier run left there is removed; a folder with anything else in it is left alone: E_8003. */
bool run_place_take(Train *t, const char *out, const char *tokenizer_dir, Err *e);
#endif
