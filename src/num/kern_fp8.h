/* kern_fp8.h - values brought to the grid of a small format, and the products of Hopper's tensor cores.
 *
 * A value is rounded by adding a power of two whose last place is one step of the grid where the value lies; the sum's low bits are then
 * the code's integer, so codes and values come from one addition, to nearest even, subnormals too. All lanes are f32, in the double build
 * as well. Included by kern.c only. */
#ifndef NUM_KERN_FP8_H
#define NUM_KERN_FP8_H
#include "num/kern_rows.h"

typedef int32_t VFI __attribute__((vector_size(VL * 4)));

INLINE VF f_set(float x)
{
	return x - (VF){ 0 };
}

INLINE VF f_select(VFI mask, VF a, VF b)
{
	return (VF)(((VFI)a & mask) | ((VFI)b & ~mask));
}

INLINE VF f_of_real(V v)
{
#ifdef LATHE_DOUBLE
	return __builtin_convertvector(v, VF);
#else
	return (VF)v;
#endif
}

INLINE V f_to_real(VF v)
{
#ifdef LATHE_DOUBLE
	return __builtin_convertvector(v, V);
#else
	return (V)v;
#endif
}

INLINE VF f_load(const float *p)
{
	VF v;
	memcpy(&v, p, sizeof v);
	return v;
}

INLINE VF f_load_part(const float *p, int64_t n)
{
	float t[VL] = { 0 };
	memcpy(t, p, (size_t)n * sizeof *t);
	return f_load(t);
}

/* The larger and the smaller of two; b where either is NaN. */
INLINE VF f_max(VF a, VF b)
{
#if KERN_WIDE
	return (VF)_mm512_max_ps((__m512)a, (__m512)b);
#elif defined(KERN_AVX2)
	return (VF)_mm256_max_ps((__m256)a, (__m256)b);
#elif defined(KERN_SSE2)
	return (VF)_mm_max_ps((__m128)a, (__m128)b);
#else
	return f_select(a > b, a, b);
#endif
}

INLINE VF f_min(VF a, VF b)
{
#if KERN_WIDE
	return (VF)_mm512_min_ps((__m512)a, (__m512)b);
#elif defined(KERN_AVX2)
	return (VF)_mm256_min_ps((__m256)a, (__m256)b);
#elif defined(KERN_SSE2)
	return (VF)_mm_min_ps((__m128)a, (__m128)b);
#else
	return f_select(a < b, a, b);
#endif
}

/* The largest lane. */
INLINE float f_most(VF v)
{
#if defined(KERN_AVX2)
	__m128 m = _mm_max_ps(_mm256_castps256_ps128((__m256)v), _mm256_extractf128_ps((__m256)v, 1));
	m = _mm_max_ps(m, _mm_movehl_ps(m, m));
	return _mm_cvtss_f32(_mm_max_ss(m, _mm_shuffle_ps(m, m, 1)));
#else
	float best = v[0];
	for (int l = 1; l < VL; l++)
		best = v[l] > best ? v[l] : best;
	return best;
#endif
}

INLINE VF f_abs(VF v)
{
	return (VF)((VU)v & 0x7fffffffu);
}

/* Codes of at most 8 bits, one to a lane, as bytes. */
INLINE void f_store_bytes(uint8_t *to, VU u)
{
#if KERN_WIDE
	VB b = (VB)_mm512_cvtepi32_epi8((__m512i)u);
#elif defined(KERN_AVX2)
	__m128i w = _mm_packus_epi32(_mm256_castsi256_si128((__m256i)u), _mm256_extracti128_si256((__m256i)u, 1));
	w = _mm_packus_epi16(w, w);
	VB b;
	memcpy(&b, &w, sizeof b);
#else
	VB b = __builtin_convertvector(u, VB);
#endif
	memcpy(to, &b, sizeof b);
}

