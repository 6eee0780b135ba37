/* test_fp8.c - small formats against a search for the nearest value over all 16-bit inputs; quantisers of every kernel set against plain
 * loops; Hopper's accumulation against its stored sums (fp8.md 4.4) and the plain rule; the same bits for any number of threads. */
#include "tests/unit.h"
#include "base/rng.h"
#include "num/fp8_gemm.h"
#include "num/fp8_stats.h"
#include "num/kernel_sets.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const Kernels *set_at(int i)
{
	const Kernels *k = kernels_at(i);
#ifdef TEST_EMU512
	if (!k && i > 0 && kernels_at(i - 1))
		return &kernels_emu512;
#endif
	return k;
}
#define EACH_SET(k) for (int set_ = 0; set_at(set_); set_++) for (const Kernels *k = set_at(set_); k; k = NULL)

static float bf16(uint32_t u)
{
	return fp_decode(FP_BF16, u);
}

static bool same(float a, float b)
{
	return (isnan(a) && isnan(b)) || memcmp(&a, &b, 4) == 0;
}

/* --- formats --- */

TEST(fp8_all_codes_decode_and_encode_back)
{
	for (int f = 0; f < FP_COUNT; f++)
		for (uint32_t c = 0; c < 1u << fp_format((FpId)f)->bits; c++) {
			float v = fp_decode((FpId)f, c);
			if (isnan(v) || (f == FP_E8M0 && c == 0)) /* 2^-127 is written as the code 1 by the rule for scales */
				continue;
			assert_int_equal(fp_encode((FpId)f, v, isfinite(v)), c);
		}
}

TEST(fp8_golden_conversions)
{
	static const struct { float x; uint32_t code; } want[] = { { 0, 0 }, { -0.0f, 0x80 }, { 1, 0x38 }, { 1.0625f, 0x38 }, { 1.125f, 0x39 },
		{ 1.1875f, 0x3a }, { 0.1f, 0x1d }, { -0.1f, 0x9d }, { 3.3f, 0x45 }, { 17, 0x58 }, { 18, 0x59 }, { 19, 0x5a }, { 240, 0x77 },
		{ 248, 0x78 }, { 448, 0x7e }, { 449, 0x7e }, { 464, 0x7e }, { 464.1f, 0x7e }, { 1e9f, 0x7e }, { INFINITY, 0x7e }, { 0x1p-6f, 8 },
		{ 0x1p-7f, 4 }, { 0x1p-9f, 1 }, { 0x1p-10f, 0 }, { 1.0001f * 0x1p-10f, 1 }, { 3 * 0x1p-10f, 2 }, { 0.0146484375f, 8 },
		{ 1e-40f, 0 } };
	for (size_t i = 0; i < sizeof want / sizeof want[0]; i++)
		assert_int_equal(fp_encode(FP_E4M3, want[i].x, true), want[i].code);
	assert_int_equal(fp_encode(FP_E4M3, 464, false), 0x7e);
	assert_int_equal(fp_encode(FP_E4M3, 464.1f, false), 0x7f);
	assert_int_equal(fp_encode(FP_E5M2, 61439, false), 0x7b);
	assert_int_equal(fp_encode(FP_E5M2, 61440, false), 0x7c);
	assert_int_equal(fp_encode(FP_E5M2, -INFINITY, false), 0xfc);
	assert_int_equal(fp_encode(FP_E4M3UZ, -0.0f, true), 0);
	assert_int_equal(fp_encode(FP_E4M3UZ, 300, false), 0x80);
}

/* The nearest code by search, ties to the even one; values ascend with the codes. */
static uint32_t nearest(FpId f, float a)
{
	uint32_t best = 0;
	a = fminf(a, fp_format(f)->max);
	for (uint32_t c = 0; c < 1u << (fp_format(f)->bits - 1); c++) {
		double v = (double)fp_decode(f, c), d = fabs(v - (double)a), was = fabs((double)fp_decode(f, best) - (double)a);
		if (isfinite(v) && (d < was || (d == was && c % 2 == 0)))
			best = c;
	}
	return best;
}

