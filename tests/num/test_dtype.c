/* test_dtype.c - every code of every 16- and 8-bit format, rounding at and beside each midpoint, unaligned sources. */
#include "tests/unit.h"
#include "num/dtype.h"
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

typedef struct Format {
	Dtype d;
	unsigned bits, mant;
	int bias;
	bool has_inf;
	double max;
} Format;

static const Format FORMATS[] = {
	{ DT_BF16, 16, 7, 127, true, 0x1.fep127 }, { DT_F16, 16, 10, 15, true, 65504 },
	{ DT_F8_E4M3, 8, 3, 7, false, 448 }, { DT_F8_E5M2, 8, 2, 15, true, 57344 },
};

/* The value of a code from the definition of the format, in double. */
static double value_of(const Format *f, unsigned code)
{
	unsigned e = (code & ((1u << (f->bits - 1)) - 1)) >> f->mant, m = code & ((1u << f->mant) - 1), top = (1u << (f->bits - 1 - f->mant)) - 1;
	double sign = code >> (f->bits - 1) ? -1 : 1;
	if (f->has_inf && e == top)
		return m ? (double)NAN : sign * (double)INFINITY;
	if (!f->has_inf && e == top && m == (1u << f->mant) - 1)
		return (double)NAN;
	return sign * (e ? ldexp(1 + ldexp(m, -(int)f->mant), (int)e - f->bias) : ldexp(m, 1 - f->bias - (int)f->mant));
}

static unsigned encode(const Format *f, double v)
{
	real r = (real)v;
	unsigned char out[2] = { 0 };
	dtype_from_real(f->d, &r, 1, out);
	return f->bits == 16 ? (unsigned)out[0] | (unsigned)out[1] << 8 : out[0];
}

static double decode(const Format *f, unsigned code)
{
	unsigned char in[3] = { 0, (unsigned char)code, (unsigned char)(code >> 8) }; /* one byte off alignment */
	real r;
	dtype_to_real(f->d, in + 1, 1, &r);
	return (double)r;
}

TEST(dtype_every_code_decodes)
{
	for (size_t i = 0; i < 4; i++)
		for (unsigned c = 0; c < 1u << FORMATS[i].bits; c++) {
			double want = value_of(&FORMATS[i], c), got = decode(&FORMATS[i], c);
			if (!(want == got && signbit(want) == signbit(got)) && !(isnan(want) && isnan(got)))
				fail_msg("%s code %x: %g, not %g", dtype_name(FORMATS[i].d), c, got, want);
		}
}

TEST(dtype_every_code_round_trips)
{
	for (size_t i = 0; i < 4; i++)
		for (unsigned c = 0; c < 1u << FORMATS[i].bits; c++) {
			double v = value_of(&FORMATS[i], c);
			if (isnan(v)) {
				assert_true(isnan(decode(&FORMATS[i], encode(&FORMATS[i], v))));
			} else if (isinf(v) && FORMATS[i].bits == 8) {
				assert_true(decode(&FORMATS[i], encode(&FORMATS[i], v)) == copysign(FORMATS[i].max, v));
			} else {
				assert_int_equal(encode(&FORMATS[i], v), c);
			}
		}
}

/* Between neighbours: below the middle goes down, above it up, the middle itself to the even code. */
static void check_between(const Format *f, unsigned lo, double sign)
{
	double a = value_of(f, lo), b = value_of(f, lo + 1), mid = (a + b) / 2;
	unsigned s = sign < 0 ? 1u << (f->bits - 1) : 0, even = lo & 1 ? lo + 1 : lo;
	assert_int_equal(encode(f, sign * mid), even | s);
	assert_int_equal(encode(f, sign * (double)nextafterf((float)mid, 0)), lo | s);
	assert_int_equal(encode(f, sign * (double)nextafterf((float)mid, INFINITY)), (lo + 1) | s);
}

TEST(dtype_rounds_to_nearest_even)
{
	for (size_t i = 0; i < 4; i++)
		for (unsigned c = 0; value_of(&FORMATS[i], c) < FORMATS[i].max; c++) {
			check_between(&FORMATS[i], c, 1);
			check_between(&FORMATS[i], c, -1);
		}
}

TEST(dtype_above_the_largest)
{
	const Format *bf16 = &FORMATS[0], *f16 = &FORMATS[1], *e4m3 = &FORMATS[2], *e5m2 = &FORMATS[3];
	assert_int_equal(encode(f16, 65519.99), 0x7bff);
	assert_int_equal(encode(f16, 65520), 0x7c00);
	assert_int_equal(encode(f16, 1e30), 0x7c00);
	assert_int_equal(encode(bf16, (double)0x1.ffp127f), 0x7f80);
	for (double v = 449; v < 1e30; v *= 3)
		assert_int_equal(encode(e4m3, -v), 0xfe);
	for (double v = 57345; v < 1e30; v *= 3)
		assert_int_equal(encode(e5m2, v), 0x7b);
	assert_int_equal(e4m3_from_f32(INFINITY), 0x7e);
	assert_int_equal(e4m3_from_f32(-INFINITY), 0xfe);
}

#ifdef LATHE_DOUBLE
TEST(dtype_double_rounds_once)
{
	/* Just above a bf16 midpoint by less than an f32 can hold: through f32 it would fall on the midpoint and go down. */
	assert_int_equal(encode(&FORMATS[0], 1 + 0x1p-8 + 0x1p-40), 0x3f81);
	assert_int_equal(encode(&FORMATS[0], 1 + 0x1p-8), 0x3f80);
	assert_int_equal(encode(&FORMATS[0], 1 + 3 * 0x1p-8 - 0x1p-40), 0x3f81);
}
#endif

TEST(dtype_names_round_trip)
{
	Dtype d;
	for (int i = 0; i < DT_COUNT; i++) {
		assert_true(dtype_parse(dtype_name((Dtype)i), &d));
		assert_int_equal(d, i);
		assert_true(dtype_bits(d) >= 4);
	}
	assert_false(dtype_parse("bf16", &d));
	assert_false(dtype_parse("", &d));
	assert_true(dtype_is_float(DT_F8_E5M2) && !dtype_is_float(DT_I8));
}

TEST(dtype_whole_numbers_and_small_formats)
{
	const int32_t i32[] = { -7, 1 << 20 };
	const uint8_t fp4[] = { 0x21, 0xf7 }, e8m0[] = { 127, 130, 0 }; /* 0.5 1 6 -6 */
	real r[4];
	dtype_to_real(DT_I32, i32, 2, r);
	assert_true(r[0] == -7 && r[1] == 1 << 20);
	dtype_to_real(DT_F4, fp4, 4, r);
	assert_true(r[0] == (real)0.5 && r[1] == 1 && r[2] == 6 && r[3] == -6);
	dtype_to_real(DT_F8_E8M0, e8m0, 3, r);
	assert_true(r[0] == 1 && r[1] == 8 && r[2] == (real)0x1p-127);
	const uint8_t fnuz[] = { 0x80, 0x40, 0x7f };
	dtype_to_real(DT_F8_E4M3FNUZ, fnuz, 3, r);
	assert_true(isnan(r[0]) && r[1] == 1 && r[2] == 240);
}
