#!/bin/sh
# examples.sh - the examples that the help and the manual give are run, in a folder of their own, and none may fail.
. "${srcdir:-.}/tests/cli/tap.sh"

[ -f "$srcdir/data/tiny/config.json" ] || skip_all "no model in the box"
mkdir "$tmp/bin" "$tmp/here"
ln -s "$LATHE" "$tmp/bin/lathe"
PATH=$tmp/bin:$PATH
cd "$tmp/here" || exit 99
cp "$srcdir/tests/screen/v3.rec" run.rec

"$LATHE" help --examples | while read -r line; do
	case $line in
	*'--as svg'* | *'--as png'*) "$LATHE" doctor | grep -q 'png through cairo' || { echo "skip $line"; continue; } ;;
	esac
	case $line in
	*' &') # an engine for the examples after it
		sh -c "$line" >engine.out 2>&1
		for _ in 1 2 3 4 5 6 7 8 9 10; do
			lathe engine --list 2>/dev/null | grep -q . && break
			sleep 0.2
		done
		status=0
		;;
	*)
		timeout 120 sh -c "$line" >out 2>err </dev/null
		status=$?
		;;
	esac
	echo "$status $line"
	[ $status -eq 0 ] || sed 's/^/# /' err
done >"$tmp/results"

while read -r status line; do
	case $status in
	'#') echo "# $line" ;;
	skip) skip "$line" "built without cairo" ;;
	*) result "$status" "$line" ;;
	esac
done <"$tmp/results"
lathe engine --list --json 2>/dev/null | tr '{},' '\n\n\n' | sed -n 's/.*"pid": *\([0-9]*\).*/\1/p' | while read -r pid; do
	kill "$pid"
done
finish
