/* dtype.h - element types of stored tensors, and exact conversion to and from real. */
#ifndef NUM_DTYPE_H
#define NUM_DTYPE_H
#include "num/real.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Order = descending size, as the safetensors writer sorts. */
typedef enum Dtype {
	DT_F64, DT_I64, DT_U64, DT_C64, DT_F32, DT_I32, DT_U32, DT_BF16, DT_F16, DT_I16, DT_U16,
	DT_F8_E4M3, DT_F8_E5M2, DT_F8_E8M0, DT_F8_E4M3FNUZ, DT_F8_E5M2FNUZ, DT_I8, DT_U8, DT_BOOL,
	DT_F6_E2M3, DT_F6_E3M2, DT_F4, DT_COUNT
} Dtype;

const char *dtype_name(Dtype d);              /* safetensors spelling: "BF16", "F8_E4M3" */
bool dtype_parse(const char *s, Dtype *d);    /* that spelling only */
unsigned dtype_bits(Dtype d);
bool dtype_is_float(Dtype d);                 /* a type that weights may have: F64 F32 F16 BF16 F8_E4M3 F8_E5M2 */

/* src may be unaligned. fp8 without scale. n elements. */
void dtype_to_real(Dtype d, const void *src, size_t n, real *dst);
/* Round to nearest even; E4M3 and E5M2 saturate to their largest finite value; NaN stays NaN. */
void dtype_from_real(Dtype d, const real *src, size_t n, void *dst);
float bf16_to_f32(uint16_t v);
uint16_t bf16_from_f32(float v);
float f16_to_f32(uint16_t v);
uint16_t f16_from_f32(float v);
float e4m3_to_f32(uint8_t v);
uint8_t e4m3_from_f32(float v);
#endif
