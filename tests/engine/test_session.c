/* test_session.c - what must not change the text: threads, drafts, the way the prompt is cut; and what
 * probes see. */
#include "tests/unit.h"
#include "engine/lathe.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Text { int32_t id[256]; double logprob[256]; int n; LatheStats stats; } Text;

static LatheModel *open_model(const char *rel, int threads)
{
	LatheError e = { 0 };
	LatheModel *m = lathe_open(unit_src(rel), &(LatheOpenOptions){ .threads = threads }, &e);
	if (!m)
		fail_msg("%s", e.text);
	return m;
}

static void generate(LatheModel *m, const LatheSessionOptions *o, int n_prompt, int n, Text *out)
{
	LatheError e = { 0 };
	LatheToken t;
	int32_t prompt[64];
	for (int i = 0; i < n_prompt; i++)
		prompt[i] = (i * 37 + 5) % 90 + 2;
	LatheSession *s = lathe_session_new(m, o, &e);
	if (!s || !lathe_session_feed(s, prompt, (size_t)n_prompt, &e))
		fail_msg("%s", e.text);
	for (out->n = 0; out->n < n; out->n++) {
		int got = lathe_session_next(s, &t, &e);
		if (got < 0)
			fail_msg("%s", e.text);
		if (!got)
			break;
		out->id[out->n] = t.id;
		out->logprob[out->n] = t.logprob;
	}
	lathe_session_stats(s, &out->stats);
	lathe_session_free(s);
}

static void same_text(const Text *a, const Text *b)
{
	assert_int_equal(a->n, b->n);
	assert_memory_equal(a->id, b->id, sizeof a->id[0] * (size_t)a->n);
	assert_memory_equal(a->logprob, b->logprob, sizeof a->logprob[0] * (size_t)a->n);
}

TEST(session_mtp_is_lossless_to_the_bit)
{
	const char *models[] = { "tests/data/models/v3", "tests/data/models/v3-mtp2",
		"tests/data/models/v3-sharded" };
	for (int i = 0; i < 3; i++)
		for (int t = 0; t < 3; t++) {
			LatheModel *m = open_model(models[i], 1);
			LatheSessionOptions o = { .temperature = t == 0 ? 0
					: t == 1                        ? 1
									: 0.3,
				.top_p = t == 2 ? 0.9 : 0,
				.seed = 11,
				.ignore_eos = true };
			Text a, b;
			o.mtp = LATHE_MTP_OFF;
			generate(m, &o, 9, 60, &a);
			o.mtp = LATHE_MTP_ON;
			generate(m, &o, 9, 60, &b);
			same_text(&a, &b);
			assert_true(b.stats.drafted > 0);
			assert_true(b.stats.forwards <= a.stats.forwards);
			lathe_close(m);
		}
}

TEST(session_threads_give_the_same_bits)
{
	const int threads[] = { 1, 2, 3, 8, 16 };
	Text a, b;
	for (int i = 0; i < 5; i++) {
		LatheModel *m = open_model("tests/data/models/v3", threads[i]);
		generate(m, &(LatheSessionOptions){ .temperature = 1, .seed = 5, .ignore_eos = true }, 40, 40,
			i ? &b : &a);
		if (i)
			same_text(&a, &b);
		lathe_close(m);
	}
}

/* In absorbed form a row's bits do not depend on how the prompt is cut. */
TEST(session_chunks_give_the_same_bits)
{
	const int chunk[] = { 1, 7, 40 };
	Text a, b;
	LatheModel *m = open_model("tests/data/models/v3-odd", 2);
	for (int i = 0; i < 3; i++) {
		LatheSessionOptions o = { .attention = LATHE_ATTENTION_ABSORBED,
			.chunk = chunk[i],
			.ignore_eos = true };
		generate(m, &o, 40, 20, i ? &b : &a);
		if (i)
			same_text(&a, &b);
	}
	lathe_close(m);
}

