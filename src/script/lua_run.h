/* lua_run.h - the type Run: a training run that a script began (lua_train.c), for the other files of Lua functions. */
#ifndef SCRIPT_LUA_RUN_H
#define SCRIPT_LUA_RUN_H
#include "engine/lathe.h"
#include "script/api.h"
#include "script/lab.h"
#include "script/run_start.h"

#define LUA_RL_TYPE "RlRun"   /* a LuaRun too, at its beginning (lua_rl.c) */
typedef struct LuaRun {
	RunFile *file;
	RunStart start;            /* tokenizer and run */
	LatheModel *model;         /* on the run's weights, made when first asked for; or NULL */
	struct TrainWatch *watch;  /* with out: what each step told, as OUT/train.rec */
	char *out;                 /* folder of checkpoints, or NULL */
	bool quiet, busy, finished;
	int64_t stop;              /* steps after which the run is over */
	double seconds, per_step;  /* in steps so far; of a step, averaged */
	double shown;              /* clock of the last progress line */
	size_t bytes;              /* counted against the limit */
} LuaRun;
/* User values of a Run: its series by name; the Parts of nn.LM; the functions of `every`. */
enum { RUN_UV_SERIES = 1, RUN_UV_PARTS, RUN_UV_EVERY, RUN_UVS = RUN_UV_EVERY };

/* What differs between the types: size of the object, names of series (to NULL), what reads the table, weights' copies in memory. */
typedef struct LuaRunKind {
	const char *type;
	size_t size;
	const char *const *series;
	RunFile *(*read)(lua_State *L, Room *room, int i, Err *e);
	int copies;
} LuaRunKind;

LuaRun *lua_run_check(lua_State *L, int i);
/* A run of either type. */
LuaRun *lua_run_any(lua_State *L, int i);
/* r, which no method is in the middle of, for calls from L; raises else. */
LuaRun *lua_run_idle(lua_State *L, LuaRun *r);
/* Raises e, with the run usable again. */
int lua_run_raise(lua_State *L, LuaRun *r, const Err *e);
/* From the arguments (config, options): the object, at index 3 of the stack, with its tokenizer and model. stop and out are left. */
LuaRun *lua_run_new(lua_State *L, const LuaRunKind *k);
/* Takes the folder `out` of the config and begins its recording; r->stop is known. rl: NULL for training. */
void lua_run_take_out(lua_State *L, LuaRun *r, Rl *rl, Err *e);
void lua_run_close(lua_State *L, LuaRun *r);
/* The line of progress, now and then; it is wiped before the script prints and when the run is over. */
void lua_run_show(Lab *lab, LuaRun *r, int64_t step, const char *text);
bool lua_run_is_due(int64_t every, int64_t step);
/* A value for the series `name` in the table at index `series`. */
void lua_run_put(lua_State *L, int series, const char *name, int64_t step, double value);
/* The functions of `every` whose turn it is, in the order of their numbers; the run is the first argument. */
void lua_run_every(lua_State *L, int64_t step);
/* Methods of either type. */
int lua_run_save(lua_State *L);
int lua_run_hash(lua_State *L);
int lua_run_model_push(lua_State *L);
/* Methods, series and a few facts: run.loss, run.steps. */
int lua_run_index(lua_State *L);
int lua_run_text(lua_State *L);
/* The weights of the run at index i as a model of the engine: it sees them as they are when it runs, and lives as long as the run does. */
LatheModel *lua_run_model(lua_State *L, int i);
/* run:eval, in lua_eval.c. */
int lua_run_eval(lua_State *L);
#endif
