/* policy.c - see policy.h. */
#include "rl/policy.h"
#include <string.h>

enum { PART_ROWS = 1024 /* more would leave the caches and gain nothing */ };

static int sample_rows(const RlSample *s)
{
	return s->n_given + s->n - 1;
}

int64_t rl_policy_rows(RlSample *const *s, int n)
{
	int64_t rows = 0;
	for (int i = 0; i < n; i++)
		rows += sample_rows(s[i]);
	return rows;
}

int rl_policy_part(RlSample *const *s, int n)
{
	int part = 1;
	for (int64_t rows = sample_rows(s[0]); part < n && (rows += sample_rows(s[part])) <= PART_ROWS;)
		part++;
	return part;
}

/* The texts end to end, and of each answer's tokens which row speaks of them. */
typedef struct Packed { int T; int64_t n; int32_t *id, *pos, *wanted, *label; Seq *seq; RlRow *row; uint8_t *keep; } Packed;

static bool packed_alloc(Tape *t, Packed *p, RlPass *out, RlSample *const *s, int n, bool keep, int64_t V)
{
	size_t rows = (size_t)rl_policy_rows(s, n), tokens = 0;
	for (int i = 0; i < n; i++)
		tokens += (size_t)s[i]->n;
	p->id = tape_alloc(t, rows * sizeof *p->id);
	p->pos = tape_alloc(t, rows * sizeof *p->pos);
	p->row = tape_alloc(t, rows * sizeof *p->row);
	p->seq = tape_alloc(t, (size_t)n * sizeof *p->seq);
	p->wanted = tape_alloc(t, tokens * sizeof *p->wanted);
	p->label = tape_alloc(t, tokens * sizeof *p->label);
	p->keep = keep ? tape_alloc(t, tokens * (size_t)V) : NULL;
	out->first = tape_alloc(t, (size_t)(n + 1) * sizeof *out->first);
	return !tape_failed(t);
}

static void packed_put(Packed *p, RlSample *s, int64_t V)
{
	int from = p->T, rows = sample_rows(s);
	for (int k = 0; k < rows; k++) {
		p->id[from + k] = s->id[k];
		p->pos[from + k] = k;
		p->row[from + k] = (RlRow){ s, k };
	}
	for (int k = 0; k < s->n; k++) {
		p->wanted[p->n + k] = from + s->n_given - 1 + k;
		p->label[p->n + k] = s->id[s->n_given + k];
	}
	if (p->keep)
		memcpy(p->keep + p->n * V, s->keep, (size_t)s->n * (size_t)V);
	p->T += rows;
	p->n += s->n;
}

bool rl_policy_forward(Train *t, RlRoutes *routes, const RlView *v, RlSample *const *s, int n, bool record, RlPass *out, Err *e)
{
	Tape *tape = train_tape(t);
	Lm *lm = train_lm(t);
	Packed p = { 0 };
	bool keep = v->keep_sampling && s[0]->keep, force = v->keep_routing && s[0]->route;
	*out = (RlPass){ .n_out = n };
	tape_reset(tape);
	tape_set_recipe(tape, NULL);
	tape_record(tape, record);
	bool room = packed_alloc(tape, &p, out, s, n, keep, lm->c.vocab_size);
	for (int i = 0; room && i < n; i++) {
		out->first[i] = (int32_t)p.n;
		p.seq[i] = (Seq){ .row0 = p.T, .rows = sample_rows(s[i]) };
		packed_put(&p, s[i], lm->c.vocab_size);
	}
	if (!tape_ok(tape, e))
		return false;
	out->first[n] = (int32_t)p.n;
	out->n = p.n;
	Batch b = { p.T, p.id, p.pos, n, p.seq, NULL };
	Run r = { lm, NULL, &b, FORM_ABSORBED };
	routes->row = p.row;
	routes->what = force ? ROUTES_FORCE : ROUTES_FREE;
	out->state = pick(tape, lm_hidden(tape, &r), p.wanted, p.n);
	routes->what = ROUTES_FREE;
	out->logp = token_logp(tape, lm_logits(tape, &r, out->state, NULL, 0), p.label, v->temperature, p.keep);
	return tape_ok(tape, e);
}
