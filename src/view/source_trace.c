/* source_trace.c - a text token by token: its think span, what each layer would have said (the logit lens), the experts on the way, and
 * the other texts that were branched from it. */
#include "base/json.h"
#include "base/utf8.h"
#include "view/data.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LENS_LAYERS = 1024, LENS_SHOWN = 2, BAR = 10, LINES_MAX = 400 };

static const FactToken *token_now(const Look *l)
{
	int64_t i = facts_find(l->facts, l->sel->token);
	return i < 0 ? NULL : &l->facts->tok[i];
}

/* --- the think span --- */

void source_think_span(const Facts *f, int64_t *from, int64_t *to)
{
	int64_t made = -1;
	*from = *to = -1;
	for (size_t i = 0; i < f->n_tok; i++) {
		const char *s = f->tok[i].text ? f->tok[i].text : "";
		made = made < 0 && !f->tok[i].given ? (int64_t)i : made;
		if (*from < 0 && strstr(s, "<think>"))
			*from = (int64_t)i;
		if (strstr(s, "</think>")) {
			/* A chat template may have opened it before this text. */
			*from = *from >= 0 ? *from : made >= 0 ? made : 0;
			*to = (int64_t)i;
			return;
		}
	}
	if (*from >= 0)
		*to = (int64_t)f->n_tok - 1;
}

typedef struct Span { int64_t n, drafted; double entropy, logprob, worst; int64_t worst_at; } Span;

/* Of tokens [from, to]; those without figures do not count in them. */
static Span span_of(const Facts *f, int64_t from, int64_t to)
{
	Span s = { .worst_at = -1 };
	double with = 0;
	for (int64_t i = from; i <= to && i < (int64_t)f->n_tok; i++) {
		const FactToken *t = &f->tok[i];
		s.n++;
		s.drafted += t->draft == TOK_ACCEPTED;
		if (isnan(t->logprob))
			continue;
		with++;
		s.logprob += t->logprob;
		s.entropy += t->entropy;
		if (s.worst_at < 0 || t->logprob < s.worst) {
			s.worst = t->logprob;
			s.worst_at = i;
		}
	}
	s.entropy = with > 0 ? s.entropy / with : NAN;
	return s;
}

static bool text_trace(const Look *l, Data *d)
{
	int64_t from, to;
	const FactToken *k = token_now(l);
	d->kind = DATA_TEXT;
	if (l->facts->n_tok == 0)
		d->empty = l->facts->card.have ? "Enter writes a prompt" : "no model yet - o opens one";
	if (d->empty)
		return true;
	source_think_span(l->facts, &from, &to);
	Span s = from >= 0 ? span_of(l->facts, from, to) : span_of(l->facts, 0, (int64_t)l->facts->n_tok - 1);
	/* Beside the title, in full or, where that has no room, without the unit that the card below has. */
	d->facts = arena_printf(l->arena, "%s%lld tokens · entropy %s%s", from >= 0 ? "think " : "", (long long)s.n,
		isnan(s.entropy) ? "·" : arena_printf(l->arena, "%.2f", s.entropy), l->cols_hint > 0 && l->cols_hint < 52 ? "" : " nat a token");
	if (k)
		d->readout = arena_printf(l->arena, "gen.token[%lld] = %s · id %lld · logprob %s · entropy %s nat%s", (long long)k->pos,
			text_token(l->arena, k, 16), (long long)k->id, isnan(k->logprob) ? "not computed" : text_six(l->arena, k->logprob),
			isnan(k->entropy) ? "not computed" : text_six(l->arena, k->entropy),
			k->draft == TOK_ACCEPTED ? " · drafted by MTP" : k->draft == TOK_REJECTED ? " · another draft was refused" : "");
	return true;
}

static void card_put(Table *t, const char *key, const char *value, CellStyle st)
{
	t->cell[t->rows * 2] = (TableCell){ key, CELL_DIM };
	t->cell[t->rows * 2 + 1] = (TableCell){ value, st };
	t->rows++;
}

