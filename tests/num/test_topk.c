/* test_topk.c - selection against sorting everything, with ties, NaN and infinities. */
#include "tests/unit.h"
#include "num/topk.h"
#include <math.h>
#include <stdlib.h>

enum { N = 300 };
static real value[N];

static real rank_of(int i)
{
	return isnan(value[i]) ? -(real)INFINITY : value[i];
}

static int by_rank(const void *a, const void *b)
{
	int32_t i = *(const int32_t *)a, j = *(const int32_t *)b;
	if (rank_of(i) != rank_of(j))
		return rank_of(i) > rank_of(j) ? -1 : 1;
	return i < j ? -1 : 1;
}

static int by_index(const void *a, const void *b)
{
	return *(const int32_t *)a < *(const int32_t *)b ? -1 : 1;
}

static void check(int n, int k)
{
	int32_t want[N], got[N];
	int live = 0;
	for (int i = 0; i < n; i++)
		want[i] = i;
	qsort(want, (size_t)n, sizeof *want, by_rank);
	for (int i = 0; i < k; i++)
		live += rank_of(want[i]) > -(real)INFINITY;
	assert_int_equal(topk_sorted(value, n, k, got), live);
	for (int i = 0; i < k; i++)
		assert_int_equal(got[i], want[i]);
	qsort(want, (size_t)k, sizeof *want, by_index);
	assert_int_equal(topk_select(value, n, k, got), live);
	for (int i = 0; i < k; i++)
		assert_int_equal(got[i], want[i]);
}

TEST(topk_against_sorting)
{
	srand(7);
	for (int round = 0; round < 300; round++) {
		int n = 1 + rand() % N, kinds = 1 + rand() % 20;
		for (int i = 0; i < n; i++) {
			int r = rand() % 40;
			value[i] = r == 0 ? (real)NAN : r == 1 ? -(real)INFINITY : r == 2 ? (real)INFINITY : (real)(rand() % kinds);
		}
		check(n, rand() % (n + 1));
		check(n, n);
		int32_t top[1];
		topk_sorted(value, n, 1, top);
		assert_int_equal(argmax_first(value, n), top[0]);
	}
}

TEST(topk_nothing_alive)
{
	for (int i = 0; i < 8; i++)
		value[i] = i & 1 ? (real)NAN : -(real)INFINITY;
	check(8, 5);
	assert_int_equal(argmax_first(value, 8), 0);
}
