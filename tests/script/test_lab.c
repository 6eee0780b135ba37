/* Experiments from inside: every function is documented, every example in the manual runs, errors and limits come out as values. */
#include "base/arena.h"
#include "base/buf.h"
#include "base/folder.h"
#include "script/api_doc.h"
#include "script/lab.h"
#include "tests/unit.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* "@NAME": the models in the box of the source tree. */
static char *box_path(const char *given, Err *e)
{
	char rel[200];
	(void)e;
	if (given[0] != '@')
		return strdup(given);
	snprintf(rel, sizeof rel, "data/%.100s", given + 1);
	return strdup(unit_src(rel));
}

/* fontconfig keeps what it has read until the process ends; the sanitizer's leak check asks here. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libfontconfig\n";
}

static volatile sig_atomic_t stop_now;

static LabOptions options(void)
{
	static char lua[1024], script[1100], out[1024];
	snprintf(lua, sizeof lua, "%s", unit_src("lua"));
	snprintf(out, sizeof out, "%s", unit_tmp());
	snprintf(script, sizeof script, "%s/t.lua", out);
	return (LabOptions){ .script = script, .threads = 1, .memory_limit = 256 << 20, .lua_dir = lua, .out_dir = out, .ckpt_path = box_path,
		.quick = true };
}

/* What scripts print is not TAP. */
static int quiet_begin(void)
{
	fflush(stdout);
	int keep = dup(1), null = open("/dev/null", O_WRONLY);
	dup2(null, 1);
	close(null);
	return keep;
}

static void quiet_end(int keep)
{
	fflush(stdout);
	dup2(keep, 1);
	close(keep);
}

static bool run_text(const LabOptions *o, const char *text, Err *e)
{
	int keep = quiet_begin();
	Lab *lab = lab_new(o, e);
	bool ok = lab && lab_text(lab, text, strlen(text), "@t.lua", e);
	lab_free(lab);
	quiet_end(keep);
	return ok;
}

static void good(const char *text)
{
	LabOptions o = options();
	Err e = { 0 };
	if (!run_text(&o, text, &e))
		fail_msg("%s: %s", text, e.text);
}

static void bad(const char *text, int code, const char *says)
{
	LabOptions o = options();
	Err e = { 0 };
	assert_false(run_text(&o, text, &e));
	if (e.code != code || !strstr(e.text, says))
		fail_msg("%s: E%d %s", text, e.code, e.text);
}

#define LATHE "local lathe = require 'lathe'\n"
#define SMALL LATHE "local run = lathe.run { model = { hidden_size = 32, num_hidden_layers = 2 }, data = 'add2', steps = 4, batch = 2, seq = 32 }\n"

TEST(lab_examples_run)
{
	Arena *a = arena_new("manual", 0);
	LabOptions o = options();
	Err e = { 0 };
	size_t n, ran = 0;
	const ApiDoc *d = api_docs(o.lua_dir, a, &n, &e);
	assert_non_null(d);
	for (size_t i = 0; i < n; i++) {
		Buf b = BUF_INIT;
		if (!d[i].example)
			continue;
		buf_printf(&b, "local lathe = require 'lathe'; local nn = lathe.nn; %s\n", d[i].example);
		Err why = { 0 };
		if (!run_text(&o, buf_str(&b), &why))
			fail_msg("%s.%s: %s", d[i].owner, d[i].name, why.text);
		buf_done(&b);
		ran++;
	}
	assert_true(ran > 20);
	arena_free(a);
}

TEST(lab_rows_are_complete)
{
	Arena *a = arena_new("manual", 0);
	LabOptions o = options();
	Err e = { 0 };
	size_t n;
	const ApiDoc *d = api_docs(o.lua_dir, a, &n, &e);
	assert_non_null(d);
	for (size_t i = 0; i < n; i++) {
		if (d[i].name && (d[i].signature[0] != '(' || !d[i].text[0] || !strchr(d[i].text, '.')))
			fail_msg("%s.%s%s: %s", d[i].owner, d[i].name, d[i].signature, d[i].text);
		if (d[i].name && i > 0 && d[i - 1].name && strcmp(d[i - 1].owner, d[i].owner) == 0)
			assert_string_not_equal(d[i - 1].name, d[i].name);
	}
	arena_free(a);
}

