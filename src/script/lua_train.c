/* lua_train.c - training runs of a script: begun from a table, made step by step, read as series. lua/lathe/train.lua makes the table of what
 * a user writes; here it is what a configuration file would say, so the bits are those of `lathe train`. */
#include "script/lua_run.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/utf8.h"
#include "engine/engine.h"
#include "engine/train_watch.h"
#include "script/lua_forward.h"
#include "script/lua_model.h"
#include "script/lua_nn.h"
#include "script/lua_series.h"
#include "script/lua_tensor.h"
#include "script/run_place.h"
#include "script/run_room.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char type_name[] = "Run";
extern const ApiClass api_run, api_train;
enum { SAMPLE_TOKENS = 64, SAMPLE_MOST = 4096, SHOW_EVERY_MS = 200 };

LuaRun *lua_run_check(lua_State *L, int i)
{
	return api_check(L, i, type_name);
}

LuaRun *lua_run_any(lua_State *L, int i)
{
	LuaRun *r = luaL_testudata(L, i, LUA_RL_TYPE);
	return r ? r : lua_run_check(L, i);
}

LuaRun *lua_run_idle(lua_State *L, LuaRun *r)
{
	if (!r->start.train)
		luaL_error(L, "the run has not begun");
	if (r->busy)
		lab_fail(L, E_8001, "a function that the run's data, model or reward calls cannot use the run itself");
	run_file_at(r->file, L);
	return r;
}

/* A method's run, which no other method is in the middle of. */
static LuaRun *self(lua_State *L)
{
	return lua_run_idle(L, lua_run_check(L, 1));
}

/* Of a method that both types have. */
static LuaRun *self_any(lua_State *L)
{
	return lua_run_idle(L, lua_run_any(L, 1));
}

int lua_run_raise(lua_State *L, LuaRun *r, const Err *e)
{
	r->busy = false;
	return lua_forward_raise(L, e);
}

/* --- beginning --- */

static const char *const series_names[] = { "loss", "main_loss", "mtp_loss", "aux_loss", "lr", "grad_norm", "maxvio", "dead_experts", "bias_drift",
	"tok_per_s", "tokens", "held_out", NULL };

static void push_series(lua_State *L, const char *const *name)
{
	lua_newtable(L);
	for (int i = 0; name[i]; i++) {
		lua_series_push(L);
		lua_setfield(L, -2, name[i]);
	}
}

static void check_every(lua_State *L)
{
	if (lua_isnil(L, -1))
		return;
	if (!lua_istable(L, -1))
		lab_fail(L, E_8003, "every: a table { [20] = function(run) ... end } is needed");
	for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1))
		if (!lua_isinteger(L, -2) || lua_tointeger(L, -2) < 1 || !lua_isfunction(L, -1))
			lab_fail(L, E_8003, "every: each key is a number of steps from 1 up, each value a function");
}

static void take_option(lua_State *L, int run, const char *name, int slot, void (*check)(lua_State *))
{
	lua_getfield(L, 2, name);
	if (check)
		check(L);
	lua_setiuservalue(L, run, slot);
}

void lua_run_take_out(lua_State *L, LuaRun *r, Rl *rl, Err *e)
{
	const Lab *lab = lab_of(L);
	const char *out = r->file->out, *fault = out ? lab_name_fault(out, strlen(out)) : NULL;
	Buf b = BUF_INIT;
	if (fault)
		lab_fail(L, E_8003, "out = \"%s\": %s", out, fault);
	if (!out)
		return;
	bool below = run_place_below(lab->o.out_dir, out, &b, e);
	r->out = buf_take(&b);
	if (!below || !r->out || !run_place_take(r->start.train, r->out, r->start.tokenizer, e)) {
		lab_raise(L, e->code ? e : &(Err){ .code = E_5001, .text = "out of memory" });
		return;
	}
	TrainWatchOptions o = { .out = r->out, .stop = r->stop, .rl = rl, .socket = "" };
	r->watch = train_watch_new(r->start.train, &o, &b);
	buf_done(&b);
}

