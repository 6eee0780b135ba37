/* lm_random.c - a model of random weights in one block of memory, for benches and tests. */
#include "model/lm_build.h"
#include "base/hash.h"
#include "base/rng.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { RANDOM_TABLE = 1 << 12 };

/* A matrix draws from a table of normal numbers at a hashed start, so that a gigabyte of weights is filled
 * at copy speed. */
static void random_fill(uint64_t key, real std, Dtype d, int64_t n, void *to)
{
	real table[RANDOM_TABLE];
	unsigned char stored[RANDOM_TABLE * sizeof(double)];
	Rng g = rng_make(key, 0x6c617468);
	for (int i = 0; i < RANDOM_TABLE; i++)
		table[i] = (real)rng_normal(&g) * std;
	dtype_from_real(d, table, RANDOM_TABLE, stored);
	size_t w = dtype_bits(d) / 8;
	for (int64_t at = 0; at < n;) {
		uint32_t from = rng_below(&g, RANDOM_TABLE / 2);
		int64_t k = n - at < RANDOM_TABLE / 2 ? n - at : RANDOM_TABLE / 2;
		memcpy((char *)to + (size_t)at * w, stored + (size_t)from * w, (size_t)k * w);
		at += k;
	}
}

static Ten *random_get(Build *b, const char *name, int rank, const int64_t *shape, bool optional)
{
	if (b->failed || optional)
		return NULL;
	int64_t n = rank > 1 ? shape[0] * shape[1] : shape[0];
	Dtype d = rank > 1 ? b->dtype : REAL_DTYPE;
	void *to = arena_alloc(b->m->perm, (size_t)n * dtype_bits(d) / 8);
	char *own = arena_strdup(b->m->perm, name);
	if (!to || !own) {
		b->failed = !err_set(b->e, E_5001, "random model: no memory for %s", name);
		return NULL;
	}
	bool norm = strstr(name, "norm") != NULL;
	if (norm)
		for (int64_t i = 0; i < n; i++)
			((real *)to)[i] = 1;
	else
		random_fill(b->seed ^ hash_bytes(name, strlen(name), 0),
			rank > 1 ? (real)(1 / sqrt((double)shape[1])) : (real)0.01, d, n, to);
	b->m->weight_bytes += n * (int64_t)(dtype_bits(d) / 8);
	Ten x = ten_wrap(d, to, rank, shape, own);
	return build_keep(b, &x, false);
}

Lm *lm_random(const Config *c, Dtype dtype, uint64_t seed, Err *e)
{
	Build b = { .m = calloc(1, sizeof(Lm)),
		.get = random_get,
		.dtype = dtype,
		.seed = seed,
		.e = e };
	LmOptions o = { 0 };
	if (!b.m || !(b.m->perm = arena_new("random weights", 0))) {
		lm_free(b.m);
		err_set(e, E_5001, "random model: out of memory");
		return NULL;
	}
	b.m->c = *c;
	if (build_model(&b, &o))
		return b.m;
	lm_free(b.m);
	return NULL;
}
