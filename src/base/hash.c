/* hash.c - a string hash that is the same on every machine, and a map from strings to numbers. A map salts
 * its hash, so that keys in a hostile file cannot be chosen to fall into one place. */
#include "base/hash.h"
#include "base/arena.h"
#include "base/clock.h"
#include <stdlib.h>
#include <string.h>

typedef struct Slot {
	const char *key; /* NULL: free */
	size_t n;
	uint64_t hash;
	int64_t value;
} Slot;

struct Map {
	Slot *slots;
	size_t size, count; /* size is a power of two; at most 3/4 full */
	uint64_t salt;
};

/* The two halves of the 128-bit product, folded together. */
static uint64_t fold(uint64_t a, uint64_t b)
{
	uint64_t al = (uint32_t)a, ah = a >> 32, bl = (uint32_t)b, bh = b >> 32;
	uint64_t ll = al * bl, lh = al * bh, hl = ah * bl, hh = ah * bh;
	uint64_t mid = (ll >> 32) + (uint32_t)lh + (uint32_t)hl;
	uint64_t hi = hh + (lh >> 32) + (hl >> 32) + (mid >> 32);
	return hi ^ ((mid << 32) | (uint32_t)ll);
}

/* Up to eight bytes, least significant first. */
static uint64_t word_load(const unsigned char *p, size_t n)
{
	uint64_t w = 0;
	for (size_t i = 0; i < n; i++)
		w |= (uint64_t)p[i] << (8 * i);
	return w;
}

uint64_t hash_bytes(const void *p, size_t n, uint64_t seed)
{
	const uint64_t k0 = 0x9e3779b97f4a7c15u, k1 = 0xd1b54a32d192ed03u;
	const unsigned char *s = p;
	uint64_t h = fold(seed ^ k0, k1) ^ (uint64_t)n;
	for (size_t left = n; left > 0;) {
		size_t take = left < 8 ? left : 8;
		h = fold(h ^ word_load(s, take), k0) + k1;
		s += take;
		left -= take;
	}
	return fold(h ^ k1, k0) ^ (h >> 29);
}

Map *map_new(size_t hint)
{
	size_t size = 16, bytes;
	while (size / 4 * 3 <= hint && size <= SIZE_MAX / 4)
		size *= 2;
	Map *m = malloc(sizeof *m);
	if (!m || !size_mul(size, sizeof(Slot), &bytes)) {
		free(m);
		return NULL;
	}
	*m = (Map){ .slots = calloc(1, bytes), .size = size };
	if (!m->slots) {
		free(m);
		return NULL;
	}
	m->salt = fold((uint64_t)(uintptr_t)m ^ (uint64_t)clock_wall_us(),
		0x9e3779b97f4a7c15u) ^ (uintptr_t)m->slots;
	return m;
}

void map_free(Map *m)
{
	if (!m)
		return;
	free(m->slots);
	free(m);
}

/* The slot that holds the key, or the free one where it belongs. */
static Slot *slot_find(Slot *slots, size_t size, uint64_t hash, const char *key, size_t n)
{
	for (size_t i = (size_t)hash & (size - 1);; i = (i + 1) & (size - 1)) {
		Slot *s = &slots[i];
		if (!s->key || (s->hash == hash && s->n == n && memcmp(s->key, key, n) == 0))
			return s;
	}
}

static bool map_grow(Map *m)
{
	size_t size, bytes;
	if (!size_mul(m->size, 2, &size) || !size_mul(size, sizeof(Slot), &bytes))
		return false;
	Slot *to = calloc(1, bytes);
	if (!to)
		return false;
	for (size_t i = 0; i < m->size; i++) {
		const Slot *s = &m->slots[i];
		if (s->key)
			*slot_find(to, size, s->hash, s->key, s->n) = *s;
	}
	free(m->slots);
	m->slots = to;
	m->size = size;
	return true;
}

bool map_put(Map *m, const char *key, size_t n, int64_t value, bool *had)
{
	uint64_t hash = hash_bytes(key, n, m->salt);
	Slot *s = slot_find(m->slots, m->size, hash, key, n);
	if (had)
		*had = s->key != NULL;
	if (s->key)
		return true;
	if (m->count + 1 > m->size / 4 * 3) {
		if (!map_grow(m))
			return false;
		s = slot_find(m->slots, m->size, hash, key, n);
	}
	*s = (Slot){ key, n, hash, value };
	m->count++;
	return true;
}

int64_t map_get(const Map *m, const char *key, size_t n)
{
	const Slot *s = slot_find(m->slots, m->size, hash_bytes(key, n, m->salt), key, n);
	return s->key ? s->value : -1;
}

size_t map_count(const Map *m)
{
	return m->count;
}
