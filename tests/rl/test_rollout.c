/* test_rollout.c - answers are drawn from the policy that is trained: the same probabilities to the bit, whatever the company, the number of
 * threads, the filters of sampling or the routes; and drawn as often as they are likely. */
#include "tests/unit.h"
#include "tests/rl/stand.h"
#include "rl/policy.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PROMPTS = 5, GROUP = 3, LONGEST = 12 };

static const int32_t text[PROMPTS][7] = { { 104, 105 }, { 7, 200, 13, 99, 1, 2, 3 }, { 50 }, { 90, 91, 92, 93 }, { 10, 20, 30 } };
static const int length[PROMPTS] = { 2, 7, 1, 4, 3 };

typedef struct Drawn { Stand k; RlRoutes routes; Arena *a; RlSample s[PROMPTS * GROUP]; } Drawn;

static void draw(Drawn *w, const RlDraw *d, int threads, int n)
{
	RlPrompt p[PROMPTS];
	Err e = { 0 };
	stand_settings(&w->k);
	stand_up(&w->k, threads);
	w->a = arena_new("drawn", 0);
	assert_true(rl_routes_open(&w->routes, train_tape(w->k.t), train_lm(w->k.t), &e));
	for (int i = 0; i < n; i++)
		p[i] = (RlPrompt){ text[i], length[i] };
	if (!rl_rollout(w->k.t, &w->routes, NULL, d, p, n, GROUP, LONGEST, w->a, w->s, &e))
		fail_msg("%s", e.text);
}

static void done(Drawn *w)
{
	rl_routes_close(&w->routes, train_tape(w->k.t));
	arena_free(w->a);
	stand_down(&w->k);
}

static RlDraw plain(void)
{
	return (RlDraw){ .temperature = 1, .top_p = 1, .n_ids = 257, .seed = 3, .turn = 4 };
}

/* Greatest |ln r| of all tokens under a view. */
static double far(Drawn *w, const RlView *v)
{
	RlSample *list[PROMPTS * GROUP];
	RlPass p;
	Err e = { 0 };
	double most = 0;
	for (int i = 0; i < PROMPTS * GROUP; i++)
		list[i] = &w->s[i];
	if (!rl_policy_forward(w->k.t, &w->routes, v, list, PROMPTS * GROUP, false, &p, &e))
		fail_msg("%s", e.text);
	for (int i = 0; i < p.n_out; i++)
		for (int k = 0; k < list[i]->n; k++)
			most = fmax(most, fabs((double)ten_real(p.logp)[p.first[i] + k] - (double)list[i]->logp[k]));
	return most;
}

TEST(sampling_and_training_agree_to_the_bit)
{
	static const struct { double temperature, top_p; int top_k; bool routes; } of[] = { { 1, 1, 0, false }, { 0.7, 1, 0, false },
		{ 1.3, 0.8, 0, false }, { 1, 1, 5, true }, { 0.9, 0.95, 20, true } };
	for (size_t i = 0; i < sizeof of / sizeof of[0]; i++) {
		Drawn w;
		RlDraw d = plain();
		d.temperature = of[i].temperature;
		d.top_p = of[i].top_p;
		d.top_k = of[i].top_k;
		d.keep_sets = of[i].top_p < 1 || of[i].top_k > 0;
		d.routes = of[i].routes;
		draw(&w, &d, 2, PROMPTS);
		assert_true(far(&w, &(RlView){ d.temperature, true, of[i].routes }) == 0);
		done(&w);
	}
}

TEST(without_the_kept_tokens_the_ratio_is_not_1)
{
	Drawn w;
	RlDraw d = plain();
	d.top_k = 5;
	d.keep_sets = true;
	draw(&w, &d, 1, PROMPTS);
	assert_true(far(&w, &(RlView){ 1, false, false }) > 0.1);
	done(&w);
}

TEST(answers_do_not_depend_on_company_or_threads)
{
	Drawn a, b;
	RlDraw d = plain();
	draw(&a, &d, 1, PROMPTS);
	draw(&b, &d, 2, 1);
	for (int k = 0; k < GROUP; k++) {
		assert_int_equal(a.s[k].n, b.s[k].n);
		assert_memory_equal(a.s[k].id, b.s[k].id, sizeof(int32_t) * (size_t)(a.s[k].n_given + a.s[k].n));
		assert_memory_equal(a.s[k].logp, b.s[k].logp, sizeof(real) * (size_t)a.s[k].n);
	}
	done(&a);
	done(&b);
}

TEST(an_answer_ends_where_it_must)
{
	Drawn w;
	RlDraw d = plain();
	d.top_k = 3;
	draw(&w, &d, 1, PROMPTS);
	for (int i = 0; i < PROMPTS * GROUP; i++) {
		assert_true(w.s[i].n >= 1 && w.s[i].n <= LONGEST);
		assert_true(w.s[i].ended || w.s[i].n == LONGEST);
		for (int k = 0; k < w.s[i].n; k++)
			assert_true(w.s[i].entropy[k] >= 0 && w.s[i].logp[k] <= 0);
	}
	done(&w);
}

/* 20,000 draws from known logits: within five standard errors of every probability. */
TEST(tokens_come_as_often_as_they_are_likely)
{
	static const real logits[6] = { 0, 1, -1, 2, 0.5, 3 };
	double p[6], sum = 0;
	int count[6] = { 0 }, n = 20000;
	real e[6];
	int32_t order[6], given = 1;
	uint8_t keep[6];
	RlScratch x = { e, order, keep };
	RlDraw d = { .temperature = 2, .top_p = 1, .n_ids = 5, .seed = 9 }; /* the last id is padding */
	Pool *pool = pool_new(1);
	Arena *a = arena_new("draws", 0);
	RlSample s;
	for (int i = 0; i < 5; i++)
		sum += p[i] = exp((double)logits[i] / 2);
	assert_true(rl_sample_new(&s, a, &given, 1, n, 6, 0, &d));
	for (int i = 0; i < n; i++)
		count[rl_sample_draw(&s, pool_kernels(pool), &d, logits, 6, &x)]++;
	assert_int_equal(count[5], 0);
	for (int i = 0; i < 5; i++)
		assert_close((double)count[i] / n, p[i] / sum, 5 * sqrt(p[i] / sum / n), 0);
	arena_free(a);
	pool_free(pool);
}
