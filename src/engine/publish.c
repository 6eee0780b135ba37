/* publish.c - turns what the engine knows into samples. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "engine/publish.h"
#include "base/utf8.h"
#include "text/tok.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void publish_sample(Publish *p, Sample *s)
{
	s->time = bus_time(p->bus);
	bus_put(p->bus, s);
	if (p->record && !record_put(p->record, s, &p->record_error))
		publish_record_stop(p, NULL);
}

void publish_text(Publish *p, const char *topic, uint64_t step, const Buf *json)
{
	if (json->failed)
		return;
	Sample s = {
		.topic = topic, .kind = SAMPLE_TEXT, .step = step, .data = buf_str(json), .bytes = json->len
	};
	publish_sample(p, &s);
}

void publish_probe(Publish *p, const LatheProbe *x)
{
	Sample s = {
		.topic = x->name, .kind = SAMPLE_TENSOR, .dtype = x->ints ? DT_I32 : DT_F32, .rank = x->rank
	};
	uint64_t bytes = 4;
	s.step = x->position > 0 ? (uint64_t)x->position : 0;
	for (int i = 0; i < x->rank && i < SAMPLE_MAXRANK; i++) {
		if (x->shape[i] < 0 ||
			(x->shape[i] > 0 && bytes > PUBLISH_BYTES_MAX / (uint64_t)x->shape[i])) {
			p->too_large++;
			return;
		}
		bytes *= (uint64_t)x->shape[i];
		s.shape[i] = (uint32_t)x->shape[i];
	}
	s.bytes = (size_t)bytes;
	s.data = x->ints ? (const void *)x->ints : (const void *)x->data;
	if (s.data)
		publish_sample(p, &s);
}

bool publish_record(Publish *p, const char *path, Err *e)
{
	if (p->record)
		return err_set(e, E_9002, "recording to %s already; send record_stop first", p->record_path);
	char *name = strdup(path);
	Record *r = name ? record_create(path, e) : NULL;
	if (!r) {
		free(name);
		return err_set(e, E_5001, "record: out of memory");
	}
	const Store *s = bus_store(p->bus);
	const Sample *x;
	for (uint64_t at = 0; (at = store_next(s, at, &x)) != 0;)
		if (!record_put(r, x, e)) {
			free(name);
			record_close(r, NULL);
			return false;
		}
	p->record = r;
	p->record_path = name;
	err_clear(&p->record_error);
	publish_flush(p);
	return true;
}

bool publish_record_stop(Publish *p, Err *e)
{
	Record *r = p->record;
	if (!r)
		return true;
	p->record = NULL;
	free(p->record_path);
	p->record_path = NULL;
	return record_close(r, e);
}

void publish_flush(Publish *p)
{
	if (p->record && !record_flush(p->record, &p->record_error))
		publish_record_stop(p, NULL);
}

void piece_push(Piece *p, const LatheModel *m, int32_t id, Buf *out)
{
	size_t n = 0, from = out->len;
	char *bytes = lathe_token_bytes(m, id, &n);
	buf_add(out, p->held, p->n);
	if (bytes)
		buf_add(out, bytes, n);
	else
		buf_printf(out, "[%d]", (int)id);
	free(bytes);
	p->n = out->failed ? 0 : utf8_tail(out->s + from, out->len - from);
	if (p->n == 0)
		return;
	memcpy(p->held, out->s + out->len - p->n, p->n);
	out->len -= p->n;
	out->s[out->len] = '\0';
}

bool publish_alone(const LatheModel *m, int32_t id, Buf *out)
{
	size_t n = 0;
	char *bytes = lathe_token_bytes(m, id, &n);
	bool whole = !bytes || tok_alone(bytes, n, out);
	if (!bytes)
		buf_printf(out, "[%d]", (int)id);
	free(bytes);
	return whole;
}

static void put_token_text(Jout *j, const LatheModel *m, const char *key, int32_t id)
{
	Buf text = BUF_INIT;
	publish_alone(m, id, &text);
	jout_key(j, key);
	jout_strn(j, buf_str(&text), text.len);
	buf_done(&text);
}

/* gen.token's text is what it adds to the text; where that is another than what the token is, it is told too. */
static void put_alone(Jout *j, const LatheModel *m, int32_t id)
{
	Buf text = BUF_INIT;
	if (!publish_alone(m, id, &text)) {
		jout_key(j, "alone");
		jout_strn(j, buf_str(&text), text.len);
	}
	buf_done(&text);
}

