/* grid.c - cells, clipping windows and text with exact columns. See grid.h.
 *
 * The invariant kept by every write: a cell of width 2 is followed by a cell of width 0, and no other cell
 * has width 0. */
#include "view/grid.h"
#include "base/utf8.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const Cell blank = { " ", 1, 0, COLOR_DEFAULT, COLOR_DEFAULT };

static int size_clamp(int v)
{
	return v < 1 ? 1 : v > GRID_MAX ? GRID_MAX : v;
}

Grid *grid_new(int w, int h)
{
	Grid *g = calloc(1, sizeof *g);
	if (g && !grid_resize(g, w, h)) {
		free(g);
		return NULL;
	}
	return g;
}

void grid_free(Grid *g)
{
	if (!g)
		return;
	free(g->cell);
	free(g);
}

bool grid_resize(Grid *g, int w, int h)
{
	w = size_clamp(w);
	h = size_clamp(h);
	if (!g->cell || w != g->w || h != g->h) {
		Cell *c = malloc((size_t)w * (size_t)h * sizeof *c);
		if (!c)
			return false;
		free(g->cell);
		g->cell = c;
		g->w = w;
		g->h = h;
	}
	grid_clear(g, (Style){ COLOR_DEFAULT, COLOR_DEFAULT, 0 });
	return true;
}

void grid_clear(Grid *g, Style st)
{
	Cell c = blank;
	c.fg = st.fg;
	c.bg = st.bg;
	c.attr = st.attr;
	for (int i = 0; i < g->w * g->h; i++)
		g->cell[i] = c;
	g->cursor_x = g->cursor_y = -1;
}

const Cell *grid_at(const Grid *g, int x, int y)
{
	return x < 0 || y < 0 || x >= g->w || y >= g->h ? &blank : &g->cell[(size_t)y * (size_t)g->w + (size_t)x];
}

bool cell_equal(const Cell *a, const Cell *b)
{
	return a->width == b->width && a->attr == b->attr && a->fg == b->fg && a->bg == b->bg &&
		strcmp(a->s, b->s) == 0;
}

Win grid_win(Grid *g)
{
	return (Win){ g, 0, 0, g->w, g->h };
}

Win win_sub(Win o, int x, int y, int w, int h)
{
	int x0 = x < 0 ? 0 : x, y0 = y < 0 ? 0 : y;
	int x1 = x + w > o.w ? o.w : x + w, y1 = y + h > o.h ? o.h : y + h;
	Win r = { o.g, o.x + x0, o.y + y0, x1 > x0 ? x1 - x0 : 0, y1 > y0 ? y1 - y0 : 0 };
	return r;
}

/* Half of a wide character must not stay behind when its other half is overwritten. */
static void cell_orphan(Grid *g, int x, int y)
{
	Cell *row = &g->cell[(size_t)y * (size_t)g->w];
	if (row[x].width == 0 && x > 0) {
		strcpy(row[x - 1].s, " ");
		row[x - 1].width = 1;
	}
	if (row[x].width == 2 && x + 1 < g->w) {
		strcpy(row[x + 1].s, " ");
		row[x + 1].width = 1;
	}
}

static void cell_set(Grid *g, int x, int y, const char *s, size_t n, int width, Style st)
{
	cell_orphan(g, x, y);
	Cell *c = &g->cell[(size_t)y * (size_t)g->w + (size_t)x];
	memcpy(c->s, s, n);
	c->s[n] = 0;
	c->width = (uint8_t)width;
	c->attr = st.attr;
	c->fg = st.fg;
	c->bg = st.bg;
}

static void put_bytes(Win o, int x, int y, const char *s, size_t n, int width, Style st)
{
	if (x < 0 || y < 0 || y >= o.h || x + width > o.w || width < 1 || n >= CELL_BYTES)
		return;
	if (o.g->ascii && ((unsigned char)s[0] >= 0x7f || n > 1)) {
		for (int i = 0; i < width; i++)
			cell_set(o.g, o.x + x + i, o.y + y, "?", 1, 1, st);
		return;
	}
	cell_set(o.g, o.x + x, o.y + y, s, n, width, st);
	if (width == 2) {
		cell_orphan(o.g, o.x + x + 1, o.y + y);
		Cell *c = &o.g->cell[(size_t)(o.y + y) * (size_t)o.g->w + (size_t)(o.x + x + 1)];
		*c = c[-1];
		c->s[0] = 0;
		c->width = 0;
		c[-1].width = 2;
		memcpy(c[-1].s, s, n);
		c[-1].s[n] = 0;
	}
}

