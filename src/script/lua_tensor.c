/* lua_tensor.c - the life of tensors in Lua and the ways to read them. Rows, columns, layers, experts, tokens and positions count from 0,
 * as in the papers; negative indices count from the end. Lists that tensors are made of and become are Lua's, from 1. */
#include "script/lua_tensor.h"
#include "script/lua_forward.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char type_name[] = "Tensor";
static const char key_scratch = 0;
enum { SHOWN_ROWS = 6, SHOWN_COLS = 6, INT_MAX_RANK = 2, SCRATCH_KEPT = 32 << 20 };

/* --- life --- */

Tensor *lua_tensor_check(lua_State *L, int i)
{
	return api_check(L, i, type_name);
}

bool lua_tensor_is(lua_State *L, int i)
{
	return luaL_testudata(L, i, type_name) != NULL;
}

int64_t lua_tensor_count(const Tensor *t)
{
	int64_t n = 1;
	for (int i = 0; i < t->rank; i++)
		n *= t->shape[i];
	return n;
}

Tensor *lua_tensor_new(lua_State *L, int rank, const int64_t *shape, bool is_int)
{
	size_t n = sizeof(real);
	if (rank > TENSOR_MAXRANK)
		lab_fail(L, E_6002, "a tensor has at most %d dimensions, not %d", TENSOR_MAXRANK, rank);
	for (int i = 0; i < rank; i++)
		if (shape[i] < 0 || !size_mul(n, (size_t)shape[i], &n) || n > PTRDIFF_MAX)
			lab_fail(L, E_6002, "a tensor of this shape has more numbers than memory has addresses");
	Tensor *t = api_object(L, type_name, sizeof *t, 1);
	t->rank = rank;
	t->is_int = is_int;
	memcpy(t->shape, shape, sizeof *shape * (size_t)rank);
	lab_take(L, n);
	t->bytes = n;
	t->data = calloc(n ? n : 1, 1);
	if (!t->data)
		lab_fail(L, E_5001, "no memory for a tensor of %zu bytes", n);
	return t;
}

static int tensor_gc(lua_State *L)
{
	Tensor *t = lua_touserdata(L, 1);
	if (t->bytes)
		lab_give(L, t->bytes);
	free(t->data);
	t->data = NULL;
	t->bytes = 0;
	return 0;
}

void lua_tensor_push(lua_State *L, int rank, const int64_t *shape, const real *data, bool is_int)
{
	Tensor *t = lua_tensor_new(L, rank, shape, is_int);
	if (t->bytes)
		memcpy(t->data, data, t->bytes);
}

void lua_tensor_push_tape(lua_State *L, Tape *t, Ten *x, int owner)
{
	if (owner)
		owner = lua_absindex(L, owner);
	Tensor *y = api_object(L, type_name, sizeof *y, 1);
	y->rank = x->rank < TENSOR_MAXRANK ? x->rank : TENSOR_MAXRANK;
	memcpy(y->shape, x->shape, sizeof y->shape);
	y->is_int = x->dtype == DT_I32;
	y->tape = t;
	y->x = x;
	y->age = tape_age(t);
	y->owned = owner != 0;
	if (owner) {
		lua_pushvalue(L, owner);
		lua_setiuservalue(L, -2, 1);
	}
}

void lua_tensor_own(lua_State *L, int owner)
{
	lua_pushvalue(L, owner);
	lua_setiuservalue(L, -2, 1);
}

static bool tensor_alive(lua_State *L, const Tensor *x)
{
	bool there = !x->tape || x->owned;
	for (const LuaForward *f = there ? NULL : lua_forward_now(L); f; f = f->up)
		there |= f->tape == x->tape;
	return there && (!x->tape || tape_age(x->tape) == x->age);
}

static void check_alive(lua_State *L, const Tensor *x)
{
	if (!tensor_alive(L, x))
		lab_fail(L, E_6003, "this value belongs to a step that is over; keep it with x:copy() while the step lasts");
}

Tape *lua_tensor_tape(lua_State *L, int i)
{
	const Tensor *x = lua_tensor_check(L, i);
	check_alive(L, x);
	return x->tape;
}

/* --- between Lua and tapes --- */

static Ten *raise_tape(lua_State *L, Tape *t)
{
	Err e = { 0 };
	tape_ok(t, &e);
	tape_forgive(t);
	lab_raise(L, &e);
	return NULL;
}

