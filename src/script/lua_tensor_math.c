/* lua_tensor_math.c - tensors in Lua: arithmetic by the ops of the engine, figures about them, and where they come from. */
#include "script/lua_forward.h"
#include "script/lua_tensor.h"
#include "base/rng.h"
#include "ops/ops.h"
#include <math.h>
#include <string.h>

/* --- arithmetic --- */

typedef struct Pair { Tape *t; Ten *a, *b; bool ca, cb; real c; int like; } Pair;

/* The tape of the two operands: that of the one which has one, else the scratch tape. */
static Pair pair_take(lua_State *L)
{
	Pair p = { 0 };
	p.ca = lua_type(L, 1) == LUA_TNUMBER;
	p.cb = lua_type(L, 2) == LUA_TNUMBER;
	p.like = p.ca ? 2 : 1;
	Tape *ta = p.ca ? NULL : lua_tensor_tape(L, 1), *tb = p.cb ? NULL : lua_tensor_tape(L, 2);
	if (!ta && tb)
		p.like = 2;
	p.t = ta ? ta : tb ? tb : lua_scratch_tape(L);
	if (p.ca || p.cb)
		p.c = (real)lua_tonumber(L, p.ca ? 1 : 2);
	p.a = p.ca ? NULL : lua_tensor_real_on(L, 1, p.t);
	p.b = p.cb ? NULL : lua_tensor_real_on(L, 2, p.t);
	return p;
}

static Ten *filled(Tape *t, int rank, const int64_t *shape, real c)
{
	Ten *y = tape_ten(t, rank, shape);
	for (int64_t i = 0; y && i < ten_count(y); i++)
		ten_real(y)[i] = c;
	return y;
}

static Ten *plus(Tape *t, Ten *x, real c)
{
	return !x || c == 0 ? x : add_row(t, x, filled(t, 1, (int64_t[]){ ten_cols(x) }, c));
}

static bool is_row_of(const Ten *b, const Ten *a)
{
	return ten_count(b) == ten_cols(a) && ten_rows(b) == 1 && (ten_rows(a) != 1 || a->rank != b->rank);
}

static int arith_add(lua_State *L)
{
	Pair p = pair_take(L);
	Ten *y = p.ca ? plus(p.t, p.b, p.c) : p.cb ? plus(p.t, p.a, p.c) : is_row_of(p.b, p.a) ? add_row(p.t, p.a, p.b)
		: is_row_of(p.a, p.b) ? add_row(p.t, p.b, p.a) : add(p.t, p.a, p.b);
	return lua_tensor_made(L, p.t, y, p.like);
}

static int arith_sub(lua_State *L)
{
	Pair p = pair_take(L);
	Ten *minus = p.b ? scale(p.t, p.b, -1) : NULL;
	Ten *y = p.ca ? plus(p.t, minus, p.c) : p.cb ? plus(p.t, p.a, -p.c) : is_row_of(p.b, p.a) ? add_row(p.t, p.a, minus)
		: is_row_of(p.a, p.b) ? add_row(p.t, minus, p.a) : add(p.t, p.a, minus);
	return lua_tensor_made(L, p.t, y, p.like);
}

static int arith_mul(lua_State *L)
{
	Pair p = pair_take(L);
	Ten *y = p.ca ? scale(p.t, p.b, p.c) : p.cb ? scale(p.t, p.a, p.c) : is_row_of(p.b, p.a) ? mul_row(p.t, p.a, p.b)
		: is_row_of(p.a, p.b) ? mul_row(p.t, p.b, p.a) : mul(p.t, p.a, p.b);
	return lua_tensor_made(L, p.t, y, p.like);
}

static int arith_div(lua_State *L)
{
	Pair p = pair_take(L);
	Ten *y;
	if (p.cb)
		y = divide(p.t, p.a, filled(p.t, p.a->rank, p.a->shape, p.c));
	else if (p.ca)
		y = divide(p.t, filled(p.t, p.b->rank, p.b->shape, p.c), p.b);
	else if (is_row_of(p.b, p.a))
		y = mul_row(p.t, p.a, divide(p.t, filled(p.t, p.b->rank, p.b->shape, 1), p.b));
	else
		y = divide(p.t, p.a, p.b);
	return lua_tensor_made(L, p.t, y, p.like);
}

