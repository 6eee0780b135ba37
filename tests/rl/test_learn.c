/* test_learn.c - iterations: rewards are found, groups without a difference send nothing, runs are the same for any number of threads and
 * after going on from a checkpoint, a reference holds the policy back, and every algorithm learns. */
#include "tests/unit.h"
#include "tests/rl/stand.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static double run(Stand *k, int n)
{
	double last = 0;
	for (int i = 0; i < n; i++)
		last = stand_iterate(k).accuracy;
	return last;
}

static double accuracy(Stand *k)
{
	RlReport x = rl_report_empty(k->rl);
	Err e = { 0 };
	assert_true(rl_eval(k->rl, 200, &x, &e));
	assert_int_equal(x.eval_n, 200);
	return x.eval;
}

TEST(every_algorithm_learns)
{
	static const char *const algorithm[] = { "grpo", "drgrpo", "dapo", "gspo", "rloo", "reinforce", "v32", "ppo" };
	for (size_t i = 0; i < sizeof algorithm / sizeof *algorithm; i++) {
		Stand k;
		Err e = { 0 };
		stand_settings(&k);
		assert_true(rl_settings_set(&k.s, &k.ts, "algorithm", algorithm[i], &e));
		k.s.group = k.s.algorithm == RL_PPO ? 1 : 4;
		k.s.prompts = k.s.algorithm == RL_PPO ? 32 : 8;
		k.s.value_alone = 1;
		k.ts.lr = 6e-3;
		stand_up(&k, 2);
		double before = accuracy(&k);
		run(&k, 20);
		double after = accuracy(&k);
		print_message("# %-10s %.2f -> %.2f\n", algorithm[i], before, after);
		assert_true(after > before + 0.15);
		stand_down(&k);
	}
}

/* Only what comes before the end of a step shares in its score. */
TEST(steps_have_scores_of_their_own)
{
	Stand k;
	int n, group = 4, different = 0;
	stand_settings(&k);
	k.steps = true;
	k.ts.lr = 6e-3;
	k.s.prompts = 8;
	stand_up(&k, 1);
	stand_iterate(&k);
	const RlSample *s = rl_samples(k.rl, &n);
	for (int i = 0; i < n; i++) {
		if (s[i].n < 3)
			continue;
		assert_close(s[i].advantage[1], s[i].advantage[s[i].n - 1], 1e-6, 0);
		different += fabs((double)(s[i].advantage[0] - s[i].advantage[1])) > 0.01;
		if (i % group && s[i].right && !s[i - 1].right && s[i - 1].n > 0)
			assert_true(s[i].advantage[0] > s[i - 1].advantage[0]);
	}
	assert_true(different > n / 4);
	double before = accuracy(&k);
	run(&k, 20);
	assert_true(accuracy(&k) > before + 0.15);
	stand_down(&k);
}

TEST(fresh_samples_have_ratio_1)
{
	Stand k;
	stand_settings(&k);
	k.s.keep_routing = 1;
	k.s.top_p = 0.9;
	stand_up(&k, 2);
	for (int i = 0; i < 3; i++) {
		RlReport x = stand_iterate(&k);
		assert_true(x.used == 0 || x.ln_r_first == 0);
		assert_close(x.clip, 0, 0, 0);
	}
	stand_down(&k);
}

TEST(further_updates_leave_the_samples_behind)
{
	Stand k;
	stand_settings(&k);
	k.s.epochs = 3;
	k.s.updates = 2;
	k.ts.lr = 2e-2;
	stand_up(&k, 2);
	RlReport x = stand_iterate(&k);
	assert_int_equal(x.updates, 6);
	assert_true(x.ln_r_first == 0 && x.ln_r > 0 && x.clip > 0);
	stand_down(&k);
}

