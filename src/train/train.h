/* train.h - a training run: a model whose weights are real numbers with gradients, an optimizer's state, and the loop's counters.
 *
 * A step is a pure function of what Train holds and of (settings, step): data comes from (seed, row counter), so the state list is
 * weights, moments, biases, averages and three counters. Same seed, same bits, for any number of threads. */
#ifndef TRAIN_TRAIN_H
#define TRAIN_TRAIN_H
#include "model/lm.h"
#include "text/tok.h"
#include "train/settings.h"
#include "train/source.h"

/* One trained tensor. Its weights, gradient and moments are slices of Params' flat arrays at `at`. */
typedef struct Param { Ten *t; int64_t at, n; bool decays; } Param;
/* All trained tensors in the order of config_tensors. */
typedef struct Params {
	Param *p;
	int n;
	int64_t count;          /* numbers in all */
	real *w, *g, *m, *v;    /* weights, gradients, moments */
	real *ema;              /* averaged weights, or NULL */
	double *norm_parts;     /* scratch of the norm */
	Ten **bias;             /* e_score_correction_bias of each MoE layer, MTP modules behind: changed by the bias rule, no gradient */
	int n_bias;
} Params;

typedef struct LayerLoad { int layer, E; int64_t *count; } LayerLoad; /* tokens sent to each expert in the last step */

/* What one step reports. */
typedef struct StepReport {
	int64_t step;           /* that was made: 1 for the first */
	double loss, main, mtp[CONFIG_MTP_MAX], aux;    /* whole loss; cross entropy; each MTP module's; balance terms */
	int n_mtp;
	double lr, grad_norm, tok_per_s, seconds;
	double maxvio, bias_drift;
	int dead;               /* experts of all layers that got no token */
	int64_t tokens;         /* targets so far */
	double held_out;        /* NAN: not measured at this step */
} StepReport;

/* The rows of a step. id, label, pos are [rows * seq]; label -100: does not count. seq: documents (or whole rows), in order. */
typedef struct TrainBatch { int rows, seq; int32_t *id, *label, *pos; int n_seq; Seq *docs; } TrainBatch;

bool pack_new(TrainBatch *b, int64_t rows, int64_t seq, Err *e);   /* zeroed; E_2102: more than a step may have */
void pack_free(TrainBatch *b);

typedef struct Train Train;
typedef struct TrainStart {
	const char *from;       /* a checkpoint to begin with, or NULL: random weights by `seed` */
	const Config *config;   /* without `from` */
	const LmParts *parts;   /* attention and router from outside, which live as long as the run; NULL: what the config says */
	int threads;
	size_t memory_limit;
} TrainStart;

/* Takes the source and the tokenizer by reference. tokenizer may be NULL when batches are given by train_step_on. */
Train *train_new(const TrainStart *o, const TrainSettings *s, const Source *source, const Tok *tok, Err *e);
void train_free(Train *t);
/* One step on the next rows. False: E_6101 (not finite: names the tensor), source or memory errors; the run can go on from its last
 * checkpoint. */
bool train_step(Train *t, StepReport *r, Err *e);
/* Loss and gradients of given rows (train_params()->g), no update. terms: which parts of the loss send gradients back. */
enum { TERM_MAIN = 1, TERM_MTP = 2, TERM_AUX = 4, TERMS_ALL = 7 };
bool train_gradient(Train *t, const TrainBatch *b, unsigned terms, StepReport *r, Err *e);
/* Norm, clipping, AdamW and bias update on the gradients that are there. */
bool train_update(Train *t, StepReport *r, Err *e);
/* Norm of the gradients that are there, clipping and AdamW at this learning rate: one of the updates of a step that does more than one.
 * E_6101 as above. train_turn then ends the step, which has used so many tokens. */
bool train_apply(Train *t, double lr, double *grad_norm, Err *e);
void train_turn(Train *t, int64_t tokens);
double train_lr(const Train *t);                /* of the step that comes next */
/* Mean loss over the first eval_rows held-out rows. */
bool train_eval(Train *t, double *loss, Err *e);
/* A look at the router: the first tokens of a few held-out texts, and for each MoE layer (not of MTP modules) the gate weights of these
 * tokens, [T, E], 0 where an expert was not chosen. NULL without *e: no experts, no tokenizer, or no held-out text. */
typedef struct TrainGate TrainGate;
typedef void (*TrainGateFn)(void *ud, int layer, int T, int E, const float *weight);
TrainGate *train_gate_new(Train *t, Err *e);
void train_gate_free(TrainGate *g);
/* {"tokens": the text of each, "starts": where each held-out text begins}. */
void train_gate_text(const Train *t, const TrainGate *g, Buf *out);
bool train_gate_look(Train *t, TrainGate *g, TrainGateFn fn, void *ud, Err *e);
/* Appends the first held-out prompt (or the first characters of held-out text) and the n tokens that the model goes on with, greedily; fewer
 * when it ends the text. */
bool train_sample(Train *t, int n, Buf *out, Err *e);

TrainSettings *train_settings(Train *t);
Lm *train_lm(Train *t);
Params *train_params(Train *t);
Tape *train_tape(Train *t);
const Tok *train_tok(const Train *t);
int64_t train_at(const Train *t);               /* steps made */
int64_t train_worse(const Train *t);            /* held-out losses since the best one */
/* Of the last step, one for each MoE layer, MTP modules behind. */
const LayerLoad *train_loads(const Train *t, int *n);

/* --- checkpoints (save.c) ---
 * OUT/step-000012/ is a Hugging Face folder (F32) with optimizer.safetensors and state.json beside; written under another name, synced,
 * renamed. The newest `keep` whole ones stay. OUT/model/ is the finished model. */
bool train_save(Train *t, const char *out, Err *e);
/* Takes OUT for this run alone: makes it, locks it until train_free (E_9101: another process has it) and clears what killed runs left.
 * *used: it holds checkpoints, so a run that starts anew belongs elsewhere. The files of the tokenizer in tokenizer_dir (NULL: none) go
 * into each checkpoint. The functions below and above do the same by themselves when it was not done. */
bool train_claim(Train *t, const char *out, const char *tokenizer_dir, bool *used, Err *e);
/* The newest whole checkpoint in OUT; a damaged one is named in *note and passed over. *found false: there is none. */
bool train_resume(Train *t, const char *out, bool *found, Buf *note, Err *e);
/* One checkpoint by its folder, to fork a run. E_7101 damaged, E_3301 of another model. */
bool train_load(Train *t, const char *folder, Buf *note, Err *e);
/* What another part of the program keeps in each checkpoint: put writes files of its own into the folder before its files are counted and
 * hashed, take reads them after the rest was read. ud must live as long as t. */
typedef struct TrainExtra {
	bool (*put)(void *ud, const char *folder, Err *e);
	bool (*take)(void *ud, const char *folder, Buf *note, Err *e);
	void *ud;
} TrainExtra;
void train_extra(Train *t, const TrainExtra *x);
/* Of everything a checkpoint keeps: two runs with the same hash go on alike. */
uint64_t train_hash(const Train *t);
/* Writes OUT/model, and with averaged weights (settings: ema) those as OUT/model-ema, as dtype d with the tokenizer's files from
 * `tokenizer_dir` (NULL: none). */
bool train_finish(Train *t, const char *out, Dtype d, const char *tokenizer_dir, Err *e);
#endif
