/* lua_rl.c - reinforcement learning of a script: begun from a table by lua/lathe/rl.lua, made iteration by iteration, read as series and as
 * groups of answers. An iteration is that of `lathe rl`, to the bit; what all runs have is in lua_train.c. */
#include "script/lua_run.h"
#include "engine/rl_watch.h"
#include "script/run_room.h"
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

extern const ApiClass api_rl, api_rl_run;

typedef struct LuaRl {
	LuaRun run;      /* first: what takes a LuaRun takes this */
	Rl *rl;
	RlTask task;     /* the file's, with a look at whether the script is to stop */
	Lab *lab;
	bool drawn;      /* the last iteration's answers are there: none failed since */
} LuaRl;

static LuaRl *self(lua_State *L)
{
	LuaRl *r = api_check(L, 1, LUA_RL_TYPE);
	if (!r->rl)
		luaL_error(L, "the run has not begun");
	lua_run_idle(L, &r->run);
	return r;
}

/* --- beginning --- */

static bool may_go_on(const LuaRl *r, Err *e)
{
	return !*r->lab->room.stop || err_set(e, E_5004, "stopped");
}

static bool task_ask(void *ud, Split split, uint64_t i, const char **prompt, size_t *n, Err *e)
{
	LuaRl *r = ud;
	const RlTask *t = &r->run.file->task;
	return may_go_on(r, e) && t->ask(t->ud, split, i, prompt, n, e);
}

static bool task_judge(void *ud, Split split, uint64_t i, const RlAnswer *a, RlVerdict *v, Err *e)
{
	LuaRl *r = ud;
	const RlTask *t = &r->run.file->task;
	return may_go_on(r, e) && t->judge(t->ud, split, i, a, v, e);
}

typedef struct SeriesRow { const char *name; size_t at; } SeriesRow;
#define ROW(field) { #field, offsetof(RlReport, field) }
static const SeriesRow measured[] = { ROW(reward), ROW(accuracy), ROW(answered), ROW(ended), ROW(length), ROW(kl), ROW(entropy), ROW(clip),
	ROW(clip_low), ROW(clip_high), ROW(masked), ROW(degenerate), ROW(used), ROW(value_loss), ROW(grad_norm), ROW(lr), ROW(ln_r_first),
	ROW(ln_r), ROW(tok_per_s), { "iteration_s", offsetof(RlReport, seconds) }, ROW(rollout_s), ROW(reward_s), ROW(update_s), { "held_out", offsetof(RlReport, eval) },
	{ "held_out_length", offsetof(RlReport, eval_length) } };
enum { MEASURED = sizeof measured / sizeof measured[0], COPIES = 6 /* weights, gradients, two moments, reference, and those put aside for it */ };

static int rl_begin(lua_State *L)
{
	const char *names[MEASURED + 1] = { NULL };
	for (int i = 0; i < MEASURED; i++)
		names[i] = measured[i].name;
	const LuaRunKind kind = { LUA_RL_TYPE, sizeof(LuaRl), names, run_rl_share, COPIES };
	Err e = { 0 };
	LuaRl *r = (LuaRl *)lua_run_new(L, &kind);
	r->lab = lab_of(L);
	r->task = (RlTask){ task_ask, task_judge, r->run.file->task.max_new, r };
	r->run.stop = r->run.file->rl.iterations;
	r->rl = rl_new(r->run.start.train, &r->run.file->rl, &r->task, &e);
	if (!r->rl)
		return lua_run_raise(L, &r->run, &e);
	lua_run_take_out(L, &r->run, r->rl, &e);
	return 1;
}

static int rl_gc(lua_State *L)
{
	LuaRl *r = api_check(L, 1, LUA_RL_TYPE);
	train_watch_free(r->run.watch);
	r->run.watch = NULL;
	rl_free(r->rl);
	r->rl = NULL;
	lua_run_close(L, &r->run);
	return 0;
}

/* --- iterations --- */

static void report_keep(lua_State *L, const RlReport *x)
{
	lua_getiuservalue(L, 1, RUN_UV_SERIES);
	int at = lua_gettop(L);
	for (int i = 0; i < MEASURED; i++) {
		double value;
		memcpy(&value, (const char *)x + measured[i].at, sizeof value);
		if (!isnan(value))
			lua_run_put(L, at, measured[i].name, x->iter, value);
	}
	lua_pop(L, 1);
}

/* Held-out problems when it is their turn: eval_n of them at the end, eval_some before. */
static bool look(LuaRl *r, RlReport *x, Err *e)
{
	const RlSettings *s = rl_settings(r->rl);
	if (x->iter >= r->run.stop && s->eval_n > 0)
		return rl_eval(r->rl, s->eval_n, x, e);
	return !lua_run_is_due(train_settings(r->run.start.train)->eval_every, x->iter) || rl_eval(r->rl, s->eval_some, x, e);
}

