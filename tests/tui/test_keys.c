/* test_keys.c - the bytes of terminals become keys, whole or in pieces; nothing a terminal may answer becomes
 * typing. */
#include "tests/unit.h"
#include "tui/keys.h"
#include <stdio.h>
#include <string.h>

/* All events of some bytes as text: "a <Up> [paste] ", fed step bytes at a time. */
static void decode(const char *bytes, size_t n, size_t step, char out[512])
{
	Keys *k = keys_new();
	char name[48];
	out[0] = 0;
	assert_non_null(k);
	for (size_t at = 0; at <= n; at += step) {
		bool idle = at + step > n;
		size_t m = idle ? n - at : step;
		assert_true(keys_feed(k, bytes + at, m));
		for (KeysEvent ev; (ev = keys_next(k, idle)).kind != KEYS_NONE;) {
			size_t len = strlen(out);
			key_name(ev.key, name, sizeof name);
			if (ev.kind == KEYS_PASTE)
				snprintf(out + len, 512 - len, "[%.*s] ", (int)ev.n, ev.text);
			else if (ev.key.code >= AK_PRESS)
				snprintf(out + len, 512 - len, "m%d@%d,%d/%d ", ev.key.code - AK_PRESS, ev.key.x, ev.key.y,
					ev.key.button);
			else
				snprintf(out + len, 512 - len, "%s ", name);
		}
	}
	assert_int_equal(keys_wait(k), -1);
	keys_free(k);
}

/* Whole, and split after each byte: the same events. */
static void same(const char *bytes, const char *want)
{
	char got[512];
	size_t n = strlen(bytes);
	decode(bytes, n, n ? n : 1, got);
	assert_string_equal(got, want);
	for (size_t step = 1; step < 4; step++) {
		decode(bytes, n, step, got);
		assert_string_equal(got, want);
	}
}

TEST(keys_plain)
{
	same("q", "q ");
	same("ab\r", "a b Enter ");
	same("\t\x7f", "Tab BS ");
}

TEST(keys_arrows_in_both_modes)
{
	same("\033[A\033[B\033[C\033[D", "Up Down Right Left ");
	same("\033OA\033OB\033OC\033OD", "Up Down Right Left ");
	same("\033[H\033[F\033[1~\033[4~\033[7~\033[8~", "Home End Home End Home End ");
	same("\033[5~\033[6~\033[3~\033[2~", "PgUp PgDn Del Ins ");
}

TEST(keys_function_keys_of_three_families)
{
	same("\033OP\033OQ\033OR\033OS", "F1 F2 F3 F4 ");
	same("\033[11~\033[15~\033[24~", "F1 F5 F12 ");
	same("\033[[A\033[[E", "F1 F5 ");
}

TEST(keys_modifiers)
{
	Keys *k = keys_new();
	keys_feed(k, "\033[1;5A\033[1;2C\033x\x01\033[97;5u", 22);
	assert_int_equal(keys_next(k, false).key.mods, MOD_CTRL);
	assert_int_equal(keys_next(k, false).key.mods, MOD_SHIFT);
	KeysEvent alt = keys_next(k, false), ctrl = keys_next(k, false), told = keys_next(k, false);
	assert_int_equal(alt.key.mods, MOD_ALT);
	assert_int_equal(alt.key.cp, 'x');
	assert_int_equal(ctrl.key.mods, MOD_CTRL);
	assert_int_equal(ctrl.key.cp, 'a');
	assert_int_equal(told.key.mods, MOD_CTRL);
	assert_int_equal(told.key.cp, 'a');
	keys_free(k);
}

TEST(keys_escape_alone_needs_silence)
{
	Keys *k = keys_new();
	keys_feed(k, "\033", 1);
	assert_int_equal(keys_next(k, false).kind, KEYS_NONE);
	assert_true(keys_wait(k) > 0);
	KeysEvent ev = keys_next(k, true);
	assert_int_equal(ev.kind, KEYS_KEY);
	assert_int_equal(ev.key.code, AK_ESC);
	keys_free(k);
}

TEST(keys_mouse)
{
	same("\033[<0;10;5M\033[<0;10;5m", "m0@9,4/1 m1@9,4/1 ");
	same("\033[<64;1;1M\033[<65;2;3M", "m3@0,0/0 m4@1,2/0 ");
	same("\033[<32;300;200M", "m2@299,199/1 ");
	same("\033[<35;3;3M\033[<0;0;0M\033[<99999999999;1;1M", "");
}

TEST(keys_utf8)
{
	same("\xe4\xb8\xad\xc3\xa9", "\xe4\xb8\xad \xc3\xa9 ");
	same("\xff\xfe\xc0\x80" "a", "a ");
}

TEST(keys_paste_is_one_piece_and_never_keys)
{
	same("\033[200~rm -rf\r:quit\033[A\033[201~q", "[rm -rf\r:quit\033[A] q ");
	same("\033[200~\033[201~", "[] ");
}

TEST(keys_paste_without_an_end_is_given_up)
{
	same("\033[200~abc", "[abc] ");
}

TEST(keys_answers_of_the_terminal_are_swallowed)
{
	same("\033]11;rgb:0000/0000/0000\033\\a", "a ");
	same("\033P1+r524742\033\\b\033[?62;22c\033[>1;10;0cc", "b c ");
	same("\033[12;40R\033[?2026;2$yx", "x ");
	same("\033[I\033[Oz", "z ");
}

TEST(keys_rubbish_does_not_stick)
{
	char bytes[6000];
	Keys *k = keys_new();
	unsigned r = 1;
	for (int round = 0; round < 200; round++) {
		for (size_t i = 0; i < sizeof bytes; i++) {
			r = r * 1103515245u + 12345u;
			bytes[i] = r >> 16 & 3 ? (char)(r >> 20) : "\033[O<"[r >> 20 & 3];
		}
		assert_true(keys_feed(k, bytes, sizeof bytes));
		while (keys_next(k, false).kind != KEYS_NONE)
			;
	}
	keys_feed(k, "\033[201~\033\\\a", 9);
	while (keys_next(k, true).kind != KEYS_NONE)
		;
	assert_int_equal(keys_wait(k), -1);
	keys_free(k);
}
