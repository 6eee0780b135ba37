/* source_token.c - tokens: their probability, entropy, alternatives and drafts; the model's card; speed
 * over time. */
#include "view/data.h"
#include <math.h>
#include <string.h>

static const FactToken *token_now(const Look *l)
{
	int64_t i = facts_find(l->facts, l->sel->token);
	return i < 0 ? NULL : &l->facts->tok[i];
}

static const char *num3(Arena *a, double v)
{
	return isnan(v) ? "·" : arena_printf(a, "%.3f", v);
}

static bool items_alternatives(const Look *l, Data *d)
{
	const FactToken *t = token_now(l);
	if (!t || t->n_alt == 0) {
		d->empty = t ? "no alternatives recorded for this token" : "no text yet - Enter writes a prompt";
		return true;
	}
	d->kind = DATA_ITEMS;
	d->items = (Items){ .n = t->n_alt,
		.hi = 1,
		.axis = AXIS_LOCAL,
		.item = arena_zalloc(l->arena, (size_t)t->n_alt * sizeof(Item)) };
	for (int i = 0; i < t->n_alt && d->items.item; i++) {
		FactToken as = { .text = t->alt[i].text };
		Item *it = &d->items.item[i];
		it->label = text_token(l->arena, &as, 14);
		it->x = t->alt[i].p;
		it->value = arena_printf(l->arena, "%.4f", t->alt[i].p);
		it->mark = t->alt[i].id == t->id;
		it->color = it->mark ? 2 : -1;
		it->readout = arena_printf(l->arena,
			"p(%s | position %lld) = %s · id %lld · rank %d of %d shown%s", it->label,
			(long long)t->pos, text_six(l->arena, t->alt[i].p), (long long)t->alt[i].id, i + 1,
			t->n_alt, it->mark ? " · taken" : "");
	}
	d->facts = arena_printf(l->arena, "%s at %lld · entropy %s nat", t->given ? "given" : "taken",
		(long long)t->pos, num3(l->arena, t->entropy));
	d->summary = arena_printf(l->arena, "%s p %s, entropy %s nat", text_token(l->arena, t, 14),
		num3(l->arena, exp(t->logprob)), num3(l->arena, t->entropy));
	return true;
}

static const char *draft_word(const Look *l, const FactToken *t, CellStyle *st)
{
	*st = t->draft == TOK_ACCEPTED ? CELL_GOOD : t->draft == TOK_REJECTED ? CELL_WARN : CELL_DIM;
	FactToken as = { .text = t->drafted };
	if (t->draft == TOK_REJECTED)
		return arena_printf(l->arena, "✗ %s", t->drafted ? text_token(l->arena, &as, 12) : "refused");
	return t->draft == TOK_ACCEPTED ? "✓" : NULL;
}

static void tokens_row(const Look *l, Table *t, int r)
{
	const FactToken *k = &l->facts->tok[r];
	TableCell *c = &t->cell[(size_t)(r - 0) * (size_t)t->cols];
	CellStyle st = k->given ? CELL_DIM : CELL_TEXT, ds;
	c[0] = (TableCell){ arena_printf(l->arena, "%lld", (long long)k->pos), CELL_DIM };
	c[1] = (TableCell){ text_token(l->arena, k, 16), st };
	c[2] = (TableCell){ isnan(k->logprob) ? "·" : arena_printf(l->arena, "%.4f", exp(k->logprob)), st };
	c[3] = (TableCell){ num3(l->arena, k->entropy), st };
	c[4] = (TableCell){ draft_word(l, k, &ds), CELL_TEXT };
	c[4].style = ds;
}

