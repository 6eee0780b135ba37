/* dtype.c - element types: names as safetensors spells them, and conversions that are exact on the way in and rounded to
 * nearest even once on the way out. Formats: IEEE 754-2008 (F16), OCP OFP8 rev. 1.0 (E4M3, E5M2), OCP MX 1.0 (E8M0, F6, F4). */
#include "num/dtype.h"
#include "base/err.h"
#include <math.h>
#include <string.h>

static const struct { const char *name; unsigned bits; } TYPES[DT_COUNT] = {
	[DT_F64] = { "F64", 64 }, [DT_I64] = { "I64", 64 }, [DT_U64] = { "U64", 64 }, [DT_C64] = { "C64", 64 },
	[DT_F32] = { "F32", 32 }, [DT_I32] = { "I32", 32 }, [DT_U32] = { "U32", 32 },
	[DT_BF16] = { "BF16", 16 }, [DT_F16] = { "F16", 16 }, [DT_I16] = { "I16", 16 }, [DT_U16] = { "U16", 16 },
	[DT_F8_E4M3] = { "F8_E4M3", 8 }, [DT_F8_E5M2] = { "F8_E5M2", 8 }, [DT_F8_E8M0] = { "F8_E8M0", 8 },
	[DT_F8_E4M3FNUZ] = { "F8_E4M3FNUZ", 8 }, [DT_F8_E5M2FNUZ] = { "F8_E5M2FNUZ", 8 },
	[DT_I8] = { "I8", 8 }, [DT_U8] = { "U8", 8 }, [DT_BOOL] = { "BOOL", 8 },
	[DT_F6_E2M3] = { "F6_E2M3", 6 }, [DT_F6_E3M2] = { "F6_E3M2", 6 }, [DT_F4] = { "F4", 4 },
};

const char *dtype_name(Dtype d)
{
	return (unsigned)d < DT_COUNT ? TYPES[d].name : "?";
}

bool dtype_parse(const char *s, Dtype *d)
{
	for (int i = 0; i < DT_COUNT; i++)
		if (strcmp(s, TYPES[i].name) == 0) {
			*d = (Dtype)i;
			return true;
		}
	return false;
}

unsigned dtype_bits(Dtype d)
{
	return (unsigned)d < DT_COUNT ? TYPES[d].bits : 0;
}

bool dtype_is_float(Dtype d)
{
	return d == DT_F64 || d == DT_F32 || d == DT_F16 || d == DT_BF16 || d == DT_F8_E4M3 || d == DT_F8_E5M2;
}

static float float_of(uint32_t u)
{
	float f;
	memcpy(&f, &u, 4);
	return f;
}

static uint32_t bits_of(float f)
{
	uint32_t u;
	memcpy(&u, &f, 4);
	return u;
}

float bf16_to_f32(uint16_t v)
{
	return float_of((uint32_t)v << 16);
}