static void fill_ints(const Tensor *x, Ten *y)
{
	for (int64_t k = 0, n = lua_tensor_count(x); k < n; k++)
		((int32_t *)y->data)[k] = (int32_t)x->data[k];
}

static Ten *leaf_of(lua_State *L, const Tensor *x, Tape *t, bool ints)
{
	Ten *y;
	if (ints && x->is_int) {
		if (x->rank > INT_MAX_RANK)
			lab_fail(L, E_6002, "ids have rows and columns, not %d dimensions", x->rank);
		y = tape_ints(t, x->rank > 1 ? x->shape[0] : 1, x->rank ? x->shape[x->rank - 1] : 1);
		if (y)
			fill_ints(x, y);
	} else if ((y = tape_ten(t, x->rank, x->shape)) != NULL) {
		memcpy(y->data, x->data, x->bytes);
	}
	if (!y)
		raise_tape(L, t);
	y->name = "tensor";
	return y;
}

Ten *lua_tensor_on(lua_State *L, int i, Tape *t)
{
	const Tensor *x = lua_tensor_check(L, i);
	check_alive(L, x);
	if (x->tape && x->tape != t)
		lab_fail(L, E_6003, "this value is of another tape or model; x:copy() gives its numbers without its gradient");
	return x->tape ? x->x : leaf_of(L, x, t, true);
}

/* The numbers of a value on a tape, dense. */
static void read_tape(const Ten *x, real *to)
{
	int64_t rows_n = ten_rows(x), n = ten_cols(x);
	if (x->dtype != DT_I32) {
		ten_read(x, 0, rows_n, to);
		return;
	}
	for (int64_t r = 0; r < rows_n; r++)
		for (int64_t k = 0; k < n; k++)
			to[r * n + k] = (real)((const int32_t *)x->data)[r * x->stride + k];
}

Ten *lua_tensor_real_on(lua_State *L, int i, Tape *t)
{
	const Tensor *x = lua_tensor_check(L, i);
	if (!x->tape)
		return leaf_of(L, x, t, false);
	Ten *v = lua_tensor_on(L, i, t);
	if (v->dtype == REAL_DTYPE)
		return v;
	Ten *y = tape_ten(t, v->rank, v->shape);
	if (!y)
		raise_tape(L, t);
	read_tape(v, ten_real(y));
	return y;
}

const real *lua_tensor_read(lua_State *L, int i, int *rank, int64_t shape[TENSOR_MAXRANK])
{
	const Tensor *x = lua_tensor_check(L, i);
	check_alive(L, x);
	*rank = x->rank;
	memcpy(shape, x->shape, sizeof x->shape);
	if (!x->tape)
		return x->data;
	real *to = lua_newuserdatauv(L, sizeof *to * (size_t)(lua_tensor_count(x) + 1), 0);
	read_tape(x->x, to);
	return to;
}

static int scratch_gc(lua_State *L)
{
	Tape **t = lua_touserdata(L, 1);
	tape_free(*t);
	*t = NULL;
	return 0;
}

Tape *lua_scratch_tape(lua_State *L)
{
	if (lua_rawgetp(L, LUA_REGISTRYINDEX, &key_scratch) == LUA_TNIL) {
		Tape **made = lua_newuserdatauv(L, sizeof *made, 0);
		*made = NULL;
		lua_createtable(L, 0, 1);
		lua_pushcfunction(L, scratch_gc);
		lua_setfield(L, -2, "__gc");
		lua_setmetatable(L, -2);
		lua_pushvalue(L, -1);
		lua_rawsetp(L, LUA_REGISTRYINDEX, &key_scratch);
		lua_remove(L, -2);
	}
	Tape **t = lua_touserdata(L, -1);
	lua_pop(L, 1);
	if (!*t && !(*t = tape_new(lab_of(L)->pool, lab_of(L)->o.memory_limit)))
		lab_fail(L, E_5001, "no memory for a tape");
	return *t;
}

/* Ready for the next op; memory of a large one is given back. */
static void scratch_reset(lua_State *L, Tape *t)
{
	if (arena_held(tape_arena(t)) <= SCRATCH_KEPT) {
		tape_reset(t);
		return;
	}
	lua_rawgetp(L, LUA_REGISTRYINDEX, &key_scratch);
	tape_free(t);
	*(Tape **)lua_touserdata(L, -1) = NULL;
	lua_pop(L, 1);
}

