/* kern.c - one kernel set. Compiled once per instruction set, with its flags and one of KERN_GENERIC, KERN_SSE2, KERN_AVX2,
 * KERN_AVX512, KERN_AVX512BF16, KERN_EMU512 (see kern_vec.h), each giving one Kernels table. */
#include "num/kern_vec.h"
#include "num/kernel_sets.h"
#include "num/kern_expand.h"
#include "num/kern_nt.h"
#include "num/kern_apart.h"
#include "num/kern_nn.h"
#include "num/kern_rows.h"
#include "num/kern_fp8.h"
#include "num/kern_probe.h"

#if defined(KERN_AVX512BF16)
#define SET avx512bf16
#elif defined(KERN_AVX512)
#define SET avx512
#elif defined(KERN_EMU512)
#define SET emu512
#elif defined(KERN_AVX2)
#define SET avx2
#elif defined(KERN_SSE2)
#define SET sse2
#else
#define SET generic
#endif
#define TEXT_(s) #s
#define TEXT(s) TEXT_(s)
#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)

const Kernels JOIN(kernels_, SET) = {
	.name = TEXT(SET), .lanes = VL,
	.nt_rows = nt_rows, .nt_scratch = nt_scratch, .nt = nt,
	.nn_scratch = NN_SCRATCH, .nn = nn,
	.row_max = row_max, .row_exp = row_exp, .row_sumsq = row_sumsq, .row_scale = row_scale,
	.row_sigmoid = row_sigmoid, .row_swiglu = row_swiglu,
	.row_dot = row_dot, .row_add = row_add, .row_mul_add = row_mul_add,
	.row_swiglu_back = row_swiglu_back, .row_rmsnorm_back = row_rmsnorm_back, .row_adamw = row_adamw,
	.fp_amax = fp_amax, .fp_amax_each = fp_amax_each, .fp_cast = fp_cast, .fp_mma = fp_mma,
	.probe_fma = probe_fma, .probe_read = probe_read, .probe_copy = probe_copy,
#if KERN_DOT_BF16
	.probe_bf16 = probe_bf16,
#endif
};
