/* test_paint.c - after any series of frames a terminal shows the last grid. The terminal is libvterm where it
 * is there, and the frames' sizes are checked without it. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "base/clock.h"
#include "tests/unit.h"
#include "tui/paint.h"
#include <stdio.h>
#include <string.h>
#ifdef HAVE_VTERM
#include <vterm.h>
#endif

static const Style plain = { COLOR_DEFAULT, COLOR_DEFAULT, 0 };

static unsigned next(unsigned *r)
{
	*r = *r * 1664525u + 1013904223u;
	return *r >> 8;
}

/* Something of everything: letters, wide and composed characters, styles, in random places. */
static void scribble(Grid *g, unsigned *r, int n)
{
	static const struct {
		const char *s;
		int w;
	} glyph[] = { { "a", 1 }, { "#", 1 }, { "\xe4\xb8\xad", 2 }, { "e\xcc\x81", 1 }, { "\xe2\x96\x80", 1 },
		{ "\xf0\x9f\x98\x80", 2 }, { " ", 1 } };
	for (int i = 0; i < n; i++) {
		unsigned k = next(r) % 7;
		Style st = { next(r) & 1 ? COLOR_DEFAULT : next(r) & 0xffffff,
			next(r) & 1 ? COLOR_DEFAULT : next(r) & 0xffffff, (uint8_t)(next(r) & 15) };
		win_put(grid_win(g), (int)(next(r) % (unsigned)g->w), (int)(next(r) % (unsigned)g->h), glyph[k].s,
			glyph[k].w, st);
	}
}

TEST(paint_equal_frames_are_silent)
{
	Paint *p = paint_new(&(PaintOptions){ COLORS_TRUE, true, true });
	Grid *g = grid_new(80, 24);
	Buf b = BUF_INIT;
	unsigned r = 3;
	scribble(g, &r, 500);
	assert_true(paint_frame(p, g, &b));
	assert_true(b.len > 500);
	buf_clear(&b);
	assert_true(paint_frame(p, g, &b));
	assert_int_equal(b.len, 0);
	win_put(grid_win(g), 40, 12, "x", 1, plain);
	assert_true(paint_frame(p, g, &b));
	assert_in_range(b.len, 1, 40);
	buf_done(&b);
	grid_free(g);
	paint_free(p);
}

TEST(paint_without_colours_sends_none)
{
	Paint *p = paint_new(&(PaintOptions){ COLORS_NONE, false, false });
	Grid *g = grid_new(80, 24);
	Buf b = BUF_INIT;
	unsigned r = 9;
	scribble(g, &r, 2000);
	assert_true(paint_frame(p, g, &b));
	assert_null(strstr(b.s, "38;"));
	for (size_t i = 0; i < b.len; i++)
		assert_true((unsigned char)b.s[i] < 0x7f);
	buf_done(&b);
	grid_free(g);
	paint_free(p);
}

TEST(paint_controls_in_cells_do_not_get_out)
{
	Paint *p = paint_new(&(PaintOptions){ COLORS_256, false, true });
	Grid *g = grid_new(10, 2);
	Buf b = BUF_INIT;
	strcpy(g->cell[3].s, "\033c");
	strcpy(g->cell[4].s, "\xc2\x9b" "31m");
	strcpy(g->cell[5].s, "\n");
	assert_true(paint_frame(p, g, &b));
	assert_null(strstr(b.s, "\033c"));
	assert_null(strstr(b.s, "\xc2\x9b"));
	assert_null(strchr(b.s, '\n'));
	buf_done(&b);
	grid_free(g);
	paint_free(p);
}

/* 200x60, every cell another pair of colours: the worst frame there is. */
TEST(paint_full_repaint_is_quick)
{
	Paint *p = paint_new(&(PaintOptions){ COLORS_TRUE, true, true });
	Grid *g = grid_new(200, 60);
	Buf b = BUF_INIT;
	unsigned r = 5;
	double best = 1;
	for (int round = 0; round < 8; round++) {
		for (int i = 0; i < g->w * g->h; i++)
			win_put(grid_win(g), i % g->w, i / g->w, "\xe2\x96\x80", 1,
				(Style){ next(&r) & 0xffffff, next(&r) & 0xffffff, 0 });
		buf_clear(&b);
		double t = clock_now();
		assert_true(paint_frame(p, g, &b));
		t = clock_now() - t;
		best = t < best ? t : best;
	}
	print_message("# full repaint 200x60: %.2f ms, %zu bytes\n", best * 1e3, b.len);
	assert_true(best < 0.05); /* 8 ms is the goal; sanitizers and busy machines are slower */
	buf_done(&b);
	grid_free(g);
	paint_free(p);
}

