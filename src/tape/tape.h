/* tape.h - the eager tape: an op computes its value on the line that calls it and, when gradients are on,
 * leaves a node that tape_backward walks in reverse. Without gradients the same calls decode: a node is a
 * few words in the step arena.
 *
 * Errors stick: after the first failure every op returns NULL at once (and accepts NULL inputs), so a
 * module is a list of equations with one check of tape_ok at the end. The message names the op, its
 * tensors and their shapes. */
#ifndef TAPE_TAPE_H
#define TAPE_TAPE_H
#include "base/err.h"
#include "num/fp8_gemm.h"
#include "tensor/tensor.h"

typedef struct Tape Tape;
typedef struct Node Node;
typedef struct Op Op;
struct OpCase;
struct OpArg;
struct Rng;

typedef struct Scope { const struct Scope *up; const char *name; int index; /* -1: none */ } Scope;

enum { OP_MAXIN = 6, OP_MAXOUT = 4 };

struct Node {
	const Op *op;
	int n_in, n_out;
	Ten *in[OP_MAXIN];      /* entries may be NULL where the op allows */
	Ten *out[OP_MAXOUT];
	const Scope *scope;
	/* the op's parameters, a struct of its own, in the step arena (or longer-lived) */
	void *par;
	void *saved;            /* what forward keeps for backward, in the step arena; set only when t records */
	Node *prev;             /* recording order */
};

/* What an op is: complete when it enters. Shapes are checked by the op's function before it builds the
 * node. */
struct Op {
	const char *name;       /* "linear" */
	const char *equation;   /* "y = x W^T" */
	const char *doc;        /* one line; says where the gradient does not flow */
	const char *source;     /* "V3 report 2.1.1 eq. 1" */
	void (*fwd)(Tape *t, Node *n);
	/* Add to the gradients of those inputs that need one: bwd_x of all but weights (NULL: not
	 * differentiable in x), bwd_w of weights (NULL: no weights). */
	void (*bwd_x)(Tape *t, Node *n);
	void (*bwd_w)(Tape *t, Node *n);
	/* Test cases: builds inputs (leaves that need gradients) and returns the output to be summed
	 * against a random direction; NULL after the last case. See tests/ops/gradcheck.h. */
	Ten *(*cases)(Tape *t, int i, struct OpCase *c);
	/* How it is called by name, from scripts: its arguments as "x:t from:i" - t a tensor, n a number, i a whole number, l a list of
	 * whole numbers, with ? behind one that may be left out (NULL, 0). NULL: it takes a struct; script/lua_ops.c knows how. */
	const char *args;
	Ten *(*call)(Tape *t, const struct OpArg *a);
};

/* An argument of Op.call; which field counts is told by its kind. A list has i numbers. */
typedef struct OpArg { Ten *t; double n; int64_t i; const int32_t *list; } OpArg;
enum { OP_MAXARGS = 8 };

/* The inputs that a case hands to the gradient check. The checker asks for the same case again and again:
 * from the same rng, with element nudge_at of leaf nudge_leaf moved by nudge (0: nothing moved). */
typedef struct OpCase {
	const char *what;
	int n;
	Ten *leaf[8];
	struct Rng *rng;
	int nudge_leaf;
	int64_t nudge_at;
	double nudge;
} OpCase;

/* --- life --- */
Tape *tape_new(struct Pool *p, size_t step_limit);
void tape_free(Tape *t);
/* Forgets nodes, values and gradients of the step and the scope; keeps memory, hooks, recipe; clears the
 * error. A leaf whose gradient lies in the step arena loses it here, so such a leaf must live until the
 * next tape_reset or tape_free. */
void tape_reset(Tape *t);
/* Grows with each reset, and differs between tapes even at one address: a value that was made at another age is gone. */
uint64_t tape_age(const Tape *t);
Pool *tape_pool(const Tape *t);
Arena *tape_arena(const Tape *t);         /* the step arena */
void tape_record(Tape *t, bool on);       /* gradients on or off (off at first) */
bool tape_recording(const Tape *t);
bool tape_ok(const Tape *t, Err *e);      /* copies the sticky error */
/* Sets the sticky error, the present scope in front ("layers.0.attn: ..."); returns NULL for `return
 * tape_fail(...)`. */
Ten *tape_fail(Tape *t, int code, const char *fmt, ...) PRINTF(3, 4);
/* The same for an op: "layers.0.attn.linear: c_Q[5x6] does not fit W_UQ[8x2]: ...". */
Ten *tape_fail_op(Tape *t, const Op *op, int code, const char *fmt, ...) PRINTF(4, 5);
bool tape_failed(const Tape *t);
/* Takes the error back, for a caller that tells it elsewhere; the values made before stay good. */
void tape_forgive(Tape *t);

/* --- values --- */
/* A fresh REAL tensor in the step arena, not zeroed. NULL + sticky error when the arena is full. */
Ten *tape_ten(Tape *t, int rank, const int64_t *shape);
Ten *tape_ten2(Tape *t, int64_t rows, int64_t cols);
Ten *tape_ints(Tape *t, int64_t rows, int64_t cols);       /* I32 */
Ten *tape_leaf(Tape *t, Ten value, bool needs_grad);       /* a leaf over memory of one's own */
void *tape_alloc(Tape *t, size_t n);                       /* step arena; sticky error on failure */

/* --- building ops (used inside ops/) --- */
/* NULL once failed. When not recording: the tape's one slot. */
Node *tape_node(Tape *t, const Op *op, int n_in, Ten *const *in);
/* The parameters of a node: copied to the step arena when recording, else the caller's own, which live
 * until tape_run returns. */
