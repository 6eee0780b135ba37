/* lua_series.c - see lua_series.h. Steps and values are kept as they came; a plot and a table of a study read both. */
#include "script/lua_series.h"
#include "script/lab.h"
#include <math.h>
#include <stdlib.h>

static const char type_name[] = "Series";

typedef struct Point { int64_t step; double value; } Point;
typedef struct SeriesData { Point *p; size_t n, cap; } SeriesData;

static SeriesData *self(lua_State *L)
{
	return api_check(L, 1, type_name);
}

void lua_series_push(lua_State *L)
{
	api_object(L, type_name, sizeof(SeriesData), 0);
}

void lua_series_add(lua_State *L, int i, int64_t step, double value)
{
	SeriesData *s = api_check(L, i, type_name);
	if (s->n == s->cap) {
		size_t cap = s->cap ? 2 * s->cap : 64;
		lab_take(L, (cap - s->cap) * sizeof *s->p);
		Point *grown = realloc(s->p, cap * sizeof *grown);
		if (!grown) {
			lab_give(L, (cap - s->cap) * sizeof *s->p);
			lab_fail(L, E_5001, "out of memory for a series");
			return;
		}
		s->p = grown;
		s->cap = cap;
	}
	s->p[s->n++] = (Point){ step, value };
}

static int series_gc(lua_State *L)
{
	SeriesData *s = self(L);
	lab_give(L, s->cap * sizeof *s->p);
	free(s->p);
	*s = (SeriesData){ 0 };
	return 0;
}

static int series_len(lua_State *L)
{
	lua_pushinteger(L, (lua_Integer)self(L)->n);
	return 1;
}

/* s[1] is the first value, s[-1] the last. */
static int series_index(lua_State *L)
{
	const SeriesData *s = self(L);
	if (lua_type(L, 2) != LUA_TNUMBER) {
		lua_pushvalue(L, 2);
		lua_gettable(L, lua_upvalueindex(1));
		return 1;
	}
	lua_Integer i = luaL_checkinteger(L, 2), n = (lua_Integer)s->n;
	i = i < 0 ? n + i : i - 1;
	if (i < 0 || i >= n)
		return 0;
	lua_pushnumber(L, s->p[i].value);
	return 1;
}

static int series_text(lua_State *L)
{
	const SeriesData *s = self(L);
	if (s->n == 0)
		lua_pushliteral(L, "a series without values");
	else
		lua_pushfstring(L, "%d values, the last %f at step %d", (int)s->n, s->p[s->n - 1].value, (int)s->p[s->n - 1].step);
	return 1;
}

static int series_last(lua_State *L)
{
	const SeriesData *s = self(L);
	if (s->n == 0)
		return 0;
	lua_pushnumber(L, s->p[s->n - 1].value);
	return 1;
}

static int series_mean(lua_State *L)
{
	const SeriesData *s = self(L);
	lua_Integer n = luaL_optinteger(L, 2, (lua_Integer)s->n);
	luaL_argcheck(L, n > 0 || s->n == 0, 2, "a number of values above 0");
	size_t from = (size_t)n < s->n ? s->n - (size_t)n : 0;
	double sum = 0;
	for (size_t i = from; i < s->n; i++)
		sum += s->p[i].value;
	if (s->n == from)
		return 0;
	lua_pushnumber(L, sum / (double)(s->n - from));
	return 1;
}

/* Pushes the least (sign 1) or greatest (-1) value and its step. */
static int extreme(lua_State *L, double sign)
{
	const SeriesData *s = self(L);
	const Point *best = NULL;
	for (size_t i = 0; i < s->n; i++)
		if (!isnan(s->p[i].value) && (!best || sign * s->p[i].value < sign * best->value))
			best = &s->p[i];
	if (!best)
		return 0;
	lua_pushnumber(L, best->value);
	lua_pushinteger(L, best->step);
	return 2;
}

static int series_min(lua_State *L)
{
	return extreme(L, 1);
}

static int series_max(lua_State *L)
{
	return extreme(L, -1);
}

static int series_values(lua_State *L)
{
	const SeriesData *s = self(L);
	lua_createtable(L, (int)s->n, 0);
	for (size_t i = 0; i < s->n; i++) {
		lua_pushnumber(L, s->p[i].value);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	return 1;
}

static int series_steps(lua_State *L)
{
	const SeriesData *s = self(L);
	lua_createtable(L, (int)s->n, 0);
	for (size_t i = 0; i < s->n; i++) {
		lua_pushinteger(L, s->p[i].step);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	return 1;
}

static const ApiFn methods[] = {
	{ "last", "(): number?", "The newest value; nil when there is none.", NULL, series_last },
	{ "mean", "(n: integer?): number?", "The mean of the last n values (default: of all); nil when there is none.", NULL, series_mean },
	{ "min", "(): number?, integer?", "The least value and its step.", NULL, series_min },
	{ "max", "(): number?, integer?", "The greatest value and its step.", NULL, series_max },
	{ "values", "(): number[]", "All values as a list.", NULL, series_values },
	{ "steps", "(): integer[]", "The step of each value as a list.", NULL, series_steps },
	{ NULL, NULL, NULL, NULL, NULL },
};

static const luaL_Reg meta[] = { { "__gc", series_gc }, { "__len", series_len }, { "__index", series_index }, { "__tostring", series_text },
	{ NULL, NULL } };

extern const ApiClass api_series;
const ApiClass api_series = { type_name,
	"What a run measured, in order: run.loss. s[1] is the first value, s[-1] the newest, #s how many there are.", methods, meta };
