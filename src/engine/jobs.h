/* jobs.h - the computing thread of an engine: one model, one text at a time, commands between tokens. */
#ifndef ENGINE_JOBS_H
#define ENGINE_JOBS_H
#include "engine/hooks.h"

typedef enum EngineState {
	ENGINE_IDLE,
	ENGINE_LOADING,
	ENGINE_PREFILL,
	ENGINE_DECODE,
	ENGINE_PAUSED,
	ENGINE_ERROR
} EngineState;

/* What `load` may say; strings are owned. */
typedef struct LoadOptions { int threads; int64_t layers; size_t memory_limit; char *precision; } LoadOptions;

/* How the next text is made; changed by `set`, and by `prompt` for one text. */
typedef struct RunOptions { LatheSessionOptions s; char cache_dtype[8]; int64_t n; } RunOptions;

enum { RUN_ACCEPTED = 8, RUN_RATES = 32 };
/* One text: its session, what is still to be fed and to be made. */
typedef struct TextRun {
	LatheSession *session;
	int64_t number;              /* texts since the engine began */
	int32_t *pending;            /* given tokens not fed yet: pending[fed .. n_pending) */
	size_t n_pending, fed;
	int64_t pos;                 /* position of the next token */
	int64_t left;                /* tokens still to make */
	int64_t step;                /* pause after so many; -1: no */
	bool paused;
	const char *finish;          /* "length", "eos", "context", "stopped", "error", NULL: not yet */
	Piece piece;
	int64_t accepted_at[RUN_ACCEPTED];
	int accepted_run, n_accepted;
	double begun, told;          /* seconds: of the text, of the last gen.stats */
	double rate_time[RUN_RATES]; /* ends of the last tokens, a ring */
	int64_t n_rates;
} TextRun;

typedef struct Jobs {
	Bus *bus;
	Publish publish;
	Hooks *hooks;
	LatheModel *model;
	char *path;                  /* of the model, NULL: none */
	char *name;                  /* of the engine */
	LoadOptions load;
	RunOptions defaults;
	TextRun run;
	EngineState state, told_state;
	double changed;              /* when the state began */
	Err error;                   /* of the state ENGINE_ERROR */
	struct Tree *tree;           /* branches of the text, or NULL (trace.h) */
	struct DiffAsk *diff;        /* what the text is compared with, NULL: the usual */
	const char *fp8;             /* the recipe that fp8.* is about, NULL: the usual */
	bool tensors_told;           /* model.tensors of this model */
	bool ending;
} Jobs;

bool jobs_init(Jobs *j, Bus *bus, const char *name);
void jobs_done(Jobs *j);
/* Body of the thread: returns after bus_quit. */
void jobs_work(Jobs *j);
/* Loads a model in place of the one there. False: state is ENGINE_ERROR, no model. */
bool jobs_load(Jobs *j, const char *path, Err *e);
/* Publishes engine.status. */
void jobs_tell(Jobs *j);
void jobs_state(Jobs *j, EngineState s);

/* Moves an error of the library into e; always false. */
bool jobs_error(Err *e, const LatheError *from);

/* orders.c: carries one command out and puts the reply's fields (not id and ok) into reply. */
bool orders_run(Jobs *j, int viewer, const json_t *command, Jout *reply, Err *e);

/* forms.c: publishes engine.forms, how far naive and absorbed attention are apart on the text so far. */
bool forms_tell(Jobs *j, Err *e);

/* look.c: what the patterns name, of the text so far: probes computed again (its first tokens, as many as *tokens says), and
 * layers.N.latent.* and engine.forms. */
bool look_run(Jobs *j, const json_t *patterns, int64_t *tokens, Err *e);
/* The text has come to rest: those of the last two kinds that are watched, unless they would be noticed. */
void look_idle(Jobs *j);

/* run.c */
bool run_begin(Jobs *j, const int32_t *ids, size_t n, const RunOptions *o, Err *e);
bool run_feed(Jobs *j, const int32_t *ids, size_t n, Err *e);
void run_end(Jobs *j);           /* frees the session */
void run_stop(Jobs *j);          /* keeps it */
bool run_wants(const TextRun *r);    /* something to do, not paused */
void run_advance(Jobs *j);       /* a chunk of prompt, or a token */
#endif
