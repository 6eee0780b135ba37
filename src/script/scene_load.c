/* scene_load.c - a scene's table into a SceneDef. Constructors (rows, cols, pane and one for each view)
 * note the line they were called on, so that a wrong field is reported where it stands. Only the scene's
 * arena owns memory here: a Lua error may leave any of these functions by longjmp. */
#include "script/script.h"
#include "base/utf8.h"
#include "script/room.h"
#include "view/data.h"
#include "view/view.h"
#include <stdio.h>
#include <string.h>

/* --- constructors seen by the file --- */

static int make_node(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 1);
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_setfield(L, 1, "kind");
	if (!lua_isnil(L, lua_upvalueindex(2))) {
		lua_pushvalue(L, lua_upvalueindex(2));
		lua_setfield(L, 1, "view");
	}
	luaL_where(L, 1);
	lua_setfield(L, 1, "where");
	return 1;
}

static void put_constructor(lua_State *L, const char *name, const char *kind, const char *view)
{
	lua_pushstring(L, kind);
	if (view)
		lua_pushstring(L, view);
	else
		lua_pushnil(L);
	lua_pushcclosure(L, make_node, 2);
	lua_setglobal(L, name);
}

static int put_constructors(lua_State *L)
{
	put_constructor(L, "scene", "scene", NULL);
	put_constructor(L, "rows", "rows", NULL);
	put_constructor(L, "cols", "cols", NULL);
	put_constructor(L, "pane", "pane", NULL);
	for (int i = 0; view_at(i); i++)
		put_constructor(L, view_at(i)->name, "pane", view_at(i)->name);
	return 0;
}

/* --- reading --- */

typedef struct Reading { SceneDef *d; int depth; } Reading;

/* "home.lua:12: " of the table at index t. */
static const char *where(lua_State *L, int t)
{
	lua_getfield(L, t, "where");
	return lua_isstring(L, -1) ? lua_tostring(L, -1) : "";
}

static const char *arena_text(lua_State *L, SceneDef *d, int i)
{
	const char *s = arena_strdup(d->arena, lua_tostring(L, i));
	if (!s)
		luaL_error(L, "the scene is too large");
	return s;
}

static const char *field_text(lua_State *L, SceneDef *d, int t, const char *key)
{
	const char *s = NULL;
	if (lua_getfield(L, t, key) == LUA_TSTRING)
		s = arena_text(L, d, -1);
	else if (!lua_isnil(L, -1))
		luaL_error(L, "%s%s must be a text", where(L, t), key);
	lua_pop(L, 1);
	return s;
}

static int field_int(lua_State *L, int t, const char *key, int lo, int hi, int fallback)
{
	int ok = 1;
	lua_Integer v = fallback;
	if (lua_getfield(L, t, key) != LUA_TNIL)
		v = lua_tointegerx(L, -1, &ok);
	if (!ok || v < lo || v > hi)
		luaL_error(L, "%s%s must be a whole number from %d to %d", where(L, t), key, lo, hi);
	lua_pop(L, 1);
	return (int)v;
}

static bool field_bool(lua_State *L, int t, const char *key)
{
	int type = lua_getfield(L, t, key);
	bool v = lua_toboolean(L, -1);
	if (type != LUA_TNIL && type != LUA_TBOOLEAN)
		luaL_error(L, "%s%s must be true or false", where(L, t), key);
	lua_pop(L, 1);
	return v;
}

/* min = { 30, 8 } */
static void field_size(lua_State *L, int t, const char *key, int *w, int *h)
{
	int type = lua_getfield(L, t, key), a = 0, b = 0;
	if (type == LUA_TTABLE) {
		lua_rawgeti(L, -1, 1);
		lua_rawgeti(L, -2, 2);
		*w = (int)lua_tointegerx(L, -2, &a);
		*h = (int)lua_tointegerx(L, -1, &b);
		lua_pop(L, 2);
	}
	if (type != LUA_TNIL && (!a || !b || *w < 0 || *h < 0 || *w > GRID_MAX || *h > GRID_MAX))
		luaL_error(L, "%s%s must be { columns, rows }", where(L, t), key);
	lua_pop(L, 1);
}

/* A misspelt field would silently do nothing: it is an error. */
static void fields_known(lua_State *L, int t, const char *known)
{
	char word[64];
	lua_pushnil(L);
	while (lua_next(L, t)) {
		if (lua_type(L, -2) == LUA_TSTRING) {
			const char *name = lua_tostring(L, -2); /* before where(), which pushes */
			snprintf(word, sizeof word, " %.60s ", name);
			if (!strstr(known, word))
				luaL_error(L, "%sno field \"%s\" here; there are:%s", where(L, t), name, known);
		}
		lua_pop(L, 1);
	}
}