/* Only the rows around the cursor are formatted: a long text has thousands, a pane shows dozens. */
static bool table_tokens(const Look *l, Data *d)
{
	Table *t = &d->table;
	size_t n = l->facts->n_tok;
	if (n == 0) {
		d->empty = "no text yet - Enter writes a prompt";
		return true;
	}
	d->kind = DATA_TABLE;
	*t = (Table){ .rows = (int)n,
		.cols = 5,
		.axis = AXIS_TOKEN,
		.sel = (int)facts_find(l->facts, l->sel->token),
		.head = { "pos", "token", "p", "entropy", "draft" },
		.left = { false, true, false, false, true } };
	t->cell = arena_zalloc(l->arena, n * 5 * sizeof *t->cell);
	if (!t->cell)
		return true;
	int mid = t->sel < 0 ? (int)n - 1 : t->sel, from = mid - 2 * l->rows_hint, to = mid + 2 * l->rows_hint;
	if (l->rows_hint <= 0) {
		from = 0;
		to = (int)n;
	}
	for (int r = from < 0 ? 0 : from; r < (int)n && r < to; r++)
		tokens_row(l, t, r);
	d->facts = arena_printf(l->arena, "%zu tokens", n);
	const FactToken *k = token_now(l);
	if (k)
		d->readout = arena_printf(l->arena, "gen.token[%lld] = id %lld · logprob %s · entropy %s nat",
			(long long)k->pos, (long long)k->id,
			isnan(k->logprob) ? "not computed" : text_six(l->arena, k->logprob),
			isnan(k->entropy) ? "not computed" : text_six(l->arena, k->entropy));
	return true;
}

static void card_row(Table *t, const char *key, const char *value, CellStyle st)
{
	t->cell[t->rows * 2] = (TableCell){ key, CELL_DIM };
	t->cell[t->rows * 2 + 1] = (TableCell){ value, st };
	t->rows++;
}

static Table *card_begin(const Look *l, Data *d, int rows)
{
	Table *t = &d->table;
	d->kind = DATA_TABLE;
	*t = (Table){ .cols = 2,
		.sel = -1,
		.left = { true, true },
		.cell = arena_zalloc(l->arena, (size_t)rows * 2 * sizeof *t->cell) };
	return t->cell ? t : NULL;
}

static bool table_token(const Look *l, Data *d)
{
	const FactToken *k = token_now(l);
	CellStyle ds;
	Table *t;
	if (!k || !(t = card_begin(l, d, 8))) {
		d->empty = "no text yet - Enter writes a prompt";
		return true;
	}
	card_row(t, "token", text_token(l->arena, k, 22), CELL_STRONG);
	card_row(t, "id", arena_printf(l->arena, "%lld", (long long)k->id), CELL_TEXT);
	card_row(t, "position",
		arena_printf(l->arena, "%lld, %s", (long long)k->pos, k->given ? "given" : "generated"),
		CELL_TEXT);
	card_row(t, "probability", isnan(k->logprob) ? "·" : arena_printf(l->arena, "%.6f", exp(k->logprob)),
		CELL_TEXT);
	card_row(t, "surprise", isnan(k->logprob) ? "·" : arena_printf(l->arena, "%.4f nat", -k->logprob),
		CELL_TEXT);
	card_row(t, "entropy", isnan(k->entropy) ? "·" : arena_printf(l->arena, "%.4f nat", k->entropy),
		CELL_TEXT);
	const char *w = draft_word(l, k, &ds);
	card_row(t, "draft", !w ? "none" : k->draft == TOK_ACCEPTED ? "✓ accepted" : w, ds);
	d->summary = arena_printf(l->arena, "%s p %s", text_token(l->arena, k, 16),
		num3(l->arena, exp(k->logprob)));
	return true;
}