/* A plain copy of a value; a row made of a list stays a list. */
static void push_copy(lua_State *L, const Ten *x, bool as_list)
{
	bool list = as_list && x->rank == 2 && x->shape[0] == 1;
	Tensor *y = lua_tensor_new(L, list ? 1 : x->rank, list ? x->shape + 1 : x->shape, x->dtype == DT_I32);
	if (y->bytes)
		read_tape(x, y->data);
}

int lua_tensor_made(lua_State *L, Tape *t, Ten *y, int like)
{
	const Tensor *x = lua_tensor_is(L, like) ? lua_touserdata(L, like) : NULL;
	like = lua_absindex(L, like);
	if (!y || tape_failed(t)) {
		Err e = { 0 };
		tape_ok(t, &e);
		if (t == lua_scratch_tape(L))
			tape_reset(t);
		tape_forgive(t);
		return lab_raise(L, &e);
	}
	if (t == lua_scratch_tape(L)) {
		push_copy(L, y, x && !x->tape && x->rank == 1);
		scratch_reset(L, t);
	} else {
		lua_tensor_push_tape(L, t, y, 0);
		((Tensor *)lua_touserdata(L, -1))->owned = x && x->owned;
	}
	if (x && lua_getiuservalue(L, like, 1) != LUA_TNONE)
		lua_setiuservalue(L, -2, 1);
	return 1;
}

/* --- reading --- */

int64_t lua_index_check(lua_State *L, int i, int64_t n, const char *what)
{
	int whole;
	lua_Integer k = lua_tointegerx(L, i, &whole);
	if (!whole)
		lab_fail(L, E_2003, "%s: a whole number is needed, not %s", what, luaL_typename(L, i));
	if (k < -n || k >= n)
		lab_fail(L, E_2003, "%s %lld: there are %lld, 0 to %lld (negative ones count from the end)", what, (long long)k, (long long)n,
			(long long)n - 1);
	return k < 0 ? k + n : k;
}

static int push_number(lua_State *L, real v, bool is_int)
{
	if (is_int)
		lua_pushinteger(L, (lua_Integer)v);
	else
		lua_pushnumber(L, (lua_Number)v);
	return 1;
}

/* One row of a tensor of two dimensions, on its tape or as a copy. */
static int push_row(lua_State *L, int64_t at)
{
	Tape *t = lua_tensor_tape(L, 1), *on = t ? t : lua_scratch_tape(L);
	return lua_tensor_made(L, on, rows(on, lua_tensor_on(L, 1, on), at, 1), 1);
}

/* x:at(i, ...): as many indices as dimensions give a number, one of two a row. */
static int at_indices(lua_State *L, int n)
{
	const Tensor *x = lua_tensor_check(L, 1);
	if (n != x->rank && !(n == 1 && x->rank == 2))
		return lab_fail(L, E_2003, "a tensor of %d dimensions needs %s, not %d", x->rank, x->rank == 2 ? "one or two indices" :
			x->rank == 1 ? "one index" : "as many indices", n);
	int64_t at = 0;
	for (int i = 0; i < n; i++)
		at = at * (i ? x->shape[i] : 1) + lua_index_check(L, 2 + i, x->shape[i], i == 0 && x->rank > 1 ? "row" : "element");
	if (n != x->rank)
		return push_row(L, at);
	int rank;
	int64_t shape[TENSOR_MAXRANK];
	return push_number(L, lua_tensor_read(L, 1, &rank, shape)[at], x->is_int);
}

static int tensor_at(lua_State *L)
{
	return at_indices(L, lua_gettop(L) - 1);
}

static int tensor_index(lua_State *L)
{
	if (lua_type(L, 2) == LUA_TNUMBER)
		return at_indices(L, 1);
	lua_pushvalue(L, 2);
	lua_rawget(L, lua_upvalueindex(1));
	if (!lua_isnil(L, -1) || lua_type(L, 2) != LUA_TSTRING)
		return 1;
	const Tensor *x = lua_tensor_check(L, 1);
	const char *k = lua_tostring(L, 2);
	if (strcmp(k, "rank") == 0)
		lua_pushinteger(L, x->rank);
	else if (strcmp(k, "dtype") == 0)
		lua_pushstring(L, x->is_int ? "i32" : sizeof(real) == 8 ? "f64" : "f32");
	else if (strcmp(k, "name") == 0 && x->tape && tensor_alive(L, x))
		lua_pushstring(L, x->label ? x->label : x->x->name);
	else if (strcmp(k, "shape") == 0) {
		lua_createtable(L, x->rank, 0);
		for (int i = 0; i < x->rank; i++) {
			lua_pushinteger(L, (lua_Integer)x->shape[i]);
			lua_rawseti(L, -2, i + 1);
		}
	}
	return 1;
}

