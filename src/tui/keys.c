/* keys.c - the escape sequences that xterm and its many descendants, the Linux console and rxvt send. Unknown
 * sequences are swallowed whole, so that none is ever taken for typing; pasted text (bracketed) is handed on
 * as one piece and never as keys. */
#include "tui/keys.h"
#include "base/buf.h"
#include "base/utf8.h"
#include <stdlib.h>
#include <string.h>

enum { ESC = 27, WAIT_ESC = 30, WAIT_PASTE = 2000, PASTE_MAX = 1 << 20, SEQ_MAX = 4096 };
static const char paste_end[] = "\033[201~";

struct Keys {
	Buf in;
	size_t at;          /* in.s[at..] is not decoded yet */
	bool pasting;
	Buf paste;
};

Keys *keys_new(void)
{
	return calloc(1, sizeof(Keys));
}

void keys_free(Keys *k)
{
	if (!k)
		return;
	buf_done(&k->in);
	buf_done(&k->paste);
	free(k);
}

bool keys_feed(Keys *k, const char *bytes, size_t n)
{
	if (k->at) {
		memmove(k->in.s, k->in.s + k->at, k->in.len - k->at);
		k->in.len -= k->at;
		k->at = 0;
	}
	buf_add(&k->in, bytes, n);
	bool ok = !k->in.failed;
	k->in.failed = false;
	return ok;
}

int keys_wait(const Keys *k)
{
	return k->pasting ? WAIT_PASTE : k->in.len > k->at ? WAIT_ESC : -1;
}

/* --- one sequence: bytes used, 0 when it is not complete; out->code AK_NONE: it means nothing --- */

static Key key_of(KeyCode code, unsigned mods)
{
	return (Key){ .code = code, .mods = mods };
}

static Key key_char(uint32_t cp, unsigned mods)
{
	return (Key){ .code = AK_CHAR, .cp = cp, .mods = mods };
}

/* xterm's modifier parameter: 1 + shift 1 + alt 2 + ctrl 4 (+ meta 8) */
static unsigned mods_of(int param)
{
	unsigned m = param > 1 ? (unsigned)param - 1 : 0;
	return (m & 1 ? MOD_SHIFT : 0) | (m & 10 ? MOD_ALT : 0) | (m & 4 ? MOD_CTRL : 0);
}

/* A control byte or a plain character below 0x80. */
static Key key_ascii(unsigned char c, unsigned mods)
{
	if (c == '\r' || c == '\n')
		return key_of(AK_ENTER, mods);
	if (c == '\t')
		return key_of(AK_TAB, mods);
	if (c == 0x7f || c == '\b')
		return key_of(AK_BACKSPACE, mods);
	if (c == ESC)
		return key_of(AK_ESC, mods);
	if (c == 0)
		return key_char(' ', mods | MOD_CTRL);
	if (c <= 26)
		return key_char((uint32_t)('a' + c - 1), mods | MOD_CTRL);
	if (c < 32)
		return key_char((uint32_t)c + 0x40, mods | MOD_CTRL);
	return key_char(c, mods);
}

static KeyCode code_tilde(int n)
{
	static const KeyCode code[] = { [1] = AK_HOME, AK_INSERT, AK_DELETE, AK_END, AK_PGUP, AK_PGDN, AK_HOME,
		AK_END, [11] = AK_F1, AK_F2, AK_F3, AK_F4, AK_F5, [17] = AK_F6, AK_F7, AK_F8, AK_F9, AK_F10,
		[23] = AK_F11, AK_F12 };
	return n > 0 && n < (int)(sizeof code / sizeof code[0]) ? code[n] : AK_NONE;
}

static KeyCode code_letter(char c)
{
	switch (c) {
	case 'A': return AK_UP;
	case 'B': return AK_DOWN;
	case 'C': return AK_RIGHT;
	case 'D': return AK_LEFT;
	case 'H': return AK_HOME;
	case 'F': return AK_END;
	case 'P': return AK_F1;
	case 'Q': return AK_F2;
	case 'R': return AK_F3;
	case 'S': return AK_F4;
	case 'M': return AK_ENTER;
	case 'Z': return AK_BACKTAB;
	default: return AK_NONE;
	}
}

