/* run_call.c - the data and the exam of a run: C callbacks around Lua functions. Each call gets its own number of steps and a
 * generator keyed by its numbers. Texts handed out are kept in Lua's registry until the next call of the same kind. */
#include "script/run_lib.h"
#include "script/run_room.h"
#include <string.h>

enum { TEXT_MAX = 1 << 24, EXAM_SEED = 1 };
/* First numbers of the streams: data and exams never share one. */
enum { STREAM_DATA = 1, STREAM_EXAM = 2 };

typedef struct Call {
	RunFile *f;
	Split split;
	uint64_t row, i;
	Document sample;
	const char *text;      /* judge: what the model wrote; ask: the prompt */
	size_t n;
	int level;
	bool right;
	const char *answer;
} Call;

bool run_call_guarded(RunFile *f, lua_CFunction fn, void *ud, Err *e)
{
	RunRoom *r = f->room;
	lua_State *L = r->L;
	if (r->owned)
		room_allow(r->room, RUN_STEPS_CALL, RUN_SECONDS);
	if (!lua_checkstack(L, LUA_MINSTACK))
		return err_set(e, E_5002, "%s: no room on Lua's stack", r->file);
	lua_pushcfunction(L, fn);
	lua_pushlightuserdata(L, ud);
	int st = lua_pcall(L, 1, 0, 0);
	if (st == LUA_OK)
		return true;
	room_fail_at(r->room, L, st, e);
	return r->owned ? err_wrap(e, "%s", r->file) : false; /* a script's error names the script already */
}

static bool call_run(Call *c, lua_CFunction fn, Err *e)
{
	return run_call_guarded(c->f, fn, c, e);
}

static void push_field(lua_State *L, const void *table, const char *field)
{
	lua_rawgetp(L, LUA_REGISTRYINDEX, table);
	lua_getfield(L, -1, field);
	lua_remove(L, -2);
}

/* Field `key` of the table on top of the stack, kept under `keep`; NULL: nil. */
static const char *take_text(lua_State *L, const char *whose, const char *key, const void *keep, size_t *n)
{
	int type = lua_getfield(L, -1, key);
	if (type != LUA_TSTRING && type != LUA_TNIL)
		luaL_error(L, "%s: `%s` must be a text", whose, key);
	const char *s = lua_tolstring(L, -1, n);
	if (s && *n > TEXT_MAX)
		luaL_error(L, "%s: `%s` is longer than 16 MiB", whose, key);
	if (!s)
		*n = 0;
	lua_rawsetp(L, LUA_REGISTRYINDEX, keep);
	return s;
}

static int call_get(lua_State *L)
{
	Call *c = lua_touserdata(L, 1);
	RunRoom *r = c->f->room;
	const uint64_t key[] = { STREAM_DATA, c->split, c->row, c->i };
	push_field(L, &r->data, "get");
	run_rng_push(L, rng_make((uint64_t)c->f->settings.seed, run_rng_stream(key, 4)));
	lua_pushstring(L, c->split == SPLIT_TRAIN ? "train" : "held_out");
	lua_pushinteger(L, (lua_Integer)c->row);
	lua_pushinteger(L, (lua_Integer)c->i);
	lua_call(L, 4, 1);
	if (!lua_istable(L, -1))
		return luaL_error(L, "data.get must return a table { prompt = ..., answer = ... }");
	c->sample.prompt = take_text(L, "data.get", "prompt", &r->prompt, &c->sample.n_prompt);
	c->sample.answer = take_text(L, "data.get", "answer", &r->answer, &c->sample.n_answer);
	if (c->sample.n_answer == 0)
		return luaL_error(L, "data.get: `answer` is missing or empty");
	return 0;
}

static bool source_get(void *ud, Split split, uint64_t row, uint64_t i, Document *s, Err *e)
{
	Call c = { .f = ud, .split = split, .row = row, .i = i };
	bool ok = call_run(&c, call_get, e);
	*s = c.sample;
	return ok;
}

/* The problem i on top of the stack. */
static void push_problem(lua_State *L, const Call *c)
{
	const uint64_t key[] = { STREAM_EXAM, c->i };
	push_field(L, &c->f->room->exam, "ask");
	run_rng_push(L, rng_make(EXAM_SEED, run_rng_stream(key, 2)));
	lua_pushinteger(L, (lua_Integer)c->i);
	lua_call(L, 2, 1);
	if (!lua_istable(L, -1))
		luaL_error(L, "exam.ask must return a table { prompt = ..., level = ... }");
}