static void span_rows(const Look *l, Table *t, const char *name, int64_t from, int64_t to)
{
	Span s = span_of(l->facts, from, to);
	Arena *a = l->arena;
	card_put(t, name, arena_printf(a, "%lld tokens%s%s", (long long)s.n,
		isnan(s.entropy) ? "" : arena_printf(a, " · logprob %.2f", s.logprob),
		s.drafted ? arena_printf(a, " · %lld drafted", (long long)s.drafted) : ""), CELL_STRONG);
	if (!isnan(s.entropy))
		card_put(t, "", arena_printf(a, "entropy %.3f nat a token", s.entropy), CELL_TEXT);
	if (s.worst_at >= 0 && s.worst < -0.01)
		card_put(t, "", arena_printf(a, "least sure: %s at %lld, p %.3f", text_token(a, &l->facts->tok[s.worst_at], 10),
			(long long)l->facts->tok[s.worst_at].pos, exp(s.worst)), CELL_TEXT);
}

static bool card_thought(const Look *l, Data *d)
{
	int64_t from, to, n = (int64_t)l->facts->n_tok, given = 0;
	Table *t = &d->table;
	if (n == 0) {
		d->empty = "no text yet - Enter writes a prompt";
		return true;
	}
	while (given < n && l->facts->tok[given].given)
		given++;
	source_think_span(l->facts, &from, &to);
	*t = (Table){ .cols = 2, .sel = -1, .left = { true, true }, .cell = arena_zalloc(l->arena, 32 * sizeof *t->cell) };
	if (!t->cell)
		return true;
	d->kind = DATA_TABLE;
	if (from >= 0) {
		span_rows(l, t, "think", from, to);
		if (to + 1 < n)
			span_rows(l, t, "answer", to + 1, n - 1);
		if (from > 0)
			span_rows(l, t, "before", 0, from - 1);
	} else {
		if (given < n)
			span_rows(l, t, "made", given, n - 1);
		if (given > 0)
			span_rows(l, t, "given", 0, given - 1);
	}
	d->summary = t->cell[1].s;
	d->readout = arena_printf(l->arena, "%s: %s", t->cell[0].s, t->cell[1].s);
	return true;
}

/* --- the lens --- */

typedef struct Lens { int n; json_t *json; const json_t *layer[LENS_LAYERS]; const Sample *p; int64_t row; } Lens;

static bool lens_open(const Look *l, int64_t pos, Lens *out)
{
	const Sample *x = pos < 0 ? NULL : store_pos(l->store, "lens.top", (uint64_t)pos, NULL);
	Err e = { 0 };
	*out = (Lens){ 0 };
	if (!x || x->kind != SAMPLE_TEXT || !(out->json = json_parse(x->data, x->bytes, "lens.top", E_3181, &e)))
		return false;
	const json_t *list = json_object_get(out->json, "layers");
	for (size_t i = 0; i < json_array_size(list) && out->n < LENS_LAYERS; i++)
		out->layer[out->n++] = json_array_get(list, i);
	out->p = store_pos(l->store, "lens.p", (uint64_t)pos, &out->row);
	if (out->n == 0)
		json_decref(out->json);
	return out->n > 0;
}

static const json_t *lens_top(const Lens *k, int layer, int i)
{
	return json_array_get(json_object_get(k->layer[layer], "top"), (size_t)i);
}

static int64_t lens_id(const Lens *k, int layer)
{
	const json_t *id = json_object_get(lens_top(k, layer, 0), "id");
	return id ? json_integer_value(id) : -1;
}

/* The first layer from which on the best token is the last layer's. */
static int lens_decided(const Lens *k)
{
	int i = k->n - 1;
	while (i > 0 && lens_id(k, i - 1) == lens_id(k, k->n - 1))
		i--;
	return i;
}

static const char *lens_word(const Look *l, const Lens *k, int layer, int i, int w)
{
	const json_t *v = json_object_get(lens_top(k, layer, i), "text");
	Buf b = BUF_INIT;
	if (!json_is_string(v))
		return "";
	safe_text(&b, json_string_value(v), json_string_length(v), SAFE_LF);
	FactToken as = { .text = b.s };
	const char *s = text_token(l->arena, &as, w);
	buf_done(&b);
	return s;
}

static double lens_p(const Lens *k, int layer, int i)
{
	const json_t *v = json_object_get(lens_top(k, layer, i), "p");
	return json_is_number(v) ? json_number_value(v) : NAN;
}

/* A bar of text: it can stand in a table. */
static const char *bar_text(Arena *a, double part)
{
	Buf b = BUF_INIT;
	int n = (int)(part * BAR + 0.5);
	for (int i = 0; i < BAR && i < n; i++)
		buf_adds(&b, "█");
	const char *s = arena_strdup(a, buf_str(&b));
	buf_done(&b);
	return s ? s : "";
}

