#!/bin/sh
# rl.sh - a run of reinforcement learning on the screen while it goes on: shown first, an answer picked by a key, the past looked at, stopped; then
# drawn from its recording.
. "${srcdir:-.}/tests/cli/tap.sh"

command -v tmux >/dev/null || skip_all "no tmux"
socket=lathe-rl-$$
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

"$LATHE" rl grpo-mult2 --out "$tmp/grpo" --json --threads 1 --steps 100000 --set prompts=2 --set group=4 --set max_new=32 --set eval_n=8 --set eval_some=8 \
	--set checkpoint_every=0 >"$tmp/lines" 2>"$tmp/err" &
pid=$!
for _ in $(seq 100); do
	"$LATHE" engine --list 2>/dev/null | grep -q '^rl\|^train' && break
	sleep 0.05
done
tm new-session -d -x 120 -y 40 "exec env XDG_RUNTIME_DIR='$XDG_RUNTIME_DIR' LC_ALL=C.UTF-8 '$LATHE' attach" || exit 99
seen 'right answers' && seen 'group: ' && seen 'answer 1 ─' && seen 'iteration [1-9]'
result $? "attach shows the run, the RL scene first, a group with it"
tm send-keys -l ':answer 3'
tm send-keys Enter
seen 'answer 3 ─'
result $? "an answer is picked"
tm send-keys c
seen 'c: entropy'
result $? "its tokens are coloured by another figure"
tm send-keys '[' '['
seen '· past'
result $? "iterations before can be looked at while it goes on"
tm send-keys End
seen '▶'
result $? "and the present again"
tm send-keys -l ':stop'
tm send-keys Enter
wait $pid
status=$?
pid=
[ $status -eq 130 ] && [ -s "$tmp/grpo/train.rec" ]
result $? "stop saves and ends it"

for as in text svg csv json; do
	word='held out'
	[ $as = svg ] && word='</svg>'
	run 0 scene rl --replay "$tmp/grpo/train.rec" --size 100x30 --as $as && grep -q "$word" "$tmp/out"
	result $? "its recording as $as"
done
finish
