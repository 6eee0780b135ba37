/* lua_model.c - models in Lua: opening, text and ids, weights, hooks. Running them is in lua_generate.c, changing them in lua_with.c. */
#include "script/lua_model.h"
#include "base/json.h"
#include "script/lua_forward.h"
#include "script/lua_nn.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char type_name[] = "Model";

/* --- options --- */

static bool option_get(lua_State *L, int i, const char *key)
{
	if (!lua_istable(L, i))
		return false;
	if (lua_getfield(L, i, key) != LUA_TNIL)
		return true;
	lua_pop(L, 1);
	return false;
}

double lua_option_num(lua_State *L, int i, const char *key, double missing, double lo, double hi)
{
	if (!option_get(L, i, key))
		return missing;
	double v = lua_tonumber(L, -1);
	if (lua_type(L, -1) != LUA_TNUMBER || !(v >= lo && v <= hi))
		lab_fail(L, E_2003, "%s must be a number from %g to %g", key, lo, hi);
	lua_pop(L, 1);
	return v;
}

int64_t lua_option_int(lua_State *L, int i, const char *key, int64_t missing, int64_t lo, int64_t hi)
{
	if (!option_get(L, i, key))
		return missing;
	int whole;
	int64_t v = lua_tointegerx(L, -1, &whole);
	if (!whole || v < lo || v > hi)
		lab_fail(L, E_2003, "%s must be a whole number from %lld to %lld", key, (long long)lo, (long long)hi);
	lua_pop(L, 1);
	return v;
}

bool lua_option_flag(lua_State *L, int i, const char *key, bool missing)
{
	if (!option_get(L, i, key))
		return missing;
	if (!lua_isboolean(L, -1))
		lab_fail(L, E_2003, "%s must be true or false", key);
	bool v = lua_toboolean(L, -1);
	lua_pop(L, 1);
	return v;
}

void lua_options_known(lua_State *L, int i, const char *what, const char *const *words)
{
	if (lua_isnoneornil(L, i))
		return;
	if (!lua_istable(L, i))
		lab_fail(L, E_2003, "%s: options are a table, not %s", what, luaL_typename(L, i));
	for (lua_pushnil(L); lua_next(L, i); lua_pop(L, 1)) {
		const char *k = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "1";
		int w = 0;
		while (words[w] && strcmp(words[w], k) != 0)
			w++;
		if (words[w])
			continue;
		Buf all = BUF_INIT;
		for (w = 0; words[w]; w++)
			buf_printf(&all, "%s%s", w ? ", " : "", words[w]);
		lua_pushstring(L, buf_str(&all));
		buf_done(&all);
		lab_fail(L, E_2003, "%s has no option %s; known are %s", what, k, lua_tostring(L, -1));
	}
}

LatheAttention lua_model_attention(lua_State *L, int i, LatheAttention missing)
{
	static const char *const words[] = { "auto", "naive", "absorbed", NULL };
	if (!option_get(L, i, "attention"))
		return missing;
	const char *s = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
	for (int w = 0; words[w]; w++)
		if (strcmp(words[w], s) == 0) {
			lua_pop(L, 1);
			return w == 0 ? LATHE_ATTENTION_AUTO : w == 1 ? LATHE_ATTENTION_NAIVE : LATHE_ATTENTION_ABSORBED;
		}
	lab_fail(L, E_2003, "attention must be \"auto\", \"naive\" or \"absorbed\"");
	return missing;
}

int lua_model_raise(lua_State *L, const LatheError *le)
{
	Err e = { 0 };
	err_set(&e, le->code, "%s", le->text);
	return lua_forward_raise(L, &e);
}

/* --- life --- */

Model *lua_model_check(lua_State *L, int i)
{
	Model *m = api_check(L, i, type_name);
	if (!m->m)
		lab_fail(L, E_2003, "this model has been closed");
	return m;
}