TEST(lab_errors_have_a_place)
{
	bad("error 'x'", E_8001, "t.lua:1: x");
	bad("error({})", E_8001, "{}");
	bad(LATHE "lathe.nothing()", E_8001, "t.lua:2: lathe.nothing");
	bad(LATHE "lathe.plot.bars {}", E_8001, "t.lua:2: plot.bars");
	bad(SMALL "run:step('x')", E_8001, "t.lua:3: ");
	bad(SMALL "print(run.losses)", E_8001, "t.lua:3: run.losses");
	bad(LATHE "lathe.train { model = {}, data = 'add2', lr = { peek = 1 } }", E_8001, "t.lua:2: lr.peek");
	bad(LATHE "lathe.train { model = {}, data = 'add2', every = { x = print } }", E_8003, "t.lua:2: every");
	bad(LATHE "lathe.train { model = { hidden_size = 31, qk_rope_head_dim = 7 }, data = 'add2', steps = 1 }", 3074, "t.lua:2: ");
	bad(LATHE "lathe.train { model = {}, data = { get = function() return {} end }, steps = 1 }", E_8001, "answer");
	bad(LATHE "lathe.train { model = {}, data = { get = function()\nerror 'none left' end }, steps = 1 }", E_8001, "t.lua:3: none left");
	bad(LATHE "lathe.train { from = '@nothing', data = 'add2' }", E_4001, "t.lua:2: ");
}

TEST(lab_limits)
{
	LabOptions o = options();
	Err e = { 0 };
	o.memory_limit = 16 << 20;
	assert_false(run_text(&o, "local t = {} while true do t[#t + 1] = {} end", &e));
	assert_int_equal(e.code, E_5002);
	err_clear(&e);
	assert_false(run_text(&o, LATHE "lathe.zeros { 4000, 4000 }", &e));
	assert_int_equal(e.code, E_5002);
	err_clear(&e);
	stop_now = 1;
	o.stop = &stop_now;
	assert_false(run_text(&o, "while true do pcall(function() while true do end end) end", &e));
	assert_int_equal(e.code, E_5004);
	stop_now = 0;
}

TEST(lab_runs)
{
	good(SMALL "assert(run.steps == 0 and #run.loss == 0 and run.loss:last() == nil)\n"
	     "run:step(3)\n"
	     "assert(run.steps == 3 and #run.loss == 3 and run.loss[1] > 0 and run.loss[-1] == run.loss:last() and run.loss[4] == nil)\n"
	     "assert(run.loss:mean() > 0 and run.loss:mean(1) == run.loss:last() and run.loss:min() <= run.loss:max())\n"
	     "assert(run:finish().steps == 4 and run:finish().steps == 4)\n"
	     "local sum = 0 for _, n in ipairs(run:loads(1)) do sum = sum + n end\n"
	     "assert(sum == 2 * 32 * 2)\n");
	good(SMALL "local h = run:step(2):hash()\n" /* the same bits, step by step or at once, with other functions called between */
	     "local again = lathe.run { model = { hidden_size = 32, num_hidden_layers = 2 }, data = 'add2', steps = 4, batch = 2, seq = 32 }\n"
	     "again:step() again:sample(3) again:eval { n = 2 } again:step()\n"
	     "assert(again:hash() == h)\n");
	good(SMALL "coroutine.wrap(function() run:step() end)() run:step() assert(run.steps == 2)\n"); /* from a coroutine, too */
	good(LATHE "local run\n"
	     "run = lathe.run { model = {}, data = { get = function() assert(not pcall(function() run:step() end)) return { answer = 'ab' } end },\n"
	     "	steps = 1, batch = 1, seq = 8 }\n"
	     "run:step()\n");
	good(LATHE "local order = {}\n"
	     "local run = lathe.train { model = { hidden_size = 32, num_hidden_layers = 2 }, data = { stories = 1, add2 = 1 }, steps = 4, batch = 1, seq = 16,\n"
	     "	lr = { peak = 1e-3, warmup = 1, shape = 'cosine' }, balance = { 'bias', gamma = 0.01 },\n"
	     "	every = { [2] = function(r) order[#order + 1] = r.steps end, [1] = function(r) r:set('lr', 1e-4) end } }\n"
	     "assert(#order == 2 and order[2] == 4 and run.lr:last() <= 1e-4)\n");
}

