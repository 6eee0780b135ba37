/* paint.c - damage tracking: cells that changed are grouped into runs, runs are reached by the shortest of
 * the few moves that every ANSI terminal has, and colours are sent only when they differ from the last ones
 * sent.
 *
 * After a wide or composed character the cursor is placed anew, so that a terminal which counts its width
 * differently spoils one cell and not the row. */
#include "tui/paint.h"
#include <stdlib.h>
#include <string.h>

enum { COLOR_SLOTS = 256, GAP = 4, SYNC_FROM = 512 };

struct Paint {
	PaintOptions o;
	Grid *front;
	bool known;              /* front is what the terminal shows */
	int x, y;                /* the terminal's cursor, x -1: not known */
	int shown_x, shown_y;    /* where it was left visible, x -1: hidden */
	bool styled;             /* fg, bg, attr are what the terminal has */
	uint32_t fg, bg;
	uint8_t attr;
	struct { uint32_t rgb; int index; } slot[COLOR_SLOTS];
};

Paint *paint_new(const PaintOptions *o)
{
	Paint *p = calloc(1, sizeof *p);
	if (!p)
		return NULL;
	p->o = *o;
	p->front = grid_new(1, 1);
	if (!p->front) {
		free(p);
		return NULL;
	}
	for (int i = 0; i < COLOR_SLOTS; i++)
		p->slot[i].rgb = COLOR_DEFAULT;
	return p;
}

void paint_free(Paint *p)
{
	if (!p)
		return;
	grid_free(p->front);
	free(p);
}

void paint_forget(Paint *p)
{
	p->known = false;
}

/* --- bytes --- */

/* Room for the longest thing one cell can need is reserved by the caller, so these need no check. */
static void put_number(Buf *b, unsigned n)
{
	char d[12];
	int k = 0;
	do {
		d[k++] = (char)('0' + n % 10);
		n /= 10;
	} while (n);
	while (k)
		b->s[b->len++] = d[--k];
}

static void put_bytes(Buf *b, const char *s, size_t n)
{
	memcpy(b->s + b->len, s, n);
	b->len += n;
}

static int color_index(Paint *p, uint32_t rgb)
{
	unsigned h = (rgb * 2654435761u) >> 24;
	if (p->slot[h].rgb != rgb) {
		p->slot[h].rgb = rgb;
		p->slot[h].index = p->o.depth == COLORS_256 ? color_to_256(rgb) : color_to_8(rgb);
	}
	return p->slot[h].index;
}

/* One colour parameter with its leading ';'. base: 30 for letters, 40 for the ground. */
static void put_color(Paint *p, Buf *b, uint32_t rgb, unsigned base)
{
	b->s[b->len++] = ';';
	if (rgb == COLOR_DEFAULT) {
		put_number(b, base + 9);
	} else if (p->o.depth == COLORS_8) {
		put_number(b, base + (unsigned)color_index(p, rgb));
	} else if (p->o.depth == COLORS_256) {
		put_number(b, base + 8);
		put_bytes(b, ";5;", 3);
		put_number(b, (unsigned)color_index(p, rgb));
	} else {
		put_number(b, base + 8);
		put_bytes(b, ";2;", 3);
		put_number(b, rgb >> 16 & 255);
		b->s[b->len++] = ';';
		put_number(b, rgb >> 8 & 255);
		b->s[b->len++] = ';';
		put_number(b, rgb & 255);
	}
}

static void put_attrs(Buf *b, uint8_t attr)
{
	static const struct { uint8_t bit; const char *code; } attrs[] = {
		{ ATTR_BOLD, ";1" }, { ATTR_DIM, ";2" }, { ATTR_UNDERLINE, ";4" }, { ATTR_REVERSE, ";7" } };
	for (size_t i = 0; i < sizeof attrs / sizeof attrs[0]; i++)
		if (attr & attrs[i].bit)
			put_bytes(b, attrs[i].code, 2);
}

static bool style_same(const Paint *p, const Cell *c)
{
	return p->styled && p->attr == c->attr &&
		(p->o.depth == COLORS_NONE || (p->fg == c->fg && p->bg == c->bg));
}

/* "ESC[" params "m": from nothing when attributes have to go, else only what changed. */
static void put_style(Paint *p, Buf *b, const Cell *c)
{
	if (style_same(p, c))
		return;
	bool anew = !p->styled || (p->attr & ~c->attr);
	put_bytes(b, "\033[", 2);
	size_t first = b->len;
	if (anew)
		put_bytes(b, ";0", 2);
	put_attrs(b, anew ? c->attr : (uint8_t)(c->attr & ~p->attr));
	if (p->o.depth != COLORS_NONE) {
		if (anew ? c->fg != COLOR_DEFAULT : c->fg != p->fg)
			put_color(p, b, c->fg, 30);
		if (anew ? c->bg != COLOR_DEFAULT : c->bg != p->bg)
			put_color(p, b, c->bg, 40);
	}
	memmove(b->s + first, b->s + first + 1, b->len - first - 1); /* the first ';' */
	b->s[b->len - 1] = 'm';
	p->fg = c->fg;
	p->bg = c->bg;
	p->attr = c->attr;
	p->styled = true;
}

static void put_move(Paint *p, Buf *b, int x, int y)
{
	if (p->x == x && p->y == y)
		return;
	put_bytes(b, "\033[", 2);
	if (p->y == y && p->x >= 0 && x > p->x) {
		if (x - p->x > 1)
			put_number(b, (unsigned)(x - p->x));
		b->s[b->len++] = 'C';
	} else {
		put_number(b, (unsigned)y + 1);
		if (x) {
			b->s[b->len++] = ';';
			put_number(b, (unsigned)x + 1);
		}
		b->s[b->len++] = 'H';
	}
	p->x = x;
	p->y = y;
}