static void lens_row(const Look *l, const Lens *k, int i, int decided, TableCell *c, const char **readout)
{
	Arena *a = l->arena;
	double here = k->p ? sample_num(k->p, (size_t)k->row * (size_t)k->n + (size_t)i) : NAN, best = lens_p(k, i, 0);
	int64_t rank = json_integer_value(json_object_get(k->layer[i], "rank")) + 1;
	CellStyle st = i == decided ? CELL_GOOD : i > decided ? CELL_STRONG : CELL_TEXT;
	c[0] = (TableCell){ arena_printf(a, "L%d%s", i, i == decided ? " ◂" : ""), st };
	c[1] = (TableCell){ lens_word(l, k, i, 0, 12), st };
	c[2] = (TableCell){ arena_printf(a, "%.3f", best), st };
	c[3] = (TableCell){ isnan(here) ? "·" : arena_printf(a, "%.3f", here), CELL_TEXT };
	c[4] = (TableCell){ bar_text(a, isnan(here) ? best : here), CELL_ACCENT };
	c[5] = (TableCell){ isnan(here) ? "·" : arena_printf(a, "%lld", (long long)rank), CELL_DIM };
	c[6] = (TableCell){ lens_word(l, k, i, 1, 12), CELL_DIM };
	*readout = arena_printf(a, "lens.p[%lld,%d] = %s%s · layer %d would say %s with p %s", (long long)l->sel->token, i,
		isnan(here) ? "not computed" : text_six(a, here), isnan(here) ? "" : arena_printf(a, ", rank %lld", (long long)rank), i, c[1].s,
		text_six(a, best));
}

static const char *lens_missing(const Look *l)
{
	if (l->facts->n_tok == 0)
		return "no text yet - Enter writes a prompt";
	if (l->sel->token == l->facts->tok[0].pos)
		return "nothing stands before the first token: choose a later one";
	return "not computed: :look reads the text again";
}

static bool table_lens(const Look *l, Data *d)
{
	Lens *k = arena_alloc(l->arena, sizeof *k);
	Table *t = &d->table;
	if (!k || !lens_open(l, l->sel->token, k)) {
		d->empty = lens_missing(l);
		return true;
	}
	*t = (Table){ .rows = k->n, .cols = 7, .axis = AXIS_LAYER, .sel = (int)l->sel->layer < k->n ? (int)l->sel->layer : -1,
		.head = { "layer", "says", "p", "taken", "", "rank", "second" }, .left = { true, true, false, false, true, false, true } };
	t->cell = arena_zalloc(l->arena, (size_t)k->n * 7 * sizeof *t->cell);
	t->readout = arena_zalloc(l->arena, (size_t)k->n * sizeof *t->readout);
	int decided = lens_decided(k);
	if (t->cell && t->readout)
		d->kind = DATA_TABLE;
	for (int i = 0; d->kind && i < k->n; i++)
		lens_row(l, k, i, decided, &t->cell[i * 7], &t->readout[i]);
	d->facts = arena_printf(l->arena, "decided at layer %d", decided);
	d->summary = arena_printf(l->arena, "layer %d decided on %s", decided, lens_word(l, k, decided, 0, 16));
	json_decref(k->json);
	return true;
}

static void lens_fill(const Field *f, int r, double *v, uint8_t *has)
{
	int64_t row;
	const Sample *x = store_pos(f->look->store, "lens.p", (uint64_t)f->look->facts->tok[r].pos, &row);
	for (int c = 0; x && c < f->cols; c++) {
		v[c] = sample_num(x, (size_t)row * (size_t)f->cols + (size_t)c);
		has[c] = !isnan(v[c]);
	}
}

static const char *token_label(const Field *f, int r)
{
	const FactToken *t = &f->look->facts->tok[r];
	return arena_printf(f->look->arena, "%4lld %s", (long long)t->pos, text_token(f->look->arena, t, 9));
}

static const char *lens_name(const Field *f, int r, int c)
{
	return arena_printf(f->look->arena, "lens.p[%lld,%d] of %s", (long long)f->look->facts->tok[r].pos, c,
		text_token(f->look->arena, &f->look->facts->tok[r], 12));
}

