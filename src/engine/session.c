/* session.c - one text over a model: prefill in chunks, then one forward per step, with MTP drafts
 * verified in the same forward. */
#include "engine/engine.h"
#include "base/clock.h"
#include "num/topk.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 512 };

static int64_t session_limit(const LatheSession *s)
{
	return s->m->lm->c.max_position_embeddings;
}

static bool session_room(LatheSession *s, int64_t n, Err *e)
{
	if (n <= s->cap)
		return true;
	int64_t cap = s->cap ? s->cap : 256;
	while (cap < n)
		cap *= 2;
	int32_t *to = realloc(s->id, sizeof *to * (size_t)cap);
	if (!to)
		return err_set(e, E_5001, "out of memory for %lld tokens", (long long)cap);
	s->id = to;
	s->cap = cap;
	return true;
}

/* What the text will hold once it has n positions, against the limit the user gave. */
static bool session_fits(const LatheSession *s, int64_t n, Err *e)
{
	if (!s->m->memory_limit)
		return true;
	LmForecast f = lm_forecast(s->m->lm, n, 1, session_cache_dtype(&s->o));
	int64_t need = f.weights + f.cache + f.work;
	if (need <= (int64_t)s->m->memory_limit)
		return true;
	return err_set(e, E_5002,
		"a context of %lld tokens needs %.1f MiB (weights %.1f, cache %.1f), the limit is %.1f MiB; "
		"shorten it or raise --memory-limit",
		(long long)n, (double)need / 1048576, (double)f.weights / 1048576, (double)f.cache / 1048576,
		(double)s->m->memory_limit / 1048576);
}

static bool session_setup(LatheSession *s, Err *e)
{
	Lm *lm = s->m->lm;
	Sampling how = session_sampling(s->m, &s->o);
	if (s->o.mtp != LATHE_MTP_OFF)
		s->n_modules = lm->n_mtp > DRAFT_MAX ? DRAFT_MAX : lm->n_mtp;
	int64_t reserve = s->o.context ? s->o.context : 256;
	s->logits = malloc(sizeof *s->logits * (size_t)lm->c.vocab_size);
	if (!s->logits)
		return err_set(e, E_5001, "out of memory for logits");
	return session_fits(s, reserve < 256 ? reserve : 1, e) &&
		(s->kv = lm_kv(lm, 1, reserve, session_cache_dtype(&s->o), e)) &&
		sampler_init(&s->sampler, &how, (int)lm->c.vocab_size, e);
}

LatheSession *lathe_session_new(LatheModel *m, const LatheSessionOptions *o, LatheError *error)
{
	static const LatheSessionOptions none;
	Err e = { 0 };
	LatheSession *s = calloc(1, sizeof *s);
	if (!s) {
		err_set(&e, E_5001, "out of memory");
		engine_error(&e, error);
		return NULL;
	}
	s->m = m;
	s->o = o ? *o : none;
	s->refused = -1;
	if (session_options_check(s->m, &s->o, &e) && session_setup(s, &e))
		return s;
	engine_error(&e, error);
	lathe_session_free(s);
	return NULL;
}

void lathe_session_free(LatheSession *s)
{
	if (!s)
		return;
	draft_done(s);
	sampler_done(&s->sampler);
	kv_free(s->kv);
	free(s->logits);
	free(s->record);
	free(s->id);
	free(s);
}

/* Keeps what the prompt's own tokens looked like: logits row i speaks of position at + i + 1. */
static bool record_given(LatheSession *s, const Ten *logits, int64_t at, int64_t n, Err *e)
{
	if (s->o.alternatives == 0)
		return true;
	LatheToken *to = realloc(s->record, sizeof *to * (size_t)(at + n + 1));
	if (!to)
		return err_set(e, E_5001, "out of memory for the prompt's record");
	s->record = to;
	for (int64_t i = 0; i < n && at + i + 1 < s->n; i++)
		token_facts(s->m, &s->o, ten_real(logits) + i * logits->stride, s->id[at + i + 1], at + i + 1,
			&to[at + i + 1]);
	s->n_record = at + n + 1 < s->n ? at + n + 1 : s->n;
	return true;
}

/* One forward over positions [at, at + n): logits of the rows from `first` on, in the step arena; hidden
 * rows kept for MTP. */
