/* test_hash.c - the string map with many keys, keys that share parts, and a hash whose values are written
 * down. */
#include "base/hash.h"
#include "tests/unit.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TEST(map_many_keys)
{
	enum { N = 100000, W = 24 };
	char *names = malloc((size_t)N * W);
	Map *m = map_new(0);
	assert_non_null(names);
	assert_non_null(m);
	for (int i = 0; i < N; i++) {
		bool had = true;
		int n = snprintf(names + (size_t)i * W, W, "layers.%d.w", i);
		assert_true(map_put(m, names + (size_t)i * W, (size_t)n, i, &had));
		assert_false(had);
	}
	assert_int_equal(map_count(m), N);
	for (int i = 0; i < N; i++) {
		char key[W];
		int n = snprintf(key, sizeof key, "layers.%d.w", i);
		assert_int_equal(map_get(m, key, (size_t)n), i);
		assert_int_equal(map_get(m, key, (size_t)n - 1), -1);
	}
	map_free(m);
	free(names);
}

TEST(map_keeps_the_first_value)
{
	Map *m = map_new(3);
	bool had = false;
	assert_true(map_put(m, "abc", 3, 1, NULL));
	assert_true(map_put(m, "abcd", 3, 2, &had));
	assert_true(had);
	assert_int_equal(map_get(m, "abc", 3), 1);
	assert_int_equal(map_count(m), 1);
	assert_true(map_put(m, "a\0c", 3, 3, &had)); /* keys are bytes */
	assert_false(had);
	assert_true(map_put(m, "", 0, 4, &had));
	assert_false(had);
	assert_int_equal(map_get(m, "a\0c", 3), 3);
	assert_int_equal(map_get(m, "x", 0), 4);
	assert_int_equal(map_get(m, "a", 1), -1);
	map_free(m);
	map_free(NULL);
}

TEST(map_hint_is_only_a_hint)
{
	Map *m = map_new(1000);
	char keys[3000][8];
	for (int i = 0; i < 3000; i++) {
		int n = snprintf(keys[i], sizeof keys[i], "%d", i);
		assert_true(map_put(m, keys[i], (size_t)n, i, NULL));
	}
	assert_int_equal(map_get(m, "2999", 4), 2999);
	map_free(m);
	assert_null(map_new(SIZE_MAX / 2));
}

TEST(hash_values_are_fixed)
{
	assert_int_equal(hash_bytes("abc", 3, 0), hash_bytes("abcd", 3, 0));
	assert_int_not_equal(hash_bytes("abc", 3, 0), hash_bytes("abc", 3, 1));
	assert_int_not_equal(hash_bytes("", 0, 0), hash_bytes("\0", 1, 0));
	assert_int_not_equal(hash_bytes("\0\0\0\0\0\0\0\0", 8, 0), hash_bytes("\0\0\0\0\0\0\0\0\0", 9, 0));
	assert_true(hash_bytes("lathe", 5, 0) == UINT64_C(0x7e35a87ef2cf8056));
	assert_true(hash_bytes("multi-head latent attention", 27, 42) == UINT64_C(0xa1521160f03092ac));
}

TEST(hash_bits_are_even)
{
	int ones[64] = { 0 };
	for (int i = 0; i < 4000; i++) {
		char s[16];
		int n = snprintf(s, sizeof s, "w%d", i);
		uint64_t h = hash_bytes(s, (size_t)n, 0);
		for (int k = 0; k < 64; k++)
			ones[k] += (int)(h >> k & 1);
	}
	for (int k = 0; k < 64; k++)
		assert_in_range(ones[k], 1850, 2150); /* about 4.7 deviations */
}
