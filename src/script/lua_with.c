/* lua_with.c - m:with { ... }: another view of a model with interventions, read from a table into the engine's list of changes. */
#include "script/lua_model.h"
#include "script/lua_forward.h"
#include <stdlib.h>
#include <string.h>

typedef struct List { lua_State *L; Change c[CHANGES_MAX]; int n; } List;

static Change *list_add(List *l, ChangeKind kind)
{
	if (l->n == CHANGES_MAX)
		lab_fail(l->L, E_5003, "with: more than %d changes", CHANGES_MAX);
	l->c[l->n] = (Change){ .kind = kind, .layer = CHANGE_EVERY };
	return &l->c[l->n++];
}

/* The whole number in field `key` of the table on top; missing when there is none. */
static int field_int(lua_State *L, const char *what, const char *key, int missing)
{
	int whole = 1, type = lua_getfield(L, -1, key);
	lua_Integer v = type == LUA_TNIL ? missing : lua_tointegerx(L, -1, &whole);
	if (!whole || v < -1 || v > 1 << 24)
		lab_fail(L, E_2003, "with: %s: %s must be a whole number from 0 on", what, key);
	lua_pop(L, 1);
	return (int)v;
}

static double field_num(lua_State *L, const char *what, const char *key, double missing, bool must)
{
	int ok = 1, type = lua_getfield(L, -1, key);
	double v = type == LUA_TNIL ? missing : lua_tonumberx(L, -1, &ok);
	if (!ok || (must && type == LUA_TNIL))
		lab_fail(L, E_2003, "with: %s: the number %s is missing", what, key);
	lua_pop(L, 1);
	return v;
}

typedef void (*Reader)(List *l, const char *what, ChangeKind kind);

/* { layer = 3, expert = 6 }, the expert also as a list of several; without layer: in every layer. */
static void read_place(List *l, const char *what, ChangeKind kind)
{
	lua_State *L = l->L;
	const char *key = kind == CHANGE_ABLATE ? "head" : "expert";
	int layer = field_int(L, what, "layer", CHANGE_EVERY);
	double value = kind == CHANGE_SCALE_EXPERT ? field_num(L, what, "scale", 0, true) : 0;
	bool many = lua_getfield(L, -1, key) == LUA_TTABLE;
	int n = many ? (int)lua_rawlen(L, -1) : 1;
	for (int i = 0; i < n; i++) {
		int whole;
		if (many)
			lua_rawgeti(L, -1, i + 1);
		else
			lua_pushvalue(L, -1);
		lua_Integer which = lua_tointegerx(L, -1, &whole);
		if (!whole || which < 0 || which > 1 << 24)
			lab_fail(L, E_2003, "with: %s needs { layer = L, %s = N%s }, the layer left out for every layer", what, key,
				kind == CHANGE_SCALE_EXPERT ? ", scale = X" : "");
		lua_pop(L, 1);
		Change *c = list_add(l, kind);
		c->layer = layer;
		c->which = (int)which;
		c->value = value;
	}
	lua_pop(L, 1);
}

/* { name = "layers.2.resid_post", from = tensor } or { name =, vector =, scale = }. The numbers stay on the stack until they are copied. */
static void read_value(List *l, const char *what, ChangeKind kind)
{
	lua_State *L = l->L;
	int table = lua_gettop(L), rank;
	int64_t shape[TENSOR_MAXRANK];
	const char *key = kind == CHANGE_PATCH ? "from" : "vector";
	Change *c = list_add(l, kind);
	c->value = kind == CHANGE_STEER ? field_num(L, what, "scale", 1, false) : 0;
	luaL_checkstack(L, 8, what);
	if (lua_getfield(L, table, "name") != LUA_TSTRING)
		lab_fail(L, E_2003, "with: %s: name must be the name of a value, such as layers.2.resid_post", what);
	c->name = lua_tostring(L, -1);
	lua_getfield(L, table, key);
	if (!lua_tensor_is(L, -1))
		lab_fail(L, E_2003, "with: %s: %s must be a tensor", what, key);
	c->data = lua_tensor_read(L, lua_gettop(L), &rank, shape);
	c->cols = rank ? shape[rank - 1] : 1;
	c->rows = 1;
	for (int i = 0; i + 1 < rank; i++)
		c->rows *= shape[i];
	if (kind == CHANGE_STEER && c->rows != 1)
		lab_fail(L, E_2003, "with: steer: the vector must be one row, not %lld", (long long)c->rows);
	lua_pushvalue(L, table); /* on top again, above what must stay */
}

