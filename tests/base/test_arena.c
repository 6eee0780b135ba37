/* test_arena.c - lifetimes: alignment, limits, marks, steady state, failure on demand, and sizes that do
 * not fit. */
#include "base/arena.h"
#include "tests/unit.h"
#include <string.h>

TEST(arena_blocks_are_aligned_and_apart)
{
	Arena *a = arena_new("test", 0);
	assert_non_null(a);
	unsigned char *p[100];
	for (int i = 0; i < 100; i++) {
		p[i] = arena_alloc(a, (size_t)i * 37);
		assert_non_null(p[i]);
		assert_int_equal((uintptr_t)p[i] % 64, 0);
		memset(p[i], i, (size_t)i * 37);
	}
	for (int i = 0; i < 100; i++)
		for (int k = 0; k < i * 37; k++)
			assert_int_equal(p[i][k], i);
	assert_string_equal(arena_name(a), "test");
	arena_free(a);
	arena_free(NULL);
}

TEST(arena_zero_and_strings)
{
	Arena *a = arena_new("test", 0);
	memset(arena_alloc(a, 1000), 0xff, 1000);
	arena_reset(a);
	const unsigned char *z = arena_zalloc(a, 1000);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(z[i], 0);
	assert_non_null(arena_zalloc(a, 0));
	assert_string_equal(arena_strdup(a, "c_KV"), "c_KV");
	assert_string_equal(arena_printf(a, "layers.%d.%s", 3, "attn"), "layers.3.attn");
	assert_string_equal(arena_printf(a, "%s", ""), "");
	arena_free(a);
}

TEST(arena_limit_is_exact)
{
	Arena *a = arena_new("small", 1024);
	for (int i = 0; i < 16; i++)
		assert_non_null(arena_alloc(a, 64));
	assert_null(arena_alloc(a, 1));
	assert_int_equal(arena_used(a), 1024);
	arena_reset(a);
	assert_null(arena_alloc(a, 1025));
	assert_non_null(arena_alloc(a, 1000));
	assert_int_equal(arena_peak(a), 1024);
	assert_true(arena_held(a) <= 4096);
	arena_free(a);
}

TEST(arena_limit_over_many_chunks)
{
	const size_t limit = 10u << 20;
	Arena *a = arena_new("step", limit);
	size_t got = 0;
	while (arena_alloc(a, 30000))
		got += 30016;
	assert_true(got <= limit && got > limit - 30016);
	assert_int_equal(arena_used(a), got);
	arena_free(a);
}

TEST(arena_refuses_sizes_that_do_not_fit)
{
	Arena *a = arena_new("test", 0);
	size_t before;
	assert_non_null(arena_alloc(a, 1));
	before = arena_used(a);
	assert_null(arena_alloc(a, SIZE_MAX));
	assert_null(arena_alloc(a, SIZE_MAX - 63));
	assert_null(arena_alloc(a, SIZE_MAX - 127));
	assert_null(arena_alloc(a, SIZE_MAX / 2));
	assert_null(arena_alloc(a, (size_t)1 << 50));
	assert_int_equal(arena_used(a), before);
	assert_non_null(arena_alloc(a, 1));
	arena_free(a);
}

TEST(arena_fails_on_demand)
{
	Arena *a = arena_new("test", 0);
	arena_fail_after(a, 3);
	assert_non_null(arena_alloc(a, 8));
	assert_non_null(arena_strdup(a, "x"));
	assert_null(arena_zalloc(a, 8));
	assert_non_null(arena_alloc(a, 8));
	arena_fail_after(a, 1);
	assert_null(arena_strdup(a, "x"));
	arena_fail_after(a, 1);
	assert_null(arena_printf(a, "%d", 1));
	arena_fail_after(a, 1);
	arena_fail_after(a, 0);
	assert_non_null(arena_alloc(a, 8));
	arena_free(a);
}

/* What one step of a model does: blocks of many sizes, with scratch given back on the way. */
static void step_run(Arena *a)
{
	for (size_t i = 1; i < 60; i++) {
		assert_non_null(arena_alloc(a, i * 1999));
		ArenaMark m = arena_mark(a);
		assert_non_null(arena_alloc(a, i * 50021));
		arena_release(a, m);
	}
}

TEST(arena_steady_state_takes_nothing)
{
	Arena *a = arena_new("step", 0);
	step_run(a);
	arena_reset(a);
	step_run(a);
	size_t held = arena_held(a), used = arena_used(a);
	for (int i = 0; i < 20; i++) {
		arena_reset(a);
		assert_int_equal(arena_used(a), 0);
		step_run(a);
		assert_int_equal(arena_used(a), used);
	}
	assert_int_equal(arena_held(a), held);
	assert_int_equal(arena_generation(a), 21);
	arena_free(a);
}

TEST(arena_mark_and_release)
{
	Arena *a = arena_new("scratch", 0);
	ArenaMark empty = arena_mark(a);
	char *keep = arena_strdup(a, "keep");
	ArenaMark m = arena_mark(a);
	size_t used = arena_used(a);
	for (int i = 0; i < 50; i++)
		assert_non_null(arena_alloc(a, 100000));
	assert_int_equal(arena_used(a), used + 50 * 100032);
	arena_release(a, m);
	assert_int_equal(arena_used(a), used);
	assert_string_equal(keep, "keep");
	arena_release(a, empty);
	assert_int_equal(arena_used(a), 0);
	arena_release(a, empty);
	assert_int_equal(arena_generation(a), 0);
	arena_free(a);
}

TEST(arena_huge_chunks)
{
	Arena *a = arena_new("weights", 0);
	for (size_t mb = 1; mb <= 9; mb += 4) {
		size_t n = (mb << 20) + 12345;
		unsigned char *p = arena_alloc(a, n);
		assert_non_null(p);
		assert_int_equal((uintptr_t)p % 64, 0);
		p[0] = p[n - 1] = 1;
		p[n / 2] = 2;
	}
	assert_true(arena_held(a) >= arena_used(a));
	arena_free(a);
}

TEST(size_arithmetic)
{
	size_t r = 7;
	assert_true(size_mul(0, SIZE_MAX, &r) && r == 0);
	assert_true(size_mul(SIZE_MAX, 0, &r) && r == 0);
	assert_true(size_mul(SIZE_MAX, 1, &r) && r == SIZE_MAX);
	assert_false(size_mul(SIZE_MAX / 2 + 1, 2, &r));
	assert_false(size_mul((size_t)1 << 32, (size_t)1 << 32, &r));
	assert_true(size_add(SIZE_MAX, 0, &r) && r == SIZE_MAX);
	assert_true(size_add(SIZE_MAX - 5, 5, &r) && r == SIZE_MAX);
	assert_false(size_add(SIZE_MAX, 1, &r));
}