static void read_sizes(lua_State *L, int t, SceneNode *n)
{
	int height = field_int(L, t, "height", 0, GRID_MAX, 0), width = field_int(L, t, "width", 0, GRID_MAX, 0);
	field_size(L, t, "min", &n->min_w, &n->min_h);
	field_size(L, t, "max", &n->max_w, &n->max_h);
	if (height)
		n->min_h = n->max_h = height;
	if (width)
		n->min_w = n->max_w = width;
	n->weight = field_int(L, t, "weight", 1, 1000, 1);
	n->prio = field_int(L, t, "prio", 0, 1000, 10);
}

static void read_pane(lua_State *L, Reading *r, int t, SceneNode *n)
{
	SceneDef *d = r->d;
	fields_known(L, t,
		" kind view where data title unit min max height width weight prio fit log numbers "
		"diverging optional ");
	n->view = field_text(L, d, t, "view");
	n->data = field_text(L, d, t, "data");
	if (!n->data && lua_rawgeti(L, t, 1) == LUA_TSTRING)
		n->data = arena_text(L, d, -1);
	lua_settop(L, t);
	n->title = field_text(L, d, t, "title");
	n->unit = field_text(L, d, t, "unit");
	if (!n->view || !view_find(n->view))
		luaL_error(L, "%sno view named \"%s\"", where(L, t), n->view ? n->view : "(none)");
	if (!n->data)
		n->data = n->view;
	if (!source_known(n->data))
		luaL_error(L, "%sno data named \"%s\"", where(L, t), n->data);
	if (d->n_panes == SCENE_PANES)
		luaL_error(L, "%sa scene has at most %d panes", where(L, t), SCENE_PANES);
	n->min_w = view_find(n->view)->min_w + 2;
	n->min_h = view_find(n->view)->min_h + 2;
	read_sizes(L, t, n);
	n->fit = field_bool(L, t, "fit");
	n->log = field_bool(L, t, "log");
	n->numbers = field_bool(L, t, "numbers");
	n->diverging = field_bool(L, t, "diverging");
	n->optional = field_bool(L, t, "optional");
	n->index = d->n_panes;
	d->pane[d->n_panes++] = n;
}

static SceneNode *read_node(lua_State *L, Reading *r, int t);

static void read_kids(lua_State *L, Reading *r, int t, SceneNode *n)
{
	fields_known(L, t, " kind where min max height width weight prio ");
	read_sizes(L, t, n);
	n->n = 0;
	for (int i = 1; lua_rawgeti(L, t, i) != LUA_TNIL; i++) {
		if (n->n == SCENE_KIDS)
			luaL_error(L, "%sat most %d parts in one row or column", where(L, t), SCENE_KIDS);
		n->kid[n->n++] = read_node(L, r, lua_gettop(L));
		lua_settop(L, t);
	}
	lua_settop(L, t);
	if (n->n == 0)
		luaL_error(L, "%snothing in it", where(L, t));
}

/* The table at absolute index t; the stack is left as it was. */
static SceneNode *read_node(lua_State *L, Reading *r, int t)
{
	if (lua_type(L, t) != LUA_TTABLE || ++r->depth > 16)
		luaL_error(L, "layout must be made of rows{}, cols{} and panes, at most 16 deep");
	luaL_checkstack(L, 20, "layout too deep");
	SceneNode *n = arena_zalloc(r->d->arena, sizeof *n);
	const char *kind = field_text(L, r->d, t, "kind");
	if (!n || !kind || strcmp(kind, "scene") == 0)
		luaL_error(L, "%slayout must be made of rows{}, cols{} and panes", where(L, t));
	n->kind = strcmp(kind, "rows") == 0 ? NODE_ROWS : strcmp(kind, "cols") == 0 ? NODE_COLS : NODE_PANE;
	if (n->kind == NODE_PANE)
		read_pane(L, r, t, n);
	else
		read_kids(L, r, t, n);
	r->depth--;
	return n;
}

static void read_topics(lua_State *L, SceneDef *d, int t, const char *key, const char **topic, int *n)
{
	if (lua_getfield(L, t, key) == LUA_TTABLE)
		for (int i = 1; lua_rawgeti(L, -1, i) == LUA_TSTRING; i++, lua_pop(L, 1)) {
			if (*n == SCENE_TOPICS)
				luaL_error(L, "%sat most %d of %s", where(L, t), SCENE_TOPICS, key);
			topic[(*n)++] = arena_text(L, d, -1);
		}
	lua_settop(L, t);
}

