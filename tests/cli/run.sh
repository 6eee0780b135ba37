#!/bin/sh
# Experiments: what a script can do, what it cannot, how it is stopped, and that its runs are those of `lathe train`.
. "${srcdir:-.}/tests/cli/tap.sh"

HOME=$tmp/home
export HOME
mkdir "$HOME"
cd "$tmp" || exit 99

# script NAME: the script from standard input
script() {
	cat >"$tmp/$1.lua"
}

# lua STATUS [OPTIONS]: runs t.lua
lua() {
	want=$1
	shift
	run "$want" run "$tmp/t.lua" "$@"
}

# contained STATUS NAME: t.lua ends with the status within the limits, leaves nothing behind, and sends no escape sequence. What has to be
# stopped gets a second, what ends by itself more: it may be a slow build.
contained() {
	start=$(date +%s)
	limit=1
	[ "$1" -eq 5 ] || limit=15
	timeout 30 "$LATHE" run "$tmp/t.lua" --time-limit $limit --memory-limit 128M >"$tmp/out" 2>"$tmp/err" </dev/null
	status=$?
	took=$(($(date +%s) - start))
	bad=0
	[ $status -eq "$1" ] || bad=1
	[ $took -le $((limit + 5)) ] || bad=1
	[ "$(cat "$tmp/out" "$tmp/err" | tr -d -c '\033\233' | wc -c)" -eq 0 ] || bad=1
	[ -z "$(ls -A "$HOME")" ] && [ ! -e "$tmp/left" ] || bad=1
	[ $status -eq 0 ] || one_error_line || bad=1
	[ $bad -eq 0 ] || note "status $status after $took s: $(head -c 200 "$tmp/err")"
	result $bad "contained: $2"
}

# --- what a script has ---