void win_put(Win o, int x, int y, const char *s, int width, Style st)
{
	put_bytes(o, x, y, s, strlen(s), width, st);
}

void win_fill(Win o, Style st)
{
	for (int y = 0; y < o.h; y++)
		for (int x = 0; x < o.w; x++)
			cell_set(o.g, o.x + x, o.y + y, " ", 1, 1, st);
}

/* One printable character and the combining marks that follow it. What utf8_width calls unprintable comes
 * out as '?', so that even a string that skipped safe_text cannot move the terminal's cursor. */
size_t text_grapheme(const char *s, size_t n, char out[CELL_BYTES], int *width)
{
	uint32_t cp;
	if (n && (unsigned char)s[0] >= 0x20 && (unsigned char)s[0] < 0x7f &&
		(n == 1 || (unsigned char)s[1] < 0x80)) {
		out[0] = s[0];
		out[1] = 0;
		*width = 1;
		return 1;
	}
	size_t used = utf8_next(s, n, &cp), len = 0;
	int w = used ? utf8_width(cp) : 0;
	if (w < 0)
		cp = '?', w = 1;
	len = used ? utf8_put(out, cp) : 0;
	while (used < n && w > 0) {
		uint32_t next;
		size_t u = utf8_next(s + used, n - used, &next);
		int nw = utf8_width(next);
		if (u == 0 || nw != 0)
			break;
		if (len + 4 < CELL_BYTES)
			len += utf8_put(out + len, next);
		used += u;
	}
	out[len] = 0;
	*width = w;
	return used;
}

int text_columns(const char *s, size_t n)
{
	int cols = 0;
	char g[CELL_BYTES];
	while (n) {
		int w;
		size_t u = text_grapheme(s, n, g, &w);
		if (!u)
			break;
		cols += w;
		s += u;
		n -= u;
	}
	return cols;
}

/* Our own glyphs have plain twins: where the grid is ASCII the twin is drawn, one column for one. */
static const char *glyph_plain(const char *s)
{
	static const char *const twin[][2] = {
		{ "·", "." }, { "─", "-" }, { "│", "|" }, { "┌", "+" }, { "┐", "+" }, { "└", "+" },
		{ "┘", "+" }, { "├", "+" }, { "┤", "+" }, { "━", "=" }, { "┃", "|" }, { "╭", "+" },
		{ "╮", "+" }, { "╰", "+" }, { "╯", "+" }, { "▶", ">" }, { "►", ">" }, { "‖", "=" },
		{ "█", "#" }, { "▉", "#" }, { "▊", "#" }, { "▋", "=" }, { "▌", "=" }, { "▍", "-" },
		{ "▎", "-" }, { "▏", "." }, { "…", "~" }, { "×", "x" }, { "–", "-" }, { "›", ">" },
		{ "‹", "<" }, { "✓", "+" }, { "✗", "x" }, { "●", "*" }, { "○", "o" }, { "↵", "~" },
		{ "→", ">" }, { "←", "<" }, { "↑", "^" }, { "↓", "v" }, { "≈", "~" }, { "░", "." },
		{ "▒", ":" }, { "▓", "+" }, { "▁", "_" }, { "≥", ">" }, { "≤", "<" }, { "∞", "i" },
		{ "┊", ":" }, { "▸", ">" }, { "−", "-" }, { "▾", "v" }, { "◂", "<" }, { "⏎", "~" }, { "◆", "*" }, { "⌁", "~" },
	};
	for (size_t i = 0; i < sizeof twin / sizeof *twin; i++)
		if (strcmp(twin[i][0], s) == 0)
			return twin[i][1];
	return NULL;
}

