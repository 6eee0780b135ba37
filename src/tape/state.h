/* state.h - the inside of a tape, for the files of this folder only. */
#ifndef TAPE_STATE_H
#define TAPE_STATE_H
#include "tape/tape.h"

typedef struct Hook {
	int id;
	char *pattern;
	HookFn fn;
	void *ud;
} Hook; /* fn NULL: unhooked while hooks were running */

/* What is known of one (scope, name): its full text, which hooks match, which rule of the recipe. */
typedef struct Named {
	const Scope *scope;
	const char *key, *name; /* the caller's pointer, and our own copy of what it said */
	const char *full;
	unsigned hook_age, recipe_age;
	int n_match, *match;    /* indices into Tape.hook */
	const RecipeRule *rule;
	const char *error[3];   /* of a weight: what its products' errors are called; NULL: not asked for yet */
} Named;

typedef struct ScopeKept { Scope s; const char *key; } ScopeKept;

typedef struct Names {
	Arena *mem;
	ScopeKept **scope;
	Named **named;
	unsigned scope_cap, n_scope, named_cap, n_named; /* capacities are powers of two */
} Names;

/* Memory of a gradient that is no longer needed. */
typedef struct Spare { Ten *ten; int64_t n; struct Spare *next; } Spare;

typedef struct GradKept { Ten *leaf; struct GradKept *prev; } GradKept;

struct Tape {
	Pool *pool;
	Arena *step;
	size_t limit;
	bool record, in_hook, thrift;
	uint64_t age;           /* + 1 with each reset; begins with the time, so that no two tapes share one */
	Err err;
	Node slot;              /* the node of an op that is not recorded */
	Node *last;
	const Scope *scope;
	Spare *spare;           /* the latest first: it is still in the caches */
	GradKept *kept;         /* leaves whose gradient lies in the step arena */
	Hook *hook;
	int n_hooks, cap_hooks, next_id;
	unsigned hook_age, recipe_age; /* never 0: a fresh Named is out of date */
	const Recipe *recipe;
	Names names;
};

/* Puts the gradient of x, a result, among the spare ones. */
void grad_spare(Tape *t, Ten *x);
void names_drop(Names *n);      /* forgets all names; every Scope and Named is gone */
void names_reset(Names *n);     /* drops them only when they have grown out of bounds */
bool named_watched(Tape *t, Named *k);   /* does a hook match it? */
/* The entry for name in the present scope, or NULL: out of memory. */
Named *name_find(Tape *t, const char *name);
#endif