#define POLICY "model = { hidden_size = 32, num_hidden_layers = 2 }, task = 'add2', prompts = 2, group = 3, max_new = 8, iterations = 2"

TEST(lab_rl)
{
	good(LATHE "local at = {}\n"
	     "local run = lathe.rl { " POLICY ", every = { [1] = function(r) at[#at + 1] = r.steps end },\n"
	     "	reward = function(s) assert(s.truth and s.problem.prompt and type(s.text) == 'string') return s.length + (s.ended and 10 or 0) end }\n"
	     "assert(run.steps == 2 and at[1] == 1 and at[2] == 2 and #run.reward == 2 and run.reward:min() >= 1 and run.entropy:last() > 0)\n"
	     "assert(run.kl and run.clip and run.grad_norm and run.accuracy and run.degenerate and run.length:last() <= 8 and #run.held_out == 0)\n"
	     "local group, sum = run:group(2), 0\n"
	     "for _, a in ipairs(group) do sum = sum + a.advantage assert(a.reward == a.length + (a.ended and 10 or 0) and a.text and not a.right) end\n"
	     "assert(#group == 3 and group.prompt:find '+' and math.abs(sum) < 1e-4)\n"
	     "assert(run:eval { n = 2 }.n == 2 and run:model():generate('a1+1=', { n = 2 }))\n");
	good(LATHE "local one = lathe.rl_run { " POLICY ", algorithm = 'ppo', value_alone = 0 }\n" /* the same bits, with others called between */
	     "local two = lathe.rl { " POLICY ", algorithm = 'ppo', value_alone = 0 }\n"
	     "one:step() one:eval { n = 2 } one:group() one:model():generate('a1+1=', { n = 2 }) one:step()\n"
	     "assert(one:hash() == two:hash() and one.reward:last() == two.reward:last())\n"
	     "assert(one:set('lr', 1e-4) and not pcall(one.set, one, 'algorithm', 'grpo'))\n");
	good(LATHE "local run, fault\n" /* an error of the reward costs the iteration, not the run */
	     "run = lathe.rl_run { " POLICY ", reward = function(s) if fault then run:step() end return s.length end }\n"
	     "fault = true assert(not pcall(run.step, run) and not pcall(run.group, run))\n"
	     "fault = false assert(run:step().steps == 1 and #run:group() == 3)\n"
	     "local other = lathe.run { model = { hidden_size = 32, num_hidden_layers = 2 }, data = 'add2', steps = 1, batch = 1, seq = 16 }\n"
	     "assert(not pcall(other.step, run) and not pcall(run.step, other))\n");
	good(LATHE "local exam = lathe.tasks.exam 'add2'\n"
	     "local run = lathe.rl { model = { hidden_size = 32, num_hidden_layers = 2 }, task = exam, prompts = 1, group = 2, max_new = 4, iterations = 1, eval_n = 2 }\n"
	     "assert(#run.held_out == 2 and run.held_out_length:last() > 0)\n");
}

static void stop_by_alarm(int sig)
{
	(void)sig;
	stop_now = 1;
}

TEST(lab_rl_errors)
{
	bad(LATHE "lathe.rl { " POLICY ",\nreward = function(s)\n return s.none.x end }", E_8001, "t.lua:4: ");
	bad(LATHE "lathe.rl { " POLICY ",\nreward = function(s) return 'much' end }", E_8001, "t.lua:3: reward must return a number, not string");
	bad(LATHE "lathe.rl { " POLICY ", reward = function(s) return 0 / 0 end }", E_8003, "t.lua:2: reward");
	bad(LATHE "lathe.rl { " POLICY ", reward = 1 }", E_8001, "t.lua:2: rl: reward");
	bad(LATHE "lathe.rl { model = '@reason' }", E_8001, "t.lua:2: rl: task");
	bad(LATHE "lathe.rl { model = '@reason', task = 'nothing' }", E_8001, "t.lua:2: task \"nothing\"");
	bad(LATHE "lathe.rl { model = '@nothing', task = 'add2' }", E_4001, "t.lua:2: ");
	bad(LATHE "lathe.rl { " POLICY ", promts = 2 }", E_8003, "t.lua:2: setting \"promts\"");
	bad(LATHE "lathe.rl { " POLICY ", every = { x = print } }", E_8003, "t.lua:2: every");
	bad(LATHE "lathe.rl_run { " POLICY " }:group(1)", E_8001, "t.lua:2: group(1)");
	LabOptions o = options();
	Err e = { 0 };
	o.stop = &stop_now;
	signal(SIGALRM, stop_by_alarm);
	alarm(1);
	assert_false(run_text(&o, LATHE "while true do pcall(lathe.rl, { model = '@reason', task = 'add2', iterations = 1000000 }) end", &e));
	assert_int_equal(e.code, E_5004);
	stop_now = 0;
}

