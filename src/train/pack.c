/* pack.c - text to rows of tokens: documents one after the other, each with its end-of-text token, cut where the row ends. A row depends
 * on its number alone. With a prompt only the answer counts; a share of the documents may be given as prefix, suffix, middle. */
#include "base/rng.h"
#include "text/tok.h"
#include "train/state.h"
#include <stdlib.h>
#include <string.h>

enum { IGNORED = -100, DOCS_MOST = 100000, TOKENS_MOST = 1 << 24 };

/* Tokens of one row and, for each, whether it counts as a target. */
typedef struct Row { Ids ids; int32_t *id; bool *counts; int *doc; int n, cap; } Row;

bool pack_new(TrainBatch *b, int64_t rows, int64_t seq, Err *e)
{
	if (rows > TOKENS_MOST / seq)
		return err_set(e, E_2102, "batch = %lld rows of seq = %lld tokens: at most %d tokens a step", (long long)rows, (long long)seq, TOKENS_MOST);
	size_t n = (size_t)(rows * seq);
	*b = (TrainBatch){ .rows = (int)rows, .seq = (int)seq };
	b->id = calloc(n, sizeof *b->id);
	b->label = calloc(n, sizeof *b->label);
	b->pos = calloc(n, sizeof *b->pos);
	b->docs = calloc(n, sizeof *b->docs);
	if (b->id && b->label && b->pos && b->docs)
		return true;
	pack_free(b);
	return err_set(e, E_5001, "out of memory for %lld rows of %lld tokens", (long long)rows, (long long)seq);
}

void pack_free(TrainBatch *b)
{
	free(b->id);
	free(b->label);
	free(b->pos);
	free(b->docs);
	*b = (TrainBatch){ 0 };
}

static void row_put(Row *r, int32_t id, bool counts, int doc)
{
	if (r->n == r->cap)
		return;
	r->id[r->n] = id;
	r->counts[r->n] = counts;
	r->doc[r->n++] = doc;
}

static bool row_text(Train *t, Row *r, const char *s, size_t n, bool counts, int doc, Err *e)
{
	r->ids.n = 0;
	if (!tok_encode(t->tok, s, n, &r->ids, e))
		return false;
	for (size_t i = 0; i < r->ids.n; i++)
		row_put(r, r->ids.id[i], counts, doc);
	return true;
}

/* BEGIN prefix HOLE suffix END middle, cut at two places among its tokens. */
static void row_cut(const Train *t, Row *r, Rng *g, bool middle_only, int doc)
{
	size_t n = r->ids.n, a = rng_below(g, (uint32_t)n + 1), b = rng_below(g, (uint32_t)n + 1);
	size_t from = a < b ? a : b, to = a < b ? b : a;
	row_put(r, t->fim[0], false, doc);
	for (size_t i = 0; i < from; i++)
		row_put(r, r->ids.id[i], !middle_only, doc);
	row_put(r, t->fim[1], false, doc);
	for (size_t i = to; i < n; i++)
		row_put(r, r->ids.id[i], !middle_only, doc);
	row_put(r, t->fim[2], false, doc);
	for (size_t i = from; i < to; i++)
		row_put(r, r->ids.id[i], true, doc);
}

static bool row_document(Train *t, Row *r, const Document *s, Rng *g, int doc, Err *e)
{
	bool cut = t->s.fim > 0 && s->n_prompt == 0 && t->fim[0] >= 0 && rng_uniform(g) < t->s.fim;
	if (cut) {
		r->ids.n = 0;
		if (!tok_encode(t->tok, s->answer, s->n_answer, &r->ids, e))
			return false;
		row_cut(t, r, g, t->s.fim_middle != 0, doc);
	} else if (!row_text(t, r, s->prompt, s->n_prompt, false, doc, e) || !row_text(t, r, s->answer, s->n_answer, true, doc, e)) {
		return false;
	}
	if (t->eos >= 0)
		row_put(r, t->eos, true, doc);
	return true;
}

static bool row_fill(Train *t, Row *r, Split split, uint64_t row, Err *e)
{
	Rng g = rng_make((uint64_t)t->s.seed ^ (split == SPLIT_TRAIN ? 0x66696d : 0x66696d68), row);
	r->n = 0;
	for (int doc = 0; r->n < r->cap; doc++) {
		Document s = { 0 };
		int before = r->n;
		if (!t->source->get(t->source->ud, split, row, (uint64_t)doc, &s, e) || !row_document(t, r, &s, &g, doc, e))
			return false;
		if (r->n == before || doc == DOCS_MOST)
			return err_set(e, E_2102, "data: row %llu: document %d is empty", (unsigned long long)row, doc);
	}
	return true;
}

/* Row i of the batch: token k is followed by token k + 1; across documents only when they see each other. */
static void batch_row(Train *t, TrainBatch *b, int i, const Row *r)
{
	int32_t *id = b->id + i * b->seq, *label = b->label + i * b->seq, *pos = b->pos + i * b->seq;
	bool apart = t->s.document_mask;
	for (int k = 0; k < b->seq; k++) {
		bool same = r->doc[k] == r->doc[k + 1] || !apart;
		id[k] = r->id[k];
		pos[k] = k;
		label[k] = same && r->counts[k + 1] ? r->id[k + 1] : IGNORED;
		if (k == 0 || (apart && r->doc[k] != r->doc[k - 1]))
			b->docs[b->n_seq++] = (Seq){ .row0 = i * b->seq + k };
		b->docs[b->n_seq - 1].rows++;
	}
}

bool pack_fill(Train *t, TrainBatch *b, Split split, uint64_t row0, Err *e)
{
	size_t cap = (size_t)b->seq + 1;
	Row r = { .cap = (int)cap, .id = malloc(cap * sizeof *r.id), .counts = malloc(cap * sizeof *r.counts), .doc = malloc(cap * sizeof *r.doc) };
	bool ok = (r.id && r.counts && r.doc) || err_set(e, E_5001, "out of memory for a row of text");
	b->n_seq = 0;
	for (int i = 0; ok && i < b->rows; i++) {
		ok = row_fill(t, &r, split, row0 + (uint64_t)i, e);
		if (ok)
			batch_row(t, b, i, &r);
	}
	ids_done(&r.ids);
	free(r.id);
	free(r.counts);
	free(r.doc);
	return ok;
}