static bool field_lens(const Look *l, Data *d)
{
	const Sample *x = store_last(l->store, "lens.p");
	if (!x || x->rank != 2 || x->shape[1] < 1 || x->shape[1] > LENS_LAYERS || l->facts->n_tok == 0) {
		d->empty = lens_missing(l);
		return true;
	}
	d->kind = DATA_FIELD;
	d->field = (Field){ .rows = (int)l->facts->n_tok, .cols = (int)x->shape[1], .fill = lens_fill, .row_label = token_label, .name = lens_name,
		.label_w = 14, .row_axis = AXIS_TOKEN, .col_axis = AXIS_LAYER, .row_sel = (int)facts_find(l->facts, l->sel->token),
		.col_sel = (int)l->sel->layer, .hi = 1, .look = l, .row_name = "token", .col_name = "layer" };
	d->field.row = arena_zalloc(l->arena, (size_t)d->field.rows * sizeof *d->field.row);
	d->facts = "by layer, 0 to 1";
	return true;
}

/* --- the way through the experts --- */

static void trail_fill(const Field *f, int r, double *v, uint8_t *has)
{
	const Look *l = f->look;
	int64_t row, at;
	char topic[64];
	uint64_t pos = (uint64_t)l->sel->token;
	snprintf(topic, sizeof topic, "layers.%lld.moe.topk", (long long)f->layer + r);
	const Sample *k = store_pos(l->store, topic, pos, &row);
	snprintf(topic, sizeof topic, "layers.%lld.moe.weights", (long long)f->layer + r);
	const Sample *w = store_pos(l->store, topic, pos, &at);
	int n = k && k->rank == 2 ? (int)k->shape[1] : 0;
	for (int i = 0; i < n; i++) {
		double e = sample_num(k, (size_t)row * (size_t)n + (size_t)i);
		if (!(e >= 0 && e < f->cols))
			continue;
		v[(int)e] = w && w->rank == 2 && (int)w->shape[1] == n ? sample_num(w, (size_t)at * (size_t)n + (size_t)i) : 1;
		has[(int)e] = 1;
	}
}

static const char *layer_label(const Field *f, int r)
{
	return arena_printf(f->look->arena, "L%lld", (long long)f->layer + r);
}

static const char *trail_name(const Field *f, int r, int c)
{
	return arena_printf(f->look->arena, "layers.%lld.moe.weights[%lld,%d]", (long long)f->layer + r, (long long)f->look->sel->token, c);
}

static bool field_trail(const Look *l, Data *d)
{
	const FactCard *k = &l->facts->card;
	int rows = (int)(k->layers - k->first_dense), group = k->n_group > 1 && k->experts % k->n_group == 0 ? (int)(k->experts / k->n_group) : 0;
	if (!k->have || k->experts < 1 || rows < 1) {
		d->empty = k->have ? "no experts in this model" : "no model yet - o opens one";
		return true;
	}
	d->kind = DATA_FIELD;
	d->field = (Field){ .rows = rows, .cols = (int)k->experts, .fill = trail_fill, .row_label = layer_label, .name = trail_name, .label_w = 4,
		.row_axis = AXIS_LAYER, .col_axis = AXIS_EXPERT, .row_sel = (int)(l->sel->layer - k->first_dense), .col_sel = (int)l->sel->expert,
		.group = group, .sparse = true, .look = l, .layer = k->first_dense, .row_name = "layer", .col_name = "expert" };
	d->field.row = arena_zalloc(l->arena, (size_t)rows * sizeof *d->field.row);
	const FactToken *t = token_now(l);
	d->facts = t ? text_token(l->arena, t, 14) : NULL;
	return true;
}

/* --- branches --- */

typedef struct Order { const FactTree *t; int row[256], depth[256], n; } Order;

static void order_walk(Order *o, int64_t parent, int depth)
{
	for (int i = 0; i < o->t->n && depth < 64; i++)
		if (o->t->b[i].parent == parent && o->n < 256 && o->t->b[i].run != parent) {
			o->row[o->n] = i;
			o->depth[o->n++] = depth;
			order_walk(o, o->t->b[i].run, depth + 1);
		}
}

int64_t source_branch_at(const FactTree *t, int row)
{
	Order o = { .t = t };
	order_walk(&o, 0, 0);
	return row >= 0 && row < o.n ? t->b[o.row[row]].run : 0;
}

/* Of a branch: its own text in one line; of the root its end, which is what the others left. */
static const char *branch_text(const Look *l, const FactBranch *b, int w)
{
	const char *s = b->text ? b->text : "";
	size_t n = strlen(s), keep = (size_t)(w > 8 ? w : 8);
	if (b->parent == 0 && n > keep) {
		s += n - keep;
		while (((unsigned char)*s & 0xc0) == 0x80)
			s++;
	}
	FactToken as = { .text = (char *)(uintptr_t)s };
	return text_token(l->arena, &as, w);
}

