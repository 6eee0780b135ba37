/* lua_compare.c - two models on one text, two texts that were written, and exams. Results are tables that print themselves. */
#include "engine/compare.h"
#include "engine/exam.h"
#include "script/lua_model.h"
#include "script/run_file.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- boxes: C results that end with Lua's collection --- */

typedef struct Box { CompareReport report; RunFile *exam; } Box;

static int box_gc(lua_State *L)
{
	Box *b = lua_touserdata(L, 1);
	compare_done(&b->report);
	run_file_free(b->exam);
	*b = (Box){ 0 };
	return 0;
}

static Box *push_box(lua_State *L)
{
	Box *b = lua_newuserdatauv(L, sizeof *b, 0);
	memset(b, 0, sizeof *b);
	if (luaL_newmetatable(L, "lathe.box")) {
		lua_pushcfunction(L, box_gc);
		lua_setfield(L, -2, "__gc");
	}
	lua_setmetatable(L, -2);
	return b;
}

static void set_num(lua_State *L, const char *key, double v)
{
	lua_pushnumber(L, v);
	lua_setfield(L, -2, key);
}

static void set_int(lua_State *L, const char *key, int64_t v)
{
	lua_pushinteger(L, (lua_Integer)v);
	lua_setfield(L, -2, key);
}

/* --- comparing --- */

/* Both models at work: hooks of both find their state. One model against itself is entered once. */
static void compare_models(lua_State *L, Model *a, int ia, Model *b, int ib, const int32_t *id, size_t n, CompareReport *r)
{
	Err e = { 0 };
	if (lathe_vocab(a->m) != lathe_vocab(b->m))
		lab_fail(L, E_2003, "the models have %lld and %lld tokens; only models of one vocabulary can be compared", (long long)lathe_vocab(a->m),
			(long long)lathe_vocab(b->m));
	bool two = b->m != a->m;
	if (two && b->L)
		lab_fail(L, E_9002, "the model is in the middle of a forward");
	lua_model_enter(L, a, ia);
	if (two)
		lua_model_enter(L, b, ib);
	bool ok = compare_run(a->m, b->m, id, n, a->attention, b->attention, r, &e);
	lua_model_leave(L, a);
	if (two)
		lua_model_leave(L, b);
	if (!ok) {
		LatheError le = { .code = e.code };
		memcpy(le.text, e.text, sizeof le.text - 1);
		lua_model_raise(L, &le);
	}
	lua_model_settle(L, a);
	lua_model_check_hooks(L, a);
	lua_model_check_hooks(L, b);
	if (two)
		lua_model_settle(L, b);
}

static void push_layers(lua_State *L, const CompareReport *r)
{
	lua_createtable(L, r->n, 0);
	for (int i = 0; i < r->n; i++) {
		const CompareLayer *l = &r->layer[i];
		lua_createtable(L, 0, 3);
		lua_pushstring(L, l->name);
		lua_setfield(L, -2, "name");
		set_num(L, "rel_l2", l->rel_l2);
		set_num(L, "max_abs", l->max_abs);
		lua_rawseti(L, -2, i + 1);
	}
}

static void push_routes(lua_State *L, const CompareReport *r)
{
	lua_createtable(L, r->n_routes, 0);
	for (int i = 0; i < r->n_routes; i++) {
		lua_createtable(L, 0, 3);
		lua_pushstring(L, r->route[i].name);
		lua_setfield(L, -2, "name");
		set_int(L, "routes", r->route[i].routes);
		set_int(L, "flipped", r->route[i].flipped);
		lua_rawseti(L, -2, i + 1);
	}
}

static void push_kl(lua_State *L, const CompareReport *r)
{
	Tensor *y = lua_tensor_new(L, 1, &r->tokens, false);
	for (int64_t i = 0; i < r->tokens; i++)
		y->data[i] = r->kl_at ? (real)r->kl_at[i] : (real)NAN;
}

/* The table of a comparison, of type `type`. */
static void push_report(lua_State *L, const CompareReport *r, const char *type)
{
	lua_createtable(L, 0, 10);
	push_layers(L, r);
	lua_setfield(L, -2, "layers");
	push_routes(L, r);
	lua_setfield(L, -2, "by_layer");
	push_kl(L, r);
	lua_setfield(L, -2, "kl_at");
	set_num(L, "kl", r->kl);
	set_num(L, "top1", r->top1_agree);
	set_int(L, "routes", r->routes);
	set_int(L, "routes_flipped", r->routes_flipped);
	lua_pushstring(L, r->first);
	lua_setfield(L, -2, "first");
	luaL_setmetatable(L, type);
}