static int arith_unm(lua_State *L)
{
	Tape *t = lua_tensor_tape(L, 1), *on = t ? t : lua_scratch_tape(L);
	return lua_tensor_made(L, on, scale(on, lua_tensor_real_on(L, 1, on), -1), 1);
}

/* --- figures --- */

typedef struct View { const real *v; int64_t n, rows, cols; bool is_int; } View;

static View view_take(lua_State *L)
{
	int rank;
	int64_t shape[TENSOR_MAXRANK];
	const Tensor *x = lua_tensor_check(L, 1);
	View v = { .v = lua_tensor_read(L, 1, &rank, shape), .is_int = x->is_int };
	v.n = lua_tensor_count(x);
	v.cols = rank ? shape[rank - 1] : 1;
	v.rows = v.cols ? v.n / v.cols : 0;
	return v;
}

static View view_some(lua_State *L, const char *what)
{
	View v = view_take(L);
	if (v.n == 0)
		lab_fail(L, E_2003, "%s: the tensor holds no numbers", what);
	return v;
}

static int push_value(lua_State *L, double v, bool is_int)
{
	if (is_int)
		lua_pushinteger(L, (lua_Integer)v);
	else
		lua_pushnumber(L, v);
	return 1;
}

/* What is not a number wins: it must not hide. */
static int most(lua_State *L, const char *what, double sign)
{
	View v = view_some(L, what);
	double best = (double)v.v[0];
	for (int64_t i = 1; i < v.n; i++)
		if (sign * (double)v.v[i] > sign * best || isnan(v.v[i]))
			best = (double)v.v[i];
	return push_value(L, best, v.is_int);
}

static int tensor_max(lua_State *L)
{
	return most(L, "max", 1);
}

static int tensor_min(lua_State *L)
{
	return most(L, "min", -1);
}

/* Sums over rows (axis 0: one number for each column), over columns (axis 1: one for each row), or of all. */
static int sums(lua_State *L, bool mean)
{
	View v = view_take(L);
	if (lua_isnoneornil(L, 2)) {
		double s = 0;
		for (int64_t i = 0; i < v.n; i++)
			s += (double)v.v[i];
		return push_value(L, mean ? s / (double)v.n : s, v.is_int && !mean);
	}
	int64_t axis = lua_index_check(L, 2, 2, "axis");
	Tensor *y = lua_tensor_new(L, 1, (int64_t[]){ axis == 0 ? v.cols : v.rows }, v.is_int && !mean);
	for (int64_t i = 0; i < y->shape[0]; i++) {
		double s = 0;
		int64_t n = axis == 0 ? v.rows : v.cols;
		for (int64_t k = 0; k < n; k++)
			s += (double)v.v[axis == 0 ? k * v.cols + i : i * v.cols + k];
		y->data[i] = (real)(mean ? s / (double)n : s);
	}
	return 1;
}

static int tensor_sum(lua_State *L)
{
	return sums(L, false);
}

static int tensor_mean(lua_State *L)
{
	return sums(L, true);
}

static double squares(const View *v, double from)
{
	double s = 0;
	for (int64_t i = 0; i < v->n; i++)
		s += ((double)v->v[i] - from) * ((double)v->v[i] - from);
	return s;
}

static int tensor_norm(lua_State *L)
{
	View v = view_take(L);
	lua_pushnumber(L, sqrt(squares(&v, 0)));
	return 1;
}

static int tensor_std(lua_State *L)
{
	View v = view_some(L, "std");
	double mean = 0;
	for (int64_t i = 0; i < v.n; i++)
		mean += (double)v.v[i] / (double)v.n;
	lua_pushnumber(L, sqrt(squares(&v, mean) / (double)v.n));
	return 1;
}

