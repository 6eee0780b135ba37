/* source_tensors.c - the tensors of the checkpoint and the values inside the model as a tree that opens and closes, and of the selected
 * one its figures, its histogram and its picture. Names share their beginnings: a part that all of a group have is written once. */
#include "view/data.h"
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Columns of model.tensor_stat.NAME and of model.tensor_table, as in lathe-probes(7). */
enum {
	STAT_COUNT, STAT_READ, STAT_MIN, STAT_MAX, STAT_MEAN, STAT_STD, STAT_ZEROS, STAT_NANS, STAT_INFS, STAT_ROWS, STAT_COLS, STAT_BLOCK_ROWS,
	STAT_BLOCK_COLS, STAT_BLOCK_MEAN, STAT_ROW0, STAT_COL0, STAT_N
};
enum { TABLE_STATS = 7, DEPTH_MAX = 12, PROBES_MAX = 8192, TREE_COLS = 10 };
static const char probes_path[] = "values";   /* the group that holds the probes */

/* A leaf of the tree: a tensor of the checkpoint, or a probe. */
typedef struct Leaf { const char *name; const FactTensor *t; } Leaf;
typedef struct Row { const char *path, *label; int depth; const Leaf *leaf; size_t n; double bytes; bool open; } Row;
typedef struct Tree { const Look *l; Row *row; int n, cap; } Tree;

/* --- what there is --- */

/* Tensors of the checkpoint, or names of probes: these are only counted while `name` is NULL. */
typedef struct Names { const FactTensor *t; const char **name; size_t n; } Names;

static void names_put(const Look *l, Names *to, const char *name)
{
	const char *copy = to->name && to->n < PROBES_MAX ? arena_strdup(l->arena, name) : NULL;
	if (to->name && copy)
		to->name[to->n] = copy;
	to->n += copy || !to->name;
}

static const char *names_at(const Names *k, size_t i)
{
	return k->t ? k->t[i].name : k->name[i];
}

static double names_bytes(const Names *k, size_t from, size_t to)
{
	return k->t && to > from ? k->t[to - 1].before + k->t[to - 1].bytes - k->t[from].before : 0;
}

/* The values that a forward of this model has, by lathe-probes(7). */
static void names_layer(const Look *l, Names *to, int layer)
{
	static const char *const any[] = { "resid_pre", "resid_mid", "resid_post", "mlp.out", "attn.q", "attn.out" };
	static const char *const mla[] = { "attn.c_KV", "attn.k_R", "attn.kv", "attn.scores", "attn.probs" };
	static const char *const moe[] = { "moe.logits", "moe.scores", "moe.topk", "moe.weights", "moe.load", "moe.expert_out", "moe.routed_out" };
	const FactCard *k = &l->facts->card;
	char name[64];
	const struct { const char *const *list; size_t n; bool on; } part[] = {
		{ any, sizeof any / sizeof *any, true }, { mla, sizeof mla / sizeof *mla, k->kv_rank > 0 },
		{ moe, sizeof moe / sizeof *moe, k->experts > 0 && layer >= k->first_dense },
	};
	for (size_t p = 0; p < sizeof part / sizeof *part; p++)
		for (size_t i = 0; part[p].on && i < part[p].n; i++) {
			snprintf(name, sizeof name, "layers.%d.%s", layer, part[p].list[i]);
			names_put(l, to, name);
		}
}

static Names names_probes(const Look *l, bool count)
{
	const FactCard *k = &l->facts->card;
	Names to = { 0 };
	if (!k->have || l->facts->n_tok == 0 || (!count && !(to.name = arena_alloc(l->arena, PROBES_MAX * sizeof *to.name))))
		return to;
	names_put(l, &to, "embed");
	names_put(l, &to, "final");
	for (int i = 0; i < (int)k->layers; i++)
		names_layer(l, &to, i);
	names_put(l, &to, "logits");
	return to;
}

/* --- the tree --- */

/* Is this group open? By the user's choice ("+path" or "-path", a line each, the last one counts), else the outer ones and the selected
 * layer's are. */
