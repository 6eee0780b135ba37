/* topk.c - selection with ties to the lower index: a bounded heap whose root is the worst kept element, O(n log k). */
#include "num/topk.h"
#include <math.h>
#include <stdbool.h>

static real rank_of(real v)
{
	return v == v ? v : -(real)INFINITY;
}

/* a ranks before b: larger value, or the same value and lower index. */
static bool ranks_before(const real *x, int32_t a, int32_t b)
{
	real va = rank_of(x[a]), vb = rank_of(x[b]);
	return va > vb || (va == vb && a < b);
}

static void swap(int32_t *a, int32_t *b)
{
	int32_t t = *a;
	*a = *b;
	*b = t;
}

/* Restores the heap below `at`: no parent ranks before its children, so idx[0] is the worst. */
static void sift_down(const real *x, int32_t *idx, int at, int k)
{
	for (;;) {
		int worst = at, c = 2 * at + 1;
		if (c < k && ranks_before(x, idx[worst], idx[c]))
			worst = c;
		if (c + 1 < k && ranks_before(x, idx[worst], idx[c + 1]))
			worst = c + 1;
		if (worst == at)
			return;
		swap(&idx[at], &idx[worst]);
		at = worst;
	}
}

static int heap_fill(const real *x, int n, int k, int32_t *idx)
{
	for (int i = 0; i < k; i++)
		idx[i] = i;
	for (int i = k / 2 - 1; i >= 0; i--)
		sift_down(x, idx, i, k);
	for (int i = k; i < n && k > 0; i++)
		if (rank_of(x[i]) > rank_of(x[idx[0]])) { /* an equal one comes later, so it loses the tie */
			idx[0] = i;
			sift_down(x, idx, 0, k);
		}
	int live = 0;
	for (int i = 0; i < k; i++)
		live += rank_of(x[idx[i]]) > -(real)INFINITY;
	return live;
}

int topk_sorted(const real *x, int n, int k, int32_t *idx)
{
	int live = heap_fill(x, n, k, idx);
	for (int end = k - 1; end > 0; end--) {
		swap(&idx[0], &idx[end]);
		sift_down(x, idx, 0, end);
	}
	return live;
}

/* Heap sort of the indices themselves. */
static void sift_index(int32_t *idx, int at, int n)
{
	for (int c; (c = 2 * at + 1) < n; at = c) {
		if (c + 1 < n && idx[c + 1] > idx[c])
			c++;
		if (idx[at] >= idx[c])
			return;
		swap(&idx[at], &idx[c]);
	}
}

int topk_select(const real *x, int n, int k, int32_t *idx)
{
	int live = heap_fill(x, n, k, idx);
	for (int i = k / 2 - 1; i >= 0; i--)
		sift_index(idx, i, k);
	for (int end = k - 1; end > 0; end--) {
		swap(&idx[0], &idx[end]);
		sift_index(idx, 0, end);
	}
	return live;
}

int argmax_first(const real *x, int n)
{
	int best = 0;
	for (int i = 1; i < n; i++)
		if (rank_of(x[i]) > rank_of(x[best]))
			best = i;
	return best;
}