TEST(fp8_all_bf16_values_go_to_the_nearest_code)
{
	static const FpId ids[] = { FP_E4M3, FP_E5M2, FP_E2M3, FP_E3M2, FP_E2M1, FP_E4M3UZ, FP_E5M2UZ };
	for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++)
		for (uint32_t u = 0; u < 0x7f80; u++) {
			uint32_t want = nearest(ids[i], bf16(u)), sign = 1u << (fp_format(ids[i])->bits - 1);
			assert_int_equal(fp_encode(ids[i], bf16(u), true), want);
			if (fp_format(ids[i])->top != FP_TOP_ZERO || want)
				assert_int_equal(fp_encode(ids[i], bf16(u | 0x8000), true), want | sign);
		}
}

TEST(fp8_formats_agree_with_the_stored_types)
{
	for (uint32_t u = 0; u < 0x10000; u++) {
		float v = bf16(u);
		if (!isnan(v)) {
			assert_int_equal(fp_encode(FP_E4M3, v, true), e4m3_from_f32(v));
			assert_int_equal(fp_encode(FP_F16, v, false), f16_from_f32(v));
		}
		assert_true(same(fp_decode(FP_F16, u), f16_to_f32((uint16_t)u)));
		assert_int_equal(isnan(v) ? u : fp_encode(FP_BF16, v, false), isnan(v) ? u : bf16_from_f32(v));
	}
}

/* --- kernels --- */

enum { GRID_FORMATS = 5 };
static const FpId grids[GRID_FORMATS] = { FP_E4M3, FP_E5M2, FP_E2M3, FP_E3M2, FP_E2M1 };

static void cast_check(const Kernels *k, FpId f, int64_t n, const real *x, const float *s, bool each)
{
	FpGrid g = fp_grid(f);
	uint8_t *code = malloc((size_t)n), *alone = malloc((size_t)n);
	real *y = malloc(sizeof *y * (size_t)n), *z = malloc(sizeof *z * (size_t)n);
	k->fp_cast(n, x, s, each, &g, code, y);
	k->fp_cast(n, x, s, each, &g, alone, NULL);
	k->fp_cast(n, x, s, each, &g, NULL, z);
	for (int64_t i = 0; i < n; i++) {
		float scale = s[each ? i : 0], v = (float)x[i] / scale;
		uint32_t want = fp_encode(f, v, true);
		if (!isnan(v))
			assert_int_equal(code[i], want);
		else
			assert_true(fp_format(f)->top == FP_TOP_NUMBER || isnan(fp_decode(f, code[i])));
		assert_int_equal(code[i], alone[i]);
		assert_true(same((float)y[i], isnan(v) ? NAN : fp_decode(f, want) * scale) && same((float)y[i], (float)z[i]));
	}
	free(code);
	free(alone);
	free(y);
	free(z);
}

TEST(fp8_kernels_cast_all_bf16_values_as_the_encoder)
{
	enum { ALL = 65536 };
	real *x = malloc(sizeof *x * ALL);
	float *s = malloc(sizeof *s * ALL);
	Rng r = rng_make(1, 1);
	for (int i = 0; i < ALL; i++) {
		x[i] = (real)bf16((uint32_t)i);
		s[i] = (float)exp(rng_normal(&r));
	}
	EACH_SET(k)
		for (int f = 0; f < GRID_FORMATS; f++) {
			const float scales[] = { 1, 0.003f, 0x1p-126f, 1e-40f };
			for (int i = 0; i < 4; i++)
				cast_check(k, grids[f], ALL, x, scales + i, false);
			cast_check(k, grids[f], ALL, x, s, true);
			for (int64_t n = 0; n < 40; n++)
				cast_check(k, grids[f], n, x + 16000, s, n % 2);
		}
	free(x);
	free(s);
}

