/* lua_eval.c - run:eval: held-out problems asked of the weights as they are, by the loop of `lathe eval`. */
#include "engine/exam.h"
#include "script/lua_run.h"
#include "script/run_room.h"
#include <stdio.h>

static double option(lua_State *L, const char *name, double usual, double least, double most)
{
	int ok = 1;
	double v = lua_getfield(L, 2, name) == LUA_TNIL ? usual : lua_tonumberx(L, -1, &ok);
	lua_pop(L, 1);
	if (!ok || !(v >= least && v <= most))
		lab_fail(L, E_8001, "eval: %s must be a number from %g to %g", name, least, most);
	return v;
}

/* The table of an exam on top of the stack: given, or by the name of a task. */
static void push_exam(lua_State *L)
{
	if (lua_getfield(L, 2, "exam") != LUA_TSTRING)
		return;
	lua_getglobal(L, "require");
	lua_pushliteral(L, "lathe.tasks");
	lua_call(L, 1, 1);
	lua_getfield(L, -1, "exam");
	lua_pushvalue(L, -3);
	lua_call(L, 1, 1);
}

static void put_ks(lua_State *L, const char *name, const ExamResult *r, const double *sum)
{
	lua_newtable(L);
	for (int i = 0; exam_k(r->k, i); i++) {
		lua_pushnumber(L, sum[i] / (double)r->n);
		lua_rawseti(L, -2, (lua_Integer)exam_k(r->k, i));
	}
	lua_setfield(L, -2, name);
}

static void push_result(lua_State *L, const ExamResult *r)
{
	lua_newtable(L);
	lua_pushinteger(L, (lua_Integer)r->n);
	lua_setfield(L, -2, "n");
	lua_pushinteger(L, (lua_Integer)r->k);
	lua_setfield(L, -2, "k");
	lua_pushnumber(L, r->pass1 / (double)r->n);
	lua_setfield(L, -2, "pass1");
	put_ks(L, "passk", r, r->passk);
	put_ks(L, "majk", r, r->majk);
	lua_newtable(L);
	for (int i = 0; i < EXAM_LEVELS; i++) {
		if (!r->level[i].n)
			continue;
		lua_pushnumber(L, (double)r->level[i].right / (double)r->level[i].all);
		lua_rawseti(L, -2, i);
	}
	lua_setfield(L, -2, "by_level");
}

static bool stopped(void *ud)
{
	return *((Lab *)ud)->room.stop != 0;
}

int lua_run_eval(lua_State *L)
{
	LuaRun *r = lua_run_idle(L, lua_run_any(L, 1));
	Lab *lab = lab_of(L);
	ExamResult *result;
	Err e = { 0 };
	if (lua_isnoneornil(L, 2)) {
		lua_settop(L, 1);
		lua_newtable(L);
	}
	luaL_checktype(L, 2, LUA_TTABLE);
	ExamOptions o = { .n = (int64_t)option(L, "n", 200, 1, 1e6), .k = (int64_t)option(L, "k", 1, 1, EXAM_K_MAX),
		.temperature = option(L, "temperature", 1, 0, 100), .seed = (uint64_t)option(L, "seed", 1, 0, 1e15), .stopped = stopped, .ud = lab };
	LatheModel *m = lua_run_model(L, 1);
	result = lua_newuserdatauv(L, sizeof *result, 0);
	push_exam(L);
	bool own = !lua_isnil(L, -1);
	if (!own && !r->file->has_exam)
		return lab_fail(L, E_8001, "eval: the run has no exam; give one: run:eval { exam = \"add2\" }");
	RunFile *f = own ? run_exam_share(L, &lab->room, -1, &e) : r->file;
	if (!f)
		return lab_raise(L, &e);
	run_file_at(f, L);
	r->busy = true;
	bool ok = exam_run(m, &f->exam, &o, result, &e);
	r->busy = false;
	if (own)
		run_file_free(f);
	if (!ok)
		return lab_raise(L, &e);
	push_result(L, result);
	return 1;
}
