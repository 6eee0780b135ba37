/* source_mla.c - Multi-head Latent Attention laid open: who looks where, how many directions of the latent a
 * text uses and each head reads, and what the naive and the absorbed form cost and differ by (DeepSeek-V2
 * report 2.1; reference figures of the forms: one new token, multiply and add count as two). */
#include "num/eigen.h"
#include "view/probe_rows.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* LOOK_READS: tokens of the beginning that the engine reads again on request (LOOK_TOKENS of engine/look.c). */
enum { BF16_BYTES = 2, LOOK_READS = 1024, HEADS_VALUES = 100000 /* that the table of heads looks at in a frame */ };

static const char *not_here(const Look *l, const char *what)
{
	if (l->replay)
		return arena_printf(l->arena,
			"%s of layer %lld is not in this recording - record with --watch \"+ layers.*.%s\"",
			what, (long long)l->sel->layer,
			strcmp(what, "attention") == 0 ? "attn.probs" : "latent.*");
	if (l->facts->n_tok > LOOK_READS && strcmp(what, "attention") == 0)
		return arena_printf(l->arena, "%s of layer %lld not computed - a does it for the first %d of %zu tokens", what,
			(long long)l->sel->layer, LOOK_READS, l->facts->n_tok);
	return arena_printf(l->arena, "%s of layer %lld not computed for this text - a does it", what,
		(long long)l->sel->layer);
}

static const char *tok_text(const Look *l, int i, int w)
{
	return i >= 0 && (size_t)i < l->facts->n_tok ? text_token(l->arena, &l->facts->tok[i], w) : "?";
}

/* --- attention maps --- */

typedef struct Maps {
	ProbeRows rows;
	int head, heads;
} Maps;

/* Weight of key c under query r; NaN: not recorded. Keys behind the query cannot be looked at. */
static double map_at(const Maps *m, int r, int head, int c)
{
	const RowAt *at = &m->rows.row[r];
	size_t keys = at->x ? at->x->shape[at->x->rank - 1] : 0;
	return (size_t)c < keys && c <= r ? sample_num(at->x, at->at + (size_t)head * keys + (size_t)c) : NAN;
}

static void map_fill(const Field *f, int r, double *v, uint8_t *has)
{
	const Maps *m = f->ud;
	for (int c = 0; c <= r && c < f->cols; c++) {
		double x = map_at(m, r, m->head, c);
		has[c] = m->rows.row[r].x && !isnan(x);
		v[c] = has[c] ? x : 0;
	}
}

static const char *map_label(const Field *f, int r)
{
	return arena_printf(
		f->look->arena, "%4lld %s", (long long)f->look->facts->tok[r].pos, tok_text(f->look, r, 8));
}

static const char *map_name(const Field *f, int r, int c)
{
	const Maps *m = f->ud;
	const FactToken *t = f->look->facts->tok;
	return arena_printf(f->look->arena, "layers.%lld.attn.probs[%lld·%d,%lld] %s %s %s",
		(long long)f->layer, (long long)t[r].pos, m->head, (long long)t[c].pos,
		tok_text(f->look, r, 10), c > r ? "comes before" : "looks at", tok_text(f->look, c, 10));
}

static Maps *maps_make(const Look *l)
{
	bool made;
	Maps *m = look_memo(l, "maps", sizeof *m, &made);
	if (!m || !made)
		return m && m->rows.row ? m : NULL;
	m->heads = (int)l->facts->card.heads;
	m->head = (int)l->sel->head;
	m->rows = layer_rows(l, l->sel->layer, "attn.probs", m->heads);
	return m->rows.row ? m : NULL;
}

static double map_entropy(const Maps *m, int r, int head)
{
	double h = 0;
	for (int c = 0; c <= r; c++) {
		double p = map_at(m, r, head, c);
		h -= p > 0 ? p * log(p) : 0;
	}
	return h;
}

/* A look reads the text's beginning: at a selected token behind that the map would be blank. Says what there is instead; the map
 * stays as long as some of it is in sight. */
