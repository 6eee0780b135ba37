/* test_store.c - look-ups, time travel, texts that follow one another, and the byte budget. */
#include "probe/store.h"
#include "tests/unit.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool add_rows(Store *s, const char *topic, uint64_t step, uint32_t n, double time)
{
	float v[64];
	for (uint32_t i = 0; i < 2 * n; i++)
		v[i] = (float)(step * 2 + i);
	Sample x = { .topic = topic,
		.kind = SAMPLE_TENSOR,
		.step = step,
		.time = time,
		.dtype = DT_F32,
		.rank = 2,
		.shape = { n, 2 },
		.data = v,
		.bytes = 8 * n };
	return store_add(s, &x);
}

static bool add_text(Store *s, const char *topic, uint64_t step, double time, const char *text)
{
	Sample x = { .topic = topic,
		.kind = SAMPLE_TEXT,
		.step = step,
		.time = time,
		.data = text,
		.bytes = strlen(text) };
	return store_add(s, &x);
}

TEST(store_looks_up_by_position)
{
	Store *s = store_new(1 << 20);
	int64_t row;
	assert_true(add_rows(s, "layers.0.moe.scores", 0, 10, 1));
	assert_true(add_rows(s, "layers.0.moe.scores", 10, 1, 2));
	assert_true(add_rows(s, "layers.0.moe.scores", 11, 3, 3));
	const Sample *x = store_pos(s, "layers.0.moe.scores", 9, &row);
	assert_non_null(x);
	assert_int_equal(row, 9);
	assert_true(sample_num(x, (size_t)row * 2) == 18);
	x = store_pos(s, "layers.0.moe.scores", 13, &row);
	assert_int_equal(row, 2);
	assert_int_equal(x->step, 11);
	assert_null(store_pos(s, "layers.0.moe.scores", 14, &row));
	assert_null(store_pos(s, "nothing", 0, &row));
	assert_int_equal(store_count(s, "layers.0.moe.scores"), 3);
	assert_int_equal(store_at(s, "layers.0.moe.scores", 1)->step, 10);
	assert_null(store_at(s, "layers.0.moe.scores", 3));
	/* Position 5 again, as after a rejected draft: the newer one counts. */
	assert_true(add_rows(s, "layers.0.moe.scores", 5, 1, 4));
	x = store_pos(s, "layers.0.moe.scores", 5, &row);
	assert_true(x->time == 4.0);
	assert_int_equal(row, 0);
	x = store_pos(s, "layers.0.moe.scores", 6, &row);
	assert_true(x->time == 1.0);
	store_free(s);
}

TEST(store_topics_are_in_order)
{
	Store *s = store_new(1 << 20);
	static const char *const names[] = { "m", "b", "z", "a", "m.x" };
	uint64_t v = store_version(s);
	for (size_t i = 0; i < 5; i++) {
		assert_true(add_text(s, names[i], 0, (double)i, "t"));
		assert_true(store_version(s) != v);
		v = store_version(s);
	}
	assert_int_equal(store_topics(s), 5);
	for (size_t i = 1; i < 5; i++)
		assert_true(strcmp(store_topic(s, i - 1), store_topic(s, i)) < 0);
	assert_null(store_topic(s, 5));
	assert_string_equal((const char *)store_last(s, "m")->data, "t");
	store_clear(s, "m");
	assert_null(store_last(s, "m"));
	assert_int_equal(store_topics(s), 4);
	store_free(s);
}

TEST(store_time_travel)
{
	Store *s = store_new(1 << 20);
	for (int i = 0; i < 10; i++) {
		assert_true(add_text(s, "gen.token", (uint64_t)i, i, "t"));
		assert_true(add_rows(s, "p", (uint64_t)i, 1, i + 0.5));
	}
	assert_true(store_begin(s) == 0 && store_end(s) == 9.5 && store_now(s) == 9.5);
	store_seek(s, 3.2);
	assert_true(store_now(s) == 3.2);
	assert_int_equal(store_count(s, "gen.token"), 4);
	assert_int_equal(store_last(s, "p")->step, 2);
	assert_null(store_pos(s, "p", 3, NULL));
	assert_non_null(store_pos(s, "p", 2, NULL));
	store_seek(s, -1);
	assert_null(store_last(s, "p"));
	store_seek(s, INFINITY);
	assert_int_equal(store_count(s, "gen.token"), 10);
	store_free(s);
}

