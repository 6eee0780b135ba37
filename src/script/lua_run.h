/* lua_run.h - the type Run: a training run that a script began (lua_train.c), for the other files of Lua functions. */
#ifndef SCRIPT_LUA_RUN_H
#define SCRIPT_LUA_RUN_H
#include "engine/lathe.h"
#include "script/api.h"
#include "script/lab.h"
#include "script/run_start.h"

enum { RUN_SERIES = 12 };
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

LuaRun *lua_run_check(lua_State *L, int i);
/* The weights of the run at index i as a model of the engine: it sees them as they are when it runs, and lives as long as the run does. */
LatheModel *lua_run_model(lua_State *L, int i);
/* run:eval, in lua_eval.c. */
int lua_run_eval(lua_State *L);
#endif
