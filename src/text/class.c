/* class.c - builds the table of character flags from the Unicode categories (base/utf8.h) and from the ranges
 * that the released patterns spell out. Code points between U+40000 and U+DFFFF and above U+E0FFF are
 * unassigned or private: no flag. */
#include "text/class.h"
#include "base/utf8.h"
#include <stdlib.h>
#include <string.h>

typedef struct Range { uint32_t from, to; } Range;

static const Range spaces[] = {
	{ 0x9, 0xd }, { 0x20, 0x20 }, { 0x85, 0x85 }, { 0xa0, 0xa0 }, { 0x1680, 0x1680 },
	{ 0x2000, 0x200a }, { 0x2028, 0x2029 }, { 0x202f, 0x202f }, { 0x205f, 0x205f },
	{ 0x3000, 0x3000 }, { 1, 0 },
};

static const Range cjk_v3[] = { { 0x4e00, 0x9fa5 }, { 0x3040, 0x309f }, { 0x30a0, 0x30ff }, { 1, 0 } };

/* Step 2 of the V2 patterns, as the file spells it out: cased letters of Unicode at its time. */
static const Range letters_v2[] = {
	{ 'A', 'Z' }, { 'a', 'z' }, { 0xb5, 0xb5 }, { 0xc0, 0xd6 }, { 0xd8, 0xf6 }, { 0xf8, 0x1ba },
	{ 0x1bc, 0x1bf }, { 0x1c4, 0x293 }, { 0x295, 0x2af }, { 0x370, 0x373 }, { 0x376, 0x377 },
	{ 0x37b, 0x37d }, { 0x37f, 0x37f }, { 0x386, 0x386 }, { 0x388, 0x38a }, { 0x38c, 0x38c },
	{ 0x38e, 0x3a1 }, { 0x3a3, 0x3f5 }, { 0x3f7, 0x481 }, { 0x48a, 0x52f }, { 0x531, 0x556 },
	{ 0x10a0, 0x10c5 }, { 0x13a0, 0x13f5 }, { 0x13f8, 0x13fd }, { 0x1c90, 0x1cba },
	{ 0x1cbd, 0x1cbf }, { 0x1d00, 0x1d2b }, { 0x1d6b, 0x1d77 }, { 0x1d79, 0x1d9a },
	{ 0x1e00, 0x1f15 }, { 0x1f18, 0x1f1d }, { 0x1f20, 0x1f45 }, { 0x1f48, 0x1f4d },
	{ 0x1f50, 0x1f57 }, { 0x1f59, 0x1f59 }, { 0x1f5b, 0x1f5b }, { 0x1f5d, 0x1f5d },
	{ 0x1f5f, 0x1f7d }, { 0x1f80, 0x1fb4 }, { 0x1fb6, 0x1fbc }, { 0x1fbe, 0x1fbe },
	{ 0x1fc2, 0x1fc4 }, { 0x1fc6, 0x1fcc }, { 0x1fd0, 0x1fd3 }, { 0x1fd6, 0x1fdb },
	{ 0x1fe0, 0x1fec }, { 0x1ff2, 0x1ff4 }, { 0x1ff6, 0x1ffc }, { 0x2102, 0x2102 },
	{ 0x2107, 0x2107 }, { 0x210a, 0x2113 }, { 0x2115, 0x2115 }, { 0x2119, 0x211d },
	{ 0x2124, 0x2124 }, { 0x2126, 0x2126 }, { 0x2128, 0x2128 }, { 0x212a, 0x212d },
	{ 0x212f, 0x2134 }, { 0x2139, 0x2139 }, { 0x213c, 0x213f }, { 0x2145, 0x2149 },
	{ 0x214e, 0x214e }, { 0x2183, 0x2184 }, { 0x2c00, 0x2c7b }, { 0x2c7e, 0x2ce4 },
	{ 0x2ceb, 0x2cee }, { 0x2cf2, 0x2cf3 }, { 0xa640, 0xa66d }, { 0xa680, 0xa69b },
	{ 0xa722, 0xa76f }, { 0xa771, 0xa787 }, { 0xa78b, 0xa78e }, { 0xab70, 0xabbf },
	{ 0xfb00, 0xfb06 }, { 0xfb13, 0xfb17 }, { 0xff21, 0xff3a }, { 0xff41, 0xff5a },
	{ 0x10400, 0x1044f }, { 0x104b0, 0x104d3 }, { 0x104d8, 0x104fb }, { 0x10c80, 0x10cb2 },
	{ 0x10cc0, 0x10cf2 }, { 0x118a0, 0x118df }, { 0x1e900, 0x1e943 }, { 1, 0 },
};

