/* source.c - from a pane's data name to data, the figures as text, and fields straight from a topic of
 * tensors. */
#include "view/data.h"
#include "base/utf8.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *text_bytes(Arena *a, double n)
{
	static const char *const unit[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB" };
	int u = 0;
	while (n >= 1024 && u < 5) {
		n /= 1024;
		u++;
	}
	if (u == 0)
		return arena_printf(a, "%.0f B", n);
	return arena_printf(a, "%.*f %s", n < 9.995 ? 2 : n < 99.95 ? 1 : 0, n, unit[u]);
}

const char *text_count(Arena *a, double n)
{
	static const char *const unit[] = { "", "K", "M", "G", "T" };
	int u = 0;
	while (n >= 1000 && u < 4) {
		n /= 1000;
		u++;
	}
	return u == 0 ? arena_printf(a, "%.0f", n)
		      : arena_printf(a, n < 9.95 ? "%.1f %s" : "%.0f %s", n, unit[u]);
}

const char *text_six(Arena *a, double v)
{
	double m = fabs(v);
	if (isnan(v))
		return "NaN";
	return m != 0 && (m < 1e-4 || m >= 1e6) ? arena_printf(a, "%.5e", v) : arena_printf(a, "%.6f", v);
}

/* Cuts safe text to w columns with an ellipsis; LF shows as its sign. */
static const char *text_cut(Arena *a, const char *s, int w)
{
	char g[CELL_BYTES];
	size_t n = strlen(s), used = 0, out = 0;
	char *r = arena_alloc(a, n * 3 + 8);
	int cols = 0, total = 0;
	if (!r)
		return "";
	for (size_t i = 0, u; i < n; i += u) {
		int gw;
		u = s[i] == '\n' ? 1 : text_grapheme(s + i, n - i, g, &gw);
		total += s[i] == '\n' ? 1 : gw;
		if (!u || total > w)
			break;
	}
	bool cut = total > w;
	while (used < n) {
		int gw = 1;
		size_t u = 1;
		if (s[used] == '\n')
			strcpy(g, "↵");
		else
			u = text_grapheme(s + used, n - used, g, &gw);
		if (!u || cols + gw > (cut ? w - 1 : w))
			break;
		memcpy(r + out, g, strlen(g));
		out += strlen(g);
		cols += gw;
		used += u;
	}
	strcpy(r + out, cut ? "…" : "");
	return r;
}

const char *text_token(Arena *a, const FactToken *t, int w)
{
	/* A part of a character is shown by its bytes: in the text its last token has it whole, and the others none. */
	const char *s = t && t->alone ? t->alone : t && t->text && *t->text ? t->text : "…";
	return arena_printf(a, "`%s`", text_cut(a, s, w > 2 ? w - 2 : 1));
}

const char *look_expand(const Look *l, const char *pattern)
{
	Buf b = BUF_INIT;
	const struct { const char *key; int64_t v; } sub[] = {
		{ "{layer}", l->sel->layer }, { "{token}", l->sel->token }, { "{expert}", l->sel->expert },
		{ "{head}", l->sel->head },
	};
	for (const char *p = pattern; *p;) {
		size_t i = 0;
		while (i < 4 && strncmp(p, sub[i].key, strlen(sub[i].key)) != 0)
			i++;
		if (i < 4) {
			buf_printf(&b, sub[i].v < 0 ? "?" : "%lld", (long long)sub[i].v);  /* no model yet */
			p += strlen(sub[i].key);
		} else {
			buf_addc(&b, *p++);
		}
	}
	const char *s = arena_strdup(l->arena, buf_str(&b));
	buf_done(&b);
	return s ? s : "";
}

struct Memo { struct Memo *next; const char *key; void *data; };

void *look_memo(const Look *l, const char *key, size_t bytes, bool *made)
{
	*made = false;
	for (struct Memo *m = l->memo ? *l->memo : NULL; m; m = m->next)
		if (strcmp(m->key, key) == 0)
			return m->data;
	struct Memo *m = arena_alloc(l->arena, sizeof *m);
	void *data = arena_zalloc(l->arena, bytes);
	*made = true;
	if (l->memo && m && data) {
		*m = (struct Memo){ *l->memo, arena_strdup(l->arena, key), data };
		if (m->key)
			*l->memo = m;
	}
	return data;
}

double field_at(const Field *f, int r, int c, bool *have)
{
	*have = false;
	if (r < 0 || c < 0 || r >= f->rows || c >= f->cols || !f->row)
		return 0;
	struct FieldRow *row = &f->row[r];
	if (!row->v) {
		row->v = arena_zalloc(f->look->arena, (size_t)f->cols * sizeof *row->v);
		row->has = arena_zalloc(f->look->arena, (size_t)f->cols);
		if (!row->v || !row->has)
			return 0;
		f->fill(f, r, row->v, row->has);
	}
	*have = row->has && row->has[c];
	return row->v[c];
}

/* --- any topic of tensors as position x component --- */

static void topic_fill(const Field *f, int r, double *v, uint8_t *has)
{
	int64_t row;
	const Sample *x = store_pos(f->look->store, f->topic, (uint64_t)f->look->facts->tok[r].pos, &row);
	if (!x || x->kind != SAMPLE_TENSOR)
		return;
	for (int c = 0; c < f->cols; c++) {
		v[c] = sample_num(x, (size_t)row * (size_t)f->cols + (size_t)c);
		has[c] = 1;
	}
}

static const char *topic_label(const Field *f, int r)
{
	const FactToken *t = &f->look->facts->tok[r];
	return arena_printf(f->look->arena, "%4lld %s", (long long)t->pos, text_token(f->look->arena, t, 9));
}

static const char *topic_name(const Field *f, int r, int c)
{
	return arena_printf(f->look->arena, "%s[%lld,%d]", f->topic, (long long)f->look->facts->tok[r].pos, c);
}

static bool source_topic(const Look *l, const char *topic, Data *d)
{
	const char *name = look_expand(l, topic);
	const Sample *x = store_last(l->store, name);
	int64_t cols = 1;
	if (!x || x->kind != SAMPLE_TENSOR || l->facts->n_tok == 0) {
		d->empty = arena_printf(l->arena, "%s: not recorded for this text", name);
		return true;
	}
	for (int i = x->rank > 1 ? 1 : 0; i < x->rank; i++)
		cols *= x->shape[i];
	if (cols < 1 || cols > 65536) {
		d->empty = arena_printf(l->arena, "%s has no rows to draw", name);
		return true;
	}
	d->kind = DATA_FIELD;
	d->field = (Field){
		.rows = (int)l->facts->n_tok,
		.cols = (int)cols,
		.fill = topic_fill,
		.row_label = topic_label,
		.name = topic_name,
		.label_w = 14,
		.row_axis = AXIS_TOKEN,
		.col_axis = AXIS_LOCAL,
		.row_sel = (int)facts_find(l->facts, l->sel->token),
		.col_sel = -1,
		.diverging = l->pane->diverging,
		.look = l,
		.topic = name,
		.unit = l->pane->unit,
		.row_name = "position",
		.col_name = "component",
	};
	d->field.row = arena_zalloc(l->arena, (size_t)d->field.rows * sizeof *d->field.row);
	d->facts = arena_printf(l->arena, "%lld components", (long long)cols);
	return true;
}

/* --- dispatch --- */

static const struct {
	const char *name, *doc;
	bool (*make)(const Look *, const char *, Data *);
} source_table[] = {
	{ "acceptance", "series: share of MTP drafts accepted, along the text", source_mtp },
	{ "accuracy", "series: share of right answers, held out and sampled, over a run of reinforcement learning", source_rl },
	{ "affinity", "field: gate score of the selected token, MoE layer x expert", source_moe },
	{ "alternatives", "items: the most probable tokens in place of the selected one", source_token },
	{ "answer", "table: tokens of the selected answer with advantage, entropy, probability and ratio to the reference", source_rl },
	{ "answers", "table: a group of answers to one problem: reward, advantage, length", source_rl },
	{ "attention", "field: attention of the selected layer and head, query x key", source_mla },
	{ "balance", "series: MaxVio and drift of the bias, of a training run", source_train },
	{ "beside", "table: the text of the selected branch beside this one, from where they part", source_trace },
	{ "bias", "field: gate bias, MoE layer x expert", source_router },
	{ "branches", "table: the texts branched from one prompt, as a tree", source_trace },
	{ "cache", "table: the live cache in figures", source_cache },
	{ "changed", "table: positions at which the next token's distribution moved most", source_diff },
	{ "coactive", "field: tokens of an expert that also went to another, selected layer", source_moe },
	{ "compared", "table: a comparison in figures: first difference, KL, routes", source_diff },
	{ "contribution", "series: norm of what the routed and the shared experts add, by token", source_moe },
	{ "damage", "field: KL of the next token with one product alone in a precision recipe, layer x product", source_fp8 },
	{ "damaged", "table: the products that a precision recipe hurts most, and why", source_fp8 },
	{ "distance", "items: relative distance of the residual stream, by layer", source_diff },
	{ "distances", "field: relative distance of the residual stream, layer x position", source_diff },
	{ "divergence", "series: KL of the next-token distribution, by position", source_diff },
	{ "draft_depth", "items: MTP drafts accepted, by depth", source_mtp },
	{ "draft_text", "text: the text with its drafts marked", source_mtp },
	{ "drafts", "table: MTP drafts, accepted and refused", source_token },
	{ "drift", "series: drift |ln r| of a policy in training, share of answers masked for it", source_rl },
	{ "entropy", "series: entropy and surprise by token", source_token },
	{ "errors", "field: relative error of each product under a precision recipe, layer x product", source_fp8 },
	{ "experts", "field: share of tokens, MoE layer x expert, last 64 tokens", source_router },
	{ "flipped", "items: share of tokens whose set of experts differs, by layer", source_diff },
	{ "form_error", "items: distance of naive and absorbed attention, by layer", source_mla },
	{ "formats", "table: predictions in f32, bf16 and a precision recipe: KL, best token, perplexity, routes", source_fp8 },
	{ "forms", "table: naive against absorbed attention: cost of a token, and their distance", source_mla },
	{ "gate", "field: gate weight of the selected layer, token x expert", source_router },
	{ "gate_entropy", "items: mean entropy of the gate, by layer", source_moe },
	{ "gradient", "series: norm of all gradients by step", source_train },
	{ "gradients", "items: norm of the last gradient by layer", source_train },
	{ "grid", "items: numbers of the selected product's weight by the exponent of their code", source_fp8 },
	{ "groups", "series: share of groups whose answers all have one reward, of answers used", source_rl },
	{ "heads", "table: where each head of the selected layer looks, and what it reads of the latent", source_mla },
	{ "histogram", "items: numbers of the selected tensor by size", source_tensors },
	{ "known", "table: cache per token of published models", source_cache },
	{ "kv", "series: cache bytes used and allocated", source_cache },
	{ "lengths", "series: mean length of answers, sampled and held out", source_rl },
	{ "lens", "table: what each layer would say in place of the selected token", source_trace },
	{ "lens_map", "field: probability that each layer gives the token that is there, token x layer", source_trace },
	{ "load", "items: share of tokens of each expert, selected layer", source_router },
	{ "loads", "field: share of tokens over a training run, step x expert, selected layer", source_train },
	{ "losses", "series: losses of a training run, and of others beside it", source_train },
	{ "lr", "series: learning rate by step", source_train },
	{ "model", "table: the model's card", source_token },
	{ "moe_layers", "table: gate and experts of each layer in figures", source_moe },
	{ "operands", "table: the selected product: error of result, input and weight under a precision recipe", source_fp8 },
	{ "per_forward", "series: tokens made by a forward, along the text", source_mtp },
	{ "policy", "series: entropy, KL, share of clipped tokens of a policy in training", source_rl },
	{ "prompt", "text: the prompt line", source_token },
	{ "ranks", "table: effective rank of the latent and of its weights", source_mla },
	{ "rate", "series: tokens per second of a training run", source_train },
	{ "reads", "field: what each head reads through each direction of the latent", source_mla },
	{ "reflection", "series: words of reflection in an answer, of the groups shown", source_rl },
	{ "refused", "table: MTP drafts that were refused, and what was taken instead", source_mtp },
	{ "reward", "series: mean reward and share of answers in the right form, by iteration", source_rl },
	{ "rl", "table: a run of reinforcement learning in figures", source_rl },
	{ "routing", "field: gate weight of the model in training on held-out text, token x expert, selected layer", source_train },
	{ "sampled", "table: what the model in training writes", source_train },
	{ "scales", "field: scales of the selected product's weight under a precision recipe, tile by tile", source_fp8 },
	{ "schemes", "items: cache by attention scheme at the chosen context", source_cache },
	{ "scores", "field: gate score of the selected layer, token x expert", source_router },
	{ "settings", "table: settings of a training run; changed ones stand out", source_train },
	{ "shares", "field: share of tokens over the whole text, MoE layer x expert", source_moe },
	{ "spectrum", "series: singular values of the latent and of its weights, of the largest", source_mla },
	{ "speed", "series: tokens per second", source_token },
	{ "tensor", "table: the selected tensor in figures", source_tensors },
	{ "tensor_map", "field: the numbers of the selected tensor, in blocks", source_tensors },
	{ "tensors", "table: tensors of the checkpoint and values of the model, as a tree", source_tensors },
	{ "text", "text: given and generated text", source_token },
	{ "thought", "table: the think span in figures", source_trace },
	{ "token", "table: the selected token", source_token },
	{ "tokens", "table: all tokens with probability and entropy", source_token },
	{ "trace", "text: the text, its think span marked", source_trace },
	{ "trail", "field: gate weight of the selected token, layer x expert", source_trace },
	{ "training", "table: a training run in figures", source_train },
	{ "unbiased", "table: tokens of each expert with the gate's bias and without, selected layer", source_moe },
	{ "why", "table: the complete gate for the selected token and layer", source_router },
};

bool source_known(const char *name)
{
	for (int i = 0; source_at(i, NULL); i++)
		if (strcmp(source_at(i, NULL), name) == 0)
			return true;
	return strchr(name, '.') != NULL;
}

const char *source_at(int i, const char **doc)
{
	if (i < 0 || i >= (int)(sizeof source_table / sizeof *source_table))
		return NULL;
	if (doc)
		*doc = source_table[i].doc;
	return source_table[i].name;
}

void source_make(const Look *l, Data *d)
{
	const char *name = l->pane->data ? l->pane->data : "";
	memset(d, 0, sizeof *d);
	d->title = l->pane->title ? look_expand(l, l->pane->title) : name;
	if (strchr(name, '.')) {
		source_topic(l, name, d);
		return;
	}
	for (size_t i = 0; i < sizeof source_table / sizeof *source_table; i++)
		if (strcmp(source_table[i].name, name) == 0) {
			source_table[i].make(l, name, d);
			return;
		}
	d->empty = arena_printf(l->arena, "no data named \"%s\"; see lathe-scene(5)", name);
}

/* --- the read-out line --- */

static void field_rank(const Field *f, int r, double v, int *rank, int *of)
{
	*rank = 1;
	*of = 0;
	for (int c = 0; c < f->cols; c++) {
		bool have;
		double x = field_at(f, r, c, &have);
		*of += have;
		*rank += have && (f->diverging ? fabs(x) > fabs(v) : x > v);
	}
}

static void field_readout(const Field *f, Buf *out)
{
	bool have;
	int r = f->row_sel, c = f->col_sel < 0 ? 0 : f->col_sel, rank, of;
	if (r < 0 || r >= f->rows || c >= f->cols)
		return;
	double v = field_at(f, r, c, &have);
	buf_adds(out, f->name(f, r, c));
	if (!have) {
		buf_adds(out, f->sparse ? " · not chosen" : " · not computed");
		return;
	}
	field_rank(f, r, v, &rank, &of);
	buf_printf(out, " = %s%s%s · rank %d of %d", text_six(f->look->arena, v), f->unit ? " " : "",
		f->unit ? f->unit : "", rank, of);
}

static void series_readout(const Series *s, Buf *out)
{
	for (int i = 0; i < s->n; i++) {
		const Line *l = &s->line[i];
		int at = s->sel >= 0 && s->sel < l->n ? s->sel : l->n - 1;
		if (at < 0)
			continue;
		double v = l->at(l, at);
		char six[40];
		snprintf(six, sizeof six, fabs(v) < 1e7 ? "%.6g" : "%.0f", v);
		buf_printf(out, "%s%s[%lld] = %s%s%s", i ? " · " : "", l->name, (long long)(s->x0 + at * (s->dx ? s->dx : 1)),
			isnan(v) ? "not computed" : six, l->unit ? " " : "", l->unit ? l->unit : "");
	}
}

void data_readout(const Data *d, Buf *out)
{
	if (d->readout)
		buf_adds(out, d->readout);
	else if (d->kind == DATA_FIELD)
		field_readout(&d->field, out);
	else if (d->kind == DATA_SERIES)
		series_readout(&d->series, out);
	else if (d->kind == DATA_ITEMS && d->items.sel >= 0 && d->items.sel < d->items.n &&
		d->items.item[d->items.sel].readout)
		buf_adds(out, d->items.item[d->items.sel].readout);
	else if (d->kind == DATA_TABLE && d->table.readout && d->table.sel >= 0 && d->table.sel < d->table.rows)
		buf_adds(out, d->table.readout[d->table.sel]);
}
