/* test_par.c - every task once, nested calls, scratch, more threads than processors. Meant to be run under ThreadSanitizer too. */
#include "tests/unit.h"
#include "num/kernels.h"
#include "num/par.h"
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

enum { TASKS = 1000 };
typedef struct Seen {
	Pool *pool;
	int hits[TASKS];
	atomic_int bad, inner;
} Seen;

static void mark(void *arg, int i, int worker)
{
	Seen *s = arg;
	s->hits[i]++;
	if (worker < 0 || worker >= pool_threads(s->pool) || pool_self(s->pool) != worker)
		atomic_fetch_add(&s->bad, 1);
	unsigned char *p = pool_scratch(s->pool, worker, 64 + (size_t)i), *q = pool_kernel_scratch(s->pool, worker, 128);
	if (!p || (uintptr_t)p % 64 || p == q)
		atomic_fetch_add(&s->bad, 1);
	else
		memset(p, worker, 64 + (size_t)i);
}

TEST(par_every_task_once)
{
	static const int threads[] = { 1, 2, 3, 8 };
	for (size_t t = 0; t < sizeof threads / sizeof *threads; t++) {
		Pool *p = pool_new(threads[t]);
		assert_non_null(p);
		assert_int_equal(pool_threads(p), threads[t]);
		for (int n = 0; n <= TASKS; n = n < 4 ? n + 1 : n * 7) {
			Seen s = { .pool = p };
			par_for(p, n, mark, &s);
			for (int i = 0; i < TASKS; i++)
				assert_int_equal(s.hits[i], i < n);
			assert_int_equal(s.bad, 0);
		}
		pool_free(p);
	}
}

static void count(void *arg, int i, int worker)
{
	Seen *s = arg;
	(void)i;
	if (pool_threads(s->pool) > 1 && pool_self(s->pool) != worker)
		atomic_fetch_add(&s->bad, 1);
	atomic_fetch_add(&s->inner, 1);
}

static void nest(void *arg, int i, int worker)
{
	Seen *s = arg;
	(void)i;
	(void)worker;
	par_for(s->pool, 5, count, s);
}

TEST(par_nested_calls_run_inline)
{
	for (int threads = 1; threads < 4; threads++) {
		Pool *p = pool_new(threads);
		Seen s = { .pool = p };
		par_for(p, 20, nest, &s);
		assert_int_equal(s.inner, 100);
		assert_int_equal(s.bad, 0);
		pool_free(p);
	}
}

/* Many short jobs in a row, with pauses that put the workers to sleep. */
TEST(par_many_short_jobs)
{
	Pool *p = pool_new(4);
	for (int round = 0; round < 400; round++) {
		Seen s = { .pool = p };
		par_for(p, 1 + round % 9, count, &s);
		assert_int_equal(s.inner, 1 + round % 9);
		if (round % 100 == 0)
			usleep(2000);
	}
	pool_free(p);
}

TEST(par_refuses_nonsense)
{
	assert_null(pool_new(0));
	assert_null(pool_new(-3));
	assert_null(pool_new(1 << 30));
	pool_free(NULL);
}

TEST(par_kernels_are_chosen_downward)
{
	const Kernels *best = kernels_pick(NULL);
	assert_non_null(best);
	assert_string_equal(kernels_pick("generic")->name, "generic");
	assert_string_equal(kernels_pick("no such set")->name, best->name);
	assert_string_equal(kernels_pick(best->name)->name, best->name);
}
