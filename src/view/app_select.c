/* app_select.c - the one selection: layer, token, expert, head; moved by keys and mouse in whatever pane,
 * seen by all. */
#include "view/app_state.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static int64_t clamp(int64_t v, int64_t lo, int64_t hi)
{
	return v > hi ? (hi < lo ? lo : hi) : v < lo ? lo : v;
}

/* The newest token has been chosen but not yet read by the model: it has no routes and looks at nothing. A scene that explains
 * routes, or attention, follows the newest that has. */
static int64_t newest_token(App *a, const Store *s)
{
	enum { BACK = 12 };
	static const struct { const char *data, *probe; } needs[] = { { "why", "moe.scores" }, { "trail", "moe.scores" }, { "affinity", "moe.scores" },
		{ "attention", "attn.c_KV" } };
	const Facts *f = &a->facts;
	const SceneDef *d = app_current(a)->def;
	char topic[64];
	const char *wants = NULL;
	for (int i = 0; d && i < d->n_panes; i++)
		for (size_t k = 0; k < sizeof needs / sizeof *needs; k++)
			if (strcmp(d->pane[i]->data, needs[k].data) == 0)
				wants = needs[k].probe;
	snprintf(topic, sizeof topic, "layers.%lld.%s", (long long)a->sel.layer, wants ? wants : "");
	/* Behind a refused draft the newest position holds what the draft did: not the first row of its forward. */
	bool refused = f->tok[f->n_tok - 1].draft == TOK_REJECTED;
	int64_t row;
	for (size_t i = 1; wants && i <= BACK && i <= f->n_tok; i++)
		if (store_pos(s, topic, (uint64_t)f->tok[f->n_tok - i].pos, &row) && !(i == 1 && refused && row > 0))
			return f->tok[f->n_tok - i].pos;
	return f->tok[f->n_tok - 1].pos;
}

/* Brings the selection into what there is. */
void app_select_sync(App *a, const Store *s)
{
	const FactCard *k = &a->facts.card;
	const Facts *f = &a->facts;
	if (k->have && a->sel.layer < 0)
		a->sel.layer = k->experts > 0 && k->first_dense < k->layers ? k->first_dense : 0;
	if (k->have) {
		a->sel.layer = clamp(a->sel.layer, 0, k->layers - 1);
		a->sel.expert = clamp(a->sel.expert, 0, k->experts - 1);
		a->sel.head = clamp(a->sel.head, 0, k->heads - 1);
	}
	app_branch_sync(a);
	app_answer_sync(a);
	if (f->n_tok == 0)
		a->sel.follow = true;
	else if (a->sel.follow)
		a->sel.token = newest_token(a, s);
	else if (facts_find(f, a->sel.token) < 0)
		a->sel.token = clamp(a->sel.token, f->tok[0].pos, f->tok[f->n_tok - 1].pos);
}

static void move_token(App *a, int by)
{
	const Facts *f = &a->facts;
	int64_t i = facts_find(f, a->sel.token);
	if (f->n_tok == 0)
		return;
	i = clamp((i < 0 ? (int64_t)f->n_tok - 1 : i) + by, 0, (int64_t)f->n_tok - 1);
	a->sel.token = f->tok[i].pos;
	a->sel.follow = i == (int64_t)f->n_tok - 1;
}

static void move_context(App *a, int by)
{
	for (; by > 0 && a->sel.context < 1 << 20; by--)
		a->sel.context *= 2;
	for (; by < 0 && a->sel.context > 1024; by++)
		a->sel.context /= 2;
	a->sel.context = clamp(a->sel.context, 1024, 1 << 20);
}

void app_move(App *a, Axis axis, int by)
{
	a->dirty = true;
	switch (axis) {
	case AXIS_LAYER:
		a->sel.layer = clamp(a->sel.layer + by, 0, a->facts.card.layers - 1);
		a->sel.product = a->sel.product ? a->sel.product : -1;
		break;
	case AXIS_EXPERT: a->sel.expert = clamp(a->sel.expert + by, 0, a->facts.card.experts - 1); break;
	case AXIS_HEAD: a->sel.head = clamp(a->sel.head + by, 0, a->facts.card.heads - 1); break;
	case AXIS_TOKEN: move_token(a, by); break;
	case AXIS_CONTEXT: move_context(a, by); break;
	default: break;
	}
}

static int data_rows(const Data *d)
{
	return d->kind == DATA_ITEMS ? d->items.n : d->kind == DATA_TABLE ? d->table.rows : d->kind == DATA_FIELD ? d->field.rows : 0;
}

