/* ansi.c - a grid as plain text and as text with SGR colours, at four colour depths. */
#include "view/grid.h"
#include <string.h>

void grid_to_text(const Grid *g, Buf *out)
{
	for (int y = 0; y < g->h; y++) {
		int last = g->w - 1;
		while (last >= 0 && strcmp(grid_at(g, last, y)->s, " ") == 0)
			last--;
		for (int x = 0; x <= last; x++)
			buf_adds(out, grid_at(g, x, y)->s);
		buf_addc(out, '\n');
	}
}

static int cube_step(int v)
{
	return v < 48 ? 0 : v < 115 ? 1 : (v - 35) / 40;
}

static int square(int v)
{
	return v * v;
}

/* Nearest of the 6x6x6 cube and the 24 greys of the usual 256-colour palette. */
int color_to_256(uint32_t rgb)
{
	static const int level[6] = { 0, 95, 135, 175, 215, 255 };
	int r = (int)(rgb >> 16 & 255), g = (int)(rgb >> 8 & 255), b = (int)(rgb & 255);
	int cr = cube_step(r), cg = cube_step(g), cb = cube_step(b);
	int grey = (r + g + b) / 3, gi = grey < 8 ? 0 : grey > 238 ? 23 : (grey - 3) / 10, gv = 8 + 10 * gi;
	int dc = square(r - level[cr]) + square(g - level[cg]) + square(b - level[cb]);
	int dg = square(r - gv) + square(g - gv) + square(b - gv);
	return dg < dc ? 232 + gi : 16 + 36 * cr + 6 * cg + cb;
}

int color_to_8(uint32_t rgb)
{
	int r = (int)(rgb >> 16 & 255), g = (int)(rgb >> 8 & 255), b = (int)(rgb & 255);
	int top = r > g ? (r > b ? r : b) : (g > b ? g : b);
	if (top < 64)
		return 0;
	int cut = top * 5 / 8;
	return (r > cut ? 1 : 0) | (g > cut ? 2 : 0) | (b > cut ? 4 : 0);
}

static void color_sgr(uint32_t c, bool bg, ColorDepth depth, Buf *out)
{
	if (c == COLOR_DEFAULT || depth == COLORS_NONE)
		return;
	if (depth == COLORS_TRUE)
		buf_printf(out, ";%d;2;%u;%u;%u", bg ? 48 : 38, c >> 16 & 255, c >> 8 & 255, c & 255);
	else if (depth == COLORS_256)
		buf_printf(out, ";%d;5;%d", bg ? 48 : 38, color_to_256(c));
	else
		buf_printf(out, ";%d", (bg ? 40 : 30) + color_to_8(c));
}

/* The SGR parameters for a style, as "0;1;38;5;12". */
static void style_sgr(Style st, ColorDepth depth, Buf *out)
{
	buf_adds(out, "0");
	if (st.attr & ATTR_BOLD)
		buf_adds(out, ";1");
	if (st.attr & ATTR_DIM)
		buf_adds(out, ";2");
	if (st.attr & ATTR_UNDERLINE)
		buf_adds(out, ";4");
	if (st.attr & ATTR_REVERSE)
		buf_adds(out, ";7");
	color_sgr(st.fg, false, depth, out);
	color_sgr(st.bg, true, depth, out);
}

static void row_to_ansi(const Grid *g, int y, ColorDepth depth, Buf *out)
{
	Style now = { COLOR_DEFAULT, COLOR_DEFAULT, 0 };
	bool styled = false;
	for (int x = 0; x < g->w; x++) {
		const Cell *c = grid_at(g, x, y);
		if (c->width == 0)
			continue;
		if (c->fg != now.fg || c->bg != now.bg || c->attr != now.attr) {
			now = (Style){ c->fg, c->bg, c->attr };
			buf_adds(out, "\x1b[");
			style_sgr(now, depth, out);
			buf_addc(out, 'm');
			styled = true;
		}
		buf_adds(out, c->s);
	}
	buf_adds(out, styled ? "\x1b[0m\n" : "\n");
}

void grid_to_ansi(const Grid *g, ColorDepth depth, Buf *out)
{
	for (int y = 0; y < g->h; y++)
		row_to_ansi(g, y, depth, out);
}
