/* hash.h - string map (open addressing, keys not copied unless stated) and a 64-bit string hash. */
#ifndef BASE_HASH_H
#define BASE_HASH_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
typedef struct Map Map;
Map *map_new(size_t hint);
void map_free(Map *m);
/* false: out of memory. A key present already keeps its old value and *had is set. Keys are (bytes,
 * length), not copied. */
bool map_put(Map *m, const char *key, size_t n, int64_t value, bool *had);
/* The value, or -1 when absent (store non-negative values). */
int64_t map_get(const Map *m, const char *key, size_t n);
size_t map_count(const Map *m);
uint64_t hash_bytes(const void *p, size_t n, uint64_t seed); /* stable over runs: may be printed and stored */
#endif
