/* test_losses.c - advantages and losses: numbers of rl.md, stored values of other implementations, and that a wrong stored value is seen. */
#include "tests/unit.h"
#include "engine/verify_rl.h"
#include "ops/ops.h"
#include "rl/advantage.h"
#include "rl/settings.h"
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TEST(one_right_answer_of_eight)
{
	const double reward[8] = { 0, 0, 1, 0, 0, 0, 0, 0 };
	const int64_t group[8] = { 0 };
	double A[8];
	int groups;
	assert_int_equal(rl_group_advantages(reward, group, 8, RL_STD_POPULATION, A, &groups), 0);
	assert_int_equal(groups, 1);
	assert_close(A[2], 2.65, 0.01, 0);
	assert_close(A[0], -0.378, 0.001, 0);
	rl_group_advantages(reward, group, 8, RL_STD_LEAVE_ONE_OUT, A, NULL);
	assert_close(A[2], 1, 1e-12, 0);
	assert_close(A[0], -1.0 / 7, 1e-12, 0);
}

TEST(equal_groups_teach_nothing)
{
	const double reward[6] = { 0.1, 1, 0.1, 0, 0.1, 1 };
	const int64_t group[6] = { 5, 7, 5, 7, 5, 7 };
	double A[6];
	int groups;
	assert_int_equal(rl_group_advantages(reward, group, 6, RL_STD_SAMPLE, A, &groups), 1);
	assert_int_equal(groups, 2);
	assert_true(A[0] == 0 && A[2] == 0 && A[4] == 0);
	assert_true(A[1] > 0 && A[3] < 0);
}

TEST(gae_is_the_sum_of_td_errors)
{
	const double reward[4] = { 0.1, 0, -0.2, 1 }, value[4] = { 0.5, 0.25, 0.1, 0.8 };
	double A[4], ret[4];
	rl_gae(reward, value, 4, 0.9, 0.8, A, ret);
	for (int t = 0; t < 4; t++) {
		double want = 0;
		for (int k = t; k < 4; k++)
			want += pow(0.9 * 0.8, k - t) * (reward[k] + 0.9 * (k < 3 ? value[k + 1] : 0) - value[k]);
		assert_close(A[t], want, 1e-12, 0);
		assert_close(ret[t], want + value[t], 1e-12, 0);
	}
	rl_whiten(A, 4);
	double sum = 0, square = 0;
	for (int t = 0; t < 4; t++) {
		sum += A[t];
		square += A[t] * A[t];
	}
	assert_close(sum, 0, 1e-12, 0);
	assert_close(square / 3, 1, 1e-6, 0);
}

/* d loss / d logp of one token. */
static double slope(Tape *t, const PolicyRule *r, real A, real ln_r, real ln_u, bool ref)
{
	static const int32_t first[] = { 0, 1 };
	real logp = -1, old = logp - ln_r, other = logp + ln_u;
	PolicyTokens x = { .n_out = 1, .first = first, .old = &old, .ref = ref ? &other : NULL, .advantage = &A, .outputs = 1, .tokens = 1 };
	tape_reset(t);
	tape_record(t, true);
	Ten *leaf = tape_leaf(t, ten_wrap(REAL_DTYPE, &logp, 2, (int64_t[]){ 1, 1 }, "logp"), true);
	assert_true(tape_backward(t, policy_loss(t, leaf, r, &x, NULL), NULL));
	return (double)*ten_real(leaf->grad);
}

TEST(numbers_of_the_reference)
{
	Pool *p = pool_new(1);
	Tape *t = tape_new(p, 0);
	PolicyRule r = { .ratio = RATIO_TOKEN, .mean = MEAN_TOKEN, .kl = KL_K3, .low = 0.2, .high = 0.2 };
	assert_close(slope(t, &r, 1, 0.1, 0, false), -1.10517, 1e-5, 0);
	assert_close(slope(t, &r, 1, 0.3, 0, false), 0, 0, 0);
	assert_close(slope(t, &r, -1, 0.3, 0, false), 1.34986, 1e-5, 0);
	assert_close(slope(t, &r, -1, -0.3, 0, false), 0, 0, 0);
	r.dual = 1.3;
	assert_close(slope(t, &r, -1, 0.3, 0, false), 0, 0, 0);
	r = (PolicyRule){ .ratio = RATIO_TOKEN, .mean = MEAN_TOKEN, .kl = KL_K3, .low = 0.2, .high = 0.2, .beta = 0.04 };
	assert_close(slope(t, &r, 0, 0, 0.5, true), -0.025949, 1e-6, 0);
	r.kl = KL_RK3;
	assert_close(slope(t, &r, 0, 0, 0.5, true), -0.02, 1e-6, 0);
	tape_free(t);
	pool_free(p);
}