script t <<'END'
local lathe = require "lathe"
print(#lathe.args, lathe.args[1], lathe.args[2], lathe.quick, lathe.seed, ...)
print(math.random(1000000), ("abc"):find "b", utf8.len "né", select("#", table.unpack { 1, 2 }))
io.write("a", 1, "\n")
local keys = {}
for k in pairs { z = 1, a = 2, m = 3, [2] = 1, [1] = 1 } do keys[#keys + 1] = k end
print(table.concat(keys, " "))
print(coroutine.wrap(function() coroutine.yield "inside" end)())
END
lua 0 one two --quick --seed 7 && cp "$tmp/out" "$tmp/first" && grep -q "^2	one	two	true	7$" "$tmp/out" && grep -q "^1 2 a m z$" "$tmp/out" &&
	grep -q '^a1$' "$tmp/out" && grep -q '^inside$' "$tmp/out"
result $? "arguments, options and libraries"
lua 0 one two --quick --seed 7 && cmp "$tmp/out" "$tmp/first"
result $? "the same script says the same thing"

script beside <<'END'
return { answer = 42 }
END
script t <<'END'
print(require "beside".answer, require "beside" == require "beside")
for _, name in ipairs { "../t", "/etc/passwd", "a..b", ".x", "nothing", "lathe.nothing" } do print(pcall(require, name)) end
END
lua 0 && grep -q '^42	true$' "$tmp/out" && [ "$(grep -c '^false' "$tmp/out")" -eq 6 ]
result $? "modules beside the script and of lathe, and no others"

script t <<'END'
for _, name in ipairs { "load", "loadfile", "dofile", "debug", "package", "loadstring", "warn" } do assert(_G[name] == nil, name) end
for _, name in ipairs { "execute", "getenv", "exit", "remove", "rename", "tmpname", "setlocale" } do assert(os[name] == nil, name) end
for _, name in ipairs { "open", "popen", "lines", "read", "input", "output", "tmpfile", "stdout", "stderr" } do assert(io[name] == nil, name) end
assert(string.dump == nil)
assert(os.time() > 0 and os.clock() >= 0 and #os.date() > 0)
assert(not pcall(setmetatable, {}, { __gc = print }))
assert(not pcall(function() getmetatable("").__index = nil end))
assert(not pcall(collectgarbage, "stop"))
assert(collectgarbage "count" > 1)
END
lua 0
result $? "what leads out is not there"

script t <<'END'
local lathe = require "lathe"
local deep = {}
for i = 1, 100 do deep[i] = { { {}, i }, ("x"):rep(1000) } end
print({ 1, a = { b = "c" } }, print, tostring { f = print }, ("%s"):format {}, coroutine.create(print))
print(#tostring(deep) < 20000, lathe.plot.line { 1, 2 }, lathe.nn.LM { attention = lathe.nn.MQA })
print(lathe.open "@tiny":run "Once", { lathe.zeros { 2, 3 } })
print(pcall(error, {}), select(2, pcall(lathe.plot.line, { "x" })))
error { code = 1 }
END
lua 8 && ! grep -q '0x[0-9a-f]' "$tmp/out" "$tmp/err" && grep -q '^{ 1, a = { b = "c" } }	function	{ f = function }	{}	thread$' "$tmp/out" &&
	grep -q '^true	plot: line' "$tmp/out" && grep -q 'logits = tensor' "$tmp/out" && grep -q '{ code = 1 }' "$tmp/err"
result $? "what is printed has no addresses"

# --- results ---

script t <<'END'
local lathe = require "lathe"
print(lathe.write("a/b/c.csv", "1,2\n"), lathe.write("x.json", lathe.json { b = { 1, 2 }, a = 0 / 0 }))
for _, name in ipairs { "", "/tmp/x.txt", "../x.txt", "a/../x.txt", ".hidden.txt", "a/.b.txt", "x", "x.lua", "x.sh", "a//b.txt", "x\n.txt", "a/" } do
	assert(not pcall(lathe.write, name, "x"), name)
end
assert(not pcall(lathe.write, "link.txt/x.txt", "x"))
END
mkdir "$tmp/results" && ln -s "$HOME" "$tmp/results/link.txt"
lua 0 --out "$tmp/results" && [ "$(cat "$tmp/results/a/b/c.csv")" = 1,2 ] && [ "$(cat "$tmp/results/x.json")" = '{"a":null,"b":[1,2]}' ] &&
	[ "$(ls "$tmp/results" | tr '\n' ' ')" = "a link.txt x.json " ] && [ -z "$(ls -A "$HOME")" ]
result $? "results lie below --out, whatever their name"

script t <<'END'
local lathe = require "lathe"
pcall(function() lathe.plot.heat({ a = { 1, 2, 3 }, b = { 3, 2, 1 } }, { title = "heat" }):save "heat.svg" end) -- needs cairo
local p = lathe.plot.line({ one = { 3, 2, 1 }, two = { 1, 2, 3 } }, { title = "lines" })
p:save "line.txt" p:save "line.csv" p:save "line.json" p:print()
local s = lathe.study "three seeds"
s:columns { "rule", { "loss", digits = 2 } }
s:seeds(3, function(seed) s:row { "bias", seed } s:curve("bias", { 2, 1 }) end)
s:quote("a paper", { "theirs", 1.5 }):note "Small.":print()
s:save "study"
assert(select(2, s:mean("bias", "loss")) == 1)
END
lua 0 --out "$tmp/plots" && grep -q 'bias *2.00 ± 1.00' "$tmp/out" && grep -q 'quoted from a paper, not measured here' "$tmp/out" &&
	[ "$(sed -n 2p "$tmp/plots/line.csv")" = 1,3,1 ] && grep -q '^measured,bias,3$' "$tmp/plots/study.csv" && grep -q '"kind":"line"' "$tmp/plots/line.json"
status=$?
"$LATHE" doctor | grep -q 'png through cairo' && { grep -q '<svg' "$tmp/plots/heat.svg" || status=1; }
result $status "plots and tables"

script t <<'END'
local lathe = require "lathe"
lathe.plot.line({ x = { 1, 10, 100 }, y = { 4.2, 3.1, 2.8 } }, { x = "step", y = "loss, nat" }):print()
lathe.plot.heat({ { 1, 2 }, { 3, 4 } }, { x = "expert", y = "layer" }):save "heat.txt"
lathe.plot.line({ 4, 3 }, { zero = true }):save "zero.txt"
io.write(lathe.plot.line({ x = { 0.5, 1, 1.5 }, y = { 1, 2, 3 } }):text "csv")
local m = lathe.open "@domains"
print(#m:encode(lathe.data.text("code", 50, { tokenizer = m })), #lathe.data.text("code", 50), #lathe.data.documents("chinese", 3))
END
lua 0 --out "$tmp/plots" && grep -q 'x: step, 1 to 100   y: loss, nat' "$tmp/out" && grep -q '2\.80 ' "$tmp/out" && grep -q 'x: expert   y: layer' "$tmp/plots/heat.txt" &&
	grep -q ' 0 ' "$tmp/plots/zero.txt" && grep -q '^1.5,3$' "$tmp/out" && grep -q '^50	50	3$' "$tmp/out"
result $? "axes have names, lines their x values; texts of so many tokens"

# --- errors ---

script t <<'END'
local lathe = require "lathe"

lathe.train { model = {}, data = "add2", learning_rate = 1 }
END
lua 8 && one_error_line && grep -q 't.lua:3: setting "learning_rate"' "$tmp/err"
result $? "an error points at the script's line and at the field"
script t <<'END'
local lathe = require "lathe"
lathe.plot.heat {}
END
lua 8 && grep -q 'E8001.*t.lua:2: plot.heat' "$tmp/err"
result $? "also from inside a module of lathe"
printf 'x = = 1\n' >"$tmp/t.lua"
lua 8 && one_error_line && grep -q "t.lua:1:" "$tmp/err"
result $? "a script that cannot be read"
run 4 run "$tmp/none.lua" && one_error_line
result $? "a script that is not there"
run 4 run nope && one_error_line && grep -q 'no example "nope".*balance, ban_expert, .*own_router' "$tmp/err" && run 0 run --help &&
	grep -q 'Examples in the box: addition, ' "$tmp/out"
result $? "the examples in the box are named"
script t <<'END'
local lathe = require "lathe"

lathe.train { model = {}, data = "storis", steps = 1 }
END
lua 8 && grep -q 't.lua:3: data "storis": there is no text domain (arithmetic.*stories) and no task (add' "$tmp/err" && run 8 eval @reason nope &&
	[ "$(grep -o 'tasks.lua' "$tmp/err" | wc -l)" -eq 1 ]
result $? "a name of data that there is not"
run 2 run && one_error_line && run 2 run "$tmp/t.lua" --time-limit 0 && one_error_line
result $? "wrong usage"

# --- limits ---

echo 'while true do pcall(function() while true do end end) end' >"$tmp/t.lua"
contained 5 "a loop that catches every error"
echo 'print(("x"):rep(200000):find(".-.-.-b"))' >"$tmp/t.lua"
contained 5 "a pattern that runs for hours in C"
echo 'local t = {} while true do t[#t + 1] = { t } end' >"$tmp/t.lua"
contained 5 "a table that grows"
echo 'local s = "x" while true do s = s .. s end' >"$tmp/t.lua"
contained 5 "a text that doubles"
echo 'local t = require "lathe".zeros { 100000, 100000 }' >"$tmp/t.lua"
contained 5 "a tensor larger than the memory"
echo 'local lathe, t = require "lathe", {} while true do t[#t + 1] = lathe.zeros { 1000, 1000 } end' >"$tmp/t.lua"
contained 5 "tensors, which are not in Lua's memory"
echo 'local lathe = require "lathe" for i = 1, 200 do lathe.zeros { 1000, 1000 } end print "fine"' >"$tmp/t.lua"
contained 0 "tensors that are no longer used"
echo 'while true do print(("y"):rep(100000)) end' >"$tmp/t.lua"
contained 5 "output without end"
echo 'local function f() return f() + 1 end f()' >"$tmp/t.lua"
contained 8 "a recursion"
echo 'local e e = setmetatable({}, { __tostring = function() error(e) end }) error(e)' >"$tmp/t.lua"
contained 8 "an error that cannot be told"
echo 'error(setmetatable({}, { __tostring = function() while true do end end }))' >"$tmp/t.lua"
contained 5 "an error that takes for ever to be told"
printf 'print("\\27[31m \\27]0;x\\7 \\u{202e}")\nio.write("\\27c\\155")\nerror("\\27[2J", 0)\n' >"$tmp/t.lua"
contained 8 "escape sequences"
echo 'local co = coroutine.wrap(function() while true do end end) co()' >"$tmp/t.lua"
contained 5 "a coroutine that does not yield"
echo 'require "lathe".train { model = { hidden_size = 32 }, data = { get = function() while true do end end }, steps = 1 }' >"$tmp/t.lua"
contained 5 "data that never come"
echo 'require "lathe".train { model = {}, data = "add2", steps = 1, out = "../left" }' >"$tmp/t.lua"
contained 8 "a run that would be written elsewhere"
printf 'for k in next, _G do if k ~= "require" and k ~= "pcall" then _G[k] = nil end end\nlocal l = require "lathe"\nfor k in next, l do l[k] = nil end\n' >"$tmp/t.lua"
timeout 30 "$LATHE" run "$tmp/t.lua" --time-limit 1 >/dev/null 2>&1
[ $? -le 8 ]
result $? "a script that takes everything away from itself"

# --- signals ---

signalled() { # signalled SIGNAL STATUS NAME
	"$LATHE" run "$tmp/t.lua" >"$tmp/out" 2>"$tmp/err" </dev/null &
	pid=$!
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		grep -q begun "$tmp/out" && break
		sleep 0.1
	done
	kill "-$1" $pid
	wait $pid
	status=$?
	[ $status -eq "$2" ] && grep -q stopped "$tmp/err"
	result $? "$3"
}
printf 'print "begun" io.write(("\\n"):rep(100000))\nwhile true do pcall(function() while true do end end) end\n' >"$tmp/t.lua"
signalled TERM 143 "SIGTERM stops a script that catches errors"
signalled HUP 129 "SIGHUP too"
printf 'print "begun" io.write(("\\n"):rep(100000))\nprint(("x"):rep(200000):find(".-.-.-b"))\n' >"$tmp/t.lua"
signalled TERM 143 "and one that is deep in C"

echo 'for i = 1, 1e5 do print(i) end' >"$tmp/t.lua"
"$LATHE" run "$tmp/t.lua" 2>"$tmp/err" | head -1 >"$tmp/out"
[ "$(cat "$tmp/out")" = 1 ] && [ ! -s "$tmp/err" ]
result $? "a closed pipe ends it quietly"

# --- runs ---

script t <<'END'
local lathe = require "lathe"
local c = lathe.config "addition"
c.batch, c.eval_rows, c.steps, c.warmup, c.out = 2, 1, 8, 20, "same"
local calls = {}
c.every = { [3] = function(run) calls[#calls + 1] = run.steps end }
local run = lathe.train(c)
print(run.steps, #run.loss, #run.held_out, table.concat(calls, " "))
print(run:eval { n = 3, temperature = 0 }.n)
END
"$LATHE" train addition --out "$tmp/train" --json --threads 1 --set batch=2 --set eval_rows=1 --set steps=8 >"$tmp/train.jsonl" 2>/dev/null
lua 0 --threads 1 --out "$tmp/runs" && grep -q '^8	8	1	3 6$' "$tmp/out" && cmp "$tmp/train/model/model.safetensors" "$tmp/runs/same/model/model.safetensors" &&
	cmp "$tmp/train/step-000008/optimizer.safetensors" "$tmp/runs/same/step-000008/optimizer.safetensors"
result $? "lathe.train is lathe train, to the bit"
lua 0 --threads 1 --out "$tmp/runs" && cmp "$tmp/train/model/model.safetensors" "$tmp/runs/same/model/model.safetensors"
result $? "a second run begins anew in its folder"
: >"$tmp/runs/same/mine.txt"
lua 8 --threads 1 --out "$tmp/runs" && grep -q 'no run made' "$tmp/err" && [ -f "$tmp/runs/same/mine.txt" ] && [ -d "$tmp/runs/same/model" ]
result $? "but not where other files lie"

mkdir "$tmp/below" "$tmp/elsewhere" && ln -s ../elsewhere "$tmp/below/same"
lua 8 --threads 1 --out "$tmp/below" && grep -q 'a link' "$tmp/err" && [ -z "$(ls "$tmp/elsewhere")" ]
result $? "a run does not follow a link out of --out"

script t <<'END'
local lathe = require "lathe"
local run = lathe.rl { model = "@reason", task = "mult2", algorithm = "grpo", prompts = 3, group = 4, max_new = 24, iterations = 3, kl = 0.01,
	checkpoint_every = 0, out = "rl", reward = function(x) return (x.right and 1 or 0) + x.length / 100 end }
print(("rl %d %.9g %.9g"):format(run.steps, run.reward:last(), run.grad_norm:last()))
END
cat >"$tmp/own.lua" <<'END'
return { from = "@reason", task = "mult2", algorithm = "grpo", prompts = 3, group = 4, max_new = 24, iterations = 3, kl = 0.01,
	checkpoint_every = 0, eval_n = 0, eval_every = 0, reward = function(x) return (x.right and 1 or 0) + x.length / 100 end }
END
"$LATHE" rl "$tmp/own.lua" --out "$tmp/rl" --json --threads 1 >"$tmp/rl.jsonl" 2>/dev/null
lua 0 --threads 1 --out "$tmp/runs" && grep -q '^rl 3 ' "$tmp/out" && cmp "$tmp/rl/model/model.safetensors" "$tmp/runs/rl/model/model.safetensors" &&
	cmp "$tmp/rl/step-000003/optimizer.safetensors" "$tmp/runs/rl/step-000003/optimizer.safetensors" &&
	cmp "$tmp/rl/step-000003/rl.safetensors" "$tmp/runs/rl/step-000003/rl.safetensors"
result $? "lathe.rl is lathe rl, to the bit"

# --- line by line ---

printf '1 + 1\nx = { 1, b = "c" }\nx\nfor i = 1, 2 do\nio.write(i, "\\n")\nend\n"open" .. x[1]\n' >"$tmp/lines"
"$LATHE" repl <"$tmp/lines" >"$tmp/out" 2>"$tmp/err" && [ "$(cat "$tmp/out")" = "$(printf '2\n{ 1, b = "c" }\n1\n2\nopen1')" ] && [ ! -s "$tmp/err" ]
result $? "repl shows values, and waits for the end of a statement"
printf 'error "no"\nlathe.nothing\n%s\n1 +\n\n7\n' 'local t = {} while true do t[#t + 1] = {} end' >"$tmp/lines"
"$LATHE" repl --memory-limit 64M <"$tmp/lines" >"$tmp/out" 2>"$tmp/err"
[ $? -eq 8 ] && [ "$(cat "$tmp/out")" = 7 ] && grep -q 'E8001.*input:1: no' "$tmp/err" && grep -q 'E5002' "$tmp/err" && grep -q 'lathe.nothing: there is no' "$tmp/err"
result $? "repl goes on after errors"

printf 'local m = 3\nm + 1\n' >"$tmp/lines"
"$LATHE" repl <"$tmp/lines" >"$tmp/out" 2>"$tmp/err"
[ $? -eq 8 ] && grep -q '`local` ends with its line here: type m = ' "$tmp/err"
result $? "repl tells where a local has gone"

# --- documentation ---

run 0 help --lua && cmp -s "$tmp/out" "$srcdir/man/lathe.3lua"
result $? "man/lathe.3lua is in step (make man-pages)"
run 0 help --lua-stubs && cmp -s "$tmp/out" "$srcdir/lua/lathe.d.lua"
result $? "lua/lathe.d.lua is in step (make man-pages)"
if command -v mandoc >/dev/null; then
	mandoc -T lint -W warning "$srcdir/man/lathe.3lua" >"$tmp/lint" 2>&1
	status=$?
	[ -s "$tmp/lint" ] && note "$(head -5 "$tmp/lint")"
	result $status "lathe.3lua is clean"
else
	skip "lathe.3lua is clean" "no mandoc"
fi
run 0 help lua && grep -q 'lathe.write' "$tmp/out"
result $? "help lua"
finish