LuaRun *lua_run_new(lua_State *L, const LuaRunKind *k)
{
	Lab *lab = lab_of(L);
	Err e = { 0 };
	luaL_checktype(L, 1, LUA_TTABLE);
	luaL_checktype(L, 2, LUA_TTABLE);
	lua_settop(L, 2);
	LuaRun *r = api_object(L, k->type, k->size, RUN_UVS);
	push_series(L, k->series);
	lua_setiuservalue(L, 3, RUN_UV_SERIES);
	take_option(L, 3, "parts", RUN_UV_PARTS, NULL);
	take_option(L, 3, "every", RUN_UV_EVERY, check_every);
	r->file = k->read(L, &lab->room, 1, &e);
	if (!r->file)
		lab_raise(L, &e);
	lua_getiuservalue(L, 3, RUN_UV_PARTS);
	RunStartOptions o = { .threads = lab->o.threads, .memory_limit = lab->room.limit - lab->room.held, .parts = lua_nn_parts(L, -1),
		.ckpt_path = lab->o.ckpt_path };
	lua_settop(L, 3);
	if (!run_start(&r->start, r->file, &o, &e))
		lua_forward_raise(L, &e);
	size_t bytes = (size_t)train_params(r->start.train)->count * sizeof(real) * (size_t)k->copies;
	lab_take(L, bytes);
	r->bytes = bytes;
	lua_getfield(L, 2, "quiet");
	r->quiet = lua_toboolean(L, -1) || !lab->o.terminal;
	lua_settop(L, 3);
	return r;
}

static int run_begin(lua_State *L)
{
	static const LuaRunKind kind = { type_name, sizeof(LuaRun), series_names, run_file_share, 4 };
	LuaRun *r = lua_run_new(L, &kind);
	Err e = { 0 };
	r->stop = r->file->settings.steps;
	lua_run_take_out(L, r, NULL, &e);
	return 1;
}

void lua_run_close(lua_State *L, LuaRun *r)
{
	train_watch_free(r->watch);
	lathe_close(r->model);
	run_start_done(&r->start);
	run_file_free(r->file);
	free(r->out);
	if (r->bytes)
		lab_give(L, r->bytes);
	memset(r, 0, sizeof *r);
}

static int run_gc(lua_State *L)
{
	lua_run_close(L, lua_run_check(L, 1));
	return 0;
}

/* --- steps --- */

void lua_run_show(Lab *lab, LuaRun *r, int64_t step, const char *text)
{
	Buf b = BUF_INIT;
	double now = clock_now(), left = r->per_step * (double)(r->stop - step);
	if (r->quiet || now - r->shown < SHOW_EVERY_MS / 1000.0)
		return;
	r->shown = now;
	safe_text(&b, r->file->name, strlen(r->file->name), 0);
	fprintf(stderr, "\r\033[K%.30s  step %lld/%lld  %s", buf_str(&b), (long long)step, (long long)r->stop, text);
	if (left > 0)
		fprintf(stderr, "  %d:%02d left", (int)left / 60, (int)left % 60);
	fflush(stderr);
	lab->line = true;
	buf_done(&b);
}

static void show_step(Lab *lab, LuaRun *r, const StepReport *s)
{
	char text[80];
	snprintf(text, sizeof text, "loss %.4f  %.1f Ktok/s", s->main, s->tok_per_s / 1000);
	lua_run_show(lab, r, s->step, text);
}

bool lua_run_is_due(int64_t every, int64_t step)
{
	return every > 0 && step % every == 0;
}

/* One step and what belongs to it. */
static bool step_make(LuaRun *r, StepReport *s, Err *e)
{
	Train *t = r->start.train;
	const TrainSettings *set = train_settings(t);
	if (!train_step(t, s, e))
		return false;
	r->seconds += s->seconds;
	r->per_step = r->per_step > 0 ? 0.95 * r->per_step + 0.05 * s->seconds : s->seconds;
	bool over = s->step >= r->stop;
	if ((lua_run_is_due(set->eval_every, s->step) || (over && set->eval_every > 0)) && !train_eval(t, &s->held_out, e))
		return false;
	if (r->watch)
		train_watch_step(r->watch, s, r->per_step * (double)(r->stop - s->step));
	if (set->patience > 0 && train_worse(t) >= set->patience)
		r->stop = s->step;
	return !r->out || s->step >= r->stop || !lua_run_is_due(set->checkpoint_every, s->step) || train_save(t, r->out, e);
}