static void branch_row(const Look *l, const FactBranch *b, int depth, TableCell *c)
{
	Arena *a = l->arena;
	bool now = b->run == l->facts->run.number;
	CellStyle st = now ? CELL_STRONG : CELL_TEXT;
	c[0] = (TableCell){ arena_printf(a, "%*s%s%lld", 2 * depth, "", now ? "▸" : depth ? "└" : " ", (long long)b->run), st };
	c[1] = (TableCell){ b->parent ? arena_printf(a, "%lld", (long long)b->from) : "-", CELL_DIM };
	c[2] = (TableCell){ arena_printf(a, "%lld", (long long)b->tokens), st };
	c[3] = (TableCell){ b->chosen > 0 ? arena_printf(a, "%.3f", b->logprob / (double)b->chosen) : "·", st };
	c[4] = (TableCell){ *b->finish ? b->finish : "goes on", CELL_DIM };
	c[5] = (TableCell){ branch_text(l, b, l->cols_hint > 60 ? l->cols_hint - 34 - 2 * depth : 30), st };
}

static bool table_branches(const Look *l, Data *d)
{
	Order *o = arena_zalloc(l->arena, sizeof *o);
	Table *t = &d->table;
	if (!o || l->facts->trace.tree.n == 0) {
		d->empty = "b goes on from the selected token with another one";
		return true;
	}
	o->t = &l->facts->trace.tree;
	order_walk(o, 0, 0);
	*t = (Table){ .rows = o->n, .cols = 6, .axis = AXIS_LOCAL, .sel = -1, .head = { "run", "from", "tokens", "logprob", "ended", "its own text" },
		.left = { true, false, false, false, true, true }, .cell = arena_zalloc(l->arena, (size_t)o->n * 6 * sizeof *t->cell),
		.readout = arena_zalloc(l->arena, (size_t)o->n * sizeof *t->readout) };
	if (!t->cell || !t->readout)
		return true;
	d->kind = DATA_TABLE;
	for (int i = 0; i < o->n; i++) {
		const FactBranch *b = &o->t->b[o->row[i]];
		branch_row(l, b, o->depth[i], &t->cell[i * 6]);
		t->readout[i] = arena_printf(l->arena, "run %lld%s · logprob %s nat a token · T shows it: %s", (long long)b->run,
			b->parent ? arena_printf(l->arena, " left run %lld at position %lld", (long long)b->parent, (long long)b->from) : "",
			t->cell[i * 6 + 3].s, branch_text(l, b, 60));
	}
	d->facts = arena_printf(l->arena, "%d text%s · b branches", o->n, o->n == 1 ? "" : "s");
	d->summary = arena_printf(l->arena, "%d branches", o->n - 1);
	return true;
}

/* --- two texts side by side, from where they part --- */

/* Bytes of s in w columns, to a line feed at most. */
static size_t fit(const char *s, int w)
{
	char g[CELL_BYTES];
	size_t n = strcspn(s, "\n"), at = 0;
	for (int cols = 0, gw; at < n; cols += gw) {
		size_t u = text_grapheme(s + at, n - at, g, &gw);
		if (!u || cols + gw > w)
			return at ? at : n;
		at += u;
	}
	return n;
}

static int wrap(const Look *l, const char *s, int w, const char **line, int most)
{
	int n = 0;
	while (*s && n < most) {
		size_t k = fit(s, w);
		line[n++] = arena_printf(l->arena, "%.*s", (int)k, s);
		s += k;
		s += *s == '\n';
	}
	return n;
}

/* This run's text from position `from` on. */
static const char *text_from(const Look *l, int64_t from)
{
	Buf b = BUF_INIT;
	for (size_t i = 0; i < l->facts->n_tok && b.len < 4096; i++)
		if (l->facts->tok[i].pos >= from && l->facts->tok[i].text)
			buf_adds(&b, l->facts->tok[i].text);
	const char *s = arena_strdup(l->arena, buf_str(&b));
	buf_done(&b);
	return s ? s : "";
}

/* The run whose child on the way to b it is; 0: b is a root. */
static int64_t way_from(const FactTree *t, const FactBranch *b, int64_t of)
{
	for (int i = 0; b && i < t->n; i++) {
		if (b->parent == of)
			return b->from;
		b = fact_branch(t, b->parent);
	}
	return -1;
}

