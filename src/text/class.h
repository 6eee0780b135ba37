/* class.h - what the hand-written splitters ask of a character, as one byte of flags per code point. */
#ifndef TEXT_CLASS_H
#define TEXT_CLASS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CLASS_LOW = 0x40000, CLASS_HIGH_AT = 0xe0000, CLASS_HIGH = 0x1000 };
/* flags of the V3 patterns */
enum {
	V3_LETTER = 1, /* \p{L} \p{M} */
	V3_NUMBER = 2,
	V3_SIGN = 4, /* \p{P} \p{S} */
	V3_SPACE = 8,
	V3_LINE = 16, /* CR LF */
	V3_CJK = 32,
	V3_AZ = 64,
	V3_ASCII_SIGN = 128
};
/* flags of the V2 patterns */
enum { V2_LINE = 1, V2_SPACE = 2, V2_LETTER = 4, V2_SIGN = 8, V2_HAN = 16, V2_NUMBER = 32 };

typedef struct Classes { uint8_t low[CLASS_LOW], high[CLASS_HIGH]; } Classes;

/* NULL: out of memory. About one millisecond. */
Classes *classes_v3(void);
Classes *classes_v2(void);
/* Unicode White_Space, which is what \s means in these patterns. */
bool class_is_space(uint32_t cp);

/* Flags and length in bytes of the character at s, which must be valid UTF-8. */
static inline unsigned class_at(const Classes *c, const char *s, size_t *len)
{
	const unsigned char *p = (const unsigned char *)s;
	if (p[0] < 0x80) {
		*len = 1;
		return c->low[p[0]];
	}
	if (p[0] < 0xe0) {
		*len = 2;
		return c->low[(p[0] & 0x1fu) << 6 | (p[1] & 0x3fu)];
	}
	if (p[0] < 0xf0) {
		*len = 3;
		return c->low[(p[0] & 0xfu) << 12 | (p[1] & 0x3fu) << 6 | (p[2] & 0x3fu)];
	}
	uint32_t cp = (p[0] & 7u) << 18 | (p[1] & 0x3fu) << 12 | (p[2] & 0x3fu) << 6 | (p[3] & 0x3fu);
	*len = 4;
	if (cp < CLASS_LOW)
		return c->low[cp];
	return cp - CLASS_HIGH_AT < CLASS_HIGH ? c->high[cp - CLASS_HIGH_AT] : 0;
}
#endif
