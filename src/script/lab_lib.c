/* lab_lib.c - what an experiment's Lua has: the language's own libraries without the ways out of it. No code from strings or files, no
 * finalizers, no processes, no environment; everything printed is safe for a terminal; random numbers follow --seed; and pairs()
 * goes through keys in order, since the order of Lua's own tables is salted, and a script is to say the same thing twice. */
#include "script/lab_lib.h"
#include "base/buf.h"
#include "base/utf8.h"
#include "script/api.h"
#include "script/run_lib.h"
#include <lualib.h>
#include <stdio.h>
#include <string.h>

enum { SAID_MAX = 64 << 20, MODULE_MAX = 4 << 20 };

static const char ordered_pairs[] =
	"local next, sort, type, rawget, getmetatable, setmetatable = next, table.sort, type, rawget, getmetatable, setmetatable\n"
	"local order = { number = 1, string = 2 }\n"
	"local function before(a, b)\n"
	"	local x, y = type(a), type(b)\n"
	"	if x ~= y then return x < y end\n"
	"	return a < b\n"
	"end\n"
	"return function(t)\n"
	"	if type(t) ~= 'table' then error('pairs: a table is needed, not a ' .. type(t), 2) end\n"
	"	local keys, rest, n, m = {}, {}, 0, 0\n"
	"	for k in next, t do\n"
	"		if order[type(k)] then n = n + 1 keys[n] = k\n"
	"		else m = m + 1 rest[m] = k end\n"
	"	end\n"
	"	sort(keys, before)\n"
	"	for i = 1, m do keys[n + i] = rest[i] end\n"
	"	local i = 0\n"
	"	return function()\n"
	"		while true do\n"
	"			i = i + 1\n"
	"			local k = keys[i]\n"
	"			if k == nil then return nil end\n"
	"			local v = rawget(t, k)\n"
	"			if v ~= nil then return k, v end\n"
	"		end\n"
	"	end\n"
	"end\n";

/* --- output --- */

bool lab_show(Lab *lab, const char *s, size_t n, Err *e)
{
	if (n > SAID_MAX - lab->said)
		return err_set(e, E_5005, "more than %d MiB printed; write results with lathe.write", SAID_MAX >> 20);
	lab->said += n;
	lab_line_end(lab);
	return fwrite(s, 1, n, stdout) == n || err_set(e, E_4002, "standard output: cannot be written to");
}

void lab_say(lua_State *L, const char *s, size_t n)
{
	Buf b = BUF_INIT;
	Err e = { 0 };
	safe_text(&b, s, n, SAFE_LF | SAFE_TAB);
	bool ok = b.failed ? err_set(&e, E_5001, "out of memory for a line") : lab_show(lab_of(L), buf_str(&b), b.len, &e);
	buf_done(&b);
	if (!ok)
		lab_raise(L, &e);
}

static const char key_require = 0;

/* Pushes the value at index i as a text. Addresses are never shown: they differ from run to run. Tables are what lathe.show makes of them. */
void lab_tolstring(lua_State *L, int i)
{
	int type = lua_type(L, i);
	i = lua_absindex(L, i);
	luaL_checkstack(L, 5, "a text");
	if (type < LUA_TTABLE && type != LUA_TLIGHTUSERDATA) {
		luaL_tolstring(L, i, NULL);
	} else if (luaL_getmetafield(L, i, "__tostring") != LUA_TNIL) {
		lua_pop(L, 1);
		luaL_tolstring(L, i, NULL);
	} else if (luaL_getmetafield(L, i, "__name") == LUA_TSTRING) {
		return;
	} else if (type == LUA_TTABLE && lua_rawgetp(L, LUA_REGISTRYINDEX, &key_require) == LUA_TFUNCTION) {
		lua_pushliteral(L, "lathe.show");
		lua_call(L, 1, 1);
		lua_getfield(L, -1, "show");
		lua_remove(L, -2);
		lua_pushvalue(L, i);
		lua_call(L, 1, 1);
	} else {
		lua_pushstring(L, lua_typename(L, type));
	}
}

