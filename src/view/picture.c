/* picture.c - a grid as SVG or PNG through cairo (view/pen.h). Block elements and lines are drawn as
 * shapes, not glyphs, so that heat maps have no seams whatever fonts the machine has. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "view/grid.h"
#include "base/utf8.h"
#include <string.h>
#ifdef HAVE_CAIRO
#include "view/pen.h"

enum { CELL_W = 9, CELL_H = 18, FONT = 15 };
typedef struct Paper { cairo_t *c; uint32_t fg, bg; const Pen *pen; } Paper;

static void paper_color(Paper *p, uint32_t rgb, double alpha)
{
	p->pen->set_source_rgba(p->c, (rgb >> 16 & 255) / 255.0, (rgb >> 8 & 255) / 255.0,
		(rgb & 255) / 255.0, alpha);
}

static void paper_rect(Paper *p, double x, double y, double w, double h)
{
	p->pen->rectangle(p->c, x, y, w, h);
	p->pen->fill(p->c);
}

/* U+2580..259F as parts of the cell; false: not one of them. */
static bool paper_block(Paper *p, uint32_t cp, double x, double y)
{
	const double w = CELL_W, h = CELL_H;
	if (cp == 0x2580)
		paper_rect(p, x, y, w, h / 2);
	else if (cp >= 0x2581 && cp <= 0x2588)
		paper_rect(p, x, y + h * (0x2588 - cp) / 8.0, w, h * (cp - 0x2580) / 8.0);
	else if (cp >= 0x2589 && cp <= 0x258f)
		paper_rect(p, x, y, w * (0x2590 - cp) / 8.0, h);
	else if (cp == 0x2590)
		paper_rect(p, x + w / 2, y, w / 2, h);
	else
		return false;
	return true;
}

static bool paper_braille(Paper *p, uint32_t cp, double x, double y)
{
	static const unsigned char col[8] = { 0, 0, 0, 1, 1, 1, 0, 1 }, row[8] = { 0, 1, 2, 0, 1, 2, 3, 3 };
	if (cp < 0x2800 || cp > 0x28ff)
		return false;
	for (int i = 0; i < 8; i++)
		if ((cp - 0x2800) >> i & 1) {
			p->pen->arc(p->c, x + CELL_W * (col[i] * 0.5 + 0.25),
				y + CELL_H * (row[i] * 0.25 + 0.125), 1.5, 0, 6.2832);
			p->pen->fill(p->c);
		}
	return true;
}

/* Lines of boxes: arms left, right, up, down from the middle. */
static bool paper_line(Paper *p, uint32_t cp, double x, double y)
{
	static const struct { uint16_t cp; uint8_t arms; } shape[] = {
		{ 0x2500, 3 }, { 0x2502, 12 }, { 0x256d, 10 }, { 0x256e, 9 }, { 0x2570, 6 }, { 0x256f, 5 },
		{ 0x250a, 12 },
	};
	for (size_t i = 0; i < sizeof shape / sizeof *shape; i++) {
		if (shape[i].cp != cp)
			continue;
		double mx = x + CELL_W / 2.0, my = y + CELL_H / 2.0;
		unsigned a = shape[i].arms;
		paper_rect(p, a & 1 ? x : mx - 0.5, my - 0.5,
			(a & 1 ? CELL_W / 2.0 : 0) + (a & 2 ? CELL_W / 2.0 : 0) + 0.5, a & 3 ? 1 : 0);
		paper_rect(p, mx - 0.5, a & 4 ? y : my - 0.5, a & 12 ? 1 : 0,
			(a & 4 ? CELL_H / 2.0 : 0) + (a & 8 ? CELL_H / 2.0 : 0) + 0.5);
		return true;
	}
	return false;
}

