/* lua_forward.h - the forward that is going on while Lua is called from inside it: which tape, which sequences and positions, which
 * layer. Whoever calls Lua from a forward (hooks, attention and routers written in Lua) pushes one of these before and pops it behind;
 * ops then find there what scripts do not name. Tensors handed to such a call are
 * good until the step is over, and say so afterwards.
 *
 *	LuaForward f = { .tape = t, .run = r, .layer = layer };
 *	lua_forward_push(L, &f);
 *	lua_tensor_push_tape(L, t, h, 0);
 *	Ten *y = lua_forward_call(L, t, 1, 1) ? lua_tensor_result(L, -1, t, "GatedMLA.forward") : NULL;      NULL: the tape has failed
 *	lua_forward_pop(L, &f);
 */
#ifndef SCRIPT_LUA_FORWARD_H
#define SCRIPT_LUA_FORWARD_H
#include "model/lm.h"
#include <lua.h>

typedef struct LuaForward {
	Tape *tape;
	const Run *run;          /* sequences, positions, rotary table, cache; NULL: only the tape is known (hooks) */
	int layer;               /* -1: none */
	struct LuaForward *up;   /* set by the push: the call around this one, or NULL */
} LuaForward;

/* f is the caller's and stays in place until the pop. */
void lua_forward_push(lua_State *L, LuaForward *f);
/* Pops f and whatever an error left above it. */
void lua_forward_pop(lua_State *L, LuaForward *f);
/* The innermost, or NULL outside of any forward. */
LuaForward *lua_forward_now(lua_State *L);
/* What a callback returned, at index i, as a value on t: for C code that must not be left by a Lua error. NULL: not a tensor, or of
 * another step; the tape has failed with the reason ("GatedMLA.forward returned nil; a tensor is needed"), what naming the culprit. */
Ten *lua_tensor_result(lua_State *L, int i, Tape *t, const char *what);
/* Calls the function below the n_arg arguments on the stack with traceback-free error handling: false, and the tape fails with the
 * script's message (file and line in front); else n_result values are on the stack. */
bool lua_forward_call(lua_State *L, Tape *t, int n_arg, int n_result);
/* After an engine's call that has failed: raises the script's own error when one stopped it, else the engine's. */
int lua_forward_raise(lua_State *L, const Err *e);
#endif