static int64_t row_argmax(const real *v, int64_t n)
{
	int64_t best = 0;
	for (int64_t i = 1; i < n; i++)
		if (v[i] > v[best])
			best = i;
	return best;
}

static int tensor_argmax(lua_State *L)
{
	View v = view_some(L, "argmax");
	if (v.rows == 1) {
		lua_pushinteger(L, (lua_Integer)row_argmax(v.v, v.cols));
		return 1;
	}
	Tensor *y = lua_tensor_new(L, 1, &v.rows, true);
	for (int64_t r = 0; r < v.rows; r++)
		y->data[r] = (real)row_argmax(v.v + r * v.cols, v.cols);
	return 1;
}

static int tensor_histogram(lua_State *L)
{
	View v = view_take(L);
	int64_t n = luaL_checkinteger(L, 2);
	luaL_argcheck(L, n >= 1 && n <= INT32_MAX, 2, "a count of bins from 1 on is needed");
	Tensor *y = lua_tensor_new(L, 1, &n, true);
	for (int64_t i = 0; i < v.n; i++) {
		double k = (double)v.v[i];
		if (!(k >= 0 && k < (double)n) || k != floor(k))
			return lab_fail(L, E_2003, "histogram: %g is not a whole number from 0 to %lld", k, (long long)n - 1);
		y->data[(int64_t)k] += 1;
	}
	return 1;
}

static int tensor_normalise(lua_State *L)
{
	const Tensor *x = lua_tensor_check(L, 1);
	View v = view_some(L, "normalise");
	double s = 0;
	for (int64_t i = 0; i < v.n; i++)
		s += (double)v.v[i];
	if (!(fabs(s) > 0) || !isfinite(s))
		return lab_fail(L, E_6001, "normalise: the numbers add up to %g", s);
	Tensor *y = lua_tensor_new(L, x->rank, x->shape, false);
	for (int64_t i = 0; i < v.n; i++)
		y->data[i] = (real)((double)v.v[i] / s);
	return 1;
}

static int tensor_ints(lua_State *L)
{
	const Tensor *x = lua_tensor_check(L, 1);
	View v = view_take(L);
	Tensor *y = lua_tensor_new(L, x->rank, x->shape, true);
	for (int64_t i = 0; i < v.n; i++) {
		if (!(fabs((double)v.v[i]) <= (double)(1 << 24)) || (double)v.v[i] != floor((double)v.v[i]))
			return lab_fail(L, E_2003, "ints: %g is not a whole number", (double)v.v[i]);
		y->data[i] = v.v[i];
	}
	return 1;
}

/* --- log-probabilities --- */

/* A token as its id, or as its text where the owner (a model, a tape) knows it. */
static int32_t token_take(lua_State *L, int i, int64_t n)
{
	if (lua_type(L, i) == LUA_TSTRING && lua_getiuservalue(L, 1, 1) != LUA_TNIL && luaL_getmetafield(L, -1, "__token") != LUA_TNIL) {
		lua_insert(L, -2);
		lua_pushvalue(L, i);
		lua_call(L, 2, 1);
		return (int32_t)lua_index_check(L, -1, n, "token");
	}
	if (lua_type(L, i) == LUA_TSTRING)
		lab_fail(L, E_2003, "logprob: these numbers are of no model, so a token is named by its id");
	return (int32_t)lua_index_check(L, i, n, "token");
}

static int tensor_logprob(lua_State *L)
{
	Tape *t = lua_tensor_tape(L, 1), *on = t ? t : lua_scratch_tape(L);
	const Tensor *x = lua_tensor_check(L, 1);
	int64_t V = x->rank ? x->shape[x->rank - 1] : 1;
	if (lua_tensor_count(x) != V)
		return lab_fail(L, E_2003, "logprob: one row of logits is needed; take one with logits:at(-1)");
	int32_t id = token_take(L, 2, V);
	Ten *y = scale(on, cross_entropy(on, lua_tensor_real_on(L, 1, on), &id, 1), -1);
	if (t || !y)
		return lua_tensor_made(L, on, y, 1);
	lua_pushnumber(L, (lua_Number)ten_real(y)[0]);
	tape_reset(on);
	return 1;
}

