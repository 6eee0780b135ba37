/* lab.c - the life of an experiment: its state, its errors, its limits. The script runs in a process that its parent can kill
 * (cli/cmd_run.c), so what a count hook cannot stop is stopped there. */
#include "script/lab.h"
#include "base/buf.h"
#include "script/lab_lib.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SCRIPT_BYTES_MAX = 4 << 20, COLLECT_AFTER = 64 << 20 };

Lab *lab_of(lua_State *L)
{
	void *room;
	lua_getallocf(L, &room);
	return room;
}

/* --- errors --- */

static bool is_ours(const char *source)
{
	return strncmp(source, "@lathe/", 7) == 0 || source[0] == '=';
}

void lab_where(lua_State *L)
{
	lua_Debug ar;
	for (int level = 1; lua_getstack(L, level, &ar); level++) {
		lua_getinfo(L, "Sl", &ar);
		if (ar.currentline > 0 && !is_ours(ar.source)) {
			lua_pushfstring(L, "%s:%d: ", ar.short_src, ar.currentline);
			return;
		}
	}
	lua_pushliteral(L, "");
}

/* "script.lua:12: ..." */
static bool has_place(const char *s)
{
	const char *colon = strchr(s, ':'), *rest = colon ? colon + 1 + strspn(colon + 1, "0123456789") : NULL;
	return colon && rest > colon + 1 && rest[0] == ':' && !memchr(s, ' ', (size_t)(colon - s));
}

int lab_raise(lua_State *L, const Err *e)
{
	lab_of(L)->raised = *e;
	if (e->code == E_8001 && has_place(e->text)) /* the script's own error, on its way back through the engine */
		lua_pushliteral(L, "");
	else
		lab_where(L);
	lua_pushstring(L, e->text);
	lua_concat(L, 2);
	return lua_error(L);
}

int lab_fail(lua_State *L, int code, const char *fmt, ...)
{
	Err e = { 0 };
	va_list ap;
	va_start(ap, fmt);
	err_vset(&e, code, fmt, ap);
	va_end(ap);
	return lab_raise(L, &e);
}

void lab_check_stop(lua_State *L)
{
	if (*lab_of(L)->room.stop)
		lab_fail(L, E_5004, "stopped");
}

/* An error that happened inside lua/lathe is the fault of who called it: the place is changed for the caller's. */
static void point_at_user(lua_State *L)
{
	const char *s = lua_tostring(L, -1);
	const char *colon = strncmp(s, "lathe/", 6) == 0 ? strstr(s, ".lua:") : NULL;
	const char *rest = colon ? colon + 5 + strspn(colon + 5, "0123456789") : NULL;
	if (!rest || strncmp(rest, ": ", 2) != 0)
		return;
	lab_where(L);
	if (lua_rawlen(L, -1) == 0) {
		lua_pop(L, 1);
		return;
	}
	lua_pushstring(L, rest + 2);
	lua_concat(L, 2);
	lua_remove(L, -2);
}

static int tostring_call(lua_State *L)
{
	lab_tolstring(L, 1);
	return 1;
}

/* Whatever was raised becomes a text, while the stack still tells where. */
static int on_error(lua_State *L)
{
	if (lua_type(L, 1) != LUA_TSTRING) {
		lua_pushcfunction(L, tostring_call);
		lua_pushvalue(L, 1);
		if (lua_pcall(L, 1, 1, 0) != LUA_OK || lua_type(L, -1) != LUA_TSTRING) {
			lab_where(L);
			lua_pushliteral(L, "an error that is not text");
			lua_concat(L, 2);
		}
	}
	point_at_user(L);
	return 1;
}

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);
	return m > 0 && n >= m && strcmp(s + n - m, end) == 0;
}

void lab_line_end(Lab *lab)
{
	if (!lab->line)
		return;
	lab->line = false;
	fputs("\r\033[K", stderr);
	fflush(stderr);
}