TEST(lab_recipes)
{
	good(LATHE "local v3 = lathe.recipe.v3\n"
	     "assert(v3() == 'fp8-v3' and v3 { tile = 128, accumulate = 'hopper' } == 'fp8-v3-hopper' and v3 { scale = 'pow2' } == 'fp8-v3-pow2')\n"
	     "assert(v3 { gradients = 'e5m2' } == 'fp8-hybrid')\n");
	bad(LATHE "lathe.recipe.v3 { tile = 64 }", E_8001, "t.lua:2: recipe.v3: tile = 64");
	bad(LATHE "lathe.recipe.v3 { sum = 'hopper' }", E_8001, "t.lua:2: recipe.v3: sum");
	bad(LATHE "lathe.recipe.v3 { scale = 'pow2', accumulate = 'hopper' }", E_8001, "t.lua:2: recipe.v3: scale = pow2");
}

TEST(lab_save_spares_what_is_there)
{
	char path[1200];
	Err e = { 0 };
	snprintf(path, sizeof path, "%s/mine/model", unit_tmp());
	assert_true(folder_make(path, &e));
	snprintf(path, sizeof path, "%s/mine/model/notes.txt", unit_tmp());
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fclose(f);
	bad(SMALL "run:save 'mine'", E_8003, "no run made");
	bad(SMALL "run:save '../mine'", E_8001, "below the folder");
	assert_int_equal(access(path, F_OK), 0);
	good(SMALL "run:save 'ours' run:step():save 'ours'");
}

TEST(lab_small_modules)
{
	good(LATHE "lathe.log('a', 1) lathe.log('a', lathe.tensor { 2 })\n"
	     "assert(lathe.json(lathe.logged()) == '{\"a\":[1,2]}' or lathe.json(lathe.logged()) == '{\"a\":[1,2.0]}', lathe.json(lathe.logged()))\n"
	     "assert(lathe.show { 1, x = 'y' } == '{ 1, x = \"y\" }')\n"
	     "local s = lathe.study 'wide':columns { 'name', 'x' }:row { '\xe7\x8c\xab', 1 }:row { 'dog', 2 }\n"
	     "assert(s:text():find '\xe7\x8c\xab    1\\n')\n"
	     "assert(s:row { 'dog', 4 }:mean('dog', 'x') == 3)\n"
	     "assert(s:text 'csv' == 'kind,name,x\\nmeasured,\xe7\x8c\xab,1\\nmeasured,dog,2\\nmeasured,dog,4\\n')\n"
	     "local p = lathe.plot.line({ a = { 1, 2 }, b = { 2 } }, { names = { 'b', 'a' } })\n"
	     "assert(p:text 'csv' == 'x,b,a\\n1,2,1\\n2,,2\\n')\n");
	bad(LATHE "lathe.study('x'):row { 'a', 1 }", E_8001, "t.lua:2: study:row: 2 values");
	bad(LATHE "lathe.plot.line({ 1 }, { width = 3 })", E_8001, "t.lua:2: plot: width");
	bad(LATHE "lathe.log(1, 1)", E_8001, "t.lua:2: log");
	bad(LATHE "lathe.json(print)", E_8001, "t.lua:2: json: a function");
	bad(LATHE "lathe.config 'a/b'", E_8001, "t.lua:2: config");
}

TEST(lab_text_of_domains)
{
	good(LATHE "for _, d in ipairs { 'stories', 'code', 'arithmetic', 'chinese' } do\n"
	     "	local s = lathe.data.text(d, 333)\n"
	     "	assert(utf8.len(s) == 333 and s == lathe.data.text(d, 333) and s ~= lathe.data.text(d, 333, 2))\n"
	     "end\n");
	bad(LATHE "lathe.data.text('poems', 3)", E_8001, "t.lua:2: data.text: no text domain poems");
}
