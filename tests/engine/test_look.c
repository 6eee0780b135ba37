/* test_look.c - values asked for afterwards: the spectrum of the latent against the latent itself, the gate's
 * by-products against their definitions, and the order `look`. */
#include "tests/unit.h"
#include "engine/engine.h"
#include "engine/jobs.h"
#include "engine/latent.h"
#include "engine/once.h"
#include "num/eigen.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TOKENS = 24, KEEP = 8 << 20 };
static const char model_path[] = "tests/data/models/v3";

static void ids_make(int32_t *id, int n)
{
	for (int i = 0; i < n; i++)
		id[i] = (i * 37 + 5) % 90 + 2;
}

typedef struct Seen {
	char name[64];
	float v[1 << 16];
	int32_t k[1 << 12];
	int rows, cols;
} Seen;
typedef struct Sight {
	Seen *seen;
	int n;
} Sight;

static void see(const LatheProbe *p, void *ud)
{
	Sight *s = ud;
	for (int i = 0; i < s->n; i++) {
		Seen *x = &s->seen[i];
		if (strcmp(x->name, p->name) != 0)
			continue;
		x->rows = p->rank > 1 ? (int)p->shape[0] : 1;
		x->cols = (int)p->shape[p->rank - 1];
		size_t n = (size_t)x->rows * (size_t)x->cols;
		assert_true(n <= (p->ints ? sizeof x->k / 4 : sizeof x->v / 4));
		memcpy(p->ints ? (void *)x->k : (void *)x->v,
			p->ints ? (const void *)p->ints : (const void *)p->data, n * 4);
	}
}

static LatheSession *session_on(LatheModel *m, Sight *s)
{
	LatheError e = { 0 };
	int32_t id[TOKENS];
	int hook[8];
	ids_make(id, TOKENS);
	for (int i = 0; i < s->n; i++)
		assert_true((hook[i] = lathe_watch(m, s->seen[i].name, see, s)) > 0);
	LatheSession *t = lathe_session_new(m, NULL, &e);
	if (!t || !lathe_session_feed(t, id, TOKENS, &e))
		fail_msg("%s", e.text);
	for (int i = 0; i < s->n; i++)
		lathe_unwatch(m, hook[i]);
	return t;
}

static LatheModel *open_model(void)
{
	LatheError e = { 0 };
	LatheModel *m = lathe_open(unit_src(model_path), &(LatheOpenOptions){ .threads = 1 }, &e);
	if (!m)
		fail_msg("%s", e.text);
	return m;
}

/* Sum of squares of a weight's first rows. */
static double square_sum(const Ten *W, int64_t rows)
{
	int64_t n = ten_cols(W);
	real *x = malloc(sizeof *x * (size_t)(rows * n));
	double s = 0;
	ten_read(W, 0, rows, x);
	for (int64_t i = 0; i < rows * n; i++)
		s += (double)x[i] * (double)x[i];
	free(x);
	return s;
}

static double float_sum(const float *v, int n, bool squared)
{
	double s = 0;
	for (int i = 0; i < n; i++)
		s += squared ? (double)v[i] * (double)v[i] : (double)v[i];
	return s;
}

