/* test_tensor.c - tensors and ops from Lua: reading, arithmetic, errors with the user's line, memory that is counted, and that every op of
 * the table can be called and described. */
#include "tests/unit.h"
#include "ops/ops.h"
#include "script/lua_forward.h"
#include "script/lua_ops.h"
#include "script/lua_tensor.h"
#include <string.h>

static Lab *lab_make(size_t memory)
{
	Err e = { 0 };
	LabOptions o = { .threads = 1, .seed = 1, .memory_limit = memory };
	Lab *lab = lab_new(&o, &e);
	if (!lab)
		fail_msg("%s", e.text);
	api_open(lab->room.L);
	lua_setglobal(lab->room.L, "lathe");
	return lab;
}

static void run(Lab *lab, const char *text)
{
	Err e = { 0 };
	if (!lab_text(lab, text, strlen(text), "@test.lua", &e))
		fail_msg("%s", e.text);
}

/* The text fails, at the line and with the words given. */
static void fails(Lab *lab, const char *text, const char *words)
{
	Err e = { 0 };
	if (lab_text(lab, text, strlen(text), "@test.lua", &e))
		fail_msg("no error: %s", text);
	if (!strstr(e.text, words) || strncmp(e.text, "test.lua:", 9) != 0)
		fail_msg("\"%s\" does not say \"%s\"", e.text, words);
}

/* A script, a line each, in a lab of its own. */
#define LUA(name, text) \
	TEST(name) \
	{ \
		Lab *lab = lab_make(64 << 20); \
		run(lab, text); \
		lab_free(lab); \
	}

LUA(tensors_are_read_from_0_and_from_the_end,
	"local x = lathe.tensor { { 1, 2, 3 }, { 4, 5, 6 } }\n"
	"assert(#x == 2 and x.rank == 2 and x.shape[2] == 3 and (x.dtype == 'f32' or x.dtype == 'f64'))\n"
	"assert(x:at(0, 0) == 1 and x:at(-1, -1) == 6 and x[1]:at(0, 2) == 6 and x[-2]:at(0, 0) == 1)\n"
	"local l = x:tolist() assert(#l == 2 and l[2][3] == 6)\n"
	"local v = lathe.tensor { 7, 8 } assert(v[0] == 7 and v[-1] == 8 and #v == 2 and v.rank == 1)\n"
	"assert(lathe.tensor { 5 }:item() == 5 and x:copy():at(1, 1) == 5)\n"
	"assert(x:reshape(3, 2):at(2, 1) == 6 and x:reshape(6)[5] == 6)\n"
	"assert(x:rows(1, 1):at(0, 0) == 4 and x:cols(1, 2):at(1, 1) == 6 and x:transpose():at(2, 0) == 3)\n"
	"assert(lathe.zeros { 2, 2 }:sum() == 0 and lathe.ones(4):sum() == 4)\n"
	"local r = lathe.randn({ 50, 40 }, 3) assert(math.abs(r:mean()) < 0.1 and math.abs(r:std() - 1) < 0.1)\n"
	"assert(lathe.randn(3, 3)[1] == lathe.randn(3, 3)[1] and lathe.randn(3, 4)[1] ~= lathe.randn(3, 3)[1])\n")

LUA(tensor_figures,
	"local x = lathe.tensor { { 3, -4 }, { 0, 1 } }\n"
	"assert(x:max() == 3 and x:min() == -4 and x:sum() == 0 and x:mean() == 0)\n"
	"assert(math.abs(x:norm() - math.sqrt(26)) < 1e-6 and x:argmax():tolist()[2] == 1)\n"
	"assert(x:sum(0)[1] == -3 and x:sum(1)[0] == -1 and x:mean(-1)[1] == 0.5)\n"
	"local h = lathe.tensor { { 0, 2 }, { 2, 1 } }:ints():histogram(4)\n"
	"assert(h.dtype == 'i32' and h[2] == 2 and h[3] == 0 and h:sum() == 4)\n"
	"assert(h:normalise()[2] == 0.5)\n"
	"local nan = 0 / 0 assert(lathe.tensor { 1, nan, 2 }:max() ~= lathe.tensor { 1, nan, 2 }:max())\n"
	"assert(math.abs(lathe.tensor { { 0, 0, 0, 0 } }:logprob(-1) + math.log(4)) < 1e-6)\n"
	"assert(lathe.tensor { 1, 3, 3 }:argmax() == 1)\n")

