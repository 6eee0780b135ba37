# tap.sh - for scripts of tests: numbered TAP lines, a place for files that is removed at the end, and running lathe.
# Sourced as: . "${srcdir:-.}/tests/cli/tap.sh"
srcdir=$(cd "${srcdir:-.}" && pwd)
LATHE=${LATHE:-./lathe}
case $LATHE in /*) ;; *) LATHE=$(pwd)/$LATHE ;; esac
tmp=$(mktemp -d "${TMPDIR:-/tmp}/lathe-test-XXXXXX") || exit 99
trap 'rm -rf "$tmp"' EXIT
trap 'exit 99' HUP INT TERM
XDG_RUNTIME_DIR=$tmp/run
mkdir -m 700 "$XDG_RUNTIME_DIR"
export XDG_RUNTIME_DIR
count=0

result() { # result STATUS NAME: ok when STATUS is 0
	count=$((count + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $count - $2"
	else
		echo "not ok $count - $2"
	fi
}

note() {
	printf '%s\n' "$*" | sed 's/^/# /'
}

skip() { # skip NAME WHY
	count=$((count + 1))
	echo "ok $count - $1 # SKIP $2"
}

skip_all() {
	echo "1..0 # SKIP $*"
	exit 0
}

finish() {
	echo "1..$count"
}

# run STATUS ARGUMENT...: lathe must end with that status; its output is in $tmp/out and $tmp/err.
run() {
	want=$1
	shift
	timeout 120 "$LATHE" "$@" >"$tmp/out" 2>"$tmp/err" </dev/null
	got=$?
	[ "$got" -eq "$want" ] && return 0
	note "lathe $*: exit $got, not $want: $(head -c 300 "$tmp/err")"
	return 1
}

# An error is one line of the documented form.
one_error_line() {
	[ "$(wc -l <"$tmp/err")" -eq 1 ] && grep -Eq '^lathe: error\[E[0-9]{4}\]: ' "$tmp/err" && return 0
	note "standard error: $(head -c 300 "$tmp/err")"
	return 1
}
