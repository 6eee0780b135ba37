/* run_file.c - reading a run's table. A Lua error may leave any function between room_* calls by longjmp, so what is allocated here
 * hangs on the RunFile from the start. */
#include "script/run_file.h"
#include "base/json.h"
#include "script/run_lib.h"
#include "script/run_room.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_BYTES_MAX = 1 << 20, JSON_KEYS = 128, JSON_DEEP = 4 };

/* --- the model as JSON --- */

static void model_value(lua_State *L, Jout *j, int depth);

static int key_order(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void model_object(lua_State *L, Jout *j, int depth)
{
	const char *key[JSON_KEYS];
	size_t n = 0;
	int t = lua_gettop(L);
	for (lua_pushnil(L); lua_next(L, t); lua_pop(L, 1)) {
		if (lua_type(L, -2) != LUA_TSTRING || n == JSON_KEYS)
			luaL_error(L, "model: keys must be texts, at most %d", JSON_KEYS);
		key[n++] = lua_tostring(L, -2); /* lives as long as it is a key of the table */
	}
	qsort(key, n, sizeof key[0], key_order);
	jout_obj(j);
	for (size_t i = 0; i < n; i++) {
		jout_key(j, key[i]);
		lua_getfield(L, t, key[i]);
		model_value(L, j, depth);
		lua_pop(L, 1);
	}
	jout_end_obj(j);
}

static void model_list(lua_State *L, Jout *j, int depth)
{
	lua_Integer n = (lua_Integer)lua_rawlen(L, -1);
	if (n > 65536)
		luaL_error(L, "model: a list longer than 65536");
	jout_arr(j);
	for (lua_Integer i = 1; i <= n; i++) {
		lua_rawgeti(L, -1, i);
		model_value(L, j, depth);
		lua_pop(L, 1);
	}
	jout_end_arr(j);
}

/* The value on top of the stack, which is left there. */
static void model_value(lua_State *L, Jout *j, int depth)
{
	size_t n;
	const char *s;
	luaL_checkstack(L, 8, "model");
	switch (lua_type(L, -1)) {
	case LUA_TBOOLEAN:
		jout_bool(j, lua_toboolean(L, -1));
		return;
	case LUA_TNUMBER:
		if (lua_isinteger(L, -1))
			jout_int(j, lua_tointeger(L, -1));
		else if (isfinite(lua_tonumber(L, -1)))
			jout_num(j, lua_tonumber(L, -1));
		else
			luaL_error(L, "model: a number that is not finite");
		return;
	case LUA_TSTRING:
		s = lua_tolstring(L, -1, &n);
		jout_strn(j, s, n);
		return;
	case LUA_TLIGHTUSERDATA: /* lathe.core's null is the only one there is */
		jout_null(j);
		return;
	case LUA_TTABLE:
		if (depth == JSON_DEEP)
			luaL_error(L, "model: tables at most %d deep", JSON_DEEP);
		(lua_rawlen(L, -1) > 0 ? model_list : model_object)(L, j, depth + 1);
		return;
	default:
		luaL_error(L, "model: a %s cannot stand in a config.json", luaL_typename(L, -1));
	}
}

/* --- fields; the value is on top of the stack --- */

static const char *text_keep(lua_State *L, RunFile *f, const char *s)
{
	const char *copy = arena_strdup(f->room->arena, s);
	if (!copy)
		luaL_error(L, "out of memory");
	return copy;
}

static void take_model(lua_State *L, RunFile *f)
{
	Jout j;
	if (!lua_istable(L, -1))
		luaL_error(L, "model must be a table with the fields of a config.json");
	jout_init(&j, &f->room->json);
	model_object(L, &j, 0);
	if (f->room->json.failed)
		luaL_error(L, "out of memory");
	f->model = buf_str(&f->room->json);
}

static void take_heads(lua_State *L, RunFile *f)
{
	int ok;
	lua_Integer n = lua_tointegerx(L, -1, &ok);
	if (!ok || n < 1 || n > 65536)
		luaL_error(L, "kv_heads must be a whole number from 1 to 65536");
	f->kv_heads = (int)n;
}

static void take_setting(lua_State *L, RunFile *f, const char *key)
{
	Err e = { 0 };
	bool ok = false;
	switch (lua_type(L, -1)) {
	case LUA_TNUMBER:
		ok = settings_set_number(&f->settings, key, lua_tonumber(L, -1), &e);
		break;
	case LUA_TBOOLEAN:
		ok = settings_set(&f->settings, key, lua_toboolean(L, -1) ? "true" : "false", &e);
		break;
	case LUA_TSTRING:
		ok = settings_set(&f->settings, key, lua_tostring(L, -1), &e);
		break;
	default:
		luaL_error(L, "%s: a %s is no value of a setting", key, luaL_typename(L, -1));
	}
	if (!ok)
		luaL_error(L, "%s", e.text);
}

static bool take_text(lua_State *L, RunFile *f, const char *key)
{
	const struct { const char *key, **to; } field[] = { { "name", &f->name }, { "from", &f->from },
		{ "attention", &f->attention }, { "tokenizer", &f->tokenizer }, { "out", &f->out } };
	for (size_t i = 0; i < sizeof field / sizeof field[0]; i++) {
		if (strcmp(field[i].key, key) != 0)
			continue;
		if (lua_type(L, -1) != LUA_TSTRING || lua_rawlen(L, -1) == 0)
			luaL_error(L, "%s must be a text", key);
		*field[i].to = text_keep(L, f, lua_tostring(L, -1));
		return true;
	}
	return false;
}

static void take_field(lua_State *L, RunFile *f, const char *key)
{
	if (take_text(L, f, key))
		return;
	if (strcmp(key, "model") == 0)
		take_model(L, f);
	else if (strcmp(key, "kv_heads") == 0)
		take_heads(L, f);
	else if (strcmp(key, "data") != 0 && strcmp(key, "exam") != 0)
		take_setting(L, f, key);
}

/* The run's table is the first argument, the RunFile the second. */
static int read_run(lua_State *L)
{
	RunFile *f = lua_touserdata(L, 2);
	if (!lua_istable(L, 1))
		return luaL_error(L, "the file must end with `return { ... }`");
	for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
		if (lua_type(L, -2) != LUA_TSTRING)
			return luaL_error(L, "a value without a name in the run's table");
		take_field(L, f, lua_tostring(L, -2));
	}
	if (!f->model == !f->from)
		return luaL_error(L, "give either `model`, the fields of a config.json, or `from`, a checkpoint");
	if (!f->from && !f->tokenizer)
		return luaL_error(L, "`tokenizer` is missing: \"@NAME\" or a folder");
	if (lua_getfield(L, 1, "data") == LUA_TNIL)
		return luaL_error(L, "`data` is missing");
	run_call_keep_data(L, f);
	if (lua_getfield(L, 1, "exam") != LUA_TNIL)
		run_call_keep_exam(L, f);
	return 0;
}

