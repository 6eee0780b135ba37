#!/bin/sh
# A training run that is watched from outside: found by its name, told to stop, recorded, shown without the model, gone on with.
. "${srcdir:-.}/tests/cli/tap.sh"
out=$tmp/run
pid=
second=
trap 'kill $pid $second 2>/dev/null; rm -rf "$tmp"' EXIT
options="--out $out --json --threads 1 --set batch=2 --set eval_every=0"
train() { # train ARGS
	"$LATHE" train addition $options "$@"
}

found() { # found NAME: an engine of that name runs
	for _ in $(seq 100); do
		"$LATHE" engine --list 2>/dev/null | grep -q "^$1 " && return 0
		sleep 0.05
	done
	return 1
}

"$LATHE" train addition $options --steps 100000 --set checkpoint_every=0 >"$tmp/lines" 2>"$tmp/err" &
pid=$!
found train
result $? "a run is in the list of engines"
for _ in $(seq 100); do
	[ "$(wc -l <"$tmp/lines")" -gt 5 ] && break
	sleep 0.05
done
run 0 attach train --json && grep -q '"name":"train","pid":'$pid, "$tmp/out" && grep -q '"train.loss"' "$tmp/out"
result $? "attach tells its topics"
"$LATHE" train addition --out "$tmp/second" --json --threads 1 --steps 100000 >/dev/null 2>&1 &
second=$!
found train-2
result $? "a second run has a name of its own"
kill -INT $second
wait $second
kill -TERM $pid
wait $pid
[ $? -eq 143 ] && grep -q 'stopped after step' "$tmp/err"
result $? "told to stop, it saves and ends"

at=$(ls "$out" | sed -n 's/^step-0*//p' | sort -n | tail -1)
steps_recorded() {
	"$LATHE" replay "$out/train.rec" --json | grep -c '"topic":"train.loss"'
}
[ "${at:-0}" -gt 5 ] && [ "$(steps_recorded)" -eq "$at" ]
result $? "the recording has every step"
train --steps +3 --resume >/dev/null 2>&1 && [ "$(steps_recorded)" -eq $((at + 3)) ]
result $? "and goes on with the resumed run"
run 0 scene train --replay "$out/train.rec" && grep -q "$((at + 3)) of $((at + 3))" "$tmp/out"
result $? "the scene shows it later"
run 0 scene --replay "$out/train.rec" train --as csv --replay "$out/train.rec" && grep -q 'runs*' "$tmp/out"
result $? "other runs stand beside it"
train --steps +2 --resume --set sample_every=1 2>/dev/null | tail -1 | grep -q '"sample":"'
result $? "a sample is in the line"
[ "$(ls -A "$XDG_RUNTIME_DIR/lathe" | grep -vc lock)" -eq 0 ]
result $? "no socket is left"
finish
