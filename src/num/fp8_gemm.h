/* fp8_gemm.h - products of FP8 codes as Hopper's tensor cores form them (fp8.md 4; V3 report 3.3.2, 3.5.2; MMA-Sim, arXiv 2511.10909).
 *
 * 32 products at a time are cut to `bits` places below the largest exponent and added to a sum that keeps as many; every N_C products the
 * sum goes to f32, times the scales of both groups: acc = fl(acc + fl(sum * fl(sA sB))), two roundings. Bits do not depend on threads,
 * kernels or shapes. */
#ifndef NUM_FP8_GEMM_H
#define NUM_FP8_GEMM_H
#include "num/fp8_quant.h"

/* bits 13 is Hopper; 4 to 25. every: N_C, a multiple of 32; 0: the sum is not promoted before a group of scales ends. */
typedef struct FpAccum { int bits, every; } FpAccum;

/* Codes as a matrix [rows, k], read through strides, so that a transposed one is the same memory. Scales: [row / group_rows][k / group_k]
 * with strides of their own; a group of 0 is all. group_k must be 0 or a multiple of 32. */
typedef struct FpMat {
	const uint8_t *code;
	FpId format;                   /* FP_E4M3 or FP_E5M2, or one of fewer bits */
	int64_t rows, k, ld_row, ld_k;
	const float *scale;            /* NULL: 1 */
	int64_t group_rows, group_k, scale_row, scale_k;
} FpMat;

/* y[A.rows, B.rows] (+)= A B^T. */
void fp_gemm(Pool *p, const FpMat *A, const FpMat *B, const FpAccum *acc, real *y, int64_t ldy, bool add);
/* One sum of n products onto c, without promotion and scales, by plain loops: the rule that fp_gemm's kernels must equal. */
float fp_mma_chain(FpId fa, const uint8_t *a, int64_t lda, FpId fb, const uint8_t *b, int64_t ldb, int64_t n, int bits, float c);
#endif