/* A cell's text. The view has made it safe; a control that slipped through becomes '?' all the same. */
static void put_text(Paint *p, Buf *b, const Cell *c)
{
	const unsigned char *s = (const unsigned char *)c->s;
	size_t n = strnlen(c->s, CELL_BYTES);
	bool bad = n == 0 || s[0] < 0x20 || s[0] == 0x7f || (s[0] == 0xc2 && s[1] < 0xa0) ||
		(s[0] >= 0x80 && !p->o.utf8);
	if (!bad && !p->o.utf8)
		n = 1; /* the letter without its marks */
	if (bad)
		put_bytes(b, n ? "??" : "  ", c->width == 2 ? 2 : 1);
	else
		put_bytes(b, c->s, n);
	p->x += c->width == 2 ? 2 : 1;
	size_t one = s[0] < 0x80 ? 1 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	if (!bad && (c->width == 2 || n > one))
		p->x = -1;
}

/* --- frames --- */

/* Cells between the cursor and x on the same row, when it is shorter to print them than to jump over them. */
static void fill_gap(Paint *p, Buf *b, const Grid *g, int x, int y)
{
	if (p->y != y || p->x < 0 || x <= p->x || x - p->x >= GAP)
		return;
	const Cell *row = g->cell + (size_t)y * (size_t)g->w;
	for (int i = p->x; i < x; i++)
		if (!style_same(p, &row[i]) || row[i].width != 1 || row[i].s[1] || row[i].s[0] < 0x20 ||
			row[i].s[0] > 0x7e)
			return;
	for (int i = p->x; i < x; i++)
		put_text(p, b, &row[i]);
}

static bool paint_row(Paint *p, Buf *b, const Grid *g, int y)
{
	const Cell *now = g->cell + (size_t)y * (size_t)g->w;
	Cell *old = p->front->cell + (size_t)y * (size_t)g->w;
	for (int x = 0; x < g->w; x++) {
		if (cell_equal(&now[x], &old[x]))
			continue;
		int from = now[x].width == 0 && x > 0 ? x - 1 : x;
		if (!buf_reserve(b, 128))
			return false;
		fill_gap(p, b, g, from, y);
		put_move(p, b, from, y);
		put_style(p, b, &now[from]);
		put_text(p, b, &now[from]);
		old[from] = now[from];
		if (now[from].width == 2 && from + 1 < g->w) {
			old[from + 1] = now[from + 1];
			x = from + 1;
		}
	}
	return true;
}

static bool paint_clear(Paint *p, const Grid *g, Buf *b)
{
	if ((p->front->w != g->w || p->front->h != g->h) && !grid_resize(p->front, g->w, g->h))
		return false;
	grid_clear(p->front, (Style){ COLOR_DEFAULT, COLOR_DEFAULT, 0 });
	buf_adds(b, "\033[?25l\033[0m\033[H\033[2J");
	p->x = p->y = 0;
	p->fg = p->bg = COLOR_DEFAULT;
	p->attr = 0;
	p->styled = p->known = true;
	p->shown_x = -1;
	return !b->failed;
}

/* The real cursor stands where the view wants it: screen readers and input methods follow it. */
static void paint_cursor(Paint *p, Buf *b, const Grid *g)
{
	bool show = g->cursor_x >= 0 && g->cursor_x < g->w && g->cursor_y >= 0 && g->cursor_y < g->h;
	if (show) {
		put_move(p, b, g->cursor_x, g->cursor_y);
		if (p->shown_x < 0)
			put_bytes(b, "\033[?25h", 6);
	}
	p->shown_x = show ? g->cursor_x : -1;
	p->shown_y = show ? g->cursor_y : -1;
}

static bool paint_body(Paint *p, const Grid *g, Buf *out)
{
	bool ok = true;
	if (!p->known || p->front->w != g->w || p->front->h != g->h)
		ok = paint_clear(p, g, out);
	for (int y = 0; y < g->h && ok; y++)
		ok = paint_row(p, out, g, y);
	return ok && buf_reserve(out, 128);
}

/* Puts head before what was appended from place at on; there is room. */
static void put_before(Buf *b, size_t at, const char *head, size_t n)
{
	memmove(b->s + at + n, b->s + at, b->len - at);
	memcpy(b->s + at, head, n);
	b->len += n;
}

bool paint_frame(Paint *p, const Grid *g, Buf *out)
{
	size_t at = out->len;
	if (!paint_body(p, g, out)) {
		p->known = false;
		out->len = at;
		return false;
	}
	if (out->len > at && p->shown_x >= 0) { /* a cursor that runs over the screen as it is drawn flickers */
		put_before(out, at, "\033[?25l", 6);
		p->shown_x = -1;
	}
	bool want = g->cursor_x >= 0;
	if (out->len > at || want != (p->shown_x >= 0) || p->shown_x != g->cursor_x ||
		p->shown_y != g->cursor_y) {
		if (!want && p->shown_x >= 0)
			put_bytes(out, "\033[?25l", 6);
		paint_cursor(p, out, g);
	}
	if (p->o.sync && out->len - at > SYNC_FROM) {
		put_before(out, at, "\033[?2026h", 8);
		put_bytes(out, "\033[?2026l", 8);
	}
	out->s[out->len] = 0;
	return true;
}