/* How it stands before anything is learned. */
static bool look_first(LuaRl *r, RlReport *x, Err *e)
{
	return rl_eval(r->rl, rl_settings(r->rl)->eval_n, x, e);
}

static bool iterate(LuaRl *r, RlReport *x, Err *e)
{
	LuaRun *run = &r->run;
	Train *t = run->start.train;
	r->drawn = false;
	if (!rl_iterate(r->rl, x, e))
		return false;
	r->drawn = true;
	if (!look(r, x, e))
		return false;
	run->seconds += x->seconds;
	run->per_step = run->per_step > 0 ? 0.9 * run->per_step + 0.1 * x->seconds : x->seconds;
	return !run->out || x->iter >= run->stop || !lua_run_is_due(train_settings(t)->checkpoint_every, x->iter) || train_save(t, run->out, e);
}

/* One call of `make`, and what it reports. */
static void turn(lua_State *L, LuaRl *r, RlReport *x, bool (*make)(LuaRl *, RlReport *, Err *))
{
	Err e = { 0 };
	lab_check_stop(L);
	run_file_at(r->run.file, L);
	r->run.busy = true;
	if (!make(r, x, &e))
		lua_run_raise(L, &r->run, &e);
	r->run.busy = false;
	report_keep(L, x);
	if (r->run.watch)
		rl_watch_tell(r->run.watch, r->rl, x, r->run.per_step * (double)(r->run.stop - x->iter));
}

static void iteration(lua_State *L, LuaRl *r)
{
	RlReport x = rl_report_empty(r->rl);
	char text[100];
	if (x.iter == 0 && rl_settings(r->rl)->eval_n > 0)
		turn(L, r, &x, look_first);
	turn(L, r, &x, iterate);
	snprintf(text, sizeof text, "reward %.3f  right %.1f %%  length %.0f", x.reward, 100 * x.accuracy, x.length);
	lua_run_show(lab_of(L), &r->run, x.iter, text);
	lua_run_every(L, x.iter);
}

static int rl_step(lua_State *L)
{
	LuaRl *r = self(L);
	lua_Integer n = luaL_optinteger(L, 2, 1);
	luaL_argcheck(L, n >= 0, 2, "a number of iterations from 0 up");
	lua_settop(L, 1);
	for (lua_Integer i = 0; i < n; i++)
		iteration(L, r);
	lab_line_end(lab_of(L));
	lua_settop(L, 1);
	return 1;
}

static int rl_finish(lua_State *L)
{
	LuaRl *r = self(L);
	LuaRun *run = &r->run;
	Train *t = run->start.train;
	Err e = { 0 };
	lua_settop(L, 1);
	while (train_at(t) < run->stop)
		iteration(L, r);
	lab_line_end(lab_of(L));
	if (run->out && !run->finished && (!train_save(t, run->out, &e) || !train_finish(t, run->out, DT_BF16, run->start.tokenizer, &e)))
		return lua_run_raise(L, run, &e);
	run->finished = true;
	return 1;
}

static int rl_set(lua_State *L)
{
	LuaRl *r = self(L);
	const char *name = luaL_checkstring(L, 2);
	Err e = { 0 };
	luaL_checkany(L, 3);
	const char *value = lua_isboolean(L, 3) ? lua_toboolean(L, 3) ? "true" : "false" : luaL_checkstring(L, 3);
	if (!rl_settings_change(rl_settings(r->rl), train_settings(r->run.start.train), name, value, &e))
		return lua_run_raise(L, &r->run, &e);
	r->run.stop = rl_settings(r->rl)->iterations;
	lua_settop(L, 1);
	return 1;
}

/* --- groups --- */

static void put_text(lua_State *L, const LuaRl *r, const char *key, const int32_t *id, int n)
{
	Buf b = BUF_INIT;
	tok_decode(r->run.start.tok, id, (size_t)n, &b);
	lua_pushlstring(L, buf_str(&b), b.len);
	buf_done(&b);
	lua_setfield(L, -2, key);
}

/* PPO's advantages differ from token to token, as do those of scored steps: their mean. */
static double advantage_mean(const RlSample *s)
{
	double sum = 0;
	for (int i = 0; s->advantage && i < s->n; i++)
		sum += (double)s->advantage[i];
	return s->n > 0 ? sum / s->n : 0;
}

static void push_answer(lua_State *L, const LuaRl *r, const RlSample *s)
{
	lua_createtable(L, 0, 7);
	put_text(L, r, "text", s->id + s->n_given, s->n - s->ended);
	lua_pushnumber(L, s->reward);
	lua_setfield(L, -2, "reward");
	lua_pushnumber(L, advantage_mean(s));
	lua_setfield(L, -2, "advantage");
	lua_pushinteger(L, s->n);
	lua_setfield(L, -2, "length");
	lua_pushboolean(L, s->right);
	lua_setfield(L, -2, "right");
	lua_pushboolean(L, s->answered);
	lua_setfield(L, -2, "answered");
	lua_pushboolean(L, s->ended);
	lua_setfield(L, -2, "ended");
}

