/* Cells, clipping and columns: whatever text comes, every row keeps its columns. */
#include "tests/unit.h"
#include "base/rng.h"
#include "base/utf8.h"
#include "view/grid.h"
#include "view/theme.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const Style plain = { COLOR_DEFAULT, COLOR_DEFAULT, 0 };

/* Every wide cell has its follower, every follower its wide cell, and a row of text is as wide as the
 * grid. */
static void grid_check(const Grid *g)
{
	for (int y = 0; y < g->h; y++) {
		int cols = 0;
		for (int x = 0; x < g->w; x++) {
			const Cell *c = grid_at(g, x, y);
			assert_true(c->width <= 2);
			if (c->width == 2) {
				assert_true(x + 1 < g->w);
				assert_int_equal(grid_at(g, x + 1, y)->width, 0);
			}
			if (c->width == 0) {
				assert_true(x > 0);
				assert_int_equal(grid_at(g, x - 1, y)->width, 2);
				assert_int_equal(c->s[0], 0);
			} else {
				assert_int_equal(text_columns(c->s, strlen(c->s)), c->width);
			}
			cols += c->width;
		}
		assert_int_equal(cols, g->w);
	}
}

static const char *row_text(const Grid *g, int y)
{
	static char buf[4][4096];
	static int at;
	Buf b = BUF_INIT;
	grid_to_text(g, &b);
	const char *p = buf_str(&b);
	while (y-- > 0)
		p = strchr(p, '\n') + 1;
	char *out = buf[at++ % 4];
	snprintf(out, 4096, "%.*s", (int)strcspn(p, "\n"), p);
	buf_done(&b);
	return out;
}

TEST(grid_wide_text_keeps_columns)
{
	Grid *g = grid_new(10, 2);
	win_text(grid_win(g), 0, 0, "a\xe5\x93\x88\xe5\xb0\x94" "b", plain);
	grid_check(g);
	assert_string_equal(row_text(g, 0), "a\xe5\x93\x88\xe5\xb0\x94" "b");
	assert_int_equal(grid_at(g, 1, 0)->width, 2);
	/* Overwriting the right half takes the left half away, too. */
	win_text(grid_win(g), 2, 0, "x", plain);
	grid_check(g);
	assert_string_equal(row_text(g, 0), "a x\xe5\xb0\x94" "b");
	/* and the other way round */
	win_text(grid_win(g), 3, 0, "y", plain);
	grid_check(g);
	assert_string_equal(row_text(g, 0), "a xy b");
	grid_free(g);
}

TEST(grid_wide_text_is_cut_at_the_edge)
{
	Grid *g = grid_new(5, 1);
	win_text(grid_win(g), 0, 0, "\xe5\x93\x88\xe5\xb0\x94\xe6\xbb\xa8", plain);
	grid_check(g);
	assert_string_equal(row_text(g, 0), "\xe5\x93\x88\xe5\xb0\x94");
	win_text(win_sub(grid_win(g), 1, 0, 2, 1), 0, 0, "abc", plain);
	grid_check(g);
	win_text(grid_win(g), -1, 0, "zz", plain);
	grid_check(g);
	grid_free(g);
}

TEST(grid_combining_marks_stay_with_their_letter)
{
	Grid *g = grid_new(4, 1);
	win_text(grid_win(g), 0, 0, "e\xcc\x81x", plain);
	grid_check(g);
	assert_string_equal(grid_at(g, 0, 0)->s, "e\xcc\x81");
	assert_string_equal(grid_at(g, 1, 0)->s, "x");
	/* A hundred marks do not overrun a cell. */
	char many[1 + 200 + 1] = "a";
	for (int i = 0; i < 100; i++)
		memcpy(many + 1 + 2 * i, "\xcc\x81", 3);
	win_text(grid_win(g), 0, 0, many, plain);
	grid_check(g);
	grid_free(g);
}

