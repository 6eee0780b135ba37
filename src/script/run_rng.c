/* run_rng.c - Philox (base/rng.h) as a Lua value. A generator is made anew for every sample, keyed by the sample's numbers, so that
 * what is drawn does not depend on what was drawn before. */
#include "base/hash.h"
#include "script/run_lib.h"

static const char meta_name[] = "lathe.rng";

static Rng *rng_self(lua_State *L)
{
	return luaL_checkudata(L, 1, meta_name);
}

/* rng:int(a, b): a whole number from a to b, both possible. */
static int rng_int(lua_State *L)
{
	Rng *r = rng_self(L);
	lua_Integer a = luaL_checkinteger(L, 2), b = luaL_checkinteger(L, 3);
	uint64_t span = (uint64_t)b - (uint64_t)a;
	luaL_argcheck(L, a <= b && span < UINT32_MAX, 3, "rng:int(a, b) needs a <= b, less than 2^32 - 1 apart");
	lua_pushinteger(L, (lua_Integer)((uint64_t)a + rng_below(r, (uint32_t)span + 1)));
	return 1;
}

static int rng_unit(lua_State *L)
{
	lua_pushnumber(L, rng_uniform(rng_self(L)));
	return 1;
}

/* rng:chance(p): true with probability p. */
static int rng_chance(lua_State *L)
{
	Rng *r = rng_self(L);
	double p = luaL_checknumber(L, 2);
	lua_pushboolean(L, rng_uniform(r) < p);
	return 1;
}

/* rng:pick(list): one of the list's values; of a text, one of its characters (bytes). */
static int rng_pick(lua_State *L)
{
	Rng *r = rng_self(L);
	size_t n;
	if (lua_type(L, 2) == LUA_TSTRING) {
		const char *s = lua_tolstring(L, 2, &n);
		luaL_argcheck(L, n > 0 && n < UINT32_MAX, 2, "an empty text");
		lua_pushlstring(L, s + rng_below(r, (uint32_t)n), 1);
		return 1;
	}
	luaL_checktype(L, 2, LUA_TTABLE);
	n = lua_rawlen(L, 2);
	luaL_argcheck(L, n > 0 && n < UINT32_MAX, 2, "an empty list");
	lua_rawgeti(L, 2, (lua_Integer)rng_below(r, (uint32_t)n) + 1);
	return 1;
}

/* rng:weighted { 3, 1 }: a place of the list, by weight. */
static int rng_weighted(lua_State *L)
{
	Rng *r = rng_self(L);
	double sum = 0, w;
	luaL_checktype(L, 2, LUA_TTABLE);
	lua_Integer n = (lua_Integer)lua_rawlen(L, 2), last = 0;
	for (lua_Integer i = 1; i <= n; i++, lua_pop(L, 1)) {
		lua_rawgeti(L, 2, i);
		w = luaL_checknumber(L, -1);
		luaL_argcheck(L, w >= 0 && w < 1e300, 2, "a weight is negative or no number");
		last = w > 0 ? i : last;
		sum += w;
	}
	luaL_argcheck(L, last > 0 && sum < 1e300, 2, "no weight above 0");
	double at = rng_uniform(r) * sum;
	lua_Integer i = 1;
	for (; i < last; i++) {
		lua_rawgeti(L, 2, i);
		w = lua_tonumber(L, -1);
		lua_pop(L, 1);
		if (at < w)
			break;
		at -= w;
	}
	lua_pushinteger(L, i);
	return 1;
}

void run_rng_push(lua_State *L, Rng rng)
{
	static const luaL_Reg method[] = { { "int", rng_int }, { "uniform", rng_unit }, { "chance", rng_chance },
		{ "pick", rng_pick }, { "weighted", rng_weighted }, { NULL, NULL } };
	Rng *r = lua_newuserdatauv(L, sizeof *r, 0);
	*r = rng;
	if (luaL_newmetatable(L, meta_name)) {
		luaL_newlib(L, method);
		lua_setfield(L, -2, "__index");
		lua_pushboolean(L, 0);
		lua_setfield(L, -2, "__metatable");
	}
	lua_setmetatable(L, -2);
}

uint64_t run_rng_stream(const uint64_t *number, size_t n)
{
	uint64_t h = n;
	for (size_t i = 0; i < n; i++) {
		unsigned char byte[8];
		for (int k = 0; k < 8; k++)
			byte[k] = (unsigned char)(number[i] >> (8 * k));
		h = hash_bytes(byte, sizeof byte, h);
	}
	return h;
}
