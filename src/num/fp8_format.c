/* fp8_format.c - see fp8_format.h. One routine encodes for all formats with a mantissa: an integer is rounded at the place that the
 * exponent gives, and carries run into the exponent field by themselves. */
#include "num/fp8_format.h"
#include <math.h>
#include <string.h>

static const FpFormat formats[FP_COUNT] = {
	[FP_E4M3] = { "e4m3fn", "4 bits of exponent, 3 of mantissa, no infinity", 8, 3, 7, 8, 448, FP_TOP_NAN },
	[FP_E5M2] = { "e5m2", "5 bits of exponent, 2 of mantissa", 8, 2, 15, 15, 57344, FP_TOP_IEEE },
	[FP_E2M3] = { "e2m3fn", "6 bits: 2 of exponent, 3 of mantissa", 6, 3, 1, 2, 7.5f, FP_TOP_NUMBER },
	[FP_E3M2] = { "e3m2fn", "6 bits: 3 of exponent, 2 of mantissa", 6, 2, 3, 4, 28, FP_TOP_NUMBER },
	[FP_E2M1] = { "e2m1fn", "4 bits: 2 of exponent, 1 of mantissa", 4, 1, 1, 2, 6, FP_TOP_NUMBER },
	[FP_E8M0] = { "e8m0fnu", "a power of two, the scale of MX groups", 8, 0, 127, 127, 0x1p127f, FP_TOP_NAN },
	[FP_E4M3UZ] = { "e4m3fnuz", "as e4m3fn with another bias and no negative zero", 8, 3, 8, 7, 240, FP_TOP_ZERO },
	[FP_E5M2UZ] = { "e5m2fnuz", "as e5m2 with another bias, no negative zero, no infinity", 8, 2, 16, 15, 57344, FP_TOP_ZERO },
	[FP_F16] = { "f16", "IEEE half precision", 16, 10, 15, 15, 65504, FP_TOP_IEEE },
	[FP_BF16] = { "bf16", "the upper half of single precision", 16, 7, 127, 127, 0x1.fep127f, FP_TOP_IEEE },
};

const FpFormat *fp_format(FpId f)
{
	return &formats[f];
}

bool fp_format_find(const char *name, FpId *f)
{
	for (int i = 0; i < FP_COUNT; i++)
		if (strcmp(formats[i].name, name) == 0) {
			*f = (FpId)i;
			return true;
		}
	return false;
}

static uint32_t bits_of(float f)
{
	uint32_t u;
	memcpy(&u, &f, 4);
	return u;
}

/* A code that is no finite number: NaN, or infinity as its value says. */
static float top_value(const FpFormat *f, uint32_t mant)
{
	return f->top == FP_TOP_IEEE && mant == 0 ? INFINITY : NAN;
}

static float mag_decode(const FpFormat *f, uint32_t mag)
{
	uint32_t e = mag >> f->mant, m = mag & ((1u << f->mant) - 1), ones = (1u << (f->bits - 1)) - 1;
	bool ieee = f->top == FP_TOP_IEEE && e == ones >> f->mant;
	if (ieee || (f->top == FP_TOP_NAN && mag == ones))
		return top_value(f, m);
	return e ? ldexpf((float)(m + (1u << f->mant)), (int)e - f->bias - f->mant) : ldexpf((float)m, 1 - f->bias - f->mant);
}

float fp_decode(FpId id, uint32_t code)
{
	const FpFormat *f = fp_format(id);
	uint32_t sign = 1u << (f->bits - 1);
	if (id == FP_E8M0)
		return (code & 255) == 255 ? NAN : ldexpf(1, (int)(code & 255) - 127);
	if (f->top == FP_TOP_ZERO && (code & (2 * sign - 1)) == sign)
		return NAN;
	float v = mag_decode(f, code & (sign - 1));
	return code & sign ? -v : v;
}

void fp_decode_all(FpId id, float value[256])
{
	for (uint32_t i = 0; i < 256; i++)
		value[i] = fp_decode(id, i);
}

static uint32_t e8m0_encode(uint32_t mag)
{
	uint32_t e = (mag >> 23) + ((mag & 0x7fffff) != 0);
	return mag > 0x7f800000 ? 255 : e < 1 ? 1 : e > 254 ? 254 : e;
}

/* NaN, or what lies beyond the largest value when nothing clamps. The sign is added by the caller. */
static uint32_t top_encode(const FpFormat *f, bool nan)
{
	uint32_t ones = (1u << (f->bits - 1)) - 1, mant = (1u << f->mant) - 1;
	switch (f->top) {
	case FP_TOP_IEEE: return (ones & ~mant) | (nan ? 1u << (f->mant - 1) : 0);
	case FP_TOP_NAN: return ones;
	case FP_TOP_NUMBER: return nan ? 0 : ones;
	case FP_TOP_ZERO: break;
	}
	return ones + 1;
}

/* |x| given by its f32 bits, finite: rounded at the place of the format, as exponent field and mantissa in one number. */
static uint32_t mag_encode(const FpFormat *f, uint32_t mag)
{
	int e = (int)(mag >> 23), e_min = 128 - f->bias;         /* both as f32 exponent fields */
	uint32_t sig = (mag & 0x7fffff) | (e ? 1u << 23 : 0);
	e = e ? e : 1;
	int at = e > e_min ? e : e_min, shift = 23 - f->mant + (at - e);
	if (shift > 25)
		return 0;
	uint32_t n = shift ? (sig + (1u << (shift - 1)) - 1 + (sig >> shift & 1)) >> shift : sig;
	return ((uint32_t)(at - e_min) << f->mant) + n;
}

/* The code of the largest finite value. */
static uint32_t max_code(const FpFormat *f)
{
	uint32_t ones = (1u << (f->bits - 1)) - 1;
	return f->top == FP_TOP_IEEE ? (ones >> f->mant << f->mant) - 1 : f->top == FP_TOP_NAN ? ones - 1 : ones;
}

uint32_t fp_encode(FpId id, float x, bool sat)
{
	const FpFormat *f = fp_format(id);
	uint32_t u = bits_of(x), mag = u & 0x7fffffff, sign = u >> 31 << (f->bits - 1), code;
	if (id == FP_E8M0)
		return e8m0_encode(mag);
	if (mag > 0x7f800000)
		return f->top == FP_TOP_ZERO ? top_encode(f, true) : sign | top_encode(f, true);
	code = mag == 0x7f800000 ? UINT32_MAX : mag_encode(f, mag);
	if (code > max_code(f)) {
		code = sat ? max_code(f) : top_encode(f, false);
		return !sat && f->top == FP_TOP_ZERO ? code : sign | code;
	}
	return f->top == FP_TOP_ZERO && code == 0 ? 0 : sign | code;
}
