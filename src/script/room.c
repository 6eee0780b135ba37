/* room.c - limits: memory by the allocator, steps by a hook. Functions that could run long inside one step
 * (patterns, large repeats) are not given out, since a hook cannot stop them; nor is pcall, which would
 * catch the hook's own error and go on. `table` is a view here, not the library. */
#include "script/room.h"
#include "base/clock.h"
#include <limits.h>
#include <lualib.h>
#include <stdlib.h>
#include <string.h>

enum {
	HOOK_EVERY = 1000,
	BYTES_A_STEP = 16, /* what growing costs: a hook alone would let every step copy all the memory there is */
	SMALL = 4096       /* smaller pieces are free, so that an error's own text always finds room */
};

static const char stopped[] = "stopped: too many steps";

static void *room_alloc(void *ud, void *p, size_t old, size_t want)
{
	Room *r = ud;
	size_t had = p ? old : 0;
	if (want == 0) {
		free(p);
		r->held -= had;
		return NULL;
	}
	if (want > had && want - had > r->limit - r->held)
		return NULL;
	if (want > had && want - had >= SMALL && (r->steps -= (long)((want - had) / BYTES_A_STEP)) < 0)
		return NULL;
	void *q = realloc(p, want);
	if (q)
		r->held += want - had;
	return q;
}

static void room_hook(lua_State *L, lua_Debug *ar)
{
	Room *r;
	(void)ar;
	lua_getallocf(L, (void **)&r);
	if (r->stop && *r->stop) { /* a pcall that catches this gets it again with its next step */
		lua_sethook(L, room_hook, LUA_MASKCOUNT, 1);
		luaL_error(L, "stopped");
	}
	if (r->stop && lua_gethookcount(L) != HOOK_EVERY) /* the stop was taken back */
		lua_sethook(L, room_hook, LUA_MASKCOUNT, HOOK_EVERY);
	r->steps -= HOOK_EVERY;
	if (r->steps < 0 || (r->cpu_until > 0 && clock_thread() > r->cpu_until))
		luaL_error(L, "%s", stopped);
}

void room_charge(lua_State *L, size_t steps)
{
	Room *r;
	lua_getallocf(L, (void **)&r);
	r->steps -= steps < LONG_MAX / 2 ? (long)steps : LONG_MAX / 2;
	if (r->steps < 0)
		luaL_error(L, "%s", stopped);
}

void room_allow(Room *r, long steps, double cpu_seconds)
{
	r->steps = steps;
	r->cpu_until = clock_thread() + cpu_seconds;
}

/* What a scene needs: no files, no code from strings, no patterns, no way out. */
static int room_open(lua_State *L)
{
	static const char *const base_out[] = { "dofile", "loadfile", "load", "collectgarbage", "require",
		"print", "warn", "pcall", "xpcall", "rawset", "setmetatable", "getmetatable", NULL };
	static const char *const string_out[] = { "dump", "find", "match", "gmatch", "gsub", "rep", "pack",
		"unpack", "packsize", NULL };
	luaL_requiref(L, LUA_GNAME, luaopen_base, 1);
	for (int i = 0; base_out[i]; i++) {
		lua_pushnil(L);
		lua_setfield(L, -2, base_out[i]);
	}
	luaL_requiref(L, LUA_STRLIBNAME, luaopen_string, 1);
	for (int i = 0; string_out[i]; i++) {
		lua_pushnil(L);
		lua_setfield(L, -2, string_out[i]);
	}
	luaL_requiref(L, LUA_MATHLIBNAME, luaopen_math, 1);
	lua_settop(L, 0);
	return 0;
}

bool room_make(Room *r, size_t memory, long steps)
{
	memset(r, 0, sizeof *r);
	r->limit = memory;
	r->steps = steps;
	r->L = lua_newstate(room_alloc, r);
	if (r->L)
		lua_sethook(r->L, room_hook, LUA_MASKCOUNT, HOOK_EVERY);
	return r->L != NULL;
}

bool room_init(Room *r, size_t memory, long steps)
{
	if (!room_make(r, memory, steps))
		return false;
	lua_pushcfunction(r->L, room_open);
	if (lua_pcall(r->L, 0, 0, 0) == LUA_OK)
		return true;
	room_done(r);
	return false;
}

void room_done(Room *r)
{
	if (r->L)
		lua_close(r->L);
	r->L = NULL;
}

bool room_fail(Room *r, int status, Err *e)
{
	return room_fail_at(r, r->L, status, e);
}

bool room_fail_at(Room *r, lua_State *L, int status, Err *e)
{
	const char *s = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "an error that is not text";
	if (r->stop && *r->stop)
		err_set(e, E_5004, "stopped");
	else if (status == LUA_ERRMEM && r->steps >= 0)
		err_set(e, r->stop ? E_5002 : E_8002, "the script needs more than %zu MiB", r->limit >> 20);
	else if (status == LUA_ERRMEM)
		err_set(e, E_8002, "stopped: too many steps, or too much memory moved");
	else
		err_set(e, strstr(s, stopped) ? E_8002 : E_8001, "%s", s);
	lua_pop(L, 1);
	return false;
}

bool room_run(Room *r, const char *text, size_t n, const char *chunk, Err *e)
{
	int st = luaL_loadbufferx(r->L, text, n, chunk, "t");
	if (st == LUA_OK)
		st = lua_pcall(r->L, 0, 1, 0);
	return st == LUA_OK || room_fail(r, st, e);
}
