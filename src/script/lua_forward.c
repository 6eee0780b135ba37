/* lua_forward.c - the stack of forwards that Lua is called from, and calls into Lua whose errors become the tape's. The script's own
 * error is kept beside, so that it comes out with its line and not as a story about a tape. */
#include "script/lua_forward.h"
#include "script/lua_tensor.h"

static const char key_now = 0, key_error = 0;

LuaForward *lua_forward_now(lua_State *L)
{
	lua_rawgetp(L, LUA_REGISTRYINDEX, &key_now);
	LuaForward *f = lua_touserdata(L, -1);
	lua_pop(L, 1);
	return f;
}

static void forward_set(lua_State *L, LuaForward *f)
{
	lua_pushlightuserdata(L, f);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &key_now);
}

/* The place for errors is made here, so that keeping one later needs no memory; the outermost forward forgets an old one. */
void lua_forward_push(lua_State *L, LuaForward *f)
{
	f->up = lua_forward_now(L);
	if (!f->up) {
		lua_pushboolean(L, 0);
		lua_rawsetp(L, LUA_REGISTRYINDEX, &key_error);
	}
	forward_set(L, f);
}

void lua_forward_pop(lua_State *L, LuaForward *f)
{
	forward_set(L, f->up);
}

bool lua_forward_call(lua_State *L, Tape *t, int n_arg, int n_result)
{
	if (lua_pcall(L, n_arg, n_result, 0) == LUA_OK)
		return true;
	const char *s = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "an error that is not text";
	tape_fail(t, E_8001, "%s", s);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &key_error);
	return false;
}

int lua_forward_raise(lua_State *L, const Err *e)
{
	lua_rawgetp(L, LUA_REGISTRYINDEX, &key_error);
	lua_pushboolean(L, 0);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &key_error);
	if (lua_toboolean(L, -1))
		return lua_error(L);
	lua_pop(L, 1);
	return lab_raise(L, e);
}

Ten *lua_tensor_result(lua_State *L, int i, Tape *t, const char *what)
{
	if (!lua_tensor_is(L, i))
		return tape_fail(t, E_8001, "%s returned %s; a tensor is needed", what, luaL_typename(L, i));
	const Tensor *x = lua_touserdata(L, i);
	if (x->tape && (x->tape != t || x->age != tape_age(t)))
		return tape_fail(t, E_8001, "%s returned a value of another step", what);
	if (x->tape)
		return x->x;
	Ten *y = x->is_int ? tape_ints(t, x->rank > 1 ? x->shape[0] : 1, x->shape[x->rank > 1]) : tape_ten(t, x->rank, x->shape);
	for (int64_t k = 0; y && k < lua_tensor_count(x); k++)
		if (x->is_int)
			((int32_t *)y->data)[k] = (int32_t)x->data[k];
		else
			ten_real(y)[k] = x->data[k];
	return y;
}