TEST(session_bf16_cache_is_half_as_large)
{
	Text a, b;
	LatheModel *m = open_model("tests/data/models/v2-lite", 1);
	generate(m, &(LatheSessionOptions){ .ignore_eos = true }, 20, 10, &a);
	generate(m, &(LatheSessionOptions){ .cache_dtype = "bf16", .ignore_eos = true }, 20, 10, &b);
	assert_int_equal(a.stats.kv_bytes % b.stats.kv_bytes, 0);
	assert_true(a.stats.kv_bytes >= 2 * b.stats.kv_bytes);
	lathe_close(m);
}

typedef struct Seen { int calls, rows; double sum; int64_t last; } Seen;
static void see(const LatheProbe *p, void *ud)
{
	Seen *s = ud;
	s->calls++;
	s->rows += (int)p->shape[0];
	s->last = p->position;
	for (int64_t i = 0; i < p->shape[0] * p->shape[1]; i++)
		s->sum += p->data ? (double)p->data[i] : p->ints[i];
}

static bool silence(const LatheProbe *p, float *out, void *ud)
{
	(void)ud;
	memset(out, 0, sizeof *out * (size_t)(p->shape[0] * p->shape[1]));
	return true;
}

TEST(session_probes_read_and_replace)
{
	LatheModel *m = open_model("tests/data/models/v3", 1);
	Seen w = { 0 }, out = { 0 };
	Text a, b;
	LatheSessionOptions o = { .mtp = LATHE_MTP_OFF, .ignore_eos = true };
	generate(m, &o, 10, 6, &a);
	int id = lathe_watch(m, "layers.2.moe.weights", see, &w);
	assert_true(id > 0);
	generate(m, &o, 10, 6, &b);
	same_text(&a, &b);
	assert_int_equal(w.rows, 10 + 5);
	assert_int_equal(w.last, 14);
	assert_close(w.sum, 2.5 * 15, 1e-3, 0); /* normalised, times the route scale */
	lathe_unwatch(m, id);
	int cut = lathe_replace(m, "layers.1.mlp.out", silence, NULL);
	id = lathe_watch(m, "layers.1.mlp.out", see, &out);
	generate(m, &o, 10, 6, &b);
	assert_true(out.calls > 0 && out.sum == 0);
	assert_true(memcmp(a.logprob, b.logprob, sizeof a.logprob[0] * 6) != 0);
	lathe_unwatch(m, cut);
	lathe_unwatch(m, id);
	generate(m, &o, 10, 6, &b);
	same_text(&a, &b);
	lathe_close(m);
}

TEST(session_scores_and_probs_can_be_watched)
{
	LatheModel *m = open_model("tests/data/models/v3", 1);
	Seen p = { 0 };
	Text a, b;
	LatheSessionOptions o = { .mtp = LATHE_MTP_OFF, .ignore_eos = true };
	generate(m, &o, 10, 6, &a);
	int id = lathe_watch(m, "layers.0.attn.probs", see, &p);
	generate(m, &o, 10, 6, &b);
	assert_close(p.sum, (10 + 5) * 4, 1e-3, 0); /* each head's row sums to one */
	for (int i = 0; i < 6; i++)
		assert_close(a.logprob[i], b.logprob[i], 1e-4, 1e-4);
	lathe_unwatch(m, id);
	lathe_close(m);
}

TEST(session_refuses_bad_options)
{
	LatheModel *m = open_model("tests/data/models/v2-lite", 1);
	LatheError e = { 0 };
	assert_null(lathe_session_new(m, &(LatheSessionOptions){ .temperature = NAN }, &e));
	assert_int_equal(e.code / 1000, 2);
	assert_null(lathe_session_new(m, &(LatheSessionOptions){ .top_p = 2 }, &e));
	assert_null(lathe_session_new(m, &(LatheSessionOptions){ .mtp = LATHE_MTP_ON }, &e));
	LatheSession *s = lathe_session_new(m, NULL, &e);
	LatheToken t;
	assert_int_equal(lathe_session_next(s, &t, &e), -1); /* nothing given */
	assert_false(lathe_session_feed(s, (int32_t[]){ 1, 999999 }, 2, &e));
	assert_int_equal(e.code / 1000, 2);
	lathe_session_free(s);
	lathe_close(m);
}

