/* bpe.c - merging. Short pieces: look for the lowest rank again after each merge (they fit a cache line or
 * two). Long ones: a linked list and a heap ordered by (rank, position), so that a megabyte of one letter
 * costs n log n. Pieces met before in the same call come from a direct-mapped cache, whose contents never
 * change a result. */
#include "text/bpe.h"
#include <stdlib.h>
#include <string.h>

enum { SHORT = 48, SEEN_BYTES = 23, SEEN_IDS = 6, SEEN_SLOTS = 1 << 14, SEEN_FROM = 4096 };

struct Seen { uint8_t n, ids; char s[SEEN_BYTES]; int32_t id[SEEN_IDS]; };

/* A symbol of a long piece. rank: of the pair it begins, -1: none or merged away. */
typedef struct Node { int32_t id, rank, prev, next; } Node;

void bpe_init(Bpe *b, const Vocab *v, bool whole, size_t expect, Ids *out, Err *e)
{
	*b = (Bpe){ .v = v, .whole = whole, .out = out, .e = e };
	if (expect >= SEEN_FROM && v->merges)
		b->seen = calloc(SEEN_SLOTS, sizeof *b->seen);
}

void bpe_done(Bpe *b)
{
	free(b->seen);
	free(b->room);
	*b = (Bpe){ 0 };
}

static bool memory_fail(const Bpe *b)
{
	return err_set(b->e, E_5001, "out of memory for token ids");
}

static bool ids_add(Bpe *b, const int32_t *id, size_t n)
{
	Ids *o = b->out;
	if (o->cap - o->n < n) {
		size_t cap = o->cap * 2 > o->n + n ? o->cap * 2 : o->n + n + 64;
		int32_t *p = cap <= SIZE_MAX / sizeof *p ? realloc(o->id, cap * sizeof *p) : NULL;
		if (!p)
			return memory_fail(b);
		o->id = p;
		o->cap = cap;
	}
	for (size_t i = 0; i < n; i++)
		o->id[o->n + i] = id[i];
	o->n += n;
	return true;
}

/* The symbol of a byte; false when the vocabulary has none. */
static bool byte_symbol(const Bpe *b, char c, int32_t *id)
{
	*id = b->v->byte_id[(unsigned char)c];
	if (*id >= 0)
		return true;
	return err_set(b->e, E_3136,
		"byte 0x%02x of the text has no token in model.vocab; use a vocabulary with all 256 bytes",
		(unsigned)(unsigned char)c);
}

static int32_t rank_of(const Vocab *v, int32_t a, int32_t c, int32_t *to)
{
	const Pair *p = vocab_pair(v, a, c);
	if (!p)
		return INT32_MAX;
	*to = p->id;
	return p->rank;
}

/* n <= SHORT symbols in id[]; returns how many are left. */
static size_t short_merge(const Vocab *v, int32_t *id, size_t n)
{
	int32_t rank[SHORT], to[SHORT];
	for (size_t i = 0; i + 1 < n; i++)
		rank[i] = rank_of(v, id[i], id[i + 1], &to[i]);
	while (n > 1) {
		size_t k = 0;
		for (size_t i = 1; i + 1 < n; i++)
			if (rank[i] < rank[k])
				k = i;
		if (rank[k] == INT32_MAX)
			break;
		id[k] = to[k];
		for (size_t i = k + 1; i + 1 < n; i++) {
			id[i] = id[i + 1];
			rank[i] = rank[i + 1];
			to[i] = to[i + 1];
		}
		n--;
		if (k > 0)
			rank[k - 1] = rank_of(v, id[k - 1], id[k], &to[k - 1]);
		if (k + 1 < n)
			rank[k] = rank_of(v, id[k], id[k + 1], &to[k]);
	}
	return n;
}

/* A heap of (rank << 32 | position), four children to a node: smallest first. */
typedef struct Heap { uint64_t *key; size_t n; } Heap;

static void heap_sink(Heap *h, size_t i)
{
	uint64_t x = h->key[i];
	for (size_t c; (c = 4 * i + 1) < h->n; i = c) {
		size_t last = c + 4 < h->n ? c + 4 : h->n;
		for (size_t k = c + 1; k < last; k++)
			if (h->key[k] < h->key[c])
				c = k;
		if (h->key[c] >= x)
			break;
		h->key[i] = h->key[c];
	}
	h->key[i] = x;
}

static void heap_push(Heap *h, uint64_t x)
{
	size_t i = h->n++;
	for (size_t up; i > 0 && h->key[up = (i - 1) / 4] > x; i = up)
		h->key[i] = h->key[up];
	h->key[i] = x;
}

static uint64_t heap_pop(Heap *h)
{
	uint64_t x = h->key[0];
	h->key[0] = h->key[--h->n];
	if (h->n)
		heap_sink(h, 0);
	return x;
}

