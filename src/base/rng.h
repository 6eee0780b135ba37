/* rng.h - Philox4x32-10, counter based: the same (key, stream, counter) gives the same number on any
 * machine and in any thread. Salmon et al. 2011; known-answer vectors in the tests. */
#ifndef BASE_RNG_H
#define BASE_RNG_H
#include <stdint.h>
typedef struct Rng { uint64_t key, stream, counter; } Rng;
Rng rng_make(uint64_t seed, uint64_t stream);
void rng_philox(const uint32_t key[2], const uint32_t ctr[4], uint32_t out[4]);
uint64_t rng_u64(Rng *r);      /* advances the counter by one */
double rng_uniform(Rng *r);    /* [0, 1), 53 bits */
double rng_normal(Rng *r);     /* mean 0, variance 1 (Box-Muller) */
uint32_t rng_below(Rng *r, uint32_t n); /* unbiased */
#endif
