/* lua_json.c - a script's values as JSON: tables with the keys 1..n are lists, others objects with their keys in order. Numbers that are not
 * finite become null. */
#include "base/json.h"
#include "script/api.h"
#include "script/lab.h"
#include "script/lua_series.h"
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 60, KEYS_MAX = 1 << 20 };

static void value_put(lua_State *L, Jout *j, int depth);

static void list_put(lua_State *L, Jout *j, lua_Integer n, int depth)
{
	jout_arr(j);
	for (lua_Integer i = 1; i <= n; i++) {
		lua_geti(L, -1, i);
		value_put(L, j, depth);
		lua_pop(L, 1);
	}
	jout_end_arr(j);
}

/* The keys in order, as a list on the stack. */
static lua_Integer push_keys(lua_State *L)
{
	lua_Integer n = 0;
	int t = lua_gettop(L);
	lua_newtable(L);
	for (lua_pushnil(L); lua_next(L, t); lua_pop(L, 1)) {
		if (lua_type(L, -2) != LUA_TSTRING && lua_type(L, -2) != LUA_TNUMBER)
			luaL_error(L, "json: a key that is neither text nor number");
		lua_pushvalue(L, -2);
		lua_tostring(L, -1);
		lua_rawseti(L, t + 1, ++n);
		if (n > KEYS_MAX)
			luaL_error(L, "json: a table with more than %d keys", KEYS_MAX);
	}
	lua_getglobal(L, "table");
	lua_getfield(L, -1, "sort");
	lua_pushvalue(L, t + 1);
	lua_call(L, 1, 0);
	lua_pop(L, 1);
	return n;
}

/* The value at a key that stands as a text on top of the stack, in its place. */
static void get_by_text(lua_State *L, int t)
{
	lua_pushvalue(L, -1);
	if (lua_rawget(L, t) != LUA_TNIL) {
		lua_remove(L, -2);
		return;
	}
	lua_pop(L, 1);
	if (lua_stringtonumber(L, lua_tostring(L, -1)))
		lua_rawget(L, t);
	else
		lua_pushnil(L);
	lua_remove(L, -2);
}

static void object_put(lua_State *L, Jout *j, int depth)
{
	int t = lua_gettop(L);
	lua_Integer n = push_keys(L);
	jout_obj(j);
	for (lua_Integer i = 1; i <= n; i++) {
		lua_rawgeti(L, t + 1, i);
		jout_key(j, lua_tostring(L, -1));
		get_by_text(L, t);
		value_put(L, j, depth);
		lua_pop(L, 1);
	}
	jout_end_obj(j);
	lua_settop(L, t);
}

/* A Series or a Tensor as the list that its method makes. */
static void object_list(lua_State *L, Jout *j, int depth)
{
	const char *method = luaL_testudata(L, -1, "Series") ? "values" : luaL_testudata(L, -1, "Tensor") ? "tolist" : NULL;
	if (!method)
		luaL_error(L, "json: a %s cannot be written", luaL_typename(L, -1));
	lua_getfield(L, -1, method);
	lua_pushvalue(L, -2);
	lua_call(L, 1, 1);
	value_put(L, j, depth + 1);
	lua_pop(L, 1);
}

/* The value on top of the stack, which is left there. */
static void value_put(lua_State *L, Jout *j, int depth)
{
	size_t n;
	const char *s;
	luaL_checkstack(L, 12, "json");
	if (depth > DEPTH_MAX)
		luaL_error(L, "json: tables more than %d deep", DEPTH_MAX);
	switch (lua_type(L, -1)) {
	case LUA_TNIL: case LUA_TLIGHTUSERDATA: jout_null(j); return;
	case LUA_TBOOLEAN: jout_bool(j, lua_toboolean(L, -1)); return;
	case LUA_TNUMBER:
		if (lua_isinteger(L, -1))
			jout_int(j, lua_tointeger(L, -1));
		else
			jout_num(j, lua_tonumber(L, -1));
		return;
	case LUA_TSTRING:
		s = lua_tolstring(L, -1, &n);
		jout_strn(j, s, n);
		return;
	case LUA_TTABLE:
		if (lua_rawlen(L, -1) > 0)
			list_put(L, j, (lua_Integer)lua_rawlen(L, -1), depth + 1);
		else
			object_put(L, j, depth + 1);
		return;
	case LUA_TUSERDATA: object_list(L, j, depth); return;
	default: luaL_error(L, "json: a %s cannot be written", luaL_typename(L, -1));
	}
}

typedef struct Writing { Buf b; } Writing;

static int writing_put(lua_State *L)
{
	Writing *w = lua_touserdata(L, 2);
	Jout j;
	lua_settop(L, 1);
	jout_init(&j, &w->b);
	value_put(L, &j, 0);
	return 0;
}

static int json_text(lua_State *L)
{
	Writing w = { BUF_INIT };
	Err e = { 0 };
	luaL_checkany(L, 1);
	lua_pushcfunction(L, writing_put);
	lua_pushvalue(L, 1);
	lua_pushlightuserdata(L, &w);
	if (lua_pcall(L, 2, 0, 0) != LUA_OK)
		err_set(&e, E_8001, "%s", lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "json: an error that is not text");
	else if (w.b.failed)
		err_set(&e, E_5001, "json: out of memory");
	else
		lua_pushlstring(L, buf_str(&w.b), w.b.len);
	buf_done(&w.b);
	return e.code ? lab_raise(L, &e) : 1;
}

static const ApiFn json_fn[] = {
	{ "json", "(value: any): string", "A value as JSON: a table with the keys 1..n is a list, another one an object with its keys in order; a Series and a "
	  "Tensor are lists. Numbers that are not finite become null.", "print(lathe.json { loss = { 4.25, 3.5 }, name = \"small\" })", json_text },
	{ NULL, NULL, NULL, NULL, NULL },
};

extern const ApiClass api_json;
const ApiClass api_json = { "lathe", NULL, json_fn, NULL };