/* Four vectors of codes. */
INLINE void f_store_bytes4(uint8_t *to, const VU u[4])
{
#if defined(KERN_AVX2)
	__m256i lo = _mm256_packus_epi32((__m256i)u[0], (__m256i)u[1]), hi = _mm256_packus_epi32((__m256i)u[2], (__m256i)u[3]);
	__m256i all = _mm256_permutevar8x32_epi32(_mm256_packus_epi16(lo, hi), _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
	_mm256_storeu_si256((__m256i *)(void *)to, all);
#else
	UNROLL
	for (int i = 0; i < 4; i++)
		f_store_bytes(to + i * VL, u[i]);
#endif
}

/* The largest |x|; NaN is passed over. */
static float fp_amax(int64_t n, const real *x)
{
	VF most = f_set(0), other = f_set(0);
	int64_t i = 0;
	for (; i + 2 * VL <= n; i += 2 * VL) {
		most = f_max(f_abs(f_of_real(v_load(x + i))), most);
		other = f_max(f_abs(f_of_real(v_load(x + i + VL))), other);
	}
	for (; i < n; i += VL)
		most = f_max(f_abs(f_of_real(row_load(x + i, n - i < VL ? n - i : VL, 0))), most);
	return f_most(f_max(other, most));
}

/* most[i] becomes the larger of itself and |x[i]|. */
static void fp_amax_each(int64_t n, const real *x, float *most)
{
	EACH_VECTOR(n, i, len) {
		VF a = f_abs(f_of_real(row_load(x + i, len, 0))), m = len == VL ? f_load(most + i) : f_load_part(most + i, len);
		m = f_max(a, m);
		memcpy(most + i, &m, (size_t)len * sizeof(float));
	}
}

typedef struct OnGrid { VU code; VF value; } OnGrid;

/* A NaN passes through to the value; its code comes out as that of the largest value. */
INLINE OnGrid f_round(VF v, const FpGrid *g, bool codes)
{
	VF max = f_set(g->max), least = (VF)((VU){ 0 } + (uint32_t)g->e_min);
	VF a = codes ? f_min(f_abs(v), max) : f_min(max, f_abs(v));
	VU sign = (VU)v & 0x80000000u, e = (VU)f_max((VF)((VU)a & 0x7f800000u), least);
	VF magic = (VF)(e + ((uint32_t)g->drop << 23)), sum = a + magic;
	OnGrid q = { .value = (VF)((VU)(sum - magic) | sign) };
	if (codes)
		q.code = (((e - (VU)least) >> g->drop) + ((VU)sum - (VU)magic)) | sign >> g->sign_shift;
	return q;
}

INLINE VF cast_scaled(const real *x, const float *s, bool each, VF scale, int64_t i)
{
	return f_of_real(v_load(x + i)) / (each ? f_load(s + i) : scale);
}

/* Values: y[i] = grid(x[i] / s) s. */
INLINE void cast_values(int64_t n, const real *x, const float *s, bool each, const FpGrid *g, real *y)
{
	VF scale = f_set(*s);
	int64_t i = 0;
	for (; i + VL <= n; i += VL) {
		if (each)
			scale = f_load(s + i);
		v_store(y + i, f_to_real(f_round(f_of_real(v_load(x + i)) / scale, g, false).value * scale));
	}
	if (i == n)
		return;
	if (each)
		scale = f_load_part(s + i, n - i);
	v_store_part(y + i, f_to_real(f_round(f_of_real(v_load_part(x + i, n - i, 0)) / scale, g, false).value * scale), n - i);
}

INLINE bool f_any(VFI m)
{
	int32_t any = 0;
	for (int l = 0; l < VL; l++)
		any |= m[l];
	return any != 0;
}

/* Codes. Whether there was a NaN is asked once at the end. */
INLINE void cast_codes(int64_t n, const real *x, const float *s, bool each, const FpGrid *g, uint8_t *code)
{
	VF scale = f_set(*s);
	VFI nan = { 0 };
	int64_t i = 0;
	for (; i + 4 * VL <= n; i += 4 * VL) {
		VU u[4];
		UNROLL
		for (int k = 0; k < 4; k++) {
			VF v = cast_scaled(x, s, each, scale, i + k * VL);
			nan |= v != v;
			u[k] = f_round(v, g, true).code;
		}
		f_store_bytes4(code + i, u);
	}
	for (; i < n; i += VL) {
		int64_t len = n - i < VL ? n - i : VL;
		uint8_t t[VL];
		VF v = f_of_real(row_load(x + i, len, 0)) / (each ? len == VL ? f_load(s + i) : f_load_part(s + i, len) : scale);
		nan |= v != v;
		f_store_bytes(t, f_round(v, g, true).code);
		memcpy(code + i, t, (size_t)len);
	}
	if (f_any(nan))
		for (i = 0; i < n; i++)
			if ((float)x[i] / s[each ? i : 0] != (float)x[i] / s[each ? i : 0])
				code[i] = (uint8_t)(g->nan | (code[i] & 1u << (31 - g->sign_shift)));
}

/* code[i] of x[i] / s, and y[i] = its value times s. s: one scale, or with each one for every i. code or y may be NULL; y may be x. */
static void fp_cast(int64_t n, const real *x, const float *s, bool each, const FpGrid *grid, uint8_t *code, real *y)
{
	const FpGrid g = *grid;
	if (code && each)
		cast_codes(n, x, s, true, &g, code);
	else if (code)
		cast_codes(n, x, s, false, &g, code);
	if (y && each)
		cast_values(n, x, s, true, &g, y);
	else if (y)
		cast_values(n, x, s, false, &g, y);
}

/* --- Hopper's accumulation (fp8.md 4.2) --- */

enum { MMA_STEP = 32, MMA_ROWS = 4 };

/* One step of `rows` rows against VL columns: 32 products each are cut to multiples of 2^(E - bits), where E is the largest exponent among
 * the products (that of the operands added, not renormalised) and the sum so far, and added exactly; the sum is cut to `bits` places. */
INLINE void mma_step(int rows, const float *const *a, const float *b, int bits, VF c[MMA_ROWS])
{
	VF top[MMA_ROWS], inv[MMA_ROWS];
	VFI t[MMA_ROWS];
	UNROLL
	for (int r = 0; r < rows; r++) {
		top[r] = f_max((VF)((VU)c[r] & 0x7f800000u), f_set(0x1p-60f));
	}
	for (int k = 0; k < MMA_STEP; k++) {
		VF p = f_load(b + (2 * k + 1) * VL);
		UNROLL
		for (int r = 0; r < rows; r++) {
			VF e = a[r][2 * k + 1] * p;
			top[r] = f_max(e, top[r]);
		}
	}
	UNROLL
	for (int r = 0; r < rows; r++) {
		inv[r] = (VF)(((uint32_t)(254 + bits) << 23) - (VU)top[r]);
		t[r] = __builtin_convertvector(c[r] * inv[r], VFI);
	}
	for (int k = 0; k < MMA_STEP; k++) {
		VF v = f_load(b + 2 * k * VL);
		UNROLL
		for (int r = 0; r < rows; r++)
			t[r] += __builtin_convertvector(a[r][2 * k] * v * inv[r], VFI);
	}
	UNROLL
	for (int r = 0; r < rows; r++) {
		VF grain = (VF)((VU)top[r] - ((uint32_t)bits << 23));
		c[r] = (VF)((VU)(__builtin_convertvector(t[r], VF) * grain) & ~((1u << (23 - bits)) - 1));
	}
}

/* rows (at most 4) times VL columns over n products, a multiple of 32. Operands lie as pairs of value and power of two: a[row][k][2],
 * b[k][2][VL]. c [rows][VL] goes in and out. */
static void fp_mma(int rows, int64_t n, const float *a, int64_t lda, const float *b, int bits, float *c)
{
	VF sum[MMA_ROWS];
	for (int r = 0; r < MMA_ROWS; r++)
		sum[r] = r < rows ? f_load(c + r * VL) : f_set(0);
	for (int64_t k = 0; k < n; k += MMA_STEP) {
		const float *at[MMA_ROWS];
		for (int r = 0; r < MMA_ROWS; r++)
			at[r] = a + (r < rows ? r : 0) * lda + 2 * k;
		if (rows == MMA_ROWS)
			mma_step(MMA_ROWS, at, b + 2 * k * VL, bits, sum);
		else
			for (int r = 0; r < rows; r++)
				mma_step(1, at + r, b + 2 * k * VL, bits, sum + r);
	}
	for (int r = 0; r < rows; r++)
		memcpy(c + r * VL, &sum[r], sizeof sum[r]);
}
#endif