TEST(look_spectrum_is_that_of_the_latent)
{
	Err e = { 0 };
	static Seen c = { .name = "layers.1.attn.c_KV" };
	Sight sight = { &c, 1 };
	LatheModel *m = open_model();
	LatheSession *s = session_on(m, &sight);
	LatentReport r;
	assert_true(latent_work(s, 1) > 0);
	assert_true(latent_report(s, 1, &r, &e));
	assert_int_equal(r.tokens, TOKENS);
	assert_int_equal(r.r, c.cols);
	/* The trace: the mean square length of the latent. */
	double mean = float_sum(c.v, c.rows * c.cols, true) / TOKENS;
	assert_true(fabs(float_sum(r.energy, r.r, false) - mean) < 1e-4 * mean);
	for (int i = 1; i < r.r; i++)
		assert_true(r.energy[i] <= r.energy[i - 1] && r.energy[i] >= 0);
	for (int i = TOKENS; i < r.r; i++)
		assert_true(r.energy[i] < 1e-5 * r.energy[0]);
	/* Squares of singular values are the weights'. */
	const Attn *a = &m->lm->block[1].attn;
	double down = square_sum(a->W_DKV, r.r), up = square_sum(a->W_UKV, ten_rows(a->W_UKV));
	assert_true(fabs(float_sum(r.down, r.r, true) - down) < 1e-4 * down);
	assert_true(fabs(float_sum(r.up, r.r, true) - up) < 1e-4 * up);
	for (int h = 0; h < r.H; h++)
		assert_true(fabs(float_sum(r.heads + h * r.r, r.r, false) - 1) < 1e-5);
	latent_done(&r);
	assert_false(latent_report(s, 99, &r, &e));
	assert_int_equal(e.code, E_9002);
	lathe_session_free(s);
	lathe_close(m);
}

static void entropy_check(const Seen *scores, const Seen *entropy)
{
	for (int t = 0; t < scores->rows; t++) {
		double h = 0, sum = float_sum(scores->v + t * scores->cols, scores->cols, false);
		for (int e = 0; e < scores->cols; e++) {
			double p = (double)scores->v[t * scores->cols + e] / sum;
			h -= p > 0 ? p * log(p) : 0;
		}
		assert_true(fabs(h - (double)entropy->v[t]) < 1e-4);
	}
}

static void norms_check(const Seen *routed, const Seen *shared, const Seen *norms)
{
	assert_int_equal(norms->cols, 3);
	for (int t = 0; t < routed->rows; t++) {
		const float *a = routed->v + t * routed->cols, *b = shared->v + t * shared->cols;
		double both = 0;
		for (int i = 0; i < routed->cols; i++)
			both += ((double)a[i] + (double)b[i]) * ((double)a[i] + (double)b[i]);
		assert_true(fabs(sqrt(float_sum(a, routed->cols, true)) - (double)norms->v[t * 3]) < 1e-4);
		assert_true(
			fabs(sqrt(float_sum(b, shared->cols, true)) - (double)norms->v[t * 3 + 1]) < 1e-4);
		assert_true(fabs(sqrt(both) - (double)norms->v[t * 3 + 2]) < 1e-4);
	}
}

TEST(look_gate_by_products)
{
	enum { SCORES, ENTROPY, ROUTED, SHARED, NORMS, FREE, BIASED, N };
	static Seen s[N] = { { .name = "layers.2.moe.scores" }, { .name = "layers.2.moe.entropy" },
		{ .name = "layers.2.moe.routed_out" }, { .name = "layers.2.moe.shared_out" },
		{ .name = "layers.2.moe.norms" }, { .name = "layers.2.moe.topk_unbiased" },
		{ .name = "layers.2.moe.topk" } };
	Sight sight = { s, N };
	LatheModel *m = open_model();
	lathe_session_free(session_on(m, &sight));
	assert_int_equal(s[SCORES].rows, TOKENS);
	entropy_check(&s[SCORES], &s[ENTROPY]);
	norms_check(&s[ROUTED], &s[SHARED], &s[NORMS]);
	/* Without bias is what it says: the same as with one that is zero. */
	Ten *bias = m->lm->block[2].moe.bias;
	assert_non_null(bias);
	assert_int_equal(s[FREE].rows, TOKENS);
	real keep[1024];
	size_t bytes = sizeof *keep * (size_t)ten_count(bias);
	memcpy(keep, bias->data, bytes);
	memset(bias->data, 0, bytes);
	Sight again = { &s[BIASED], 1 };
	lathe_session_free(session_on(m, &again));
	memcpy(bias->data, keep, bytes);
	assert_memory_equal(s[FREE].k, s[BIASED].k, sizeof(int32_t) * (size_t)(s[FREE].rows * s[FREE].cols));
	lathe_close(m);
}