/* --- makers --- */

static int shape_take(lua_State *L, int i, int64_t shape[TENSOR_MAXRANK])
{
	if (!lua_istable(L, i)) {
		shape[0] = luaL_checkinteger(L, i);
		luaL_argcheck(L, shape[0] >= 0, i, "a size cannot be negative");
		return 1;
	}
	int rank = (int)lua_rawlen(L, i);
	luaL_argcheck(L, rank >= 1 && rank <= TENSOR_MAXRANK, i, "a list of 1 to 4 sizes is needed");
	for (int d = 0; d < rank; d++) {
		int whole;
		lua_rawgeti(L, i, d + 1);
		shape[d] = lua_tointegerx(L, -1, &whole);
		luaL_argcheck(L, whole && shape[d] >= 0, i, "a size is a whole number from 0 on");
		lua_pop(L, 1);
	}
	return rank;
}

static int make_filled(lua_State *L, real c)
{
	int64_t shape[TENSOR_MAXRANK];
	int rank = shape_take(L, 1, shape);
	Tensor *y = lua_tensor_new(L, rank, shape, false);
	for (int64_t i = 0; c != 0 && i < lua_tensor_count(y); i++)
		y->data[i] = c;
	return 1;
}

static int make_zeros(lua_State *L)
{
	return make_filled(L, 0);
}

static int make_ones(lua_State *L)
{
	return make_filled(L, 1);
}

static int make_randn(lua_State *L)
{
	int64_t shape[TENSOR_MAXRANK];
	int rank = shape_take(L, 1, shape);
	Rng rng = rng_make((uint64_t)luaL_optinteger(L, 2, (lua_Integer)lab_of(L)->o.seed), 0x7a6e);
	Tensor *y = lua_tensor_new(L, rank, shape, false);
	for (int64_t i = 0; i < lua_tensor_count(y); i++)
		y->data[i] = (real)rng_normal(&rng);
	return 1;
}

/* The list on top of the stack into dimension d; all lists of a dimension have one length. */
static void list_read(lua_State *L, Tensor *y, int d, real **to)
{
	luaL_checkstack(L, 4, "lists in lists");
	if (!lua_istable(L, -1) || (int64_t)lua_rawlen(L, -1) != y->shape[d])
		lab_fail(L, E_2003, "tensor: every row must be a list of %lld %s", (long long)y->shape[d], d + 1 < y->rank ? "rows" : "numbers");
	for (int64_t i = 0; i < y->shape[d]; i++) {
		int type = lua_rawgeti(L, -1, i + 1);
		if (d + 1 < y->rank)
			list_read(L, y, d + 1, to);
		else if (type == LUA_TNUMBER)
			*(*to)++ = (real)lua_tonumber(L, -1);
		else
			lab_fail(L, E_2003, "tensor: a number is needed, not %s", lua_typename(L, type));
		lua_pop(L, 1);
	}
}

static int make_tensor(lua_State *L)
{
	int64_t shape[TENSOR_MAXRANK];
	int rank = 0;
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 1);
	while (lua_istable(L, -1)) {
		if (rank == TENSOR_MAXRANK)
			return lab_fail(L, E_2003, "tensor: lists are nested more than %d deep", TENSOR_MAXRANK);
		shape[rank++] = (int64_t)lua_rawlen(L, -1);
		lua_rawgeti(L, -1, 1);
	}
	lua_settop(L, 1);
	Tensor *y = lua_tensor_new(L, rank, shape, false);
	real *to = y->data;
	lua_insert(L, 1);
	list_read(L, y, 0, &to);
	lua_settop(L, 1);
	return 1;
}

