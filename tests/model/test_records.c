/* test_records.c - the cache in FP8: FlashMLA's record of 656 bytes, what it gives back, and its lengths over growth and copies. */
#include "tests/unit.h"
#include "base/rng.h"
#include "model/kv.h"
#include <math.h>
#include <string.h>

enum { R = 512, D = 64, ROWS = 5 };

static real latent[ROWS * R], key[ROWS * D];

static void fill(void)
{
	Rng g = rng_make(1, 1);
	for (int i = 0; i < ROWS * R; i++)
		latent[i] = (real)(float)(rng_normal(&g) * (i / R == 2 ? 1e-20 : 1));
	for (int i = 0; i < ROWS * D; i++)
		key[i] = (real)(float)rng_normal(&g);
}

TEST(a_record_of_flashmla_takes_656_bytes_and_gives_back_its_tiles)
{
	Err e = { 0 };
	KvShape shape[2] = { { { R, D } }, { { R, D } } };
	Kv *kv = kv_new(2, shape, 2, 2, DT_F8_E4M3, &e);
	assert_true(kv && kv_has_records(kv) && kv_position_bytes(shape, DT_F8_E4M3) == 656);
	fill();
	Ten c = ten_wrap(REAL_DTYPE, latent, 2, (int64_t[]){ ROWS, R }, NULL), k = ten_wrap(REAL_DTYPE, key, 2, (int64_t[]){ ROWS, D }, NULL);
	assert_true(kv_reserve(kv, 2, &e));
	kv_put(kv, 1, 0, 1, 0, &c, 0, 2);
	kv_put(kv, 1, 1, 1, 0, &k, 0, 2);
	assert_int_equal(kv_bytes_used(kv), 2 * 656);
	assert_true(kv_reserve(kv, ROWS, &e)); /* what is held moves */
	kv_put(kv, 1, 0, 1, 2, &c, 2, 3);
	kv_put(kv, 1, 1, 1, 2, &k, 2, 3);
	kv_copy(kv, 1, 0);
	assert_int_equal(kv_bytes_used(kv), 2 * ROWS * 656);
	for (int slot = 0; slot < 2; slot++) {
		real got[ROWS * R], turned[ROWS * D];
		kv_read(kv, 1, 0, slot * kv_stride(kv), ROWS, got);
		kv_read(kv, 1, 1, slot * kv_stride(kv), ROWS, turned);
		for (int i = 0; i < ROWS * D; i++)
			assert_true((float)turned[i] == bf16_to_f32(bf16_from_f32((float)key[i])));
		for (int t = 0; t < ROWS * R / 128; t++) {
			float amax = 0;
			for (int i = 0; i < 128; i++)
				amax = fmaxf(amax, fabsf((float)latent[t * 128 + i]));
			for (int i = 0; i < 128; i++) {
				float x = (float)latent[t * 128 + i], s = amax / 448;
				assert_true((float)got[t * 128 + i] == e4m3_to_f32(e4m3_from_f32(x / s)) * s);
			}
		}
	}
	kv_free(kv);
}