static const Ten *session_forward(LatheSession *s, const int32_t *id, int64_t at, int n, int first,
	AttnForm form, Ten **final, Err *e)
{
	LatheModel *m = s->m;
	tape_reset(m->tape);
	int32_t *pos = tape_alloc(m->tape, sizeof *pos * (size_t)n * 2), *wanted = pos ? pos + n : NULL;
	for (int i = 0; pos && i < n; i++) {
		pos[i] = (int32_t)(at + i);
		wanted[i] = first + i;
	}
	Seq seq = { .row0 = 0, .rows = n };
	int slot = 0;
	Batch b = { n, id, pos, 1, &seq, &slot };
	Run r = { m->lm, s->kv, &b, form };
	m->probe_position = at;
	*final = lm_hidden(m->tape, &r);
	m->probe_position = at + first;
	Ten *logits = lm_logits(m->tape, &r, *final, wanted, n - first);
	s->stats.forwards++;
	return tape_ok(m->tape, e) ? logits : NULL;
}

static AttnForm form_of(const LatheSession *s, bool prompt)
{
	if (s->o.attention == LATHE_ATTENTION_AUTO)
		return prompt ? FORM_NAIVE : FORM_ABSORBED;
	return s->o.attention == LATHE_ATTENTION_NAIVE ? FORM_NAIVE : FORM_ABSORBED;
}

static bool keep_logits(LatheSession *s, const Ten *logits, int64_t row, Err *e)
{
	memcpy(s->logits, ten_real(logits) + row * logits->stride, sizeof *s->logits * (size_t)s->sampler.vocab);
	s->have_logits = token_finite(s->m, s->logits, s->done, e);
	return s->have_logits;
}

/* Processes given tokens [done, n) in chunks; a text does not depend on how it is cut, but for rounding in
 * naive form. */
static bool session_prefill(LatheSession *s, Err *e)
{
	double start = clock_now();
	int chunk = s->o.chunk > 0 ? s->o.chunk : CHUNK;
	while (s->done < s->n) {
		int n = s->n - s->done < chunk ? (int)(s->n - s->done) : chunk;
		int first = s->o.alternatives > 0 ? 0 : n - 1;
		Ten *final;
		const Ten *logits = session_forward(s, s->id + s->done, s->done, n, first, form_of(s, true),
			&final, e);
		if (!logits || !record_given(s, logits, s->done + first, n - first, e) ||
		    !draft_keep(s, 0, s->done, ten_real(final), n, e))
			return false;
		s->done += n;
		if (!keep_logits(s, logits, n - 1 - first, e))
			return false;
	}
	s->stats.prefill_seconds += clock_now() - start;
	return true;
}

bool lathe_session_feed(LatheSession *s, const int32_t *ids, size_t n, LatheError *error)
{
	Err e = { 0 };
	int64_t total = s->n + (int64_t)n;
	if (n == 0)
		return true;
	s->queue_at = s->queue_n = 0;
	if (total > session_limit(s))
		err_set(&e, E_5002, "the text has %lld tokens, the model's context is %lld", (long long)total,
			(long long)session_limit(s));
	else if (session_fits(s, total, &e) && session_room(s, total, &e)) {
		memcpy(s->id + s->n, ids, sizeof *ids * n);
		s->n = total;
		s->stats.prompt_tokens += (int64_t)n;
		s->ended = false;
		s->refused = -1;
		s->have_logits = false;
		if (session_prefill(s, &e)) {
			s->given = s->n;
			return true;
		}
		s->n = s->done;
	}
	engine_error(&e, error);
	return false;
}

/* Accepts drafts while they are what the model itself chooses; row a of the logits then speaks of the
 * token after them. */
static bool session_verify(LatheSession *s, const Ten *logits, Err *e)
{
	int a = 0;
	s->refused = -1;
	for (; a < s->n_draft; a++) {
		const real *row = ten_real(logits) + a * logits->stride;
		if (!token_finite(s->m, row, s->n, e))
			return false;
		int32_t own = sampler_pick(&s->sampler, row, s->n);
		if (own != s->draft[a]) {
			s->refused = s->draft[a];
			break;
		}
		LatheToken *t = &s->queue[s->queue_n++];
		token_facts(s->m, &s->o, row, own, s->n, t);
		t->draft = LATHE_DRAFT_ACCEPTED;
		t->drafted_id = own;
		s->id[s->n++] = own;
		if (token_is_eos(s->m, &s->o, own)) {
			a++;
			s->ended = true;
			break;
		}
	}
	s->stats.drafted += s->n_draft;
	s->stats.accepted += a;
	return true;
}