/* One table or a list of them. */
static void read_each(List *l, const char *what, ChangeKind kind, Reader read)
{
	lua_State *L = l->L;
	if (!lua_istable(L, -1))
		lab_fail(L, E_2003, "with: %s must be a table or a list of tables", what);
	int list = lua_gettop(L), n = (int)lua_rawlen(L, list);
	if (n == 0)
		read(l, what, kind);
	for (int i = 0; i < n; i++) {
		if (lua_rawgeti(L, list, i + 1) != LUA_TTABLE)
			lab_fail(L, E_2003, "with: %s must be a table or a list of tables", what);
		luaL_checkstack(L, 8, what);
		read(l, what, kind);
	}
}

static void read_number(List *l, const char *what, ChangeKind kind, Reader read)
{
	(void)read;
	if (lua_type(l->L, -1) != LUA_TNUMBER)
		lab_fail(l->L, E_2003, "with: %s must be a number", what);
	list_add(l, kind)->value = lua_tonumber(l->L, -1);
}

static void read_off(List *l, const char *what, ChangeKind kind, Reader read)
{
	(void)read;
	if (!lua_isboolean(l->L, -1))
		lab_fail(l->L, E_2003, "with: %s must be true or false", what);
	if (!lua_toboolean(l->L, -1))
		list_add(l, kind);
}

typedef struct Row { const char *word; ChangeKind kind; void (*take)(List *, const char *, ChangeKind, Reader); Reader read; } Row;
static const Row rows_of_changes[] = {
	{ "ban", CHANGE_BAN, read_each, read_place }, { "force", CHANGE_FORCE, read_each, read_place },
	{ "scale_expert", CHANGE_SCALE_EXPERT, read_each, read_place }, { "ablate", CHANGE_ABLATE, read_each, read_place },
	{ "patch", CHANGE_PATCH, read_each, read_value }, { "steer", CHANGE_STEER, read_each, read_value },
	{ "k", CHANGE_K, read_number, NULL }, { "groups", CHANGE_GROUPS, read_number, NULL },
	{ "route_scale", CHANGE_ROUTE_SCALE, read_number, NULL }, { "bias", CHANGE_BIAS, read_off, NULL },
};
static const char *const known[] = { "ban", "force", "scale_expert", "ablate", "patch", "steer", "k", "groups", "route_scale", "bias", "recipe",
	"attention", NULL };

/* --- the view --- */

static bool keep_copy(Change *to, const Change *c)
{
	size_t bytes = (size_t)(c->rows * c->cols) * sizeof *c->data;
	*to = *c;
	to->name = c->name ? strdup(c->name) : NULL;
	to->data = c->data ? malloc(bytes ? bytes : 1) : NULL;
	if ((c->name && !to->name) || (c->data && !to->data))
		return false;
	if (c->data)
		memcpy((void *)(uintptr_t)to->data, c->data, bytes);
	return true;
}

static void keep_list(lua_State *L, Model *m, const Change *c, int n)
{
	for (int i = 0; i < n; i++) {
		m->n_changes++; /* before: what was copied of it is freed with the model */
		if (!keep_copy(&m->change[m->n_changes - 1], &c[i]))
			lab_fail(L, E_5001, "no memory for the changes");
	}
}

