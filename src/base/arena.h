/* arena.h - memory by lifetime. Blocks are 64-byte aligned and zeroed on demand by the caller; nothing is
 * freed singly. An arena grows by chunks that it keeps over resets, so a steady state allocates nothing. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Arena Arena;
typedef struct ArenaMark { void *chunk; size_t used; } ArenaMark;

/* limit in bytes, 0 = none. Large chunks are backed by huge pages where the system allows. NULL: out of
 * memory. */
Arena *arena_new(const char *name, size_t limit);
void arena_free(Arena *a);
/* 64-byte aligned, NOT zeroed. NULL when over the limit or out of memory. */
void *arena_alloc(Arena *a, size_t n);
void *arena_zalloc(Arena *a, size_t n);
char *arena_strdup(Arena *a, const char *s);
char *arena_printf(Arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void arena_reset(Arena *a);
ArenaMark arena_mark(Arena *a);
void arena_release(Arena *a, ArenaMark m); /* back to the mark */
const char *arena_name(const Arena *a);
size_t arena_used(const Arena *a);
size_t arena_peak(const Arena *a);
size_t arena_held(const Arena *a); /* bytes taken from the system */
uint64_t arena_generation(const Arena *a); /* grows at each reset */
/* Overflow-checked sizes: false when the result does not fit. */
bool size_mul(size_t a, size_t b, size_t *out);
bool size_add(size_t a, size_t b, size_t *out);
/* Test seam: the n-th allocation from now fails (0: never). Per arena. */
void arena_fail_after(Arena *a, long n);
#endif