/* Up to four numbers divided by ';'; what stands behind a ':' is left out. */
static int params_read(const char *s, size_t n, int v[4])
{
	int k = 0;
	bool sub = false;
	v[0] = v[1] = v[2] = v[3] = 0;
	for (size_t i = 0; i < n && k < 4; i++) {
		if (s[i] == ';') {
			k++;
			sub = false;
		} else if (s[i] == ':') {
			sub = true;
		} else if (s[i] >= '0' && s[i] <= '9' && !sub && v[k] < 100000000) {
			v[k] = v[k] * 10 + (s[i] - '0');
		}
	}
	return k + 1 < 4 ? k + 1 : 4;
}

/* A code point told as a number (kitty's u, xterm's modifyOtherKeys). */
static Key key_told(int cp, int mods)
{
	if (cp < 0x80)
		return key_ascii((unsigned char)cp, mods_of(mods));
	if (cp > 0x10ffff || (cp >= 0xd800 && cp < 0xe000) || (cp >= 0xe000 && cp < 0xf900))
		return key_of(AK_NONE, 0);
	return key_char((uint32_t)cp, mods_of(mods));
}

/* The button byte of X10 and SGR mouse reports. */
static Key key_mouse(int b, int x, int y, bool release)
{
	unsigned mods = (b & 4 ? MOD_SHIFT : 0) | (b & 8 ? MOD_ALT : 0) | (b & 16 ? MOD_CTRL : 0);
	Key k = { .code = AK_NONE, .mods = mods, .x = x - 1, .y = y - 1, .button = (b & 3) + 1 };
	if (x < 1 || y < 1 || x > 10000 || y > 10000 || b & 128)
		return k;
	if (b & 64) {
		k.code = (b & 3) == 0 ? AK_WHEEL_UP : (b & 3) == 1 ? AK_WHEEL_DOWN : AK_NONE;
		k.button = 0;
	} else if (b & 32) {
		k.code = (b & 3) < 3 ? AK_DRAG : AK_NONE;
	} else {
		k.code = release || (b & 3) == 3 ? AK_RELEASE : AK_PRESS;
	}
	return k;
}

/* The Linux console's ESC [ [ A to E; answers of the terminal begin with other marks and mean no key. */
static Key key_console(char mark, char final)
{
	bool f = mark == '[' && final >= 'A' && final <= 'E';
	return f ? key_of((KeyCode)(AK_F1 + (final - 'A')), 0) : key_of(AK_NONE, 0);
}

/* The whole of "ESC [ params final": p at the '[', n bytes up to and with the final. */
static Key key_csi(const char *p, size_t n, bool *paste)
{
	int v[4];
	char final = p[n - 1];
	if (p[1] == '<') {
		params_read(p + 2, n - 3, v);
		return final == 'M' || final == 'm' ? key_mouse(v[0], v[1], v[2], final == 'm') : key_of(AK_NONE, 0);
	}
	if (p[1] == '?' || p[1] == '>' || p[1] == '=' || p[1] == '[')
		return key_console(p[1], final);
	int k = params_read(p + 1, n - 2, v);
	if (final == '~' && v[0] == 200) {
		*paste = true;
		return key_of(AK_NONE, 0);
	}
	if (final == '~' && v[0] == 27)
		return key_told(v[2], v[1]);
	if (final == '~' || final == '^' || final == '$')
		return key_of(code_tilde(v[0]), final == '^' ? MOD_CTRL : final == '$' ? MOD_SHIFT : mods_of(v[1]));
	if (final == 'u')
		return key_told(v[0], v[1]);
	bool report = final == 'R' && k > 1 && v[0] > 1; /* the cursor's place: looks like F3 */
	if (final == 'M' || report)
		return key_of(AK_NONE, 0);
	if (final >= 'a' && final <= 'd')
		return key_of(code_letter((char)(final - 'a' + 'A')), MOD_SHIFT);
	return key_of(code_letter(final), mods_of(v[1]));
}

static size_t take_csi(const char *s, size_t n, Key *out, bool *paste)
{
	size_t i = 2;
	if (n > 2 && s[2] == 'M') { /* X10 mouse: three bytes, each 32 more than its value */
		if (n < 6)
			return 0;
		*out = key_mouse((unsigned char)s[3] - 32, (unsigned char)s[4] - 32, (unsigned char)s[5] - 32, false);
		return 6;
	}
	if (n > 2 && s[2] == '[')
		i = 3;
	while (i < n && (unsigned char)s[i] >= 0x20 && (unsigned char)s[i] < 0x40)
		i++;
	if (i == n)
		return n > SEQ_MAX ? n : 0;
	if ((unsigned char)s[i] < 0x40 || (unsigned char)s[i] > 0x7e)
		return i; /* broken off by a control: drop it, keep the control */
	*out = key_csi(s + 1, i, paste);
	return i + 1;
}