/* 1,000 strings of every kind: invalid UTF-8, controls, CJK, emoji, joiners, bidi marks. */
TEST(grid_a_thousand_strings_stay_aligned)
{
	static const char *const piece[] = { "a", " ", "\xe5\x93\x88", "\xf0\x9f\x98\x80", "e\xcc\x81",
		"\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x92\xbb", "\x1b[31m", "\t", "\n", "\r", "\xe2\x80\xae",
		"\xff", "\xc3", "\xe5\x93", "\xf4\x90\x80\x80", "\xed\xa0\x80", "\x7f", "\xc2\x9b",
		"\xef\xb8\x8f", "\xf0\x9f\x87\xa9\xf0\x9f\x87\xaa", "\xea\xb0\x80",
		"\xe1\x84\x80\xe1\x85\xa1", "\xf0\x9f\xab\xa8", "\xe2\x80\x8b", "\xcc\x81", "\xd8\xb3" };
	Rng r = rng_make(1, 2);
	Grid *g = grid_new(40, 3);
	for (int n = 0; n < 1000; n++) {
		Buf b = BUF_INIT;
		for (uint32_t k = rng_below(&r, 30); k > 0; k--)
			buf_adds(&b, piece[rng_below(&r, sizeof piece / sizeof *piece)]);
		g->ascii = n % 4 == 3;
		grid_clear(g, plain);
		Win o = win_sub(grid_win(g), (int)rng_below(&r, 5), 0, 10 + (int)rng_below(&r, 25), 2);
		win_foreign(o, (int)rng_below(&r, 8), 0, buf_str(&b), b.len, plain);
		win_textn(o, 0, 1, buf_str(&b), b.len, plain);
		win_foreign(o, (int)rng_below(&r, 8), 0, buf_str(&b), b.len / 2, plain);
		grid_check(g);
		for (int x = 0; x < g->w; x++)
			for (int y = 0; y < 2; y++) {
				const unsigned char *s = (const unsigned char *)grid_at(g, x, y)->s;
				assert_true(s[0] == 0 || (s[0] >= 0x20 && s[0] != 0x7f));
				assert_false(g->ascii && s[0] > 0x7e);
			}
		buf_done(&b);
	}
	grid_free(g);
}

TEST(grid_boxes_show_title_and_facts)
{
	Grid *g = grid_new(30, 3);
	Win in = win_box(grid_win(g), "load", "0 idle", plain, plain, false);
	assert_int_equal(in.w, 28);
	assert_int_equal(in.h, 1);
	assert_string_equal(row_text(g, 0),
		"\xe2\x95\xad load "
		"\xe2\x94\x80\xe2\x94\x80\xe2\x94\x80\xe2\x94\x80\xe2\x94\x80\xe2\x94\x80\xe2\x94\x80\xe2\x94"
		"\x80\xe2\x94\x80\xe2\x94\x80"
		"\xe2\x94\x80\xe2\x94\x80\xe2\x94\x80\xe2\x94\x80 0 idle \xe2\x95\xae");
	grid_resize(g, 8, 3);
	win_box(grid_win(g), "a very long title", "facts", plain, plain, true);
	grid_check(g);
	grid_resize(g, 1, 1);
	win_box(grid_win(g), "x", NULL, plain, plain, true);
	grid_check(g);
	grid_free(g);
}

TEST(grid_ascii_draws_nothing_else)
{
	Grid *g = grid_new(20, 4);
	g->ascii = true;
	win_box(grid_win(g), "t \xc2\xb7 u", "\xe2\x96\xb6 9", plain, plain, false);
	win_text(grid_win(g), 1, 1, "\xe2\x96\x88\xe2\x96\x88\xe5\x93\x88", plain);
	assert_string_equal(row_text(g, 0), "+ t . u ------ > 9 +");
	assert_string_equal(row_text(g, 1), "|##??              |");
	grid_free(g);
}