#define FIGURE(name, text, example, fn) { name, "(): number", text, example, fn }
static const ApiFn methods[] = {
	FIGURE("max", "The largest number; not a number when one is not.", "assert(lathe.tensor { 1, 3, 2 }:max() == 3)", tensor_max),
	FIGURE("min", "The smallest number; not a number when one is not.", "assert(lathe.tensor { 1, 3, 2 }:min() == 1)", tensor_min),
	{ "sum", "(axis: integer?): number | Tensor", "The sum of all; with axis 0 that of each column, with axis 1 that of each row. A plain result: "
		"x:total() is the sum with its gradient.",
		"local x = lathe.tensor { { 1, 2 }, { 3, 4 } }\nassert(x:sum() == 10 and x:sum(0):at(1) == 6)", tensor_sum },
	{ "mean", "(axis: integer?): number | Tensor", "The mean of all, of each column (axis 0) or of each row (axis 1).",
		"assert(lathe.tensor { { 1, 2 }, { 3, 4 } }:mean(1):at(0) == 1.5)", tensor_mean },
	FIGURE("norm", "The square root of the sum of squares.", "assert(lathe.tensor { 3, 4 }:norm() == 5)", tensor_norm),
	FIGURE("std", "The standard deviation (of all there is, not of a sample).", "assert(lathe.tensor { 1, 3 }:std() == 1)", tensor_std),
	{ "argmax", "(): integer | Tensor", "Where the largest number of a row is, counted from 0, the first of equals; of several rows a tensor of ids.",
		"assert(lathe.tensor { 1, 3, 2 }:argmax() == 1)", tensor_argmax },
	{ "histogram", "(n: integer): Tensor", "How often 0, 1, ... n-1 occur among whole numbers, such as the experts of moe.topk. [n]",
		"assert(lathe.tensor { 0, 2, 2 }:histogram(3):at(2) == 2)", tensor_histogram },
	{ "normalise", "(): Tensor", "A copy divided by its sum: shares of the whole.",
		"assert(lathe.tensor { 1, 3 }:normalise():at(1) == 0.75)", tensor_normalise },
	{ "ints", "(): Tensor", "A copy as whole numbers: ids for a hook on moe.topk or for ops that take ids. Up to 16777216.",
		"assert(lathe.tensor { { 0, 1 } }:ints().dtype == \"i32\")", tensor_ints },
	{ "logprob", "(token: integer | string): number | Tensor", "The log-probability (natural) of a token under one row of logits; by its text where the "
		"logits come from a model. On a tape a value with its gradient, else a number.",
		"assert(math.abs(lathe.tensor { 0, 0 }:logprob(1) + math.log(2)) < 1e-6)", tensor_logprob },
	{ NULL, NULL, NULL, NULL, NULL },
};

static const luaL_Reg meta[] = {
	{ "__add", arith_add }, { "__sub", arith_sub }, { "__mul", arith_mul }, { "__div", arith_div }, { "__unm", arith_unm }, { NULL, NULL },
};

const ApiClass api_tensor_math = { "Tensor", NULL, methods, meta };

static const ApiFn makers[] = {
	{ "tensor", "(list: table): Tensor", "A tensor of the numbers in a list, or in a list of rows (and so on, 4 deep).",
		"local x = lathe.tensor { { 1, 2, 3 }, { 4, 5, 6 } }\nassert(#x == 2 and x.shape[2] == 3)", make_tensor },
	{ "zeros", "(shape: integer | table): Tensor", "A tensor of zeros: lathe.zeros(3), lathe.zeros { 2, 3 }.",
		"assert(lathe.zeros { 2, 3 }:sum() == 0)", make_zeros },
	{ "ones", "(shape: integer | table): Tensor", "A tensor of ones.", "assert(lathe.ones { 2, 3 }:sum() == 6)", make_ones },
	{ "randn", "(shape: integer | table, seed: integer?): Tensor", "Normal random numbers, mean 0 and variance 1: the same for the same seed, on any machine. "
		"Without a seed that of the run (lathe.seed).",
		"assert(lathe.randn(3, 1):at(0) == lathe.randn(3, 1):at(0))", make_randn },
	{ NULL, NULL, NULL, NULL, NULL },
};

const ApiClass api_tensor_make = { "lathe", NULL, makers, NULL };
