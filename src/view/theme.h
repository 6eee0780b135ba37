/* theme.h - colours: viridis for magnitudes, blue-white-orange around zero, six named categories
 * (Okabe-Ito, safe for the colour-blind), and the quiet greys of frames and labels, for dark, light and
 * colourless pages. */
#ifndef VIEW_THEME_H
#define VIEW_THEME_H
#include "view/grid.h"

enum { CATEGORIES = 6 };
typedef struct Theme {
	const char *name;
	bool mono;                       /* no colour may carry a fact */
	uint32_t page_fg, page_bg;       /* for pictures; terminals keep their own */
	Style text, dim, strong, title, line, line_focus, key, given, made, accent, good, warn, select, bar,
		track;
	uint32_t category[CATEGORIES];
} Theme;

const Theme *theme_find(const char *name);   /* NULL: unknown */
const Theme *theme_at(int i);                /* NULL after the last */
/* x in 0..1, clamped. On light pages viridis runs from light to dark so that small is quiet on both. */
uint32_t color_viridis(const Theme *t, double x);
uint32_t color_diverging(const Theme *t, double x);   /* -1 blue, 0 page-near, +1 orange */
/* Black or white, whichever reads better on bg. */
uint32_t color_on(uint32_t bg);
uint32_t color_mix(uint32_t a, uint32_t b, double t);
#endif