Model *lua_model_push(lua_State *L, LatheModel *m, int owner)
{
	if (owner)
		owner = lua_absindex(L, owner);
	Model *x = api_object(L, type_name, sizeof *x, MODEL_VALUES);
	x->m = m;
	x->borrowed = owner != 0;
	x->next_id = 1;
	if (owner) {
		lua_pushvalue(L, owner);
		lua_setiuservalue(L, -2, MODEL_BASE);
	}
	lua_newtable(L);
	lua_setiuservalue(L, -2, MODEL_HOOKS);
	return x;
}

static void hook_free(ModelHook *h)
{
	if (h->tape_id)
		tape_unhook(h->of->m->tape, h->tape_id);
	free(h->pattern);
	free(h);
}

static int model_gc(lua_State *L)
{
	Model *m = lua_touserdata(L, 1);
	while (m->hook) {
		ModelHook *h = m->hook;
		m->hook = h->next;
		hook_free(h);
	}
	changes_undo(m->changes);
	for (int i = 0; i < m->n_changes; i++) {
		free((void *)(uintptr_t)m->change[i].name);
		free((void *)(uintptr_t)m->change[i].data);
	}
	free(m->change);
	if (m->m && !m->borrowed)
		lathe_close(m->m);
	if (m->held)
		lab_give(L, m->held);
	*m = (Model){ 0 };
	return 0;
}

void lua_model_enter(lua_State *L, Model *m, int i)
{
	/* Two objects may stand for one model of the engine, which has one tape. */
	if (m->L || lua_rawgetp(L, LUA_REGISTRYINDEX, m->m) != LUA_TNIL)
		lab_fail(L, E_9002, "the model is in the middle of a forward; m:with {} gives another view of it to run");
	lua_pop(L, 1);
	lua_pushvalue(L, i);
	lua_rawsetp(L, LUA_REGISTRYINDEX, m);
	luaL_checkstack(L, 20, "hooks");
	LuaForward f = { .tape = m->m->tape, .layer = -1 };
	lua_forward_push(L, &f); /* makes the place for errors */
	lua_forward_pop(L, &f);
	lua_pushboolean(L, 1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, m->m);
	m->L = L;
}

void lua_model_leave(lua_State *L, Model *m)
{
	m->L = NULL;
	lua_pushnil(L);
	lua_rawsetp(L, LUA_REGISTRYINDEX, m);
	lua_pushnil(L);
	lua_rawsetp(L, LUA_REGISTRYINDEX, m->m);
}

void lua_model_settle(lua_State *L, Model *m)
{
	size_t weights = m->m->view || m->borrowed ? 0 : (size_t)m->m->lm->weight_bytes;
	size_t now = weights + arena_held(tape_arena(m->m->tape));
	if (now > m->held)
		lab_take(L, now - m->held);
	else
		lab_give(L, m->held - now);
	m->held = now;
}

static int open_model(lua_State *L)
{
	static const char *const words[] = { "threads", "precision", "attention", "layers", "parts", NULL };
	const Lab *lab = lab_of(L);
	const char *path = luaL_checkstring(L, 1);
	lua_settop(L, 2);
	lua_options_known(L, 2, "open", words);
	LatheOpenOptions o = { .threads = (int)lua_option_int(L, 2, "threads", lab->o.threads, 0, 1024),
		.layers = lua_option_int(L, 2, "layers", 0, 0, CONFIG_LAYERS_MAX), .memory_limit = lab->o.memory_limit };
	LatheAttention attention = lua_model_attention(L, 2, LATHE_ATTENTION_AUTO);
	if (option_get(L, 2, "precision"))
		o.precision = luaL_checkstring(L, -1);
	const LmParts *parts = option_get(L, 2, "parts") ? lua_nn_parts(L, -1) : NULL;
	lua_settop(L, 2);
	Model *m = lua_model_push(L, NULL, 0);
	if (parts) { /* they live as long as the model */
		lua_getfield(L, 2, "parts");
		lua_setiuservalue(L, -2, MODEL_BASE);
	}
	LatheError le = { 0 };
	Err e = { 0 };
	char *at = lab->o.ckpt_path ? lab->o.ckpt_path(path, &e) : strdup(path);
	if (!at)
		return lab_raise(L, &e);
	m->m = model_open_parts(at, &o, parts, &le);
	free(at);
	if (!m->m)
		return lua_model_raise(L, &le);
	m->attention = attention;
	lua_model_settle(L, m);
	return 1;
}

