/* kernel_sets.h - the tables that kern.c gives, one per instruction set. Only kernels.c chooses among them. */
#ifndef NUM_KERNEL_SETS_H
#define NUM_KERNEL_SETS_H
#include "num/kernels.h"
extern const Kernels kernels_generic;
#ifdef LATHE_X86_KERNELS
extern const Kernels kernels_sse2, kernels_avx2, kernels_avx512, kernels_avx512bf16;
#endif
/* Sixteen lanes carried out by AVX2: the logic of the avx512 sets on machines without it. Linked into tests only. */
extern const Kernels kernels_emu512;
#endif
