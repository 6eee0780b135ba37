/* facts_trace.h - the larger JSON and list topics, parsed once per change: the tensors of a checkpoint, the branches of a text, what a
 * comparison found. Part of Facts. */
#ifndef VIEW_FACTS_TRACE_H
#define VIEW_FACTS_TRACE_H
#include "probe/store.h"

enum { FACT_RANK = 4, FACT_WORST = 16, FACT_WORD = 48, FACT_VALUES = 4096 };
/* One tensor of the checkpoint; names in natural order (layers.2 before layers.10). */
typedef struct FactTensor {
	const char *name;          /* safe ASCII */
	const char *dtype, *shape; /* as told: "BF16", "512x192" */
	double bytes, before;      /* before: of all in front of it */
	int row;                   /* in model.tensor_table */
} FactTensor;
typedef struct FactTensors { FactTensor *t; size_t n, all; char *text; double time; } FactTensors;

typedef struct FactBranch {
	int64_t run, parent, from, tokens, chosen;
	double logprob;
	char finish[12], *text;    /* its own part; safe, LF kept */
} FactBranch;
typedef struct FactTree { FactBranch *b; int n; int64_t now; double time; } FactTree;

typedef struct FactWorst { int64_t pos; double kl; char a[FACT_WORD], b[FACT_WORD]; } FactWorst;
typedef struct FactDiff {
	bool have;
	char a[160], b[160], first[96];
	int64_t tokens, of, first_at, routes, flipped;
	double kl, top1;
	char **value, **router;    /* names, in the order of diff.layers and diff.routes */
	int n_values, n_routers;
	FactWorst worst[FACT_WORST];
	int n_worst;
	double time;
} FactDiff;

typedef struct FactTrace { FactTensors tensors; FactTree tree; FactDiff diff; } FactTrace;
void fact_trace_init(FactTrace *f);
void fact_trace_done(FactTrace *f);
/* What is older than the newest model.card is about another model. */
void fact_trace_update(FactTrace *f, const Store *s);
/* Of this run, or NULL. */
const FactBranch *fact_branch(const FactTree *t, int64_t run);
#endif
