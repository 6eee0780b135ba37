/* update.h - the optimizer on flat arrays, by itself. */
#ifndef TRAIN_UPDATE_H
#define TRAIN_UPDATE_H
#include "train/train.h"
enum { NORM_BLOCK = 1 << 14 };                   /* norm_parts has count / NORM_BLOCK + 1 numbers */
double params_norm(Pool *pool, const Params *p); /* of all gradients */
double params_norm_of(Train *t);
/* What gradients are multiplied with: min(1, clip / (norm + 1e-6)). */
double adamw_clip(const TrainSettings *s, double norm);
void adamw_update(Pool *pool, const Params *p, const TrainSettings *s, double lr, double factor, int64_t t);
#endif
