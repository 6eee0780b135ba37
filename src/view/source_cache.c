/* source_cache.c - what the KV cache costs: for this model under each attention scheme, for published
 * models, and the live one. Elements per token come with the model's card (kv of config_kv); bytes are
 * elements times the cache's element size. */
#include "view/data.h"
#include <math.h>
#include <string.h>

enum { BF16_BYTES = 2 };

/* Bytes per token as measured: 0 when there is no cache yet. */
static double live_per_token(const Look *l)
{
	const FactStats *s = &l->facts->stats;
	int64_t n = (int64_t)l->facts->n_tok;
	if (s->prompt + s->generated > 0)
		n = s->prompt + s->generated;
	const Sample *x = store_last(l->store, "kv.bytes");
	double used = x ? sample_num(x, 0) : (double)s->kv_bytes;
	return n > 0 && used > 0 ? used / (double)n : 0;
}

static const char *bar_value(const Look *l, double per_token, double total)
{
	return arena_printf(l->arena, "%8s %9s", text_bytes(l->arena, per_token), text_bytes(l->arena, total));
}

static void scheme_item(const Look *l, Item *it, const char *label, double per_token, int color, double ours)
{
	double total = per_token * (double)l->sel->context;
	const FactCard *k = &l->facts->card;
	it->label = label;
	it->x = total;
	it->color = color;
	it->value = bar_value(l, per_token, total);
	if (k->memory > 0 && total > 0)
		it->note = total + (double)k->bytes > (double)k->memory ? "too big" : "fits";
	it->readout = arena_printf(l->arena, "%s: %.0f bytes per token × %lld positions = %s%s", label,
		per_token, (long long)l->sel->context, text_bytes(l->arena, total),
		ours > 0 ? arena_printf(l->arena, " · %.1f × MLA", per_token / ours) : "");
}

/* GQA of 8 groups is MHA itself where there are no more heads. */
static bool gqa_apart(const Look *l)
{
	return l->facts->card.heads > 8;
}

static bool items_schemes(const Look *l, Data *d)
{
	const KvElements *kv = &l->facts->card.kv;
	const struct { const char *label; int64_t n; int color; } row[] = {
		{ "MHA", kv->mha, 1 }, { "GQA-8", kv->gqa8, 3 }, { "MQA", kv->mqa, 4 }, { "MLA", kv->mla, 0 },
		{ "MLA, FP8", kv->mla, 2 },
	};
	double live = live_per_token(l), ours = (double)kv->mla * BF16_BYTES;
	d->kind = DATA_ITEMS;
	d->items = (Items){ .log = true,
		.axis = AXIS_LOCAL,
		.item = arena_zalloc(l->arena, 6 * sizeof(Item)),
		.unit = "B" };
	for (size_t i = 0; i < 5 && d->items.item; i++)
		if (i != 1 || gqa_apart(l))
			scheme_item(l, &d->items.item[d->items.n++], row[i].label,
			(double)row[i].n * (i == 4 ? 1 : BF16_BYTES), row[i].color, ours);
	if (live > 0 && d->items.item)
		scheme_item(l, &d->items.item[d->items.n++], "this cache", live, 5, ours);
	if (ours > 0)
		d->facts = arena_printf(l->arena, "%s positions · BF16 · MHA / MLA %.1f",
			text_count(l->arena, (double)l->sel->context), (double)kv->mha / (double)kv->mla);
	if (l->sel->context >= 1024)
		d->facts = arena_printf(l->arena, "context %lldK · BF16 · MHA / MLA %.1f",
			(long long)(l->sel->context / 1024),
			kv->mla > 0 ? (double)kv->mha / (double)kv->mla : 0.0);
	d->summary = arena_printf(l->arena, "MLA %s per token, MHA %s", text_bytes(l->arena, ours),
		text_bytes(l->arena, (double)kv->mha * BF16_BYTES));
	return true;
}

