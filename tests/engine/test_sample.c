/* test_sample.c - the sampler draws from the distribution it says, with and without drafts: mtp.md 5.4. */
#include "tests/unit.h"
#include "base/rng.h"
#include "engine/sample.h"
#include <math.h>
#include <string.h>

enum { V = 12 };
static const real p_logits[V] = { 1, 0.5, -1, 2, 0, -2, 1.5, 0.2, -0.5, 0.9, -3, 1.1 };
static const real q_logits[V] = { 0.5, 1, -1, 1.5, 0.3, -2, 2, 0, -0.2, 0.4, -2, 1 };

static double chi_square(const double *want, const long *seen, long n)
{
	double x = 0;
	for (int i = 0; i < V; i++)
		if (want[i] > 0)
			x += ((double)seen[i] - want[i] * (double)n) *
				((double)seen[i] - want[i] * (double)n) / (want[i] * (double)n);
	return x;
}

static void check_distribution(Sampling how)
{
	Err e = { 0 };
	Sampler s;
	double want[V];
	long seen[V] = { 0 }, n = 200000;
	assert_true(sampler_init(&s, &how, V, &e));
	sampler_distribution(&s, p_logits, want);
	for (long i = 0; i < n; i++)
		seen[sampler_pick(&s, p_logits, i)]++;
	for (int i = 0; i < V; i++)
		assert_true(want[i] > 0 || seen[i] == 0);
	assert_true(chi_square(want, seen, n) < 45); /* 11 degrees of freedom: 1e-5 */
	sampler_done(&s);
}

TEST(sample_draws_what_it_says)
{
	check_distribution((Sampling){ .temperature = 1, .seed = 3 });
	check_distribution((Sampling){ .temperature = 0.6, .seed = 4 });
	check_distribution((Sampling){ .temperature = 1.3, .top_k = 5, .seed = 5 });
	check_distribution((Sampling){ .temperature = 1, .top_p = 0.8, .seed = 6 });
	check_distribution((Sampling){ .temperature = 1, .min_p = 0.2, .seed = 7 });
	check_distribution((Sampling){ .temperature = 0.9,
		.top_k = 8,
		.top_p = 0.9,
		.min_p = 0.05,
		.n_ids = 10,
		.seed = 8 });
}

/* A million rounds of speculation: what is given out follows p, whatever the draft's q; and drafts are
 * taken about as often as the best coupling of p and q would take them. */
TEST(sample_speculation_is_lossless)
{
	Err e = { 0 };
	Sampler s;
	double p[V], q[V], overlap = 0;
	long seen[V] = { 0 }, n = 1000000, taken = 0;
	assert_true(sampler_init(&s, &(Sampling){ .temperature = 1, .seed = 9 }, V, &e));
	sampler_distribution(&s, p_logits, p);
	sampler_distribution(&s, q_logits, q);
	for (int i = 0; i < V; i++)
		overlap += fmin(p[i], q[i]);
	for (long i = 0; i < n; i++) {
		int32_t draft = sampler_pick(&s, q_logits, i), own = sampler_pick(&s, p_logits, i);
		taken += draft == own;
		seen[own]++;
	}
	assert_true(chi_square(p, seen, n) < 45);
	assert_true((double)taken / (double)n >= overlap / (2 - overlap) - 0.002);
	assert_true((double)taken / (double)n <= overlap + 0.002);
	sampler_done(&s);
}

TEST(sample_greedy_takes_the_lowest_id_of_a_tie)
{
	Err e = { 0 };
	Sampler s;
	real x[V] = { 0, 3, 1, 3, 3 };
	assert_true(sampler_init(&s, &(Sampling){ .temperature = 0 }, V, &e));
	assert_int_equal(sampler_pick(&s, x, 0), 1);
	sampler_done(&s);
}

TEST(sample_facts)
{
	double lse, sum = 0, h = 0;
	TokenFacts f = sample_facts(p_logits, V, 3, &lse);
	for (int i = 0; i < V; i++)
		sum += exp((double)p_logits[i]);
	for (int i = 0; i < V; i++)
		h -= exp((double)p_logits[i]) / sum * log(exp((double)p_logits[i]) / sum);
	assert_close(lse, log(sum), 1e-6, 0);
	assert_close(f.logprob, 2 - log(sum), 1e-6, 0);
	assert_close(f.entropy, h, 1e-6, 0);
}