/* The error on top of the stack into e. */
static bool lab_error(Lab *lab, int status, Err *e)
{
	lab_line_end(lab);
	lua_State *L = lab->room.L;
	const char *s = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "an error that is not text";
	if (*lab->room.stop)
		err_set(e, E_5004, "stopped");
	else if (status == LUA_ERRMEM)
		err_set(e, E_5002, "the script needs more than %zu MiB; --memory-limit SIZE allows more", lab->room.limit >> 20);
	else
		err_set(e, ends_with(s, lab->raised.text) ? lab->raised.code : E_8001, "%s", s);
	lua_settop(L, 0);
	return false;
}

/* --- memory outside Lua's heap --- */

void lab_take(lua_State *L, size_t bytes)
{
	Lab *lab = lab_of(L);
	Room *r = &lab->room;
	lab->since += bytes;
	if (bytes > r->limit - r->held || lab->since > (lab->outside / 2 > COLLECT_AFTER ? lab->outside / 2 : COLLECT_AFTER)) {
		lab->since = 0;
		lua_gc(L, LUA_GCCOLLECT);
	}
	if (bytes > r->limit - r->held)
		lab_fail(L, E_5002, "the script needs more than %zu MiB; --memory-limit SIZE allows more", r->limit >> 20);
	r->held += bytes;
	lab->outside += bytes;
}

void lab_give(lua_State *L, size_t bytes)
{
	Lab *lab = lab_of(L);
	lab->room.held -= bytes;
	lab->outside -= bytes;
}

/* --- life --- */

Lab *lab_new(const LabOptions *o, Err *e)
{
	Lab *lab = calloc(1, sizeof *lab);
	if (!lab || !room_make(&lab->room, o->memory_limit ? o->memory_limit : SIZE_MAX, LONG_MAX)) {
		free(lab);
		err_set(e, E_5001, "no memory for Lua");
		return NULL;
	}
	lab->o = *o;
	lab->room.stop = o->stop ? o->stop : &lab->never;
	lab->pool = pool_new(o->threads > 0 ? o->threads : 1);
	lua_pushcfunction(lab->room.L, lab_lib_open);
	int st = lua_pcall(lab->room.L, 0, 0, 0);
	if (st == LUA_OK && lab->pool)
		return lab;
	if (st != LUA_OK)
		lab_error(lab, st, e);
	else
		err_set(e, E_5001, "no memory for threads");
	lab_free(lab);
	return NULL;
}

void lab_free(Lab *lab)
{
	if (!lab)
		return;
	room_done(&lab->room);
	if (lab->pool)
		pool_free(lab->pool);
	free(lab);
}

bool lab_text(Lab *lab, const char *text, size_t n, const char *chunk, Err *e)
{
	lua_State *L = lab->room.L;
	lua_settop(L, 0);
	lua_pushcfunction(L, on_error);
	int st = luaL_loadbufferx(L, text, n, chunk, "t");
	if (st == LUA_OK)
		st = lua_pcall(L, 0, 0, 1);
	if (st != LUA_OK)
		return lab_error(lab, st, e);
	lua_settop(L, 0);
	return fflush(stdout) == 0 || err_set(e, E_4002, "standard output: cannot be written to");
}

bool lab_call(Lab *lab, lua_CFunction fn, void *ud, Err *e)
{
	lua_State *L = lab->room.L;
	lua_settop(L, 0);
	lua_pushcfunction(L, on_error);
	lua_pushcfunction(L, fn);
	lua_pushlightuserdata(L, ud);
	int st = lua_pcall(L, 1, 0, 1);
	if (st != LUA_OK)
		return lab_error(lab, st, e);
	lua_settop(L, 0);
	return fflush(stdout) == 0 || err_set(e, E_4002, "standard output: cannot be written to");
}

bool lab_run(const LabOptions *o, Err *e)
{
	Buf text = BUF_INIT;
	char chunk[80];
	const char *slash = strrchr(o->script, '/');
	snprintf(chunk, sizeof chunk, "@%.50s", slash ? slash + 1 : o->script);
	if (!buf_read_file(&text, o->script, SCRIPT_BYTES_MAX, e)) {
		buf_done(&text);
		return false;
	}
	Lab *lab = lab_new(o, e);
	bool ok = lab && lab_text(lab, buf_str(&text), text.len, chunk, e);
	buf_done(&text);
	fflush(stdout);
	return ok;
}
