/* verify_train.h - training against stored values of another implementation: a folder with a checkpoint, batch.safetensors, case.json and
 * gradients, AdamW trajectories, bias updates (formats lathe-grad-1, lathe-trajectory-1, lathe-optimizer-1). */
#ifndef ENGINE_VERIFY_TRAIN_H
#define ENGINE_VERIFY_TRAIN_H
#include "base/err.h"
typedef struct TrainCase { char name[160]; bool ok; double max_abs, max_rel; char at[80]; } TrainCase;
typedef struct TrainCheck { bool ok; int n, cap; TrainCase *c; char source[256]; } TrainCheck;
/* threads 0: all. False: the folder cannot be read or run. */
bool verify_train(const char *dir, int threads, TrainCheck *out, Err *e);
void verify_train_done(TrainCheck *c);
#endif