LUA(tensor_arithmetic,
	"local function same(x, l) local y = x:tolist() for i = 1, #l do for k = 1, #l[i] do\n"
	"  assert(math.abs(y[i][k] - l[i][k]) < 1e-6, i .. ',' .. k .. ': ' .. y[i][k]) end end end\n"
	"local a, b, r = lathe.tensor { { 1, 2 }, { 3, 4 } }, lathe.tensor { { 5, 6 }, { 7, 8 } }, lathe.tensor { 10, 20 }\n"
	"same(a + b, { { 6, 8 }, { 10, 12 } }) same(b - a, { { 4, 4 }, { 4, 4 } }) same(a * b, { { 5, 12 }, { 21, 32 } })\n"
	"same(a / b, { { 1 / 5, 2 / 6 }, { 3 / 7, 0.5 } }) same(-a, { { -1, -2 }, { -3, -4 } })\n"
	"same(a + 1, { { 2, 3 }, { 4, 5 } }) same(1 + a, { { 2, 3 }, { 4, 5 } }) same(1 - a, { { 0, -1 }, { -2, -3 } }) same(a - 1, { { 0, 1 }, { 2, 3 } })\n"
	"same(2 * a, { { 2, 4 }, { 6, 8 } }) same(a / 2, { { 0.5, 1 }, { 1.5, 2 } }) same(12 / a, { { 12, 6 }, { 4, 3 } })\n"
	"same(a + r, { { 11, 22 }, { 13, 24 } }) same(r + a, { { 11, 22 }, { 13, 24 } }) same(r - a, { { 9, 18 }, { 7, 16 } }) same(a - r, { { -9, -18 }, { -7, -16 } })\n"
	"same(a * r, { { 10, 40 }, { 30, 80 } }) same(a / r, { { 0.1, 0.1 }, { 0.3, 0.2 } })\n"
	"assert((r * 2)[1] == 40 and (r + r)[0] == 20 and (r * 2).rank == 1)\n"
	"local n = lathe.tensor { { 1, 2 } }:ints() assert((n * 3).dtype ~= 'i32' and (n * 3):at(0, 1) == 6)\n")

