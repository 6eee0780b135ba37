/* rng.c - Philox4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel Random Numbers: As Easy as 1, 2, 3; SC
 * 2011). The block of a draw is the counter (low half) and the stream (high half), so draws need no order
 * and no lock. */
#include "base/rng.h"
#include <math.h>

static void philox_round(uint32_t c[4], const uint32_t k[2])
{
	uint64_t p0 = (uint64_t)0xd2511f53u * c[0], p1 = (uint64_t)0xcd9e8d57u * c[2];
	uint32_t c1 = c[1], c3 = c[3];
	c[0] = (uint32_t)(p1 >> 32) ^ c1 ^ k[0];
	c[1] = (uint32_t)p1;
	c[2] = (uint32_t)(p0 >> 32) ^ c3 ^ k[1];
	c[3] = (uint32_t)p0;
}

void rng_philox(const uint32_t key[2], const uint32_t ctr[4], uint32_t out[4])
{
	uint32_t k[2] = { key[0], key[1] }, c[4] = { ctr[0], ctr[1], ctr[2], ctr[3] };
	for (int i = 0; i < 10; i++) {
		philox_round(c, k);
		k[0] += 0x9e3779b9u;
		k[1] += 0xbb67ae85u;
	}
	for (int i = 0; i < 4; i++)
		out[i] = c[i];
}

Rng rng_make(uint64_t seed, uint64_t stream)
{
	return (Rng){ .key = seed, .stream = stream, .counter = 0 };
}

static void rng_block(Rng *r, uint32_t out[4])
{
	const uint32_t key[2] = { (uint32_t)r->key, (uint32_t)(r->key >> 32) };
	const uint32_t ctr[4] = { (uint32_t)r->counter, (uint32_t)(r->counter >> 32),
		(uint32_t)r->stream, (uint32_t)(r->stream >> 32) };
	rng_philox(key, ctr, out);
	r->counter++;
}

static uint64_t words_join(uint32_t lo, uint32_t hi)
{
	return (uint64_t)hi << 32 | lo;
}

/* The upper 53 bits as a number in [0, 1). */
static double unit_of(uint64_t u)
{
	return (double)(u >> 11) * 0x1p-53;
}

uint64_t rng_u64(Rng *r)
{
	uint32_t w[4];
	rng_block(r, w);
	return words_join(w[0], w[1]);
}

double rng_uniform(Rng *r)
{
	return unit_of(rng_u64(r));
}

double rng_normal(Rng *r)
{
	uint32_t w[4];
	rng_block(r, w);
	double u = 1 - unit_of(words_join(w[0], w[1])); /* (0, 1]: the logarithm is finite */
	double v = unit_of(words_join(w[2], w[3]));
	return sqrt(-2 * log(u)) * cos(6.283185307179586 * v);
}

uint32_t rng_below(Rng *r, uint32_t n)
{
	if (n == 0)
		return 0;
	uint32_t low = (uint32_t)-n % n; /* 2^32 mod n: products whose low half is below it are drawn again */
	for (;;) {
		uint64_t p = (rng_u64(r) >> 32) * n;
		if ((uint32_t)p >= low)
			return (uint32_t)(p >> 32);
	}
}
