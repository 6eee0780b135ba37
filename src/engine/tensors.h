/* tensors.h - what a checkpoint holds, and one tensor of it (or one value of the model on the text so far) as statistics, histogram and
 * picture. Topics: lathe-probes(7). */
#ifndef ENGINE_TENSORS_H
#define ENGINE_TENSORS_H
#include "engine/jobs.h"

/* The columns of a tensor_stat sample, F64. */
enum {
	STAT_COUNT, STAT_READ, STAT_MIN, STAT_MAX, STAT_MEAN, STAT_STD, STAT_ZEROS, STAT_NANS, STAT_INFS, STAT_ROWS, STAT_COLS, STAT_BLOCK_ROWS,
	STAT_BLOCK_COLS, STAT_BLOCK_MEAN /* 1: means, 0: largest magnitudes */,
	STAT_ROW0, STAT_COL0 /* of the picture */, STAT_N
};
/* Publishes model.tensors: a line for each tensor of the checkpoint, and model.tensor_table with their statistics when it is small. */
bool tensors_tell(Jobs *j, Err *e);
/* The same once for each model, when somebody watches it. */
void tensors_wanted(Jobs *j);
/* How a picture is made: of these rows and columns (none: all), in blocks of which the largest magnitude or the mean is kept. */
typedef struct TensorAsk { bool mean; int64_t row, col, rows, cols; } TensorAsk;
/* Publishes the statistics of the checkpoint's tensor of this name; else of the model's value of this name, on the text so far. */
bool tensors_look(Jobs *j, const char *name, const TensorAsk *how, Err *e);
#endif