TEST(fp8_kernels_find_the_largest)
{
	real x[77];
	Rng r = rng_make(2, 2);
	EACH_SET(k)
		for (int64_t n = 0; n < 77; n++) {
			float most = 0, each[77] = { 0 };
			for (int64_t i = 0; i < n; i++) {
				x[i] = i == 5 ? (real)NAN : (real)(float)rng_normal(&r);
				most = fabsf((float)x[i]) > most ? fabsf((float)x[i]) : most;
			}
			assert_true(k->fp_amax(n, x) == most);
			k->fp_amax_each(n, x, each);
			for (int64_t i = 0; i < n; i++)
				assert_true(each[i] == (i == 5 ? 0 : fabsf((float)x[i])));
		}
}

/* --- quantisers --- */

static real *matrix(int64_t n, uint64_t seed, double spread)
{
	real *x = malloc(sizeof *x * (size_t)n);
	Rng r = rng_make(seed, 3);
	for (int64_t i = 0; i < n; i++) {
		double v = rng_normal(&r);
		x[i] = (real)(float)(v * exp(spread * rng_normal(&r)));
	}
	return x;
}

static float plain_scale(const FpQuant *q, float amax)
{
	const FpFormat *f = fp_format(q->format);
	amax = amax > q->floor ? amax : q->floor;
	if (amax == 0)
		return 1;
	int e;
	float s = amax / f->max, m = frexpf(q->scale == FP_SCALE_MX ? amax : s, &e);
	if (q->scale == FP_SCALE_F32)
		return s;
	return ldexpf(1, q->scale == FP_SCALE_MX ? e - 1 - f->e_max : m == 0.5f ? e - 1 : e);
}

static void quantise_check(Pool *p, const FpQuant *q, int64_t rows, int64_t cols, const real *x, int64_t ldx)
{
	FpGroups g = fp_groups(q, rows, cols);
	uint8_t *code = malloc((size_t)(rows * cols));
	real *y = malloc(sizeof *y * (size_t)(rows * cols));
	float *scale = malloc(sizeof *scale * (size_t)(g.n_rows * g.n_cols));
	fp_quantise(p, q, rows, cols, x, ldx, &(FpOut){ code, cols, y, cols, scale });
	for (int64_t i = 0; i < g.n_rows * g.n_cols; i++) {
		int64_t r0 = i / g.n_cols * g.rows, c0 = i % g.n_cols * g.cols;
		float amax = 0;
		for (int64_t r = r0; r < r0 + g.rows && r < rows; r++)
			for (int64_t c = c0; c < c0 + g.cols && c < cols; c++)
				amax = fmaxf(amax, fabsf((float)x[r * ldx + c]));
		assert_true(scale[i] == plain_scale(q, amax));
	}
	for (int64_t r = 0; r < rows; r++)
		for (int64_t c = 0; c < cols; c++) {
			float s = scale[r / g.rows * g.n_cols + c / g.cols];
			uint32_t want = fp_encode(q->format, (float)x[r * ldx + c] / s, true);
			assert_int_equal(code[r * cols + c], want);
			assert_true(same((float)y[r * cols + c], fp_decode(q->format, want) * s));
		}
	free(code);
	free(y);
	free(scale);
}

static const FpQuant recipes[] = { { FP_E4M3, 128, 128, FP_SCALE_F32, 0 }, { FP_E4M3, 1, 128, FP_SCALE_POW2, 1e-4f },
	{ FP_E4M3, 128, 1, FP_SCALE_F32, 0 }, { FP_E5M2, 0, 0, FP_SCALE_F32, 0 }, { FP_E4M3, 1, 0, FP_SCALE_F32, 0 },
	{ FP_E4M3, 0, 1, FP_SCALE_POW2, 0 }, { FP_E4M3, 1, 32, FP_SCALE_MX, 0 }, { FP_E2M1, 1, 32, FP_SCALE_MX, 0 },
	{ FP_E2M3, 5, 7, FP_SCALE_F32, 1e-30f }, { FP_E3M2, 1, 1, FP_SCALE_POW2, 0 }, { FP_E4M3, 0, 100, FP_SCALE_F32, 0 } };

