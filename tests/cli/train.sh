#!/bin/sh
# A run from the terminal: the same bits in one go, in two, and after kills; what is wrong is one line with its exit status.
. "${srcdir:-.}/tests/cli/tap.sh"
run() { # run DIR ARGS: the quick configuration
	dir=$1
	shift
	"$LATHE" train addition --out "$tmp/$dir" --json --threads 1 --set batch=2 --set eval_rows=1 "$@"
}

start() { # the same in the background; $! is lathe itself
	dir=$1
	shift
	"$LATHE" train addition --out "$tmp/$dir" --json --threads 1 --set batch=2 --set eval_rows=1 --steps 4000 "$@" \
		>"$tmp/$dir.jsonl" 2>"$tmp/err" &
}

newest() {
	ls "$tmp/$1" | sed -n 's/^step-\([0-9]*\)$/\1/p' | sort | tail -1
}

same() { # same A B: finished models and optimizer states
	cmp "$tmp/$1/model/model.safetensors" "$tmp/$2/model/model.safetensors" &&
		cmp "$tmp/$1/step-$(newest "$1")/optimizer.safetensors" "$tmp/$2/step-$(newest "$2")/optimizer.safetensors"
}

run whole --steps 8 >"$tmp/whole.jsonl" 2>"$tmp/err" && [ "$(wc -l <"$tmp/whole.jsonl")" -eq 8 ]
result $? "eight steps are eight lines"
grep -q '"step":8,"loss":[0-9.]*,"main_loss":[0-9.]*,"mtp_loss":[0-9.]*,' "$tmp/whole.jsonl"
result $? "a line has step, loss and the MTP loss"

run halves --steps 3 >/dev/null && run halves --steps +5 --resume >/dev/null && same whole halves
result $? "3 + 5 steps are 8 steps, to the bit"

run two --steps 8 --threads 2 >/dev/null && same whole two
result $? "two threads are one, to the bit"

for i in 1 2 3; do
	start killed --set checkpoint_every=1 --resume
	pid=$!
	sleep 0.$((4 + i))
	kill -9 $pid
	wait $pid 2>/dev/null
done
at=$(newest killed | sed 's/^0*//')
run killed --steps +1 --resume >"$tmp/after.jsonl" 2>/dev/null && grep -q "\"step\":$((${at:-0} + 1))," "$tmp/after.jsonl"
result $? "after kill -9 it goes on from the last checkpoint"
run unbroken --steps $((${at:-0} + 1)) >/dev/null && same killed unbroken
result $? "and is the unbroken run, to the bit"

run whole --steps 2 >/dev/null 2>"$tmp/err"
[ $? -eq 2 ] && grep -q -- '--resume goes on' "$tmp/err"
result $? "a folder with checkpoints is not begun anew"
run forked --fork "$tmp/halves/step-000003" --steps 8 >/dev/null 2>&1 && cmp "$tmp/whole/model/model.safetensors" "$tmp/forked/model/model.safetensors"
result $? "a fork goes on elsewhere, to the same bits"

start stopped --set checkpoint_every=0
pid=$!
sleep 0.6
kill -INT $pid
wait $pid
status=$?
[ $status -eq 130 ] && [ -d "$tmp/stopped/step-$(printf %06d "$(wc -l <"$tmp/stopped.jsonl")")" ]
result $? "Ctrl-C finishes the step, saves, and exits 130"

start live --set checkpoint_every=0
pid=$!
sleep 0.8
printf 'lr=0\nlr_shape=constant\nseq=7\n' >"$tmp/live/live"
sleep 0.8
kill -INT $pid
wait $pid
tail -1 "$tmp/live.jsonl" | grep -q '"lr":0,' && grep -q 'seq cannot be changed' "$tmp/err"
result $? "a setting changes while the run is going on, but not one that cannot"

refused() { # refused STATUS TEXT ARGS
	want=$1 text=$2
	shift 2
	run bad --steps 1 "$@" >/dev/null 2>"$tmp/err"
	status=$?
	[ $status -eq "$want" ] && [ "$(wc -l <"$tmp/err")" -eq 1 ] && grep -q -- "$text" "$tmp/err"
	result $? "refused: $*"
}
refused 2 'no such setting\|none of that name' --set learning_rate=1
refused 2 'from 1 to' --set batch=0
refused 2 'one of' --set balance=fair
refused 2 'NAME=VALUE' --set lr
refused 2 'steps' --steps many
refused 5 'limit' --memory-limit 64K

printf 'return { model = 3 }' >"$tmp/bad.lua"
"$LATHE" train "$tmp/bad.lua" --out "$tmp/x" >/dev/null 2>"$tmp/err"
[ $? -eq 8 ] && [ "$(wc -l <"$tmp/err")" -eq 1 ]
result $? "a configuration that is none is a script error in one line"

run nan --steps 40 --set lr=10 --set warmup=0 --set clip=0 --set init_std=9 >/dev/null 2>"$tmp/err"
status=$?
[ $status -eq 0 ] || { [ $status -eq 6 ] && [ "$(wc -l <"$tmp/err")" -eq 1 ]; }
result $? "a run that blows up ends with one line and status 6"

mkdir "$tmp/pipe" && mkfifo "$tmp/pipe/live"
run pipe --steps 2 >"$tmp/pipe.jsonl" 2>"$tmp/err" && [ "$(wc -l <"$tmp/pipe.jsonl")" -eq 2 ] && grep -q 'not a file' "$tmp/err"
result $? "OUT/live that is a pipe is not waited for"

mkdir "$tmp/shorter" && echo steps=3 >"$tmp/shorter/live"
run shorter --steps 9 >"$tmp/shorter.jsonl" 2>"$tmp/err" && [ "$(wc -l <"$tmp/shorter.jsonl")" -eq 3 ]
result $? "steps that are changed while running move the end"

mkdir "$tmp/escape" && printf '\033]0;x\007=1\nlr=\033[31m\n' >"$tmp/escape/live"
run escape --steps 2 >/dev/null 2>"$tmp/err" && [ -s "$tmp/err" ] && ! grep -q "$(printf '\033')" "$tmp/err"
result $? "no escape sequence of a file reaches the terminal"

"$LATHE" verify --train "$srcdir/tests/data/train/optimizer" --json | grep -q '^{"ok":true'
result $? "verify --train"
finish
