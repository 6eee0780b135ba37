#!/bin/sh
# check_house.sh - the rules of the house that a script can check, as TAP: tools/layers, lengths, map, names;
# then the same tools on a small tree that breaks each rule, so that their silence means something. Findings
# are printed as comments.
srcdir=${srcdir:-.}
builddir=${builddir:-.}
n=0
rule() {
	n=$((n + 1))
	if out=$("$srcdir/tools/$1" "$2" "$3" 2>&1); then
		echo "ok $n - $1"
	else
		echo "$out" | sed 's/^/# /'
		echo "not ok $n - $1"
	fi
}
# breaks TOOL PATTERN...: the tool fails on the bad tree, and says each of these.
breaks() {
	n=$((n + 1))
	tool=$1
	shift
	out=$("$srcdir/tools/$tool" "$bad" "$bad" 2>&1) && out="(passed)"
	for want in "$@"; do
		case $out in
		*"$want"*) ;;
		*)
			echo "$out" | sed 's/^/# /'
			echo "not ok $n - $tool notices: $want"
			return
			;;
		esac
	done
	echo "ok $n - $tool notices"
}
bad=$(mktemp -d) || exit 1
trap 'rm -rf "$bad"' EXIT
mkdir -p "$bad/src/base" "$bad/src/num" "$bad/src/tui" "$bad/src/odd"
cp "$srcdir/src/LAYERS" "$bad/src/"
cat >"$bad/src/base/a.c" <<'END'
#include "num/b.h"
#include "b.h"
#include <lua.h>
#include <stdio.h>
#include <frob.h>
#include "base/a.h"
int frob_run(void);
int counter;
const char *const a_fine[] = { "x" };
int a_run(void) { static int calls; return counter + calls++; }
int frob_run(void) { return 0; }
END
{
	echo 'int long_one(void)'
	echo '{'
	yes '	;' | head -n 79
	echo '}'
	yes '/* */' | head -n 800
} >"$bad/src/num/b.c"
printf '#include "engine/lathe.h"\n#include "engine/engine.h"\n' >"$bad/src/tui/c.c"
echo 'Folders: src/base and src/numbers and src/tui.' >"$bad/ARCHITECTURE.md"

echo 1..8
rule layers "$srcdir"
rule lengths "$srcdir"
rule map "$srcdir"
if find "$builddir/src" -name '*.o' 2>/dev/null | grep -q .; then
	rule names "$builddir" "$srcdir"
else
	n=$((n + 1))
	echo "ok $n - names # SKIP no compiled objects"
fi
echo 'int x;' >"$bad/src/odd/d.c"
breaks layers 'a.c:1: base may not include "num/b.h"' 'a.c:2: "b.h": write it as' \
	'a.c:3: <lua.h> belongs to script' \
	'a.c:5: <frob.h> is neither' 'c.c:2: tui may not include "engine/engine.h"' 'src/odd: not in src/LAYERS'
breaks lengths 'src/num/b.c:2: long_one: 81 lines' 'src/num/b.c: 882 lines'
breaks map 'src/num: not described' 'src/odd: not described'
sed '/#include/d' "$bad/src/base/a.c" >"$bad/src/base/e.c"
if ${CC:-cc} -c "$bad/src/base/e.c" -o "$bad/src/base/a.o" 2>/dev/null; then
	breaks names 'counter: writable memory' 'calls' 'frob_run(): does not begin'
else
	n=$((n + 1))
	echo "ok $n - names notices # SKIP no compiler named cc"
fi