static bool map_beyond(const Look *l, const Maps *m, Data *d)
{
	int64_t at = facts_find(l->facts, l->sel->token), last = at;
	if (at < 0 || m->rows.row[at].x)
		return false;
	while (last >= 0 && !m->rows.row[last].x)
		last--;
	if (last < 0)
		return false;
	long long pos = (long long)l->facts->tok[last].pos;
	d->readout = arena_printf(l->arena, "attention of token %lld not computed · :token %lld is the last that was",
		(long long)l->sel->token, pos);
	d->facts = arena_printf(l->arena, "%d of %zu tokens", m->rows.found, l->facts->n_tok);
	if (l->rows_hint > 0 && at - last < l->rows_hint / 2)
		return false;
	d->empty = l->replay ? arena_printf(l->arena, "recorded of %d of %zu tokens - :token %lld goes there", m->rows.found, l->facts->n_tok, pos)
		: arena_printf(l->arena, "computed of %d of %zu tokens - a reads the first %d - :token %lld goes there", m->rows.found,
			l->facts->n_tok, LOOK_READS, pos);
	return true;
}

static bool field_attention(const Look *l, Data *d)
{
	Maps *m = maps_make(l);
	int n = (int)l->facts->n_tok;
	if (!m) {
		d->empty = not_here(l, "attention");
		return true;
	}
	if (map_beyond(l, m, d))
		return true;
	d->kind = DATA_FIELD;
	d->field = (Field){ .rows = n,
		.cols = n,
		.fill = map_fill,
		.row_label = map_label,
		.name = map_name,
		.label_w = 13,
		.row_axis = AXIS_TOKEN,
		.col_axis = AXIS_LOCAL,
		.row_sel = (int)facts_find(l->facts, l->sel->token),
		.col_sel = 0,
		.blank = true,
		.look = l,
		.layer = l->sel->layer,
		.ud = m,
		.back = true,
		.row_name = "query",
		.col_name = "key" };
	d->field.row = arena_zalloc(l->arena, (size_t)n * sizeof *d->field.row);
	int r = d->field.row_sel;
	if (r >= 0 && m->rows.row[r].x)
		d->facts = arena_printf(l->arena, "token %lld: %.2f nat", (long long)l->sel->token,
			map_entropy(m, r, m->head));
	return true;
}

/* --- heads: where each looks, as means over queries --- */

typedef struct HeadMeans {
	double entropy, reach, first, self;
	int n;
} HeadMeans;

static HeadMeans head_means(const Look *l, const Maps *m, int head, int from, int n)
{
	char key[32];
	bool made;
	snprintf(key, sizeof key, "head %d", head);
	HeadMeans *keep = look_memo(l, key, sizeof *keep, &made), k = { 0 };
	if (keep && !made)
		return *keep;
	for (int r = from; r < n; r++) {
		if (!m->rows.row[r].x)
			continue;
		for (int c = 0; c <= r; c++) {
			double p = map_at(m, r, head, c);
			k.entropy -= p > 0 ? p * log(p) : 0;
			k.reach += p > 0 ? p * (r - c) : 0;
		}
		k.first += map_at(m, r, head, 0);
		k.self += map_at(m, r, head, r);
		k.n++;
	}
	if (keep)
		*keep = k;
	return k;
}

static const Sample *latent_sample(const Look *l, const char *what, int rank)
{
	char topic[64];
	snprintf(topic, sizeof topic, "layers.%lld.latent.%s", (long long)l->sel->layer, what);
	const Sample *x = store_last(l->store, topic);
	return x && x->kind == SAMPLE_TENSOR && x->rank == rank && x->shape[rank - 1] > 0 &&
			x->shape[rank - 1] <= 4096
		? x
		: NULL;
}

static double *latent_row(const Look *l, const Sample *x, size_t row, int *n)
{
	*n = x ? (int)x->shape[x->rank - 1] : 0;
	double *v = *n ? arena_zalloc(l->arena, (size_t)*n * sizeof *v) : NULL;
	for (int i = 0; v && i < *n; i++)
		v[i] = sample_num(x, row * (size_t)*n + (size_t)i);
	return v;
}

/* Directions of the latent that a head reads, counted as its effective rank; NaN: not computed. */
static double head_directions(const Look *l, const Sample *x, int head, int *of)
{
	double *v = x && (uint32_t)head < x->shape[0] ? latent_row(l, x, (size_t)head, of) : NULL;
	return v ? eigen_effective_rank(v, *of, true) : NAN;
}

