/* api.h - what an experiment's Lua can call, as tables: the same rows make the functions, the manual page lathe(3lua), the editor
 * stubs lua/lathe.d.lua and the help in the screen. A class of its own is one file lua_NOUN.c with one ApiClass. */
#ifndef SCRIPT_API_H
#define SCRIPT_API_H
#include "base/buf.h"
#include <lauxlib.h>
#include <lua.h>

typedef struct ApiFn {
	const char *name;       /* "open", or of a method "generate" */
	const char *signature;  /* as editors know it: "(path: string, options: table?): Model" */
	const char *text;       /* NULL: for lua/lathe alone, in no manual. What it does, shapes, units, errors */
	const char *example;    /* Lua that runs by itself behind `local lathe = require "lathe"`; the tests run it. NULL: an example of
	                         * a neighbour shows it */
	lua_CFunction fn;
} ApiFn;

typedef struct ApiClass {
	const char *name;       /* "lathe": functions of the module, "lathe.op": of a table in it; else a type: "Tensor", "Model", "Run" */
	const char *about;      /* NULL: rows of the same name in another class say it; rows of one name are put together */
	const ApiFn *fn;        /* ends with a NULL name; methods are in the type's __index */
	const luaL_Reg *meta;   /* __gc, __add, ...; NULL: none. The first upvalue of each is the table of methods, for an __index of one's own */
} ApiClass;

extern const ApiClass *const api_classes[];      /* ends with NULL */
/* Makes the types' metatables (registry, by name) and leaves the table of class "lathe" on the stack. lua/lathe.lua is run with it then,
 * and adds what is written in Lua. */
void api_open(lua_State *L);
/* A new object of a type, zeroed: its metatable is the class's. nuv: user values. */
void *api_object(lua_State *L, const char *type, size_t size, int nuv);
/* The object at index i; a Lua error naming what was expected otherwise. */
void *api_check(lua_State *L, int i, const char *type);
#endif