/* Looks up the pair that begins at i; its key, or UINT64_MAX when it does not merge. */
static uint64_t node_pair(const Vocab *v, Node *node, int32_t i)
{
	const Pair *p = node[i].next >= 0 ? vocab_pair(v, node[i].id, node[node[i].next].id) : NULL;
	node[i].rank = p ? p->rank : -1;
	return p ? (uint64_t)(uint32_t)p->rank << 32 | (uint32_t)i : UINT64_MAX;
}

static void long_merge(const Vocab *v, Node *node, Heap *h)
{
	while (h->n) {
		uint64_t x = heap_pop(h), y;
		int32_t i = (int32_t)(uint32_t)x, j;
		if (node[i].rank != (int32_t)(x >> 32))
			continue; /* stale: one of the two has merged since */
		j = node[i].next;
		node[i].id = vocab_pair(v, node[i].id, node[j].id)->id;
		node[i].next = node[j].next;
		node[j].rank = -1;
		if (node[j].next >= 0)
			node[node[j].next].prev = i;
		if ((y = node_pair(v, node, i)) != UINT64_MAX)
			heap_push(h, y);
		if (node[i].prev >= 0 && (y = node_pair(v, node, node[i].prev)) != UINT64_MAX)
			heap_push(h, y);
	}
}

/* Every merge takes one symbol away and pushes at most two pairs, one for the one it took: never more than 2
 * n in the heap. */
static bool room_take(Bpe *b, size_t n)
{
	size_t each = sizeof(Node) + 2 * sizeof(uint64_t);
	if (n > INT32_MAX || n > SIZE_MAX / each)
		return err_set(b->e, E_5003, "a piece of %zu bytes; the limit is %d", n, INT32_MAX);
	if (n * each <= b->room_n)
		return true;
	free(b->room);
	b->room = malloc(n * each);
	b->room_n = b->room ? n * each : 0;
	return b->room || memory_fail(b);
}

static bool long_piece(Bpe *b, const char *s, size_t n)
{
	if (!room_take(b, n))
		return false;
	Heap h = { b->room, 0 };
	Node *node = (Node *)(void *)(h.key + 2 * n);
	for (size_t i = 0; i < n; i++) {
		if (!byte_symbol(b, s[i], &node[i].id))
			return false;
		node[i].prev = (int32_t)i - 1;
		node[i].next = i + 1 < n ? (int32_t)i + 1 : -1;
	}
	for (size_t i = 0; i < n; i++) {
		uint64_t x = node_pair(b->v, node, (int32_t)i);
		if (x != UINT64_MAX)
			h.key[h.n++] = x;
	}
	for (size_t i = h.n; i-- > 0;)
		heap_sink(&h, i);
	long_merge(b->v, node, &h);
	for (int32_t i = 0; i >= 0; i = node[i].next)
		if (!ids_add(b, &node[i].id, 1))
			return false;
	return true;
}

/* n in 1..SEEN_BYTES */
static size_t piece_hash(const char *s, size_t n)
{
	uint64_t a = 0, b = 0, c = 0;
	if (n >= 8) {
		memcpy(&a, s, 8);
		memcpy(&b, s + n - 8, 8);
		if (n > 16)
			memcpy(&c, s + 8, 8);
	} else if (n >= 4) {
		memcpy(&a, s, 4);
		memcpy(&b, s + n - 4, 4);
	} else {
		a = (unsigned char)s[0] | (uint64_t)(unsigned char)s[n / 2] << 8 |
			(uint64_t)(unsigned char)s[n - 1] << 16;
	}
	a = (a ^ n) * 0x9e3779b97f4a7c15u;
	a ^= (b ^ a >> 32) * 0xd1b54a32d192ed03u;
	a ^= (c ^ a >> 29) * 0x9e3779b97f4a7c15u;
	return (size_t)((a ^ a >> 32) * 0xd1b54a32d192ed03u >> 40);
}

static bool short_piece(Bpe *b, const char *s, size_t n)
{
	int32_t id[SHORT];
	Seen *seen = b->seen && n <= SEEN_BYTES ? &b->seen[piece_hash(s, n) % SEEN_SLOTS] : NULL;
	if (seen && seen->n == n && memcmp(seen->s, s, n) == 0)
		return ids_add(b, seen->id, seen->ids);
	for (size_t i = 0; i < n; i++)
		if (!byte_symbol(b, s[i], &id[i]))
			return false;
	size_t k = short_merge(b->v, id, n);
	if (seen && k <= SEEN_IDS) {
		seen->n = (uint8_t)n;
		seen->ids = (uint8_t)k;
		memcpy(seen->s, s, n);
		memcpy(seen->id, id, k * sizeof *id);
	}
	return ids_add(b, id, k);
}

bool bpe_piece(void *ctx, const char *s, size_t n)
{
	Bpe *b = ctx;
	int32_t id;
	if (b->whole && (id = vocab_find_bytes(b->v, s, n)) >= 0)
		return ids_add(b, &id, 1);
	if (n == 1)
		return byte_symbol(b, s[0], &id) && ids_add(b, &id, 1);
	return n <= SHORT ? short_piece(b, s, n) : long_piece(b, s, n);
}