static void paper_glyph(Paper *p, const Cell *c, double x, double y, uint32_t fg)
{
	uint32_t cp = 0;
	utf8_next(c->s, strlen(c->s), &cp);
	paper_color(p, fg, c->attr & ATTR_DIM ? 0.6 : 1.0);
	if (cp == ' ' || cp == 0)
		return;
	if (cp >= 0x2591 && cp <= 0x2593) {
		paper_color(p, fg, (cp - 0x2590) * 0.25);
		paper_rect(p, x, y, CELL_W, CELL_H);
		return;
	}
	if (paper_block(p, cp, x, y) || paper_braille(p, cp, x, y) || paper_line(p, cp, x, y))
		return;
	p->pen->select_font_face(p->c, "monospace", CAIRO_FONT_SLANT_NORMAL,
		c->attr & ATTR_BOLD ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
	p->pen->set_font_size(p->c, FONT);
	p->pen->move_to(p->c, x, y + CELL_H * 0.76);
	p->pen->show_text(p->c, c->s);
}

static void paper_cell(Paper *p, const Cell *c, int cx, int cy)
{
	double x = cx * CELL_W, y = cy * CELL_H, w = c->width * CELL_W;
	uint32_t fg = c->fg == COLOR_DEFAULT ? p->fg : c->fg, bg = c->bg == COLOR_DEFAULT ? p->bg : c->bg;
	if (c->attr & ATTR_REVERSE) {
		uint32_t t = fg;
		fg = bg;
		bg = t;
	}
	if (bg != p->bg) {
		paper_color(p, bg, 1);
		paper_rect(p, x, y, w, CELL_H);
	}
	paper_glyph(p, c, x, y, fg);
	if (c->attr & ATTR_UNDERLINE) {
		paper_color(p, fg, 1);
		paper_rect(p, x, y + CELL_H - 2, w, 1);
	}
}

static void paper_draw(const Pen *pen, cairo_surface_t *s, const Grid *g, uint32_t fg, uint32_t bg)
{
	Paper p = { pen->create(s), fg, bg, pen };
	pen->set_antialias(p.c, CAIRO_ANTIALIAS_GRAY);
	paper_color(&p, bg, 1);
	pen->paint(p.c);
	for (int y = 0; y < g->h; y++)
		for (int x = 0; x < g->w; x++)
			if (grid_at(g, x, y)->width)
				paper_cell(&p, grid_at(g, x, y), x, y);
	pen->destroy(p.c);
}

static cairo_status_t paper_write(void *ud, const unsigned char *data, unsigned n)
{
	Buf *b = ud;
	buf_add(b, data, n);
	return b->failed ? CAIRO_STATUS_NO_MEMORY : CAIRO_STATUS_SUCCESS;
}

static bool paper_check(const Pen *pen, cairo_surface_t *s, const Buf *out, Err *e)
{
	cairo_status_t st = pen->surface_status(s);
	pen->surface_destroy(s);
	if (st != CAIRO_STATUS_SUCCESS || out->failed)
		return err_set(e, E_5001, "drawing the picture: %s", pen->status_to_string(st));
	return true;
}

bool grid_to_svg(const Grid *g, uint32_t page_fg, uint32_t page_bg, Buf *out, Err *e)
{
	Pen pen;
	if (!pen_open(&pen, e))
		return false;
	cairo_surface_t *s = pen.svg_surface_create_for_stream(paper_write, out, g->w * CELL_W, g->h * CELL_H);
	paper_draw(&pen, s, g, page_fg, page_bg);
	pen.surface_finish(s);
	return paper_check(&pen, s, out, e);
}

bool grid_to_png(const Grid *g, uint32_t page_fg, uint32_t page_bg, Buf *out, Err *e)
{
	Pen pen;
	if (!pen_open(&pen, e))
		return false;
	cairo_surface_t *s = pen.image_surface_create(CAIRO_FORMAT_RGB24, g->w * CELL_W, g->h * CELL_H);
	paper_draw(&pen, s, g, page_fg, page_bg);
	if (pen.surface_status(s) == CAIRO_STATUS_SUCCESS)
		pen.surface_write_to_png_stream(s, paper_write, out);
	return paper_check(&pen, s, out, e);
}
#else
bool grid_to_svg(const Grid *g, uint32_t page_fg, uint32_t page_bg, Buf *out, Err *e)
{
	(void)g, (void)page_fg, (void)page_bg, (void)out;
	return err_set(e, E_2003,
		"svg: this lathe was built without cairo; use --as text, ansi, csv or json, or build with "
		"libcairo2-dev");
}

bool grid_to_png(const Grid *g, uint32_t page_fg, uint32_t page_bg, Buf *out, Err *e)
{
	(void)g, (void)page_fg, (void)page_bg, (void)out;
	return err_set(e, E_2003,
		"png: this lathe was built without cairo; use --as text, ansi, csv or json, or build with "
		"libcairo2-dev");
}
#endif
