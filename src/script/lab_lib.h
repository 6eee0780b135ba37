/* lab_lib.h - the libraries of an experiment's Lua. For lab.c only. */
#ifndef SCRIPT_LAB_LIB_H
#define SCRIPT_LAB_LIB_H
#include "script/lab.h"

/* Puts base, string, table, math, utf8, coroutine, a piece of os and io, print and require into the fresh state; inside a protected call.
 * The module `lathe` is loaded with the first require of it. */
int lab_lib_open(lua_State *L);
/* Shows text on standard output: made safe for a terminal, and counted. */
void lab_say(lua_State *L, const char *s, size_t n);
/* The value at index i as a text, pushed, without addresses. */
void lab_tolstring(lua_State *L, int i);
#endif