LUA(ops_are_functions_and_methods,
	"local x, W = lathe.tensor { { 1, 2, 3 }, { 4, 5, 6 } }, lathe.tensor { { 1, 0, 0 }, { 0, 1, 0 } }\n"
	"assert(x:linear(W):at(1, 1) == 5 and lathe.op.linear(x, W):at(0, 0) == 1)\n"
	"assert(math.abs(x:softmax():sum() - 2) < 1e-6 and x:sigmoid():max() < 1 and x:relu():at(0, 0) == 1)\n"
	"assert(math.abs(x:exp():log():at(1, 2) - 6) < 1e-5 and x:total():item() == 21)\n"
	"assert(x:rmsnorm(lathe.ones(3)):norm() - math.sqrt(6) < 1e-3)\n"
	"assert(x:pick { 1, 0, 1 }:at(0, 0) == 4 and x:concat(x).shape[2] == 6)\n"
	"assert(lathe.op.embed(x, { 1, 1 }):at(1, 2) == 6)\n"
	"local s = lathe.tensor { { 0.1, 0.9, 0.5, 0.2 }, { 0.8, 0.1, 0.2, 0.7 } }\n"
	"local k = s:route_choose(nil, { k = 2 })\n"
	"assert(k.dtype == 'i32' and k:at(0, 0) == 1 and k:at(0, 1) == 2 and k:at(1, 1) == 3)\n"
	"local w = s:route_weights(k) assert(math.abs(w:at(0, 0) - 0.9 / 1.4) < 1e-6)\n"
	"local I = { lathe.tensor { { 1, 0 }, { 0, 1 } } } for e = 2, 4 do I[e] = I[1] * e end\n"
	"local h = lathe.tensor { { 1, 2 }, { 3, 4 } }\n"
	"local y = h:dispatch(k):linear_grouped(I, k):combine(w, k)\n"
	"assert(math.abs(y:at(0, 0) - (0.9 / 1.4 * 2 + 0.5 / 1.4 * 3)) < 1e-5)\n"
	"local q = lathe.randn({ 5, 12 }, 1) local o = q:attend(lathe.randn({ 5, 8 }, 2), lathe.randn({ 5, 2 }, 3), lathe.randn({ 5, 6 }, 4), { heads = 2 })\n"
	"assert(o.shape[1] == 5 and o.shape[2] == 6)\n"
	"local kv = lathe.randn({ 5, 6 }, 4) assert(q:attend(lathe.randn({ 5, 6 }, 2), nil, kv, { heads = 2, key_heads = 1 }).shape[2] == 12)\n"
	"local p = q:attend_scores(lathe.randn({ 5, 12 }, 2), nil, { heads = 2 }):attend_probs { heads = 2 }\n"
	"assert(p.shape[1] == 10 and math.abs(p:sum() - 10) < 1e-4)\n"
	"local f = q:attend(lathe.randn({ 5, 12 }, 2), nil, kv, { heads = 2 }) - p:attend_values(kv, { heads = 2 }) assert(f:norm() < 1e-5)\n"
	"local r = q:rope { heads = 2, theta = 100, d = 4, from = 2 } assert(math.abs(r:norm() - q:norm()) < 1e-4 and r:at(0, 3) == q:at(0, 3))\n"
	"assert(q:rope { theta = 100, d = 4, pos = { 0, 0, 0, 0, 0 } }:at(4, 9) == q:at(4, 9))\n")

TEST(tensor_errors_say_what_and_where)
{
	Lab *lab = lab_make(64 << 20);
	fails(lab, "\nlathe.tensor { 1, 2 }:at(2)", "test.lua:2: element 2: there are 2, 0 to 1");
	fails(lab, "local x = lathe.tensor { { 1 }, { 2 } } return x[5]", "row 5: there are 2");
	fails(lab, "return lathe.tensor { 1, 2 } + lathe.tensor { 1, 2, 3 }", "does not fit");
	fails(lab, "return lathe.tensor { { 1, 2 } }:linear(lathe.tensor { { 1, 2, 3 } })", "linear: tensor[1x2] does not fit tensor[1x3]");
	fails(lab, "return lathe.tensor { { 1, 2 }, { 3 } }", "every row must be a list of 2 numbers");
	fails(lab, "return lathe.tensor { 'x' }", "a number is needed, not string");
	fails(lab, "return lathe.tensor { 1 }:linear(3)", "Tensor expected, got number");
	fails(lab, "return lathe.tensor { 1, 2 }:item()", "holds 2 numbers");
	fails(lab, "return lathe.tensor { 0.5 }:histogram(3)", "0.5 is not a whole number from 0 to 2");
	fails(lab, "return lathe.tensor { 0.5 }:ints()", "0.5 is not a whole number");
	fails(lab, "return lathe.tensor { 0, 1 }:logprob 'a'", "of no model");
	fails(lab, "return lathe.tensor { 0, 1 }:logprob(2)", "token 2: there are 2");
	fails(lab, "return lathe.tensor { { 1, 2 } }:rope { heads = 1 }", "theta and an even d are needed");
	fails(lab, "return lathe.tensor { { 1, 2 } }:route_choose(nil, { k = 3 })", "3 experts cannot be chosen");
	fails(lab, "return lathe.tensor { { 1, 2 } }:dispatch(lathe.tensor { { 1 } })", "whole numbers, as route_choose");
	fails(lab, "return lathe.zeros { 1 << 40, 1 << 40 }", "more numbers than memory has addresses");
	fails(lab, "return lathe.tensor { 1 }:reshape(2)", "holds 1 numbers");
	fails(lab, "return lathe.tensor { { 1, 2 } }:scale(1, 2)", "scale takes 2 arguments");
	run(lab, "local ok = pcall(function() return lathe.tensor { 1, 2 } + lathe.tensor { 1, 2, 3 } end)\n"
		"assert(not ok and (lathe.tensor { 1 } + 1)[0] == 2)");
	lab_free(lab);
}

