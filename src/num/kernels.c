/* kernels.c - which kernel sets this processor and its operating system can run. */
#include "num/kernels.h"
#include "num/kernel_sets.h"
#include <string.h>

#ifdef LATHE_X86_KERNELS
#include <cpuid.h>

/* The compiler's check covers the processor and the registers the system saves; F16C is asked of the processor itself
 * because older compilers do not know its name. */
static bool has_avx2(void)
{
	unsigned a, b, c, d;
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
}

static bool has_avx512(void)
{
	return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
		__builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
}

static bool has_bf16(void)
{
	unsigned a, b, c, d;
	return has_avx512() && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 5 & 1);
}
#endif

const Kernels *kernels_at(int i)
{
	const Kernels *set[6] = { &kernels_generic };
	int n = 1;
#ifdef LATHE_X86_KERNELS
	set[n++] = &kernels_sse2;
	if (has_avx2())
		set[n++] = &kernels_avx2;
	if (has_avx512())
		set[n++] = &kernels_avx512;
	if (has_bf16())
		set[n++] = &kernels_avx512bf16;
#endif
	return i >= 0 && i < n ? set[i] : NULL;
}

const Kernels *kernels_pick(const char *name)
{
	const Kernels *best = NULL, *k;
	for (int i = 0; (k = kernels_at(i)); i++) {
		best = k;
		if (name && strcmp(name, k->name) == 0)
			break;
	}
	return best;
}
