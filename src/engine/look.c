/* look.c - what viewers want of the text so far but nobody watched while it was made: values of the model
 * computed again, the spectra of the latent, the two forms of attention side by side. The last two are also
 * told, unasked, whenever the text comes to rest, as long as somebody watches them and they cost less than one
 * would notice. */
#include "base/glob.h"
#include "engine/engine.h"
#include "engine/jobs.h"
#include "engine/latent.h"
#include "engine/trace.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Tokens of the text's beginning that are read again; largest value that is sent; multiplications that go unnoticed. */
enum { LOOK_TOKENS = 1024, LOOK_BYTES = 4 << 20, LOOK_PATTERNS = 32 };
static const double look_unnoticed = 2e9;

static const char *const latent_topics[] = { "energy", "heads", "W_DKV", "W_UKV" };

static void tell_floats(Jobs *j, int layer, int which, const float *v, int rows, int cols, int64_t tokens)
{
	char topic[64];
	snprintf(topic, sizeof topic, "layers.%d.latent.%s", layer, latent_topics[which]);
	Sample s = { .topic = topic,
		.kind = SAMPLE_TENSOR,
		.dtype = DT_F32,
		.rank = rows ? 2 : 1,
		.step = (uint64_t)tokens,
		.data = v };
	s.shape[0] = (uint32_t)(rows ? rows : cols);
	s.shape[1] = (uint32_t)(rows ? cols : 0);
	s.bytes = sizeof *v * (size_t)cols * (size_t)(rows ? rows : 1);
	publish_sample(&j->publish, &s);
}

static bool latent_tell(Jobs *j, int layer, Err *e)
{
	LatentReport r;
	if (!latent_report(j->run.session, layer, &r, e))
		return false;
	const float *v[] = { r.energy, r.heads, r.down, r.up };
	for (int i = 0; i < 4; i++)
		tell_floats(j, layer, i, v[i], i == 1 ? r.H : 0, r.r, r.tokens);
	latent_done(&r);
	return true;
}

/* Is a topic of this layer's latent asked for: by one of the patterns, or by a viewer when there are none? */
static bool latent_wanted(const Jobs *j, int layer, const char *const *pattern, int n)
{
	for (int i = 0; i < 4; i++) {
		char topic[64];
		snprintf(topic, sizeof topic, "layers.%d.latent.%s", layer, latent_topics[i]);
		if (!pattern && hooks_want(j->hooks, topic))
			return true;
		for (int k = 0; k < n; k++)
			if (glob_match(pattern[k], topic))
				return true;
	}
	return false;
}

void look_idle(Jobs *j)
{
	Err e = { 0 };
	const int32_t *ids;
	if (!j->run.session || !j->model)
		return;
	for (int i = 0; i < (int)lathe_layers(j->model); i++)
		if (latent_wanted(j, i, NULL, 0)) {
			double work = latent_work(j->run.session, i);
			if (work > 0 && work < look_unnoticed)
				latent_tell(j, i, &e);
		}
	if (hooks_want(j->hooks, "engine.forms")) {
		double active = (double)config_params(&j->model->lm->c).active;
		if (2 * active * (double)lathe_session_text(j->run.session, &ids) < look_unnoticed)
			forms_tell(j, &e);
	}
	trace_idle(j);
}

/* --- values of the model, computed again --- */

static void look_see(const LatheProbe *p, void *ud)
{
	publish_probe(ud, p);
}

/* Rows of scores and probabilities are positions times heads: a chunk is as long as they may be large. */
static int look_chunk(const Jobs *j, size_t n)
{
	int64_t chunk = LOOK_BYTES / 4 / (j->model->lm->c.num_attention_heads * (int64_t)n);
	return (int)(chunk < 1 ? 1 : chunk > 512 ? 512 : chunk);
}

static bool look_again(Jobs *j, const char *const *pattern, int n_patterns, const int32_t *ids, size_t n, Err *e)
{
	int hook[LOOK_PATTERNS];
	LatheError le = { 0 };
	LatheSessionOptions o = {
		.mtp = LATHE_MTP_OFF, .attention = j->defaults.s.attention, .chunk = look_chunk(j, n)
	};
	hooks_model(j->hooks, NULL);  /* other values were told when they were made */
	for (int i = 0; i < n_patterns; i++)
		hook[i] = lathe_watch(j->model, pattern[i], look_see, &j->publish);
	LatheSession *s = lathe_session_new(j->model, &o, &le);
	bool ok = s && lathe_session_feed(s, ids, n, &le);
	for (int i = 0; i < n_patterns; i++)
		lathe_unwatch(j->model, hook[i]);
	lathe_session_free(s);
	hooks_model(j->hooks, j->model);
	return ok || jobs_error(e, &le);
}

static bool is_derived(const char *pattern)
{
	return strncmp(pattern, "engine.", 7) == 0 || strncmp(pattern, "lens.", 5) == 0 || strncmp(pattern, "diff.", 5) == 0 || strcmp(pattern, "fp8.about") == 0 || strncmp(pattern, "model.", 6) == 0 ||
	       strstr(pattern, ".latent.");
}

/* The patterns' strings; false when one is none. */
static bool look_patterns(const json_t *list, const char *all[LOOK_PATTERNS], int *n, Err *e)
{
	*n = 0;
	if (!json_is_array(list) || json_array_size(list) < 1 || json_array_size(list) > LOOK_PATTERNS)
		return err_set(e, E_3183, "look: \"patterns\" must be a list of 1 to %d probe names or patterns",
			LOOK_PATTERNS);
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *s = json_string_value(json_array_get(list, i));
		if (!s || !glob_valid(s))
			return err_set(e, E_2003,
				"look: \"%s\" is not a pattern such as layers.*.attn.probs; see lathe-probes(7)",
				s ? s : "");
		all[(*n)++] = s;
	}
	return true;
}

bool look_run(Jobs *j, const json_t *patterns, int64_t *tokens, Err *e)
{
	const char *all[LOOK_PATTERNS], *values[LOOK_PATTERNS];
	const int32_t *ids = NULL;
	int n_all, n_values = 0;
	bool forms = false, lens = false, diff = false, fp8 = false, ok = look_patterns(patterns, all, &n_all, e);
	size_t n = lathe_session_text(j->run.session, &ids);
	n = n > LOOK_TOKENS ? LOOK_TOKENS : n;
	*tokens = (int64_t)n;
	for (int i = 0; ok && i < n_all; i++) {
		forms |= glob_match(all[i], "engine.forms");
		lens |= glob_match(all[i], "lens.p") || glob_match(all[i], "lens.top");
		diff |= glob_match(all[i], "diff.about");
		fp8 |= glob_match(all[i], "fp8.about");
		if (!is_derived(all[i]))
			values[n_values++] = all[i];
	}
	if (!ok || n == 0)
		return ok;
	ok = n_values == 0 || look_again(j, values, n_values, ids, n, e);
	for (int i = 0; ok && i < (int)lathe_layers(j->model); i++)
		if (latent_wanted(j, i, all, n_all) && latent_work(j->run.session, i) > 0)
			ok = latent_tell(j, i, e);
	ok = ok && (!forms || forms_tell(j, e)) && (!lens || lens_run(j, e)) && (!diff || diff_run(j, e)) && (!fp8 || fp8_run(j, false, e));
	publish_flush(&j->publish);
	return ok;
}