static void heads_row(const Look *l, Table *t, const Maps *m, int head, int from, int end)
{
	TableCell *c = &t->cell[head * t->cols];
	int of = 0;
	double use = head_directions(l, latent_sample(l, "heads", 2), head, &of);
	HeadMeans k = m ? head_means(l, m, head, from, end) : (HeadMeans){ 0 };
	c[0] = (TableCell){ arena_printf(l->arena, "%d", head), CELL_ACCENT };
	c[1].s = c[2].s = c[3].s = c[4].s = "·";
	if (k.n) {
		c[1].s = arena_printf(l->arena, "%.2f", k.entropy / k.n);
		c[2].s = arena_printf(l->arena, "%.1f", k.reach / k.n);
		c[3].s = arena_printf(l->arena, "%.0f%%", 100 * k.first / k.n);
		c[4].s = arena_printf(l->arena, "%.0f%%", 100 * k.self / k.n);
	}
	c[5].s = isnan(use) ? "·" : arena_printf(l->arena, "%.0f%%", 100 * use / of);
	if (t->readout)
		t->readout[head] = arena_printf(l->arena,
			"layer %lld head %d: entropy %s nat · %s tokens back on average · first token %s · "
			"itself %s%s",
			(long long)l->sel->layer, head, c[1].s, c[2].s, c[3].s, c[4].s,
			isnan(use) ? "" : arena_printf(l->arena, " · reads %.1f of %d directions", use, of));
}

/* The first of the newest queries that together have HEADS_VALUES weights. */
static int heads_from(int n, int heads)
{
	int from = n;
	for (double sum = 0; from > 0 && (sum += (double)from * heads) < HEADS_VALUES;)
		from--;
	return from == n && n > 0 ? n - 1 : from;
}

/* Behind the last token up to the selected one whose attention is there; when there is none, behind the text. */
static int maps_end(const Look *l, const Maps *m)
{
	int64_t at = facts_find(l->facts, l->sel->token);
	while (m && at >= 0 && !m->rows.row[at].x)
		at--;
	return m && at >= 0 && l->facts->n_tok > LOOK_READS ? (int)at + 1 : (int)l->facts->n_tok;
}

static bool table_heads(const Look *l, Data *d)
{
	const FactCard *k = &l->facts->card;
	Maps *m = maps_make(l);
	int n = (int)k->heads, end = maps_end(l, m), from = heads_from(end, n);
	Table *t = &d->table;
	if (!m && !latent_sample(l, "heads", 2)) {
		d->empty = not_here(l, "attention");
		return true;
	}
	d->kind = DATA_TABLE;
	*t = (Table){ .rows = n,
		.cols = 6,
		.sel = (int)l->sel->head,
		.axis = AXIS_HEAD,
		.head = { "head", "nat", "back", "first", "self", "latent" },
		.left = { false } };
	t->cell = arena_zalloc(l->arena, (size_t)n * 6 * sizeof *t->cell);
	t->readout = arena_zalloc(l->arena, (size_t)n * sizeof *t->readout);
	for (int i = 0; t->cell && i < n; i++)
		heads_row(l, t, m, i, from, end);
	if (!t->cell)
		t->rows = 0;
	d->facts = arena_printf(l->arena, "mean of %d queries",
		m ? m->rows.found < end - from ? m->rows.found : end - from : 0);
	d->summary = t->readout ? t->readout[l->sel->head < n ? l->sel->head : 0] : NULL;
	return true;
}

/* --- the latent --- */

static void reads_fill(const Field *f, int r, double *v, uint8_t *has)
{
	const Sample *x = f->ud;
	for (int c = 0; c < f->cols && (uint32_t)r < x->shape[0]; c++) {
		v[c] = sample_num(x, (size_t)r * (size_t)f->cols + (size_t)c);
		has[c] = 1;
	}
}

static const char *reads_label(const Field *f, int r)
{
	return arena_printf(f->look->arena, "h%d", r);
}

static const char *reads_name(const Field *f, int r, int c)
{
	return arena_printf(f->look->arena, "layers.%lld.latent.heads[%d,%d] direction %d of the text",
		(long long)f->layer, r, c, c);
}