static bool path_open(const Look *l, const char *path, int depth)
{
	const char *said = l->sel->open ? l->sel->open : "";
	size_t n = strlen(path);
	int open = -1;
	for (const char *p = said; *p; p += strcspn(p, "\n") + 1) {
		if (strncmp(p + 1, path, n) == 0 && p[1 + n] == '\n')
			open = *p == '+';
		if (!p[strcspn(p, "\n")])
			break;
	}
	if (open >= 0)
		return open;
	if (strncmp(path, probes_path, sizeof probes_path - 1) == 0)
		return false;
	const char *dot = strrchr(path, '.');
	bool layer = dot && isdigit((unsigned char)dot[1]);
	return layer ? strtoll(dot + 1, NULL, 10) == (l->sel->layer < 0 ? 0 : l->sel->layer) && !strstr(path, "experts") : depth < 2;
}

/* A checkpoint may have a hundred thousand tensors, of which a closed tree shows a dozen rows. */
static void row_put(Tree *t, Row r)
{
	if (t->n == t->cap) {
		int cap = t->cap ? 2 * t->cap : 256;
		Row *more = arena_alloc(t->l->arena, (size_t)cap * sizeof *more);
		if (!more)
			return;
		if (t->n)
			memcpy(more, t->row, (size_t)t->n * sizeof *more);
		t->row = more;
		t->cap = cap;
	}
	t->row[t->n++] = r;
}

/* Where the part of name that begins at off ends. */
static size_t part_end(const char *name, size_t off)
{
	return off + strcspn(name + off, ".");
}

static bool shares(const char *a, const char *b, size_t n)
{
	return strncmp(a, b, n) == 0 && (b[n] == '.' || b[n] == 0);
}

/* The first of [from, to) that does not begin with the same n characters as the one before `from`: names are in order. */
static size_t names_sharing(const Names *k, const char *name, size_t n, size_t from, size_t to)
{
	while (from < to) {
		size_t mid = from + (to - from) / 2;
		if (shares(name, names_at(k, mid), n))
			from = mid + 1;
		else
			to = mid;
	}
	return from;
}

static void leaf_put(Tree *t, const Names *k, size_t i, const char *prefix, size_t off, int depth)
{
	Leaf *leaf = arena_alloc(t->l->arena, sizeof *leaf);
	if (!leaf)
		return;
	*leaf = (Leaf){ names_at(k, i), k->t ? &k->t[i] : NULL };
	const char *path = *prefix ? arena_printf(t->l->arena, "%s%s", prefix, leaf->name) : leaf->name;
	row_put(t, (Row){ path, leaf->name + off, depth, leaf, 1, leaf->t ? leaf->t->bytes : 0, false });
}

/* Rows of leaves [from, to), whose first `off` characters are said by the rows above; prefix: of the paths. */
static void tree_build(Tree *t, const Names *k, size_t from, size_t to, size_t off, int depth, const char *prefix)
{
	const Look *l = t->l;
	while (from < to && depth < DEPTH_MAX) {
		const char *name = names_at(k, from);
		size_t end = part_end(name, off), last = from + 1;
		if (name[end] == '.')
			last = names_sharing(k, name, end, last, to);
		if (last - from == 1) {
			leaf_put(t, k, from, prefix, off, depth);
			from = last;
			continue;
		}
		/* A part that all of them have belongs to the same row. */
		while (name[end] && shares(name, names_at(k, last - 1), part_end(name, end + 1)) && name[part_end(name, end + 1)])
			end = part_end(name, end + 1);
		Row r = { .path = arena_printf(l->arena, "%s%.*s", prefix, (int)end, name), .depth = depth, .n = last - from };
		r.label = arena_printf(l->arena, "%.*s", (int)(end - off), name + off);
		r.open = path_open(l, r.path, depth);
		r.bytes = names_bytes(k, from, last);
		row_put(t, r);
		if (r.open)
			tree_build(t, k, from, last, end + 1, depth + 1, prefix);
		from = last;
	}
}

/* Every word of the filter is in the name. */
static bool name_passes(const char *name, const char *filter)
{
	char word[64];
	for (const char *p = filter; *p;) {
		size_t n = strcspn(p, " ");
		snprintf(word, sizeof word, "%.*s", (int)(n < 63 ? n : 63), p);
		if (n && !strstr(name, word))
			return false;
		p += n + strspn(p + n, " ");
	}
	return true;
}

static void tree_flat(Tree *t, const Names *k, const char *prefix)
{
	for (size_t i = 0; i < k->n; i++)
		if (name_passes(names_at(k, i), t->l->sel->filter))
			leaf_put(t, k, i, prefix, 0, 0);
}