/* --- text --- */

static int ids_gc(lua_State *L)
{
	int32_t **p = lua_touserdata(L, 1);
	free(*p);
	*p = NULL;
	return 0;
}

static int32_t **push_ids_box(lua_State *L)
{
	int32_t **p = lua_newuserdatauv(L, sizeof *p, 0);
	*p = NULL;
	if (luaL_newmetatable(L, "lathe.ids")) {
		lua_pushcfunction(L, ids_gc);
		lua_setfield(L, -2, "__gc");
	}
	lua_setmetatable(L, -2);
	return p;
}

int32_t *lua_model_ids(lua_State *L, const Model *m, int i, bool bos, size_t *n)
{
	size_t len;
	i = lua_absindex(L, i);
	int32_t **box = push_ids_box(L);
	LatheError le = { 0 };
	if (lua_type(L, i) == LUA_TSTRING) {
		const char *s = lua_tolstring(L, i, &len);
		if (!lathe_encode(m->m, s, len, bos, box, n, &le))
			lua_model_raise(L, &le);
		return *box;
	}
	if (!lua_istable(L, i))
		lab_fail(L, E_2003, "a text or a list of token ids is needed, not %s", luaL_typename(L, i));
	*n = lua_rawlen(L, i);
	*box = malloc(sizeof **box * (*n + 1));
	if (!*box)
		lab_fail(L, E_5001, "no memory for %zu tokens", *n);
	for (size_t k = 0; k < *n; k++, lua_pop(L, 1)) {
		int whole;
		lua_rawgeti(L, i, (lua_Integer)k + 1);
		lua_Integer id = lua_tointegerx(L, -1, &whole);
		if (!whole || id < 0 || id >= lathe_vocab(m->m))
			lab_fail(L, E_2003, "token %zu of the list is no id: they are 0 to %lld", k, (long long)lathe_vocab(m->m) - 1);
		(*box)[k] = (int32_t)id;
	}
	return *box;
}

