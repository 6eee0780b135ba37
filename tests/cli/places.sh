#!/bin/sh
# places.sh - without a terminal, without a locale, without colours, on a dumb terminal: text, no escapes, and an end.
. "${srcdir:-.}/tests/cli/tap.sh"

escapes() {
	LC_ALL=C grep -q "$(printf '\033')" "$1"
}

run 0 && [ "$(wc -l <"$tmp/out")" -gt 10 ] && ! escapes "$tmp/out"
result $? "lathe without a terminal prints a page"
[ ! -s "$tmp/err" ]
result $? "and nothing on standard error"
LC_ALL=C LANG='' run 0 && ! LC_ALL=C grep -q '[^ -~]' "$tmp/out"
result $? "in the C locale the page is ASCII"
env -i "$LATHE" >"$tmp/out" 2>"$tmp/err" && [ "$(wc -l <"$tmp/out")" -gt 10 ]
result $? "with an empty environment"
run 0 doctor && grep -q kernels "$tmp/out" && ! escapes "$tmp/out"
result $? "doctor"
if command -v python3 >/dev/null; then
	"$LATHE" doctor --json | python3 -c 'import json, sys
d = json.load(sys.stdin)
assert d["ok"] is True and len(d["checks"]) >= 10 and all(set(c) >= {"name", "ok", "detail"} for c in d["checks"]), d'
	result $? "doctor --json"
	# On a pseudo terminal: the page and an end, no screen.
	for term in dumb unset; do
		python3 - "$LATHE" $term >"$tmp/out" <<'PY'
import os, pty, sys, time, select
pid, fd = pty.fork()
if pid == 0:
    e = dict(os.environ)
    e.pop("TERM", None)
    if sys.argv[2] != "unset":
        e["TERM"] = sys.argv[2]
    os.execve(sys.argv[1], [sys.argv[1]], e)
out, end = b"", time.time() + 60
while time.time() < end:
    if select.select([fd], [], [], 0.1)[0]:
        try:
            d = os.read(fd, 65536)
        except OSError:
            break
        if not d:
            break
        out += d
p, s = os.waitpid(pid, 0)
sys.stdout.buffer.write(out)
sys.exit(0 if s == 0 and b"\x1b" not in out and out.count(b"\n") > 10 else 1)
PY
		result $? "TERM $term: a page, no escapes, an end"
	done
else
	skip "doctor --json" "no python3"
fi
# Installed, and moved since: scenes, models and pages are found beside it.
if head -c 4 "$LATHE" | grep -q ELF; then
	mkdir -p "$tmp/moved/bin" "$tmp/moved/share/lathe" "$tmp/moved/share/man/man7"
	cp "$LATHE" "$tmp/moved/bin/lathe"
	cp -R "$srcdir/data" "$srcdir/scenes" "$tmp/moved/share/lathe/"
	cp "$srcdir/man/lathe-mla.7" "$tmp/moved/share/man/man7/"
	(
		LATHE=$tmp/moved/bin/lathe
		run 0 doctor && grep -q "$tmp/moved/share/lathe/scenes" "$tmp/out" &&
			run 0 scene home @tiny -p '17 + 26' && PATH=/nowhere "$LATHE" help mla | grep -q latent
	)
	result $? "a moved installation finds its data and pages"
else
	skip "a moved installation finds its data and pages" "the program is a script of libtool"
fi
NO_COLOR=1 run 0 doctor && ! escapes "$tmp/out"
result $? "NO_COLOR"
run 2 open @../etc && one_error_line
result $? "a box name with a path is refused"
run 4 open @no-such-model && one_error_line
result $? "an unknown model of the box"
run 4 open "$tmp/nothing" && one_error_line
result $? "open of a missing file"
echo rubbish >"$tmp/rubbish"
run 3 open "$tmp/rubbish" && one_error_line
result $? "open of a file of no kind"
finish
