#!/bin/sh
# screen.sh - the workbench in a real terminal emulator (tmux): it opens at several sizes, survives a storm of sizes and the death of its
# engine, is suspended and comes back, and leaves the terminal clean when it is left, hung up or killed.
. "${srcdir:-.}/tests/cli/tap.sh"

command -v tmux >/dev/null || skip_all "no tmux"
model=$(find "$srcdir/data/tiny" "$srcdir/tests/data/models" -name config.json 2>/dev/null | head -1)
[ -n "$model" ] || skip_all "no model to open"
model=$(dirname "$model")
socket=none
terminals=0
trap 'tm kill-server 2>/dev/null; stop_engines; rm -rf "$tmp"' EXIT

tm() { # with a shell of our own: the user's may be nologin
	SHELL=/bin/sh tmux -L "$socket" -f /dev/null "$@"
}

stop_engines() {
	"$LATHE" engine --list --json 2>/dev/null | tr ',{}' '\n\n\n' | sed -n 's/.*"pid": *\([0-9]*\).*/\1/p' | while read -r pid; do
		kill -9 "$pid" 2>/dev/null
	done
}

# A terminal with a shell in it that says READY.
terminal() { # terminal COLUMNS ROWS
	tm kill-server 2>/dev/null
	socket=lathe-test-$$-$((terminals += 1)) # a server that is going is not asked for a new terminal
	tm new-session -d -x "$1" -y "$2" "exec env PS1='READY ' ENV= XDG_RUNTIME_DIR='$XDG_RUNTIME_DIR' LC_ALL=C.UTF-8 sh -i" || exit 99
	seen READY
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

type_line() {
	tm send-keys -l "$1"
	tm send-keys Enter
}

screen_pid() { # the screen's process: the parent of the guard
	pgrep -P "$(tm display-message -p '#{pane_pid}')" -x lathe | head -1
}

# The shell works as before: echo is on, and the second screen is gone.
clean() {
	type_line "stty -a | grep -q ' icanon' && stty -a | grep -q ' echo ' && echo CL''EAN \$((6*7))"
	seen 'CLEAN 42' && [ "$(tm display-message -p '#{alternate_on}')" = 0 ] && [ "$(tm display-message -p '#{mouse_any_flag}')" = 0 ]
}

left() { # the second screen is gone
	for _ in $(seq 200); do
		[ "$(tm display-message -p '#{alternate_on}')" = 0 ] && return 0
		sleep 0.05
	done
	return 1
}

open_screen() {
	type_line "clear; '$LATHE' open '$model'; echo ST''ATUS \$?"
}

leave() {
	tm send-keys q
	seen 'STATUS 0' || { tm send-keys y; seen 'STATUS 0'; }
}

for size in 80x24 200x60 40x12 20x5; do
	terminal "${size%x*}" "${size#*x}"
	open_screen
	seen 'lathe *[A-Za-z0-9]' && [ "$(tm display-message -p '#{alternate_on}')" = 1 ]
	result $? "$size opens"
	leave && clean
	result $? "$size leaves cleanly"
done

terminal 80 24
open_screen
seen 'Router'
result $? "the tabs are there"
for n in $(seq 60); do
	tm resize-window -x $((20 + n * 37 % 180)) -y $((5 + n * 13 % 55))
done
tm resize-window -x 90 -y 25
tm send-keys 2
seen 'Router' && seen 'layer'
result $? "a storm of sizes"
tm send-keys C-z
seen 'READY'
type_line 'echo BA""CK'
seen BACK && ! tm capture-pane -p | grep -q '[│─╭╰]'
result $? "suspended, and nothing of the picture is left"
clean
result $? "the terminal is clean while suspended"
type_line fg
seen 'Router' && [ "$(tm display-message -p '#{alternate_on}')" = 1 ]
result $? "and continued"

engine=$("$LATHE" engine --list --json | tr ',{}' '\n\n\n' | sed -n 's/.*"pid": *\([0-9]*\).*/\1/p' | head -1)
kill -9 "$engine"
seen 'engine'
result $? "the death of the engine is told"
tm send-keys R
for _ in $(seq 100); do
	again=$("$LATHE" engine --list --json 2>/dev/null | tr ',{}' '\n\n\n' | sed -n 's/.*"pid": *\([0-9]*\).*/\1/p' | head -1)
	[ -n "$again" ] && [ "$again" != "$engine" ] && break
	sleep 0.05
done
[ -n "$again" ] && [ "$again" != "$engine" ]
result $? "R starts another"
tm send-keys q
clean || { tm send-keys y && clean; }
result $? "left after all that"

for signal in KILL SEGV TERM HUP ABRT; do
	terminal 80 24
	open_screen
	seen 'Router'
	pid=$(screen_pid)
	[ -n "$pid" ] && kill -$signal "$pid" && left && clean
	result $? "clean after SIG$signal"
	"$LATHE" engine --list 2>/dev/null | grep -q . || note "no engine outlived SIG$signal"
	stop_engines
done

terminal 80 24
open_screen
seen 'Router'
pid=$(screen_pid)
tm kill-server
for _ in $(seq 100); do
	kill -0 "$pid" 2>/dev/null || break
	sleep 0.05
done
! kill -0 "$pid" 2>/dev/null
result $? "the screen ends when its terminal does"
"$LATHE" engine --list --json 2>/dev/null | grep -q '"pid"'
result $? "and the engine lives on"
finish
