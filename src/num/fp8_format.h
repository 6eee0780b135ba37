/* fp8_format.h - number formats of at most 16 bits: what they are, exact encoding (to nearest even) and decoding.
 *
 * OCP OFP8 rev. 1.0 (e4m3fn, e5m2), OCP MX 1.0 (e8m0, e2m3, e3m2, e2m1), IEEE 754 (f16), bfloat16, and the forms without negative
 * zero (fnuz). Codes lie in the low bits; a code of a format below 8 bits takes a byte. */
#ifndef NUM_FP8_FORMAT_H
#define NUM_FP8_FORMAT_H
#include <stdbool.h>
#include <stdint.h>

typedef enum FpId {
	FP_E4M3, FP_E5M2, FP_E2M3, FP_E3M2, FP_E2M1, FP_E8M0, FP_E4M3UZ, FP_E5M2UZ, FP_F16, FP_BF16, FP_COUNT
} FpId;

/* What the codes above the largest finite one are. */
typedef enum FpTop {
	FP_TOP_IEEE,          /* infinity, then NaN */
	FP_TOP_NAN,           /* one NaN: all ones below the sign */
	FP_TOP_NUMBER,        /* there are none */
	FP_TOP_ZERO           /* the one NaN has the code that negative zero would have */
} FpTop;

typedef struct FpFormat {
	const char *name;     /* "e4m3fn", as other libraries spell it */
	const char *about;
	int bits, mant, bias; /* bias: of the exponent field */
	int e_max;            /* exponent of the largest power of two not above `max` */
	float max;            /* largest finite value */
	FpTop top;
} FpFormat;

const FpFormat *fp_format(FpId f);
/* By name; false: there is none. */
bool fp_format_find(const char *name, FpId *f);
/* The value of a code; bits above the format's are ignored. */
float fp_decode(FpId f, uint32_t code);
/* Values of all codes below 256 (of formats of at most 8 bits). */
void fp_decode_all(FpId f, float value[256]);
/* Rounds to nearest even. sat: what lies beyond the largest finite value, infinity too, becomes that; else it becomes infinity, or NaN
 * where the format has no infinity, or the largest value where it has neither. Whether a value is beyond is decided after rounding.
 * NaN becomes NaN (0 where the format has none). e8m0: the next power of two at or above |x|, code 1 to 254; NaN: 255. */
uint32_t fp_encode(FpId f, float x, bool sat);
#endif