static void move_local_y(App *a, const Data *d, int dy)
{
	PaneState *ps = app_pane_state(a);
	ps->local_y = (int)clamp(ps->local_y + dy, 0, data_rows(d) - 1);
}

static Axis axis_down(const Data *d)
{
	switch (d->kind) {
	case DATA_FIELD: return d->field.row_axis;
	case DATA_ITEMS: return d->items.axis;
	case DATA_TABLE: return d->table.axis;
	default: return AXIS_NONE;
	}
}

/* The why table lists experts in the order of the gate: up and down go through that order. */
static bool move_why(App *a, const Data *d, int dy)
{
	const SceneNode *p = app_pane(a);
	if (!p || strcmp(p->data, "why") != 0 || d->kind != DATA_TABLE || d->table.rows < 1)
		return false;
	int r = (int)clamp((d->table.sel < 0 ? 0 : d->table.sel) + dy, 0, d->table.rows - 1);
	const char *s = d->table.cell[(size_t)r * (size_t)d->table.cols].s;
	a->sel.expert = 0;
	for (; s && *s >= '0' && *s <= '9'; s++)
		a->sel.expert = a->sel.expert * 10 + (*s - '0');
	return true;
}

static void move_across(App *a, const Data *d, int dx)
{
	PaneState *ps = app_pane_state(a);
	if (d->kind == DATA_FIELD && d->field.col_axis != AXIS_LOCAL)
		app_move(a, d->field.col_axis, dx);
	else if (d->kind == DATA_FIELD && d->field.back)
		ps->local_x = (int)clamp(ps->local_x - dx, 0, d->field.row_sel < 0 ? 0 : d->field.row_sel);
	else if (d->kind == DATA_FIELD)
		ps->local_x = (int)clamp(ps->local_x + dx, 0, d->field.cols - 1);
	else if (d->kind == DATA_TABLE && d->table.tint[0])
		move_local_y(a, d, dx);
	else if (d->kind == DATA_SERIES && d->series.axis == AXIS_LOCAL)
		ps->local_x = (int)clamp(ps->local_x - dx, 0, d->series.line[0].n - 1);
	else
		app_move(a, d->across != AXIS_NONE ? d->across : AXIS_TOKEN, dx);
}

/* In the text up and down go by lines of the screen. */
static void move_line(App *a, int dy)
{
	int64_t i = facts_find(&a->facts, a->sel.token);
	int64_t to = i < 0 ? -1 : text_line_step(&a->facts, app_pane_state(a)->body.w, i, dy);
	if (to >= 0)
		move_token(a, (int)(to - i));
}

/* In the map and in the list of products: from the one that is shown as selected, which nobody may have chosen yet. */
static bool move_product(App *a, const Data *d, int dx, int dy)
{
	int layer, column;
	if (d->kind == DATA_FIELD && d->field.col_axis == AXIS_PRODUCT) {
		layer = (int)clamp(d->field.row_sel + dy, 0, d->field.rows - 1);
		column = (int)clamp(d->field.col_sel + dx, 0, d->field.cols - 1);
	} else if (d->kind == DATA_TABLE && d->table.axis == AXIS_PRODUCT && d->table.path) {
		int r = (int)clamp((d->table.sel < 0 ? 0 : d->table.sel) + dy, 0, d->table.rows - 1);
		if (sscanf(d->table.path[r], "%d %d", &layer, &column) != 2)
			return true;
	} else {
		return false;
	}
	a->sel.layer = layer;
	a->sel.product = column + 1;
	return true;
}

void app_move_focus(App *a, int dx, int dy)
{
	const Data *d = &a->data[app_current(a)->focus];
	a->dirty = true;
	if (d->kind == DATA_TABLE && d->table.axis == AXIS_TENSOR) {
		app_tensor_move(a, d, dx, dy);
		return;
	}
	if (move_product(a, d, dx, dy))
		return;
	if (dx)
		move_across(a, d, dx);
	if (!dy || move_why(a, d, dy))
		return;
	Axis ax = axis_down(d);
	if (ax == AXIS_LOCAL)
		move_local_y(a, d, dy);
	else if (ax != AXIS_NONE)
		app_move(a, ax, dy);
	else if (d->kind == DATA_TEXT)
		move_line(a, dy);
	else
		app_move(a, AXIS_LAYER, dy);
}

/* A click selects the token under it. */
static void click_text(App *a, const PaneState *ps, int x, int y)
{
	int64_t to = text_token_at(&a->facts, ps->body.w, x - ps->body.x, (y - ps->body.y) / (ps->row_h > 1 ? ps->row_h : 1) + ps->scroll_y);
	int64_t i = facts_find(&a->facts, a->sel.token);
	if (to >= 0)
		move_token(a, (int)(to - (i < 0 ? 0 : i)));
}