/* --- opening --- */

static RunFile *run_new(const char *path, const char *lua_dir, Err *e)
{
	const char *base = strrchr(path, '/');
	base = base ? base + 1 : path;
	RunFile *f = calloc(1, sizeof *f);
	RunRoom *r = f ? calloc(1, sizeof *r) : NULL;
	size_t len = strlen(base);
	if (!r) {
		free(f);
		err_set(e, E_5001, "no memory for Lua");
		return NULL;
	}
	f->room = r;
	settings_default(&f->settings);
	r->arena = arena_new("run", 0);
	r->file = r->arena ? arena_strdup(r->arena, base) : NULL;
	const char *modules = r->arena ? arena_strdup(r->arena, lua_dir) : NULL; /* read from for as long as the room lives */
	if (len > 4 && strcmp(base + len - 4, ".lua") == 0)
		len -= 4;
	f->name = r->arena ? arena_printf(r->arena, "%.*s", (int)(len < 200 ? len : 200), base) : NULL;
	bool ok = r->file && modules && f->name && room_init(&r->room, RUN_MEMORY, RUN_STEPS_READ);
	if (!ok)
		err_set(e, E_5001, "no memory for Lua");
	if (!ok || !run_lib_open(&r->room, modules, e)) {
		run_file_free(f);
		return NULL;
	}
	run_call_bind(f);
	return f;
}

