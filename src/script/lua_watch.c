/* lua_watch.c - the values of a model's forwards, collected by pattern in C memory: they become Lua's when the engine has returned. */
#include "script/lua_watch.h"
#include "base/glob.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void kept_free(Kept *k)
{
	free(k->name);
	free(k->data);
}

void watcher_lift(Watcher *w)
{
	w->on = false;
	for (int i = 0; i < w->n_picks; i++) {
		if (w->pick[i].id)
			lathe_unwatch(w->m->m, w->pick[i].id);
		w->pick[i].id = 0;
	}
}

void watcher_forget(Watcher *w)
{
	for (int i = 0; i < w->n_kept; i++)
		kept_free(&w->kept[i]);
	w->n_kept = 0;
	w->bytes = 0;
}

static int watcher_gc(lua_State *L)
{
	Watcher *w = lua_touserdata(L, 1);
	lathe_session_free(w->session);
	watcher_lift(w);
	watcher_forget(w);
	for (int i = 0; i < w->n_picks; i++)
		free(w->pick[i].pattern);
	free(w->pick);
	free(w->kept);
	free(w->logprob);
	free(w->token);
	*w = (Watcher){ 0 };
	return 0;
}

/* User value 1: the model, which must outlive it. */
Watcher *watcher_push(lua_State *L, Model *m, int at)
{
	Watcher *w = lua_newuserdatauv(L, sizeof *w, 1);
	const Room *r = &lab_of(L)->room;
	*w = (Watcher){ .m = m, .room = r->limit - r->held };
	lua_pushvalue(L, at);
	lua_setiuservalue(L, -2, 1);
	if (luaL_newmetatable(L, "lathe.watcher")) {
		lua_pushcfunction(L, watcher_gc);
		lua_setfield(L, -2, "__gc");
	}
	lua_setmetatable(L, -2);
	return w;
}

static Kept *kept_of(Watcher *w, const LatheProbe *p)
{
	for (int i = 0; i < w->n_kept; i++)
		if (strcmp(w->kept[i].name, p->name) == 0)
			return &w->kept[i];
	if (w->n_kept == w->cap) {
		int cap = w->cap ? 2 * w->cap : 32;
		Kept *more = realloc(w->kept, sizeof *more * (size_t)cap);
		if (!more)
			return NULL;
		w->kept = more;
		w->cap = cap;
	}
	Kept *k = &w->kept[w->n_kept];
	*k = (Kept){ .name = strdup(p->name), .is_int = p->ints != NULL };
	if (!k->name)
		return NULL;
	w->n_kept++;
	return k;
}

/* Room for more rows of n columns behind those that are there; narrower rows are filled with 0. */
static bool kept_grow(Watcher *w, Kept *k, int64_t rows, int64_t cols)
{
	int64_t wide = cols > k->cols ? cols : k->cols, all = k->rows + rows;
	size_t bytes = (size_t)(all * wide) * sizeof(real), old = (size_t)(k->rows * k->cols) * sizeof(real);
	if (w->bytes - old + bytes > w->room)
		return false;
	real *to = k->cols == wide ? realloc(k->data, bytes ? bytes : 1) : calloc(bytes ? bytes : 1, 1);
	if (!to)
		return false;
	if (k->cols != wide) {
		for (int64_t r = 0; r < k->rows; r++)
			memcpy(to + r * wide, k->data + r * k->cols, (size_t)k->cols * sizeof(real));
		free(k->data);
	} else {
		memset(to + k->rows * wide, 0, (size_t)(rows * wide) * sizeof(real));
	}
	w->bytes += bytes - old;
	k->data = to;
	k->cols = wide;
	return true;
}