#ifdef HAVE_VTERM
static void cell_text(const VTermScreenCell *c, char out[64])
{
	size_t n = 0;
	for (int i = 0; i < VTERM_MAX_CHARS_PER_CELL && c->chars[i] && c->chars[i] != (uint32_t)-1; i++) {
		uint32_t u = c->chars[i];
		if (u < 0x80) {
			out[n++] = (char)u;
		} else if (u < 0x800) {
			out[n++] = (char)(0xc0 | u >> 6);
			out[n++] = (char)(0x80 | (u & 63));
		} else if (u < 0x10000) {
			out[n++] = (char)(0xe0 | u >> 12);
			out[n++] = (char)(0x80 | (u >> 6 & 63));
			out[n++] = (char)(0x80 | (u & 63));
		} else {
			out[n++] = (char)(0xf0 | u >> 18);
			out[n++] = (char)(0x80 | (u >> 12 & 63));
			out[n++] = (char)(0x80 | (u >> 6 & 63));
			out[n++] = (char)(0x80 | (u & 63));
		}
	}
	out[n] = 0;
}

static bool color_is(const VTermColor *c, uint32_t want, bool fg)
{
	if (want == COLOR_DEFAULT)
		return fg ? VTERM_COLOR_IS_DEFAULT_FG(c) : VTERM_COLOR_IS_DEFAULT_BG(c);
	return VTERM_COLOR_IS_RGB(c) && (uint32_t)(c->rgb.red << 16 | c->rgb.green << 8 | c->rgb.blue) == want;
}

static void same_screen(VTermScreen *s, const Grid *g)
{
	for (int y = 0; y < g->h; y++)
		for (int x = 0; x < g->w; x++) {
			VTermScreenCell c;
			char text[64];
			const Cell *want = grid_at(g, x, y);
			if (want->width == 0)
				continue;
			assert_true(vterm_screen_get_cell(s, (VTermPos){ .row = y, .col = x }, &c));
			cell_text(&c, text);
			if (strcmp(want->s, text[0] ? text : " ") || !color_is(&c.fg, want->fg, true) ||
				!color_is(&c.bg, want->bg, false))
				fail_msg("cell %d,%d: `%s` %06x on %06x, not `%s`", x, y, text, want->fg, want->bg, want->s);
			assert_int_equal(!!c.attrs.bold, !!(want->attr & ATTR_BOLD));
			assert_int_equal(!!c.attrs.reverse, !!(want->attr & ATTR_REVERSE));
			assert_int_equal(!!c.attrs.underline, !!(want->attr & ATTR_UNDERLINE));
		}
}

static void play(int w, int h, unsigned seed)
{
	VTerm *vt = vterm_new(h, w);
	VTermScreen *s = vterm_obtain_screen(vt);
	Paint *p = paint_new(&(PaintOptions){ COLORS_TRUE, true, true });
	Grid *g = grid_new(w, h);
	Buf b = BUF_INIT;
	unsigned r = seed;
	vterm_set_utf8(vt, 1);
	vterm_screen_reset(s, 1);
	vterm_input_write(vt, "\033[?7l", 5);
	for (int frame = 0; frame < 60; frame++) {
		if (frame % 20 == 19)
			grid_clear(g, plain);
		scribble(g, &r, frame % 3 ? 10 : w * h / 2);
		g->cursor_x = frame % 5 ? (int)(next(&r) % (unsigned)w) : -1;
		g->cursor_y = (int)(next(&r) % (unsigned)h);
		buf_clear(&b);
		assert_true(paint_frame(p, g, &b));
		vterm_input_write(vt, b.s ? b.s : "", b.len);
		same_screen(s, g);
		VTermPos at;
		vterm_state_get_cursorpos(vterm_obtain_state(vt), &at);
		if (g->cursor_x >= 0) {
			assert_int_equal(at.col, g->cursor_x);
			assert_int_equal(at.row, g->cursor_y);
		}
	}
	buf_done(&b);
	grid_free(g);
	paint_free(p);
	vterm_free(vt);
}

TEST(paint_a_terminal_shows_the_grid)
{
	play(80, 24, 1);
	play(20, 5, 2);
	play(200, 60, 3);
	play(1, 1, 4);
	play(2, 3, 5);
}
#endif