static bool table_known(const Look *l, Data *d)
{
	const FactCard *k = &l->facts->card;
	Table *t = &d->table;
	int n = k->n_known + 1;
	d->kind = DATA_TABLE;
	*t = (Table){ .cols = 5,
		.sel = -1,
		.axis = AXIS_LOCAL,
		.head = { "model", "elements", "per token", "at context", "of this" } };
	t->left[0] = true;
	t->cell = arena_zalloc(l->arena, (size_t)n * 5 * sizeof *t->cell);
	t->readout = arena_zalloc(l->arena, (size_t)n * sizeof *t->readout);
	if (!t->cell || !t->readout)
		return true;
	for (int r = 0; r < n; r++) {
		int64_t kv = r ? k->known[r - 1].kv : k->kv.own;
		const char *name = r ? k->known[r - 1].name : k->name;
		double per = (double)kv * BF16_BYTES, total = per * (double)l->sel->context;
		TableCell *c = &t->cell[r * 5];
		CellStyle st = r ? CELL_TEXT : CELL_ACCENT;
		c[0] = (TableCell){ name, st };
		c[1] = (TableCell){ arena_printf(l->arena, "%lld", (long long)kv), st };
		c[2] = (TableCell){ text_bytes(l->arena, per), st };
		c[3] = (TableCell){ text_bytes(l->arena, total), st };
		c[4] = (TableCell){ k->kv.own > 0
				? arena_printf(l->arena, "%.2f×", (double)kv / (double)k->kv.own)
				: NULL,
			CELL_DIM };
		t->readout[r] = arena_printf(l->arena,
			"%s: %lld elements per token over all layers · %s at %lld positions", name,
			(long long)kv, text_bytes(l->arena, total), (long long)l->sel->context);
	}
	t->rows = n;
	d->facts = "BF16";
	return true;
}

static double kv_at(const Line *line, int i)
{
	const Look *l = line->ud;
	const Sample *x = store_at(l->store, "kv.bytes", (size_t)i);
	return x ? sample_num(x, strcmp(line->name, "kv.bytes") == 0 ? 0 : 1) : NAN;
}

static bool series_kv(const Look *l, Data *d)
{
	size_t n = store_count(l->store, "kv.bytes");
	const Sample *x = store_last(l->store, "kv.bytes");
	if (n == 0 || !x) {
		d->empty = "no cache yet - Enter writes a prompt";
		return true;
	}
	d->kind = DATA_SERIES;
	d->series = (Series){ .n = 2, .sel = -1, .axis = AXIS_LOCAL, .x_name = "sample" };
	d->series.line[0] = (Line){ "kv.bytes", "B", (int)n, kv_at, l };
	d->series.line[1] = (Line){ "allocated", "B", (int)n, kv_at, l };
	d->facts = arena_printf(l->arena, "%s of %s", text_bytes(l->arena, sample_num(x, 0)),
		text_bytes(l->arena, sample_num(x, 1)));
	return true;
}

static void card_row(Table *t, const char *key, const char *value, CellStyle st)
{
	t->cell[t->rows * 2] = (TableCell){ key, CELL_DIM };
	t->cell[t->rows * 2 + 1] = (TableCell){ value, st };
	t->rows++;
}

static bool table_cache(const Look *l, Data *d)
{
	const FactCard *k = &l->facts->card;
	const Sample *x = store_last(l->store, "kv.bytes");
	Table *t = &d->table;
	double per = live_per_token(l), used = x ? sample_num(x, 0) : 0, held = x ? sample_num(x, 1) : 0;
	d->kind = DATA_TABLE;
	*t = (Table){ .cols = 2,
		.sel = -1,
		.left = { true, true },
		.cell = arena_zalloc(l->arena, 16 * sizeof *t->cell) };
	if (!t->cell)
		return true;
	card_row(t, "tokens", arena_printf(l->arena, "%zu", l->facts->n_tok), CELL_STRONG);
	card_row(t, "per token", per > 0 ? text_bytes(l->arena, per) : "·", CELL_TEXT);
	card_row(t, "used",
		arena_printf(l->arena, "%s of %s", text_bytes(l->arena, used), text_bytes(l->arena, held)),
		CELL_TEXT);
	if (k->kv.own > 0) {
		card_row(t, "as MHA", arena_printf(l->arena, "%.1f×", (double)k->kv.mha / (double)k->kv.own),
			CELL_WARN);
		if (gqa_apart(l))
			card_row(t, "as GQA-8", arena_printf(l->arena, "%.1f×", (double)k->kv.gqa8 / (double)k->kv.own), CELL_TEXT);
		card_row(t, "as MQA", arena_printf(l->arena, "%.1f×", (double)k->kv.mqa / (double)k->kv.own),
			CELL_TEXT);
	}
	d->summary = arena_printf(l->arena, "cache %s, %s a token", text_bytes(l->arena, used),
		text_bytes(l->arena, per));
	d->readout = arena_printf(l->arena, "kv.bytes = %.0f used · %.0f allocated · %.1f B per token", used,
		held, per);
	return true;
}

bool source_cache(const Look *l, const char *name, Data *d)
{
	if (!l->facts->card.have) {
		d->empty = "no model yet - o opens one";
		return true;
	}
	d->across = AXIS_CONTEXT;
	if (strcmp(name, "schemes") == 0)
		return items_schemes(l, d);
	if (strcmp(name, "known") == 0)
		return table_known(l, d);
	d->across = AXIS_NONE;
	return strcmp(name, "kv") == 0 ? series_kv(l, d) : table_cache(l, d);
}