static int lib_tostring(lua_State *L)
{
	luaL_checkany(L, 1);
	lab_tolstring(L, 1);
	return 1;
}

/* string.format, the first upvalue, whose %s would show addresses. */
static int lib_format(lua_State *L)
{
	for (int i = 2, n = lua_gettop(L); i <= n; i++)
		if (lua_type(L, i) >= LUA_TTABLE) {
			lab_tolstring(L, i);
			lua_replace(L, i);
		}
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_call(L, lua_gettop(L) - 1, 1);
	return 1;
}

/* The arguments as one text, `between` between them and `end` behind, so that a line is one write. */
static int say_all(lua_State *L, const char *between, const char *end)
{
	int n = lua_gettop(L);
	size_t len;
	luaL_Buffer b;
	for (int i = 1; i <= n; i++) {
		lab_tolstring(L, i);
		lua_replace(L, i);
	}
	luaL_buffinit(L, &b);
	for (int i = 1; i <= n; i++) {
		if (i > 1)
			luaL_addstring(&b, between);
		lua_pushvalue(L, i);
		luaL_addvalue(&b);
	}
	luaL_addstring(&b, end);
	luaL_pushresult(&b);
	const char *s = lua_tolstring(L, -1, &len);
	lab_say(L, s, len);
	return 0;
}

static int lib_print(lua_State *L)
{
	return say_all(L, "\t", "\n");
}

static int lib_write(lua_State *L)
{
	return say_all(L, "", "");
}

/* --- base --- */

static int lib_setmetatable(lua_State *L)
{
	int t = lua_type(L, 2);
	luaL_checktype(L, 1, LUA_TTABLE);
	luaL_argexpected(L, t == LUA_TNIL || t == LUA_TTABLE, 2, "nil or table");
	if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL)
		return luaL_error(L, "setmetatable: the metatable is protected");
	if (t == LUA_TTABLE) {
		lua_pushliteral(L, "__gc");
		if (lua_rawget(L, 2) != LUA_TNIL)
			return luaL_error(L, "setmetatable: __gc is not there for scripts");
	}
	lua_settop(L, 2);
	lua_setmetatable(L, 1);
	return 1;
}

static int lib_collectgarbage(lua_State *L)
{
	static const char *const word[] = { "count", "collect", NULL };
	if (luaL_checkoption(L, 1, "collect", word) == 1) {
		lua_gc(L, LUA_GCCOLLECT);
		lua_pushinteger(L, 0);
		return 1;
	}
	lua_pushnumber(L, (double)lab_of(L)->room.held / 1024);
	return 1;
}

/* --- modules --- */