static bool field_reads(const Look *l, Data *d)
{
	const Sample *x = latent_sample(l, "heads", 2);
	if (!x || x->shape[0] > 4096) {
		d->empty = not_here(l, "use of the latent");
		return true;
	}
	d->kind = DATA_FIELD;
	d->field = (Field){ .rows = (int)x->shape[0],
		.cols = (int)x->shape[1],
		.fill = reads_fill,
		.row_label = reads_label,
		.name = reads_name,
		.label_w = x->shape[0] > 10 ? x->shape[0] > 100 ? 4 : 3 : 2,
		.row_axis = AXIS_HEAD,
		.col_axis = AXIS_LOCAL,
		.row_sel = (int)l->sel->head,
		.look = l,
		.layer = l->sel->layer,
		.ud = x,
		.row_name = "head",
		.col_name = "direction",
		.unit = "of its reading" };
	d->field.row = arena_zalloc(l->arena, (size_t)d->field.rows * sizeof *d->field.row);
	d->facts = arena_printf(l->arena, "%llu tokens", (unsigned long long)x->step);
	return true;
}

typedef struct Spectrum {
	double *s;
	int n;
	bool squared;
} Spectrum;

/* Of c_KV the energies, squares of singular values; of the weights singular values. */
static Spectrum spectrum_of(const Look *l, const char *what)
{
	Spectrum p = { .squared = strcmp(what, "energy") == 0 };
	p.s = latent_row(l, latent_sample(l, what, 1), 0, &p.n);
	return p;
}

/* How many of the largest carry this part of the energy. */
static int spectrum_carry(const Spectrum *p, double part)
{
	double sum = 0, have = 0;
	int i = 0;
	for (int k = 0; k < p->n; k++)
		sum += p->squared ? p->s[k] : p->s[k] * p->s[k];
	for (; i < p->n && have < part * sum; i++)
		have += p->squared ? p->s[i] : p->s[i] * p->s[i];
	return i;
}

/* As a part of the largest. A text of fewer tokens than the latent is wide has no more directions than tokens:
 * what is left of the others is rounding, and not drawn. */
static double spectrum_at(const Line *line, int i)
{
	const Spectrum *p = line->ud;
	double x = p->n && p->s[0] > 0 ? p->s[i] / p->s[0] : 0;
	x = p->squared ? sqrt(x > 0 ? x : 0) : x;
	return x > 1e-6 ? x : NAN;
}

static const char *const spectrum_names[][2] = { { "energy", "c_KV" }, { "W_DKV", "DKV" },
	{ "W_UKV", "UKV" } };

static bool series_spectrum(const Look *l, Data *d)
{
	d->kind = DATA_SERIES;
	d->series = (Series){ .sel = -1, .axis = AXIS_LOCAL, .whole = true, .x_name = "direction" };
	for (int i = 0; i < 3; i++) {
		Spectrum *p = arena_alloc(l->arena, sizeof *p);
		if (!p)
			break;
		*p = spectrum_of(l, spectrum_names[i][0]);
		if (p->s)
			d->series.line[d->series.n++] =
				(Line){ spectrum_names[i][1], NULL, p->n, spectrum_at, p };
	}
	if (d->series.n == 0) {
		d->kind = DATA_NONE;
		d->empty = not_here(l, "spectrum");
	}
	d->facts = "of the largest";
	return true;
}