static uint64_t hash_after(int threads, const char *algorithm, int n)
{
	Stand k;
	Err e = { 0 };
	stand_settings(&k);
	assert_true(rl_settings_set(&k.s, &k.ts, "algorithm", algorithm, &e));
	k.s.kl = 0.01;
	k.s.value_alone = 1;
	stand_up(&k, threads);
	run(&k, n);
	uint64_t h = train_hash(k.t);
	stand_down(&k);
	return h;
}

TEST(threads_do_not_matter)
{
	assert_true(hash_after(1, "grpo", 3) == hash_after(2, "grpo", 3));
	assert_true(hash_after(1, "ppo", 3) == hash_after(2, "ppo", 3));
}

/* Reference, value head and moments all come from the checkpoint. */
static void resume(const char *algorithm, double kl_reward)
{
	Stand k;
	Err e = { 0 };
	Buf note = BUF_INIT;
	bool found = false;
	char out[600];
	uint64_t want = 0;
	snprintf(out, sizeof out, "%s/%s-%g", unit_tmp(), algorithm, kl_reward);
	for (int part = 0; part < 2; part++) {
		stand_settings(&k);
		assert_true(rl_settings_set(&k.s, &k.ts, "algorithm", algorithm, &e));
		k.s.value_alone = 1;
		k.s.kl = kl_reward > 0 ? 0 : 0.05;
		k.s.kl_reward = kl_reward;
		k.s.ref_every = 2;
		stand_up(&k, 1);
		if (part && !train_resume(k.t, out, &found, &note, &e))
			fail_msg("%s", e.text);
		run(&k, 3);
		if (!part && !train_save(k.t, out, &e))
			fail_msg("%s", e.text);
		if (!part)
			run(&k, 3);
		if (part)
			assert_true(found && note.len == 0 && train_at(k.t) == 6 && train_hash(k.t) == want);
		want = train_hash(k.t);
		stand_down(&k);
	}
	buf_done(&note);
}

TEST(going_on_is_the_unbroken_run)
{
	resume("grpo", 0);
	resume("ppo", 0);
	resume("ppo", 0.02);
}

TEST(a_checkpoint_of_another_algorithm_is_refused)
{
	Stand k;
	Err e = { 0 };
	Buf note = BUF_INIT;
	bool found;
	char out[600];
	snprintf(out, sizeof out, "%s/other", unit_tmp());
	stand_settings(&k);
	stand_up(&k, 1);
	run(&k, 1);
	assert_true(train_save(k.t, out, &e));
	stand_down(&k);
	stand_settings(&k);
	k.s.algorithm = RL_PPO;
	stand_up(&k, 1);
	assert_false(train_resume(k.t, out, &found, &note, &e));
	assert_int_equal(e.code, E_3301);
	stand_down(&k);
	buf_done(&note);
}

TEST(the_reference_holds_back)
{
	double far[2];
	for (int i = 0; i < 2; i++) {
		Stand k;
		stand_settings(&k);
		k.s.kl = i ? 5 : 0;
		stand_up(&k, 2);
		run(&k, 11);
		far[i] = stand_iterate(&k).kl;
		stand_down(&k);
	}
	print_message("# distance to the reference %.3g, held back %.3g\n", far[0], far[1]);
	assert_true(far[0] > 0.01 && far[1] < far[0] / 4);
}

TEST(groups_are_filled_up)
{
	Stand k;
	stand_settings(&k);
	k.s.fill = 8;
	k.s.group = 2;
	k.s.prompts = 8;
	stand_up(&k, 1);
	RlReport x = stand_iterate(&k);
	assert_true(x.degenerate > 0 && x.used > 0.9);
	stand_down(&k);
}

TEST(what_cannot_be_is_refused)
{
	Stand k;
	Err e = { 0 };
	stand_settings(&k);
	stand_up(&k, 1);
	k.s.group = 1;
	assert_null(rl_new(k.t, &k.s, &k.task, &e));
	assert_int_equal(e.code, E_2102);
	stand_down(&k);
}