static void tree_fill(Tree *t)
{
	const Look *l = t->l;
	const FactTensors *f = &l->facts->trace.tensors;
	const char *prefix = arena_printf(l->arena, "%s.", probes_path);
	bool filtered = l->sel->filter && *l->sel->filter, open = path_open(l, probes_path, 0);
	Names tensors = { f->t, NULL, f->n }, probes = names_probes(l, !filtered && !open);
	if (filtered) {
		tree_flat(t, &tensors, "");
		tree_flat(t, &probes, prefix);
		return;
	}
	tree_build(t, &tensors, 0, tensors.n, 0, 0, "");
	if (probes.n == 0)
		return;
	row_put(t, (Row){ .path = probes_path, .label = "values of the model on this text", .n = probes.n, .open = open });
	if (open)
		tree_build(t, &probes, 0, probes.n, 0, 1, prefix);
}

/* Once for all panes of a frame. */
static Tree tree_make(const Look *l)
{
	bool made = false;
	Tree *t = look_memo(l, "tree of tensors", sizeof *t, &made);
	if (!t)
		return (Tree){ .l = l };
	if (made) {
		*t = (Tree){ .l = l };
		tree_fill(t);
	}
	return *t;
}

/* The selected row: by its path, else the first leaf. */
static int tree_select(const Tree *t)
{
	const char *want = t->l->sel->tensor ? t->l->sel->tensor : "";
	int first = -1;
	for (int i = 0; i < t->n; i++) {
		if (strcmp(t->row[i].path, want) == 0)
			return i;
		if (first < 0 && t->row[i].leaf)
			first = i;
	}
	/* It lies in a group that has been closed: that one. */
	for (int i = t->n - 1; i >= 0 && *want; i--)
		if (!t->row[i].leaf && strncmp(t->row[i].path, want, strlen(t->row[i].path)) == 0)
			return i;
	return first < 0 && t->n ? 0 : first;
}

/* --- figures --- */

/* Of a model that was loaded before it, a sample is about something else. */
static const Sample *sample_of(const Look *l, const Leaf *leaf, const char *what)
{
	const char *topic = arena_printf(l->arena, "%s_%s.%s", leaf->t ? "model.tensor" : "probe", what, leaf->name);
	const Sample *x = store_last(l->store, topic), *card = store_last(l->store, "model.card");
	return x && x->kind == SAMPLE_TENSOR && !(leaf->t && card && x->time < card->time) ? x : NULL;
}

/* STAT_N figures into v; false: none yet. Those of the table have no counts beside what the card knows. */
static bool leaf_stats(const Look *l, const Leaf *leaf, double v[STAT_N])
{
	const Sample *x = sample_of(l, leaf, "stat"), *all = store_last(l->store, "model.tensor_table");
	if (x && x->bytes == STAT_N * sizeof(double)) {
		for (int i = 0; i < STAT_N; i++)
			v[i] = sample_num(x, (size_t)i);
		return true;
	}
	size_t at = leaf->t ? (size_t)leaf->t->row * TABLE_STATS : 0;
	if (!leaf->t || !all || all->time < l->facts->trace.tensors.time || isnan(sample_num(all, at)))
		return false;
	for (int i = 0; i < STAT_N; i++)
		v[i] = NAN;
	for (int i = 0; i < TABLE_STATS; i++)
		v[STAT_MIN + i] = sample_num(all, at + (size_t)i);
	return true;
}

static const char *num4(Arena *a, double v)
{
	double m = fabs(v);
	if (isnan(v))
		return "·";
	if (v == 0)
		return "0";
	return arena_printf(a, m < 1e-3 || m >= 1e4 ? "%.1e" : m < 1 ? "%.4f" : m < 100 ? "%.3f" : "%.1f", v);
}

static const char *leaf_shape(const Look *l, const Leaf *leaf, const double *v)
{
	if (leaf->t)
		return *leaf->t->shape ? leaf->t->shape : "scalar";
	return v ? arena_printf(l->arena, "%.0fx%.0f", v[STAT_ROWS], v[STAT_COLS]) : "·";
}