static int lathe_compare(lua_State *L)
{
	size_t n;
	Model *a = lua_model_check(L, 1), *b = lua_model_check(L, 2);
	int32_t *id = lua_model_ids(L, a, 3, true, &n);
	if (n < 1)
		return lab_fail(L, E_2003, "compare: the text is empty");
	Box *box = push_box(L);
	compare_models(L, a, 1, b, 2, id, n, &box->report);
	push_report(L, &box->report, "Comparison");
	return 1;
}

static double get_num(lua_State *L, int i, const char *key)
{
	lua_getfield(L, i, key);
	double v = lua_tonumber(L, -1);
	lua_pop(L, 1);
	return v;
}

static void say_routes(lua_State *L, Buf *b)
{
	double routes = get_num(L, 1, "routes"), flipped = get_num(L, 1, "routes_flipped");
	if (routes > 0)
		buf_printf(b, "routes that differ: %.0f of %.0f (%.2f %%)\n", flipped, routes, 100 * flipped / routes);
	if (lua_getfield(L, 1, "by_layer") != LUA_TTABLE)
		return;
	for (lua_Integer i = 1, n = (lua_Integer)lua_rawlen(L, -1); i <= n; i++, lua_pop(L, 2)) {
		lua_rawgeti(L, -1, i);
		lua_getfield(L, -1, "name");
		double f = get_num(L, lua_gettop(L) - 1, "flipped"), all = get_num(L, lua_gettop(L) - 1, "routes");
		if (f > 0)
			buf_printf(b, "  %-24s %6.0f of %.0f\n", luaL_tolstring(L, -1, NULL), f, all);
		lua_settop(L, lua_gettop(L) - (f > 0));
	}
	lua_pop(L, 1);
}

static void say_layers(lua_State *L, Buf *b)
{
	if (lua_getfield(L, 1, "layers") != LUA_TTABLE)
		return;
	buf_printf(b, "%-26s %12s %12s\n", "value", "rel L2", "max abs");
	for (lua_Integer i = 1, n = (lua_Integer)lua_rawlen(L, -1); i <= n; i++, lua_pop(L, 2)) {
		lua_rawgeti(L, -1, i);
		lua_getfield(L, -1, "name");
		const char *name = lua_tostring(L, -1);
		buf_printf(b, "%-26s %12.4g %12.4g\n", name ? name : "?", get_num(L, lua_gettop(L) - 1, "rel_l2"), get_num(L, lua_gettop(L) - 1, "max_abs"));
	}
	lua_pop(L, 1);
}

static int push_said(lua_State *L, Buf *b)
{
	while (b->len > 0 && b->s[b->len - 1] == '\n')
		b->s[--b->len] = 0;
	lua_pushstring(L, buf_str(b));
	buf_done(b);
	return 1;
}

static int comparison_tostring(lua_State *L)
{
	Buf b = BUF_INIT;
	luaL_checktype(L, 1, LUA_TTABLE);
	say_layers(L, &b);
	buf_printf(&b, "KL(A || B) %.4g nat, same best token %.2f %%\n", get_num(L, 1, "kl"), 100 * get_num(L, 1, "top1"));
	say_routes(L, &b);
	return push_said(L, &b);
}

/* --- two texts that were written --- */

static Model *model_of(lua_State *L, int i)
{
	if (!lua_istable(L, i) || lua_getfield(L, i, "model") != LUA_TUSERDATA)
		lab_fail(L, E_2003, "diff: argument %d must be what m:generate returned", i);
	return lua_model_check(L, lua_gettop(L));
}

/* A list of ids of the table at index i, pushed. */
static int push_field(lua_State *L, int i, const char *key)
{
	if (lua_getfield(L, i, key) != LUA_TTABLE)
		lab_fail(L, E_2003, "diff: argument %d has no %s; it must be what m:generate returned", i, key);
	return lua_gettop(L);
}

/* The first token, counted from 0 after the prompt, at which the texts part; -1: nowhere. */
static int64_t first_difference(lua_State *L, int a, int b)
{
	lua_Integer na = (lua_Integer)lua_rawlen(L, a), nb = (lua_Integer)lua_rawlen(L, b), i = 1;
	for (; i <= na && i <= nb; i++) {
		lua_rawgeti(L, a, i);
		lua_rawgeti(L, b, i);
		bool same = lua_rawequal(L, -1, -2);
		lua_pop(L, 2);
		if (!same)
			return i - 1;
	}
	return na == nb ? -1 : i - 1;
}