static bool table_ranks(const Look *l, Data *d)
{
	Table *t = &d->table;
	const Sample *x = latent_sample(l, "energy", 1);
	*t = (Table){ .cols = 4,
		.sel = -1,
		.axis = AXIS_LOCAL,
		.head = { "", "eff. rank", "90%", "99%" },
		.left = { true } };
	t->cell = arena_zalloc(l->arena, 12 * sizeof *t->cell);
	t->readout = arena_zalloc(l->arena, 3 * sizeof *t->readout);
	for (int i = 0; t->cell && t->readout && i < 3; i++) {
		Spectrum p = spectrum_of(l, spectrum_names[i][0]);
		TableCell *c = &t->cell[t->rows * 4];
		if (!p.s)
			continue;
		double rank = eigen_effective_rank(p.s, p.n, p.squared);
		c[0] = (TableCell){ i ? spectrum_names[i][0] : "c_KV", CELL_DIM };
		c[1] = (TableCell){ arena_printf(l->arena, "%.1f of %d", rank, p.n), CELL_STRONG };
		c[2].s = arena_printf(l->arena, "%d", spectrum_carry(&p, 0.9));
		c[3].s = arena_printf(l->arena, "%d", spectrum_carry(&p, 0.99));
		t->readout[t->rows++] = arena_printf(l->arena,
			"layer %lld %s: effective rank %.4f of %d · %s directions carry 90 %%, %s carry 99 "
			"%% of the energy",
			(long long)l->sel->layer, c[0].s, rank, p.n, c[2].s, c[3].s);
	}
	d->kind = t->rows ? DATA_TABLE : DATA_NONE;
	if (!t->rows)
		d->empty = not_here(l, "spectrum");
	else if (x)
		d->facts = arena_printf(l->arena, "%llu tokens", (unsigned long long)x->step);
	d->summary = t->rows ? t->readout[0] : NULL;
	return true;
}

/* --- the two forms --- */

static const char *text_flop(Arena *a, double n)
{
	return n < 1e3     ? arena_printf(a, "%.0f", n)
		: n < 1e6  ? arena_printf(a, "%.3g K", n / 1e3)
		: n < 1e9  ? arena_printf(a, "%.3g M", n / 1e6)
		: n < 1e12 ? arena_printf(a, "%.3g G", n / 1e9)
			   : arena_printf(a, "%.3g T", n / 1e12);
}

typedef struct FormCost {
	const char *name, *what;
	double flop, read, kept;
} FormCost;

/* One new token behind S, all layers. Reference: cost of MLA's forms, from the shapes alone. */
static void forms_cost(const FactCard *k, double S, FormCost f[3])
{
	double H = (double)k->heads, n = (double)k->nope, v = (double)k->v, p = (double)k->rope,
	       r = (double)k->kv_rank, L = (double)k->layers;
	double fold = 2 * r * H * (n + v), heads = 2 * H * (n + p + v), latent = r + p,
	       wide = H * (n + p + v);
	f[0] = (FormCost){ "naive", "the latent is kept and expanded anew for each token",
		L * (fold + heads) * S, L * latent * S * BF16_BYTES, L * latent * BF16_BYTES };
	f[1] = (FormCost){ "naive, kept", "expanded keys and values are kept, as plain attention does",
		L * (fold + heads * S), L * wide * S * BF16_BYTES, L * wide * BF16_BYTES };
	f[2] = (FormCost){ "absorbed", "the latent itself is key and value",
		L * (fold + 2 * H * (2 * r + p) * S), L * latent * S * BF16_BYTES, L * latent * BF16_BYTES };
}

static bool forms_stale(const Look *l)
{
	const Sample *run = store_last(l->store, STORE_RUN), *forms = store_last(l->store, "engine.forms");
	return run && forms && forms->time < run->time;
}

static const char *forms_line(const Look *l)
{
	const FactForms *f = &l->facts->forms;
	if (!f->have || forms_stale(l))
		return l->replay ? "the two forms were not compared when this was recorded"
				 : "the two are not compared on this text yet - a does it";
	return arena_printf(l->arena, "on %lld tokens: logits within %.1e, KL %.1e nat, %lld route%s flipped",
		(long long)f->tokens, f->logits, f->kl, (long long)f->flipped, f->flipped == 1 ? "" : "s");
}

static void forms_lines(const Look *l, Table *t)
{
	const FactForms *f = &l->facts->forms;
	bool have = f->have && !forms_stale(l);
	t->line[t->n_lines++] = have
		? arena_printf(l->arena, "%lld tokens: logits within %.1e", (long long)f->tokens, f->logits)
		: "not compared on this text";
	t->line[t->n_lines++] = have ? arena_printf(l->arena, "KL %.1e nat · %lld route%s flipped", f->kl,
					       (long long)f->flipped, f->flipped == 1 ? "" : "s")
		: l->replay          ? "when it was recorded"
				     : "a runs it in both forms";
}

