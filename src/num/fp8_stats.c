/* fp8_stats.c - see fp8_stats.h. */
#include "num/fp8_stats.h"
#include <math.h>

/* One value under a scale. */
static void value_add(FpSums *s, FpId f, const FpGrid *grid, const float value[256], float x, float scale)
{
	float v = x / scale;
	uint32_t code = fp_encode(f, v, true);
	float q = value[code], y = q * scale, least = ldexpf(1, (grid->e_min >> 23) - 127);
	double d = fabs((double)y - (double)x);
	s->error2 += d * d;
	s->value2 += (double)x * (double)x;
	s->max_abs = d > s->max_abs || isnan(d) ? d : s->max_abs;
	s->nonzero += x != 0;
	s->lost += x != 0 && q == 0;
	s->subnormal += q != 0 && fabsf(q) < least;
	s->above += fabsf(v) > grid->max;
	s->clamped += fabsf(v) > grid->max && code != fp_encode(f, v, false);
}

void fp_sums_add(FpSums *s, const FpQuant *q, int64_t rows, int64_t cols, const real *x, int64_t ldx, const float *scale)
{
	const FpGroups g = fp_groups(q, rows, cols);
	const FpGrid grid = fp_grid(q->format);
	float value[256];
	fp_decode_all(q->format, value);
	for (int64_t r = 0; r < rows; r++)
		for (int64_t c = 0; c < cols; c++)
			value_add(s, q->format, &grid, value, (float)x[r * ldx + c], scale[r / g.rows * g.n_cols + c / g.cols]);
	s->n += rows * cols;
}

void fp_sums_compare(FpSums *s, int64_t rows, int64_t cols, const real *x, int64_t ldx, const real *y, int64_t ldy)
{
	for (int64_t r = 0; r < rows; r++)
		for (int64_t c = 0; c < cols; c++) {
			double a = (double)x[r * ldx + c], d = fabs((double)y[r * ldy + c] - a);
			s->error2 += d * d;
			s->value2 += a * a;
			s->max_abs = d > s->max_abs || isnan(d) ? d : s->max_abs;
			s->nonzero += a != 0;
		}
	s->n += rows * cols;
}

static double share(int64_t part, int64_t all)
{
	return all ? (double)part / (double)all : 0;
}

FpStats fp_stats(const FpSums *s)
{
	double rel = s->error2 == 0 ? 0 : sqrt(s->error2 / s->value2);
	return (FpStats){ .rel_l2 = rel, .max_abs = s->max_abs, .sqnr_db = s->error2 == 0 ? INFINITY : 10 * log10(s->value2 / s->error2),
		.underflow = share(s->lost, s->nonzero), .subnormal = share(s->subnormal, s->n), .above = share(s->above, s->n),
		.clamped = share(s->clamped, s->n) };
}