TEST(fp8_quantisers_equal_plain_loops)
{
	static const int64_t shapes[][2] = { { 1, 1 }, { 3, 130 }, { 129, 257 }, { 70, 5 }, { 300, 64 }, { 2, 2500 } };
	EACH_SET(k)
		for (int threads = 1; threads <= 2; threads++) {
			Pool *p = pool_new_with(threads, k);
			for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
				int64_t rows = shapes[s][0], cols = shapes[s][1];
				real *x = matrix(rows * (cols + 3), s, s % 2 ? 4 : 0);
				memset(x, 0, sizeof *x * (size_t)(rows > 1 ? cols : 0));
				for (size_t i = 0; i < sizeof recipes / sizeof recipes[0]; i++)
					quantise_check(p, &recipes[i], rows, cols, x, cols + 3);
				free(x);
			}
			pool_free(p);
		}
}

TEST(fp8_nvfp4_scales_are_two_levels)
{
	FpQuant q = { FP_E2M1, 1, 16, FP_SCALE_NV, 0 };
	Pool *p = pool_new(1);
	real *x = matrix(8 * 64, 4, 1), y[8 * 64];
	memset(x + 64, 0, sizeof *x * 16);
	float scale[32], amax = fp_matrix_amax(p, 8, 64, x, 64), whole = amax / (6.0f * 448.0f);
	fp_quantise(p, &q, 8, 64, x, 64, &(FpOut){ .y = y, .ldy = 64, .scale = scale });
	for (int i = 0; i < 32; i++) {
		float level = scale[i] / whole;
		assert_true(fabsf(level - fp_decode(FP_E4M3, fp_encode(FP_E4M3, level, true))) <= 1e-6f * level);
	}
	for (int i = 64; i < 80; i++)
		assert_true(y[i] == 0);
	free(x);
	pool_free(p);
}

TEST(fp8_errors_are_those_of_the_reference)
{
	static const struct { FpQuant q; double rel; } want[] = { { { FP_E4M3, 1, 128, FP_SCALE_F32, 0 }, 0.0257 },
		{ { FP_E4M3, 1, 128, FP_SCALE_POW2, 0 }, 0.0267 }, { { FP_E5M2, 1, 128, FP_SCALE_F32, 0 }, 0.0514 } };
	Pool *p = pool_new(1);
	real *x = matrix(512 * 512, 5, 0);
	float *scale = malloc(sizeof *scale * 512 * 4);
	for (int i = 0; i < 3; i++) {
		FpSums s = { 0 };
		fp_quantise(p, &want[i].q, 512, 512, x, 512, &(FpOut){ .scale = scale });
		fp_sums_add(&s, &want[i].q, 512, 512, x, 512, scale);
		assert_close(fp_stats(&s).rel_l2, want[i].rel, 0, 0.01);
	}
	free(scale);
	free(x);
	pool_free(p);
}

TEST(fp8_delayed_scaling_follows_what_was_seen)
{
	FpDelayed d = { 0 };
	FpQuant q = { FP_E4M3, 0, 0, FP_SCALE_F32, 0 };
	assert_true(fp_delayed_scale(&d, &q, 44.8f) == 44.8f / 448);
	fp_delayed_note(&d, 448);
	assert_true(fp_delayed_scale(&d, &q, 1e9f) == 1); /* an outlier is not known of yet, and clips */
	for (int i = 0; i < FP_HISTORY; i++)
		fp_delayed_note(&d, 896);
	assert_true(fp_delayed_scale(&d, &q, 0) == 2);
	Pool *p = pool_new(1);
	real x[4] = { 1, 1000, -3, 0 }, y[4];
	float scale = 2;
	q.scale = FP_SCALE_GIVEN;
	fp_quantise(p, &q, 2, 2, x, 2, &(FpOut){ .y = y, .ldy = 2, .scale = &scale });
	assert_true(y[0] == 1 && y[1] == 896 && y[2] == -3 && y[3] == 0);
	pool_free(p);
}

