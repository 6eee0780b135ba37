/* api.c - from the tables of functions to what a script sees: the module's tables and the types' metatables. A new file of functions
 * has its class listed here, and nothing else. */
#include "script/api.h"
#include <string.h>

extern const ApiClass api_lab, api_tensor, api_tensor_math, api_tensor_make, api_ops, api_ops_methods, api_nn, api_parts;
extern const ApiClass api_model_open, api_compare, api_model, api_model_run, api_model_with, api_model_compare, api_model_tape, api_tape, api_comparison,
	api_difference;
extern const ApiClass api_train, api_run, api_rl, api_rl_run, api_series, api_json, api_plot;

const ApiClass *const api_classes[] = { &api_lab, &api_json, &api_plot, &api_tensor_make, &api_tensor, &api_tensor_math, &api_ops, &api_ops_methods,
	&api_model_open, &api_compare, &api_model, &api_model_run, &api_model_with, &api_model_compare, &api_model_tape, &api_tape, &api_comparison,
	&api_difference, &api_nn, &api_parts, &api_train, &api_run, &api_rl, &api_rl_run, &api_series, NULL };

static void put_functions(lua_State *L, const ApiClass *c)
{
	for (const ApiFn *f = c->fn; f && f->name; f++) {
		lua_pushcfunction(L, f->fn);
		lua_setfield(L, -2, f->name);
	}
}

/* "lathe" or "lathe.op": the table itself, in the module on top of the stack, is left there. */
static bool push_module_table(lua_State *L, const char *name)
{
	if (strcmp(name, "lathe") == 0) {
		lua_pushvalue(L, -1);
		return true;
	}
	if (strncmp(name, "lathe.", 6) != 0)
		return false;
	luaL_getsubtable(L, -1, name + 6);
	return true;
}

/* A type's metatable with its methods; rows of another class of the same name join those that are there. */
static void put_type(lua_State *L, const ApiClass *c)
{
	if (luaL_newmetatable(L, c->name)) {
		lua_pushboolean(L, 0);
		lua_setfield(L, -2, "__metatable");
		lua_newtable(L);
		lua_pushvalue(L, -1);
		lua_setfield(L, -3, "methods");
		lua_pushvalue(L, -1);
		lua_setfield(L, -3, "__index");
	} else {
		lua_getfield(L, -1, "methods");
	}
	put_functions(L, c);
	if (c->meta) { /* metatable, methods */
		lua_pushvalue(L, -2);
		lua_insert(L, -2);
		luaL_setfuncs(L, c->meta, 1);
		lua_pop(L, 2);
		return;
	}
	lua_pop(L, 2);
}

void api_open(lua_State *L)
{
	lua_newtable(L);
	for (int i = 0; api_classes[i]; i++) {
		if (!push_module_table(L, api_classes[i]->name)) {
			put_type(L, api_classes[i]);
			continue;
		}
		put_functions(L, api_classes[i]);
		lua_pop(L, 1);
	}
}

void *api_object(lua_State *L, const char *type, size_t size, int nuv)
{
	void *p = lua_newuserdatauv(L, size, nuv);
	memset(p, 0, size);
	luaL_setmetatable(L, type);
	return p;
}

void *api_check(lua_State *L, int i, const char *type)
{
	return luaL_checkudata(L, i, type);
}
