/* lua_tensor.h - the type Tensor: numbers in rows, either plain (owned, outside Lua's heap, counted against the limit) or a value on
 * a tape. Reading is the same for both. Arithmetic and ops with one tape value among their inputs are recorded on that tape, so that
 * gradients stay true; with plain inputs alone they are computed at once. A tape value whose step is over says so when it is used. */
#ifndef SCRIPT_LUA_TENSOR_H
#define SCRIPT_LUA_TENSOR_H
#include "script/api.h"
#include "script/lab.h"
#include "tape/tape.h"

enum { TENSOR_MAXRANK = 4 };
typedef struct Tensor {
	int rank;
	int64_t shape[TENSOR_MAXRANK];
	bool is_int;
	real *data;              /* plain: dense, malloc'd, counted; NULL: a value on a tape */
	size_t bytes;
	Tape *tape;
	Ten *x;
	uint64_t age;            /* of the tape */
	const char *label;       /* its name on its owner's tape, which a later name of the same value does not change; or NULL */
	bool owned;              /* the owner keeps the tape alive; else a forward that is going on must have it (lua_forward.h) */
} Tensor;                    /* user value 1: the owner, or the model that knows what its columns are called */

/* A copy of n_rows x ... numbers; rank 0..4. Integers are kept as numbers, is_int only makes them print as such. */
void lua_tensor_push(lua_State *L, int rank, const int64_t *shape, const real *data, bool is_int);
/* x on t, valid until tape_reset(t). owner: stack index of the object that keeps t alive (Model, Run, Tape), or 0 inside a callback. */
void lua_tensor_push_tape(lua_State *L, Tape *t, Ten *x, int owner);
/* The value at index i as a tensor on t (plain numbers are copied to the step as a leaf without gradient). Lua error when it is of
 * another tape or of a step that is over. */
Ten *lua_tensor_on(lua_State *L, int i, Tape *t);
/* Read access to index i: rows end to end, in a buffer that belongs to the stack (pushed) when the value is not plain already. */
const real *lua_tensor_read(lua_State *L, int i, int *rank, int64_t shape[4]);
/* A plain tensor of zeros to be filled, on the stack and returned. */
Tensor *lua_tensor_new(lua_State *L, int rank, const int64_t *shape, bool is_int);
Tensor *lua_tensor_check(lua_State *L, int i);
bool lua_tensor_is(lua_State *L, int i);
int64_t lua_tensor_count(const Tensor *t);
/* The tape that the tensor at i lives on, checked to be alive; NULL: plain. */
Tape *lua_tensor_tape(lua_State *L, int i);
/* Ties the object at index owner to the tensor on top of the stack: a model, so that it knows tokens by their text. */
void lua_tensor_own(lua_State *L, int owner);
/* Number i of n things counted from 0, a negative one from the end; the Lua error names what and the range. */
int64_t lua_index_check(lua_State *L, int i, int64_t n, const char *what);
/* The tape for ops on plain numbers, made on first use; whoever uses it leaves it reset. */
Tape *lua_scratch_tape(lua_State *L);
/* Pushes what an op made on t: a value that lives as long as the tensor at index like, or, from the scratch tape, a plain copy. y NULL: the
 * tape's error is raised and taken back. */
int lua_tensor_made(lua_State *L, Tape *t, Ten *y, int like);
/* As lua_tensor_on for ops that compute: integers become numbers. */
Ten *lua_tensor_real_on(lua_State *L, int i, Tape *t);

extern const ApiClass api_tensor, api_tensor_math, api_tensor_make;
#endif