/* --- Hopper's accumulation --- */

static float dot(Pool *p, const uint8_t *a, const uint8_t *b, int64_t n, int bits, int every)
{
	FpMat A = { .code = a, .format = FP_E4M3, .rows = 1, .k = n, .ld_row = n, .ld_k = 1 }, B = A;
	real y;
	B.code = b;
	fp_gemm(p, &A, &B, &(FpAccum){ bits, every }, &y, 1, false);
	return (float)y;
}

static void fill(uint8_t *c, int64_t n, uint8_t code)
{
	memset(c, code, (size_t)n);
}

TEST(fp8_accumulation_has_the_stored_sums)
{
	uint8_t a[4096], b[4096];
	EACH_SET(k) {
		Pool *p = pool_new_with(1, k);
		fill(a, 4096, 0x38);
		fill(b, 4096, 0);
		const uint8_t cancel[] = { 0x78, 0xf8, 0x08, 0x08 };
		memcpy(b, cancel, 4);
		assert_true(dot(p, a, b, 32, 13, 0) == 0);
		b[0] = 0x70, b[1] = 0xf0;
		assert_true(dot(p, a, b, 32, 13, 128) == 0.03125f);
		fill(b, 4096, 0x38);
		assert_true(dot(p, a, b, 4096, 13, 0) == 4096);
		fill(b, 4096, 0x39);
		assert_true(dot(p, a, b, 4096, 13, 0) == 4324 && dot(p, a, b, 4096, 13, 128) == 4608);
		fill(a, 4096, 0x3f);
		fill(b, 4096, 0x3f);
		assert_true(dot(p, a, b, 4096, 13, 0) == 13473 && dot(p, a, b, 4096, 13, 128) == 14384);
		for (int i = 0; i < 4096; i++) {
			a[i] = (uint8_t)(0x30 + 7 * i % 16);
			b[i] = (uint8_t)(0x30 + (5 * i + 3) % 16);
		}
		assert_true(dot(p, a, b, 128, 13, 0) == 147.4375f && dot(p, a, b, 1024, 13, 0) == 1161.5f && dot(p, a, b, 1024, 13, 128) == 1179.5f);
		assert_true(dot(p, a, b, 4096, 13, 0) == 4315 && dot(p, a, b, 4096, 13, 128) == 4718);
		for (int i = 0; i < 4096; i++) {
			a[i] = (uint8_t)((73 * i + 19) % 127 | ((5 * i + 1) % 3 == 0) << 7);
			b[i] = (uint8_t)((41 * i + 7) % 127 | ((7 * i + 2) % 4 == 0) << 7);
		}
		assert_true(dot(p, a, b, 128, 13, 0) == 144192 && dot(p, a, b, 4096, 13, 0) == 1704960 && dot(p, a, b, 4096, 13, 128) == 1711198);
		assert_true(dot(p, a, b, 4096, 25, 0) == fp_mma_chain(FP_E4M3, a, 1, FP_E4M3, b, 1, 4096, 25, 0));
		pool_free(p);
	}
}

typedef struct Case { int64_t M, N, K; FpId fa, fb; int64_t ga, gb; int bits, every; bool turned, odd; } Case;

static float plain(const Case *c, const FpMat *A, const FpMat *B, int64_t i, int64_t j)
{
	float sum = 0, part = 0;
	for (int64_t k = 0; k < c->K; k += 32) {
		int64_t n = c->K - k < 32 ? c->K - k : 32, end = k + n;
		part = fp_mma_chain(A->format, A->code + i * A->ld_row + k * A->ld_k, A->ld_k, B->format, B->code + j * B->ld_row + k * B->ld_k, B->ld_k,
			n, c->bits, part);
		if (end < c->K && (!c->every || end % c->every) && (!c->ga || end % c->ga) && (!c->gb || end % c->gb))
			continue;
		float sa = A->scale[i * A->scale_row + (c->ga ? k / c->ga : 0)], sb = B->scale[j / 128 * B->scale_row + (c->gb ? k / c->gb : 0)];
		float scale = sa * sb;
		part *= scale;
		sum += part;
		part = 0;
	}
	return sum;
}