static int check(const char *path, const char *name)
{
	Cases c = { 0 };
	Err e = { 0 };
	bool ran = verify_rl(path, 1, &c, &e);
	if (!ran)
		print_error("%s: %s\n", name, e.text);
	for (int i = 0; i < c.n; i++)
		if (!c.c[i].ok)
			print_error("%s off: %s\n", c.c[i].name, c.c[i].at);
	int n = ran && c.ok ? c.n : -1;
	cases_done(&c);
	return n;
}

TEST(stored_losses_match)
{
	DIR *d = opendir(unit_src("tests/data/rl"));
	int files = 0, bad = 0;
	assert_non_null(d);
	for (const struct dirent *x; (x = readdir(d)) != NULL;) {
		char path[512];
		snprintf(path, sizeof path, "tests/data/rl/%s", x->d_name);
		if (!strstr(x->d_name, ".safetensors") && strcmp(x->d_name, "policy") != 0)
			continue;
		bad += check(unit_src(path), x->d_name) < 3;
		files++;
	}
	closedir(d);
	assert_int_equal(bad, 0);
	assert_true(files >= 20);
}

/* One bit in each tensor's middle: something must be off, or the file be refused. */
TEST(a_wrong_stored_value_is_seen)
{
	char path[600];
	Buf b = BUF_INIT;
	Err e = { 0 };
	assert_true(buf_read_file(&b, unit_src("tests/data/rl/v32.safetensors"), 1 << 20, &e));
	snprintf(path, sizeof path, "%s/v32.safetensors", unit_tmp());
	char *at = strstr(b.s + 8, "\"grad_logp\"");
	assert_non_null(at);
	long long begin = -1;
	char *where = strstr(at, "\"data_offsets\":[");
	assert_non_null(where);
	begin = strtoll(where + strlen("\"data_offsets\":["), NULL, 10);
	uint64_t header;
	memcpy(&header, b.s, 8);
	float f = 0.5f;
	memcpy(b.s + 8 + header + begin, &f, sizeof f);
	FILE *file = fopen(path, "wb");
	assert_non_null(file);
	assert_int_equal(fwrite(b.s, 1, b.len, file), b.len);
	fclose(file);
	Cases c = { 0 };
	assert_true(verify_rl(path, 1, &c, &e));
	assert_false(c.ok);
	cases_done(&c);
	buf_done(&b);
}

TEST(settings_of_an_algorithm)
{
	RlSettings s;
	TrainSettings t;
	Err e = { 0 };
	rl_settings_default(&s);
	settings_default(&t);
	assert_true(rl_settings_set(&s, &t, "algorithm", "dapo", &e));
	PolicyRule r = rl_rule(&s, 100);
	assert_int_equal(r.mean, MEAN_TOKEN);
	assert_close(r.high, 0.28, 0, 0);
	assert_int_equal(rl_fill(&s), 3);
	assert_true(rl_settings_set(&s, &t, "mean", "constant", &e) && rl_settings_set(&s, &t, "clip_high", "10", &e));
	r = rl_rule(&s, 100);
	assert_int_equal(r.mean, MEAN_CONSTANT);
	assert_close(r.high, 10, 0, 0);
	assert_true(rl_settings_set(&s, &t, "lr", "0.5", &e));
	assert_close(t.lr, 0.5, 0, 0);
	assert_false(rl_settings_change(&s, &t, "algorithm", "ppo", &e));
	assert_int_equal(e.code, E_2102);
	err_clear(&e);
	assert_false(rl_settings_change(&s, &t, "group", "1", &e));
	assert_int_equal(s.group, 8);
}
