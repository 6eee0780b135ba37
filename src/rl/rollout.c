/* rollout.c - see rollout.h. All forwards of a policy, here and in policy.c, are in the absorbed form: then a token's row has the same bits
 * whether it comes alone behind a cache or with its whole text, and so has its probability. */
#include "rl/rollout.h"
#include <string.h>

enum { LANES = 256 /* answers at once */, PROMPT_ROWS = 4096 };

typedef struct Batcher {
	Train *t;
	Lm *lm;
	Tape *tape;
	const RlDraw *d;
	RlRoutes *routes;
	const RlCritic *critic;
	const Ten *state;       /* of the last forward, all rows */
	Kv *kv;
	int32_t *id, *pos, *last;
	Seq *seq;
	int *slot;
	RlRow *row;
	RlScratch scratch;
	int32_t eos;
	Err *e;
} Batcher;

static bool batcher_init(Batcher *b, int slots, int64_t positions, Arena *a)
{
	size_t rows = PROMPT_ROWS, V = (size_t)b->lm->c.vocab_size;
	b->id = arena_alloc(a, rows * sizeof *b->id);
	b->pos = arena_alloc(a, rows * sizeof *b->pos);
	b->row = arena_alloc(a, rows * sizeof *b->row);
	b->last = arena_alloc(a, (size_t)slots * sizeof *b->last);
	b->seq = arena_alloc(a, (size_t)slots * sizeof *b->seq);
	b->slot = arena_alloc(a, (size_t)slots * sizeof *b->slot);
	b->scratch = (RlScratch){ arena_alloc(a, V * sizeof(real)), arena_alloc(a, V * sizeof(int32_t)), arena_alloc(a, V) };
	if (!b->id || !b->pos || !b->row || !b->last || !b->seq || !b->slot || !b->scratch.e || !b->scratch.order || !b->scratch.keep)
		return err_set(b->e, E_5001, "out of memory for a roll-out");
	b->kv = lm_kv(b->lm, slots, positions, REAL_DTYPE, b->e);
	return b->kv != NULL;
}

/* One forward of the sequences set up; logits of the last row of each. */
static const Ten *batcher_forward(Batcher *b, int rows, int n)
{
	tape_reset(b->tape);
	for (int i = 0; i < n; i++)
		b->last[i] = b->seq[i].row0 + b->seq[i].rows - 1;
	Batch x = { rows, b->id, b->pos, n, b->seq, b->slot };
	Run r = { b->lm, b->kv, &x, FORM_ABSORBED };
	b->routes->row = b->row;
	b->routes->what = b->d->routes ? ROUTES_NOTE : ROUTES_FREE;
	Ten *state = lm_hidden(b->tape, &r);
	const Ten *logits = lm_logits(b->tape, &r, state, b->last, n);
	b->state = state;
	b->routes->what = ROUTES_FREE;
	return tape_ok(b->tape, b->e) ? logits : NULL;
}

static void row_put(Batcher *b, int row, RlSample *s, int at)
{
	b->id[row] = s->id[at];
	b->pos[row] = at;
	b->row[row] = (RlRow){ s, at };
}

/* The next token of s, from the i-th row of the logits. False: they are not numbers. */
static bool lane_draw(Batcher *b, RlSample *s, const real *logits, int i)
{
	if (s->value)
		s->value[s->n] = rl_critic_value(b->critic, ten_real(b->state) + b->last[i] * b->state->stride);
	int64_t V = b->lm->c.vocab_size;
	int32_t id = rl_sample_draw(s, pool_kernels(tape_pool(b->tape)), b->d, logits, V, &b->scratch);
	if (!(s->entropy[s->n - 1] > -1)) /* NaN too */
		return err_set(b->e, E_6001, "roll-out %lld: the logits of token %d are not finite numbers", (long long)b->d->turn, s->n - 1);
	s->ended = id == b->eos;
	return true;
}

static bool lane_is_open(const Batcher *b, const RlSample *s)
{
	return !s->ended && s->n < s->room && s->n_given + s->n < b->lm->c.max_position_embeddings;
}

/* The routes of a prompt's tokens are those of its first answer. */
static void routes_share(const Batcher *b, const RlSample *from, RlSample *to)
{
	for (int m = 0; to->route && m < b->routes->n_moe; m++)
		memcpy(rl_route_at(b->routes, to, m, 0), rl_route_at(b->routes, from, m, 0), sizeof(int32_t) * (size_t)(b->routes->K * from->n_given));
}