TEST(tensor_memory_counts_against_the_limit)
{
	Lab *lab = lab_make(16 << 20);
	Err e = { 0 };
	const char *big = "local x = lathe.zeros(1 << 23)";
	assert_false(lab_text(lab, big, strlen(big), "@test.lua", &e));
	assert_int_equal(e.code, E_5002);
	run(lab, "for i = 1, 200 do local x = lathe.zeros(1 << 18) end");
	lua_gc(lab->room.L, LUA_GCCOLLECT);
	assert_int_equal(lab->outside, 0);
	lab_free(lab);
}

LUA(tensors_print_small,
	"local s = tostring(lathe.tensor { { 1, 2 }, { 3, 4.5 } }) assert(s:find('tensor[2x2]', 1, true) and s:find('4.5', 1, true), s)\n"
	"local t = tostring(lathe.zeros { 100, 100 }) assert(#t < 1000 and t:find('...', 1, true), t)\n"
	"assert(tostring(lathe.tensor { 1, 2 }:ints()):find('i32'))\n")

TEST(every_op_is_described_and_callable)
{
	Lab *lab = lab_make(64 << 20);
	for (int i = 0; op_table[i]; i++) {
		Buf s = BUF_INIT, text = BUF_INIT;
		assert_true(lua_op_describe(op_table[i]->name, &s, &text));
		assert_int_equal(buf_str(&s)[0], '(');
		assert_true(text.len > 10);
		buf_done(&s);
		buf_done(&text);
		Buf call = BUF_INIT;
		buf_printf(&call, "assert(lathe.op['%s'] and lathe.ones(1)['%s'])\nlocal ok, why = pcall(lathe.op['%s'], lathe.ones { 2, 2 }, true, true)\n"
			"assert(not ok or '%s' ~= '', why) assert(ok or not why:find('cannot be called'), why)",
			op_table[i]->name, op_table[i]->name, op_table[i]->name, op_table[i]->name);
		run(lab, buf_str(&call));
		buf_done(&call);
	}
	lab_free(lab);
}

/* What a callback is shown is good while its forward goes on, and an error after. */
TEST(values_of_a_step_that_is_over_say_so)
{
	Lab *lab = lab_make(64 << 20);
	lua_State *L = lab->room.L;
	Tape *t = tape_new(lab->pool, 0);
	LuaForward f = { .tape = t, .layer = -1 };
	lua_forward_push(L, &f);
	Ten *x = tape_ten2(t, 2, 2);
	for (int i = 0; i < 4; i++)
		ten_real(x)[i] = (real)i;
	lua_tensor_push_tape(L, t, x, 0);
	lua_setglobal(L, "x");
	run(lab, "y = x * 2 + 1 assert(y:at(1, 1) == 7) kept = y:copy() assert((y - y):norm() == 0)");
	fails(lab, "return x:linear(lathe.ones { 2, 3 })", "does not fit");
	run(lab, "assert((x + kept):at(0, 1) == 4)");
	lua_forward_pop(L, &f);
	fails(lab, "return x:at(0, 0)", "a step that is over");
	lua_forward_push(L, &f);
	run(lab, "assert(y:at(0, 0) == 1)");
	tape_reset(t);
	fails(lab, "return y + 1", "a step that is over");
	run(lab, "assert(tostring(y) == 'tensor of a step that is over' and kept:at(1, 1) == 7)");
	lua_forward_pop(L, &f);
	tape_free(t);
	fails(lab, "return x:norm()", "a step that is over");
	lab_free(lab);
}

