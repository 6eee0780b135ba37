#!/bin/sh
# train.sh - a training run on the screen: attached to, changed, paused, gone on with and stopped, by the keys of a person.
. "${srcdir:-.}/tests/cli/tap.sh"

command -v tmux >/dev/null || skip_all "no tmux"
socket=lathe-train-$$
pid=
trap 'tm kill-server 2>/dev/null; [ -z "$pid" ] || kill $pid 2>/dev/null; rm -rf "$tmp"' EXIT

tm() {
	SHELL=/bin/sh tmux -L "$socket" -f /dev/null "$@"
}

seen() { # seen PATTERN: it appears within ten seconds
	for _ in $(seq 200); do
		tm capture-pane -p 2>/dev/null | grep -q -- "$1" && return 0
		sleep 0.05
	done
	note "not seen: $1; the screen is:"
	tm capture-pane -p 2>/dev/null | sed 's/^/# | /'
	return 1
}

told() { # told PATTERN: the run says it within five seconds
	for _ in $(seq 100); do
		grep -q -- "$1" "$tmp/err" && return 0
		sleep 0.05
	done
	note "the run has said: $(tail -3 "$tmp/err")"
	return 1
}

command_line() {
	tm send-keys -l ":$1"
	tm send-keys Enter
}

step() {
	tail -1 "$tmp/lines" | sed -n 's/^{"step":\([0-9]*\),.*/\1/p'
}

# a run in a folder beside it, whose losses are to be drawn with those of the live one
"$LATHE" train addition --out "$tmp/older" --json --threads 1 --steps 3 --set batch=2 --set checkpoint_every=0 >"$tmp/lines" 2>"$tmp/err"
"$LATHE" train addition --out "$tmp/run" --json --threads 1 --steps 100000 --set batch=2 --set checkpoint_every=0 --set eval_every=5 \
	>"$tmp/lines" 2>"$tmp/err" &
pid=$!
for _ in $(seq 100); do
	"$LATHE" engine --list 2>/dev/null | grep -q '^train ' && break
	sleep 0.05
done
tm new-session -d -x 100 -y 30 "exec env XDG_RUNTIME_DIR='$XDG_RUNTIME_DIR' LC_ALL=C.UTF-8 '$LATHE' attach train" || exit 99
seen 'load of experts over time' && seen 'held out [0-9]' && seen 'of 100000' && seen '▶'
result $? "attach shows the run, the Train scene first"
seen 'older [0-9]'
result $? "and the losses of its neighbour"
command_line "beside $tmp/nowhere.rec" && seen 'nowhere.rec'
result $? "a neighbour that is not there is told"

command_line 'set lr 0.00025'
told 'lr = 0.00025'
result $? "a setting is changed"
command_line 'set seq 12' && seen 'cannot be changed'
result $? "and one that cannot be is refused"
tm send-keys B
told 'balance = sequence'
result $? "a key of the scene changes the balance"

tm send-keys Space
seen '‖ paused'
sleep 0.3
at=$(step)
sleep 0.5
[ "$(step)" = "$at" ]
result $? "it is paused"
tm send-keys Space
seen '▶'
for _ in $(seq 100); do
	[ "$(step)" -gt "$at" ] && break
	sleep 0.05
done
[ "$(step)" -gt "$at" ]
result $? "and goes on"

tm send-keys C-c
seen 'the run goes on'
result $? "Ctrl-C in a viewer ends nothing"
command_line stop
wait $pid
status=$?
pid=
[ $status -eq 130 ] && [ -e "$tmp/run/step-$(printf %06d "$(step)")/model.safetensors" ] && seen 'the training run has ended'
result $? "stop saves and ends it, and the viewer says so"
finish