static void tree_cells(const Look *l, const Row *r, TableCell *c)
{
	double v[STAT_N];
	Arena *a = l->arena;
	const char *mark = r->leaf ? "" : r->open ? "▾ " : "▸ ";
	c[0] = (TableCell){ arena_printf(a, "%*s%s%s", 2 * r->depth, "", mark, r->label), r->leaf ? CELL_TEXT : CELL_STRONG };
	if (!r->leaf) {
		c[1] = (TableCell){ arena_printf(a, "%zu", r->n), CELL_DIM };
		c[3] = (TableCell){ r->bytes > 0 ? text_bytes(a, r->bytes) : NULL, CELL_DIM };
		return;
	}
	bool have = leaf_stats(l, r->leaf, v);
	c[1] = (TableCell){ leaf_shape(l, r->leaf, have ? v : NULL), CELL_TEXT };
	c[2] = (TableCell){ r->leaf->t ? r->leaf->t->dtype : "value", CELL_DIM };
	c[3] = (TableCell){ r->leaf->t ? text_bytes(a, r->leaf->t->bytes) : NULL, CELL_TEXT };
	for (int i = 0; i < 4; i++)
		c[4 + i] = (TableCell){ have ? num4(a, v[STAT_MIN + i]) : "·", have ? CELL_TEXT : CELL_DIM };
	double bad = have ? v[STAT_NANS] + v[STAT_INFS] : 0;
	c[8] = (TableCell){ have ? arena_printf(a, "%.0f", v[STAT_ZEROS]) : "·", have ? CELL_TEXT : CELL_DIM };
	c[9] = (TableCell){ have ? arena_printf(a, "%.0f", bad) : "·", bad > 0 ? CELL_WARN : CELL_DIM };
}

static bool table_tree(const Look *l, Data *d)
{
	Tree t = tree_make(l);
	const FactTensors *f = &l->facts->trace.tensors;
	Table *to = &d->table;
	bool filtered = l->sel->filter && *l->sel->filter;
	if (t.n == 0) {
		d->empty = filtered ? arena_printf(l->arena, "no name has \"%s\" in it - / changes the filter", l->sel->filter)
			: l->facts->card.have ? "the list of tensors was not recorded" : "no model yet - o opens one";
		return true;
	}
	d->kind = DATA_TABLE;
	*to = (Table){ .rows = t.n, .cols = TREE_COLS, .axis = AXIS_TENSOR, .sel = tree_select(&t),
		.head = { "name", "shape", "type", "bytes", "min", "max", "mean", "std", "zeros", "bad" }, .left = { true, true, true } };
	to->cell = arena_zalloc(l->arena, (size_t)t.n * TREE_COLS * sizeof *to->cell);
	to->path = arena_zalloc(l->arena, (size_t)t.n * sizeof *to->path);
	if (!to->cell || !to->path)
		return true;
	int span = l->rows_hint > 0 ? 2 * l->rows_hint : t.n;
	for (int i = 0; i < t.n; i++) {
		to->path[i] = t.row[i].path;
		if (abs(i - to->sel) <= span)
			tree_cells(l, &t.row[i], to->cell + (size_t)i * TREE_COLS);
	}
	if (f->n == 0)
		d->facts = "the checkpoint's list was not recorded";
	else
		d->facts = filtered ? arena_printf(l->arena, "%d with \"%s\"", t.n, l->sel->filter)
			    : arena_printf(l->arena, "%zu tensors · %s", f->all, text_bytes(l->arena, (double)l->facts->card.bytes));
	const Row *r = to->sel >= 0 ? &t.row[to->sel] : NULL;
	double v[STAT_N];
	bool have = r && r->leaf && leaf_stats(l, r->leaf, v);
	if (have)
		d->readout = arena_printf(l->arena, "%s · %s %s · mean %s · std %s · max %s", r->leaf->name, r->leaf->t ? r->leaf->t->dtype : "value",
			leaf_shape(l, r->leaf, v), text_six(l->arena, v[STAT_MEAN]), text_six(l->arena, v[STAT_STD]), text_six(l->arena, v[STAT_MAX]));
	else if (r && r->leaf)
		d->readout = arena_printf(l->arena, "%s · %s %s · not looked at", r->leaf->name, r->leaf->t ? r->leaf->t->dtype : "value",
			leaf_shape(l, r->leaf, NULL));
	else if (r)
		d->readout = arena_printf(l->arena, "%s · %zu inside%s%s · Right opens, Left closes", r->path, r->n, r->bytes > 0 ? " · " : "",
			r->bytes > 0 ? text_bytes(l->arena, r->bytes) : "");
	d->summary = d->readout;
	return true;
}

/* --- the selected one --- */