static void push_id_list(lua_State *L, const int32_t *id, size_t n)
{
	lua_createtable(L, (int)n, 0);
	for (size_t i = 0; i < n; i++) {
		lua_pushinteger(L, id[i]);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
}

static int model_encode(lua_State *L)
{
	size_t n;
	Model *m = lua_model_check(L, 1);
	luaL_checkstring(L, 2);
	int32_t *id = lua_model_ids(L, m, 2, lua_toboolean(L, 3), &n);
	push_id_list(L, id, n);
	return 1;
}

static int model_decode(lua_State *L)
{
	size_t n;
	Model *m = lua_model_check(L, 1);
	int32_t *id = lua_model_ids(L, m, 2, false, &n);
	char *s = lathe_decode(m->m, id, n);
	lua_pushstring(L, s ? s : "");
	free(s);
	return 1;
}

void lua_model_push_token(lua_State *L, const Model *m, int32_t id)
{
	size_t n = 0;
	char *s = lathe_token_bytes(m->m, id, &n);
	lua_pushlstring(L, s ? s : "", n);
	free(s);
}

static int model_tokens(lua_State *L)
{
	size_t n;
	Model *m = lua_model_check(L, 1);
	int32_t *id = lua_model_ids(L, m, 2, false, &n);
	lua_createtable(L, (int)n, 0);
	for (size_t i = 0; i < n; i++) {
		lua_model_push_token(L, m, id[i]);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	return 1;
}

/* owner, text -> id: for logits:logprob "7". */
static int model_token(lua_State *L)
{
	size_t n;
	Model *m = lua_model_check(L, 1);
	int32_t *id = lua_model_ids(L, m, 2, false, &n);
	if (n != 1)
		return lab_fail(L, E_2003, "\"%s\" is %zu tokens of this model, one is needed", lua_tostring(L, 2), n);
	lua_pushinteger(L, id[0]);
	return 1;
}

/* --- facts --- */

static void push_json(lua_State *L, const json_t *v);

static void push_json_table(lua_State *L, const json_t *v)
{
	const char *key;
	json_t *x;
	size_t i;
	luaL_checkstack(L, 8, "config.json");
	lua_newtable(L);
	if (json_is_array(v))
		json_array_foreach(v, i, x) {
			push_json(L, x);
			lua_rawseti(L, -2, (lua_Integer)i + 1);
		}
	else
		json_object_foreach((json_t *)(uintptr_t)v, key, x) {
			push_json(L, x);
			lua_setfield(L, -2, key);
		}
}

static void push_json(lua_State *L, const json_t *v)
{
	if (json_is_string(v))
		lua_pushlstring(L, json_string_value(v), json_string_length(v));
	else if (json_is_integer(v))
		lua_pushinteger(L, (lua_Integer)json_integer_value(v));
	else if (json_is_real(v))
		lua_pushnumber(L, json_real_value(v));
	else if (json_is_boolean(v))
		lua_pushboolean(L, json_is_true(v));
	else if (json_is_object(v) || json_is_array(v))
		push_json_table(L, v);
	else
		lua_pushnil(L);
}

static int push_json_call(lua_State *L)
{
	push_json(L, lua_touserdata(L, 1));
	return 1;
}

void lua_config_push(lua_State *L, const Config *c)
{
	Buf b = BUF_INIT;
	Err e = { 0 };
	json_t *v = config_write(c, &b) ? json_parse(buf_str(&b), b.len, "config.json", E_3070, &e) : NULL;
	buf_done(&b);
	lua_pushcfunction(L, push_json_call);
	lua_pushlightuserdata(L, v);
	bool ok = v && lua_pcall(L, 1, 1, 0) == LUA_OK;
	json_decref(v);
	if (!ok)
		lab_fail(L, E_5001, "no memory for the config");
}

static int model_index(lua_State *L)
{
	lua_pushvalue(L, 2);
	lua_rawget(L, lua_upvalueindex(1));
	if (!lua_isnil(L, -1) || lua_type(L, 2) != LUA_TSTRING)
		return 1;
	const Model *m = lua_model_check(L, 1);
	const char *k = lua_tostring(L, 2);
	if (strcmp(k, "layers") == 0) {
		lua_pushinteger(L, m->m->lm->n_layers);
	} else if (strcmp(k, "config") == 0 && lua_getiuservalue(L, 1, MODEL_CONFIG) == LUA_TNIL) {
		lua_config_push(L, &m->m->lm->c);
		lua_pushvalue(L, -1);
		lua_setiuservalue(L, 1, MODEL_CONFIG);
	}
	return 1;
}

static int model_tostring(lua_State *L)
{
	const Model *m = lua_model_check(L, 1);
	const Config *c = &m->m->lm->c;
	lua_pushfstring(L, "model %s: %d layers, hidden size %d, %d experts%s", c->model_type, m->m->lm->n_layers, (int)c->hidden_size,
		(int)c->n_routed_experts, m->n_changes ? ", changed" : "");
	return 1;
}

static int model_kv_bytes(lua_State *L)
{
	static const char *const words[] = { "f32", "bf16", NULL };
	Model *m = lua_model_check(L, 1);
	int64_t n = 0;
	for (int i = 0; i < m->m->lm->n_layers; i++) {
		KvShape s = attn_kv_shape(&m->m->lm->block[i].attn);
		n += s.width[0] + s.width[1];
	}
	lua_pushinteger(L, (lua_Integer)(n * (luaL_checkoption(L, 2, "f32", words) ? 2 : (int)sizeof(real))));
	return 1;
}

static Ckpt *ckpt_of(lua_State *L, const Model *m)
{
	if (!m->m->lm->ckpt)
		lab_fail(L, E_2003, "this model comes from no checkpoint; run:save(dir) writes one");
	return m->m->lm->ckpt;
}

static int model_tensor(lua_State *L)
{
	Model *m = lua_model_check(L, 1);
	const char *name = luaL_checkstring(L, 2);
	Err e = { 0 };
	Ten x;
	if (!ckpt_ten(ckpt_of(L, m), name, &x, &e))
		return lab_raise(L, &e);
	Tensor *y = lua_tensor_new(L, x.rank, x.shape, false);
	ten_read(&x, 0, ten_rows(&x), y->data);
	return 1;
}

static int model_names(lua_State *L)
{
	Model *m = lua_model_check(L, 1);
	Ckpt *c = ckpt_of(L, m);
	lua_createtable(L, (int)ckpt_count(c), 0);
	for (size_t i = 0; i < ckpt_count(c); i++) {
		const char *file;
		lua_pushstring(L, ckpt_at(c, i, &file)->name);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	return 1;
}

/* --- hooks --- */

typedef struct HookCall { ModelHook *h; Tape *t; Ten *x, *y; const char *full; } HookCall;

static void push_at(lua_State *L, const HookCall *c)
{
	lua_createtable(L, 0, 3);
	lua_pushstring(L, c->full);
	lua_setfield(L, -2, "name");
	if (strncmp(c->full, "layers.", 7) == 0) {
		lua_pushinteger(L, (lua_Integer)strtol(c->full + 7, NULL, 10));
		lua_setfield(L, -2, "layer");
	}
	lua_pushinteger(L, (lua_Integer)c->h->of->m->probe_position);
	lua_setfield(L, -2, "position");
}

static int hook_body(lua_State *L)
{
	HookCall *c = lua_touserdata(L, 1);
	lua_rawgetp(L, LUA_REGISTRYINDEX, c->h->of);
	lua_getiuservalue(L, 2, MODEL_HOOKS);
	lua_rawgeti(L, 3, c->h->id);
	lua_tensor_push_tape(L, c->t, c->x, 0);
	lua_tensor_own(L, 2);
	push_at(L, c);
	lua_call(L, 2, 1);
	c->y = lua_isnil(L, -1) ? c->x : lua_tensor_result(L, lua_gettop(L), c->t, "the hook's function");
	return 0;
}

static Ten *hook_fire(Tape *t, Ten *x, const char *full, void *ud)
{
	HookCall c = { ud, t, x, NULL, full };
	lua_State *L = c.h->of->L;
	c.h->seen = true;
	if (!L || !c.h->id)
		return x;
	if (!lua_checkstack(L, 10))
		return tape_fail(t, E_8001, "%s: the script calls itself too deep", full);
	LuaForward f = { .tape = t, .layer = -1 };
	lua_forward_push(L, &f);
	int top = lua_gettop(L);
	lua_pushcfunction(L, hook_body);
	lua_pushlightuserdata(L, &c);
	bool ok = lua_forward_call(L, t, 1, 0);
	lua_settop(L, top);
	lua_forward_pop(L, &f);
	return ok ? c.y : NULL;
}

void lua_model_check_pattern(lua_State *L, const Model *m, const char *pattern)
{
	Err e = { 0 };
	if (!model_probe_check(m->m, pattern, &e))
		lab_raise(L, &e);
}

enum { HOOKS_MAX = 1024 }; /* they are not counted as memory of the script */

int lua_model_hook(lua_State *L, int i, const char *pattern, int fn)
{
	Model *m = lua_model_check(L, i);
	lua_model_check_pattern(L, m, pattern);
	int n = 0;
	for (const ModelHook *x = m->hook; x; x = x->next)
		n++;
	if (n >= HOOKS_MAX)
		lab_fail(L, E_5003, "a model takes at most %d hooks; m:unhook takes them away", HOOKS_MAX);
	ModelHook *h = calloc(1, sizeof *h);
	if (!h || !(h->pattern = strdup(pattern))) {
		free(h);
		lab_fail(L, E_5001, "no memory for a hook");
		return 0;
	}
	h->of = m;
	h->id = fn ? m->next_id++ : 0;
	h->next = m->hook;
	m->hook = h;
	h->tape_id = tape_hook(m->m->tape, pattern, hook_fire, h);
	if (!h->tape_id)
		lab_fail(L, E_2003, "\"%s\" is not a pattern such as layers.*.attn.out; see lathe-probes(7)", pattern);
	if (!fn)
		return 0;
	lua_getiuservalue(L, i, MODEL_HOOKS);
	lua_pushvalue(L, fn);
	lua_rawseti(L, -2, h->id);
	lua_pop(L, 1);
	return h->id;
}

/* --- names that match nothing --- */

enum { NAME_LONG = 128 };
typedef struct Near { const char *pattern; int best; char name[NAME_LONG]; } Near;

/* Changed, missing and added letters; a * stands for any letters at no cost. */
static int name_distance(const char *pattern, const char *name)
{
	int row[NAME_LONG + 1], n = (int)strlen(name);
	for (int j = 0; j <= n; j++)
		row[j] = j;
	for (const char *p = pattern; *p; p++) {
		int corner = row[0];
		row[0] += *p != '*';
		for (int j = 1; j <= n; j++) {
			int up = row[j], left = row[j - 1], both = corner + (*p != name[j - 1]);
			int least = up + 1 < left + 1 ? up + 1 : left + 1;
			row[j] = *p == '*' ? up < left ? up : left : least < both ? least : both;
			corner = up;
		}
	}
	return row[n];
}

/* Of names alike near the first in the alphabet, so that the error is always the same. */
static void near_try(void *ud, const char *full)
{
	Near *n = ud;
	if (strlen(full) >= NAME_LONG)
		return;
	int d = name_distance(n->pattern, full);
	if (n->name[0] && (d > n->best || (d == n->best && strcmp(full, n->name) >= 0)))
		return;
	n->best = d;
	strcpy(n->name, full);
}

bool lua_model_is_mtp(const Model *m, const char *pattern)
{
	if (strncmp(pattern, "mtp", 3) == 0)
		return true;
	return strncmp(pattern, "layers.", 7) == 0 && strtol(pattern + 7, NULL, 10) >= m->m->lm->n_layers;
}

int lua_model_no_value(lua_State *L, const Model *m, const char *what, const char *pattern)
{
	Near n = { .pattern = pattern };
	tape_each_name(m->m->tape, near_try, &n);
	bool near = n.name[0] && 2 * n.best <= (int)strlen(pattern);
	return lab_fail(L, E_2003, "%s\"%s\" matched no value of this forward%s%s; lathe-probes(7) has the names", what, pattern,
		near ? "; the nearest name is " : "", near ? n.name : "");
}

void lua_model_check_hooks(lua_State *L, const Model *m)
{
	for (const ModelHook *h = m->hook; h; h = h->next)
		if (!h->seen && !lua_model_is_mtp(m, h->pattern))
			lua_model_no_value(L, m, h->id ? "hook: " : "with: ", h->pattern);
}

static int model_hook(lua_State *L)
{
	const char *pattern = luaL_checkstring(L, 2);
	luaL_checktype(L, 3, LUA_TFUNCTION);
	lua_pushinteger(L, lua_model_hook(L, 1, pattern, 3));
	return 1;
}

static int model_unhook(lua_State *L)
{
	Model *m = lua_model_check(L, 1);
	bool all = lua_isnoneornil(L, 2);
	lua_Integer id = all ? 0 : luaL_checkinteger(L, 2);
	if (m->L)
		return lab_fail(L, E_9002, "unhook: not while the model runs");
	lua_getiuservalue(L, 1, MODEL_HOOKS);
	for (ModelHook **at = &m->hook; *at;) {
		ModelHook *h = *at;
		if (!h->id || (!all && h->id != id)) {
			at = &h->next;
			continue;
		}
		*at = h->next;
		lua_pushnil(L);
		lua_rawseti(L, -2, h->id);
		hook_free(h);
		id = -1;
	}
	if (!all && id != -1)
		return lab_fail(L, E_2003, "unhook: the model has no hook %lld", (long long)id);
	return 0;
}

static const ApiFn methods[] = {
	{ "encode", "(text: string, bos: boolean?): integer[]", "Token ids of a text; with bos the token that begins a text in front, if the tokenizer asks for one.",
		"local m = lathe.open \"@tiny\"\nassert(m:decode(m:encode \"Once\") == \"Once\")", model_encode },
	{ "decode", "(ids: integer[]): string", "The text of token ids; invalid UTF-8 becomes U+FFFD.", NULL, model_decode },
	{ "tokens", "(text: string | integer[]): string[]", "The texts of the tokens one by one; they may be parts of a character.",
		"assert(table.concat(lathe.open \"@tiny\":tokens \"Once upon\") == \"Once upon\")", model_tokens },
	{ "kv_bytes_per_token", "(dtype: string?): integer", "Bytes of KV cache per token of all main layers, kept as \"f32\" or \"bf16\".",
		"local m = lathe.open \"@tiny\"\nassert(m:kv_bytes_per_token \"bf16\" < m:kv_bytes_per_token())", model_kv_bytes },
	{ "names", "(): string[]", "The names of the checkpoint's tensors.", NULL, model_names },
	{ "tensor", "(name: string): Tensor", "A tensor of the checkpoint as numbers, FP8 with its scales applied. A copy.",
		"local m = lathe.open \"@tiny\"\nassert(m:tensor \"model.norm.weight\".shape[1] == m.config.hidden_size)", model_tensor },
	{ "hook", "(pattern: string, fn: function): integer", "Calls fn(x, at) with each value whose name matches, in every forward of this model from now on: "
		"x is the value on the tape, at.name, at.layer and at.position (of its first row) say where. What fn returns takes the place of x: a tensor of "
		"the same shape made by ops from what it got, so that gradients stay true; nil leaves x. Returns an id for unhook. Names are in lathe-probes(7).",
		"local m = lathe.open \"@tiny\"\nm:hook(\"layers.2.attn.out\", function(x, at) return x * 0 end)\nm:run \"Once\"\nm:unhook()", model_hook },
	{ "unhook", "(id: integer?)", "Takes a hook away, without an id all of them.", NULL, model_unhook },
	{ NULL, NULL, NULL, NULL, NULL },
};

static const luaL_Reg meta[] = {
	{ "__gc", model_gc }, { "__index", model_index }, { "__tostring", model_tostring }, { "__token", model_token }, { NULL, NULL },
};

const ApiClass api_model = { type_name,
	"A model that can be run, looked into and changed. m.config is its config.json as a table, m.layers the number of main layers. "
	"Layers, heads, experts, tokens and positions count from 0. Texts begin with the token that the tokenizer asks for; lists of ids are "
	"taken as they are.",
	methods, meta };

static const ApiFn opens[] = {
	{ "open", "(path: string, options: { threads: integer?, precision: string?, attention: string?, layers: integer? }?): Model",
		"Opens a checkpoint: \"@NAME\" of the box or a folder with config.json and safetensors. precision \"native\" or \"bf16\"; attention \"auto\", "
		"\"naive\" or \"absorbed\"; layers: only the first so many. Its weights count against the memory limit.",
		"local m = lathe.open \"@tiny\"\nprint(m)", open_model },
	{ NULL, NULL, NULL, NULL, NULL },
};

const ApiClass api_model_open = { "lathe", NULL, opens, NULL };
