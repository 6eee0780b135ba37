/* lua_series.h - the type Series: what was measured at some steps of a run, in order. */
#ifndef SCRIPT_LUA_SERIES_H
#define SCRIPT_LUA_SERIES_H
#include "script/api.h"
#include <stdint.h>

/* An empty one on the stack. */
void lua_series_push(lua_State *L);
/* Adds to the one at index i. */
void lua_series_add(lua_State *L, int i, int64_t step, double value);
#endif
