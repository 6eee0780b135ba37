/* lua_nn.c - a module of Lua behind the model's seam for attention and routers. lua/lathe/nn.lua has made one module, listed its weights
 * and wrapped its forward; here they become an AttnPart or GatePart, whose forward hands a layer's weights and rows to Lua and takes the
 * result back. Lua runs on a thread of its own, so that it does not matter which of the script's coroutines the forward came from. */
#include "script/lua_nn.h"
#include "script/lua_forward.h"
#include "script/lua_model.h"
#include "script/lua_tensor.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char type_name[] = "Parts";
static const char key_names = 0;
enum { WEIGHTS_MAX = 200, NAME_LONGEST = 90 /* behind "model.layers.N." */, WIDTH_MAX = 1 << 20 };

/* One module. Its Lua function lies in the registry under the address of the Part. */
typedef struct Part {
	lua_State *L;            /* the thread */
	char name[CONFIG_NAME_MAX], what[CONFIG_NAME_MAX + 16];
	int n;
	PartWeight *weight;      /* of Lua's heap, with the names behind: anchored by the Parts */
} Part;
typedef struct Parts { LmParts parts; AttnPart attn; GatePart gate; Part of[2]; } Parts; /* user values: thread, weights, weights */

/* --- the call --- */

/* What the C function inside the protected call is told. */
typedef struct Call { Part *p; Tape *t; Ten *const *w; Ten *h; int layer; } Call;

/* The module's forward(layer, h, weights ...) with all its results. */
static int part_call(lua_State *L)
{
	Call *c = lua_touserdata(L, 1);
	lua_settop(L, 0);
	luaL_checkstack(L, c->p->n + 8, "too many weights");
	lua_rawgetp(L, LUA_REGISTRYINDEX, c->p);
	lua_pushinteger(L, c->layer);
	lua_tensor_push_tape(L, c->t, c->h, 0);
	for (int i = 0; i < c->p->n; i++)
		lua_tensor_push_tape(L, c->t, c->w[i], 0);
	lua_call(L, c->p->n + 2, 2);
	return 2;
}

/* The two results as values on t; those not asked for are left alone. */
static bool part_run(Call *c, const Run *r, Ten **first, Ten **second)
{
	Part *p = c->p;
	int top = lua_gettop(p->L);
	LuaForward f = { .tape = c->t, .run = r, .layer = c->layer };
	if (tape_failed(c->t))
		return false;
	if (!lua_checkstack(p->L, 8)) {
		tape_fail(c->t, E_5001, "%s: no memory for Lua's stack", p->what);
		return false;
	}
	lua_forward_push(p->L, &f);
	lua_pushcfunction(p->L, part_call);
	lua_pushlightuserdata(p->L, c);
	if (lua_forward_call(p->L, c->t, 1, 2)) {
		*first = lua_tensor_result(p->L, -2, c->t, p->what);
		if (second)
			*second = lua_tensor_result(p->L, -1, c->t, p->what);
	}
	lua_forward_pop(p->L, &f);
	lua_settop(p->L, top);
	return !tape_failed(c->t);
}

static Ten *attn_forward_lua(void *ud, Tape *t, const Run *r, int layer, Ten *const *w, Ten *h)
{
	Call c = { ud, t, w, h, layer };
	Ten *y = NULL;
	return part_run(&c, r, &y, NULL) ? y : NULL;
}

static bool gate_forward_lua(void *ud, Tape *t, const Run *r, int layer, Ten *const *w, Ten *h, Ten **weights, Ten **topk)
{
	Call c = { ud, t, w, h, layer };
	return part_run(&c, r, weights, topk);
}

/* --- the list of weights --- */

static bool name_fits(const char *s, size_t n)
{
	return n > 0 && n <= NAME_LONGEST && strlen(s) == n &&
		strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.") == n;
}

