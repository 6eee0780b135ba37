/* engine.h - what the files behind lathe.h share. */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H
#include "engine/lathe.h"
#include "engine/sample.h"
#include "model/lm.h"
#include "text/tok.h"

struct Watch;
struct LatheModel {
	Lm *lm;
	Pool *pool;
	Tape *tape;              /* one: hooks live on it, sessions take turns */
	Tok *tok;                /* NULL: no tokenizer beside the weights */
	Err tok_error;           /* why not */
	bool tok_broken;         /* there is a tokenizer.json, and it cannot be used */
	bool borrowed;           /* lm and tok belong to somebody else */
	bool view;               /* lm is a copy of the headers over another model's weights; pool and tok are that model's (change.h) */
	const struct Recipe *recipe;  /* precision that it was opened with, or NULL */
	size_t memory_limit;
	int64_t probe_position;  /* of the first row of the forward that runs */
	struct Watch *watch;
};

/* Rows of hidden states [from, from + n) that an MTP module has still to read. */
typedef struct Hidden { real *row; int64_t from, n, cap; } Hidden;

enum { DRAFT_MAX = 8 };
struct LatheSession {
	LatheModel *m;
	LatheSessionOptions o;
	Kv *kv;
	int32_t *id;             /* every token of the text, given and chosen */
	int64_t n, cap;
	int64_t done;            /* positions that the main model has processed */
	int64_t given;           /* prompt tokens */
	real *logits;            /* for position n, when have_logits */
	bool have_logits, ended;
	int n_modules;           /* MTP modules that draft; 0: none */
	Hidden hid[DRAFT_MAX + 1];
	int32_t draft[DRAFT_MAX];
	int n_draft;
	int32_t refused;         /* draft refused for the token that comes next, or -1 */
	LatheToken queue[DRAFT_MAX];
	int queue_at, queue_n;
	LatheToken *record;      /* of given tokens, [given], when alternatives are kept */
	int64_t n_record;
	Sampler sampler;
	LatheStats stats;
};

int watch_id(const struct Watch *w);

/* draft.c */
void draft_done(LatheSession *s);
bool draft_keep(LatheSession *s, int level, int64_t at, const real *row, int64_t n, Err *e);
bool draft_run(LatheSession *s, Err *e);                       /* fills draft[] for positions n.. */
bool draft_paying(const LatheSession *s);

/* token.c */
bool session_options_check(const LatheModel *m, const LatheSessionOptions *o, Err *e);
Sampling session_sampling(const LatheModel *m, const LatheSessionOptions *o);
Dtype session_cache_dtype(const LatheSessionOptions *o);
/* Facts about the token `id` at `position` under these logits. */
void token_facts(const LatheModel *m, const LatheSessionOptions *o, const real *logits, int32_t id,
	int64_t position, LatheToken *t);
bool token_finite(const LatheModel *m, const real *logits, int64_t position, Err *e);
bool token_is_eos(const LatheModel *m, const LatheSessionOptions *o, int32_t id);


void engine_error(const Err *e, LatheError *out);
/* lathe_open with an attention or a router that is not the program's (NULL: none), for a checkpoint that names it; they must outlive it. */
LatheModel *model_open_parts(const char *path, const LatheOpenOptions *o, const LmParts *parts, LatheError *error);
/* A model over weights that belong to somebody else, who may change them between two calls: a run in training. lm and tok (NULL: none)
 * must outlive it. */
LatheModel *model_borrow(Lm *lm, Tok *tok, const LatheOpenOptions *o, Err *e);
#endif
