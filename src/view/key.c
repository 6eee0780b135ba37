/* key.c - keys by name: scripts of keys for `lathe scene --keys` and tests, names for the help. */
#include "view/key.h"
#include "base/utf8.h"
#include <stdio.h>
#include <string.h>

static const struct { const char *name; KeyCode code; } named[] = {
	{ "Enter", AK_ENTER }, { "Esc", AK_ESC }, { "Tab", AK_TAB }, { "S-Tab", AK_BACKTAB },
	{ "BS", AK_BACKSPACE }, { "Del", AK_DELETE }, { "Ins", AK_INSERT }, { "Up", AK_UP },
	{ "Down", AK_DOWN }, { "Left", AK_LEFT }, { "Right", AK_RIGHT }, { "Home", AK_HOME },
	{ "End", AK_END }, { "PgUp", AK_PGUP }, { "PgDn", AK_PGDN }, { "F1", AK_F1 }, { "F2", AK_F2 },
	{ "F3", AK_F3 }, { "F4", AK_F4 }, { "F5", AK_F5 }, { "F6", AK_F6 }, { "F7", AK_F7 }, { "F8", AK_F8 },
	{ "F9", AK_F9 }, { "F10", AK_F10 }, { "F11", AK_F11 }, { "F12", AK_F12 },
};

static bool name_parse(const char *s, size_t n, Key *k)
{
	if (n == 3 && s[0] == 'C' && s[1] == '-') {
		*k = (Key){ AK_CHAR, (uint32_t)(unsigned char)s[2], MOD_CTRL, 0, 0, 0 };
		return true;
	}
	if (n == 5 && memcmp(s, "Space", 5) == 0) {
		*k = (Key){ AK_CHAR, ' ', 0, 0, 0, 0 };
		return true;
	}
	for (size_t i = 0; i < sizeof named / sizeof *named; i++)
		if (strlen(named[i].name) == n && memcmp(named[i].name, s, n) == 0) {
			*k = (Key){ named[i].code, 0, 0, 0, 0, 0 };
			return true;
		}
	return false;
}

size_t key_parse(const char *s, Key *out)
{
	const char *end = *s == '<' ? strchr(s, '>') : NULL;
	if (end && end > s + 1)
		return name_parse(s + 1, (size_t)(end - s - 1), out) ? (size_t)(end - s + 1) : 0;
	uint32_t cp;
	size_t n = utf8_next(s, strlen(s), &cp);
	*out = (Key){ AK_CHAR, cp, 0, 0, 0, 0 };
	return n;
}

void key_name(Key k, char *out, size_t n)
{
	char u[5] = "";
	for (size_t i = 0; i < sizeof named / sizeof *named; i++)
		if (named[i].code == k.code) {
			snprintf(out, n, "%s", named[i].name);
			return;
		}
	u[utf8_put(u, k.cp)] = 0;
	snprintf(out, n, "%s%s", k.mods & MOD_CTRL ? "C-" : "", k.cp == ' ' ? "Space" : u);
}