bool source_tensor_selected(const Look *l, const char **name, bool *known)
{
	Tree t = tree_make(l);
	int i = tree_select(&t);
	if (i < 0 || !t.row[i].leaf)
		return false;
	*name = t.row[i].leaf->name;
	*known = sample_of(l, t.row[i].leaf, "stat") != NULL;
	return true;
}

static const Leaf *leaf_now(const Look *l, Data *d)
{
	Tree t = tree_make(l);
	int i = tree_select(&t);
	if (i >= 0 && t.row[i].leaf)
		return t.row[i].leaf;
	d->empty = t.n == 0 ? "nothing selected" : "a group: Right opens it, tensors have figures";
	return NULL;
}

static const char not_looked_at[] = "not looked at when this was recorded";

static void card_put(Table *t, const char *key, const char *value, CellStyle st)
{
	t->cell[t->rows * 2] = (TableCell){ key, CELL_DIM };
	t->cell[t->rows * 2 + 1] = (TableCell){ value, st };
	t->rows++;
}

static const char *part_text(Arena *a, double n, double of)
{
	return n > 0 && of > 0 ? arena_printf(a, "%.0f  %.2g%%", n, 100 * n / of) : arena_printf(a, "%.0f", n);
}

/* Of a group: how much lies in it. */
static bool card_group(const Look *l, Data *d)
{
	Tree t = tree_make(l);
	int i = tree_select(&t);
	Table *to = &d->table;
	if (i < 0)
		return true;
	const Row *r = &t.row[i];
	double all = (double)l->facts->card.bytes;
	*to = (Table){ .cols = 2, .sel = -1, .left = { true, true }, .cell = arena_zalloc(l->arena, 12 * sizeof *to->cell) };
	if (!to->cell)
		return true;
	d->kind = DATA_TABLE;
	d->empty = NULL;
	d->title = r->path;
	card_put(to, "holds", arena_printf(l->arena, "%zu %s", r->n, r->bytes > 0 ? "tensors" : "values"), CELL_STRONG);
	if (r->bytes > 0)
		card_put(to, "bytes", text_bytes(l->arena, r->bytes), CELL_TEXT);
	if (r->bytes > 0 && all > 0)
		card_put(to, "share", arena_printf(l->arena, "%.1f%% of the weights", 100 * r->bytes / all), CELL_TEXT);
	card_put(to, "keys", "Right opens, Left closes", CELL_DIM);
	d->summary = to->cell[1].s;
	return true;
}

static bool card_tensor(const Look *l, Data *d)
{
	const Leaf *leaf = leaf_now(l, d);
	double v[STAT_N];
	Arena *a = l->arena;
	Table *t = &d->table;
	if (!leaf)
		return card_group(l, d);
	bool have = leaf_stats(l, leaf, v), full = have && !isnan(v[STAT_COUNT]);
	*t = (Table){ .cols = 2, .sel = -1, .left = { true, true }, .cell = arena_zalloc(a, 24 * sizeof *t->cell) };
	if (!t->cell)
		return true;
	d->kind = DATA_TABLE;
	card_put(t, "shape", leaf_shape(l, leaf, have ? v : NULL), CELL_STRONG);
	card_put(t, "type", leaf->t ? arena_printf(a, "%s, %s", leaf->t->dtype, text_bytes(a, leaf->t->bytes)) : "a value, F32", CELL_TEXT);
	card_put(t, "range", have ? arena_printf(a, "%s, %s", num4(a, v[STAT_MIN]), num4(a, v[STAT_MAX])) : "·", CELL_TEXT);
	card_put(t, "mean", have ? text_six(a, v[STAT_MEAN]) : "·", CELL_TEXT);
	card_put(t, "std", have ? text_six(a, v[STAT_STD]) : "·", CELL_TEXT);
	card_put(t, "zeros", have ? part_text(a, v[STAT_ZEROS], v[STAT_READ]) : "·", CELL_TEXT);
	double bad = have ? v[STAT_NANS] + v[STAT_INFS] : 0;
	card_put(t, "bad", !have ? "·" : bad > 0 ? arena_printf(a, "%.0f NaN, %.0f Inf", v[STAT_NANS], v[STAT_INFS]) : "no NaN, no Inf",
		bad > 0 ? CELL_WARN : CELL_GOOD);
	if (full)
		card_put(t, "read", v[STAT_READ] >= v[STAT_COUNT] ? arena_printf(a, "all %s numbers", text_count(a, v[STAT_COUNT]))
			: arena_printf(a, "%s of %s numbers", text_count(a, v[STAT_READ]), text_count(a, v[STAT_COUNT])), CELL_DIM);
	/* The end of a long name says more than its beginning. */
	size_t len = strlen(leaf->name), room = l->cols_hint > 12 ? (size_t)l->cols_hint - 4 : len;
	d->title = len <= room ? leaf->name : arena_printf(a, "…%s", leaf->name + len - room + 1);
	d->summary = have ? arena_printf(a, "mean %s · std %s", num4(a, v[STAT_MEAN]), num4(a, v[STAT_STD])) : "not looked at";
	d->readout = have ? arena_printf(a, "%s: min %s, max %s, mean %s, std %s", leaf->name, text_six(a, v[STAT_MIN]), text_six(a, v[STAT_MAX]),
		text_six(a, v[STAT_MEAN]), text_six(a, v[STAT_STD])) : NULL;
	return true;
}