TEST(session_memory_limits)
{
	LatheError e = { 0 };
	assert_null(lathe_open(unit_src("tests/data/models/v3"), &(LatheOpenOptions){ .memory_limit = 65536 },
		&e));
	assert_int_equal(e.code / 1000, 5);
	assert_non_null(strstr(e.text, "MiB"));
}

TEST(session_goes_on_after_more_text)
{
	LatheModel *m = open_model("tests/data/models/v3-mtp2", 1);
	LatheError e = { 0 };
	LatheToken t;
	int32_t id[2][32];
	for (int k = 0; k < 2; k++) {
		LatheSession *s = lathe_session_new(m,
			&(LatheSessionOptions){ .mtp = k ? LATHE_MTP_ON : LATHE_MTP_OFF,
				.ignore_eos = true,
				.attention = LATHE_ATTENTION_ABSORBED },
			&e);
		assert_true(lathe_session_feed(s, (int32_t[]){ 4, 5, 6 }, 3, &e));
		for (int i = 0; i < 32; i++) {
			if (i == 10)
				assert_true(lathe_session_feed(s, (int32_t[]){ 7, 8, 9, 10 }, 4, &e));
			assert_int_equal(lathe_session_next(s, &t, &e), 1);
			id[k][i] = t.id;
		}
		lathe_session_free(s);
	}
	/* a draft accepted before the new text came may put the cut one token later, so only the first
	 * part must agree */
	assert_memory_equal(id[0], id[1], sizeof id[0][0] * 10);
	lathe_close(m);
}

/* --- several texts side by side --- */

typedef struct Made { int32_t id[3][64]; double logprob[3][64]; int n[3]; } Made;
static void made_take(int text, const LatheToken *t, bool eos, void *ud)
{
	Made *m = ud;
	(void)eos;
	m->id[text][m->n[text]] = t->id;
	m->logprob[text][m->n[text]++] = t->logprob;
}

TEST(batch_gives_each_text_what_it_would_get_alone)
{
	LatheModel *m = open_model("tests/data/models/v3", 2);
	LatheError e = { 0 };
	int32_t prompt[3][20];
	LatheBatchText text[3];
	Made made = { 0 };
	for (int i = 0; i < 3; i++) {
		for (int k = 0; k < 20; k++)
			prompt[i][k] = (i * 31 + k * 17) % 300 + 2;
		text[i] = (LatheBatchText){ prompt[i], (size_t)(5 + 7 * i), 20 + 4 * i };
	}
	LatheSessionOptions o = { .temperature = 0.9, .top_k = 40, .seed = 21, .ignore_eos = true };
	assert_true(lathe_batch(m, &o, text, 3, made_take, &made, &e));
	for (int i = 0; i < 3; i++) {
		LatheToken t;
		LatheSessionOptions alone = o;
		alone.seed += (uint64_t)i;
		alone.mtp = LATHE_MTP_OFF;
		LatheSession *s = lathe_session_new(m, &alone, &e);
		assert_true(lathe_session_feed(s, prompt[i], text[i].n, &e));
		assert_int_equal(made.n[i], text[i].max_tokens);
		for (int k = 0; k < made.n[i]; k++) {
			assert_int_equal(lathe_session_next(s, &t, &e), 1);
			assert_int_equal(t.id, made.id[i][k]);
			assert_true(t.logprob == made.logprob[i][k]);
		}
		lathe_session_free(s);
	}
	assert_false(lathe_batch(m, &o, text, 0, made_take, &made, &e));
	lathe_close(m);
}
