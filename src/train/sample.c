/* sample.c - what the model that is being trained writes by now: it goes on with held-out text, always taking the likeliest token, so that
 * two samples of one run differ by what was learned between them alone. */
#include "num/topk.h"
#include "text/tok.h"
#include "train/state.h"
#include <stdlib.h>
#include <string.h>

enum { PROMPT_BYTES = 24 /* of held-out text without a prompt */, PROMPT_TOKENS = 256 };

/* The first held-out question, or the first characters of the first held-out text. */
static bool prompt_make(Train *t, Buf *text, Ids *ids, Err *e)
{
	Document s;
	if (!t->source->get(t->source->ud, SPLIT_HELD_OUT, 0, 0, &s, e))
		return false;
	size_t n = s.n_answer < PROMPT_BYTES ? s.n_answer : PROMPT_BYTES;
	/* Not within a character. */
	while (n > 0 && n < s.n_answer && ((unsigned char)s.answer[n] & 0xc0) == 0x80)
		n--;
	buf_add(text, s.n_prompt ? s.prompt : s.answer, s.n_prompt ? s.n_prompt : n);
	if (!tok_encode(t->tok, buf_str(text), text->len, ids, e))
		return false;
	if (ids->n > PROMPT_TOKENS)
		ids->n = PROMPT_TOKENS;
	return ids->n > 0 || err_set(e, E_2102, "sample_every: the first held-out text has no tokens");
}

/* One forward over n tokens from position `at`; the likeliest next token, or -1. */
static int32_t likeliest(Train *t, Kv *kv, const int32_t *id, int64_t at, int n, Err *e)
{
	tape_reset(t->tape);
	train_recipe(t, t->tape);
	int32_t *pos = tape_alloc(t->tape, sizeof *pos * (size_t)n), last = n - 1;
	for (int i = 0; pos && i < n; i++)
		pos[i] = (int32_t)(at + i);
	Seq seq = { .row0 = 0, .rows = n };
	int slot = 0;
	Batch b = { n, id, pos, 1, &seq, &slot };
	Run r = { t->lm, kv, &b, at ? FORM_ABSORBED : FORM_NAIVE };
	Ten *final = lm_hidden(t->tape, &r), *logits = lm_logits(t->tape, &r, final, &last, 1);
	if (!tape_ok(t->tape, e))
		return -1;
	return argmax_first(ten_real(logits), tok_count(t->tok));
}

bool train_sample(Train *t, int n, Buf *out, Err *e)
{
	Buf text = BUF_INIT;
	Ids ids = { 0 };
	int64_t limit = t->lm->c.max_position_embeddings;
	Kv *kv = NULL;
	bool ok = t->tok || err_set(e, E_2102, "sample_every: the run has no tokenizer");
	ok = ok && prompt_make(t, &text, &ids, e) && (kv = lm_kv(t->lm, 1, (int64_t)ids.n + n, REAL_DTYPE, e)) != NULL;
	size_t done = 0;
	for (int i = 0; ok && i < n && (int64_t)ids.n < limit; i++) {
		int32_t id = likeliest(t, kv, ids.id + done, (int64_t)done, (int)(ids.n - done), e);
		done = ids.n;
		ok = id >= 0 && (ids_push(&ids, id) || err_set(e, E_5001, "out of memory for a sample"));
		if (id == t->eos)
			break;
	}
	if (ok)
		tok_decode(t->tok, ids.id, ids.n, out);
	kv_free(kv);
	ids_done(&ids);
	buf_done(&text);
	return ok;
}
