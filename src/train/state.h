/* state.h - the inside of a training run, for the files of this folder only. */
#ifndef TRAIN_STATE_H
#define TRAIN_STATE_H
#include "train/update.h"

/* What one MoE layer showed in the forward that is going on. */
typedef struct Router { const Moe *moe; Ten *scores; } Router;

/* The run's place on disk: OUT, locked while `held`, and the checkpoints there that are known to be whole. */
enum { SAVE_KNOWN = 64 };
typedef struct Save {
	bool held;
	int lock;
	char *out, *tokenizer;  /* tokenizer: the folder that its files are copied from, or NULL */
	int64_t whole[SAVE_KNOWN];
	int n_whole;
} Save;

struct Train {
	Lm *lm;
	Arena *perm;            /* weights' table and flat arrays */
	Params params;
	TrainSettings s;
	Pool *pool;
	Tape *tape;
	Tape *layer;            /* of one layer, when they are computed twice; NULL until then */
	real *inputs;           /* of every layer: [layers + 1][T, h] */
	int64_t inputs_n;
	const Source *source;
	const Tok *tok;
	int32_t eos, fim[3];    /* -1: the tokenizer has none */

	/* --- the state that a checkpoint keeps, beside params --- */
	int64_t step;           /* optimizer steps made */
	uint64_t rows;          /* rows of training data used */
	int64_t tokens;         /* targets used */
	int64_t updates;        /* t of AdamW */
	double best;            /* lowest held-out loss; INFINITY before the first */
	int64_t worse;          /* held-out losses since */

	Save save;
	TrainExtra extra;       /* put NULL: none */

	/* --- of the step that is going on --- */
	Recipe recipe;          /* gemm fp8 */
	Router *router;         /* one for each MoE layer, MTP modules behind */
	LayerLoad *load;
	int n_moe;
	const Seq *seq;         /* of the forward that is going on */
	int n_seq;
	Ten *aux;               /* sum of the balance terms so far, or NULL */
	double targets;         /* of the whole step: what the main loss is divided by */
	int docs_all;           /* documents of the whole step */
};

/* loop.c */
bool loss_bad(const Train *t, Err *e);           /* E_6101; always false */
void train_recipe(Train *t, Tape *tape);         /* of s.gemm; kept in t */
/* params.c */
bool params_make(Train *t, const TrainStart *o, Err *e);
/* save_place.c */
void save_release(Save *s);
/* balance.c */
bool balance_watch(Train *t, Err *e);
bool balance_hooks(Train *t, Tape *tape, Err *e);
void balance_begin(Train *t);                    /* counts to zero, at the start of a step */
void balance_update(Train *t);                   /* the bias rule */
void balance_report(const Train *t, StepReport *r);
/* adamw.c */
const Param *params_bad(const Params *p);        /* the first whose gradient is not finite, or NULL */
/* schedule.c */
double schedule_lr(const TrainSettings *s, int64_t step);      /* of the step after `step` steps */
double schedule_lambda(const TrainSettings *s, int64_t step);
double schedule_gamma(const TrainSettings *s, int64_t step);
int64_t schedule_batch(const TrainSettings *s, int64_t step);
/* pack.c */
bool pack_fill(Train *t, TrainBatch *b, Split split, uint64_t row0, Err *e);
#endif