/* Prompt and text of A, as one list of ids. */
static int push_whole(lua_State *L, int prompt, int text)
{
	lua_Integer n = (lua_Integer)lua_rawlen(L, prompt), m = (lua_Integer)lua_rawlen(L, text);
	lua_createtable(L, (int)(n + m), 0);
	for (lua_Integer i = 1; i <= n + m; i++) {
		lua_rawgeti(L, i <= n ? prompt : text, i <= n ? i : i - n);
		lua_rawseti(L, -2, i);
	}
	return lua_gettop(L);
}

static int lathe_diff(lua_State *L)
{
	size_t n;
	lua_settop(L, 2);
	Model *a = model_of(L, 1);
	int ia = lua_gettop(L);
	Model *b = model_of(L, 2);
	int ib = lua_gettop(L);
	int text_a = push_field(L, 1, "ids"), text_b = push_field(L, 2, "ids"), prompt = push_field(L, 1, "prompt_ids");
	int64_t first = first_difference(L, text_a, text_b);
	int32_t *id = lua_model_ids(L, a, push_whole(L, prompt, text_a), false, &n);
	Box *box = push_box(L);
	compare_models(L, a, ia, b, ib, id, n, &box->report);
	push_report(L, &box->report, "Difference");
	set_int(L, "prompt_tokens", (int64_t)lua_rawlen(L, prompt));
	if (first >= 0)
		set_int(L, "first_token", first);
	lua_getfield(L, 1, "text");
	lua_setfield(L, -2, "a");
	lua_getfield(L, 2, "text");
	lua_setfield(L, -2, "b");
	return 1;
}

/* Where the largest divergences are, after the prompt. */
static void say_kl(lua_State *L, Buf *b)
{
	int64_t shape[TENSOR_MAXRANK], prompt = (int64_t)get_num(L, 1, "prompt_tokens"), worst = -1;
	int rank;
	lua_getfield(L, 1, "kl_at");
	if (!lua_tensor_is(L, -1))
		return;
	const real *v = lua_tensor_read(L, lua_gettop(L), &rank, shape);
	for (int64_t i = prompt > 0 ? prompt - 1 : 0; i < shape[0]; i++)
		if (worst < 0 || v[i] > v[worst])
			worst = i;
	buf_printf(b, "on the text of A: KL(A || B) %.4g nat a token, same best token %.2f %%", get_num(L, 1, "kl"), 100 * get_num(L, 1, "top1"));
	if (worst >= 0 && v[worst] > 0)
		buf_printf(b, "; most at position %lld: %.4g nat", (long long)worst + 1, (double)v[worst]);
	buf_addc(b, '\n');
}

static int difference_tostring(lua_State *L)
{
	Buf b = BUF_INIT;
	luaL_checktype(L, 1, LUA_TTABLE);
	if (lua_getfield(L, 1, "first_token") == LUA_TNIL)
		buf_adds(&b, "the texts are the same\n");
	else
		buf_printf(&b, "the texts part at token %lld\n", (long long)lua_tointeger(L, -1));
	for (int i = 0; i < 2; i++) {
		lua_getfield(L, 1, i ? "b" : "a");
		const char *s = lua_tostring(L, -1);
		buf_printf(&b, "%s: %s\n", i ? "B" : "A", s ? s : "");
	}
	say_kl(L, &b);
	say_routes(L, &b);
	return push_said(L, &b);
}

/* --- exams --- */

static bool is_stopped(void *ud)
{
	return *((Lab *)ud)->room.stop != 0;
}

static void push_by_k(lua_State *L, const double *sum, int64_t k, int64_t n)
{
	lua_newtable(L);
	for (int i = 0; exam_k(k, i); i++) {
		lua_pushnumber(L, sum[i] / (double)n);
		lua_rawseti(L, -2, (lua_Integer)exam_k(k, i));
	}
}

