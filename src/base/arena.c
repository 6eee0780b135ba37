/* arena.c - chunks in a chain; allocation bumps a pointer, reset goes back to the first chunk and keeps
 * them all. Chunks of 2 MiB and more are aligned mappings that ask for huge pages: page faults cost more
 * than the arithmetic when a step's tensors are first touched. Under AddressSanitizer, memory not handed
 * out is poisoned. */
#include "base/arena.h"
#include "base/err.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#endif
#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
#define POISON(p, n) __asan_poison_memory_region((p), (n))
#define UNPOISON(p, n) __asan_unpoison_memory_region((p), (n))
#else
#define POISON(p, n) ((void)(p), (void)(n))
#define UNPOISON(p, n) ((void)(p), (void)(n))
#endif

enum { ALIGN = 64, FIRST = 64 << 10, HUGE_PAGE = 2 << 20, GROW_MAX = 64 << 20 };

typedef struct Chunk {
	struct Chunk *next;
	size_t size;   /* usable bytes, a multiple of ALIGN */
	size_t used;
	size_t before; /* bytes in use in the chunks before this one */
	size_t mapped; /* length of the mapping, 0 when from the heap */
} Chunk;

struct Arena {
	char name[32];
	Chunk *first, *at;
	size_t limit, peak, held;
	uint64_t generation;
	long fail_after;
};

bool size_mul(size_t a, size_t b, size_t *out)
{
	if (a != 0 && b > SIZE_MAX / a)
		return false;
	*out = a * b;
	return true;
}

bool size_add(size_t a, size_t b, size_t *out)
{
	if (b > SIZE_MAX - a)
		return false;
	*out = a + b;
	return true;
}

static char *chunk_data(Chunk *c)
{
	return (char *)c + ALIGN;
}

/* An anonymous mapping of n bytes (a multiple of HUGE_PAGE) that starts on a huge-page boundary. */
static void *huge_map(size_t n)
{
	size_t all;
	if (!size_add(n, HUGE_PAGE, &all))
		return NULL;
	char *p = mmap(NULL, all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return NULL;
	size_t head = (HUGE_PAGE - ((uintptr_t)p & (HUGE_PAGE - 1))) & (HUGE_PAGE - 1);
	if (head)
		munmap(p, head);
	if (HUGE_PAGE - head)
		munmap(p + head + n, HUGE_PAGE - head);
#ifdef MADV_HUGEPAGE
	madvise(p + head, n, MADV_HUGEPAGE);
#endif
	return p + head;
}

static Chunk *chunk_new(size_t size)
{
	size_t all, mapped = 0;
	if (!size_add(size, ALIGN, &all))
		return NULL;
	Chunk *c;
	if (all >= HUGE_PAGE) {
		if (!size_add(all, HUGE_PAGE - 1, &mapped))
			return NULL;
		mapped &= ~(size_t)(HUGE_PAGE - 1);
		c = huge_map(mapped);
		all = mapped;
	} else {
		c = aligned_alloc(ALIGN, all);
	}
	if (!c)
		return NULL;
	*c = (Chunk){ .size = all - ALIGN, .mapped = mapped };
	POISON(chunk_data(c), c->size);
	return c;
}

static void chunk_free(Chunk *c)
{
	UNPOISON(chunk_data(c), c->size);
	if (c->mapped)
		munmap(c, c->mapped);
	else
		free(c);
}

Arena *arena_new(const char *name, size_t limit)
{
	Arena *a = calloc(1, sizeof *a);
	if (!a)
		return NULL;
	snprintf(a->name, sizeof a->name, "%s", name);
	a->limit = limit;
	return a;
}

void arena_free(Arena *a)
{
	if (!a)
		return;
	for (Chunk *c = a->first, *next; c; c = next) {
		next = c->next;
		chunk_free(c);
	}
	free(a);
}

/* Makes a chunk with n free bytes the current one: the next of the chain if it is large enough, else a new
 * one put behind the current. Growth doubles what is held, within GROW_MAX and the limit. */
static bool arena_advance(Arena *a, size_t n)
{
	Chunk *next = a->at ? a->at->next : a->first;
	size_t before = arena_used(a);
	if (!next || next->size < n) {
		size_t size = a->held < FIRST ? FIRST - ALIGN : a->held < GROW_MAX ? a->held : GROW_MAX;
		if (a->limit && size > a->limit - before)
			size = (a->limit - before + ALIGN - 1) & ~(size_t)(ALIGN - 1);
		Chunk *c = chunk_new(size > n ? size : n);
		if (!c && size > n)
			c = chunk_new(n);
		if (!c)
			return false;
		c->next = next;
		*(a->at ? &a->at->next : &a->first) = c;
		a->held += c->size + ALIGN;
		next = c;
	}
	next->used = 0;
	next->before = before;
	a->at = next;
	return true;
}

void *arena_alloc(Arena *a, size_t n)
{
	size_t room, total;
	if (a->fail_after > 0 && --a->fail_after == 0)
		return NULL;
	if (!size_add(n ? n : 1, ALIGN - 1, &room))
		return NULL;
	room &= ~(size_t)(ALIGN - 1);
	if (!size_add(arena_used(a), room, &total) || (a->limit && total > a->limit))
		return NULL;
	if ((!a->at || a->at->size - a->at->used < room) && !arena_advance(a, room))
		return NULL;
	char *p = chunk_data(a->at) + a->at->used;
	a->at->used += room;
	if (total > a->peak)
		a->peak = total;
	UNPOISON(p, n);
	return p;
}

void *arena_zalloc(Arena *a, size_t n)
{
	void *p = arena_alloc(a, n);
	return p && n ? memset(p, 0, n) : p;
}

char *arena_strdup(Arena *a, const char *s)
{
	size_t n = strlen(s) + 1;
	char *p = arena_alloc(a, n);
	return p ? memcpy(p, s, n) : NULL;
}

char *arena_printf(Arena *a, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	char *p = n < 0 ? NULL : arena_alloc(a, (size_t)n + 1);
	if (!p)
		return NULL;
	va_start(ap, fmt);
	vsnprintf(p, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return p;
}

void arena_reset(Arena *a)
{
	arena_release(a, (ArenaMark){ NULL, 0 });
	a->generation++;
}

ArenaMark arena_mark(Arena *a)
{
	return (ArenaMark){ a->at, a->at ? a->at->used : 0 };
}

void arena_release(Arena *a, ArenaMark m)
{
	Chunk *to = m.chunk ? m.chunk : a->first;
	if (!to)
		return;
	BUG_ON(m.used > to->used);
	POISON(chunk_data(to) + m.used, to->size - m.used);
	for (Chunk *c = to; c != a->at && (c = c->next);)
		POISON(chunk_data(c), c->size);
	to->used = m.used;
	a->at = to;
}

const char *arena_name(const Arena *a)
{
	return a->name;
}

size_t arena_used(const Arena *a)
{
	return a->at ? a->at->before + a->at->used : 0;
}

size_t arena_peak(const Arena *a)
{
	return a->peak;
}

size_t arena_held(const Arena *a)
{
	return a->held;
}

uint64_t arena_generation(const Arena *a)
{
	return a->generation;
}

void arena_fail_after(Arena *a, long n)
{
	a->fail_after = n;
}
