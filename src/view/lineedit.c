/* lineedit.c - editing by grapheme, with history. Keys as in readline where they do not clash. */
#include "view/lineedit.h"
#include "base/utf8.h"
#include <stdlib.h>
#include <string.h>

void lineedit_done(LineEdit *l)
{
	buf_done(&l->text);
	for (int i = 0; i < l->n_history; i++)
		free(l->history[i]);
	free(l->kept);
	*l = (LineEdit){ 0 };
}

void lineedit_set(LineEdit *l, const char *s)
{
	buf_clear(&l->text);
	buf_adds(&l->text, s);
	l->cur = l->text.len;
}

void lineedit_accept(LineEdit *l)
{
	const char *s = buf_str(&l->text);
	if (*s && (l->n_history == 0 || strcmp(l->history[l->n_history - 1], s) != 0)) {
		char *copy = strdup(s);
		if (copy && l->n_history == LINE_HISTORY) {
			free(l->history[0]);
			memmove(l->history, l->history + 1, (LINE_HISTORY - 1) * sizeof *l->history);
			l->n_history--;
		}
		if (copy)
			l->history[l->n_history++] = copy;
	}
	l->at = l->n_history;
	lineedit_set(l, "");
}

void lineedit_insert(LineEdit *l, const char *s, size_t n)
{
	if (n > LINE_MAX_BYTES - l->text.len || n == 0)
		return;
	size_t old = l->text.len;
	buf_add(&l->text, s, n);
	if (l->text.len != old + n)
		return;
	memmove(l->text.s + l->cur + n, l->text.s + l->cur, old - l->cur);
	memcpy(l->text.s + l->cur, s, n);
	l->cur += n;
}

static size_t step_right(const LineEdit *l, size_t i)
{
	char g[CELL_BYTES];
	int w;
	return i < l->text.len ? i + text_grapheme(l->text.s + i, l->text.len - i, g, &w) : i;
}

static size_t step_left(const LineEdit *l, size_t i)
{
	size_t last = 0;
	for (size_t k = 0; k < i;) {
		last = k;
		size_t next = step_right(l, k);
		k = next > k ? next : k + 1;
	}
	return last;
}

static void cut(LineEdit *l, size_t from, size_t to)
{
	if (to <= from || to > l->text.len)
		return;
	memmove(l->text.s + from, l->text.s + to, l->text.len - to);
	l->text.len -= to - from;
	l->text.s[l->text.len] = 0;
	l->cur = from;
}

static size_t word_left(const LineEdit *l)
{
	size_t i = l->cur;
	while (i > 0 && l->text.s[i - 1] == ' ')
		i--;
	while (i > 0 && l->text.s[i - 1] != ' ')
		i--;
	return i;
}

static void history_go(LineEdit *l, int to)
{
	if (to < 0 || to > l->n_history || to == l->at)
		return;
	if (l->at == l->n_history) {
		free(l->kept);
		l->kept = strdup(buf_str(&l->text));
	}
	l->at = to;
	lineedit_set(l, to < l->n_history ? l->history[to] : l->kept ? l->kept : "");
}

static bool ctrl_key(LineEdit *l, uint32_t c)
{
	switch (c) {
	case 'a': l->cur = 0; return true;
	case 'e': l->cur = l->text.len; return true;
	case 'b': l->cur = step_left(l, l->cur); return true;
	case 'f': l->cur = step_right(l, l->cur); return true;
	case 'u': cut(l, 0, l->cur); return true;
	case 'k': cut(l, l->cur, l->text.len); return true;
	case 'w': cut(l, word_left(l), l->cur); return true;
	case 'h': cut(l, step_left(l, l->cur), l->cur); return true;
	default: return false;
	}
}

bool lineedit_key(LineEdit *l, Key k)
{
	char u[4];
	switch (k.code) {
	case AK_CHAR:
		if (k.mods & MOD_CTRL)
			return ctrl_key(l, k.cp);
		if (k.mods & MOD_ALT || k.cp < 0x20)
			return false;
		lineedit_insert(l, u, utf8_put(u, k.cp));
		return true;
	case AK_BACKSPACE: cut(l, step_left(l, l->cur), l->cur); return true;
	case AK_DELETE: cut(l, l->cur, step_right(l, l->cur)); return true;
	case AK_LEFT: l->cur = step_left(l, l->cur); return true;
	case AK_RIGHT: l->cur = step_right(l, l->cur); return true;
	case AK_HOME: l->cur = 0; return true;
	case AK_END: l->cur = l->text.len; return true;
	case AK_UP: history_go(l, l->at - 1); return true;
	case AK_DOWN: history_go(l, l->at + 1); return true;
	default: return false;
	}
}

/* Safe text of the two sides of the cursor, LF as its sign. */
static void line_safe(Buf *b, const char *s, size_t n, bool ascii)
{
	for (size_t i = 0, from = 0; i <= n; i++)
		if (i == n || s[i] == '\n') {
			safe_text(b, s + from, i - from, ascii ? SAFE_ASCII : 0);
			if (i < n)
				buf_adds(b, ascii ? "~" : "↵");
			from = i + 1;
		}
}

typedef struct At { int x, y; } At;

static At wrap_put(Win o, At at, const char *s, size_t n, int top, Style st)
{
	char g[CELL_BYTES];
	for (size_t i = 0, u; i < n; i += u) {
		int w;
		u = text_grapheme(s + i, n - i, g, &w);
		if (!u)
			break;
		if (w > 0 && at.x + w > o.w) {
			at.x = 0;
			at.y++;
		}
		if (w > 0 && at.y >= top && o.h > at.y - top)
			win_text(o, at.x, at.y - top, g, st);
		at.x += w > 0 ? w : 0;
	}
	return at;
}

void lineedit_draw(const LineEdit *l, Win o, const char *lead, Style lead_style, Style st, bool cursor)
{
	Buf a = BUF_INIT, b = BUF_INIT;
	Win nowhere = win_sub(o, 0, 0, o.w, 0);
	size_t cur = cursor ? l->cur : l->text.len;
	line_safe(&a, buf_str(&l->text), cur, o.g->ascii);
	line_safe(&b, buf_str(&l->text) + cur, l->text.len - cur, o.g->ascii);
	nowhere.w = o.w;
	At at = wrap_put(nowhere, (At){ text_columns(lead, strlen(lead)), 0 }, buf_str(&a), a.len, 0, st);
	int line = at.y + (at.x >= o.w), top = line >= o.h ? line - o.h + 1 : 0;
	if (top == 0)
		win_text(o, 0, 0, lead, lead_style);
	at = wrap_put(o, (At){ text_columns(lead, strlen(lead)), 0 }, buf_str(&a), a.len, top, st);
	wrap_put(o, at, buf_str(&b), b.len, top, st);
	if (cursor) {
		if (at.x >= o.w)
			at = (At){ 0, at.y + 1 };
		win_paint(o, at.x, at.y - top, 1, COLOR_DEFAULT, ATTR_REVERSE);
		o.g->cursor_x = o.x + at.x;
		o.g->cursor_y = o.y + at.y - top;
	}
	buf_done(&a);
	buf_done(&b);
}