void lua_run_put(lua_State *L, int series, const char *name, int64_t step, double value)
{
	lua_getfield(L, series, name);
	lua_series_add(L, -1, step, value);
	lua_pop(L, 1);
}

static void step_keep(lua_State *L, const StepReport *s)
{
	lua_getiuservalue(L, 1, RUN_UV_SERIES);
	int at = lua_gettop(L);
	lua_run_put(L, at, "loss", s->step, s->loss);
	lua_run_put(L, at, "main_loss", s->step, s->main);
	if (s->n_mtp)
		lua_run_put(L, at, "mtp_loss", s->step, s->mtp[0]);
	lua_run_put(L, at, "aux_loss", s->step, s->aux);
	lua_run_put(L, at, "lr", s->step, s->lr);
	lua_run_put(L, at, "grad_norm", s->step, s->grad_norm);
	lua_run_put(L, at, "maxvio", s->step, s->maxvio);
	lua_run_put(L, at, "dead_experts", s->step, s->dead);
	lua_run_put(L, at, "bias_drift", s->step, s->bias_drift);
	lua_run_put(L, at, "tok_per_s", s->step, s->tok_per_s);
	lua_run_put(L, at, "tokens", s->step, (double)s->tokens);
	if (!isnan(s->held_out))
		lua_run_put(L, at, "held_out", s->step, s->held_out);
	lua_pop(L, 1);
}

void lua_run_every(lua_State *L, int64_t step)
{
	int64_t done = 0;
	while (lua_getiuservalue(L, 1, RUN_UV_EVERY) == LUA_TTABLE) {
		int64_t next = 0;
		for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
			int64_t k = lua_tointeger(L, -2);
			if (k > done && (!next || k < next) && lua_run_is_due(k, step))
				next = k;
		}
		if (!next)
			break;
		done = next;
		lua_geti(L, -1, next);
		lua_pushvalue(L, 1);
		lua_call(L, 1, 0);
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
}

static void step_one(lua_State *L, LuaRun *r)
{
	Err e = { 0 };
	StepReport s;
	lab_check_stop(L);
	run_file_at(r->file, L);
	r->busy = true;
	if (!step_make(r, &s, &e))
		lua_run_raise(L, r, &e);
	r->busy = false;
	step_keep(L, &s);
	show_step(lab_of(L), r, &s);
	lua_run_every(L, s.step);
}

static int run_step(lua_State *L)
{
	LuaRun *r = self(L);
	lua_Integer n = luaL_optinteger(L, 2, 1);
	luaL_argcheck(L, n >= 0, 2, "a number of steps from 0 up");
	lua_settop(L, 1);
	for (lua_Integer i = 0; i < n; i++)
		step_one(L, r);
	lab_line_end(lab_of(L));
	lua_settop(L, 1);
	return 1;
}

static int run_finish(lua_State *L)
{
	LuaRun *r = self(L);
	Train *t = r->start.train;
	Err e = { 0 };
	lua_settop(L, 1);
	while (train_at(t) < r->stop)
		step_one(L, r);
	lab_line_end(lab_of(L));
	if (r->out && !r->finished && (!train_save(t, r->out, &e) || !train_finish(t, r->out, DT_BF16, r->start.tokenizer, &e)))
		return lua_run_raise(L, r, &e);
	r->finished = true;
	return 1;
}

/* --- other methods --- */

static int run_set(lua_State *L)
{
	LuaRun *r = self(L);
	const char *name = luaL_checkstring(L, 2);
	Err e = { 0 };
	luaL_checkany(L, 3);
	const char *value = lua_isboolean(L, 3) ? lua_toboolean(L, 3) ? "true" : "false" : luaL_checkstring(L, 3);
	if (!settings_change(train_settings(r->start.train), name, value, &e))
		return lua_run_raise(L, r, &e);
	lua_settop(L, 1);
	return 1;
}

