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
	bool ok = false, rl = f->is_rl && setting_named(rl_settings_table(), key);
	const Setting *table = rl ? rl_settings_table() : settings_table();
	void *values = rl ? (void *)&f->rl : (void *)&f->settings;
	switch (lua_type(L, -1)) {
	case LUA_TNUMBER:
		ok = setting_set_number(table, values, key, lua_tonumber(L, -1), &e);
		break;
	case LUA_TBOOLEAN:
		ok = setting_set(table, values, key, lua_toboolean(L, -1) ? "true" : "false", &e);
		break;
	case LUA_TSTRING:
		ok = setting_set(table, values, key, lua_tostring(L, -1), &e);
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
	if (take_text(L, f, key) || (f->is_rl && (strcmp(key, "reward") == 0 || strcmp(key, "task") == 0)))
		return;
	if (strcmp(key, "model") == 0)
		take_model(L, f);
	else if (strcmp(key, "kv_heads") == 0)
		take_heads(L, f);
	else if (strcmp(key, "data") != 0 && strcmp(key, "exam") != 0)
		take_setting(L, f, key);
}

/* Pushes lathe.tasks.exam(task, level). */
static void push_exam(lua_State *L, const char *task, int level)
{
	lua_getglobal(L, "require");
	lua_pushstring(L, "lathe.tasks");
	lua_call(L, 1, 1);
	lua_getfield(L, -1, "exam");
	lua_remove(L, -2);
	lua_pushstring(L, task);
	if (level > 0)
		lua_pushinteger(L, level);
	else
		lua_pushnil(L);
	lua_call(L, 2, 1);
}

/* What reinforcement learning needs: problems, by `exam` or by the name of a task; a reward of the file's own is optional. */
static void read_task(lua_State *L, RunFile *f)
{
	if (lua_getfield(L, 1, "task") != LUA_TNIL) {
		if (f->has_exam || lua_type(L, -1) != LUA_TSTRING)
			luaL_error(L, "`task` is the name of a task of lathe.tasks, in place of `exam`");
		push_exam(L, lua_tostring(L, -1), 0);
		run_call_keep_exam(L, f);
	} else if (!f->has_exam) {
		luaL_error(L, "`exam` is missing, or `task`, the name of one");
	}
	lua_pop(L, 1);
	lua_getfield(L, 1, "reward");
	run_reward_keep(L, f);
}

/* The run's table is the first argument, the RunFile the second. */
static int read_run(lua_State *L)
{
	RunFile *f = lua_touserdata(L, 2);
	if (!lua_istable(L, 1))
		return luaL_error(L, "a run is a table; a file must end with `return { ... }`");
	for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
		if (lua_type(L, -2) != LUA_TSTRING)
			return luaL_error(L, "a value without a name in the run's table");
		take_field(L, f, lua_tostring(L, -2));
	}
	if (!f->model == !f->from)
		return luaL_error(L, "give either `model`, the fields of a config.json, or `from`, a checkpoint");
	if (!f->from && !f->tokenizer)
		return luaL_error(L, "`tokenizer` is missing: \"@NAME\" or a folder");
	if (lua_getfield(L, 1, "data") != LUA_TNIL)
		run_call_keep_data(L, f);
	else if (!f->is_rl)
		return luaL_error(L, "`data` is missing");
	if (lua_getfield(L, 1, "exam") != LUA_TNIL)
		run_call_keep_exam(L, f);
	if (f->is_rl)
		read_task(L, f);
	return 0;
}

/* --- opening --- */

/* Without a room yet. */
static RunFile *run_make(const char *path, Err *e)
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
	rl_settings_default(&f->rl);
	r->arena = arena_new("run", 0);
	r->file = r->arena ? arena_strdup(r->arena, base) : NULL;
	if (len > 4 && strcmp(base + len - 4, ".lua") == 0)
		len -= 4;
	f->name = r->arena ? arena_printf(r->arena, "%.*s", (int)(len < 200 ? len : 200), base) : NULL;
	run_call_bind(f);
	run_reward_bind(f);
	if (r->file && f->name)
		return f;
	err_set(e, E_5001, "no memory for a run");
	run_file_free(f);
	return NULL;
}

static RunFile *run_new(const char *path, const char *lua_dir, Err *e)
{
	RunFile *f = run_make(path, e);
	if (!f)
		return NULL;
	RunRoom *r = f->room;
	const char *modules = arena_strdup(r->arena, lua_dir); /* read from for as long as the room lives */
	bool ok = modules && room_init(&r->own, RUN_MEMORY, RUN_STEPS_READ);
	r->room = &r->own;
	r->owned = true;
	r->L = r->own.L;
	if (!ok)
		err_set(e, E_5001, "no memory for Lua");
	if (ok && run_lib_open(r->room, modules, e))
		return f;
	run_file_free(f);
	return NULL;
}