static bool items_histogram(const Look *l, Data *d)
{
	const Leaf *leaf = leaf_now(l, d);
	const Sample *x = leaf ? sample_of(l, leaf, "hist") : NULL;
	double v[STAT_N], all = 0;
	if (!leaf)
		return true;
	if (!x || !leaf_stats(l, leaf, v)) {
		d->empty = not_looked_at;
		return true;
	}
	int bins = (int)(x->bytes / 8), rows = l->rows_hint > 2 ? l->rows_hint : 16, each = (bins + rows - 1) / rows;
	each = v[STAT_MAX] <= v[STAT_MIN] ? bins : each < 1 ? 1 : each; /* one bar for one size */
	d->kind = DATA_ITEMS;
	d->items = (Items){ .axis = AXIS_LOCAL, .n = (bins + each - 1) / each, .item = arena_zalloc(l->arena, (size_t)bins * sizeof(Item)) };
	for (int i = 0; i < bins; i++)
		all += sample_num(x, (size_t)i);
	double lo = v[STAT_MIN], step = (v[STAT_MAX] - lo) / bins * each;
	for (int i = 0; d->items.item && i < d->items.n; i++) {
		Item *it = &d->items.item[i];
		double n = 0;
		for (int k = i * each; k < (i + 1) * each && k < bins; k++)
			n += sample_num(x, (size_t)k);
		double from = lo + i * step, to = i == d->items.n - 1 ? v[STAT_MAX] : from + step;
		it->label = arena_printf(l->arena, "%8s", num4(l->arena, from));
		it->x = n;
		it->value = text_count(l->arena, n);
		it->color = from <= 0 && to > 0 ? 0 : -1;
		it->readout = arena_printf(l->arena, "%.0f numbers of %s from %s to %s · %.3g%%", n, leaf->name, num4(l->arena, from), num4(l->arena, to),
			all > 0 ? 100 * n / all : 0);
	}
	d->facts = arena_printf(l->arena, "%s numbers", text_count(l->arena, all));
	return true;
}

/* --- the picture: blocks as told, joined until they fit --- */

typedef struct Map { const Sample *x; const Leaf *leaf; int rows, cols, jr, jc; bool mean; double br, bc, R, C, r0, c0; } Map;

/* The largest of some blocks, or their mean; NaN wins. */
static double map_join(const Map *m, int r, int c)
{
	double v = 0, n = 0;
	for (int i = r * m->jr; i < (r + 1) * m->jr && i < m->rows; i++)
		for (int k = c * m->jc; k < (c + 1) * m->jc && k < m->cols; k++) {
			double x = sample_num(m->x, (size_t)i * (size_t)m->cols + (size_t)k);
			if (isnan(x))
				return x;
			v = m->mean ? v + x : fabs(x) > fabs(v) ? x : v;
			n++;
		}
	return m->mean && n > 0 ? v / n : v;
}

static void map_fill(const Field *f, int r, double *v, uint8_t *has)
{
	for (int c = 0; c < f->cols; c++) {
		v[c] = map_join(f->ud, r, c);
		has[c] = 1;
	}
}

static const char *span_text(Arena *a, double from, double n, double most)
{
	double to = fmin(from + n - 1, most - 1);
	return to > from ? arena_printf(a, "%.0f-%.0f", from, to) : arena_printf(a, "%.0f", from);
}

static const char *map_label(const Field *f, int r)
{
	const Map *m = f->ud;
	return span_text(f->look->arena, m->r0 + r * m->jr * m->br, m->jr * m->br, m->R);
}