/* Prompts [from, to) of the chunk whose samples begin at s: read together, once for each group. */
static bool prompts_read(Batcher *b, RlSample *s, int from, int to, int group)
{
	int rows = 0;
	for (int p = from; p < to; p++) {
		RlSample *first = &s[p * group];
		b->seq[p - from] = (Seq){ .row0 = rows, .rows = first->n_given };
		b->slot[p - from] = p * group;
		for (int k = 0; k < first->n_given; k++)
			row_put(b, rows++, first, k);
	}
	const Ten *logits = batcher_forward(b, rows, to - from);
	for (int p = from; logits && p < to; p++)
		for (int k = 0; k < group; k++) {
			if (k > 0) {
				kv_copy(b->kv, p * group, p * group + k);
				routes_share(b, &s[p * group], &s[p * group + k]);
			}
			if (!lane_draw(b, &s[p * group + k], ten_real(logits) + (p - from) * logits->stride, p - from))
				return false;
		}
	return logits != NULL;
}

/* One token for each open answer; *open: how many were. */
static bool lanes_step(Batcher *b, RlSample *s, int n, int *open)
{
	int rows = 0;
	for (int i = 0; i < n; i++) {
		if (!lane_is_open(b, &s[i]))
			continue;
		b->seq[rows] = (Seq){ .row0 = rows, .rows = 1 };
		b->slot[rows] = i;
		row_put(b, rows++, &s[i], s[i].n_given + s[i].n - 1);
	}
	*open = rows;
	if (!rows)
		return true;
	const Ten *logits = batcher_forward(b, rows, rows);
	for (int i = 0; logits && i < rows; i++)
		if (!lane_draw(b, b->row[i].s, ten_real(logits) + i * logits->stride, i))
			return false;
	return logits != NULL;
}

/* n prompts, all at once. */
static bool chunk_run(Batcher *b, RlSample *s, int n, int group)
{
	bool ok = true;
	int open = 1;
	for (int from = 0, to; ok && from < n; from = to) {
		int rows = s[from * group].n_given;
		for (to = from + 1; to < n && rows + s[to * group].n_given <= PROMPT_ROWS; to++)
			rows += s[to * group].n_given;
		ok = prompts_read(b, s, from, to, group);
	}
	while (ok && open)
		ok = lanes_step(b, s, n * group, &open);
	return ok;
}

static bool samples_make(Batcher *b, const RlPrompt *prompt, int n, int group, int max_new, Arena *a, RlSample *out)
{
	for (int i = 0; i < n * group; i++) {
		const RlPrompt *p = &prompt[i / group];
		if (p->n < 1 || p->n > PROMPT_ROWS || p->n >= b->lm->c.max_position_embeddings)
			return err_set(b->e, E_2102, "problem %d has a prompt of %d tokens; 1 to %lld can be answered", i / group, p->n,
				(long long)(b->lm->c.max_position_embeddings < PROMPT_ROWS ? b->lm->c.max_position_embeddings - 1 : PROMPT_ROWS));
		if (!rl_sample_new(&out[i], a, p->id, p->n, max_new, b->lm->c.vocab_size, rl_routes_size(b->routes), b->d))
			return err_set(b->e, E_5001, "out of memory for %d answers", n * group);
		out[i].prompt = i / group;
		out[i].k = i % group;
	}
	return true;
}

bool rl_rollout(Train *t, RlRoutes *routes, const RlCritic *critic, const RlDraw *d, const RlPrompt *prompt, int n, int group, int max_new,
	Arena *a, RlSample *out, Err *e)
{
	Batcher b = { .t = t, .lm = train_lm(t), .tape = train_tape(t), .d = d, .routes = routes, .critic = critic,
		.eos = train_tok(t) ? tok_eos(train_tok(t)) : -1, .e = e };
	int together = group > LANES ? 1 : LANES / group, longest = 0;
	if (together > n)
		together = n;
	for (int i = 0; i < n; i++)
		longest = prompt[i].n > longest ? prompt[i].n : longest;
	tape_record(b.tape, false);
	tape_set_recipe(b.tape, NULL);
	bool ok = samples_make(&b, prompt, n, group, max_new, a, out) && batcher_init(&b, together * group > LANES ? group : together * group,
		(int64_t)longest + max_new, a);
	for (int i = 0; ok && i < n; i += together)
		ok = chunk_run(&b, out + (int64_t)i * group, n - i < together ? n - i : together, group);
	kv_free(b.kv);
	return ok;
}
