#!/bin/sh
# inside.sh - MLA, MoE and MTP live: the text is made on another screen, then they are gone to, and fill without being asked; layer and head are
# moved; a text made while they are shown comes in by itself. Then all three as pictures and data, live and from a recording.
. "${srcdir:-.}/tests/cli/tap.sh"

command -v tmux >/dev/null || skip_all "no tmux"
model=$srcdir/data/domains
[ -f "$model/config.json" ] || skip_all "no model to open"
socket=lathe-inside-$$
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

full() { # nothing on the screen says that it is missing
	! tm capture-pane -p | grep -q 'not computed for\|not recorded\|not compared\|no text yet\|no model yet'
}

prompt() {
	tm send-keys Enter
	tm send-keys -l "$1"
	tm send-keys Enter
}

tm new-session -d -x 120 -y 40 "exec env XDG_RUNTIME_DIR='$XDG_RUNTIME_DIR' LC_ALL=C.UTF-8 '$LATHE' open '$model'"
seen 'ready'
tm send-keys -l ':set n 40'
tm send-keys Enter
prompt 'once upon a time'
seen '16 given + 40'
result $? "a text on the first screen"

tm send-keys 6
seen 'KL ' && seen 'eff. rank' && seen 'mean of 5[0-9] queries' && full
result $? "MLA fills with what nobody watched"
tm send-keys +
seen 'attention, layer 2 head 0' && seen 'heads, layer 2' && seen 'looks at' && full
result $? "another layer is read when it is gone to"
tm send-keys ')'
seen 'layer 2 head 1'
result $? "another head"
tm send-keys -l ':attention absorbed'
tm send-keys Enter
prompt 'the moon'
seen 'mean of 4[0-9] queries' && seen 'rank of the latent.*4[0-9] tokens' && full
result $? "a text made while MLA is shown comes by itself, with its spectrum"

tm send-keys 7
seen 'chosen together' && seen 'of [0-9]* flip' && seen 'L3  *[0-9.]* ' && full
result $? "MoE"
tm send-keys 8
seen 'acceptance by depth' && seen 'depth 1 .*%' && full
result $? "MTP"
tm send-keys q
sleep 0.3
tm send-keys y 2>/dev/null
stop_engines

# Without a terminal.
for scene in mla moe mtp; do
	for size in 80x24 200x60 40x12; do
		"$LATHE" scene $scene "$model" -p 'once upon a time' -n 24 --size $size > "$tmp/out" 2>"$tmp/err"
		[ $? -eq 0 ] && [ "$(wc -l <"$tmp/out")" -le "${size#*x}" ] && [ "$(wc -c <"$tmp/out")" -gt 100 ]
		result $? "$scene $size prints"
	done
done
"$LATHE" record "$model" -p 'once upon a time' -n 24 --watch '+ layers.*.attn.probs' -o "$tmp/it.rec" 2>"$tmp/err"
result $? "recorded with attention"
for scene in mla moe mtp; do
	"$LATHE" scene $scene --replay "$tmp/it.rec" --size 120x40 > "$tmp/out" && ! grep -q 'not in this recording\|not recorded' "$tmp/out"
	result $? "$scene is whole from the recording"
	for format in ansi csv json; do
		"$LATHE" scene $scene --replay "$tmp/it.rec" --as $format > "$tmp/out.$format" && [ -s "$tmp/out.$format" ] || break
	done
	[ -s "$tmp/out.json" ] && grep -q ',' "$tmp/out.csv"
	result $? "$scene as ansi, csv, json"
	rm -f "$tmp"/out.*
done
"$LATHE" record "$model" -p 'once upon a time' -n 4 -o "$tmp/short.rec" 2>"$tmp/err" &&
	"$LATHE" scene mla --replay "$tmp/short.rec" | grep -q 'record with'
result $? "what is not in a recording is said, and how it would be"
finish
