/* theme.c - the colour tables. See theme.h. Viridis: sample points of the published map (van der Walt and
 * Smith, CC0). */
#include "view/theme.h"
#include <math.h>
#include <string.h>

#define D COLOR_DEFAULT
static const Theme theme_table[] = {
	{ "dark", false, 0xd0d4dc, 0x14161b, .text = { D, D, 0 }, .dim = { 0x7d8590, D, 0 },
		.strong = { 0xf0f3f6, D, ATTR_BOLD }, .title = { 0xb4bcc8, D, 0 }, .line = { 0x444c56, D, 0 },
		.line_focus = { 0x6ea8d8, D, 0 }, .key = { 0x6ea8d8, D, 0 }, .given = { 0x8b949e, D, 0 },
		.made = { 0xe6edf3, D, 0 }, .accent = { 0x56b4e9, D, 0 }, .good = { 0x2dbe8d, D, 0 },
		.warn = { 0xe69f00, D, 0 }, .select = { 0xf0f3f6, 0x26405a, 0 }, .bar = { 0x3f9fbf, D, 0 },
		.track = { 0x30363d, D, 0 },
		.category = { 0x56b4e9, 0xe69f00, 0x2dbe8d, 0xcc79a7, 0xf0e442, 0xd55e00 } },
	{ "light", false, 0x24292f, 0xffffff, .text = { D, D, 0 }, .dim = { 0x6a737d, D, 0 },
		.strong = { 0x0b0d10, D, ATTR_BOLD }, .title = { 0x42495a, D, 0 }, .line = { 0xb8bfc7, D, 0 },
		.line_focus = { 0x0f5f9e, D, 0 }, .key = { 0x0f5f9e, D, 0 }, .given = { 0x6a737d, D, 0 },
		.made = { 0x111418, D, 0 }, .accent = { 0x0072b2, D, 0 }, .good = { 0x007a55, D, 0 },
		.warn = { 0xa84f00, D, 0 }, .select = { 0x0b0d10, 0xcfe3f5, 0 }, .bar = { 0x2b7fa8, D, 0 },
		.track = { 0xd8dee4, D, 0 },
		.category = { 0x0072b2, 0xb06f00, 0x007a55, 0xa8497f, 0x7a6f00, 0xb34700 } },
	{ "mono", true, 0xd0d4dc, 0x14161b, .text = { D, D, 0 }, .dim = { D, D, ATTR_DIM },
		.strong = { D, D, ATTR_BOLD }, .title = { D, D, 0 }, .line = { D, D, ATTR_DIM },
		.line_focus = { D, D, 0 }, .key = { D, D, ATTR_BOLD }, .given = { D, D, ATTR_DIM },
		.made = { D, D, 0 }, .accent = { D, D, ATTR_BOLD }, .good = { D, D, 0 },
		.warn = { D, D, ATTR_BOLD }, .select = { D, D, ATTR_REVERSE }, .bar = { D, D, 0 },
		.track = { D, D, ATTR_DIM }, .category = { D, D, D, D, D, D } },
};
#undef D

const Theme *theme_at(int i)
{
	return i >= 0 && i < (int)(sizeof theme_table / sizeof *theme_table) ? &theme_table[i] : NULL;
}

const Theme *theme_find(const char *name)
{
	for (int i = 0; theme_at(i); i++)
		if (strcmp(theme_at(i)->name, name) == 0)
			return theme_at(i);
	return NULL;
}

uint32_t color_mix(uint32_t a, uint32_t b, double t)
{
	uint32_t out = 0;
	for (int shift = 0; shift <= 16; shift += 8) {
		double x = a >> shift & 255, y = b >> shift & 255;
		out |= (uint32_t)(x + (y - x) * t + 0.5) << shift;
	}
	return out;
}

static uint32_t color_ramp(const uint32_t *c, int n, double x)
{
	x = isnan(x) || x < 0 ? 0 : x > 1 ? 1 : x;
	double p = x * (n - 1);
	int i = (int)p;
	return i >= n - 1 ? c[n - 1] : color_mix(c[i], c[i + 1], p - i);
}

uint32_t color_viridis(const Theme *t, double x)
{
	static const uint32_t v[] = { 0x440154, 0x482878, 0x3e4989, 0x31688e, 0x26828e, 0x1f9e89, 0x35b779,
		0x6ece58, 0xb5de2b, 0xfde725 };
	if (t->mono)
		return COLOR_DEFAULT;
	return color_ramp(v, sizeof v / sizeof *v, strcmp(t->name, "light") == 0 ? 1 - x : x);
}

uint32_t color_diverging(const Theme *t, double x)
{
	static const uint32_t dark[] = { 0x6fb7ff, 0x2f6fb5, 0x22374f, 0x22252b, 0x573417, 0xb5651d, 0xffa94d };
	static const uint32_t light[] = { 0x0b4f8a, 0x4b93cc, 0xb9d5ec, 0xf4f4f2, 0xf6cfa6, 0xe08a2e, 0x9a4a00 };
	if (t->mono)
		return COLOR_DEFAULT;
	return color_ramp(strcmp(t->name, "light") == 0 ? light : dark, 7, (x + 1) / 2);
}

uint32_t color_on(uint32_t bg)
{
	double y = 0.299 * (bg >> 16 & 255) + 0.587 * (bg >> 8 & 255) + 0.114 * (bg & 255);
	return y > 128 ? 0x000000 : 0xffffff;
}