static int call_ask(lua_State *L)
{
	Call *c = lua_touserdata(L, 1);
	push_problem(L, c);
	c->text = take_text(L, "exam.ask", "prompt", &c->f->room->asked, &c->n);
	if (!c->text)
		return luaL_error(L, "exam.ask: `prompt` is missing");
	int ok = 1, type = lua_getfield(L, -1, "level");
	lua_Integer level = type == LUA_TNIL ? 0 : lua_tointegerx(L, -1, &ok);
	if (!ok || level < 0 || level > 1000)
		return luaL_error(L, "exam.ask: `level` must be a whole number from 0 to 1000");
	c->level = (int)level;
	return 0;
}

static bool exam_ask(void *ud, uint64_t i, const char **prompt, size_t *n, int *level, Err *e)
{
	Call c = { .f = ud, .i = i };
	bool ok = call_run(&c, call_ask, e);
	*prompt = c.text;
	*n = c.n;
	*level = c.level;
	return ok;
}

static int call_judge(lua_State *L)
{
	Call *c = lua_touserdata(L, 1);
	push_field(L, &c->f->room->exam, "judge");
	push_problem(L, c);
	lua_pushlstring(L, c->text, c->n);
	lua_call(L, 2, 2);
	if (!lua_isboolean(L, -2) || (lua_type(L, -1) != LUA_TSTRING && !lua_isnil(L, -1)))
		return luaL_error(L, "exam.judge must return true or false, and the answer as a text or nil");
	c->right = lua_toboolean(L, -2);
	c->answer = lua_tostring(L, -1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &c->f->room->judged);
	return 0;
}

static bool exam_judge(void *ud, uint64_t i, const char *text, size_t n, bool *right, const char **answer, Err *e)
{
	Call c = { .f = ud, .i = i, .text = text, .n = n };
	bool ok = call_run(&c, call_judge, e);
	*right = ok && c.right;
	*answer = ok ? c.answer : NULL;
	return ok;
}

static void need_function(lua_State *L, const char *whose, const char *key)
{
	if (lua_getfield(L, -1, key) != LUA_TFUNCTION)
		luaL_error(L, "%s.%s must be a function", whose, key);
	lua_pop(L, 1);
}

void run_call_keep_data(lua_State *L, RunFile *f)
{
	if (!lua_istable(L, -1))
		luaL_error(L, "data must be a table { get = function(rng, split, row, i) ... end }");
	need_function(L, "data", "get");
	lua_rawsetp(L, LUA_REGISTRYINDEX, &f->room->data);
	f->has_data = true;
}

void run_call_keep_exam(lua_State *L, RunFile *f)
{
	int ok = 1;
	if (!lua_istable(L, -1))
		luaL_error(L, "exam must be a table { ask = function(rng, i) ... end, judge = function(problem, text) ... end }");
	need_function(L, "exam", "ask");
	need_function(L, "exam", "judge");
	lua_Integer most = lua_getfield(L, -1, "max_new") == LUA_TNIL ? 128 : lua_tointegerx(L, -1, &ok);
	lua_pop(L, 1);
	if (!ok || most < 1 || most > 1 << 20)
		luaL_error(L, "exam.max_new must be a whole number from 1 to 1048576");
	f->exam.max_new = most;
	lua_rawsetp(L, LUA_REGISTRYINDEX, &f->room->exam);
	f->has_exam = true;
}

void run_call_bind(RunFile *f)
{
	f->source = (Source){ source_get, f };
	f->exam.ask = exam_ask;
	f->exam.judge = exam_judge;
	f->exam.ud = f;
}

void run_call_forget(RunFile *f)
{
	RunRoom *r = f->room;
	const void *const key[] = { &r->data, &r->exam, &r->prompt, &r->answer, &r->asked, &r->judged, &r->reward };
	for (size_t i = 0; i < sizeof key / sizeof key[0]; i++) {
		lua_pushnil(r->room->L);
		lua_rawsetp(r->room->L, LUA_REGISTRYINDEX, key[i]);
	}
}