static int64_t width_at(lua_State *L, const char *key, const char *name)
{
	int whole;
	lua_getfield(L, -1, key);
	lua_Integer v = lua_tointegerx(L, -1, &whole);
	lua_pop(L, 1);
	if (!whole || v < 1 || v > WIDTH_MAX)
		lab_fail(L, E_2003, "weight %s: its sizes must be whole numbers from 1 to %d", name, WIDTH_MAX);
	return v;
}

/* { name = "self_attn.gate.weight", rows = 8, cols = 4 } on top of the stack; cols nil: a vector. */
static void weight_take(lua_State *L, PartWeight *w, char *to)
{
	size_t n;
	lua_getfield(L, -1, "name");
	const char *s = lua_tolstring(L, -1, &n);
	if (!s || !name_fits(s, n))
		lab_fail(L, E_2003, "a module's fields must have names of letters, digits and _, together at most %d long", NAME_LONGEST);
	memcpy(to, s, n + 1);
	lua_pop(L, 1);
	*w = (PartWeight){ .name = to, .rank = lua_getfield(L, -1, "cols") == LUA_TNIL ? 1 : 2 };
	lua_pop(L, 1);
	w->shape[0] = width_at(L, "rows", to);
	if (w->rank == 2)
		w->shape[1] = width_at(L, "cols", to);
	lua_getfield(L, -1, "ones");
	w->ones = lua_toboolean(L, -1);
	lua_pop(L, 1);
}

/* The weights of the description on top of the stack, into memory that is left as user value uv of the Parts at index 2. */
static void weights_take(lua_State *L, Part *p, int uv)
{
	lua_getfield(L, -1, "weights");
	luaL_checktype(L, -1, LUA_TTABLE);
	lua_Unsigned n = lua_rawlen(L, -1);
	if (n > WEIGHTS_MAX)
		lab_fail(L, E_2003, "%s: has %d weights in a layer; at most %d", p->name, (int)n, WEIGHTS_MAX);
	p->weight = lua_newuserdatauv(L, (size_t)(n + 1) * (sizeof *p->weight + NAME_LONGEST + 1), 0);
	lua_setiuservalue(L, 2, uv);
	char *names = (char *)(p->weight + n + 1);
	for (p->n = 0; p->n < (int)n; p->n++, lua_pop(L, 1)) {
		lua_rawgeti(L, -1, p->n + 1);
		weight_take(L, &p->weight[p->n], names + (size_t)p->n * (NAME_LONGEST + 1));
	}
	lua_pop(L, 1);
}

/* { name, weights, forward } under `key` of the table at 1. False: there is none. */
static bool part_take(lua_State *L, const char *key, Part *p, lua_State *thread, int uv)
{
	if (lua_getfield(L, 1, key) == LUA_TNIL) {
		lua_pop(L, 1);
		return false;
	}
	luaL_checktype(L, -1, LUA_TTABLE);
	lua_getfield(L, -1, "name");
	const char *s = lua_tostring(L, -1);
	if (!s || !config_name_valid(s))
		lab_fail(L, E_2003, "a module that is a model's %s needs a name of letters, digits and _, at most %d long", key, CONFIG_NAME_MAX - 1);
	snprintf(p->name, sizeof p->name, "%s", s);
	snprintf(p->what, sizeof p->what, "%s:forward", s);
	lua_pop(L, 1);
	p->L = thread;
	weights_take(L, p, uv);
	lua_getfield(L, -1, "forward");
	luaL_checktype(L, -1, LUA_TFUNCTION);
	lua_rawsetp(L, LUA_REGISTRYINDEX, p);
	lua_pop(L, 1);
	return true;
}

static int parts_new(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 1);
	Parts *x = api_object(L, type_name, sizeof *x, 3);
	lua_State *thread = lua_newthread(L);
	lua_setiuservalue(L, 2, 1);
	if (part_take(L, "attention", &x->of[0], thread, 2)) {
		x->attn = (AttnPart){ x->of[0].name, x->of[0].n, x->of[0].weight, &x->of[0], attn_forward_lua };
		x->parts.attn = &x->attn;
	}
	if (part_take(L, "router", &x->of[1], thread, 3)) {
		x->gate = (GatePart){ x->of[1].name, x->of[1].n, x->of[1].weight, &x->of[1], gate_forward_lua };
		x->parts.gate = &x->gate;
	}
	return 1;
}