TEST(grid_ansi_at_each_depth)
{
	Grid *g = grid_new(2, 1);
	Buf b = BUF_INIT;
	win_text(grid_win(g), 0, 0, "a", (Style){ 0xff0000, 0x000080, ATTR_BOLD });
	grid_to_ansi(g, COLORS_TRUE, &b);
	assert_string_equal(buf_str(&b), "\x1b[0;1;38;2;255;0;0;48;2;0;0;128ma\x1b[0m \x1b[0m\n");
	buf_clear(&b);
	grid_to_ansi(g, COLORS_256, &b);
	assert_string_equal(buf_str(&b), "\x1b[0;1;38;5;196;48;5;18ma\x1b[0m \x1b[0m\n");
	buf_clear(&b);
	grid_to_ansi(g, COLORS_8, &b);
	assert_string_equal(buf_str(&b), "\x1b[0;1;31;44ma\x1b[0m \x1b[0m\n");
	buf_clear(&b);
	grid_to_ansi(g, COLORS_NONE, &b);
	assert_string_equal(buf_str(&b), "\x1b[0;1ma\x1b[0m \x1b[0m\n");
	buf_done(&b);
	grid_free(g);
}

TEST(grid_refuses_nothing_and_overruns_nothing)
{
	Grid *g = grid_new(0, -5);
	assert_int_equal(g->w, 1);
	assert_true(grid_resize(g, 100000, 2));
	assert_int_equal(g->w, GRID_MAX);
	win_put(grid_win(g), GRID_MAX - 1, 0, "\xe5\x93\x88", 2, plain);
	win_put(grid_win(g), 5, 7, "x", 1, plain);
	win_right(grid_win(g), 2, 0, "long text", plain);
	grid_check(g);
	grid_free(g);
}

/* --- colours --- */

static void to_lab(uint32_t rgb, double out[3])
{
	double v[3], xyz[3];
	static const double m[3][3] = { { 0.4124, 0.3576, 0.1805 }, { 0.2126, 0.7152, 0.0722 },
		{ 0.0193, 0.1192, 0.9505 } },
			    white[3] = { 0.9505, 1, 1.089 };
	for (int i = 0; i < 3; i++) {
		double c = (rgb >> (16 - 8 * i) & 255) / 255.0;
		v[i] = c <= 0.04045 ? c / 12.92 : pow((c + 0.055) / 1.055, 2.4);
	}
	for (int i = 0; i < 3; i++) {
		double t = (m[i][0] * v[0] + m[i][1] * v[1] + m[i][2] * v[2]) / white[i];
		xyz[i] = t > 0.008856 ? cbrt(t) : 7.787 * t + 16.0 / 116;
	}
	out[0] = 116 * xyz[1] - 16;
	out[1] = 500 * (xyz[0] - xyz[1]);
	out[2] = 200 * (xyz[1] - xyz[2]);
}

TEST(colors_viridis_rises_in_lightness)
{
	const Theme *t = theme_find("dark");
	double before = -1, a[3], b[3];
	for (int i = 0; i < 16; i++) {
		to_lab(color_viridis(t, i / 15.0), a);
		assert_true(a[0] > before + 2);
		before = a[0];
		if (i) {
			to_lab(color_viridis(t, (i - 1) / 15.0), b);
			assert_true(sqrt(pow(a[0] - b[0], 2) + pow(a[1] - b[1], 2) + pow(a[2] - b[2], 2)) >= 5);
		}
	}
	assert_int_equal(color_viridis(t, NAN), color_viridis(t, 0));
	assert_int_equal(color_viridis(t, 7), color_viridis(t, 1));
	assert_int_equal(color_viridis(theme_find("mono"), 0.5), COLOR_DEFAULT);
}

TEST(colors_nearest_in_256)
{
	assert_int_equal(color_to_256(0x000000), 16);
	assert_int_equal(color_to_256(0xffffff), 231);
	assert_int_equal(color_to_256(0x808080), 244);
	assert_int_equal(color_to_8(0xff8800), 1);
	assert_int_equal(color_to_8(0xffff00), 3);
	assert_int_equal(color_to_8(0x101010), 0);
}
