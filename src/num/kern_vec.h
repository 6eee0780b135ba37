/* kern_vec.h - the vector a kernel set computes with, and the few operations that differ between instruction sets. Everything
 * else is written with the vector arithmetic that both compilers offer. Included by kern.c only, once per set:
 * KERN_SET is avx512bf16, avx512, emu512 (sixteen lanes carried out with AVX2, for tests), avx2, sse2 or generic. */
#ifndef NUM_KERN_VEC_H
#define NUM_KERN_VEC_H
#include "num/dtype.h"
#include <math.h>
#include <stdint.h>
#include <string.h>
#if defined(KERN_AVX512BF16) || defined(KERN_AVX512) || defined(KERN_EMU512) || defined(KERN_AVX2) || defined(KERN_SSE2)
#define KERN_X86 1
#include <immintrin.h>
#else
#define KERN_X86 0
#endif

#if defined(KERN_AVX512BF16) || defined(KERN_AVX512)
#define KERN_WIDE 1
#else
#define KERN_WIDE 0
#endif
#if KERN_WIDE || defined(KERN_EMU512)
enum { VL = 16 };
#elif defined(KERN_SSE2)
enum { VL = 4 };
#else
enum { VL = 8 };
#endif
#if defined(KERN_AVX512BF16) || defined(KERN_EMU512)
#define KERN_DOT_BF16 1
#else
#define KERN_DOT_BF16 0
#endif

#define INLINE static inline __attribute__((always_inline, unused))
#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 32")
#endif

#ifdef LATHE_DOUBLE
typedef int64_t lane_int;
#else
typedef int32_t lane_int;
#endif
/* Vector types take literal sizes only where both compilers accept an enum: sizeof times VL is a constant expression. */
typedef real V __attribute__((vector_size(VL * sizeof(real))));
typedef real V4 __attribute__((vector_size(4 * sizeof(real))));
typedef lane_int VI __attribute__((vector_size(VL * sizeof(lane_int))));  /* masks of comparisons on V */
typedef uint32_t VU __attribute__((vector_size(VL * 4)));                /* VL pairs of bf16, or VL bit patterns */
typedef float VF __attribute__((vector_size(VL * 4)));
typedef int16_t VI16 __attribute__((vector_size(VL * 2)));
typedef uint16_t VH __attribute__((vector_size(VL * 2)));
typedef uint8_t VB __attribute__((vector_size(VL)));

/* Keeps a value in its register: without it the compiler may fetch it from memory once per use. */
#if KERN_WIDE
#define KEEP(v) __asm__ volatile("" : "+v"(v))
#elif KERN_X86 && !defined(KERN_EMU512)
#define KEEP(v) __asm__ volatile("" : "+x"(v))
#else
#define KEEP(v) __asm__ volatile("" : "+m"(v))
#endif

INLINE V v_load(const void *p)
{
	V v;
	memcpy(&v, p, sizeof v);
	return v;
}

INLINE void v_store(void *p, V v)
{
	memcpy(p, &v, sizeof v);
}

INLINE V v_set(real x)
{
	return x - (V){ 0 }; /* minus: -0 stays -0, so it is a plain broadcast */
}

/* n < VL elements, the rest `fill`. */
INLINE V v_load_part(const void *p, int64_t n, real fill)
{
	real t[VL];
	v_store(t, v_set(fill));
	memcpy(t, p, (size_t)n * sizeof *t);
	return v_load(t);
}

INLINE void v_store_part(void *p, V v, int64_t n)
{
	real t[VL];
	v_store(t, v);
	memcpy(p, t, (size_t)n * sizeof *t);
}

INLINE V v_select(VI mask, V a, V b)
{
	return (V)(((VI)a & mask) | ((VI)b & ~mask));
}

INLINE V v_fma(V a, V b, V c)
{
#if KERN_WIDE
	return (V)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif defined(KERN_AVX2)
	return (V)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#elif defined(KERN_EMU512)
	__m256 x[2], y[2], z[2];
	memcpy(x, &a, sizeof x);
	memcpy(y, &b, sizeof y);
	memcpy(z, &c, sizeof z);
	for (int i = 0; i < 2; i++)
		z[i] = _mm256_fmadd_ps(x[i], y[i], z[i]);
	memcpy(&c, z, sizeof c);
	return c;
#else
	return a * b + c;
#endif
}