/* keys = { b = { "what it does", "command" } } in the order of the keys, since Lua's tables have none. */
static void read_keys(lua_State *L, SceneDef *d, int t)
{
	if (lua_getfield(L, t, "keys") != LUA_TTABLE) {
		lua_settop(L, t);
		return;
	}
	int keys = lua_gettop(L);
	lua_pushnil(L);
	while (lua_next(L, keys)) {
		bool ok = lua_type(L, -2) == LUA_TSTRING && lua_type(L, -1) == LUA_TTABLE && d->n_keys < SCENE_KEYS &&
			lua_rawgeti(L, -1, 1) == LUA_TSTRING && lua_rawgeti(L, -2, 2) == LUA_TSTRING;
		if (!ok)
			luaL_error(L, "%skeys must be like { b = { \"help\", \"command\" } }, at most %d",
				where(L, t), SCENE_KEYS);
		SceneKey k = { arena_text(L, d, -4), arena_text(L, d, -2), arena_text(L, d, -1) };
		int at = d->n_keys++;
		for (; at > 0 && strcmp(d->key[at - 1].key, k.key) > 0; at--)
			d->key[at] = d->key[at - 1];
		d->key[at] = k;
		lua_pop(L, 3);
	}
	lua_settop(L, t);
}

static int read_scene(lua_State *L)
{
	Reading r = { lua_touserdata(L, 2), 0 };
	const char *kind;
	if (lua_type(L, 1) != LUA_TTABLE || !(kind = field_text(L, r.d, 1, "kind")) || strcmp(kind, "scene") != 0)
		return luaL_error(L, "the file must end with `return scene { ... }`");
	lua_settop(L, 1);
	fields_known(L, 1, " kind where title topics here about layout keys ");
	const char *title = field_text(L, r.d, 1, "title");
	if (title)
		r.d->title = title;
	read_topics(L, r.d, 1, "topics", r.d->topic, &r.d->n_topics);
	read_topics(L, r.d, 1, "here", r.d->here, &r.d->n_here);
	read_topics(L, r.d, 1, "about", r.d->about, &r.d->n_about);
	read_keys(L, r.d, 1);
	lua_getfield(L, 1, "layout");
	r.d->root = read_node(L, &r, 2);
	return 0;
}

static bool scene_run(Room *m, const char *text, size_t n, const char *chunk, SceneDef *d, Err *e)
{
	lua_pushcfunction(m->L, put_constructors);
	int st = lua_pcall(m->L, 0, 0, 0);
	if (st != LUA_OK)
		return room_fail(m, st, e);
	if (!room_run(m, text, n, chunk, e))
		return false;
	lua_pushcfunction(m->L, read_scene);
	lua_insert(m->L, -2);
	lua_pushlightuserdata(m->L, d);
	st = lua_pcall(m->L, 2, 0, 0);
	return st == LUA_OK || room_fail(m, st, e);
}

/* The chunk's name is the file's last part: messages carry no machine's paths. */
static void scene_read(SceneDef *d, const char *path, Err *e)
{
	Room m;
	Buf text = BUF_INIT;
	char chunk[80];
	const char *base = strrchr(path, '/');
	snprintf(chunk, sizeof chunk, "@%.70s", base ? base + 1 : path);
	if (!buf_read_file(&text, path, SCRIPT_FILE_MAX, e)) {
		buf_done(&text);
		return;
	}
	if (room_init(&m, SCRIPT_MEMORY, SCRIPT_STEPS)) {
		scene_run(&m, buf_str(&text), text.len, chunk, d, e);
		room_done(&m);
	} else {
		err_set(e, E_5001, "no memory for Lua");
	}
	buf_done(&text);
}

struct SceneDef *script_scene_load(const char *path, const char *name, void *ud)
{
	Err e = { 0 };
	SceneDef *d = scene_new(name);
	(void)ud;
	if (!d)
		return NULL;
	scene_read(d, path, &e);
	if (e.code) {
		Buf b = BUF_INIT;
		safe_text(&b, e.text, strlen(e.text), 0);
		snprintf(d->error, sizeof d->error, "%.500s", buf_str(&b));
		buf_done(&b);
		d->root = NULL;
		d->n_panes = d->n_topics = d->n_here = d->n_about = d->n_keys = 0;
	}
	return d;
}

SceneLoader script_scenes(void)
{
	return (SceneLoader){ script_scene_load, NULL };
}