static void copy_hooks(lua_State *L, int from, int to)
{
	const Model *m = lua_model_check(L, from);
	int n = 0;
	for (const ModelHook *h = m->hook; h; h = h->next)
		n++;
	lua_getiuservalue(L, from, MODEL_HOOKS);
	int table = lua_gettop(L);
	for (int k = n - 1; k >= 0; k--) { /* the list has the newest first */
		const ModelHook *h = m->hook;
		for (int i = 0; i < k; i++)
			h = h->next;
		if (!h->id)
			continue;
		lua_rawgeti(L, table, h->id);
		lua_model_hook(L, to, h->pattern, lua_gettop(L));
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
}

Model *lua_model_twin(lua_State *L, int i, const Change *more, int n)
{
	Model *base = lua_model_check(L, i);
	i = lua_absindex(L, i);
	Err e = { 0 };
	Model *m = lua_model_push(L, NULL, 0);
	int at = lua_gettop(L);
	lua_pushvalue(L, i);
	lua_setiuservalue(L, at, MODEL_BASE);
	m->m = model_view(base->m, &e);
	if (!m->m)
		lab_raise(L, &e);
	m->attention = base->attention;
	m->change = calloc((size_t)(base->n_changes + n) + 1, sizeof *m->change);
	if (!m->change)
		lab_fail(L, E_5001, "no memory for the changes");
	keep_list(L, m, base->change, base->n_changes);
	keep_list(L, m, more, n);
	/* The view began with the base's rules, whose changes would be made twice. */
	m->changes = m->n_changes ? changes_apply(m->m, m->change, m->n_changes, &e) : NULL;
	if (m->n_changes && !m->changes)
		lab_raise(L, &e);
	for (int k = 0; k < m->n_changes; k++)
		if (m->change[k].name)
			lua_model_hook(L, at, m->change[k].name, 0);
	copy_hooks(L, i, at);
	return m;
}

/* "bf16" */
static void set_recipe(lua_State *L, Model *m)
{
	const char *s = lua_tostring(L, -1);
	Err e = { 0 };
	const Recipe *r = s ? recipe_find(s, &e) : NULL;
	if (!s)
		lab_fail(L, E_2003, "with: recipe must be the name of a precision, as \"bf16\" or \"fp8-v3\"");
	if (!r)
		lab_raise(L, &e);
	m->m->recipe = r;
	tape_set_recipe(m->m->tape, r);
}

static int model_with(lua_State *L)
{
	lua_model_check(L, 1);
	luaL_checktype(L, 2, LUA_TTABLE);
	lua_settop(L, 2);
	lua_options_known(L, 2, "with", known);
	List *l = lua_newuserdatauv(L, sizeof *l, 0);
	l->L = L;
	l->n = 0;
	for (size_t i = 0; i < sizeof rows_of_changes / sizeof rows_of_changes[0]; i++) {
		const Row *r = &rows_of_changes[i];
		luaL_checkstack(L, 8, "changes");
		if (lua_getfield(L, 2, r->word) != LUA_TNIL)
			r->take(l, r->word, r->kind, r->read);
	}
	Model *m = lua_model_twin(L, 1, l->c, l->n);
	int at = lua_gettop(L);
	m->attention = lua_model_attention(L, 2, m->attention);
	if (lua_getfield(L, 2, "recipe") != LUA_TNIL)
		set_recipe(L, m);
	lua_pushvalue(L, at);
	return 1;
}

static const ApiFn methods[] = {
	{ "with", "(changes: table): Model", "Another view of this model with interventions. The weights are shared, this model stays as it is, and what it has of "
		"changes and hooks the view has too; dropping the view undoes it. ban, force = { layer =, expert = }; scale_expert = { layer =, expert =, scale = }; "
		"ablate = { layer =, head = } (the layer left out: every layer; expert and head may be lists; a list of such tables does several); k experts per "
		"token, groups kept, bias = false, route_scale; patch = { name =, from = tensor } (row i takes the place of position i); steer = { name =, vector "
		"=, scale = } (added to every row); recipe = \"bf16\" or of lathe.recipe; attention = \"naive\".",
		"local m = lathe.open \"@tiny\"\nlocal v = m:with { ban = { layer = 3, expert = 6 }, k = 2 }\nprint(v:generate(\"Once\", { n = 4, temperature = 0 }).text)",
		model_with },
	{ NULL, NULL, NULL, NULL, NULL },
};

const ApiClass api_model_with = { "Model", NULL, methods, NULL };