static int tensor_len(lua_State *L)
{
	const Tensor *x = lua_tensor_check(L, 1);
	lua_pushinteger(L, x->rank ? (lua_Integer)x->shape[0] : 1);
	return 1;
}

static int tensor_item(lua_State *L)
{
	int rank;
	int64_t shape[TENSOR_MAXRANK];
	const Tensor *x = lua_tensor_check(L, 1);
	if (lua_tensor_count(x) != 1)
		return lab_fail(L, E_2003, "item: this tensor holds %lld numbers, not one; use x:at(i, j)", (long long)lua_tensor_count(x));
	return push_number(L, lua_tensor_read(L, 1, &rank, shape)[0], x->is_int);
}

/* Nested lists of dimension d on, from *v. */
static void push_list(lua_State *L, const Tensor *x, int d, const real **v)
{
	luaL_checkstack(L, 4, "lists in lists");
	lua_createtable(L, (int)(x->shape[d] < 1 << 20 ? x->shape[d] : 1 << 20), 0);
	for (int64_t i = 0; i < x->shape[d]; i++) {
		if (d + 1 < x->rank)
			push_list(L, x, d + 1, v);
		else
			push_number(L, *(*v)++, x->is_int);
		lua_rawseti(L, -2, i + 1);
	}
}

static int tensor_tolist(lua_State *L)
{
	int rank;
	int64_t shape[TENSOR_MAXRANK];
	const Tensor *x = lua_tensor_check(L, 1);
	const real *v = lua_tensor_read(L, 1, &rank, shape);
	if (x->rank == 0)
		return push_number(L, *v, x->is_int);
	push_list(L, x, 0, &v);
	return 1;
}

static int tensor_copy(lua_State *L)
{
	int rank;
	int64_t shape[TENSOR_MAXRANK];
	const Tensor *x = lua_tensor_check(L, 1);
	const real *v = lua_tensor_read(L, 1, &rank, shape);
	lua_tensor_push(L, rank, shape, v, x->is_int);
	if (!x->owned && lua_getiuservalue(L, 1, 1) != LUA_TNONE)
		lua_setiuservalue(L, -2, 1);
	return 1;
}

static int tensor_reshape(lua_State *L)
{
	const Tensor *x = lua_tensor_check(L, 1);
	int64_t shape[TENSOR_MAXRANK], old[TENSOR_MAXRANK], n = 1;
	int rank = lua_gettop(L) - 1, was;
	if (rank < 1 || rank > TENSOR_MAXRANK)
		return lab_fail(L, E_2003, "reshape: 1 to %d sizes are needed", TENSOR_MAXRANK);
	for (int i = 0; i < rank; i++) {
		shape[i] = luaL_checkinteger(L, 2 + i);
		luaL_argcheck(L, shape[i] >= 0 && shape[i] <= INT32_MAX, 2 + i, "not a size");
		n = n > INT64_MAX / (shape[i] + 1) ? -1 : n * shape[i];
		if (n < 0)
			break;
	}
	if (n != lua_tensor_count(x))
		return lab_fail(L, E_6002, "reshape: the tensor holds %lld numbers, the new shape another number", (long long)lua_tensor_count(x));
	if (x->tape)
		return lab_fail(L, E_6003, "reshape: for plain tensors; x:copy():reshape(...) gives the numbers without their gradient");
	lua_tensor_push(L, rank, shape, lua_tensor_read(L, 1, &was, old), x->is_int);
	return 1;
}

/* --- printing --- */

static void show_number(luaL_Buffer *b, real v, bool is_int)
{
	char s[40];
	snprintf(s, sizeof s, is_int ? " %9.0f" : " %9.4g", (double)v);
	luaL_addstring(b, s);
}