uint16_t bf16_from_f32(float v)
{
	uint32_t u = bits_of(v);
	if ((u & 0x7fffffff) > 0x7f800000)
		return (uint16_t)(u >> 16 | 0x40);
	return (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
}

float f16_to_f32(uint16_t v)
{
	uint32_t s = (uint32_t)(v & 0x8000) << 16, e = v >> 10 & 31, m = v & 0x3ff;
	if (e == 31)
		return float_of(s | 0x7f800000 | m << 13 | (m ? 0x400000 : 0));
	if (e == 0) /* m * 2^-24 is exact in f32 */
		return float_of(s | bits_of((float)m * 0x1p-24f));
	return float_of(s | (e + 112) << 23 | m << 13);
}

/* Rounds |v| (bits u, finite) to a format with `drop` fewer mantissa bits and exponent bias `bias`, without sign. Below the
 * smallest normal number, adding `magic` (whose last place is the format's subnormal step) lets the processor round. */
static uint32_t narrow_bits(uint32_t u, unsigned drop, unsigned bias, float magic)
{
	if (u < (128 - bias) << 23)
		return bits_of(float_of(u) + magic) - bits_of(magic);
	u += (1u << (drop - 1)) - 1 + (u >> drop & 1);
	return (u >> drop) - ((127 - bias) << (23 - drop));
}

uint16_t f16_from_f32(float v)
{
	uint32_t u = bits_of(v), s = u >> 16 & 0x8000;
	u &= 0x7fffffff;
	if (u > 0x7f800000)
		return (uint16_t)(s | 0x7e00 | (u >> 13 & 0x3ff));
	if (u >= 0x477ff000) /* 65520: half-way to 2^16 rounds to even, which is infinity */
		return (uint16_t)(s | 0x7c00);
	return (uint16_t)(s | narrow_bits(u, 13, 15, 0.5f));
}

float e4m3_to_f32(uint8_t v)
{
	uint32_t s = (uint32_t)(v & 0x80) << 24, e = v >> 3 & 15, m = v & 7;
	if ((v & 0x7f) == 0x7f)
		return float_of(s | 0x7fc00000);
	if (e == 0)
		return float_of(s | bits_of((float)m * 0x1p-9f));
	return float_of(s | (e + 120) << 23 | m << 20);
}

uint8_t e4m3_from_f32(float v)
{
	uint32_t u = bits_of(v), s = u >> 24 & 0x80;
	u &= 0x7fffffff;
	if (u > 0x7f800000)
		return (uint8_t)(s | 0x7f);
	if (u >= 0x43e00000) /* 448 */
		return (uint8_t)(s | 0x7e);
	return (uint8_t)(s | narrow_bits(u, 20, 7, 0x1p14f));
}

static float e5m2_to_f32(uint8_t v)
{
	return f16_to_f32((uint16_t)(v << 8));
}

static uint8_t e5m2_from_f32(float v)
{
	uint32_t u = bits_of(v), s = u >> 24 & 0x80;
	u &= 0x7fffffff;
	if (u > 0x7f800000)
		return (uint8_t)(s | 0x7f);
	if (u >= 0x47600000) /* 57344 */
		return (uint8_t)(s | 0x7b);
	return (uint8_t)(s | narrow_bits(u, 21, 15, 0x1p7f));
}

/* A format without infinity: sign, exponent and `mant` mantissa bits of v. */
static real small_float(unsigned v, unsigned width, unsigned mant, int bias)
{
	unsigned sign = v >> (width - 1) & 1, e = (v & ((1u << (width - 1)) - 1)) >> mant, m = v & ((1u << mant) - 1);
	double x = e ? ldexp(1 + ldexp(m, -(int)mant), (int)e - bias) : ldexp(m, 1 - bias - (int)mant);
	return (real)(sign ? -x : x);
}

static real fnuz_to_real(unsigned v, unsigned mant, int bias)
{
	return v == 0x80 ? (real)NAN : small_float(v, 8, mant, bias);
}

/* Formats narrower than a byte are packed from the low bit up. */
static void packed_to_real(Dtype d, const unsigned char *s, size_t n, real *dst)
{
	unsigned width = dtype_bits(d), mant = d == DT_F6_E2M3 ? 3 : d == DT_F6_E3M2 ? 2 : 1;
	for (size_t i = 0; i < n; i++) {
		size_t at = i * width;
		unsigned sh = at & 7, v = (unsigned)s[at >> 3] >> sh;
		if (sh + width > 8)
			v |= (unsigned)s[(at >> 3) + 1] << (8 - sh);
		dst[i] = small_float(v & ((1u << width) - 1), width, mant, d == DT_F6_E3M2 ? 3 : 1);
	}
}

#define FROM(T, expr) \
	for (size_t i = 0; i < n; i++) { \
		T v; \
		memcpy(&v, s + i * sizeof v, sizeof v); \
		dst[i] = (real)(expr); \
	} \
	return

void dtype_to_real(Dtype d, const void *src, size_t n, real *dst)
{
	const unsigned char *s = src;
	switch (d) {
	case DT_F64: FROM(double, v);
	case DT_F32: FROM(float, v);
	case DT_BF16: FROM(uint16_t, bf16_to_f32(v));
	case DT_F16: FROM(uint16_t, f16_to_f32(v));
	case DT_F8_E4M3: FROM(uint8_t, e4m3_to_f32(v));
	case DT_F8_E5M2: FROM(uint8_t, e5m2_to_f32(v));
	case DT_F8_E8M0: FROM(uint8_t, v == 255 ? (double)NAN : ldexp(1, v - 127));
	case DT_F8_E4M3FNUZ: FROM(uint8_t, fnuz_to_real(v, 3, 8));
	case DT_F8_E5M2FNUZ: FROM(uint8_t, fnuz_to_real(v, 2, 16));
	case DT_I64: FROM(int64_t, v);
	case DT_U64: FROM(uint64_t, v);
	case DT_C64: FROM(uint64_t, float_of((uint32_t)v)); /* the real part, first in memory */
	case DT_I32: FROM(int32_t, v);
	case DT_U32: FROM(uint32_t, v);
	case DT_I16: FROM(int16_t, v);
	case DT_U16: FROM(uint16_t, v);
	case DT_I8: FROM(int8_t, v);
	case DT_U8: FROM(uint8_t, v);
	case DT_BOOL: FROM(uint8_t, v != 0);
	case DT_F6_E2M3: case DT_F6_E3M2: case DT_F4: packed_to_real(d, s, n, dst); return;
	case DT_COUNT: break;
	}
	err_bug(__FILE__, __LINE__, "dtype_to_real of an unknown type");
}

/* The float that rounds further as v itself would: truncated, last bit set when anything was lost (round to odd). */
static float float_for_rounding(real v)
{
	float f = (float)v;
	if ((real)f == v || v != v)
		return f;
	uint32_t u = bits_of(f);
	if (fabs((double)f) > fabs((double)v))
		u--;
	return float_of(u | 1);
}

#define TO(T, expr) \
	for (size_t i = 0; i < n; i++) { \
		T v = (T)(expr); \
		memcpy(o + i * sizeof v, &v, sizeof v); \
	} \
	return

void dtype_from_real(Dtype d, const real *src, size_t n, void *dst)
{
	unsigned char *o = dst;
	switch (d) {
	case DT_F64: TO(double, src[i]);
	case DT_F32: TO(float, src[i]);
	case DT_BF16: TO(uint16_t, bf16_from_f32(float_for_rounding(src[i])));
	case DT_F16: TO(uint16_t, f16_from_f32(float_for_rounding(src[i])));
	case DT_F8_E4M3: TO(uint8_t, e4m3_from_f32(float_for_rounding(src[i])));
	case DT_F8_E5M2: TO(uint8_t, e5m2_from_f32(float_for_rounding(src[i])));
	default: err_bug(__FILE__, __LINE__, "dtype_from_real to a type that weights cannot have");
	}
}