static int parts_gc(lua_State *L)
{
	Parts *x = lua_touserdata(L, 1);
	for (int i = 0; i < 2; i++) {
		lua_pushnil(L);
		lua_rawsetp(L, LUA_REGISTRYINDEX, &x->of[i]);
	}
	return 0;
}

const LmParts *lua_nn_parts(lua_State *L, int i)
{
	return lua_isnoneornil(L, i) ? NULL : &((Parts *)api_check(L, i, type_name))->parts;
}

/* --- names --- */

/* The text of a name for good: tapes keep the pointer. */
static const char *name_keep(lua_State *L, int i)
{
	size_t n;
	const char *s = luaL_checklstring(L, i, &n);
	if (n == 0 || n > NAME_LONGEST || strlen(s) != n || !config_name_valid(s))
		lab_fail(L, E_2003, "\"%.40s\" is no name for a value: letters, digits and _", s);
	if (lua_rawgetp(L, LUA_REGISTRYINDEX, &key_names) == LUA_TNIL) {
		lua_newtable(L);
		lua_pushvalue(L, -1);
		lua_rawsetp(L, LUA_REGISTRYINDEX, &key_names);
		lua_remove(L, -2);
	}
	lua_pushvalue(L, i);
	if (lua_rawget(L, -2) == LUA_TNIL) {
		lua_pushvalue(L, i);
		lua_pushvalue(L, i);
		lua_rawset(L, -4);
		lua_pushvalue(L, i);
	} else {
		lua_pushvalue(L, -1);
	}
	s = lua_tostring(L, -1); /* the one that the table keeps */
	lua_settop(L, 2);
	return s;
}

static int value_name(lua_State *L)
{
	lua_settop(L, 2);
	const char *s = name_keep(L, 1);
	Tape *t = lua_tensor_tape(L, 2);
	if (!t)
		return 1; /* plain numbers: nobody watches them */
	return lua_tensor_made(L, t, tape_name(t, s, lua_tensor_on(L, 2, t)), 2);
}

/* The config of a checkpoint, before it is opened with parts that are built from it. */
static int part_config(lua_State *L)
{
	const Lab *lab = lab_of(L);
	const char *path = luaL_checkstring(L, 1);
	Config c;
	Err e = { 0 };
	char *at = lab->o.ckpt_path ? lab->o.ckpt_path(path, &e) : strdup(path);
	bool ok = at && config_read(at, &c, &e);
	free(at);
	if (!ok)
		return lab_raise(L, &e);
	lua_config_push(L, &c);
	return 1;
}

static const ApiFn functions[] = {
	{ "new", "(modules: table): Parts", "For lathe.nn: the parts { attention = ..., router = ... } of a model, each { name, weights, forward } as nn.LM makes "
		"them.", NULL, parts_new },
	{ "name", "(name: string, value: Tensor): Tensor", "The value under a name of the layer's, as nn.name gives it: hooks and probes see it, and may have put another "
		"in its place.", "assert(lathe.nn.name('c_KV', lathe.ones(3)):sum() == 3)", value_name },
	{ "config", "(path: string): table", "The config.json of a checkpoint, \"@NAME\" or a folder, as a table.",
		"assert(lathe.part.config(\"@tiny\").model_type == \"deepseek_v3\")", part_config },
	{ NULL, NULL, NULL, NULL, NULL },
};
const ApiClass api_nn = { "lathe.part", "What lathe.nn stands on: modules of Lua as parts of a model, and names for values.", functions, NULL };

static const ApiFn no_methods[] = { { NULL, NULL, NULL, NULL, NULL } };
static const luaL_Reg meta[] = { { "__gc", parts_gc }, { NULL, NULL } };
const ApiClass api_parts = { "Parts", "The attention and router of a script that a model was made with.", no_methods, meta };