static const char *map_name(const Field *f, int r, int c)
{
	const Map *m = f->ud;
	Arena *a = f->look->arena;
	bool one = m->jr * m->br <= 1 && m->jc * m->bc <= 1;
	return arena_printf(a, "%s%s[%s, %s]", one ? "" : m->mean ? "mean of " : "largest of ", m->leaf->name, map_label(f, r),
		span_text(a, m->c0 + c * m->jc * m->bc, m->jc * m->bc, m->C));
}

static bool field_map(const Look *l, Data *d)
{
	const Leaf *leaf = leaf_now(l, d);
	const Sample *x = leaf ? sample_of(l, leaf, "map") : NULL;
	Map *m = arena_zalloc(l->arena, sizeof *m);
	double v[STAT_N];
	if (!leaf || !m)
		return true;
	if (!x || x->rank != 2 || x->shape[0] < 1 || x->shape[1] < 1 || x->shape[0] > 4096 || x->shape[1] > 4096 || !leaf_stats(l, leaf, v) ||
		isnan(v[STAT_BLOCK_ROWS])) {
		d->empty = not_looked_at;
		return true;
	}
	*m = (Map){ x, leaf, (int)x->shape[0], (int)x->shape[1], 1, 1, v[STAT_BLOCK_MEAN] > 0, v[STAT_BLOCK_ROWS], v[STAT_BLOCK_COLS],
		v[STAT_ROWS], v[STAT_COLS], v[STAT_ROW0], v[STAT_COL0] };
	int label = 3 + 2 * (m->R >= 1000 ? 4 : m->R >= 100 ? 3 : 2), h = l->rows_hint > 4 ? l->rows_hint - 2 : 16,
	    w = l->cols_hint > label + 8 ? l->cols_hint - label - 2 : 48;
	m->jr = (m->rows + h - 1) / h;
	m->jc = (m->cols + w - 1) / w;
	d->kind = DATA_FIELD;
	d->field = (Field){ .rows = (m->rows + m->jr - 1) / m->jr, .cols = (m->cols + m->jc - 1) / m->jc, .fill = map_fill, .row_label = map_label,
		.name = map_name, .label_w = label - 1, .row_axis = AXIS_LOCAL, .col_axis = AXIS_LOCAL, .diverging = v[STAT_MIN] < 0, .look = l,
		.row_name = "rows", .col_name = "columns", .ud = m };
	d->field.row = arena_zalloc(l->arena, (size_t)d->field.rows * sizeof *d->field.row);
	double a = m->jr * m->br, b = m->jc * m->bc;
	if (m->r0 > 0 || m->c0 > 0 || m->rows * m->br < m->R || m->cols * m->bc < m->C)
		d->facts = arena_printf(l->arena, "from [%.0f, %.0f]%s", m->r0, m->c0, a * b <= 1 ? "" : arena_printf(l->arena, ", %.0fx%.0f", a, b));
	else
		d->facts = a * b <= 1 ? "each number" : arena_printf(l->arena, "%s %.0fx%.0f", m->mean ? "mean" : "max of", a, b);
	return true;
}

bool source_tensor_window(const Data *d, double shrink, double w[4])
{
	const Map *m = d->kind == DATA_FIELD && d->field.fill == map_fill ? d->field.ud : NULL;
	if (!m)
		return false;
	double rows = fmin(m->rows * m->br, m->R - m->r0), cols = fmin(m->cols * m->bc, m->C - m->c0),
	       r = m->r0 + (d->field.row_sel < 0 ? 0 : d->field.row_sel + 0.5) * m->jr * m->br,
	       c = m->c0 + (d->field.col_sel < 0 ? 0 : d->field.col_sel + 0.5) * m->jc * m->bc;
	w[2] = fmax(floor(rows / shrink), fmin(rows, 8));
	w[3] = fmax(floor(cols / shrink), fmin(cols, 16));
	w[0] = fmax(0, fmin(floor(r - w[2] / 2), m->R - w[2]));
	w[1] = fmax(0, fmin(floor(c - w[3] / 2), m->C - w[3]));
	return true;
}

bool source_tensors(const Look *l, const char *name, Data *d)
{
	if (strcmp(name, "tensors") == 0)
		return table_tree(l, d);
	if (strcmp(name, "histogram") == 0)
		return items_histogram(l, d);
	if (strcmp(name, "tensor_map") == 0)
		return field_map(l, d);
	return card_tensor(l, d);
}