TEST(store_a_new_text_hides_the_old_one)
{
	Store *s = store_new(1 << 20);
	add_text(s, "model.card", 0, 0, "{}");
	add_text(s, STORE_RUN, 0, 1, "{}");
	add_rows(s, "layers.1.moe.topk", 0, 20, 2);
	add_text(s, STORE_RUN, 0, 3, "{}");
	assert_null(store_pos(s, "layers.1.moe.topk", 4, NULL));
	assert_int_equal(store_count(s, "layers.1.moe.topk"), 0);
	assert_int_equal(store_count(s, STORE_RUN), 1);
	assert_non_null(store_last(s, "model.card"));
	add_rows(s, "layers.1.moe.topk", 0, 2, 4);
	assert_null(store_pos(s, "layers.1.moe.topk", 4, NULL));
	assert_int_equal(store_count(s, "layers.1.moe.topk"), 1);
	store_seek(s, 2.5);
	assert_non_null(store_pos(s, "layers.1.moe.topk", 4, NULL));
	store_free(s);
}

typedef struct Steps { uint64_t step[8]; int n; } Steps;

static void note_step(void *ud, const Sample *x)
{
	Steps *k = ud;
	assert_true(k->n < 8);
	k->step[k->n++] = x->step;
}

/* What store_at would give, one after the other: of this text, up to the limit. */
TEST(store_each_is_every_store_at)
{
	Store *s = store_new(1 << 20);
	Steps k = { 0 };
	add_rows(s, "a", 7, 1, 1);
	add_text(s, STORE_RUN, 0, 2, "{}");
	for (int i = 0; i < 4; i++)
		add_rows(s, "a", (uint64_t)(10 + i), 1, 3 + i);
	store_each(s, "a", note_step, &k);
	assert_int_equal(k.n, store_count(s, "a"));
	for (int i = 0; i < k.n; i++)
		assert_int_equal(k.step[i], store_at(s, "a", (size_t)i)->step);
	k.n = 0;
	store_seek(s, 4.5);
	store_each(s, "a", note_step, &k);
	assert_int_equal(k.n, 2);
	store_each(s, "nothing", note_step, &k);
	assert_int_equal(k.n, 2);
	store_free(s);
}

TEST(store_keeps_to_its_budget)
{
	enum { BUDGET = 200000 };
	Store *s = store_new(BUDGET);
	add_text(s, "model.card", 0, 0, "{\"name\":\"x\"}");
	for (uint64_t i = 0; i < 20000; i++) {
		add_rows(s, "big", i, 20, (double)i);
		if (i % 50 == 0)
			add_text(s, "gen.token", i, (double)i, "word");
		assert_true(store_bytes(s) <= BUDGET);
	}
	/* The small topics keep everything, the big one its newest. */
	assert_int_equal(store_count(s, "gen.token"), 400);
	assert_non_null(store_last(s, "model.card"));
	assert_true(store_count(s, "big") > 300);
	assert_int_equal(store_last(s, "big")->step, 19999);
	char *large = calloc(1, BUDGET);
	Sample x = { .topic = "huge", .kind = SAMPLE_TEXT, .data = large, .bytes = BUDGET / 2 + 1 };
	assert_false(store_add(s, &x));
	assert_null(store_last(s, "huge"));
	x.bytes = BUDGET / 2;
	assert_true(store_add(s, &x));
	assert_true(store_bytes(s) <= BUDGET);
	assert_non_null(store_last(s, "huge"));
	free(large);
	store_free(s);
}

TEST(store_a_crowd_of_topics_stays_within_the_budget)
{
	Store *s = store_new(1 << 20);
	for (int i = 0; i < 60000; i++) {
		char topic[32];
		snprintf(topic, sizeof topic, "t%d", i * 7919 % 60000);
		assert_true(add_text(s, topic, 0, i, "x"));
	}
	assert_true(store_bytes(s) <= 1 << 20);
	assert_true(store_topics(s) > 1000);
	store_free(s);
}

TEST(store_replays_in_order_of_arrival)
{
	Store *s = store_new(40000);
	for (int i = 0; i < 2000; i++)
		add_text(s, i % 3 ? "a" : "b", (uint64_t)i, i, "0123456789");
	assert_int_equal(store_serial(s), 2000);
	const Sample *x;
	uint64_t at = 0, last = 0;
	size_t n = 0;
	while ((at = store_next(s, at, &x)) != 0) {
		assert_true(at > last);
		assert_int_equal(x->step, at - 1);
		last = at;
		n++;
	}
	assert_int_equal(last, 2000);
	assert_int_equal(n, store_count(s, "a") + store_count(s, "b"));
	assert_int_equal(store_behind(s, 2000), 0);
	assert_true(store_behind(s, 1990) > 0 && store_behind(s, 1990) < 10 * 400);
	assert_int_equal(store_behind(s, 1), 0);
	store_free(s);
}

TEST(store_clock_that_steps_back)
{
	Store *s = store_new(1 << 20);
	add_text(s, "a", 0, 5, "x");
	add_text(s, "a", 1, 2, "y");
	add_text(s, "a", 2, 6, "z");
	store_seek(s, 3);
	assert_int_equal(store_count(s, "a"), 0);
	store_seek(s, 5);
	assert_int_equal(store_count(s, "a"), 2);
	store_free(s);
}
