#!/bin/sh
# man.sh - the committed pages are what the program prints, and lint finds nothing in any page.
. "${srcdir:-.}/tests/cli/tap.sh"

for c in lathe $("$LATHE" help --names); do
	page=lathe-$c.1
	[ "$c" = lathe ] && page=lathe.1
	"$LATHE" help --man "$c" >"$tmp/page" && cmp -s "$tmp/page" "$srcdir/man/$page"
	status=$?
	[ $status -eq 0 ] || note "man/$page is not what the program prints: make man-pages"
	result $status "$page is in step"
	for part in NAME SYNOPSIS DESCRIPTION OPTIONS "EXIT STATUS" EXAMPLES ENVIRONMENT FILES "SEE ALSO"; do
		[ "$c" = lathe ] || grep -q "^\.Sh $part$" "$tmp/page" || note "$page: no $part"
	done
done

for page in "$srcdir"/man/*.[1-9]; do
	name=$(basename "$page")
	grep -q "man/$name" "$srcdir/man/local.mk"
	result $? "$name is listed"
	if command -v mandoc >/dev/null; then
		mandoc -T lint -W warning "$page" >"$tmp/lint" 2>&1
		status=$?
		[ -s "$tmp/lint" ] && note "$(head -5 "$tmp/lint")"
		result $status "$name is clean"
	else
		skip "$name is clean" "no mandoc"
	fi
done

run 0 help mla && grep -q latent "$tmp/out" && ! grep -q "$(printf '\b')" "$tmp/out"
result $? "help mla"

run 0 help scene && grep -q "Draws a scene" "$tmp/out" && run 0 help scene.5 && grep -q topics "$tmp/out"
result $? "help scene, help scene.5"

without_programs() { # with a PATH that has nothing in it
	env PATH=/nowhere "$LATHE" "$@" >"$tmp/out" 2>"$tmp/err"
}
without_programs help mla && grep -q latent "$tmp/out" && ! grep -q '^\.' "$tmp/out"
result $? "help mla without mandoc"
without_programs help explain && grep -q CODE "$tmp/out"
result $? "help explain without mandoc"
finish