static const Range signs_v2[] = {
	{ '!', '/' }, { ':', '~' }, { 0xff01, 0xff0f }, { 0xff1a, 0xff5e }, { 0x2018, 0x201f },
	{ 0x3000, 0x3002 }, { 1, 0 },
};

static const Range han_v2[] = { { 0x4e00, 0x9fa5 }, { 0x800, 0x4e00 }, { 0xac00, 0xd7ff }, { 1, 0 } };

static void ranges_mark(Classes *c, const Range *r, uint8_t flag)
{
	for (; r->from <= r->to; r++)
		for (uint32_t cp = r->from; cp <= r->to; cp++)
			c->low[cp] |= flag;
}

bool class_is_space(uint32_t cp)
{
	for (const Range *r = spaces; r->from <= r->to; r++)
		if (cp >= r->from && cp <= r->to)
			return true;
	return false;
}

static uint8_t v3_category(uint32_t cp)
{
	switch (utf8_class(cp)) {
	case 'L': case 'M':
		return V3_LETTER;
	case 'N':
		return V3_NUMBER;
	case 'P': case 'S':
		return V3_SIGN;
	default:
		return 0;
	}
}

static uint8_t v2_category(uint32_t cp)
{
	return utf8_class(cp) == 'N' ? V2_NUMBER : 0;
}

typedef uint8_t (*CategoryFn)(uint32_t cp);

/* Places where all assigned characters are of one class: Han, Hangul, private use, the planes behind. Holes
 * there reach up to the next Unicode block, which begins at a multiple of 16: an aligned 16 whose first and
 * last agree need not be asked one by one. */
static const Range even[] = {
	{ 0x3400, 0x4dbf }, { 0x4e00, 0x9fff }, { 0xac00, 0xd7a3 }, { 0xd800, 0xf8ff },
	{ 0x20000, CLASS_LOW - 1 }, { 1, 0 },
};

static void categories_fill(Classes *c, CategoryFn fn)
{
	const Range *r = even;
	for (uint32_t cp = 0; cp < CLASS_LOW; cp++) {
		while (r->from <= r->to && cp > r->to)
			r++;
		c->low[cp] = fn(cp);
		if ((cp & 15) || r->from > r->to || cp < r->from || cp + 15 > r->to ||
			fn(cp + 15) != c->low[cp])
			continue;
		memset(c->low + cp, c->low[cp], 16);
		cp += 15;
	}
	for (uint32_t i = 0; i < CLASS_HIGH; i++)
		c->high[i] = fn(CLASS_HIGH_AT + i);
}

Classes *classes_v3(void)
{
	static const Range az[] = { { 'A', 'Z' }, { 'a', 'z' }, { 1, 0 } };
	static const Range ascii[] = { { '!', '/' }, { ':', '@' }, { '[', '`' }, { '{', '~' }, { 1, 0 } };
	static const Range line[] = { { '\n', '\n' }, { '\r', '\r' }, { 1, 0 } };
	Classes *c = calloc(1, sizeof *c);
	if (!c)
		return NULL;
	categories_fill(c, v3_category);
	ranges_mark(c, spaces, V3_SPACE);
	ranges_mark(c, line, V3_LINE);
	ranges_mark(c, cjk_v3, V3_CJK);
	ranges_mark(c, az, V3_AZ);
	ranges_mark(c, ascii, V3_ASCII_SIGN);
	return c;
}

Classes *classes_v2(void)
{
	static const Range line[] = { { '\n', '\n' }, { '\r', '\r' }, { 1, 0 } };
	Classes *c = calloc(1, sizeof *c);
	if (!c)
		return NULL;
	categories_fill(c, v2_category);
	ranges_mark(c, spaces, V2_SPACE);
	ranges_mark(c, line, V2_LINE);
	ranges_mark(c, letters_v2, V2_LETTER);
	ranges_mark(c, signs_v2, V2_SIGN);
	ranges_mark(c, han_v2, V2_HAN);
	return c;
}