void run_file_free(RunFile *f)
{
	if (!f)
		return;
	room_done(&f->room->room);
	buf_done(&f->room->json);
	if (f->room->arena)
		arena_free(f->room->arena);
	free(f->room);
	free(f);
}

/* Errors of a field have no line of their own: the file is named. */
static bool run_fail(RunFile *f, int status, Err *e)
{
	Err mine = { 0 };
	room_fail(&f->room->room, status, &mine);
	return err_set(e, mine.code == E_8001 ? E_8003 : mine.code, "%s: %s", f->room->file, mine.text);
}

static bool run_read(RunFile *f, const char *path, Err *e)
{
	Buf text = BUF_INIT;
	char chunk[80];
	lua_State *L = f->room->room.L;
	snprintf(chunk, sizeof chunk, "@%.70s", f->room->file);
	room_allow(&f->room->room, RUN_STEPS_READ, RUN_SECONDS);
	bool ok = buf_read_file(&text, path, FILE_BYTES_MAX, e) &&
		room_run(&f->room->room, buf_str(&text), text.len, chunk, e);
	buf_done(&text);
	if (!ok) /* an error that a module raised about what it was given may have no place of its own */
		return strstr(e->text, f->room->file) ? false : err_wrap(e, "%s", f->room->file);
	lua_pushcfunction(L, read_run);
	lua_insert(L, -2);
	lua_pushlightuserdata(L, f);
	int st = lua_pcall(L, 2, 0, 0);
	return st == LUA_OK || run_fail(f, st, e);
}

RunFile *run_file_open(const char *path, const char *lua_dir, Err *e)
{
	RunFile *f = run_new(path, lua_dir, e);
	if (f && !run_read(f, path, e)) {
		run_file_free(f);
		return NULL;
	}
	return f;
}

/* --- an exam alone --- */

typedef struct Asked { RunFile *f; const char *task; int level; } Asked;

static int read_exam(lua_State *L)
{
	const Asked *a = lua_touserdata(L, 1);
	lua_getglobal(L, "require");
	lua_pushstring(L, "lathe.tasks");
	lua_call(L, 1, 1);
	lua_getfield(L, -1, "exam");
	lua_pushstring(L, a->task);
	if (a->level > 0)
		lua_pushinteger(L, a->level);
	else
		lua_pushnil(L);
	lua_call(L, 2, 1);
	run_call_keep_exam(L, a->f);
	return 0;
}

RunFile *run_exam_open(const char *task, int level, const char *lua_dir, Err *e)
{
	RunFile *f = run_new("tasks.lua", lua_dir, e);
	Asked a = { f, task, level };
	if (!f)
		return NULL;
	lua_State *L = f->room->room.L;
	lua_pushcfunction(L, read_exam);
	lua_pushlightuserdata(L, &a);
	int st = lua_pcall(L, 1, 0, 0);
	if (st == LUA_OK)
		return f;
	run_fail(f, st, e);
	run_file_free(f);
	return NULL;
}

bool run_exam_task(const char *dir, Buf *task, Err *e)
{
	Buf path = BUF_INIT;
	buf_printf(&path, "%s/card.json", dir);
	json_t *card = json_parse_file(buf_str(&path), 1 << 20, E_8003, e);
	const char *s = json_string_value(json_object_get(card, "task"));
	if (s)
		buf_adds(task, s);
	else if (card)
		err_set(e, E_8003, "%s: no \"task\": name one instead of `default`", buf_str(&path));
	json_decref(card);
	buf_done(&path);
	return s != NULL;
}
