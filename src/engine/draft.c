/* draft.c - drafts from the MTP modules (V3 report 2.2 and 5.4.3; mtp.md 5).
 *
 * Module j turns the hidden state of position i and the token i+1+j into a guess at token i+2+j. Its cache
 * holds pairs of accepted tokens only; pairs made with drafts are computed again once the tokens are
 * known. Level 0 hidden states are the main model's after its final norm, level j+1 those of module j
 * after its own norm. */
#include "engine/engine.h"
#include <stdlib.h>
#include <string.h>

enum { DRAFT_CHUNK = 512, DRAFT_TRIAL = 64 };

void draft_done(LatheSession *s)
{
	for (int l = 0; l <= DRAFT_MAX; l++)
		free(s->hid[l].row);
}

/* A module that is right less than one time in seven costs more than it saves: auto stops using it after a
 * trial. */
bool draft_paying(const LatheSession *s)
{
	return s->o.mtp == LATHE_MTP_ON || s->stats.drafted < DRAFT_TRIAL ||
		s->stats.accepted * 7 >= s->stats.drafted;
}

/* Rows at positions [at, at+n) of a level; they follow or overwrite what is there. */
bool draft_keep(LatheSession *s, int level, int64_t at, const real *row, int64_t n, Err *e)
{
	if (!s->n_modules)
		return true;
	Hidden *h = &s->hid[level];
	int64_t w = s->m->lm->c.hidden_size;
	if (h->n == 0)
		h->from = at;
	int64_t need = at - h->from + n;
	if (need > h->cap) {
		int64_t cap = h->cap ? h->cap : 64;
		while (cap < need)
			cap *= 2;
		real *to = realloc(h->row, sizeof *to * (size_t)(cap * w));
		if (!to)
			return err_set(e, E_5001, "out of memory for hidden states of %lld tokens", (long long)cap);
		h->row = to;
		h->cap = cap;
	}
	memcpy(h->row + (at - h->from) * w, row, sizeof *row * (size_t)(n * w));
	h->n = need;
	return true;
}

/* Drops rows before `begin`, which no module will read again. */
static void draft_drop(LatheSession *s, int level, int64_t begin)
{
	Hidden *h = &s->hid[level];
	int64_t w = s->m->lm->c.hidden_size, gone = begin - h->from;
	if (gone <= 0 || h->n == 0)
		return;
	if (gone > h->n)
		gone = h->n;
	memmove(h->row, h->row + gone * w, sizeof *h->row * (size_t)((h->n - gone) * w));
	h->n -= gone;
	h->from += gone;
}

/* Drops rows from `end` on. */
static void draft_cut(LatheSession *s, int level, int64_t end)
{
	Hidden *h = &s->hid[level];
	if (h->from + h->n > end)
		h->n = end > h->from ? end - h->from : 0;
}

static int32_t draft_token(const LatheSession *s, int64_t position)
{
	return position < s->n ? s->id[position] : s->draft[position - s->n];
}

/* Runs module j over pairs [at, at+n); returns its output rows, and its logits for the last pair when
 * `logits`. */
static Ten *draft_forward(LatheSession *s, int j, int64_t at, int n, Ten **logits, Err *e)
{
	Tape *t = s->m->tape;
	tape_reset(t);
	int64_t w = s->m->lm->c.hidden_size;
	int32_t *id = tape_alloc(t, sizeof *id * (size_t)n * 2), *pos = id ? id + n : NULL;
	for (int i = 0; id && i < n; i++) {
		id[i] = draft_token(s, at + i + 1 + j);
		pos[i] = (int32_t)(at + i);
	}
	Seq seq = { .row0 = 0, .rows = n };
	int slot = 0;
	Batch b = { n, id, pos, 1, &seq, &slot };
	Run r = { s->m->lm, s->kv, &b, n > DRAFT_MAX ? FORM_NAIVE : FORM_ABSORBED };
	Ten *hid = tape_leaf(t,
		ten_wrap(REAL_DTYPE, s->hid[j].row + (at - s->hid[j].from) * w, 2, (int64_t[]){ n, w },
			"hidden"),
		false);
	s->m->probe_position = at;
	Ten *out = id ? mtp_hidden(t, &r, j, hid) : NULL;
	if (logits)
		*logits = mtp_logits(t, &r, j, out, (int32_t[]){ n - 1 }, 1);
	return tape_ok(t, e) ? out : NULL;
}

/* Brings module j up to pair `end - 1` and takes its guess there. */
static bool draft_module(LatheSession *s, int j, int64_t end, Err *e)
{
	int layer = s->m->lm->n_layers + j;
	for (int64_t at = kv_length(s->kv, layer, 0); at < end;) {
		int n = end - at < DRAFT_CHUNK ? (int)(end - at) : DRAFT_CHUNK;
		bool last = at + n == end;
		Ten *logits = NULL, *out = draft_forward(s, j, at, n, last ? &logits : NULL, e);
		if (!out || (j + 1 < s->n_modules && !draft_keep(s, j + 1, at, ten_real(out), n, e)))
			return false;
		if (last)
			s->draft[j] = sampler_pick(&s->sampler, ten_real(logits), s->n + j);
		at += n;
	}
	return true;
}

bool draft_run(LatheSession *s, Err *e)
{
	int64_t end = s->done; /* pairs [0, done): the hidden state of each processed position */
	s->n_draft = 0;
	for (int j = 0; j < s->n_modules; j++) {
		if (!draft_module(s, j, end, e))
			return false;
		s->n_draft = j + 1;
	}
	/* forget what was made with drafts; keep hidden states that a later pair will read */
	for (int j = 0; j < s->n_modules; j++) {
		int64_t known = end - j > 0 ? end - j : 0;
		kv_truncate(s->kv, s->m->lm->n_layers + j, 0, known);
		draft_drop(s, j, known);
		if (j + 1 < s->n_modules)
			draft_cut(s, j + 1, known);
	}
	return true;
}