/* Answers of the terminal (OSC, DCS, APC, PM): up to BEL or ESC \, never keys. */
static size_t take_string(const char *s, size_t n)
{
	for (size_t i = 2; i < n; i++) {
		if (s[i] == '\a')
			return i + 1;
		if (s[i] == ESC)
			return i + 1 < n ? i + (s[i + 1] == '\\' ? 2 : 0) : 0;
	}
	return n > SEQ_MAX ? n : 0;
}

static size_t take_utf8(const char *s, size_t n, bool idle, unsigned mods, Key *out)
{
	uint32_t cp;
	if (!idle && utf8_tail(s, n > 4 ? 4 : n) == (n > 4 ? 4 : n))
		return 0;
	size_t used = utf8_next(s, n, &cp);
	if (cp != 0xfffd && cp >= 0xa0)
		*out = key_char(cp, mods);
	return used ? used : 1;
}

/* ESC and a character: the character with Alt. */
static size_t take_alt(const char *s, size_t n, bool idle, Key *out)
{
	if ((unsigned char)s[1] < 0x80) {
		*out = key_ascii((unsigned char)s[1], MOD_ALT);
		return 2;
	}
	size_t used = take_utf8(s + 1, n - 1, idle, MOD_ALT, out);
	return used ? used + 1 : 0;
}

static size_t take_escape(const char *s, size_t n, bool idle, Key *out, bool *paste)
{
	size_t used = 0;
	if (n == 1 || s[1] == ESC) {
		if (n == 1 && !idle)
			return 0;
		*out = key_of(AK_ESC, 0);
		return 1;
	}
	if (s[1] == '[')
		used = take_csi(s, n, out, paste);
	else if (s[1] == 'O' && n > 2)
		used = 3;
	else if (s[1] == ']' || s[1] == 'P' || s[1] == '_' || s[1] == '^')
		used = take_string(s, n);
	else if (s[1] != 'O')
		return take_alt(s, n, idle, out);
	if (used == 3 && s[1] == 'O')
		*out = key_of(code_letter(s[2]), 0);
	if (!used && idle) { /* nothing follows: Alt and the character, or rubbish that is dropped */
		if (n == 2)
			*out = key_ascii((unsigned char)s[1], MOD_ALT);
		return n;
	}
	return used;
}

static size_t take_key(const char *s, size_t n, bool idle, Key *out, bool *paste)
{
	*out = key_of(AK_NONE, 0);
	if (s[0] == ESC)
		return take_escape(s, n, idle, out, paste);
	if ((unsigned char)s[0] < 0x80) {
		*out = key_ascii((unsigned char)s[0], 0);
		return 1;
	}
	return take_utf8(s, n, idle, 0, out);
}

/* --- pasted text --- */

/* Moves what belongs to the paste out of the input; true when it has ended. */
static bool paste_take(Keys *k, bool idle)
{
	size_t left = k->in.len - k->at, n = left, keep = 0;
	const char *s = k->in.s + k->at, *end = memmem(s, left, paste_end, sizeof paste_end - 1);
	if (end)
		n = (size_t)(end - s);
	else
		for (keep = sizeof paste_end - 2; keep > 0; keep--) /* a beginning of the end at the end */
			if (keep <= left && !memcmp(s + left - keep, paste_end, keep))
				break;
	n -= end ? 0 : keep;
	size_t room = PASTE_MAX - k->paste.len;
	buf_add(&k->paste, s, n < room ? n : room);
	k->at += n + (end ? sizeof paste_end - 1 : 0);
	return end || idle;
}

KeysEvent keys_next(Keys *k, bool idle)
{
	KeysEvent ev = { .kind = KEYS_NONE };
	while (k->in.len > k->at || (k->pasting && idle)) {
		if (k->pasting) {
			if (!paste_take(k, idle))
				return ev;
			k->pasting = false;
			return (KeysEvent){ .kind = KEYS_PASTE, .text = buf_str(&k->paste), .n = k->paste.len };
		}
		bool paste = false;
		size_t used = take_key(k->in.s + k->at, k->in.len - k->at, idle, &ev.key, &paste);
		if (!used)
			return ev;
		k->at += used;
		if (paste) {
			k->pasting = true;
			buf_clear(&k->paste);
		} else if (ev.key.code != AK_NONE) {
			ev.kind = KEYS_KEY;
			return ev;
		}
	}
	return ev;
}