/* Processes the one chosen token that the model has not seen, and with it the drafts for what may follow. */
static bool session_step(LatheSession *s, Err *e)
{
	int64_t at = s->done;
	s->n_draft = 0;
	s->queue_at = s->queue_n = 0;
	if (s->n_modules && !draft_paying(s))
		s->n_modules = 0;
	if (s->n_modules && s->n + s->n_modules < session_limit(s) && !draft_run(s, e))
		return false;
	int32_t id[DRAFT_MAX + 1] = { s->id[at] };
	memcpy(id + 1, s->draft, sizeof *id * (size_t)s->n_draft);
	Ten *final;
	const Ten *logits = session_forward(s, id, at, 1 + s->n_draft, 0, form_of(s, false), &final, e);
	if (!logits || !session_room(s, s->n + s->n_draft + 1, e) || !session_verify(s, logits, e))
		return false;
	int kept = (int)(s->n - at);
	s->done = s->n;
	for (int l = 0; l < s->m->lm->n_layers; l++)
		kv_truncate(s->kv, l, 0, s->done);
	return draft_keep(s, 0, at, ten_real(final), kept, e) && keep_logits(s, logits, kept - 1, e);
}

static int session_emit(LatheSession *s, LatheToken *t, Err *e)
{
	int64_t position = s->n;
	if (position >= session_limit(s)) {
		s->ended = true;
		return 0;
	}
	if (!session_room(s, position + 1, e) || !session_fits(s, position + 1, e))
		return -1;
	int32_t id = sampler_pick(&s->sampler, s->logits, position);
	token_facts(s->m, &s->o, s->logits, id, position, t);
	if (s->refused >= 0) {
		t->draft = LATHE_DRAFT_REJECTED;
		t->drafted_id = s->refused;
		s->refused = -1;
	}
	s->id[s->n++] = id;
	s->have_logits = false;
	s->ended = token_is_eos(s->m, &s->o, id);
	return 1;
}

int lathe_session_next(LatheSession *s, LatheToken *t, LatheError *error)
{
	Err e = { 0 };
	double start = clock_now();
	int got = -1;
	if (s->queue_at == s->queue_n && s->n == 0)
		err_set(&e, E_2003, "the text is empty; give a prompt first");
	else if (s->queue_at == s->queue_n && !s->ended && !s->have_logits && !session_step(s, &e))
		got = -1;
	else if (s->queue_at < s->queue_n) {
		*t = s->queue[s->queue_at++];
		got = 1;
	} else
		got = s->ended ? 0 : session_emit(s, t, &e);
	s->stats.decode_seconds += clock_now() - start;
	if (got == 1)
		s->stats.generated++;
	else if (got < 0)
		engine_error(&e, error);
	return got;
}

bool lathe_session_at_eos(const LatheSession *s)
{
	return s->queue_at == s->queue_n && s->n > s->given && token_is_eos(s->m, &s->o, s->id[s->n - 1]);
}

size_t lathe_session_text(const LatheSession *s, const int32_t **ids)
{
	*ids = s->id;
	return (size_t)s->n;
}

void lathe_session_stats(const LatheSession *s, LatheStats *out)
{
	*out = s->stats;
	out->kv_bytes = kv_bytes_used(s->kv);
	out->kv_allocated = kv_bytes_held(s->kv);
}

bool lathe_session_prompt_token(const LatheSession *s, int64_t position, LatheToken *t)
{
	if (position < 1 || position >= s->n_record || position >= s->given)
		return false;
	*t = s->record[position];
	return true;
}

bool lathe_session_set_attention(LatheSession *s, LatheAttention a)
{
	bool mla = config_attention(&s->m->lm->c) == ATTN_MLA;
	if (a != LATHE_ATTENTION_AUTO && a != LATHE_ATTENTION_NAIVE && !(a == LATHE_ATTENTION_ABSORBED && mla))
		return false;
	s->o.attention = a;
	return true;
}

bool lathe_session_set_sampling(LatheSession *s, double temperature, double top_p, int top_k, double min_p)
{
	LatheSessionOptions old = s->o;
	Err e = { 0 };
	s->o.temperature = temperature;
	s->o.top_p = top_p;
	s->o.top_k = top_k;
	s->o.min_p = min_p;
	if (!session_options_check(s->m, &s->o, &e)) {
		s->o = old;
		return false;
	}
	s->sampler.how.temperature = temperature;
	s->sampler.how.top_p = top_p;
	s->sampler.how.top_k = top_k;
	s->sampler.how.min_p = min_p;
	return true;
}