static int run_held_out(lua_State *L)
{
	LuaRun *r = self(L);
	Err e = { 0 };
	double loss;
	r->busy = true;
	if (!train_eval(r->start.train, &loss, &e))
		return lua_run_raise(L, r, &e);
	r->busy = false;
	lua_pushnumber(L, loss);
	return 1;
}

static int run_sample(lua_State *L)
{
	LuaRun *r = self(L);
	lua_Integer n = luaL_optinteger(L, 2, SAMPLE_TOKENS);
	Err e = { 0 };
	Buf b = BUF_INIT;
	luaL_argcheck(L, n >= 1 && n <= SAMPLE_MOST, 2, "1 to 4096 tokens");
	r->busy = true;
	bool ok = train_sample(r->start.train, (int)n, &b, &e);
	r->busy = false;
	if (ok)
		lua_pushlstring(L, buf_str(&b), b.len);
	buf_done(&b);
	return ok ? 1 : lua_run_raise(L, r, &e);
}

static int run_loads(lua_State *L)
{
	LuaRun *r = self(L);
	lua_Integer layer = luaL_checkinteger(L, 2);
	int n;
	const LayerLoad *load = train_loads(r->start.train, &n);
	for (int i = 0; i < n; i++) {
		if (load[i].layer != layer)
			continue;
		lua_createtable(L, load[i].E, 0);
		for (int k = 0; k < load[i].E; k++) {
			lua_pushinteger(L, (lua_Integer)load[i].count[k]);
			lua_rawseti(L, -2, k + 1);
		}
		return 1;
	}
	return lab_fail(L, E_8001, "loads(%d): the layers with experts are %d to %d", (int)layer, n ? load[0].layer : 0, n ? load[n - 1].layer : -1);
}

int lua_run_save(lua_State *L)
{
	LuaRun *r = self_any(L);
	size_t n;
	const char *name = luaL_checklstring(L, 2, &n), *fault = lab_name_fault(name, n), *root = lab_of(L)->o.out_dir;
	Err e = { 0 };
	if (fault)
		return lab_fail(L, E_8001, "save \"%s\": %s", name, fault);
	Buf b = BUF_INIT;
	bool below = run_place_below(root, name, &b, &e);
	lua_pushstring(L, buf_str(&b));
	buf_done(&b);
	if (!below || !run_place_check(lua_tostring(L, -1), &e) || !train_finish(r->start.train, lua_tostring(L, -1), DT_BF16, r->start.tokenizer, &e))
		return lua_run_raise(L, r, &e);
	lua_pushfstring(L, "%s/model", lua_tostring(L, -1));
	return 1;
}

int lua_run_hash(lua_State *L)
{
	char text[20];
	snprintf(text, sizeof text, "%016llx", (unsigned long long)train_hash(self_any(L)->start.train));
	lua_pushstring(L, text);
	return 1;
}

LatheModel *lua_run_model(lua_State *L, int i)
{
	LuaRun *r = lua_run_any(L, i);
	LatheOpenOptions o = { .threads = lab_of(L)->o.threads };
	Err e = { 0 };
	if (!r->start.train)
		luaL_error(L, "the run has not begun");
	if (!r->model)
		r->model = model_borrow(train_lm(r->start.train), r->start.tok, &o, &e);
	if (!r->model)
		lab_raise(L, &e);
	return r->model;
}

int lua_run_model_push(lua_State *L)
{
	self_any(L);
	lua_model_push(L, lua_run_model(L, 1), 1);
	return 1;
}

int lua_run_index(lua_State *L)
{
	const LuaRun *r = lua_run_any(L, 1);
	if (!r->start.train)
		return luaL_error(L, "the run has not begun");
	const char *key = luaL_checkstring(L, 2);
	lua_pushvalue(L, 2);
	if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL)
		return 1;
	lua_getiuservalue(L, 1, RUN_UV_SERIES);
	if (lua_getfield(L, -1, key) != LUA_TNIL)
		return 1;
	if (strcmp(key, "steps") == 0)
		lua_pushinteger(L, (lua_Integer)train_at(r->start.train));
	else if (strcmp(key, "name") == 0)
		lua_pushstring(L, r->file->name);
	else if (strcmp(key, "out") == 0)
		lua_pushstring(L, r->out);
	else if (strcmp(key, "seconds") == 0)
		lua_pushnumber(L, r->seconds);
	else if (strcmp(key, "parameters") == 0)
		lua_pushinteger(L, (lua_Integer)train_params(r->start.train)->count);
	else
		return lab_fail(L, E_8001, "run.%s: there is no such series or method; `lathe help lua` lists them", key);
	return 1;
}

