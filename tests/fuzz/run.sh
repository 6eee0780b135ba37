#!/bin/sh
# run.sh - runs every built fuzz target on its seeds for FUZZ_SECONDS (2) each, as TAP. Targets linked with
# libFuzzer (configure --enable-fuzzing) work on a copy of the seeds.
srcdir=${srcdir:-.}
builddir=${builddir:-.}
seconds=${FUZZ_SECONDS:-2}
set --
for t in "$builddir"/tests/fuzz/fuzz_*; do
	case $t in
	*.*/fuzz_*.* | */fuzz_*.*) continue ;;
	esac
	[ -f "$t" ] && [ -x "$t" ] && set -- "$@" "$t"
done
if [ $# -eq 0 ]; then
	echo "1..0 # SKIP no fuzz target is built"
	exit 0
fi
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
echo "1..$#"
n=0
for t; do
	n=$((n + 1))
	name=${t##*/fuzz_}
	seeds=$srcdir/tests/fuzz/seeds/$name
	if "$t" -help=1 2>&1 | grep -q libFuzzer; then
		mkdir -p "$tmp/$name"
		[ -d "$seeds" ] && cp -R "$seeds/." "$tmp/$name" && chmod -R u+w "$tmp/$name"
		"$t" -max_total_time="$seconds" -seed=1 -timeout=20 -max_len=65536 \
			-rss_limit_mb=1024 -artifact_prefix="$name-" "$tmp/$name" >"$tmp/out" 2>&1
		status=$?
		what=$(sed -n 's/^Done \([0-9]*\) runs.*/\1 inputs/p' "$tmp/out")
	else
		[ -d "$seeds" ] || seeds=
		"$t" -t "$seconds" ${seeds:+"$seeds"} >"$tmp/out" 2>&1
		status=$?
		what=$(sed -n 's/^ok 1 - [^:]*: //p' "$tmp/out")
	fi
	if [ $status -eq 0 ]; then
		echo "ok $n - $name: $what"
	else
		tail -n 40 "$tmp/out" | sed 's/^/# /'
		echo "not ok $n - $name"
	fi
done
