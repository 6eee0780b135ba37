/* kern_expand.h - rows of W as real, from any dtype; FP8 with its block scales: value = fp8 * scale, a float product. */
#ifndef NUM_KERN_EXPAND_H
#define NUM_KERN_EXPAND_H
#include "num/gemm.h"
#include "num/kern_vec.h"

enum { SCALE_BLOCK = 128 };

static void e4m3_expand(const char *p, int64_t n, float scale, real *out)
{
	int64_t i = 0;
	for (; i + VL <= n; i += VL)
		v_store(out + i, v_load_e4m3(p + i, scale));
	if (i < n) {
		char t[VL] = { 0 };
		memcpy(t, p + i, (size_t)(n - i));
		v_store_part(out + i, v_load_e4m3(t, scale), n - i);
	}
}

static void other_expand(Dtype d, const char *p, int64_t n, float scale, real *out)
{
	dtype_to_real(d, p, (size_t)n, out);
	for (int64_t i = 0; i < n; i++)
		out[i] = (real)((float)out[i] * scale);
}

static void fp8_expand(const Mat *W, int64_t row, int64_t k, int64_t n, real *out)
{
	const char *p = (const char *)W->data + (size_t)(row * W->stride + k);
	while (n > 0) {
		int64_t left = SCALE_BLOCK - k % SCALE_BLOCK, m = n < left ? n : left;
		float scale = 1;
		if (W->scale) /* may be unaligned */
			memcpy(&scale, (const char *)W->scale + (size_t)(row / SCALE_BLOCK * W->scale_stride + k / SCALE_BLOCK) * 4, 4);
		if (W->dtype == DT_F8_E4M3)
			e4m3_expand(p, m, scale, out);
		else
			other_expand(W->dtype, p, m, scale, out);
		p += m;
		k += m;
		n -= m;
		out += m;
	}
}

static void half_expand(const char *p, int64_t n, bool bf16, real *out)
{
	int64_t i = 0;
	for (; i + VL <= n; i += VL)
		v_store(out + i, bf16 ? v_load_bf16(p + 2 * i) : v_load_f16(p + 2 * i));
	if (i < n) {
		uint16_t t[VL] = { 0 };
		memcpy(t, p + 2 * i, (size_t)(n - i) * 2);
		v_store_part(out + i, bf16 ? v_load_bf16(t) : v_load_f16(t), n - i);
	}
}

/* out[i] = W[row][k + i] for i in [0, n). */
static void row_expand(const Mat *W, int64_t row, int64_t k, int64_t n, real *out)
{
	const char *p = (const char *)W->data + (size_t)(row * W->stride + k) * (dtype_bits(W->dtype) / 8);
	if (W->dtype == REAL_DTYPE)
		memcpy(out, p, (size_t)n * sizeof *out);
	else if (W->dtype == DT_BF16 || W->dtype == DT_F16)
		half_expand(p, n, W->dtype == DT_BF16, out);
	else if (W->dtype == DT_F8_E4M3 || W->dtype == DT_F8_E5M2)
		fp8_expand(W, row, k, n, out);
	else
		dtype_to_real(W->dtype, p, (size_t)n, out);
}
#endif