/* "lathe.tasks" -> "lathe/tasks.lua": words between single dots, so that no name leads to another folder. */
static bool module_path(const char *name, char *out, size_t n)
{
	size_t len = strlen(name);
	if (len == 0 || len + sizeof ".lua" > n || name[0] == '.' || name[len - 1] == '.' || strstr(name, "..") ||
		strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") != len)
		return false;
	for (size_t i = 0; i < len; i++)
		out[i] = name[i] == '.' ? '/' : name[i];
	memcpy(out + len, ".lua", sizeof ".lua");
	return true;
}

/* Configurations of runs lie in a folder of their own: "lathe.configs.addition" -> "configs/train-addition.lua", and those of `lathe rl`:
 * "lathe.configs.rl.grpo-mult2" -> "configs/grpo-mult2.lua". */
static bool config_path(const char *name, char *out, size_t n)
{
	static const char before[] = "lathe.configs.";
	size_t len = sizeof before - 1;
	if (strncmp(name, before, len) != 0)
		return false;
	bool rl = strncmp(name + len, "rl.", 3) == 0;
	name += len + (rl ? 3 : 0);
	if (strchr(name, '.'))
		return false;
	int k = snprintf(out, n, "configs/%s%s.lua", rl ? "" : "train-", name);
	return k > 0 && (size_t)k < n;
}

static bool is_ours(const char *name)
{
	return strncmp(name, "lathe", 5) == 0 && (name[5] == 0 || name[5] == '.');
}

/* The folder of the script, with its slash; "" for the present one. */
static void script_folder(const Lab *lab, Buf *b)
{
	const char *slash = lab->o.script ? strrchr(lab->o.script, '/') : NULL;
	if (slash)
		buf_add(b, lab->o.script, (size_t)(slash + 1 - lab->o.script));
}

/* The module's chunk on the stack; an error's text otherwise, and false. */
static bool module_load(lua_State *L, const char *name, const char *part)
{
	const Lab *lab = lab_of(L);
	Buf path = BUF_INIT, text = BUF_INIT;
	Err e = { 0 };
	char chunk[140];
	int st = LUA_ERRRUN;
	bool ours = is_ours(name);
	snprintf(chunk, sizeof chunk, "@%s%s", ours && strcmp(name, "lathe") == 0 ? "lathe/" : "", part);
	if (ours)
		buf_printf(&path, "%s/", lab->o.lua_dir ? lab->o.lua_dir : ".");
	else
		script_folder(lab, &path);
	buf_adds(&path, part);
	bool read = !path.failed && buf_read_file(&text, buf_str(&path), MODULE_MAX, &e);
	if (read)
		st = luaL_loadbufferx(L, buf_str(&text), text.len, chunk, "t");
	buf_done(&path);
	buf_done(&text);
	if (!read)
		lua_pushfstring(L, "module \"%s\" is not there: %s %s", name, part, ours ? "in lathe's own folder" : "beside the script");
	return st == LUA_OK;
}

/* What the command line says, as fields of the module. */
static void put_options(lua_State *L)
{
	const LabOptions *o = &lab_of(L)->o;
	lua_createtable(L, o->n_args, 0);
	for (int i = 0; i < o->n_args; i++) {
		lua_pushstring(L, o->args[i]);
		lua_rawseti(L, -2, i + 1);
	}
	lua_setfield(L, -2, "args");
	lua_pushboolean(L, o->quick);
	lua_setfield(L, -2, "quick");
	lua_pushinteger(L, (lua_Integer)o->seed);
	lua_setfield(L, -2, "seed");
	lua_pushinteger(L, o->threads);
	lua_setfield(L, -2, "threads");
}

/* The first argument of a module's chunk: for "lathe" the table of what is written in C. */
static int module_argument(lua_State *L, const char *name)
{
	if (strcmp(name, "lathe") != 0)
		return 0;
	api_open(L);
	put_options(L);
	lua_pushvalue(L, -1);
	lua_setfield(L, lua_upvalueindex(1), name); /* its parts may require it while it is being made */
	return 1;
}

static int lib_require(lua_State *L)
{
	size_t n;
	const char *name = luaL_checklstring(L, 1, &n);
	char part[120];
	lua_settop(L, 1);
	if (strlen(name) != n || (!config_path(name, part, sizeof part) && !module_path(name, part, sizeof part)))
		return luaL_error(L, "require: \"%s\" is no module's name: words with dots between, of a file beside the script", name);
	if (lua_getfield(L, lua_upvalueindex(1), name) == LUA_TBOOLEAN)
		return luaL_error(L, "module \"%s\" requires itself", name);
	if (!lua_isnil(L, -1))
		return 1;
	if (!module_load(L, name, part)) {
		lab_where(L);
		lua_insert(L, -2);
		lua_concat(L, 2);
		return lua_error(L);
	}
	lua_pushboolean(L, 0);
	lua_setfield(L, lua_upvalueindex(1), name);
	lua_call(L, module_argument(L, name), 1);
	if (lua_isnil(L, -1) || lua_isboolean(L, -1))
		return luaL_error(L, "module \"%s\" returns nothing; it must end with `return`", name);
	lua_pushvalue(L, -1);
	lua_setfield(L, lua_upvalueindex(1), name);
	return 1;
}

/* --- opening --- */

static void take_away(lua_State *L, const char *const *name)
{
	for (; *name; name++) {
		lua_pushnil(L);
		lua_setfield(L, -2, *name);
	}
}

/* A table with some functions of the library that is on top of the stack, in its place, as global `name`. */
static void keep_only(lua_State *L, const char *name, const char *const *field)
{
	lua_newtable(L);
	for (; *field; field++) {
		lua_getfield(L, -2, *field);
		lua_setfield(L, -2, *field);
	}
	lua_setglobal(L, name);
	lua_pop(L, 1);
}

static void open_base(lua_State *L)
{
	static const char *const out[] = { "dofile", "loadfile", "load", "warn", "require", NULL };
	static const luaL_Reg own[] = { { "print", lib_print }, { "tostring", lib_tostring }, { "setmetatable", lib_setmetatable },
		{ "collectgarbage", lib_collectgarbage }, { NULL, NULL } };
	luaL_requiref(L, LUA_GNAME, luaopen_base, 1);
	take_away(L, out);
	luaL_setfuncs(L, own, 0);
	lua_pop(L, 1);
}

static void open_string(lua_State *L)
{
	static const char *const out[] = { "dump", NULL };
	luaL_requiref(L, LUA_STRLIBNAME, luaopen_string, 1);
	take_away(L, out);
	lua_getfield(L, -1, "format");
	lua_pushcclosure(L, lib_format, 1);
	lua_setfield(L, -2, "format");
	lua_pushliteral(L, "");
	lua_getmetatable(L, -1);
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
	lua_pop(L, 3);
}

static void open_os(lua_State *L)
{
	static const char *const os[] = { "clock", "date", "difftime", "time", NULL };
	luaL_requiref(L, LUA_OSLIBNAME, luaopen_os, 0);
	keep_only(L, "os", os);
	lua_newtable(L);
	lua_pushcfunction(L, lib_write);
	lua_setfield(L, -2, "write");
	lua_setglobal(L, "io");
}

static void open_math(lua_State *L)
{
	luaL_requiref(L, LUA_MATHLIBNAME, luaopen_math, 1);
	lua_getfield(L, -1, "randomseed");
	lua_pushinteger(L, (lua_Integer)lab_of(L)->o.seed);
	lua_call(L, 1, 0);
	lua_pop(L, 1);
}

static void open_pairs(lua_State *L)
{
	if (luaL_loadbufferx(L, ordered_pairs, sizeof ordered_pairs - 1, "=pairs", "t") != LUA_OK)
		lua_error(L);
	lua_call(L, 0, 1);
	lua_setglobal(L, "pairs");
}

int lab_lib_open(lua_State *L)
{
	open_base(L);
	open_string(L);
	luaL_requiref(L, LUA_TABLIBNAME, luaopen_table, 1);
	luaL_requiref(L, LUA_UTF8LIBNAME, luaopen_utf8, 1);
	luaL_requiref(L, LUA_COLIBNAME, luaopen_coroutine, 1);
	lua_settop(L, 0);
	open_math(L);
	open_os(L);
	open_pairs(L);
	/* The libraries that luaL_requiref has noted whole are forgotten: the registry is nobody's, but nothing needs them there. */
	lua_pushnil(L);
	lua_setfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
	lua_newtable(L);
	run_lib_core(L);
	lua_setfield(L, -2, "lathe.core");
	lua_pushcclosure(L, lib_require, 1);
	lua_pushvalue(L, -1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &key_require);
	lua_setglobal(L, "require");
	return 0;
}