static bool table_drafts(const Look *l, Data *d)
{
	const FactStats *s = &l->facts->stats;
	const FactCard *k = &l->facts->card;
	Table *t;
	if (k->have && k->mtp < 1) {
		d->empty = "no MTP module in this model";
		return true;
	}
	if (!s->have || !(t = card_begin(l, d, 5 + FACTS_ACCEPT))) {
		d->empty = "nothing drafted yet - Enter writes a prompt";
		return true;
	}
	double rate = s->drafted > 0 ? 100.0 * (double)s->accepted / (double)s->drafted : 0;
	card_row(t, "drafted", arena_printf(l->arena, "%lld", (long long)s->drafted), CELL_TEXT);
	card_row(t, "accepted", arena_printf(l->arena, "%lld  %.1f%%", (long long)s->accepted, rate), CELL_GOOD);
	card_row(t, "forwards", arena_printf(l->arena, "%lld", (long long)s->forwards), CELL_TEXT);
	card_row(t, "tokens/fwd",
		s->forwards > 0 ? arena_printf(l->arena, "%.2f", (double)s->generated / (double)s->forwards)
				: "·",
		CELL_STRONG);
	for (int i = 0; i < s->n_accept; i++)
		card_row(t, arena_printf(l->arena, "module %d", i + 1),
			arena_printf(l->arena, "%lld accepted", (long long)s->accept[i]), CELL_TEXT);
	d->summary = arena_printf(l->arena, "MTP %.0f%% of %lld accepted", rate, (long long)s->drafted);
	return true;
}

static const char *card_attention(const Look *l)
{
	const FactCard *k = &l->facts->card;
	if (k->attention[0] && strcmp(k->attention, "mla") != 0)
		return arena_printf(l->arena, "%lld heads · %s, %lld for keys", (long long)k->heads, k->attention,
			(long long)k->key_heads);
	return arena_printf(l->arena, "%lld heads · latent %lld, rope %lld", (long long)k->heads,
		(long long)k->kv_rank, (long long)k->rope);
}

static bool table_model(const Look *l, Data *d)
{
	const FactCard *k = &l->facts->card;
	Table *t;
	if (!k->have || !(t = card_begin(l, d, 13))) {
		d->empty = "no model yet - o opens one";
		return true;
	}
	Buf b = BUF_INIT;
	for (int i = 0; i < k->n_dtypes; i++)
		buf_printf(&b, "%s%s", i ? " " : "", k->dtype[i].name);
	card_row(t, "model", k->name, CELL_STRONG);
	card_row(t, "type", k->type, CELL_TEXT);
	card_row(t, "layers",
		arena_printf(l->arena, "%lld (%lld dense) · hidden %lld", (long long)k->layers,
			(long long)k->first_dense, (long long)k->hidden),
		CELL_TEXT);
	card_row(t, "attention", card_attention(l), CELL_TEXT);
	if (l->facts->forms.have)
		card_row(t, "two forms",
			arena_printf(l->arena,
				"naive and absorbed within %.1e in logits, KL %.1e, over %lld tokens",
				l->facts->forms.logits, l->facts->forms.kl,
				(long long)l->facts->forms.tokens),
			CELL_GOOD);
	card_row(t, "experts",
		arena_printf(l->arena, "%lld, %lld per token + %lld shared", (long long)k->experts,
			(long long)k->per_token, (long long)k->shared),
		CELL_TEXT);
	if (k->n_group > 1)
		card_row(t, "groups",
			arena_printf(l->arena, "%lld, %lld kept", (long long)k->n_group,
				(long long)k->topk_group),
			CELL_TEXT);
	card_row(t, "parameters",
		arena_printf(l->arena, "%s, %s active", text_count(l->arena, (double)k->total),
			text_count(l->arena, (double)k->active)),
		CELL_TEXT);
	card_row(t, "weights",
		arena_printf(l->arena, "%s · %s", text_bytes(l->arena, (double)k->bytes), buf_str(&b)),
		CELL_TEXT);
	card_row(t, "vocabulary", arena_printf(l->arena, "%lld", (long long)k->vocab), CELL_TEXT);
	card_row(t, "context", arena_printf(l->arena, "%lld", (long long)k->context), CELL_TEXT);
	card_row(t, "MTP",
		k->mtp > 0 ? arena_printf(l->arena, "%lld module%s", (long long)k->mtp, k->mtp > 1 ? "s" : "")
			   : "none",
		CELL_TEXT);
	buf_done(&b);
	d->summary = arena_printf(l->arena, "%s, %s parameters", k->name, text_count(l->arena, (double)k->total));
	return true;
}

