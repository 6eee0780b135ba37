/* run_reward.c - problems and rewards of reinforcement learning: C callbacks around the exam's functions, asked for either split, and around
 * the file's own reward. Training problems are keyed by the run's seed, those held out are the exam's. */
#include "script/run_lib.h"
#include "script/run_room.h"
#include <string.h>

enum { STREAM_RL = 3 /* beside those of run_call.c */ };

typedef struct Judge {
	RunFile *f;
	uint64_t i;
	const char *text;
	size_t n;
	const RlAnswer *a;
	RlVerdict *v;
} Judge;

static void push_kept(lua_State *L, const void *table, const char *field)
{
	lua_rawgetp(L, LUA_REGISTRYINDEX, table);
	lua_getfield(L, -1, field);
	lua_remove(L, -2);
}

/* The i-th training problem on top of the stack. */
static void push_problem(lua_State *L, const Judge *j)
{
	const uint64_t key[] = { STREAM_RL, j->i };
	push_kept(L, &j->f->room->exam, "ask");
	run_rng_push(L, rng_make((uint64_t)j->f->settings.seed, run_rng_stream(key, 2)));
	lua_pushinteger(L, (lua_Integer)j->i);
	lua_pushstring(L, "train");
	lua_call(L, 3, 1);
	if (!lua_istable(L, -1))
		luaL_error(L, "exam.ask must return a table { prompt = ..., level = ... }");
}

static int call_ask(lua_State *L)
{
	Judge *j = lua_touserdata(L, 1);
	push_problem(L, j);
	if (lua_getfield(L, -1, "prompt") != LUA_TSTRING)
		return luaL_error(L, "exam.ask: `prompt` is missing");
	j->text = lua_tolstring(L, -1, &j->n);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &j->f->room->asked);
	return 0;
}

/* Is there a thought, more than nothing between <think> and </think>? */
static bool thinks(const RlAnswer *a)
{
	static const char open[] = "<think>", close[] = "</think>";
	const char *end = a->n > sizeof open - 1 ? memmem(a->text, a->n, close, sizeof close - 1) : NULL;
	return end && memcmp(a->text, open, sizeof open - 1) == 0 && end > a->text + sizeof open - 1;
}

/* What a reward is a function of; the problem lies at index `problem`, the answer at the index behind `right`. */
static void push_answer(lua_State *L, const Judge *j, int problem, int right)
{
	lua_createtable(L, 0, 8);
	lua_pushlstring(L, j->a->text, j->a->n);
	lua_setfield(L, -2, "text");
	lua_pushvalue(L, right);
	lua_setfield(L, -2, "right");
	lua_pushvalue(L, right + 1);
	lua_setfield(L, -2, "answer");
	lua_getfield(L, problem, "answer");
	lua_setfield(L, -2, "truth");
	lua_pushvalue(L, problem);
	lua_setfield(L, -2, "problem");
	lua_pushinteger(L, (lua_Integer)j->a->length);
	lua_setfield(L, -2, "length");
	lua_pushboolean(L, j->a->ended);
	lua_setfield(L, -2, "ended");
	lua_pushboolean(L, thinks(j->a));
	lua_setfield(L, -2, "thinks");
}

/* The list on top of the stack, { { end, score }, ... }, or nil. */
static void take_steps(lua_State *L, RlVerdict *v)
{
	if (lua_isnil(L, -1))
		return;
	lua_Integer n = lua_istable(L, -1) ? (lua_Integer)lua_rawlen(L, -1) : -1;
	if (n < 0 || n > RL_STEPS)
		luaL_error(L, "reward: steps must be a list of at most %d { end, score }", (int)RL_STEPS);
	for (lua_Integer i = 1; i <= n; i++) {
		int whole, number;
		if (lua_rawgeti(L, -1, i) != LUA_TTABLE)
			luaL_error(L, "reward: step %d is not { end, score }", (int)i);
		lua_rawgeti(L, -1, 1);
		lua_rawgeti(L, -2, 2);
		lua_Integer end = lua_tointegerx(L, -2, &whole);
		lua_Number score = lua_tonumberx(L, -1, &number);
		if (!whole || !number || end < 0)
			luaL_error(L, "reward: step %d: the end is a place in the text, the score a number", (int)i);
		v->step[v->n_steps++] = (RlStep){ (size_t)end, (double)score };
		lua_pop(L, 3);
	}
}

/* The error names the line where the function begins. */
static int no_number(lua_State *L, const RunFile *f, const char *type)
{
	lua_Debug at;
	lua_rawgetp(L, LUA_REGISTRYINDEX, &f->room->reward);
	lua_getinfo(L, ">S", &at);
	if (at.linedefined < 1)
		return luaL_error(L, "reward must return a number, not %s", type);
	return luaL_error(L, "%s:%d: reward must return a number, not %s", at.short_src, at.linedefined, type);
}

static int call_judge(lua_State *L)
{
	Judge *j = lua_touserdata(L, 1);
	push_problem(L, j);
	int problem = lua_gettop(L);
	push_kept(L, &j->f->room->exam, "judge");
	lua_pushvalue(L, problem);
	lua_pushlstring(L, j->a->text, j->a->n);
	lua_call(L, 2, 2);
	if (!lua_isboolean(L, -2) || (lua_type(L, -1) != LUA_TSTRING && !lua_isnil(L, -1)))
		return luaL_error(L, "exam.judge must return true or false, and the answer as a text or nil");
	j->v->right = lua_toboolean(L, -2);
	j->v->answered = !lua_isnil(L, -1);
	if (lua_rawgetp(L, LUA_REGISTRYINDEX, &j->f->room->reward) == LUA_TNIL)
		return 0;
	push_answer(L, j, problem, problem + 1);
	lua_call(L, 1, 2);
	if (lua_type(L, -2) != LUA_TNUMBER)
		return no_number(L, j->f, luaL_typename(L, -2));
	j->v->rewarded = true;
	j->v->reward = (double)lua_tonumber(L, -2);
	take_steps(L, j->v);
	return 0;
}

static bool task_ask(void *ud, Split split, uint64_t i, const char **prompt, size_t *n, Err *e)
{
	RunFile *f = ud;
	Judge j = { .f = f, .i = i };
	int level;
	if (split == SPLIT_HELD_OUT)
		return f->exam.ask(f->exam.ud, i, prompt, n, &level, e);
	bool ok = run_call_guarded(f, call_ask, &j, e);
	*prompt = j.text;
	*n = j.n;
	return ok;
}

static bool task_judge(void *ud, Split split, uint64_t i, const RlAnswer *a, RlVerdict *v, Err *e)
{
	RunFile *f = ud;
	Judge j = { .f = f, .i = i, .a = a, .v = v };
	const char *answer;
	*v = (RlVerdict){ 0 };
	if (split == SPLIT_TRAIN)
		return run_call_guarded(f, call_judge, &j, e);
	bool ok = f->exam.judge(f->exam.ud, i, a->text, a->n, &v->right, &answer, e);
	v->answered = ok && answer;
	return ok;
}

void run_reward_keep(lua_State *L, RunFile *f)
{
	if (!lua_isnil(L, -1) && !lua_isfunction(L, -1))
		luaL_error(L, "reward must be a function of an answer");
	lua_rawsetp(L, LUA_REGISTRYINDEX, &f->room->reward);
	f->task.max_new = f->exam.max_new;
}

void run_reward_bind(RunFile *f)
{
	f->task.ask = task_ask;
	f->task.judge = task_judge;
	f->task.ud = f;
}
