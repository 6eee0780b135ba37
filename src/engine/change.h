/* change.h - interventions: experts banned, forced or rescaled, the router's rule changed, heads ablated, values patched and steered. A list
 * of changes is put into a model at once and taken out at once; the model's next forward then has the bits that it had before.
 * They are hooks and changed rules: nothing of the weights is touched, and gradients through them are true. */
#ifndef ENGINE_CHANGE_H
#define ENGINE_CHANGE_H
#include "base/err.h"
#include "engine/lathe.h"
#include "num/real.h"

typedef enum ChangeKind {
	CHANGE_BAN,           /* an expert is never chosen */
	CHANGE_FORCE,         /* an expert is always chosen */
	CHANGE_SCALE_EXPERT,  /* the weight of an expert times value, the others' stay */
	CHANGE_K,             /* experts per token */
	CHANGE_GROUPS,        /* groups kept */
	CHANGE_BIAS,          /* correction bias off (value 0) */
	CHANGE_ROUTE_SCALE,   /* routed_scaling_factor */
	CHANGE_ABLATE,        /* the columns of a head are 0 before W_O */
	CHANGE_PATCH,         /* rows of a named value are replaced: row i of data is position i */
	CHANGE_STEER          /* value * data (one row) is added to every row of a named value */
} ChangeKind;

enum { CHANGE_EVERY = -1, CHANGES_MAX = 256 };
typedef struct Change {
	ChangeKind kind;
	int layer;            /* CHANGE_EVERY: all layers that it can be done in */
	int which;            /* expert or head */
	double value;
	const char *name;     /* patch, steer: a probe or a pattern */
	const real *data;     /* patch, steer: [rows, cols], copied */
	int64_t rows, cols;
} Change;

/* "ban 3 6", "force 3 6", "scale 3 6 0.5", "ablate 2 0" (layer, expert or head; * for every layer), "k 2", "groups 1", "bias off",
 * "route_scale 2.5" (one number for all layers). False: E_2003 with what is expected. */
bool change_parse(const char *text, Change *out, Err *e);

typedef struct Changes Changes;
/* All or none. A model holds one set at a time: to add to it, undo and apply the longer list. NULL: E_2003 with what does not fit. */
Changes *changes_apply(LatheModel *m, const Change *c, int n, Err *e);
/* c NULL: nothing. Before the model is closed. */
void changes_undo(Changes *c);

/* A pattern that names a layer which the model does not have: E_2003 "layers.9.attn.out: the model has layers 0-3". */
bool model_probe_check(const LatheModel *m, const char *pattern, Err *e);

/* A second model over the same weights, with hooks, rules, precision and cache of its own: changes in one are not seen in the other.
 * It begins with the rules of base, which must outlive it together with the changes that are in it. Closed by lathe_close. */
LatheModel *model_view(LatheModel *base, Err *e);
void model_view_done(LatheModel *view);    /* for lathe_close */
#endif
