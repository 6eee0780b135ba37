/* verify_train.h - training against stored values of another implementation: a folder with a checkpoint, batch.safetensors, case.json and
 * gradients, AdamW trajectories, bias updates (formats lathe-grad-1, lathe-trajectory-1, lathe-optimizer-1). */
#ifndef ENGINE_VERIFY_TRAIN_H
#define ENGINE_VERIFY_TRAIN_H
#include "engine/cases.h"
/* threads 0: all. False: the folder cannot be read or run. */
bool verify_train(const char *dir, int threads, Cases *out, Err *e);
#endif
