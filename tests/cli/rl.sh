#!/bin/sh
# Reinforcement learning from the terminal: lines of JSON, the same bits in one go, in two and after a kill, errors in one line.
. "${srcdir:-.}/tests/cli/tap.sh"
run() { # run DIR ARGS: few and short answers
	dir=$1
	shift
	"$LATHE" rl grpo-mult2 --out "$tmp/$dir" --json --threads 1 --set prompts=3 --set group=4 --set max_new=24 --set eval_n=8 "$@"
}

newest() {
	ls "$tmp/$1" | sed -n 's/^step-\([0-9]*\)$/\1/p' | sort | tail -1
}

same() { # same A B: finished models, optimizer states, references
	cmp "$tmp/$1/model/model.safetensors" "$tmp/$2/model/model.safetensors" &&
		cmp "$tmp/$1/step-$(newest "$1")/optimizer.safetensors" "$tmp/$2/step-$(newest "$2")/optimizer.safetensors" &&
		cmp "$tmp/$1/step-$(newest "$1")/rl.safetensors" "$tmp/$2/step-$(newest "$2")/rl.safetensors"
}

run whole --steps 4 >"$tmp/whole.jsonl" 2>"$tmp/err" && [ "$(wc -l <"$tmp/whole.jsonl")" -eq 5 ]
result $? "four iterations and the start are five lines"
sed -n 1p "$tmp/whole.jsonl" | grep -q '"iter":0,"reward":null,"accuracy":null,"eval":[0-9.]*,"eval_n":8,'
result $? "the first line judges the model as it was"
sed -n 5p "$tmp/whole.jsonl" | grep -q '"iter":4,"reward":[0-9.]*,"accuracy":[0-9.]*,"eval":[0-9.]*,"eval_n":8,'
result $? "the last line judges the model as it is"
grep -q '"ln_r_first":[^0n]' "$tmp/whole.jsonl"
[ $? -eq 1 ]
result $? "the ratio on fresh samples is 1"

run halves --steps 2 >/dev/null 2>&1 && run halves --steps +2 --resume >"$tmp/halves.jsonl" 2>/dev/null && same whole halves
result $? "2 + 2 iterations are 4 iterations, to the bit"
[ "$(wc -l <"$tmp/halves.jsonl")" -eq 2 ]
result $? "going on begins with the next iteration"
run two --steps 4 --threads 2 >/dev/null 2>&1 && same whole two
result $? "two threads are one, to the bit"

"$LATHE" rl grpo-mult2 --out "$tmp/killed" --json --threads 1 --set prompts=3 --set group=4 --set max_new=24 --set eval_n=8 --steps 4000 \
	--set checkpoint_every=1 >"$tmp/killed.jsonl" 2>/dev/null &
pid=$!
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
	[ -n "$(newest killed 2>/dev/null)" ] && break
	sleep 0.3
done
sleep 0.2
kill -9 $pid
wait $pid 2>/dev/null
at=$(newest killed | sed 's/^0*//')
run killed --steps $((${at:-0} + 1)) --resume >/dev/null 2>&1 && run unbroken --steps $((${at:-0} + 1)) >/dev/null 2>&1 && same killed unbroken
result $? "after kill -9 it is the unbroken run, to the bit"

"$LATHE" rl ppo-mult2 --out "$tmp/ppo" --json --threads 1 --set prompts=6 --set max_new=24 --set eval_n=0 --set kl_reward=0.01 --steps 4 \
	>"$tmp/ppo.jsonl" 2>"$tmp/err" && [ "$(wc -l <"$tmp/ppo.jsonl")" -eq 4 ] && grep -q '"value_loss":[0-9.]' "$tmp/ppo.jsonl"
result $? "PPO with its value head runs, too"

run whole --steps 2 >/dev/null 2>"$tmp/err"
[ $? -eq 2 ] && grep -q -- '--resume goes on' "$tmp/err"
result $? "a folder with checkpoints is not begun anew"
run bad --set grup=2 >/dev/null 2>"$tmp/err"
[ $? -eq 2 ] && [ "$(wc -l <"$tmp/err")" -eq 1 ] && grep -q 'grup' "$tmp/err"
result $? "an unknown setting is one line, exit status 2"
run bad --set group=1 >/dev/null 2>"$tmp/err"
[ $? -eq 2 ] && grep -q 'at least 2' "$tmp/err"
result $? "a group of one is refused"

config() { # config REWARD: a configuration of its own
	cat >"$tmp/own.lua" <<-EOF
	return { from = "@reason", task = "add2", prompts = 2, group = 2, max_new = 16, iterations = 1, eval_n = 0, reward = $1 }
	EOF
}
own() {
	rm -rf "$tmp/own"
	"$LATHE" rl "$tmp/own.lua" --out "$tmp/own" --json --threads 1 2>"$tmp/err"
}
config 'function(x) return x.length + (x.truth and 100 or 0) + (x.problem.prompt:sub(1, 1) == "a" and 1000 or 0) end'
own >"$tmp/own.jsonl" && grep -q '"reward":11[0-9][0-9]*' "$tmp/own.jsonl"
result $? "a reward of the file's own is what counts"
cat >"$tmp/own.lua" <<'EOF'
local rewards = require "lathe.rewards"
return {
	from = "@reason", task = "add2", prompts = 2, group = 2, max_new = 16, iterations = 1, eval_n = 0,
	reward = rewards.sum { { 10, rewards.format }, { 1, rewards.accuracy }, { 2, rewards.short(0, 1) }, { 0.5, rewards.thought },
		{ 1, rewards.language(function(w) return #w > 0 end) } },
}
EOF
own >"$tmp/own.jsonl" && grep -q '"reward":-\{0,1\}[0-9]' "$tmp/own.jsonl"
result $? "and may be made of parts"
config 'function(x) return x.right and 1 or 0, { { 3, 0.5 }, { x.length, x.length } } end'
own >/dev/null
result $? "a reward may score steps"
config 'function(x) return 1, { { "a", 0.5 } } end'
own >/dev/null
[ $? -eq 8 ] && one_error_line && grep -q 'step 1' "$tmp/err"
result $? "steps of another form are a script's error"
config 'function(x) return "much" end'
own >/dev/null
[ $? -eq 8 ] && [ "$(wc -l <"$tmp/err")" -eq 1 ] && grep -q 'reward must return a number' "$tmp/err"
result $? "a reward that is no number is a script's error"
config 'function(x) while true do end end'
own >/dev/null
[ $? -eq 8 ] && grep -q 'too many steps' "$tmp/err"
result $? "a reward that does not end is stopped"
config 'function(x) return 0 / 0 end'
own >/dev/null
[ $? -eq 8 ] && grep -q 'not a finite number' "$tmp/err"
result $? "a reward that is not finite is refused"
"$LATHE" verify --rl "$srcdir/tests/data/rl/policy" --json | grep -q '^{"ok":true'
result $? "verify --rl of a policy"
"$LATHE" verify --rl "$srcdir/tests/data/rl/v32.safetensors" --json | grep -q '^{"ok":true'
result $? "verify --rl of a loss"
"$LATHE" verify --rl "$srcdir/tests/data/rl/policy/model.safetensors" >/dev/null 2>"$tmp/err"
[ $? -eq 3 ] && one_error_line
result $? "another file is refused in one line"
finish