void app_focus_next(App *a, int by)
{
	AppScene *s = app_current(a);
	int n = s->def ? s->def->n_panes : 0;
	a->dirty = true;
	for (int i = 0; i < n; i++) {
		s->focus = (s->focus + by + n) % n;
		if (s->zoom || a->rect[s->focus].w > 0)
			return;
	}
}

/* Cell of a field under a mouse position, by what the last frame left. */
static void click_field(App *a, const Data *d, const PaneState *ps, int x, int y)
{
	int c = 0, r = ps->first_row + (y - ps->body.y) * (ps->half ? 2 : 1);
	int left = x - ps->body.x, w = ps->cell_w > 0 ? ps->cell_w : 1;
	if (ps->group > 0) {
		int stride = ps->group * w + 1;
		c = ps->first_col + left / stride * ps->group + left % stride / w;
	} else {
		c = ps->first_col + left / w;
	}
	if (r < 0 || c < 0 || r >= d->field.rows || c >= d->field.cols)
		return;
	int dr = r - (d->field.row_sel < 0 ? 0 : d->field.row_sel),
	    dc = c - (d->field.col_sel < 0 ? 0 : d->field.col_sel);
	app_move_focus(a, dc, dr);
}

static void click_pane(App *a, int i, int x, int y)
{
	const PaneState *ps = &app_current(a)->pane[i];
	const Data *d = &a->data[i];
	Rect b = ps->body;
	if (x < b.x || y < b.y || x >= b.x + b.w || y >= b.y + b.h)
		return;
	if (d->kind == DATA_TEXT)
		click_text(a, ps, x, y);
	else if (d->kind == DATA_FIELD)
		click_field(a, d, ps, x, y);
	else if (d->kind == DATA_ITEMS)
		app_move_focus(a, 0, ps->first_row + y - b.y - (d->items.sel < 0 ? 0 : d->items.sel));
	else if (d->kind == DATA_TABLE && d->table.axis != AXIS_NONE)
		app_move_focus(a, 0, ps->first_row + y - b.y - (d->table.sel < 0 ? 0 : d->table.sel));
}

static int tab_at(const App *a, int x)
{
	int at[APP_SCENES + 1], best = -1;
	app_tabs(a, a->grid_w, at);
	for (int i = 0; i < a->n_scenes && x < at[a->n_scenes]; i++)
		if (at[i] >= 0 && x >= at[i])
			best = i;
	return best;
}

bool app_click(App *a, Key k)
{
	AppScene *s = app_current(a);
	a->dirty = true;
	if (k.code == AK_PRESS && k.y == 1 && a->body_y >= 2 && tab_at(a, k.x) >= 0) {
		a->chosen = true;
		a->now = tab_at(a, k.x);
		return true;
	}
	for (int i = 0; s->def && i < s->def->n_panes; i++) {
		Rect r = a->rect[i];
		int y = k.y - a->body_y;
		if (r.w == 0 || k.x < r.x || y < r.y || k.x >= r.x + r.w || y >= r.y + r.h)
			continue;
		s->focus = i;
		if (k.code == AK_WHEEL_UP || k.code == AK_WHEEL_DOWN)
			app_move_focus(a, 0, k.code == AK_WHEEL_UP ? -1 : 1);
		else
			click_pane(a, i, k.x, k.y);
		return true;
	}
	return false;
}

/* The next token whose text contains this, from the one after the selected, around the end. */
bool app_find(App *a, const char *text, int from)
{
	const Facts *f = &a->facts;
	int64_t at = facts_find(f, a->sel.token);
	for (size_t i = 0; i < f->n_tok && *text; i++) {
		size_t k = (size_t)(at < 0 ? 0 : at) + i + (size_t)from;
		const FactToken *t = &f->tok[k % f->n_tok];
		if (t->text && strstr(t->text, text)) {
			a->sel.token = t->pos;
			a->sel.follow = false;
			a->dirty = true;
			return true;
		}
	}
	return false;
}

/* Goes through the past by hundredths of what is kept; past the end is live again. */
void app_scrub(App *a, Store *s, int by)
{
	double b = store_begin(s), e = store_end(s);
	double now = isinf(a->scrub) ? e : a->scrub, step = (e - b) / 100;
	now += by * (step > 0 ? step : 0);
	now = now < b ? b : now;
	a->scrub = now >= e ? INFINITY : now;
	store_seek(s, a->scrub);
	a->sel.follow = true;
	a->dirty = true;
	if (isinf(a->scrub))
		app_say(a, false, a->replay ? "at the end" : "live");
	else
		app_say(a, false, "%.2f s of %.2f s", now - b, e - b);
}