int lua_run_text(lua_State *L)
{
	const LuaRun *r = lua_run_any(L, 1);
	if (!r->start.train)
		lua_pushliteral(L, "a run that has not begun");
	else
		lua_pushfstring(L, "run %s: step %d of %d", r->file->name, (int)train_at(r->start.train), (int)r->stop);
	return 1;
}

#define SMALL "local run = lathe.run { model = { hidden_size = 32, num_hidden_layers = 2 }, data = \"add2\", steps = 4, batch = 2, seq = 32 }\n"

static const ApiFn methods[] = {
	{ "step", "(n: integer?): Run", "Makes n steps (default 1) and returns the run. An error in the data's functions or in a module of the script ends "
	  "it with the script's line.", SMALL "print(run:step(2).loss:last() > 0)", run_step },
	{ "finish", "(): Run", "Makes the steps that are left. With `out`, then writes the last checkpoint and OUT/model.",
	  SMALL "print(run:finish().steps)", run_finish },
	{ "set", "(name: string, value: any): Run", "Changes a setting while the run is going on: lr, gamma, balance, ...; `lathe help train` says which can.",
	  SMALL "run:step():set(\"lr\", 1e-4):step()\nprint(run.lr:last())", run_set },
	{ "eval", "(options: table?): table", "Asks held-out problems: { n = 200, k = 1, temperature = 1, seed = 1, exam = \"add2\" or { ask =, judge = } }; without exam "
	  "the run's own. Returns pass1, n, k, passk and majk by k, by_level.",
	  SMALL "print(run:step():eval { exam = \"add2\", n = 4 }.pass1)", lua_run_eval },
	{ "held_out_loss", "(): number", "The mean loss of the first eval_rows held-out rows, nat a token.", SMALL "print(run:held_out_loss() > 0)", run_held_out },
	{ "loads", "(layer: integer): integer[]", "How many tokens of the last step each expert of a layer got.", SMALL "print(#run:step():loads(1))", run_loads },
	{ "sample", "(n: integer?): string", "The first held-out prompt and the n tokens (default 64) that the model goes on with, greedily.",
	  SMALL "print(#run:sample(4) > 0)", run_sample },
	{ "model", "(): Model", "A model on the run's weights: it sees them as they are each time it runs. run:checkpoint() is another name.",
	  SMALL "print(#run:step():model():generate(\"a1+1=\", { n = 4 }).text > 0)", lua_run_model_push },
	{ "checkpoint", "(): Model", "The same as run:model().", NULL, lua_run_model_push },
	{ "save", "(dir: string): string", "Writes the model as it is now to DIR/model below --out, in BF16 with its tokenizer, and returns that folder.",
	  SMALL "print(run:step():save(\"small\"))", lua_run_save },
	{ "hash", "(): string", "Of everything a checkpoint keeps, 16 hexadecimal digits: two runs with the same hash go on alike.", SMALL "print(#run:hash())", lua_run_hash },
	{ NULL, NULL, NULL, NULL, NULL },
};

static const luaL_Reg meta[] = { { "__gc", run_gc }, { "__index", lua_run_index }, { "__tostring", lua_run_text }, { NULL, NULL } };

const ApiClass api_run = { type_name,
	"A training run. Its series, a value a step: run.loss (all terms), run.main_loss (cross entropy), mtp_loss, aux_loss, lr, grad_norm, maxvio, "
	"dead_experts, bias_drift, tok_per_s, tokens; and run.held_out where it was measured. run.steps: steps made; run.seconds: time in them; "
	"run.parameters: trained numbers; run.name, run.out.", methods, meta };

static const ApiFn module[] = {
	{ "begin", "(config: table, options: table): Run", NULL, NULL, run_begin },
	{ NULL, NULL, NULL, NULL, NULL },
};
const ApiClass api_train = { "lathe", NULL, module, NULL };
