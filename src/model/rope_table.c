/* rope_table.c - inverse frequencies (plain or YaRN, mla.md 3-4; V2 report appendix B) and the cos/sin
 * tables, in single precision as the reference implementations compute them: inv_freq, the product with
 * the position, and its cosine. */
#include "model/rope_table.h"
#include "model/lm.h"
#include <math.h>
#include <stdlib.h>

static double mscale(double s, double k)
{
	return s <= 1 ? 1 : 0.1 * k * log(s) + 1;
}

/* What multiplies cos and sin: mscale(F, mscale) / mscale(F, mscale_all_dim), 1 in every release. */
static double rope_magnitude(const Config *c)
{
	if (c->yarn_factor == 0)
		return 1;
	if (c->yarn_attention_factor != 0)
		return c->yarn_attention_factor;
	if (c->yarn_mscale != 0 && c->yarn_mscale_all_dim != 0)
		return mscale(c->yarn_factor, c->yarn_mscale) / mscale(c->yarn_factor, c->yarn_mscale_all_dim);
	return mscale(c->yarn_factor, 1);
}

double rope_softmax_scale(const Config *c)
{
	double s = 1 / sqrt((double)(c->qk_nope_head_dim + c->qk_rope_head_dim));
	if (c->yarn_factor == 0 || c->yarn_mscale_all_dim == 0)
		return s;
	double m = mscale(c->yarn_factor, c->yarn_mscale_all_dim);
	return s * m * m;
}

/* The dimension index that makes n turns over the original length. */
static double yarn_dim(const Config *c, double n)
{
	return (double)c->qk_rope_head_dim * log((double)c->yarn_original / (2 * M_PI * n)) /
		(2 * log(c->rope_theta));
}

void rope_frequencies(const Config *c, float *inv_freq)
{
	int64_t d = c->qk_rope_head_dim;
	double low = 0, high = 0;
	if (c->yarn_factor != 0) {
		low = yarn_dim(c, c->yarn_beta_fast);
		high = yarn_dim(c, c->yarn_beta_slow);
		low = fmax(c->yarn_truncate ? floor(low) : low, 0);
		high = fmin(c->yarn_truncate ? ceil(high) : high, (double)(d - 1)); /* d-1, not d/2-1: as released */
		if (low == high)
			high += 0.001;
	}
	for (int64_t i = 0; i < d / 2; i++) {
		float f = 1.0f / powf((float)c->rope_theta, (float)(2 * i) / (float)d);
		if (c->yarn_factor != 0) {
			float ramp = (float)fmin(fmax(((double)i - low) / (high - low), 0), 1);
			f = f / (float)c->yarn_factor * ramp + f * (1 - ramp);
		}
		inv_freq[i] = f;
	}
}

bool lm_rope_reserve(Lm *m, int64_t n, Err *e)
{
	if (n <= m->rope.n_pos)
		return true;
	int64_t half = m->c.qk_rope_head_dim / 2, want = m->rope.n_pos ? m->rope.n_pos : 256;
	while (want < n)
		want *= 2;
	size_t bytes;
	real *to = NULL;
	if (!size_mul((size_t)want, (size_t)half * 2 * sizeof *to, &bytes) || !(to = malloc(bytes)))
		return err_set(e, E_5001, "rotary table: no memory for %lld positions", (long long)want);
	float *f = malloc(sizeof *f * (size_t)half);
	if (!f) {
		free(to);
		return err_set(e, E_5001, "rotary table: out of memory");
	}
	rope_frequencies(&m->c, f);
	double a = rope_magnitude(&m->c);
	for (int64_t p = 0; p < want; p++)
		for (int64_t i = 0; i < half; i++) {
			float angle = (float)p * f[i];
			to[p * half + i] = (real)((double)cosf(angle) * a);
			to[(want + p) * half + i] = (real)((double)sinf(angle) * a);
		}
	free(f);
	free(m->rope_memory);
	m->rope_memory = to;
	m->rope = (RopeTable){ .d = (int)(half * 2), .n_pos = (int)want, .half = !m->c.rope_interleave, .cos = to,
			       .sin = to + want * half };
	return true;
}
