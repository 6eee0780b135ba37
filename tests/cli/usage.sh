#!/bin/sh
# usage.sh - help of every command, and the errors of wrong command lines: one line, exit status 2, a hint.
. "${srcdir:-.}/tests/cli/tap.sh"

wrong() { # wrong NAME ARGUMENT...
	name=$1
	shift
	run 2 "$@" && one_error_line && [ ! -s "$tmp/out" ]
	result $? "$name"
}

hints() { # hints WORD ARGUMENT...
	word=$1
	shift
	run 2 "$@" && grep -q -- "$word" "$tmp/err"
	result $? "lathe $*: suggests $word"
}

run 0 --version && grep -Eq '^lathe [0-9]+\.[0-9]+' "$tmp/out"
result $? "--version"
run 0 --help && [ "$(awk 'length > 100' "$tmp/out" | wc -l)" -eq 0 ]
result $? "--help fits"

for c in $("$LATHE" help --names); do
	run 0 "$c" --help && [ "$(wc -c <"$tmp/out")" -gt 100 ] && grep -q '^Examples:' "$tmp/out" && [ ! -s "$tmp/err" ]
	result $? "$c --help"
	"$LATHE" --help | grep -q "^  $c "
	result $? "$c is in --help"
	wrong "$c --no-such-option" "$c" --no-such-option
	wrong "$c --threads=x" "$c" --threads=x
done

wrong "unknown command" no-such-command
wrong "a command of a later version" train
wrong "value missing" explain --threads
wrong "value to a flag" explain --quiet=yes
wrong "threads 0" explain --threads 0
wrong "threads 5000" explain --threads 5000
wrong "threads 2x" explain --threads 2x
wrong "threads past int64" explain --threads 99999999999999999999
wrong "negative seed" explain --seed -1
wrong "size with a bad unit" explain --memory-limit 4Q
wrong "size 0" explain --memory-limit 0
wrong "colour mauve" explain --color mauve
wrong "one argument too many" explain E2001 E2002
wrong "unknown short option" explain -Z
wrong "unknown help topic" help no-such-topic
wrong "help topic with a path" help ../../etc/passwd
wrong "escape in an option" explain "$(printf -- '--\033[31mred')"
LC_ALL=C grep -q "$(printf '\033')" "$tmp/err"
result $((! $?)) "no escape in the message"
hints "lathe info" inof
hints "lathe generate" genrate
hints "--threads" explain --thread 2
hints "--json" explain --jsno

run 0 --threads 2 explain E2001 && grep -q E2001 "$tmp/out"
result $? "global options before the command"
run 0 explain --help --no-such-option
result $? "--help before a mistake wins"
run 0 explain --memory-limit 1.5G --memory-limit=64KiB -- E2001
result $? "sizes, and -- before arguments"
run 0 explain && [ "$(wc -l <"$tmp/out")" -gt 10 ]
result $? "explain lists all codes"

"$LATHE" explain >/dev/full 2>"$tmp/err"
[ $? -eq 4 ] && one_error_line
result $? "a full disk is exit status 4"
"$LATHE" generate @tiny --ids 2,3 -n 6 >/dev/full 2>"$tmp/err"
[ $? -eq 4 ] && one_error_line
result $? "a full disk ends a text with exit status 4"
(
	ulimit -f 1 && run 4 convert "$srcdir/tests/data/models/v3" "$tmp/large"
) && one_error_line && ! ls "$tmp" | grep -q large
result $? "a limit on the size of files is exit status 4, and leaves nothing"
("$LATHE" help --man lathe; echo $? >"$tmp/status") | true
case $(cat "$tmp/status") in 0 | 141) true ;; *) false ;; esac
result $? "a closed pipe ends it quietly"
run 0 generate @tiny --ids 2,3 -n 6 --temperature 0 && mv "$tmp/out" "$tmp/loud" &&
	run 0 generate @tiny --ids 2,3 -n 6 --temperature 0 --quiet && [ ! -s "$tmp/err" ] &&
	[ "$(wc -c <"$tmp/out")" -gt 4 ] && cmp -s "$tmp/out" "$tmp/loud"
result $? "--quiet leaves the result"
run 4 info "$tmp/nothing-here" && one_error_line
result $? "a missing file is exit status 4"
finish