INLINE V v_sqrt(V x)
{
#if KERN_WIDE
	return (V)_mm512_sqrt_ps((__m512)x);
#elif defined(KERN_AVX2)
	return (V)_mm256_sqrt_ps((__m256)x);
#elif defined(KERN_SSE2)
	return (V)_mm_sqrt_ps((__m128)x);
#else
	for (int i = 0; i < VL; i++)
		x[i] = (real)sqrt((double)x[i]);
	return x;
#endif
}

#if KERN_X86 && !defined(KERN_SSE2)
/* Sixteen lanes fold onto eight first: l + (l + 8). */
INLINE __m256 v_half(V v)
{
	__m256 h[sizeof(V) / sizeof(__m256)];
	memcpy(h, &v, sizeof v);
#if defined(KERN_AVX2)
	return h[0];
#else
	return _mm256_add_ps(h[0], h[1]);
#endif
}
#endif

#if KERN_X86 && !defined(KERN_SSE2)
/* (0+2, of a and b), (1+3), and the same of lanes 4 to 7 in the upper half. */
INLINE __m256 v_fold(__m256 a, __m256 b)
{
	return _mm256_add_ps(_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
}
#endif

/* The lanes of four vectors, each over the same tree: ((0+2)+(1+3)) + ((4+6)+(5+7)). */
INLINE V4 v_sum4(V a, V b, V c, V d)
{
#if KERN_X86 && !defined(KERN_SSE2)
	__m256 p = v_fold(v_half(a), v_half(b)), q = v_fold(v_half(c), v_half(d));
	__m256 h = _mm256_add_ps(_mm256_shuffle_ps(p, q, 0x44), _mm256_shuffle_ps(p, q, 0xee));
	return (V4)_mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
#elif defined(KERN_SSE2)
	__m128 p = (__m128)a, q = (__m128)b, r = (__m128)c, s = (__m128)d;
	_MM_TRANSPOSE4_PS(p, q, r, s);
	return (V4)_mm_add_ps(_mm_add_ps(p, r), _mm_add_ps(q, s));
#else
	V v[4] = { a, b, c, d };
	V4 out;
	for (int i = 0; i < 4; i++)
		out[i] = ((v[i][0] + v[i][2]) + (v[i][1] + v[i][3])) + ((v[i][4] + v[i][6]) + (v[i][5] + v[i][7]));
	return out;
#endif
}

INLINE real v_sum(V a)
{
	return v_sum4(a, a, a, a)[0];
}

/* Pairs of bf16, as they lie in memory (little-endian: the even one is the low half). */
INLINE VU v_load_pairs(const void *p)
{
	VU w;
	memcpy(&w, p, sizeof w);
	return w;
}

INLINE V v_of_bits(VU u)
{
#ifdef LATHE_DOUBLE
	return __builtin_convertvector((VF)u, V);
#else
	return (V)u;
#endif
}

INLINE V v_even(VU w)
{
	return v_of_bits(w << 16);
}

INLINE V v_odd(VU w)
{
	return v_of_bits(w & 0xffff0000u);
}

/* The same with the mask in memory: in a register it would be one too many beside twelve accumulators. */
INLINE V v_odd_spare(VU w)
{
#ifdef KERN_AVX2
	static const uint32_t HIGH[VL] __attribute__((aligned(32))) = { 0xffff0000u, 0xffff0000u, 0xffff0000u, 0xffff0000u, 0xffff0000u,
		0xffff0000u, 0xffff0000u, 0xffff0000u };
	__asm__("vpand %2, %1, %0" : "=x"(w) : "x"(w), "m"(HIGH));
	return (V)w;
#else
	return v_odd(w);
#endif
}

/* VL halves, zero-extended. */
INLINE VU v_load_u16(const void *p)
{
#if KERN_WIDE
	return (VU)_mm512_cvtepu16_epi32(_mm256_loadu_si256(p));
#elif defined(KERN_AVX2)
	return (VU)_mm256_cvtepu16_epi32(_mm_loadu_si128(p));
#else
	VH h;
	memcpy(&h, p, sizeof h);
	return __builtin_convertvector(h, VU);
#endif
}

/* VL bf16 in their natural order. */
INLINE V v_load_bf16(const void *p)
{
	return v_of_bits(v_load_u16(p) << 16);
}

/* Rounded to bf16, to nearest even; NaN stays. */
INLINE V v_round_bf16(V v)
{
#ifdef LATHE_DOUBLE
	for (int i = 0; i < VL; i++) {
		real t = v[i];
		uint16_t h;
		dtype_from_real(DT_BF16, &t, 1, &h);
		v[i] = (real)bf16_to_f32(h);
	}
	return v;
#else
	VU u = (VU)v, odd = u >> 16 & 1;
	return v_select((VI)(v == v), (V)((u + 0x7fff + odd) & 0xffff0000u), (V)((u | 0x400000u) & 0xffff0000u));
#endif
}

#if KERN_DOT_BF16
/* acc + x[2l] w[2l] + x[2l+1] w[2l+1] per lane. */
INLINE V v_dot_bf16(V acc, VU x, VU w)
{
#ifdef KERN_AVX512BF16
	return (V)_mm512_dpbf16_ps((__m512)acc, (__m512bh)x, (__m512bh)w);
#else
	return v_fma(v_even(x), v_even(w), v_fma(v_odd(x), v_odd(w), acc));
#endif
}
#endif

/* VL f16, subnormals and NaN too. */
INLINE V v_of_f16(VH h)
{
#if KERN_WIDE
	return (V)_mm512_cvtph_ps((__m256i)h);
#elif defined(KERN_AVX2)
	return (V)_mm256_cvtph_ps((__m128i)h);
#elif defined(KERN_EMU512)
	__m128i part[2];
	__m256 f[2];
	memcpy(part, &h, sizeof part);
	for (int i = 0; i < 2; i++)
		f[i] = _mm256_cvtph_ps(part[i]);
	V v;
	memcpy(&v, f, sizeof v);
	return v;
#else
	VU u = __builtin_convertvector(h, VU), mag = u & 0x7fff;
	VU norm = (VU)((VF)(mag << 13) * 0x1p112f); /* the subnormals come right too: the product is exact */
	VU special = (mag << 13) | 0x7f800000u | ((VU)(mag > 0x7c00) & 0x400000u);
	VU is = (VU)(mag >= 0x7c00);
	return v_of_bits(((norm & ~is) | (special & is)) | (u & 0x8000) << 16);
#endif
}

INLINE V v_load_f16(const void *p)
{
	VH h;
	memcpy(&h, p, sizeof h);
	return v_of_f16(h);
}

/* VL e4m3 times scale, as a float product. Shifted right by one within the upper byte, an e4m3 is the f16 of 1/256 of its
 * value, subnormal or not; only NaN (all ones) must be set apart. */
INLINE V v_load_e4m3(const void *p, float scale)
{
#if KERN_WIDE || defined(KERN_EMU512)
	VI16 w = (VI16)_mm256_cvtepu8_epi16(_mm_loadu_si128(p));
#elif defined(KERN_AVX2)
	VI16 w = (VI16)_mm_cvtepu8_epi16(_mm_loadl_epi64(p));
#else
	VB b;
	memcpy(&b, p, sizeof b);
	VI16 w = __builtin_convertvector(b, VI16);
#endif
	VI16 h = ((w << 8) >> 1) & (int16_t)0xbf80, mag = h & 0x3f80;
	h |= (mag == 0x3f80) & 0x7e00;
	V v = v_of_f16((VH)h) * 256;
#ifdef LATHE_DOUBLE
	return __builtin_convertvector(__builtin_convertvector(v, VF) * scale, V);
#else
	return v * scale;
#endif
}

#ifndef LATHE_DOUBLE
/* exp: x = n ln 2 + r, a polynomial in r (Cephes, S. Moshier: expf), times 2^n in two steps so that subnormal results are
 * rounded once. NaN stays; error below 2 ulp, in the subnormal range too. */
INLINE V v_exp(V x)
{
	x = v_select(x > 89.0f, v_set(89.0f), v_select(x < -104.0f, v_set(-104.0f), x));
	V shifted = v_fma(x, v_set(1.44269504088896341f), v_set(12582912.0f)), n = shifted - 12582912.0f;
	V r = v_fma(n, v_set(2.12194440e-4f), v_fma(n, v_set(-0.693359375f), x));
	V p = v_set(1.9875691500e-4f);
	p = v_fma(p, r, v_set(1.3981999507e-3f));
	p = v_fma(p, r, v_set(8.3334519073e-3f));
	p = v_fma(p, r, v_set(4.1665795894e-2f));
	p = v_fma(p, r, v_set(1.6666665459e-1f));
	p = v_fma(p, r, v_set(5.0000001201e-1f));
	p = v_fma(p, r * r, r) + 1.0f;
	VI k = (VI)shifted - 0x4b400000, half = k >> 1;
	return p * (V)((half + 127) << 23) * (V)((k - half + 127) << 23);
}
#endif
#endif