static uint8_t any_code(Rng *r, bool odd)
{
	uint8_t c = (uint8_t)rng_below(r, 256);
	return (c & 0x7f) >= 0x7c && !odd ? (uint8_t)(c & 0xbb) : c;
}

static void gemm_check(const Case *c, Pool *p)
{
	Rng r = rng_make(7, (uint64_t)(c->M * 1000 + c->N));
	size_t na = (size_t)(c->M * c->K), nb = (size_t)(c->N * c->K);
	uint8_t *a = malloc(na), *b = malloc(nb);
	float *sa = malloc(4 * na + 4), *sb = malloc(4 * nb + 4);
	real *y = malloc(sizeof *y * (size_t)(c->M * c->N));
	for (size_t i = 0; i < na; i++) {
		a[i] = any_code(&r, c->odd && i < 9);
		sa[i] = (float)exp(rng_normal(&r));
	}
	for (size_t i = 0; i < nb; i++) {
		b[i] = any_code(&r, c->odd && i < 9);
		sb[i] = (float)exp(rng_normal(&r));
	}
	FpMat A = { a, c->fa, c->M, c->K, c->turned ? 1 : c->K, c->turned ? c->M : 1, sa, 1, c->ga, c->ga ? (c->K + c->ga - 1) / c->ga : 1, 1 };
	FpMat B = { b, c->fb, c->N, c->K, c->turned ? 1 : c->K, c->turned ? c->N : 1, sb, 128, c->gb, c->gb ? (c->K + c->gb - 1) / c->gb : 1, 1 };
	for (int64_t i = 0; i < c->M * c->N; i++)
		y[i] = 1;
	fp_gemm(p, &A, &B, &(FpAccum){ c->bits, c->every }, y, c->N, c->M % 2 == 0);
	for (int64_t i = 0; i < c->M; i++)
		for (int64_t j = 0; j < c->N; j++) {
			real want = (real)plain(c, &A, &B, i, j) + (c->M % 2 == 0 ? 1 : 0);
			assert_true(same((float)y[i * c->N + j], (float)want));
		}
	free(a);
	free(b);
	free(sa);
	free(sb);
	free(y);
}

TEST(fp8_products_equal_the_plain_rule)
{
	static const Case cases[] = { { 1, 1, 1, FP_E4M3, FP_E4M3, 0, 0, 13, 128, false, false }, { 5, 33, 300, FP_E4M3, FP_E4M3, 128, 128, 13, 128, false, false },
		{ 66, 35, 160, FP_E5M2, FP_E4M3, 128, 128, 13, 128, true, false }, { 4, 130, 257, FP_E5M2, FP_E5M2, 0, 0, 13, 0, false, false },
		{ 7, 9, 96, FP_E4M3, FP_E4M3, 32, 0, 10, 64, false, false }, { 3, 5, 100, FP_E4M3, FP_E4M3, 0, 0, 16, 32, true, false },
		{ 6, 18, 130, FP_E4M3, FP_E4M3, 128, 0, 13, 0, false, true }, { 3, 6, 70, FP_E4M3, FP_E5M2, 0, 64, 20, 0, false, false },
		{ 2, 40, 64, FP_E2M1, FP_E2M1, 32, 32, 13, 0, false, true } };
	EACH_SET(k)
		for (int threads = 1; threads <= 2; threads++) {
			Pool *p = pool_new_with(threads, k);
			for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
				gemm_check(&cases[i], p);
			pool_free(p);
		}
}
