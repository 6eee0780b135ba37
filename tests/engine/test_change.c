/* test_change.c - interventions: what each does, that nothing else changes, that undoing gives the untouched bits, and that a view leaves
 * its base alone. */
#include "tests/unit.h"
#include "engine/change.h"
#include "engine/engine.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { T = 24 };

static LatheModel *open_model(const char *rel)
{
	LatheError e = { 0 };
	LatheModel *m = lathe_open(unit_src(rel), &(LatheOpenOptions){ .threads = 1 }, &e);
	if (!m)
		fail_msg("%s", e.text);
	return m;
}

typedef struct Seen { float x[1 << 16]; int32_t k[1 << 12]; int64_t rows, cols; } Seen;

static void see(const LatheProbe *p, void *ud)
{
	Seen *s = ud;
	s->rows = p->shape[0];
	s->cols = p->rank > 1 ? p->shape[1] : 1;
	size_t n = (size_t)(s->rows * s->cols);
	assert_true(n <= sizeof s->x / sizeof s->x[0]);
	if (p->ints)
		memcpy(s->k, p->ints, n * sizeof *s->k);
	else
		memcpy(s->x, p->data, n * sizeof *s->x);
}

/* One forward of T tokens; s gets the value `name`. */
static void look(LatheModel *m, const char *name, Seen *s)
{
	LatheError e = { 0 };
	int32_t id[T];
	for (int i = 0; i < T; i++)
		id[i] = (i * 37 + 5) % 90 + 2;
	memset(s, 0, sizeof *s);
	int hook = lathe_watch(m, name, see, s);
	LatheSessionOptions o = { .alternatives = 1, .mtp = LATHE_MTP_OFF };
	LatheSession *text = lathe_session_new(m, &o, &e);
	if (!text || !lathe_session_feed(text, id, T, &e))
		fail_msg("%s", e.text);
	lathe_session_free(text);
	lathe_unwatch(m, hook);
	assert_true(s->rows > 0);
}

static Changes *put(LatheModel *m, const char *text)
{
	Err e = { 0 };
	Change c;
	if (!change_parse(text, &c, &e))
		fail_msg("%s", e.text);
	Changes *s = changes_apply(m, &c, 1, &e);
	if (!s)
		fail_msg("%s", e.text);
	return s;
}

static bool chosen(const Seen *s, int expert)
{
	for (int64_t i = 0; i < s->rows * s->cols; i++)
		if (s->k[i] == expert)
			return true;
	return false;
}

static const char *const models[] = { "tests/data/models/v3", "tests/data/models/v2", "tests/data/models/v3-odd" };

/* The first layer with experts, and an expert that is chosen in it. */
static int some_expert(LatheModel *m, int *layer, Seen *s)
{
	char name[64];
	for (*layer = 0; !m->lm->block[*layer].is_moe; ++*layer)
		;
	snprintf(name, sizeof name, "layers.%d.moe.topk", *layer);
	look(m, name, s);
	return s->k[0];
}

TEST(ban_removes_force_adds_and_undo_gives_the_same_bits)
{
	Seen *s = malloc(sizeof *s), *before = malloc(sizeof *s), *after = malloc(sizeof *s);
	for (int i = 0; i < 3; i++) {
		LatheModel *m = open_model(models[i]);
		int layer, expert = some_expert(m, &layer, s);
		char name[64], text[64];
		snprintf(name, sizeof name, "layers.%d.moe.topk", layer);
		look(m, "logits", before);
		snprintf(text, sizeof text, "ban %d %d", layer, expert);
		Changes *c = put(m, text);
		look(m, name, s);
		assert_false(chosen(s, expert));
		look(m, "logits", after);
		assert_memory_not_equal(before->x, after->x, sizeof(float) * (size_t)(after->rows * after->cols));
		changes_undo(c);
		look(m, "logits", after);
		assert_memory_equal(before->x, after->x, sizeof before->x);
		snprintf(text, sizeof text, "force %d %d", layer, expert);
		c = put(m, text);
		look(m, name, s);
		for (int64_t r = 0; r < s->rows; r++) {
			bool there = false;
			for (int64_t k = 0; k < s->cols; k++)
				there |= s->k[r * s->cols + k] == expert;
			assert_true(there);
		}
		changes_undo(c);
		look(m, "logits", after);
		assert_memory_equal(before->x, after->x, sizeof before->x);
		lathe_close(m);
	}
	free(s);
	free(before);
	free(after);
}

TEST(rules_act_on_the_choice)
{
	LatheModel *m = open_model("tests/data/models/v3");
	Seen *s = malloc(sizeof *s), *w = malloc(sizeof *w);
	int layer;
	some_expert(m, &layer, s);
	char name[64];
	const RouteRule *rule = &m->lm->block[layer].moe.rule;
	snprintf(name, sizeof name, "layers.%d.moe.topk", layer);
	Changes *c = put(m, "k 1");
	look(m, name, s);
	assert_int_equal(s->cols, 1);
	changes_undo(c);
	if (rule->n_group > 1) {
		c = put(m, "groups 1");
		look(m, name, s);
		int size = rule->E / rule->n_group;
		for (int64_t r = 0; r < s->rows; r++)
			for (int64_t k = 1; k < s->cols; k++)
				assert_int_equal(s->k[r * s->cols + k] / size, s->k[r * s->cols] / size);
		changes_undo(c);
	}
	snprintf(name, sizeof name, "layers.%d.moe.weights", layer);
	look(m, name, w);
	c = put(m, "route_scale 7");
	assert_true(rule->scale == 7);
	look(m, name, s);
	changes_undo(c);
	for (int64_t r = 0; r < s->rows; r++)
		for (int64_t k = 0; k < s->cols; k++)
			assert_close(s->x[r * s->cols + k] / w->x[r * s->cols + k], 7 / rule->scale, 1e-4, 0);
	c = put(m, "bias off");
	snprintf(name, sizeof name, "layers.%d.moe.bias", layer);
	look(m, name, s);
	for (int64_t i = 0; i < s->rows * s->cols; i++)
		assert_true(s->x[i] == 0);
	changes_undo(c);
	free(s);
	free(w);
	lathe_close(m);
}