static double speed_at(const Line *line, int i)
{
	const Look *l = line->ud;
	return l->facts->speed[i];
}

static bool series_speed(const Look *l, Data *d)
{
	const FactStats *s = &l->facts->stats;
	if (l->facts->n_speed == 0) {
		d->empty = "nothing has run yet - Enter writes a prompt";
		return true;
	}
	d->kind = DATA_SERIES;
	d->series = (Series){ .n = 1, .sel = -1, .axis = AXIS_LOCAL, .x_name = "sample" };
	d->series.line[0] = (Line){ "decode", "tok/s", (int)l->facts->n_speed, speed_at, l };
	d->facts = arena_printf(l->arena, "prefill %s%s",
		isnan(s->prefill) ? "·" : text_count(l->arena, s->prefill),
		s->forwards > 0 && s->drafted > 0
			? arena_printf(l->arena, " · %.2f/fwd", (double)s->generated / (double)s->forwards)
			: "");
	d->summary = arena_printf(l->arena, "%.0f tok/s", s->decode);
	return true;
}

static double entropy_at(const Line *line, int i)
{
	const Look *l = line->ud;
	return l->facts->tok[i].entropy;
}

static double surprise_at(const Line *line, int i)
{
	const Look *l = line->ud;
	return -l->facts->tok[i].logprob;
}

static bool series_entropy(const Look *l, Data *d)
{
	if (l->facts->n_tok == 0) {
		d->empty = "no text yet - Enter writes a prompt";
		return true;
	}
	d->kind = DATA_SERIES;
	d->series = (Series){ .n = 2,
		.sel = (int)facts_find(l->facts, l->sel->token),
		.axis = AXIS_TOKEN,
		.x_name = "token",
		.x0 = l->facts->tok[0].pos };
	d->series.line[0] = (Line){ "entropy", "nat", (int)l->facts->n_tok, entropy_at, l };
	d->series.line[1] = (Line){ "surprise", "nat", (int)l->facts->n_tok, surprise_at, l };
	return true;
}

static bool text_data(const Look *l, Data *d)
{
	const FactStats *s = &l->facts->stats;
	d->kind = DATA_TEXT;
	if (l->facts->n_tok == 0)
		d->empty = l->facts->card.have ? "Enter writes a prompt" : "no model yet - o opens one";
	const char *why = l->facts->status.finish;
	bool told = strcmp(why, "eos") == 0 || strcmp(why, "context") == 0;
	d->facts = s->have ? arena_printf(l->arena, "%lld given + %lld%s%s", (long long)s->prompt,
				     (long long)s->generated, told ? " · " : "", told ? why : "")
			   : NULL;
	const FactToken *k = token_now(l);
	if (k)
		d->readout = arena_printf(l->arena, "gen.token[%lld] = %s · id %lld · p %s · entropy %s nat",
			(long long)k->pos, text_token(l->arena, k, 16), (long long)k->id,
			isnan(k->logprob) ? "not computed" : text_six(l->arena, exp(k->logprob)),
			isnan(k->entropy) ? "not computed" : text_six(l->arena, k->entropy));
	return true;
}

bool source_token(const Look *l, const char *name, Data *d)
{
	static const struct { const char *name; bool (*make)(const Look *, Data *); } table[] = {
		{ "alternatives", items_alternatives }, { "tokens", table_tokens }, { "token", table_token },
		{ "drafts", table_drafts },
		{ "model", table_model }, { "speed", series_speed }, { "entropy", series_entropy },
	};
	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		if (strcmp(table[i].name, name) == 0)
			return table[i].make(l, d);
	if (strcmp(name, "prompt") == 0) {
		d->kind = DATA_TEXT;
		return true;
	}
	return text_data(l, d);
}
