/* test_golden.c - loss, gradients, AdamW trajectories and bias updates against another implementation's (tests/data/train). */
#include "tests/unit.h"
#include "engine/verify_train.h"
#include <stdio.h>

static void matches(const char *name, int at_least)
{
	char rel[128];
	Cases r;
	Err e = { 0 };
	snprintf(rel, sizeof rel, "tests/data/train/%s", name);
	if (!verify_train(unit_src(rel), 2, &r, &e))
		fail_msg("%s", e.text);
	for (int i = 0; i < r.n; i++)
		if (!r.c[i].ok)
			fail_msg("%s: max abs %g at %s", r.c[i].name, r.c[i].max_abs, r.c[i].at);
	assert_true(r.n >= at_least);
	cases_done(&r);
}

TEST(the_optimizer_alone_matches) { matches("optimizer", 90); }
TEST(v3_gradients_match) { matches("v3-small", 90); }
TEST(v3_with_yarn_matches) { matches("v3-yarn", 40); }
TEST(v2_softmax_gate_matches) { matches("v2-lite", 80); }
TEST(mtp_loss_and_trajectory_match) { matches("v3-mtp", 300); }
TEST(sequence_balance_loss_matches) { matches("v3-seqaux", 180); }
TEST(bias_updates_match_to_the_bit) { matches("v3-bias", 200); }
TEST(packed_documents_with_and_without_mask_match) { matches("v3-seq-mask", 100); }

TEST(a_folder_without_a_case_is_an_error)
{
	Cases r;
	Err e = { 0 };
	assert_false(verify_train(unit_src("tests/data"), 1, &r, &e));
	assert_true(e.code != 0);
	cases_done(&r);
}