static void put_alternatives(Jout *j, const LatheModel *m, const LatheToken *t)
{
	jout_key(j, "alternatives");
	jout_arr(j);
	for (int i = 0; i < t->n_alternatives && i < LATHE_ALTERNATIVES_MAX; i++) {
		jout_obj(j);
		jout_kint(j, "id", t->alternative[i]);
		put_token_text(j, m, "text", t->alternative[i]);
		jout_key(j, "p");
		jout_f32(j, expf(t->alternative_logprob[i]));
		jout_end_obj(j);
	}
	jout_end_arr(j);
}

static void put_number(Jout *j, const char *key, bool known, double v)
{
	jout_key(j, key);
	if (known)
		jout_f32(j, (float)v);
	else
		jout_null(j);
}

void publish_token(Publish *p, const LatheModel *m, const TokenNote *n)
{
	static const char *const draft[] = { "none", "accepted", "rejected" };
	const LatheToken *t = n->t;
	Buf b = BUF_INIT;
	Jout j;
	jout_init(&j, &b);
	jout_obj(&j);
	jout_kint(&j, "pos", t->position);
	jout_kint(&j, "id", t->id);
	jout_kstr(&j, "text", n->text);
	put_alone(&j, m, t->id);
	jout_kbool(&j, "given", n->given);
	put_number(&j, "logprob", n->known, t->logprob);
	put_number(&j, "entropy", n->known, t->entropy);
	if (n->known)
		put_alternatives(&j, m, t);
	jout_kstr(&j, "draft", n->given ? draft[0] : draft[t->draft]);
	if (!n->given && t->draft == LATHE_DRAFT_REJECTED && t->drafted_id >= 0) {
		jout_kint(&j, "drafted_id", t->drafted_id);
		put_token_text(&j, m, "drafted_text", t->drafted_id);
	}
	jout_end_obj(&j);
	publish_text(p, "gen.token", (uint64_t)t->position, &b);
	buf_done(&b);
}

int64_t publish_rss(void)
{
	long long pages = 0, skip;
	FILE *f = fopen("/proc/self/statm", "re");
	if (!f)
		return 0;
	if (fscanf(f, "%lld %lld", &skip, &pages) != 2)
		pages = 0;
	fclose(f);
	return (int64_t)pages * sysconf(_SC_PAGESIZE);
}

static void put_accepted(Jout *j, const StatsNote *n)
{
	jout_key(j, "accepted_by_position");
	jout_arr(j);
	for (int i = 0; i < n->n_accepted; i++)
		jout_int(j, n->accepted_at[i]);
	jout_end_arr(j);
}

void publish_stats(Publish *p, uint64_t step, const StatsNote *n)
{
	const LatheStats *s = &n->s;
	Buf b = BUF_INIT;
	Jout j;
	jout_init(&j, &b);
	jout_obj(&j);
	jout_kint(&j, "prompt_tokens", s->prompt_tokens);
	jout_kint(&j, "generated", s->generated);
	put_number(&j, "prefill_tok_per_s", s->prefill_seconds > 0,
		(double)s->prompt_tokens / s->prefill_seconds);
	put_number(&j, "decode_tok_per_s", n->decode_rate > 0, n->decode_rate);
	jout_kint(&j, "drafted", s->drafted);
	jout_kint(&j, "accepted", s->accepted);
	put_accepted(&j, n);
	jout_kint(&j, "forwards", s->forwards);
	jout_kint(&j, "kv_bytes", s->kv_bytes);
	jout_kint(&j, "kv_allocated", s->kv_allocated);
	jout_kint(&j, "rss_bytes", publish_rss());
	jout_kint(&j, "too_large", (int64_t)p->too_large);
	put_number(&j, "seconds", true, n->seconds);
	jout_end_obj(&j);
	publish_text(p, "gen.stats", step, &b);
	buf_done(&b);
	double kv[2] = { (double)s->kv_bytes, (double)s->kv_allocated };
	Sample x = { .topic = "kv.bytes",
		.kind = SAMPLE_TENSOR,
		.step = step,
		.dtype = DT_F64,
		.rank = 1,
		.shape = { 2 },
		.data = kv,
		.bytes = sizeof kv };
	publish_sample(p, &x);
}