static void show_row(luaL_Buffer *b, const real *v, int64_t n, bool is_int)
{
	luaL_addstring(b, "\n ");
	for (int64_t k = 0; k < n; k++) {
		if (n > SHOWN_COLS + 1 && k == SHOWN_COLS - 1) {
			luaL_addstring(b, "       ...");
			k = n - 1;
		}
		show_number(b, v[k], is_int);
	}
}

static void full_name(const Tensor *x, Buf *out)
{
	if (x->label || !x->tape) {
		buf_adds(out, x->label ? x->label : "tensor");
		return;
	}
	scope_describe(x->x->scope, out);
	if (x->x->scope)
		buf_addc(out, '.');
	buf_adds(out, x->x->name ? x->x->name : "tensor");
}

static int tensor_tostring(lua_State *L)
{
	const Tensor *x = lua_tensor_check(L, 1);
	if (!tensor_alive(L, x)) {
		lua_pushliteral(L, "tensor of a step that is over");
		return 1;
	}
	int rank;
	int64_t shape[TENSOR_MAXRANK], n = x->rank ? x->shape[x->rank - 1] : 1, all = lua_tensor_count(x), rows_n = n ? all / n : 0;
	const real *v = lua_tensor_read(L, 1, &rank, shape);
	Buf head = BUF_INIT;
	luaL_Buffer b;
	full_name(x, &head);
	buf_addc(&head, '[');
	for (int i = 0; i < rank; i++)
		buf_printf(&head, "%s%lld", i ? "x" : "", (long long)shape[i]);
	buf_adds(&head, x->is_int ? "] i32" : "]");
	const char *title = lua_pushstring(L, buf_str(&head));
	buf_done(&head);
	luaL_buffinit(L, &b);
	luaL_addstring(&b, title);
	for (int64_t r = 0; r < rows_n; r++) {
		if (rows_n > SHOWN_ROWS + 1 && r == SHOWN_ROWS - 1) {
			luaL_addstring(&b, "\n  ...");
			r = rows_n - 1;
		}
		show_row(&b, v + r * n, n, x->is_int);
	}
	luaL_pushresult(&b);
	return 1;
}

static const ApiFn methods[] = {
	{ "at", "(i: integer, ...: integer): number | Tensor", "The number at these indices, counted from 0, negative ones from the end. One index "
		"into a tensor of two dimensions gives that row, [1,n], on the same tape. x[i] is x:at(i).",
		"local x = lathe.tensor { { 1, 2 }, { 3, 4 } }\nassert(x:at(1, 0) == 3 and x[-1]:at(0, 1) == 4)", tensor_at },
	{ "item", "(): number", "The only number of a tensor that holds one.", "assert(lathe.tensor { 7 }:item() == 7)", tensor_item },
	{ "tolist", "(): table", "The numbers as a list, of two dimensions as a list of rows (Lua's lists count from 1).",
		"assert(lathe.tensor { { 1, 2 }, { 3, 4 } }:tolist()[2][1] == 3)", tensor_tolist },
	{ "copy", "(): Tensor", "The numbers alone, without tape and gradient: to keep what a hook is shown beyond its step.",
		"local x = lathe.tensor { 1, 2 }\nassert(x:copy():at(1) == 2)", tensor_copy },
	{ "reshape", "(n: integer, ...: integer): Tensor", "A copy with other dimensions and the same numbers in the same order. Plain tensors only.",
		"assert(lathe.tensor { 1, 2, 3, 4 }:reshape(2, 2):at(1, 0) == 3)", tensor_reshape },
	{ NULL, NULL, NULL, NULL, NULL },
};

static const luaL_Reg meta[] = {
	{ "__gc", tensor_gc }, { "__index", tensor_index }, { "__len", tensor_len }, { "__tostring", tensor_tostring }, { NULL, NULL },
};

const ApiClass api_tensor = { type_name,
	"Numbers in rows: plain ones, or a value on a tape (in hooks, in m:tape, in attention and losses of your own). Both are read alike. "
	"Arithmetic (+ - * / and unary -, with numbers, equal shapes, or one row against all) and the ops of lathe.op, which are methods too, "
	"give values on the tape of their inputs, so that gradients stay true; of plain inputs plain results. Rows, columns, tokens, layers, "
	"experts and positions count from 0, negative ones from the end. x.rank, x.shape (a list), x.dtype (\"f32\" or \"i32\") and #x (rows) "
	"tell its form. A value of a step that is over is an error when it is used; x:copy() keeps its numbers.",
	methods, meta };
