/* run_lib.c - a Room for runs. Beside what every room has: `require` for the modules of one folder, string.rep with a bound, a part
 * of the table library, and lathe.core (find, crc32, rng, and null for JSON). What could differ from run to run is taken away or put in order:
 * math.random is gone, and pairs() goes through keys sorted, since the order of Lua's own tables is salted. */
#include "script/run_lib.h"
#include "base/buf.h"
#include <lualib.h>
#include <stdio.h>
#include <string.h>

enum { MODULE_MAX = 1 << 20, REP_MAX = 1 << 20 };

static const char sorted_pairs[] =
	"local next, sort, type, typed = next, table.sort, type, { number = 1, string = 2 }\n"
	"local function before(a, b)\n"
	"	local x, y = type(a), type(b)\n"
	"	if x ~= y then return x < y end\n"
	"	return a < b\n"
	"end\n"
	"return function(t)\n"
	"	local keys, n = {}, 0\n"
	"	for k in next, t do\n"
	"		if not typed[type(k)] then error('pairs: a key that is neither number nor text', 2) end\n"
	"		n = n + 1\n"
	"		keys[n] = k\n"
	"	end\n"
	"	sort(keys, before)\n"
	"	local i = 0\n"
	"	return function()\n"
	"		i = i + 1\n"
	"		return keys[i], t[keys[i] or 0]\n"
	"	end\n"
	"end\n";

/* --- functions --- */

static int lib_rep(lua_State *L)
{
	size_t len, gap;
	const char *s = luaL_checklstring(L, 1, &len), *sep = luaL_optlstring(L, 3, "", &gap);
	lua_Integer n = luaL_checkinteger(L, 2);
	luaL_Buffer b;
	luaL_argcheck(L, n <= REP_MAX && (n <= 0 || (len + gap) <= (size_t)REP_MAX / (size_t)n), 2,
		"more than 1 MiB of text");
	room_charge(L, n > 0 ? (size_t)n : 0);
	luaL_buffinit(L, &b);
	for (lua_Integer i = 0; i < n; i++) {
		if (i > 0)
			luaL_addlstring(&b, sep, gap);
		luaL_addlstring(&b, s, len);
	}
	luaL_pushresult(&b);
	return 1;
}

/* A function of the table library, which is the first upvalue. The second: steps that each value of the table costs; the third: with
 * how many arguments it goes through the table at all. */
static int lib_through(lua_State *L)
{
	int n = lua_gettop(L);
	if (lua_istable(L, 1) && n >= lua_tointeger(L, lua_upvalueindex(3)))
		room_charge(L, (size_t)lua_rawlen(L, 1) * (size_t)lua_tointeger(L, lua_upvalueindex(2)));
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_call(L, n, LUA_MULTRET);
	return lua_gettop(L);
}

/* core.find(s, what [, from]): where `what` stands in s as it is, at or behind byte `from`; nil: nowhere. */
static int core_find(lua_State *L)
{
	size_t n, m;
	const char *s = luaL_checklstring(L, 1, &n), *what = luaL_checklstring(L, 2, &m);
	lua_Integer from = luaL_optinteger(L, 3, 1);
	const char *at = NULL;
	luaL_argcheck(L, from >= 1, 3, "the first byte is 1");
	room_charge(L, n / 16);
	if ((lua_Unsigned)(from - 1) <= n)
		at = memmem(s + from - 1, n - (size_t)(from - 1), what, m);
	if (!at)
		return 0;
	lua_pushinteger(L, at - s + 1);
	return 1;
}

/* core.crc32(s): the checksum of zip, gzip and PNG (polynomial 0xedb88320). */
static int core_crc32(lua_State *L)
{
	size_t n;
	const char *s = luaL_checklstring(L, 1, &n);
	uint32_t c = 0xffffffffu;
	room_charge(L, n);
	for (size_t i = 0; i < n; i++) {
		c ^= (unsigned char)s[i];
		for (int k = 0; k < 8; k++)
			c = c >> 1 ^ (c & 1 ? 0xedb88320u : 0);
	}
	lua_pushinteger(L, (lua_Integer)(c ^ 0xffffffffu));
	return 1;
}

/* core.rng(seed, ...): a generator keyed by whole numbers. */
static int core_rng(lua_State *L)
{
	uint64_t number[8];
	int n = lua_gettop(L);
	luaL_argcheck(L, n >= 1 && n <= 8, n, "core.rng takes a seed and at most seven numbers");
	for (int i = 0; i < n; i++)
		number[i] = (uint64_t)luaL_checkinteger(L, i + 1);
	run_rng_push(L, rng_make(number[0], run_rng_stream(number + 1, (size_t)n - 1)));
	return 1;
}

/* --- modules --- */

