/* loss.h - the loss of rows, on the run's tape. */
#ifndef TRAIN_LOSS_H
#define TRAIN_LOSS_H
#include "train/state.h"
typedef struct LossParts { double loss, main, aux, mtp[CONFIG_MTP_MAX]; } LossParts;
/* Adds to *out; the result is the sum of the terms asked for (TERM_MAIN, ...). t->targets and t->docs_all are those of the whole step. NULL: the tape failed. */
Ten *loss_forward(Train *t, const TrainBatch *b, double lambda, unsigned terms, LossParts *out);
/* The same from the states after the final norm on: head, MTP modules; t->aux holds the terms of the layers so far. */
Ten *loss_behind(Train *t, const TrainBatch *b, Ten *final, double lambda, unsigned terms, LossParts *out);
/* recompute.c: loss and gradients of rows with one layer's values in memory at a time. */
bool recompute_run(Train *t, const TrainBatch *b, double lambda, unsigned terms, LossParts *out, Err *e);
#endif
