/* fp8_stats.h - what a small format does to a tensor (fp8.md 6). Sums are in double precision, in the order of the elements. */
#ifndef NUM_FP8_STATS_H
#define NUM_FP8_STATS_H
#include "num/fp8_quant.h"

/* Sums, to which tensors can be added one after another. */
typedef struct FpSums {
	double error2, value2, max_abs;
	int64_t n, nonzero;           /* elements; those that are not zero */
	int64_t lost, subnormal;      /* not zero and became zero; below the smallest normal number, not zero */
	int64_t above, clamped;       /* |x / scale| above the largest value; the code differs from the one without clamping */
} FpSums;
/* x under q with these scales, [n_rows, n_cols] of fp_groups. */
void fp_sums_add(FpSums *s, const FpQuant *q, int64_t rows, int64_t cols, const real *x, int64_t ldx, const float *scale);
/* Another result y of x, of which only the error counts. */
void fp_sums_compare(FpSums *s, int64_t rows, int64_t cols, const real *x, int64_t ldx, const real *y, int64_t ldy);

typedef struct FpStats {
	double rel_l2;                /* |y - x| / |x|; 0 where both are zero */
	double max_abs;
	double sqnr_db;               /* 10 log10 (x^2 / (y - x)^2); infinite without error */
	double underflow;             /* share of the values not zero that became zero */
	double subnormal, above, clamped;  /* shares of all */
} FpStats;
FpStats fp_stats(const FpSums *s);
#endif
