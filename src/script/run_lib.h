/* run_lib.h - what a run's Lua files see beyond a bare Room: modules of one folder, a few more safe functions, and
 * random numbers that are a function of what they were keyed by. */
#ifndef SCRIPT_RUN_LIB_H
#define SCRIPT_RUN_LIB_H
#include "base/rng.h"
#include "script/room.h"
#include <stdint.h>

/* Opens the functions in a fresh room. Modules ("lathe.tasks") are read from lua_dir ("LUA_DIR/lathe/tasks.lua"), which must live
 * as long as the room. False: e. */
bool run_lib_open(Room *r, const char *lua_dir, Err *e);
/* Pushes the module lathe.core. */
void run_lib_core(lua_State *L);
/* Pushes a random number generator (rng:int, rng:uniform, rng:pick, rng:weighted, rng:chance). For the inside of a protected call. */
void run_rng_push(lua_State *L, Rng rng);
/* The stream of a sample: a hash of a few numbers, the same on every machine. */
uint64_t run_rng_stream(const uint64_t *number, size_t n);
#endif
