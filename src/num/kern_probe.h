/* kern_probe.h - the loops whose speed limits.c measures. The empty asm statements keep values in registers and stop the
 * compiler from folding a loop. Included by kern.c only. */
#ifndef NUM_KERN_PROBE_H
#define NUM_KERN_PROBE_H
#include "num/kern_vec.h"

enum { CHAINS = 12 };
static double probe_fma(int64_t rounds)
{
	V a[CHAINS], x = v_set((real)0.999), y = v_set((real)1e-7);
	UNROLL
	for (int i = 0; i < CHAINS; i++)
		a[i] = v_set((real)i);
	for (int64_t r = 0; r < rounds; r++) {
		UNROLL
		for (int i = 0; i < CHAINS; i++) {
			a[i] = v_fma(a[i], x, y);
			KEEP(a[i]);
		}
	}
	return (double)rounds * CHAINS * VL * 2;
}

#if KERN_DOT_BF16
static double probe_bf16(int64_t rounds)
{
	V a[CHAINS];
	VU x = (VU)v_set(0.5f), w = (VU)v_set(0.25f);
	UNROLL
	for (int i = 0; i < CHAINS; i++)
		a[i] = v_set((real)i);
	for (int64_t r = 0; r < rounds; r++) {
		UNROLL
		for (int i = 0; i < CHAINS; i++) {
			a[i] = v_dot_bf16(a[i], x, w);
			KEEP(a[i]);
		}
	}
	return (double)rounds * CHAINS * VL * 4;
}
#endif

static void probe_read(const void *p, size_t bytes)
{
	const char *s = p;
	V a = v_set(0), b = a, c = a, d = a;
	for (size_t i = 0; i + 4 * sizeof(V) <= bytes; i += 4 * sizeof(V)) {
		a += v_load(s + i);
		b += v_load(s + i + sizeof(V));
		c += v_load(s + i + 2 * sizeof(V));
		d += v_load(s + i + 3 * sizeof(V));
	}
	a += b + c + d;
	KEEP(a);
}

static void probe_copy(void *d, const void *s, size_t bytes)
{
	V a[8];
	for (size_t i = 0; i + sizeof a <= bytes; i += sizeof a) {
		UNROLL
		for (size_t j = 0; j < 8; j++)
			a[j] = v_load((const char *)s + i + j * sizeof(V));
		UNROLL
		for (size_t j = 0; j < 8; j++)
			v_store((char *)d + i + j * sizeof(V), a[j]);
	}
}
#endif