static int model_eval(lua_State *L)
{
	static const char *const words[] = { "n", "k", "temperature", "seed", "level", NULL };
	Model *m = lua_model_check(L, 1);
	const char *task = luaL_checkstring(L, 2);
	Lab *lab = lab_of(L);
	Err e = { 0 };
	lua_settop(L, 3);
	lua_options_known(L, 3, "eval", words);
	ExamOptions o = { .n = lua_option_int(L, 3, "n", 100, 1, 1 << 20), .k = lua_option_int(L, 3, "k", 1, 1, EXAM_K_MAX),
		.seed = (uint64_t)lua_option_int(L, 3, "seed", (int64_t)lab->o.seed, 0, INT64_MAX), .stopped = is_stopped, .ud = lab };
	o.temperature = lua_option_num(L, 3, "temperature", o.k > 1 ? 1 : 0, 0, 1e6);
	for (int i = 0; i < m->n_changes; i++)
		if (m->change[i].kind == CHANGE_PATCH)
			return lab_fail(L, E_2003, "eval: a patch is for one text, an exam has many side by side");
	Box *box = push_box(L);
	box->exam = run_exam_open(task, (int)lua_option_int(L, 3, "level", 0, 0, 1000), lab->o.lua_dir, &e);
	if (!box->exam)
		return lab_raise(L, &e);
	ExamResult r = { 0 };
	lua_model_enter(L, m, 1);
	bool ok = exam_run(m->m, &box->exam->exam, &o, &r, &e);
	lua_model_leave(L, m);
	if (!ok) {
		LatheError le = { .code = e.code };
		memcpy(le.text, e.text, sizeof le.text - 1);
		return lua_model_raise(L, &le);
	}
	lua_model_settle(L, m);
	lua_model_check_hooks(L, m);
	lua_createtable(L, 0, 6);
	set_int(L, "n", r.n);
	set_int(L, "k", r.k);
	set_num(L, "pass1", r.pass1 / (double)r.n);
	push_by_k(L, r.passk, r.k, r.n);
	lua_setfield(L, -2, "pass");
	push_by_k(L, r.majk, r.k, r.n);
	lua_setfield(L, -2, "maj");
	return 1;
}

static const ApiFn methods[] = {
	{ "eval", "(task: string, options: { n: integer?, k: integer?, temperature: number?, seed: integer?, level: integer? }?): table",
		"Asks n (100) problems of a task (add, mult2, chain6, ...; see lathe-eval(1)) k (1) times each and judges the answers: pass1, pass[k] and maj[k] as "
		"shares. temperature is 0 for k = 1 and else 1.",
		"local m = lathe.open \"@reason\"\nprint(m:eval(\"mult2\", { n = 4 }).pass1)", model_eval },
	{ NULL, NULL, NULL, NULL, NULL },
};

const ApiClass api_model_compare = { "Model", NULL, methods, NULL };

static const ApiFn functions[] = {
	{ "compare", "(a: Model, b: Model, text: string | integer[]): Comparison",
		"Two models, or two views of one, on the same tokens. layers: a list of { name, rel_l2, max_abs } in the order of computing; first: the name of the first "
		"value that differs; kl: mean KL(A || B) in nat, kl_at its tensor by position; top1: share of positions with the same best token; routes, "
		"routes_flipped, and by_layer: choices of experts in all and those that differ. Prints as a table.",
		"local m = lathe.open \"@tiny\"\nprint(lathe.compare(m, m:with { recipe = \"bf16\" }, \"Once upon a time\"))", lathe_compare },
	{ "diff", "(a: table, b: table): Difference",
		"What m:generate returned twice: first_token, counted from 0 behind the prompt, is where the texts part (nil: nowhere); and, both models reading A's text, the "
		"fields of lathe.compare. Prints as a summary.",
		"local m = lathe.open \"@tiny\"\nlocal a = m:generate(\"Once\", { n = 8, seed = 1 })\n"
		"local b = m:with { ban = { layer = 3, expert = 6 } }:generate(\"Once\", { n = 8, seed = 1 })\nprint(lathe.diff(a, b))", lathe_diff },
	{ NULL, NULL, NULL, NULL, NULL },
};

const ApiClass api_compare = { "lathe", NULL, functions, NULL };

static const ApiFn none[] = { { NULL, NULL, NULL, NULL, NULL } };
static const luaL_Reg comparison_meta[] = { { "__tostring", comparison_tostring }, { NULL, NULL } };
static const luaL_Reg difference_meta[] = { { "__tostring", difference_tostring }, { NULL, NULL } };
const ApiClass api_comparison = { "Comparison", "What lathe.compare returns: a table that prints itself.", none, comparison_meta };
const ApiClass api_difference = { "Difference", "What lathe.diff returns: a table that prints itself.", none, difference_meta };