void *tape_keep(Tape *t, void *par, size_t n);
/* Runs fwd, records, returns out (NULL when fwd failed). An op of several results sets n->out and n->n_out
 * itself before. A result needs a gradient when an input does, or when the op has set needs_grad already
 * (weights held in par). */
Ten *tape_run(Tape *t, Node *n, Ten *out);
/* The gradient to add to (dense, allocated zeroed on first use), or NULL if x needs none. */
real *tape_grad(Tape *t, Ten *x);
/* The same for an op that can set as well as add: *add is false when nothing has arrived yet; then the memory
 * is not zeroed and the op must set every element. Two inputs may be one tensor: the second one adds. */
real *tape_grad_place(Tape *t, Ten *x, bool *add);
/* Must fwd keep what backward needs? */
bool tape_saves(const Tape *t, const Node *n);

/* --- names and hooks --- */
void tape_push(Tape *t, const char *name, int index); /* "layers", 3 ; index -1: none */
void tape_pop(Tape *t);
/* Lives as long as the tape's names: until a reset that drops them (see name.c). */
const Scope *tape_scope(const Tape *t);
void scope_describe(const Scope *s, Buf *out);       /* "layers.3.attn"; nothing for NULL */
/* Gives x its name in the present scope and runs the hooks on it. Returns x, or what a hook put in its
 * place. With no hook one branch. NAME must live until tape_reset. Names given inside a hook run no hooks. */
Ten *tape_name(Tape *t, const char *name, Ten *x);
#define LET(t, v, e) Ten *v = tape_name((t), #v, (e))
/* Is anybody watching NAME in the present scope? Ops with costly by-products ask first. */
bool tape_wants(const Tape *t, const char *name);

/* A hook sees every named value that its pattern matches, in order of registration. It returns x or a
 * replacement of the same shape built by ops on the same tape (so gradients stay true); returning NULL
 * fails the tape. full = "layers.3.attn.c_KV". */
typedef Ten *(*HookFn)(Tape *t, Ten *x, const char *full, void *ud);
/* An id > 0, or 0: bad pattern or no memory. */
int tape_hook(Tape *t, const char *pattern, HookFn fn, void *ud);
void tape_unhook(Tape *t, int id);
/* The full names of all values that came by while there were hooks, for errors that name the nearest one. */
void tape_each_name(const Tape *t, void (*fn)(void *ud, const char *full), void *ud);

/* --- backward --- */
/* Adds d(sum seed*y)/d(everything) to the gradients; seed NULL: ones, else dense, as many as y. May be
 * called for several values in turn: gradients add up. Returns false when the tape has failed. */
bool tape_backward(Tape *t, Ten *y, const real *seed);
/* Forgets the gradients of all values and leaves of the step; the next tape_backward begins afresh. */
void tape_clear_grads(Tape *t);
/* On: the walk back gives up the gradient of a result as soon as it has gone on to the inputs, and its memory
 * serves the next one; only leaves keep theirs. Saves nearly half of a step's memory. Off at first. */
void tape_thrift(Tape *t, bool on);

/* --- precision recipe --- */
/* How one of the three products of a weight - Fprop y = x W^T, Dgrad dx = g W, Wgrad dW = g^T x - is computed. BF16 rounds the operands that
 * are not the weight (both in Wgrad). QUANT brings both operands to a small format first: a is x, g, g^T; b is W, W^T, x^T. Their groups are
 * counted across and along the sum: rows 1, cols 128 is 128 neighbours along the sum, which for Wgrad are tokens. */
typedef enum Format { FMT_NATIVE, FMT_BF16, FMT_QUANT } Format;
typedef struct Precision {
	Format format;
	FpQuant a, b;
	FpAccum accumulate;     /* bits 0: as the native product; else Hopper's tensor cores, see fp8_gemm.h */
} Precision;
/* Ordered patterns over node names ("layers.*.mlp.*"); the first that matches wins, none: as stored. */
typedef struct RecipeRule { char pattern[96]; Precision fprop, dgrad, wgrad; } RecipeRule;
enum { RECIPE_RULES = 16 };
typedef struct Recipe { const char *name, *about; int n; RecipeRule rule[RECIPE_RULES]; } Recipe;
void tape_set_recipe(Tape *t, const Recipe *r);   /* NULL: native; kept by reference */
/* The rule for the op on WEIGHT in the present scope: "layers.3.attn" and
 * "model.layers.3.self_attn.q_a_proj.weight" or "q_a_proj" give the node name layers.3.attn.q_a_proj; those of experts are
 * layers.3.moe.experts.up_proj and layers.3.moe.shared_experts.up_proj. NULL: as stored. */
const RecipeRule *tape_recipe_for(const Tape *t, const char *weight);
const Recipe *recipe_by_name(const char *name);   /* NULL: unknown */
const Recipe *recipe_at(int i);                   /* the table, NULL past its end */
/* The same, with E_2003 that lists the names when there is none of this one. */
const Recipe *recipe_find(const char *name, Err *e);

/* What a small format does to a product is shown under "fp8.err.NODE.fprop", "... .dgrad", "... .wgrad", outside of any scope, and only
 * computed when somebody watches. product: 0, 1, 2. NULL: nobody does. */
const char *tape_error_name(Tape *t, const char *weight, int product);
/* Runs the hooks on x under a full name, outside of any scope. */
void tape_show(Tape *t, const char *full, Ten *x);
#endif