static void watcher_see(const LatheProbe *p, void *ud)
{
	Pick *pick = ud;
	Watcher *w = pick->of;
	int64_t cols = p->rank ? p->shape[p->rank - 1] : 1, rows = 1;
	for (int i = 0; i + 1 < p->rank; i++)
		rows *= p->shape[i];
	if (!w->on)
		return;
	pick->seen = true;
	for (const Pick *q = w->pick; q < pick; q++)
		if (glob_match(q->pattern, p->name)) /* kept for that one */
			return;
	Kept *k = w->full ? NULL : kept_of(w, p);
	if (!k || !kept_grow(w, k, rows, cols)) {
		w->full = true;
		return;
	}
	real *to = k->data + k->rows * k->cols;
	for (int64_t r = 0; r < rows; r++)
		for (int64_t i = 0; i < cols; i++)
			to[r * k->cols + i] = p->ints ? (real)p->ints[r * cols + i] : (real)p->data[r * cols + i];
	k->rows += rows;
}

static Pick *watcher_pick(Watcher *w, const char *pattern)
{
	if (w->n_picks == WATCH_PICKS || (!w->pick && !(w->pick = calloc(WATCH_PICKS, sizeof *w->pick))))
		return NULL; /* the array stays where it is: the engine has pointers into it */
	Pick *p = &w->pick[w->n_picks];
	*p = (Pick){ .of = w, .pattern = strdup(pattern), .since = w->n_tokens };
	if (!p->pattern)
		return NULL;
	w->n_picks++;
	p->id = lathe_watch(w->m->m, pattern, watcher_see, p);
	return p;
}

void watcher_add(lua_State *L, Watcher *w, int i)
{
	if (lua_type(L, i) != LUA_TSTRING)
		lab_fail(L, E_2003, "watch: a pattern is a text such as layers.*.moe.topk, not %s", luaL_typename(L, i));
	const char *pattern = lua_tostring(L, i);
	lua_model_check_pattern(L, w->m, pattern);
	const Pick *p = watcher_pick(w, pattern);
	if (!p)
		lab_fail(L, E_5003, "watch: more than %d patterns", WATCH_PICKS);
	if (!p->id)
		lab_fail(L, E_2003, "watch: \"%s\" is not a pattern such as layers.*.moe.topk; see lathe-probes(7)", pattern);
}

/* One pattern, or a list of them, in field `watch` of the table at index i. */
void watcher_add_field(lua_State *L, Watcher *w, int i)
{
	if (!lua_istable(L, i) || lua_getfield(L, i, "watch") == LUA_TNIL)
		return;
	if (!lua_istable(L, -1)) {
		watcher_add(L, w, lua_gettop(L));
		return;
	}
	for (lua_Integer k = 1, n = (lua_Integer)lua_rawlen(L, -1); k <= n; k++) {
		lua_rawgeti(L, -1, k);
		watcher_add(L, w, lua_gettop(L));
		lua_pop(L, 1);
	}
}

/* A value as a tensor; its C memory is given back at once. */
void watcher_push_kept(lua_State *L, Watcher *w, Kept *k, int model)
{
	lua_tensor_push(L, 2, (int64_t[]){ k->rows, k->cols }, k->data, k->is_int);
	lua_tensor_own(L, model);
	w->bytes -= (size_t)(k->rows * k->cols) * sizeof(real);
	free(k->data);
	k->data = NULL;
	k->rows = k->cols = 0;
}

void watcher_push_matching(lua_State *L, const Watcher *w, const char *pattern)
{
	int64_t n = 0;
	for (int k = 0; k < w->n_kept; k++)
		n += glob_match(pattern, w->kept[k].name) ? w->kept[k].rows * w->kept[k].cols : 0;
	Tensor *y = lua_tensor_new(L, 1, (int64_t[]){ n ? n : 1 }, false);
	real *to = y->data;
	if (n == 0)
		*to = (real)NAN;
	for (int k = 0; k < w->n_kept; k++) {
		const Kept *x = &w->kept[k];
		if (!glob_match(pattern, x->name))
			continue;
		memcpy(to, x->data, (size_t)(x->rows * x->cols) * sizeof *to);
		to += x->rows * x->cols;
	}
}
