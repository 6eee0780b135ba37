/* train_watch.h - a training run that can be watched: what each step reports as samples, in OUT/train.rec and, like an engine, at a socket
 * in the runtime folder; and the orders of those who watch. Topics are in lathe-probes(7), orders in lathe-stream(5).
 *
 * Nothing here changes what is learned, and nothing that goes wrong here ends the run: it is told in a note. */
#ifndef ENGINE_TRAIN_WATCH_H
#define ENGINE_TRAIN_WATCH_H
#include "base/buf.h"
#include "rl/rl.h"
#include "train/train.h"

typedef struct TrainWatch TrainWatch;
typedef struct TrainWatchOptions {
	const char *out;       /* the run's folder, which is made; the recording is train.rec in it */
	int64_t stop;          /* the last step of this process */
	Rl *rl;                /* what goes on is reinforcement learning, told by rl_watch.h; NULL: training */
	const char *socket;    /* name or path of the socket; NULL: train, or train-2 ... when that is taken; "": none */
} TrainWatchOptions;

/* After the run has been resumed: the recording goes on behind the step that the run is at. NULL: out of memory. */
TrainWatch *train_watch_new(Train *t, const TrainWatchOptions *o, Buf *note);
/* Tells viewers that the run has ended, and closes the recording. */
void train_watch_free(TrainWatch *w);
/* After each step: all it reports. eta: seconds to the last step. */
void train_watch_step(TrainWatch *w, const StepReport *r, double eta);
/* The settings, when they have changed since they were told. */
void train_watch_settings(TrainWatch *w);
/* For more topics of a run: rl_watch.c. */
struct Publish *train_watch_publish(TrainWatch *w);
/* Text that the model made at this step. */
void train_watch_sample(TrainWatch *w, const Buf *text);
/* Between steps: carries orders out, and waits while the run is paused, until is_over says so. Changed settings and refused ones are told in
 * *note, a line each. True: a viewer asked for the end. */
bool train_watch_orders(TrainWatch *w, bool (*is_over)(void), Buf *note);
#endif