static bool table_forms(const Look *l, Data *d)
{
	FormCost f[3];
	Table *t = &d->table;
	forms_cost(&l->facts->card, (double)l->sel->context, f);
	d->kind = DATA_TABLE;
	*t = (Table){ .rows = 3,
		.cols = 5,
		.sel = -1,
		.axis = AXIS_LOCAL,
		.head = { "form", "FLOP", "read", "a token", "FLOP/B" },
		.left = { true } };
	t->cell = arena_zalloc(l->arena, 15 * sizeof *t->cell);
	t->readout = arena_zalloc(l->arena, 3 * sizeof *t->readout);
	t->line = arena_zalloc(l->arena, 2 * sizeof *t->line);
	if (!t->cell || !t->readout || !t->line) {
		t->rows = 0;
		return true;
	}
	for (int i = 0; i < 3; i++) {
		TableCell *c = &t->cell[i * 5];
		c[0] = (TableCell){ f[i].name, CELL_ACCENT };
		c[1].s = text_flop(l->arena, f[i].flop);
		c[2].s = text_bytes(l->arena, f[i].read);
		c[3].s = text_bytes(l->arena, f[i].kept);
		c[4].s = arena_printf(
			l->arena, f[i].flop / f[i].read < 100 ? "%.1f" : "%.0f", f[i].flop / f[i].read);
		t->readout[i] = arena_printf(l->arena,
			"%s: %s · attention of one token after %lld, %lld layers: %.4g FLOP, %s read",
			f[i].name, f[i].what, (long long)l->sel->context, (long long)l->facts->card.layers,
			f[i].flop, text_bytes(l->arena, f[i].read));
	}
	forms_lines(l, t);
	d->across = AXIS_CONTEXT;
	d->facts = arena_printf(l->arena, "1 token after %s · BF16",
		l->sel->context % 1024
			? text_count(l->arena, (double)l->sel->context)
			: arena_printf(l->arena, "%lldK", (long long)(l->sel->context / 1024)));
	d->summary = forms_line(l);
	return true;
}

static bool items_forms(const Look *l, Data *d)
{
	const FactForms *f = &l->facts->forms;
	if (!f->have || f->n_layers == 0 || forms_stale(l)) {
		d->empty = forms_line(l);
		return true;
	}
	d->kind = DATA_ITEMS;
	d->items = (Items){ .n = f->n_layers,
		.sel = (int)l->sel->layer,
		.axis = AXIS_LAYER,
		.log = true,
		.item = arena_zalloc(l->arena, (size_t)f->n_layers * sizeof(Item)) };
	for (int i = 0; d->items.item && i < f->n_layers; i++) {
		Item *it = &d->items.item[i];
		it->label = arena_printf(l->arena, "L%d", i);
		it->x = f->layer[i];
		it->value = arena_printf(l->arena, "%.1e", f->layer[i]);
		it->color = -1;
		it->readout = arena_printf(l->arena,
			"layers.%d.attn.out: naive and absorbed differ by %.3e of its length, over %lld "
			"tokens",
			i, f->layer[i], (long long)f->tokens);
	}
	d->items.n = d->items.item ? f->n_layers : 0;
	d->facts = arena_printf(l->arena, "%lld tokens", (long long)f->tokens);
	return true;
}

bool source_mla(const Look *l, const char *name, Data *d)
{
	static const struct {
		const char *name;
		bool (*make)(const Look *, Data *);
		bool text;
	} table[] = {
		{ "attention", field_attention, true },
		{ "heads", table_heads, true },
		{ "reads", field_reads, true },
		{ "spectrum", series_spectrum, true },
		{ "ranks", table_ranks, true },
		{ "forms", table_forms, false },
		{ "form_error", items_forms, true },
	};
	const FactCard *k = &l->facts->card;
	if (!k->have) {
		d->empty = "no model yet - o opens one";
		return true;
	}
	bool plain = k->kv_rank < 1 || (k->attention[0] && strcmp(k->attention, "mla") != 0);
	if (plain) {
		d->empty = arena_printf(l->arena, "this model has no latent: its attention is %s",
			k->attention[0] ? k->attention : "plain");
		return true;
	}
	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		if (strcmp(table[i].name, name) == 0) {
			if (table[i].text && l->facts->n_tok == 0)
				d->empty = "no text yet - Enter writes a prompt";
			else
				table[i].make(l, d);
		}
	return true;
}