static int rl_group(lua_State *L)
{
	const LuaRl *r = self(L);
	lua_Integer which = luaL_optinteger(L, 2, 1);
	int n, size = 0;
	const RlSample *s = rl_samples(r->rl, &n);
	n = r->drawn ? n : 0;
	while (size < n && s[size].prompt == s[0].prompt)
		size++;
	int groups = size ? n / size : 0;
	if (which < 1 || which > groups)
		return lab_fail(L, E_8001, "group(%d): the last iteration has %d groups", (int)which, groups);
	s += (which - 1) * size;
	lua_createtable(L, size, 1);
	put_text(L, r, "prompt", s->id, s->n_given);
	for (int i = 0; i < size; i++) {
		push_answer(L, r, &s[i]);
		lua_rawseti(L, -2, i + 1);
	}
	return 1;
}

#define SMALL "local run = lathe.rl_run { model = { hidden_size = 32, num_hidden_layers = 2 }, task = \"add2\", prompts = 2, group = 2, max_new = 8, " \
	"iterations = 2 }\n"

static const ApiFn methods[] = {
	{ "step", "(n: integer?): RlRun", "Makes n iterations (default 1) and returns the run. An error of the reward ends it with the script's line.",
	  SMALL "print(run:step().reward:last())", rl_step },
	{ "finish", "(): RlRun", "Makes the iterations that are left. With `out`, then writes the last checkpoint and OUT/model.",
	  SMALL "print(run:finish().steps)", rl_finish },
	{ "set", "(name: string, value: any): RlRun", "Changes a setting while the run is going on; `lathe help rl` and `lathe help train` say which can.",
	  SMALL "run:set(\"kl\", 0.01):step()\nprint(run.kl:last())", rl_set },
	{ "group", "(i: integer?): table", "The answers to the i-th problem of the last iteration (default 1): a list of { text, reward, advantage, length, right, "
	  "answered, ended }, with the field prompt. Where advantages differ from token to token it is their mean.",
	  SMALL "for _, answer in ipairs(run:step():group(2)) do print(answer.reward, answer.advantage, answer.length) end", rl_group },
	{ "eval", "(options: table?): table", "Asks held-out problems: { n = 200, k = 1, temperature = 1, seed = 1, exam = \"add2\" or { ask =, judge = } }; without exam "
	  "the run's own. Returns pass1, n, k, passk and majk by k, by_level.", SMALL "print(run:step():eval { n = 4 }.pass1)", lua_run_eval },
	{ "model", "(): Model", "A model on the run's weights: it sees them as they are each time it runs. run:checkpoint() is another name.",
	  SMALL "print(#run:step():model():generate(\"a1+1=\", { n = 4 }).text >= 0)", lua_run_model_push },
	{ "checkpoint", "(): Model", "The same as run:model().", NULL, lua_run_model_push },
	{ "save", "(dir: string): string", "Writes the model as it is now to DIR/model below --out, in BF16 with its tokenizer, and returns that folder.",
	  SMALL "print(run:step():save(\"small-rl\"))", lua_run_save },
	{ "hash", "(): string", "Of everything a checkpoint keeps, 16 hexadecimal digits: two runs with the same hash go on alike.", SMALL "print(#run:hash())",
	  lua_run_hash },
	{ NULL, NULL, NULL, NULL, NULL },
};

static const luaL_Reg meta[] = { { "__gc", rl_gc }, { "__index", lua_run_index }, { "__tostring", lua_run_text }, { NULL, NULL } };

const ApiClass api_rl_run = { LUA_RL_TYPE,
	"A run of reinforcement learning. Its series, a value an iteration: run.reward, accuracy, answered and ended (shares of the drawn answers), "
	"length (tokens), kl, entropy, clip, clip_low, clip_high, masked, degenerate (share of groups with equal rewards), used, grad_norm, lr, "
	"value_loss, ln_r, ln_r_first, tok_per_s, iteration_s, rollout_s, reward_s, update_s; and held_out with held_out_length where they were "
	"measured. What an algorithm does not have, and a mean over nothing, is left out. run.steps: iterations made; run.seconds: time in them; "
	"run.parameters: trained numbers; run.name, run.out.", methods, meta };

static const ApiFn module[] = {
	{ "rl_begin", "(config: table, options: table): RlRun", NULL, NULL, rl_begin },
	{ NULL, NULL, NULL, NULL, NULL },
};
const ApiClass api_rl = { "lathe", NULL, module, NULL };
