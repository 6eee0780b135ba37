/* stream_report.c - summaries of a Store. Its texts come from strangers: all of them go through safe_text. */
#include "cli/stream_report.h"
#include "base/utf8.h"
#include <stdio.h>
#include <string.h>

json_t *stream_json(const Store *s, const char *topic)
{
	const Sample *x = store_last(s, topic);
	return x && x->kind == SAMPLE_TEXT ? json_parse(x->data, x->bytes, topic, E_3181, NULL) : NULL;
}

/* Texts of gen.token, given or made, in order. */
static void token_text(const Store *s, bool given, Buf *out)
{
	size_t n = store_count(s, "gen.token");
	for (size_t i = 0; i < n; i++) {
		const Sample *x = store_at(s, "gen.token", i);
		json_t *t = x->kind == SAMPLE_TEXT ? json_parse(x->data, x->bytes, "gen.token", E_3181, NULL)
						   : NULL;
		const char *text = json_string_value(json_object_get(t, "text"));
		if (text && json_is_true(json_object_get(t, "given")) == given)
			buf_adds(out, text);
		json_decref(t);
	}
}

static size_t all_samples(const Store *s)
{
	size_t n = 0;
	const Sample *x;
	for (uint64_t at = 0; (at = store_next(s, at, &x)) != 0;)
		n++;
	return n;
}

/* Of one topic over all texts, which store_count does not show. */
static size_t topic_samples(const Store *s, const char *topic, const Sample **last)
{
	size_t n = 0;
	const Sample *x;
	*last = NULL;
	for (uint64_t at = 0; (at = store_next(s, at, &x)) != 0;)
		if (strcmp(x->topic, topic) == 0) {
			n++;
			*last = x;
		}
	return n;
}

static void put_shape(Buf *b, const Sample *x)
{
	if (x->kind == SAMPLE_TEXT) {
		buf_adds(b, "text");
		return;
	}
	buf_printf(b, "%s [", dtype_name(x->dtype));
	for (int i = 0; i < x->rank; i++)
		buf_printf(b, "%s%u", i ? ", " : "", x->shape[i]);
	buf_addc(b, ']');
}

static void put_topics(const Store *s, Buf *out)
{
	buf_printf(out, "%-36s %9s  %s\n", "topic", "samples", "newest");
	for (size_t i = 0; i < store_topics(s); i++) {
		const Sample *last;
		size_t n = topic_samples(s, store_topic(s, i), &last);
		buf_printf(out, "%-36s %9zu  ", store_topic(s, i), n);
		if (last)
			put_shape(out, last);
		buf_addc(out, '\n');
	}
}

static void put_field(Buf *out, const char *label, const json_t *o, const char *key)
{
	const char *v = json_string_value(json_object_get(o, key));
	if (!v || !v[0])
		return;
	buf_printf(out, "%s", label);
	safe_text(out, v, strlen(v), 0);
	buf_addc(out, '\n');
}

static void put_text(const Store *s, const char *label, bool given, Buf *out)
{
	Buf b = BUF_INIT;
	token_text(s, given, &b);
	if (b.len > 0) {
		buf_printf(out, "\n%s\n", label);
		safe_text(out, b.s, b.len, SAFE_LF | SAFE_TAB);
		buf_addc(out, '\n');
	}
	buf_done(&b);
}

void stream_report(const Store *s, const char *title, bool torn, Buf *out)
{
	const Sample *run;
	safe_text(out, title, strlen(title), 0);
	size_t texts = topic_samples(s, STORE_RUN, &run);
	buf_printf(out, ": %.1f s, %zu samples of %zu topics, %zu %s%s\n", store_end(s) - store_begin(s),
		all_samples(s), store_topics(s), texts, texts == 1 ? "text" : "texts",
		torn ? "; its last frame is cut and was dropped" : "");
	json_t *card = stream_json(s, "model.card"), *status = stream_json(s, "engine.status");
	put_field(out, "model    ", card, "name");
	put_field(out, "type     ", card, "model_type");
	put_field(out, "state    ", status, "state");
	put_field(out, "finish   ", status, "finish");
	put_field(out, "message  ", status, "message");
	json_decref(card);
	json_decref(status);
	buf_addc(out, '\n');
	put_topics(s, out);
	put_text(s, "given", true, out);
	put_text(s, "generated", false, out);
}

static void put_json_text(const Store *s, const char *key, bool given, Jout *j)
{
	Buf b = BUF_INIT;
	token_text(s, given, &b);
	jout_key(j, key);
	jout_strn(j, buf_str(&b), b.len);
	buf_done(&b);
}

void stream_report_json(const Store *s, bool torn, Jout *j)
{
	const Sample *last;
	jout_knum(j, "seconds", store_end(s) - store_begin(s));
	jout_kint(j, "samples", (int64_t)all_samples(s));
	jout_kint(j, "texts", (int64_t)topic_samples(s, STORE_RUN, &last));
	jout_kbool(j, "torn", torn);
	put_json_text(s, "given", true, j);
	put_json_text(s, "generated", false, j);
	jout_key(j, "topics");
	jout_arr(j);
	for (size_t i = 0; i < store_topics(s); i++) {
		jout_obj(j);
		jout_kstr(j, "name", store_topic(s, i));
		jout_kint(j, "samples", (int64_t)topic_samples(s, store_topic(s, i), &last));
		jout_end_obj(j);
	}
	jout_end_arr(j);
}
