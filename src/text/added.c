/* added.c - a trie of added tokens. A token has at most ADDED_BYTES_MAX bytes, which bounds the work per byte
 * of text. */
#include "text/added.h"
#include <stdlib.h>
#include <string.h>

void added_done(Added *a)
{
	free(a->node);
	*a = (Added){ 0 };
}

static int32_t child_find(const Added *a, int32_t at, unsigned char byte)
{
	int32_t c = a->node[at].child;
	while (c >= 0 && a->node[c].byte != byte)
		c = a->node[c].sibling;
	return c;
}

/* A new node; its index, or -1. */
static int32_t node_new(Added *a, unsigned char byte)
{
	if (a->n == a->cap) {
		int32_t cap = a->cap ? a->cap * 2 : 64;
		AddedNode *p = cap <= INT32_MAX / 2 ? realloc(a->node, (size_t)cap * sizeof *p) : NULL;
		if (!p)
			return -1;
		a->node = p;
		a->cap = cap;
	}
	a->node[a->n] = (AddedNode){ -1, -1, -1, byte };
	return a->n++;
}

bool added_put(Added *a, const char *s, size_t n, int32_t id, Err *e)
{
	int32_t at = 0;
	if (a->n == 0 && node_new(a, 0) < 0)
		return err_set(e, E_5001, "out of memory for added tokens");
	for (size_t i = 0; i < n; i++) {
		int32_t c = child_find(a, at, (unsigned char)s[i]);
		if (c < 0) {
			c = node_new(a, (unsigned char)s[i]);
			if (c < 0)
				return err_set(e, E_5001, "out of memory for added tokens");
			a->node[c].sibling = a->node[at].child;
			a->node[at].child = c;
		}
		at = c;
	}
	a->node[at].id = id;
	if (n && !a->first[(unsigned char)s[0]]) {
		a->first[(unsigned char)s[0]] = true;
		a->firsts++;
		a->only = (unsigned char)s[0];
	}
	return true;
}

int32_t added_find(const Added *a, const char *s, size_t n)
{
	int32_t at = a->n ? 0 : -1;
	for (size_t i = 0; i < n && at >= 0; i++)
		at = child_find(a, at, (unsigned char)s[i]);
	return at < 0 ? -1 : a->node[at].id;
}

/* The longest token at s, or -1. */
static int32_t longest_at(const Added *a, const char *s, size_t n, size_t *len)
{
	int32_t at = 0, best = -1;
	for (size_t i = 0; i < n && (at = child_find(a, at, (unsigned char)s[i])) >= 0; i++)
		if (a->node[at].id >= 0) {
			best = a->node[at].id;
			*len = i + 1;
		}
	return best;
}

/* The next place where a token may begin. */
static size_t first_find(const Added *a, const char *s, size_t n, size_t p)
{
	if (a->firsts == 1) {
		const char *q = memchr(s + p, a->only, n - p);
		return q ? (size_t)(q - s) : n;
	}
	while (p < n && !a->first[(unsigned char)s[p]])
		p++;
	return p;
}

int32_t added_next(const Added *a, const char *s, size_t n, size_t *from, size_t *len)
{
	if (a->firsts == 0)
		return -1;
	for (size_t p = *from; p < n && (p = first_find(a, s, n, p)) < n; p++) {
		int32_t id = longest_at(a, s + p, n - p, len);
		if (id >= 0) {
			*from = p;
			return id;
		}
	}
	return -1;
}