static bool is_above(const FactTree *t, int64_t run, const FactBranch *b)
{
	for (int i = 0; b && i <= t->n; i++) {
		if (b->run == run)
			return true;
		b = fact_branch(t, b->parent);
	}
	return false;
}

/* Where two texts part: at the branch of one or the other from the last text that both are of. */
static int64_t part_at(const FactTree *t, const FactBranch *a, const FactBranch *b)
{
	int64_t of = a->run;
	for (int i = 0; i < t->n && !is_above(t, of, b); i++) {
		const FactBranch *x = fact_branch(t, of);
		of = x ? x->parent : 0;
	}
	int64_t x = way_from(t, a, of), y = way_from(t, b, of);
	return x < 0 ? y : y < 0 ? x : x < y ? x : y;
}

/* The branch under the cursor; else the newest that left this run, or the one that this run left. */
static const FactBranch *other_side(const Look *l, int64_t *from)
{
	const FactTree *t = &l->facts->trace.tree;
	const FactBranch *own = fact_branch(t, l->facts->run.number), *other = NULL;
	if (!own)
		return NULL;
	for (int i = 0; i < t->n; i++)
		if (t->b[i].parent == own->run)
			other = &t->b[i];
	other = other ? other : fact_branch(t, own->parent);
	if (l->sel->branch && l->sel->branch != own->run && fact_branch(t, l->sel->branch))
		other = fact_branch(t, l->sel->branch);
	*from = other ? part_at(t, own, other) : 0;
	return other;
}

/* What the other one says from there on: its own part; of one that this text left, what is behind that position. */
static const char *other_text(const Look *l, const FactBranch *b, int64_t from)
{
	const char *s = b->text ? b->text : "";
	size_t skip = 0;
	if (b->from > from)
		return arena_printf(l->arena, "…%s", s);
	for (size_t i = 0; i < l->facts->n_tok && l->facts->tok[i].pos < from; i++)
		skip += l->facts->tok[i].pos >= b->from && l->facts->tok[i].text ? strlen(l->facts->tok[i].text) : 0;
	return strlen(s) > skip ? s + skip : "";
}

static bool table_beside(const Look *l, Data *d)
{
	int64_t from = 0;
	const FactBranch *b = other_side(l, &from);
	int w = (l->cols_hint > 24 ? l->cols_hint : 60) / 2 - 2, rows;
	const char **left = arena_zalloc(l->arena, LINES_MAX * sizeof *left), **right = arena_zalloc(l->arena, LINES_MAX * sizeof *right);
	Table *t = &d->table;
	if (!b || !left || !right) {
		d->empty = "no other text to set beside this one: b makes a branch";
		return true;
	}
	int a = wrap(l, text_from(l, from), w, left, LINES_MAX), o = wrap(l, other_text(l, b, from), w, right, LINES_MAX);
	rows = a > o ? a : o;
	*t = (Table){ .rows = rows, .cols = 2, .axis = AXIS_LOCAL, .sel = -1, .left = { true, true },
		.head = { arena_printf(l->arena, "%-*s", w, arena_printf(l->arena, "run %lld", (long long)l->facts->run.number)),
			arena_printf(l->arena, "run %lld", (long long)b->run) },
		.cell = arena_zalloc(l->arena, (size_t)(rows + 1) * 2 * sizeof *t->cell) };
	if (!t->cell)
		return true;
	d->kind = DATA_TABLE;
	for (int i = 0; i < rows; i++) {
		t->cell[2 * i] = (TableCell){ left[i], CELL_TEXT };
		t->cell[2 * i + 1] = (TableCell){ right[i], CELL_ACCENT };
	}
	d->facts = arena_printf(l->arena, "from position %lld, where they part", (long long)from);
	d->readout = arena_printf(l->arena, "at %lld: %s here, %s there", (long long)from, rows && left[0] ? left[0] : "nothing",
		rows && right[0] ? right[0] : "nothing");
	return true;
}

bool source_trace(const Look *l, const char *name, Data *d)
{
	static const struct { const char *name; bool (*make)(const Look *, Data *); } table[] = {
		{ "trace", text_trace }, { "thought", card_thought }, { "lens", table_lens }, { "lens_map", field_lens }, { "trail", field_trail },
		{ "branches", table_branches },
	};
	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		if (strcmp(table[i].name, name) == 0)
			return table[i].make(l, d);
	return table_beside(l, d);
}