/* Told by itself when it is watched, and not otherwise. */
TEST(look_tells_what_is_watched)
{
	Err e = { 0 };
	int32_t id[TOKENS];
	ids_make(id, TOKENS);
	const char *watch[] = { "layers.1.latent.*", "engine.forms", NULL };
	for (int i = 0; i < 2; i++) {
		OnceOptions o = {
			.threads = 1, .n = 4, .ids = id, .n_ids = TOKENS, .watch = i ? watch : NULL
		};
		Once *x = once_run(unit_src(model_path), &o, &e);
		if (!x)
			fail_msg("%s", e.text);
		const Store *s = once_store(x);
		assert_int_equal(store_last(s, "layers.1.latent.energy") != NULL, i);
		assert_int_equal(store_last(s, "layers.1.latent.heads") != NULL, i);
		assert_int_equal(store_last(s, "layers.1.latent.W_UKV") != NULL, i);
		assert_null(store_last(s, "layers.2.latent.energy"));
		assert_int_equal(store_last(s, "engine.forms") != NULL, i);
		if (i)
			assert_non_null(strstr(store_last(s, "engine.forms")->data, "\"layers\":["));
		once_free(x);
	}
}

static bool order(Jobs *j, const char *text, Err *e)
{
	Buf b = BUF_INIT;
	Jout out;
	jout_init(&out, &b);
	jout_obj(&out);
	json_t *c = json_loads(text, 0, NULL);
	assert_non_null(c);
	*e = (Err){ 0 };
	bool ok = orders_run(j, 0, c, &out, e);
	json_decref(c);
	buf_done(&b);
	while (ok && run_wants(&j->run))
		run_advance(j);
	return ok;
}

TEST(look_reads_the_text_again)
{
	Jobs j;
	Err e = { 0 };
	Bus *bus = bus_new(KEEP);
	assert_true(jobs_init(&j, bus, "look") && jobs_load(&j, unit_src(model_path), &e));
	assert_false(order(&j, "{\"cmd\":\"look\",\"patterns\":[\"layers.1.attn.probs\"]}", &e));
	assert_int_equal(e.code, E_9002);
	assert_true(order(&j, "{\"cmd\":\"prompt\",\"ids\":[5,42,7,9,11,13],\"n\":5}", &e));
	const Store *s = bus_store(bus);
	assert_null(store_last(s, "layers.1.attn.probs"));
	assert_true(order(&j,
		"{\"cmd\":\"look\",\"patterns\":[\"layers.1.attn.probs\",\"layers.0.latent.energy\",\"engine."
		"forms\"]}",
		&e));
	const Sample *x = store_last(s, "layers.1.attn.probs");
	assert_non_null(x);
	int H = j.model->lm->block[1].attn.H, n = 11;
	assert_int_equal(x->step, 0);
	assert_int_equal(x->shape[0], n * H);
	assert_int_equal(x->shape[1], n);
	for (int r = 0; r < n * H; r++) {
		double sum = 0;
		for (int k = 0; k < n; k++)
			sum += sample_num(x, (size_t)(r * n + k));
		assert_true(fabs(sum - 1) < 1e-4);
	}
	assert_non_null(store_last(s, "layers.0.latent.energy"));
	assert_non_null(store_last(s, "engine.forms"));
	/* Nothing stays watched, nothing else was told a second time. */
	assert_int_equal(hooks_count(j.hooks), 0);
	assert_int_equal(store_count(s, "layers.1.attn.probs"), 1);
	assert_int_equal(store_count(s, "gen.token"), n);
	static const char *const wrong[] = { "{\"cmd\":\"look\"}", "{\"cmd\":\"look\",\"patterns\":[]}",
		"{\"cmd\":\"look\",\"patterns\":[7]}", "{\"cmd\":\"look\",\"patterns\":[\"a..b{\"]}",
		"{\"cmd\":\"look\",\"patterns\":\"x\"}" };
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		assert_false(order(&j, wrong[i], &e));
	jobs_done(&j);
	bus_free(bus);
}
