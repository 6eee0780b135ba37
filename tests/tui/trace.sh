#!/bin/sh
# trace.sh - the Trace, Tensors, Diff and FP8 scenes live: a text is made, branched and looked back at, tensors are looked at one by one, and
# the text is compared, by the keys of a person.
. "${srcdir:-.}/tests/cli/tap.sh"

command -v tmux >/dev/null || skip_all "no tmux"
[ -e "$srcdir/data/reason/config.json" ] || skip_all "no model to open"
socket=lathe-trace-$$
trap 'tm kill-server 2>/dev/null; stop_engines; rm -rf "$tmp"' EXIT

tm() {
	SHELL=/bin/sh tmux -L "$socket" -f /dev/null "$@"
}

stop_engines() {
	"$LATHE" engine --list --json 2>/dev/null | tr ',{}' '\n\n\n' | sed -n 's/.*"pid": *\([0-9]*\).*/\1/p' | while read -r pid; do
		kill -9 "$pid" 2>/dev/null
	done
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

command_line() {
	tm send-keys -l ":$1"
	tm send-keys Enter
}

tm new-session -d -x 120 -y 40 "exec env XDG_RUNTIME_DIR='$XDG_RUNTIME_DIR' LC_ALL=C.UTF-8 '$LATHE' open '$srcdir/data/reason'" || exit 99
seen 'Trace' && seen 'reason'
command_line 'scene trace'
command_line 'prompt a17+26=<think>'
seen 'think [0-9]* tokens' && seen 'decided at layer'
result $? "a text has its think span and its lens"
command_line 'token 12'
seen 'logit lens, position 12'
tm send-keys b
seen '2 texts' && seen 'side by side' && seen 'from position 12, where they part'
result $? "b branches, and both stand side by side"
tm send-keys T
seen 'run 1; End goes back'
result $? "T shows the text that was left"
tm send-keys End

command_line 'scene tensors'
seen 'embed_tokens.weight' && seen '161 tensors'
result $? "the tree of tensors"
tm send-keys /
tm send-keys -l 'layers.1 kv_b'
tm send-keys Enter
seen '1 with\|2 with\|kv_b_proj' && seen 'all [0-9.]* K numbers'
result $? "a filter, and the tensor that it leaves is read"
tm send-keys M
seen 'blocks show their mean' && seen 'mean [0-9]*x\|each number'
result $? "blocks as means"
tm send-keys X
seen 'from \[0, 0\]'
result $? "and closer"

command_line 'scene diff'
seen 'native precision' && seen 'bf16 products' && seen 'differ first'
result $? "native against bf16 without being asked"
tm send-keys A
seen 'absorbed attention'
result $? "and naive against absorbed"
command_line 'compare @nowhere'
seen 'nowhere'
result $? "a checkpoint that is not there is told"

command_line 'scene fp8'
seen 'hurt most' && seen 'KL with it alone in fp8-v3 ' && seen 'rounding (weight)'
result $? "the usual recipe without being asked"
tm send-keys N
seen 'KL with it alone in fp8-v3-pow2'
result $? "and the next one"
command_line 'fp8 nvfp4'
seen 'KL with it alone in nvfp4' && seen 'e2m1'
result $? "and one by name"
tm send-keys q
for _ in $(seq 100); do
	tm has-session 2>/dev/null || break
	sleep 0.05
done
! tm has-session 2>/dev/null
result $? "left"
finish
