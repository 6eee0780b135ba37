/* save.h - the parts of checkpoints, for save*.c only: a run's place on disk, a checkpoint's tensors, and
 * its state.json. */
#ifndef TRAIN_SAVE_H
#define TRAIN_SAVE_H
#include "base/json.h"
#include "train/state.h"

/* --- save_place.c: OUT, which is locked from the first use to the run's end --- */
bool save_claim(Save *s, const char *out, bool *used, Err *e);
/* OUT/step-000012; the caller frees. NULL: out of memory. */
char *save_path(const char *out, int64_t step);
/* The steps of all checkpoints in OUT, newest first; the caller frees. */
bool save_steps(const char *out, int64_t **steps, size_t *n, Err *e);
/* Known to be whole: saved or checked by this process. */
void save_known(Save *s, int64_t step);
/* Removes what is older than the `keep` newest whole ones that are not newer than `step`. */
void save_rotate(Save *s, int64_t step, int64_t keep);

/* --- save_tensors.c --- */
typedef struct Slot { char *name; int rank; const int64_t *shape; real *data; int64_t n; Dtype dtype; } Slot;
typedef struct Slots { Arena *memory; Slot *s; size_t n; } Slots;
/* Weights and correction biases under their names. Types other than REAL_DTYPE are for matrices and norms;
 * biases are F32 then. */
bool slots_weights(Slots *k, const Train *t, Dtype d, Err *e);
/* NAME.exp_avg, NAME.exp_avg_sq and, if asked for, NAME.ema. */
bool slots_optimizer(Slots *k, const Train *t, bool ema, Err *e);
void slots_done(Slots *k);
bool slots_write(const Slots *k, const char *path, Err *e);
/* COMPARE: the file holds these very numbers. COPY: takes them. Either is E_7101 unless the file has every
 * one of them in its shape, and `more` others. Nothing is taken from a file that does not fit. */
typedef enum SlotsDo { SLOTS_COMPARE, SLOTS_COPY } SlotsDo;
bool slots_read(const Slots *k, const char *path, size_t more, SlotsDo what, Err *e);

/* --- save_state.c: state.json, with the size and hash of every other file of the folder --- */
typedef struct SavedState {
	int64_t step, rows, tokens, updates, worse;
	double best;
	bool ema;
	json_t *root;
} SavedState;
bool state_write(const Train *t, const char *folder, Err *e);
/* E_7101 unless everything that belongs to the checkpoint is there and as it was written. */
bool state_read(SavedState *s, const char *folder, Err *e);
void state_done(SavedState *s);
/* What may make the course another one than that of the run which saved: settings, version, kernels. */
bool state_note(const Train *t, const SavedState *s, Buf *note);
#endif