int win_textn(Win o, int x, int y, const char *s, size_t n, Style st)
{
	char g[CELL_BYTES];
	while (n && x < o.w) {
		int w;
		size_t u = text_grapheme(s, n, g, &w);
		if (!u)
			break;
		s += u;
		n -= u;
		if (w < 1)
			continue;
		const char *plain = o.g->ascii && (unsigned char)g[0] >= 0x80 ? glyph_plain(g) : NULL;
		if (x + w > o.w && x < o.w)
			win_put(o, x, y, " ", 1, st);
		else
			win_put(o, x, y, plain ? plain : g, w, st);
		x += w;
	}
	return x;
}

int win_text(Win o, int x, int y, const char *s, Style st)
{
	return win_textn(o, x, y, s, strlen(s), st);
}

void win_cut(Win o, int x, int y, const char *s, Style st)
{
	win_text(o, x, y, s, st);
	if (o.w > 0 && x + text_columns(s, strlen(s)) > o.w)
		win_text(o, o.w - 1, y, "…", st);
}

int win_printf(Win o, int x, int y, Style st, const char *fmt, ...)
{
	char buf[1024];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(buf, sizeof buf, fmt, ap);
	va_end(ap);
	return win_text(o, x, y, buf, st);
}

void win_right(Win o, int x, int y, const char *s, Style st)
{
	win_text(o, x - text_columns(s, strlen(s)), y, s, st);
}

int win_foreign(Win o, int x, int y, const char *s, size_t n, Style st)
{
	Buf b = BUF_INIT;
	/* No more can be seen than four bytes a column and a few marks; longer input need not be made safe. */
	size_t most = (size_t)o.w * 24 + 64;
	safe_text(&b, s, n > most ? most : n, o.g->ascii ? SAFE_ASCII : 0);
	x = win_textn(o, x, y, buf_str(&b), b.len, st);
	buf_done(&b);
	return x;
}

void win_paint(Win o, int x, int y, int w, uint32_t bg, uint8_t attr_on)
{
	if (y < 0 || y >= o.h)
		return;
	for (int i = x < 0 ? 0 : x; i < x + w && i < o.w; i++) {
		Cell *c = &o.g->cell[(size_t)(o.y + y) * (size_t)o.g->w + (size_t)(o.x + i)];
		if (bg != COLOR_DEFAULT)
			c->bg = bg;
		c->attr |= attr_on;
	}
}

static void win_hline(Win o, int x, int y, int w, Style st)
{
	for (int i = 0; i < w; i++)
		win_text(o, x + i, y, "─", st);
}

static void box_frame(Win o, Style line)
{
	win_hline(o, 1, 0, o.w - 2, line);
	win_hline(o, 1, o.h - 1, o.w - 2, line);
	for (int y = 1; y < o.h - 1; y++) {
		win_text(o, 0, y, "│", line);
		win_text(o, o.w - 1, y, "│", line);
	}
	win_text(o, 0, 0, "╭", line);
	win_text(o, o.w - 1, 0, "╮", line);
	win_text(o, 0, o.h - 1, "╰", line);
	win_text(o, o.w - 1, o.h - 1, "╯", line);
}

/* The title wins over the facts when both do not fit. */
Win win_box(Win o, const char *title, const char *facts, Style line, Style text, bool focus)
{
	if (o.w < 4 || o.h < 3)
		return o;
	box_frame(o, line);
	if (focus)
		text.attr |= ATTR_BOLD;
	int room = o.w - 4, tw = title ? text_columns(title, strlen(title)) : 0,
	    fw = facts ? text_columns(facts, strlen(facts)) : 0;
	if (tw > 0) {
		Win t = win_sub(o, 2, 0, tw > room ? room : tw, 1);
		win_text(t, 0, 0, title, text);
		if (tw > room)
			win_text(t, t.w - 1, 0, "…", text);
		win_text(o, 1, 0, " ", line);
		win_text(o, 2 + t.w, 0, " ", line);
	}
	text.attr &= (uint8_t)~ATTR_BOLD;
	if (fw > 0 && tw + fw + 3 <= room) {
		win_right(o, o.w - 2, 0, facts, text);
		win_text(o, o.w - 2, 0, " ", line);
		win_text(o, o.w - 3 - fw, 0, " ", line);
	}
	return win_sub(o, 1, 1, o.w - 2, o.h - 2);
}