/* Gradients through ops that a script built. */
TEST(ops_of_scripts_are_on_the_tape)
{
	Lab *lab = lab_make(64 << 20);
	lua_State *L = lab->room.L;
	Tape *t = tape_new(lab->pool, 0);
	tape_record(t, true);
	LuaForward f = { .tape = t, .layer = -1 };
	lua_forward_push(L, &f);
	real v[] = { 1, 2, 3 };
	Ten *x = tape_leaf(t, ten_wrap(REAL_DTYPE, v, 2, (int64_t[]){ 1, 3 }, "x"), true);
	lua_tensor_push_tape(L, t, x, 0);
	lua_setglobal(L, "x");
	run(lab, "y = (x * x * 3):total()");
	lua_getglobal(L, "y");
	Ten *y = lua_tensor_on(L, -1, t);
	assert_close(ten_real(y)[0], 42, 1e-5, 0);
	assert_true(tape_backward(t, y, NULL));
	for (int i = 0; i < 3; i++)
		assert_close(ten_real(x->grad)[i], 6 * v[i], 1e-5, 0);
	lua_forward_pop(L, &f);
	tape_free(t);
	lab_free(lab);
}

/* Every op with arguments that fit badly: an error or a result, never worse. The sanitizer build is what this test is for. */
LUA(ops_take_anything_without_harm,
	"local seed = 7 local function rnd(n) seed = (seed * 1103515245 + 12345) % 2147483648 return seed // 65536 % n + 1 end\n"
	"local nan, inf = 0 / 0, 1 / 0\n"
	"local shapes = { { 0 }, { 1 }, { 3 }, { 1, 1 }, { 2, 3 }, { 3, 2 }, { 3, 3 }, { 0, 3 }, { 3, 0 }, { 4, 4 }, { 6, 6 }, { 2, 2, 2 }, { 1, 3 }, { 5, 8 } }\n"
	"local function value()\n"
	"  local k = rnd(16)\n"
	"  if k <= 8 then return lathe.randn(shapes[rnd(#shapes)], rnd(9)) end\n"
	"  if k == 9 then return lathe.tensor { { 0, 1 }, { 1, 0 }, { 1, 1 } }:ints() end\n"
	"  if k == 10 then return lathe.tensor { nan, inf, -inf, 1e30 } end\n"
	"  if k == 11 then return ({ -1, 0, 1, 2, 3, 1 << 40, -(1 << 50), 0.5, nan, inf })[rnd(10)] end\n"
	"  if k == 12 then return ({ {}, { 0 }, { 1, 0, 2 }, { -1 }, { 1 << 30 }, { 'x' } })[rnd(6)] end\n"
	"  if k == 13 then return nil end\n"
	"  if k == 14 then return { lathe.ones { 3, 3 }, lathe.ones { 3, 3 } } end\n"
	"  local function some() return ({ 0, 1, 2, 3, 4, -1, 1 << 31, 1.5 })[rnd(8)] end\n"
	"  return { heads = some(), key_heads = some(), d_k = some(), d_r = some(), d_v = some(), k = some(), groups = some(), theta = 10, d = rnd(8), width = some(),\n"
	"    from = some(), groups_kept = some(), k_width = some(), v_width = some(), scale = rnd(3), pos = rnd(2) == 1 and { 0, some(), 2 } or nil, half = rnd(2) == 1 }\n"
	"end\n"
	"local right = 0\n"
	"for name, fn in pairs(lathe.op) do for i = 1, 400 do\n"
	"  local ok, y = pcall(fn, value(), value(), value(), value(), rnd(2) == 1 and value() or nil)\n"
	"  if ok then right = right + 1 tostring(y) y:copy() end\n"
	"  ok, y = pcall(fn, value()) ok, y = pcall(fn, value(), value()) if ok then right = right + 1 y:tolist() end\n"
	"end end\n"
	"assert(right > 100, right)\n"
	"for _, name in ipairs { 'at', 'item', 'tolist', 'copy', 'reshape', 'max', 'min', 'sum', 'mean', 'norm', 'std', 'argmax', 'histogram', 'normalise', 'ints', 'logprob' } do\n"
	"  for i = 1, 60 do local x = lathe.randn(shapes[rnd(#shapes)], i) pcall(x[name], x, value(), value()) pcall(x[name], x) pcall(x[name], value()) end end\n"
	"for i = 1, 400 do local a, b = value(), value() pcall(function() return a + b end) pcall(function() return a - b end) pcall(function() return a * b end)\n"
	"  pcall(function() return a / b end) pcall(function() return tostring(a) end) end\n")