void run_file_free(RunFile *f)
{
	if (!f)
		return;
	if (f->room->owned)
		room_done(&f->room->own);
	else if (f->room->room)
		run_call_forget(f);
	buf_done(&f->room->json);
	if (f->room->arena)
		arena_free(f->room->arena);
	free(f->room);
	free(f);
}

/* Errors of a field have no line of their own: the file is named. */
static bool run_fail(RunFile *f, int status, Err *e)
{
	RunRoom *r = f->room;
	Err mine = { 0 };
	room_fail_at(r->room, r->L, status, &mine);
	return err_set(e, mine.code == E_8001 ? E_8003 : mine.code, "%s%s%s", r->owned ? r->file : "", r->owned ? ": " : "", mine.text);
}

static bool run_read(RunFile *f, const char *path, Err *e)
{
	Buf text = BUF_INIT;
	char chunk[80];
	lua_State *L = f->room->L;
	snprintf(chunk, sizeof chunk, "@%.70s", f->room->file);
	room_allow(f->room->room, RUN_STEPS_READ, RUN_SECONDS);
	bool ok = buf_read_file(&text, path, FILE_BYTES_MAX, e) &&
		room_run(f->room->room, buf_str(&text), text.len, chunk, e);
	buf_done(&text);
	if (!ok) /* an error that a module raised about what it was given may have no place of its own */
		return strstr(e->text, f->room->file) ? false : err_wrap(e, "%s", f->room->file);
	lua_pushcfunction(L, read_run);
	lua_insert(L, -2);
	lua_pushlightuserdata(L, f);
	int st = lua_pcall(L, 2, 0, 0);
	return st == LUA_OK || run_fail(f, st, e);
}

static RunFile *file_open(const char *path, const char *lua_dir, bool rl, Err *e)
{
	RunFile *f = run_new(path, lua_dir, e);
	if (f)
		f->is_rl = rl;
	if (f && !run_read(f, path, e)) {
		run_file_free(f);
		return NULL;
	}
	return f;
}

RunFile *run_file_open(const char *path, const char *lua_dir, Err *e)
{
	return file_open(path, lua_dir, false, e);
}

RunFile *run_rl_open(const char *path, const char *lua_dir, Err *e)
{
	return file_open(path, lua_dir, true, e);
}

/* --- in a script's own state --- */

/* A function that takes the table at index i and the RunFile, under protection. */
static RunFile *share_with(lua_State *L, Room *room, int i, lua_CFunction read, Err *e)
{
	i = lua_absindex(L, i);
	RunFile *f = run_make("run", e);
	if (!f)
		return NULL;
	f->room->room = room;
	f->room->L = L;
	lua_pushcfunction(L, read);
	lua_pushvalue(L, i);
	lua_pushlightuserdata(L, f);
	int st = lua_pcall(L, 2, 0, 0);
	if (st == LUA_OK)
		return f;
	run_fail(f, st, e);
	run_file_free(f);
	return NULL;
}

RunFile *run_file_share(lua_State *L, Room *room, int i, Err *e)
{
	return share_with(L, room, i, read_run, e);
}

static int read_rl(lua_State *L)
{
	RunFile *f = lua_touserdata(L, 2);
	f->is_rl = true;
	return read_run(L);
}

RunFile *run_rl_share(lua_State *L, Room *room, int i, Err *e)
{
	return share_with(L, room, i, read_rl, e);
}

static int read_exam_table(lua_State *L)
{
	RunFile *f = lua_touserdata(L, 2);
	lua_settop(L, 1);
	run_call_keep_exam(L, f);
	return 0;
}

RunFile *run_exam_share(lua_State *L, Room *room, int i, Err *e)
{
	return share_with(L, room, i, read_exam_table, e);
}

void run_file_at(RunFile *f, lua_State *L)
{
	if (!f->room->owned)
		f->room->L = L;
}

/* --- an exam alone --- */

typedef struct Asked { RunFile *f; const char *task; int level; } Asked;

static int read_exam(lua_State *L)
{
	const Asked *a = lua_touserdata(L, 1);
	push_exam(L, a->task, a->level);
	run_call_keep_exam(L, a->f);
	return 0;
}

RunFile *run_exam_open(const char *task, int level, const char *lua_dir, Err *e)
{
	RunFile *f = run_new("tasks.lua", lua_dir, e);
	Asked a = { f, task, level };
	if (!f)
		return NULL;
	lua_State *L = f->room->L;
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