/* "lathe.tasks" -> "lathe/tasks.lua". Small letters, digits and _ between single dots: no way to another folder. */
static bool module_path(const char *name, char *out, size_t n)
{
	size_t len = strlen(name);
	if (len == 0 || len + sizeof ".lua" > n || name[len - 1] == '.' ||
		strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_.") != len || strstr(name, "..") || name[0] == '.')
		return false;
	for (size_t i = 0; i <= len; i++)
		out[i] = name[i] == '.' ? '/' : name[i];
	memcpy(out + len, ".lua", sizeof ".lua");
	return true;
}

/* The module's chunk as a function on the stack, or its error's text. */
static bool module_load(lua_State *L, const char *dir, const char *part)
{
	Buf path = BUF_INIT, text = BUF_INIT;
	Err e = { 0 };
	char chunk[100];
	int st = LUA_ERRRUN;
	snprintf(chunk, sizeof chunk, "@%s", part);
	buf_printf(&path, "%s/%s", dir, part);
	if (!path.failed && buf_read_file(&text, buf_str(&path), MODULE_MAX, &e))
		st = luaL_loadbufferx(L, buf_str(&text), text.len, chunk, "t");
	buf_done(&path);
	buf_done(&text);
	if (e.code)
		lua_pushfstring(L, "module \"%s\" cannot be read", part);
	return st == LUA_OK;
}

static int lib_require(lua_State *L)
{
	size_t n;
	const char *name = luaL_checklstring(L, 1, &n), *dir = lua_touserdata(L, lua_upvalueindex(1));
	char part[80];
	if (strlen(name) != n || !module_path(name, part, sizeof part))
		return luaL_error(L, "require: \"%s\" is not a module's name such as \"lathe.tasks\"; other files cannot be read", name);
	if (lua_getfield(L, lua_upvalueindex(2), name) == LUA_TBOOLEAN)
		return luaL_error(L, "module \"%s\" requires itself", name);
	if (!lua_isnil(L, -1))
		return 1;
	if (!module_load(L, dir, part))
		return lua_error(L);
	lua_pushboolean(L, 0);
	lua_setfield(L, lua_upvalueindex(2), name);
	lua_call(L, 0, 1);
	if (!lua_istable(L, -1))
		return luaL_error(L, "module \"%s\" does not return a table", name);
	lua_pushvalue(L, -1);
	lua_setfield(L, lua_upvalueindex(2), name);
	return 1;
}

/* --- opening --- */

static void put_tables(lua_State *L)
{
	static const struct { const char *name; int cost, arguments; } through[] = { { "sort", 16, 1 }, { "concat", 1, 1 },
		{ "unpack", 1, 1 }, { "insert", 1, 3 }, { "remove", 1, 2 }, { NULL, 0, 0 } };
	luaL_requiref(L, LUA_TABLIBNAME, luaopen_table, 1);
	for (int i = 0; through[i].name; i++) {
		lua_getfield(L, -1, through[i].name);
		lua_pushinteger(L, through[i].cost);
		lua_pushinteger(L, through[i].arguments);
		lua_pushcclosure(L, lib_through, 3);
		lua_setfield(L, -2, through[i].name);
	}
	lua_pushnil(L);
	lua_setfield(L, -2, "move");
	lua_getglobal(L, LUA_MATHLIBNAME);
	lua_pushnil(L);
	lua_setfield(L, -2, "random");
	lua_pushnil(L);
	lua_setfield(L, -2, "randomseed");
	lua_getglobal(L, LUA_STRLIBNAME);
	lua_pushcfunction(L, lib_rep);
	lua_setfield(L, -2, "rep");
	lua_settop(L, 1);
}

static void put_pairs(lua_State *L)
{
	if (luaL_loadbufferx(L, sorted_pairs, sizeof sorted_pairs - 1, "=pairs", "t") != LUA_OK)
		lua_error(L);
	lua_call(L, 0, 1);
	lua_setglobal(L, "pairs");
	lua_pushnil(L);
	lua_setglobal(L, "next");
}

void run_lib_core(lua_State *L)
{
	static const luaL_Reg core[] = { { "find", core_find }, { "crc32", core_crc32 }, { "rng", core_rng }, { NULL, NULL } };
	luaL_newlib(L, core);
	lua_pushlightuserdata(L, NULL);
	lua_setfield(L, -2, "null");
}

static int lib_put(lua_State *L)
{
	put_tables(L);
	put_pairs(L);
	lua_pushvalue(L, 1);
	lua_newtable(L);
	run_lib_core(L);
	lua_setfield(L, -2, "lathe.core");
	lua_pushcclosure(L, lib_require, 2);
	lua_setglobal(L, "require");
	return 0;
}

bool run_lib_open(Room *r, const char *lua_dir, Err *e)
{
	union { const char *in; void *out; } dir = { lua_dir };
	lua_pushcfunction(r->L, lib_put);
	lua_pushlightuserdata(r->L, dir.out);
	int st = lua_pcall(r->L, 1, 0, 0);
	return st == LUA_OK || room_fail(r, st, e);
}
