/* fp8_quant.h - tensors in small formats: groups of values that share a scale.
 *
 * Code = cast(clamp(fl(x / scale))), to nearest even; value = fl(decoded code * scale). (fp8.md 2; V3 report 3.3.2; OCP MX 1.0.)
 * Groups start at multiples of their size; at the edges they are smaller. */
#ifndef NUM_FP8_QUANT_H
#define NUM_FP8_QUANT_H
#include "num/fp8_format.h"
#include "num/kernels.h"

typedef enum FpScale {
	FP_SCALE_F32,         /* fl(amax / max) */
	FP_SCALE_POW2,        /* the next power of two at or above that */
	FP_SCALE_MX,          /* 2^(floor(log2 amax) - e_max): the largest values of a group may be clamped */
	FP_SCALE_NV,          /* an e4m3fn code times one f32 of the whole tensor */
	FP_SCALE_GIVEN        /* the caller's, as of delayed scaling */
} FpScale;

/* What a tensor becomes. amax of a group is at least `floor`; a group of zeros without a floor has scale 1. */
typedef struct FpQuant {
	FpId format;          /* of at most 8 bits, not fnuz */
	int rows, cols;       /* of a group; 0: all */
	FpScale scale;
	float floor;
} FpQuant;

/* Groups of a matrix: how many each way, and how large they are. */
typedef struct FpGroups { int64_t rows, cols, n_rows, n_cols; } FpGroups;
FpGroups fp_groups(const FpQuant *q, int64_t rows, int64_t cols);

/* Where the result goes. Any of them may be NULL, but not the scales that are given. */
typedef struct FpOut {
	uint8_t *code;
	int64_t ld_code;
	real *y;              /* the values; may be x itself */
	int64_t ldy;
	float *scale;         /* [n_rows, n_cols], dense */
} FpOut;
void fp_quantise(Pool *p, const FpQuant *q, int64_t rows, int64_t cols, const real *x, int64_t ldx, const FpOut *out);

/* Values of stored codes: y = fl(value * scale[row / g.rows][col / g.cols]). */
void fp_expand(FpId f, const FpGroups *g, int64_t rows, int64_t cols, const uint8_t *code, int64_t ld_code, const float *scale, real *y,
	int64_t ldy);
/* The scale of a group by its amax; NV: `tensor` is fp_scale_tensor of the whole, else it does not matter. */
float fp_scale(const FpQuant *q, float amax, float tensor);
/* NVFP4's scale of a whole tensor: it brings the largest group's scale to 448. */
float fp_scale_tensor(const FpQuant *q, float amax);
FpGrid fp_grid(FpId f);

/* Delayed scaling: the scale of this time is that of the largest amax of the last times. */
enum { FP_HISTORY = 16 };
typedef struct FpDelayed { float amax[FP_HISTORY]; int at, n; } FpDelayed;
/* The scale for what comes next; before anything has been seen, that of `amax` itself. */
float fp_delayed_scale(const FpDelayed *d, const FpQuant *q, float amax);
void fp_delayed_note(FpDelayed *d, float amax);
/* The largest |x| of a matrix. */
float fp_matrix_amax(Pool *p, int64_t rows, int64_t cols, const real *x, int64_t ldx);
#endif