TEST(a_scaled_expert_and_an_ablated_head)
{
	LatheModel *m = open_model("tests/data/models/v3");
	Seen *s = malloc(sizeof *s), *w = malloc(sizeof *w), *k = malloc(sizeof *k);
	int layer, expert = some_expert(m, &layer, k);
	char name[64], text[64];
	snprintf(name, sizeof name, "layers.%d.moe.weights", layer);
	look(m, name, w);
	snprintf(text, sizeof text, "scale %d %d 0.5", layer, expert);
	Changes *c = put(m, text);
	look(m, name, s);
	changes_undo(c);
	for (int64_t i = 0; i < s->rows * s->cols; i++)
		assert_true(s->x[i] == w->x[i] * (k->k[i] == expert ? 0.5f : 1.0f));
	look(m, "layers.1.attn.heads", w);
	c = put(m, "ablate 1 1");
	look(m, "layers.1.attn.heads", s);
	changes_undo(c);
	int d = m->lm->block[1].attn.d_v;
	for (int64_t r = 0; r < s->rows; r++)
		for (int64_t i = 0; i < s->cols; i++)
			assert_true(s->x[r * s->cols + i] == (i / d == 1 ? 0 : w->x[r * s->cols + i]));
	free(s);
	free(w);
	free(k);
	lathe_close(m);
}

TEST(values_are_patched_by_position_and_steered)
{
	LatheModel *m = open_model("tests/data/models/v3");
	Seen *s = malloc(sizeof *s), *w = malloc(sizeof *w);
	Err e = { 0 };
	look(m, "layers.1.resid_post", w);
	int64_t h = w->cols;
	real *data = malloc(sizeof *data * (size_t)(3 * h));
	for (int64_t i = 0; i < 3 * h; i++)
		data[i] = (real)i / 10;
	Change c[] = { { .kind = CHANGE_PATCH, .name = "layers.1.resid_post", .data = data, .rows = 3, .cols = h } };
	Changes *set = changes_apply(m, c, 1, &e);
	look(m, "layers.1.resid_post", s);
	for (int64_t i = 0; i < T * h; i++)
		assert_true(s->x[i] == (i < 3 * h ? (float)data[i] : w->x[i]));
	changes_undo(set);
	c[0] = (Change){ .kind = CHANGE_STEER, .name = "layers.1.resid_post", .data = data, .rows = 1, .cols = h, .value = 2 };
	set = changes_apply(m, c, 1, &e);
	look(m, "layers.1.resid_post", s);
	for (int64_t i = 0; i < T * h; i++)
		assert_close(s->x[i], w->x[i] + 2 * (float)data[i % h], 1e-5, 0);
	changes_undo(set);
	look(m, "layers.1.resid_post", s);
	assert_memory_equal(s->x, w->x, sizeof s->x);
	free(data);
	free(s);
	free(w);
	lathe_close(m);
}

TEST(a_view_leaves_its_base_alone)
{
	LatheModel *m = open_model("tests/data/models/v3");
	Seen *s = malloc(sizeof *s), *w = malloc(sizeof *w);
	Err e = { 0 };
	look(m, "logits", w);
	LatheModel *v = model_view(m, &e);
	look(v, "logits", s);
	assert_memory_equal(s->x, w->x, sizeof s->x);
	Changes *c = put(v, "k 1");
	look(v, "logits", s);
	assert_memory_not_equal(s->x, w->x, sizeof s->x);
	look(m, "logits", s);
	assert_memory_equal(s->x, w->x, sizeof s->x);
	changes_undo(c);
	lathe_close(v);
	look(m, "logits", s);
	assert_memory_equal(s->x, w->x, sizeof s->x);
	free(s);
	free(w);
	lathe_close(m);
}

static void refused(LatheModel *m, const char *text, const char *words)
{
	Err e = { 0 };
	Change c;
	Changes *s = change_parse(text, &c, &e) ? changes_apply(m, &c, 1, &e) : NULL;
	assert_null(s);
	if (!strstr(e.text, words))
		fail_msg("%s: \"%s\" does not say \"%s\"", text, e.text, words);
}

TEST(changes_that_cannot_be_are_refused)
{
	LatheModel *m = open_model("tests/data/models/v3");
	refused(m, "ban 99 0", "there is no layer 99: the model has layers 0-");
	refused(m, "ban 0 0", "layer 0 has no experts");
	refused(m, "ban 2 9999", "has no expert 9999: they are 0-");
	refused(m, "ban 2", "the form is: ban LAYER EXPERT");
	refused(m, "ablate 1 77", "has no head 77");
	refused(m, "k 0", "0 experts per token cannot be chosen");
	refused(m, "k 1.5", "1.5 is not a count");
	refused(m, "groups 99", "99 groups cannot be kept");
	refused(m, "frobnicate 1", "known changes are");
	refused(m, "bias on", "the form is: bias off");
	Err e = { 0 };
	assert_false(model_probe_check(m, "layers.99.attn.out", &e));
	assert_non_null(strstr(e.text, "layers.99.attn.out: the model has layers 0-"));
	lathe_close(m);
}
