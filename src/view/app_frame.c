/* app_frame.c - one frame: header, tabs, panes, read-out, hints. What does not fit is left out in order of
 * importance, down to a single line. */
#include "view/app_state.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MESSAGE_SECONDS = 6, TABS_AND_SELECTION = 72 };

Look app_look(App *a, const Store *s, const SceneNode *pane, int rows)
{
	int i = pane->index;
	bool own = pane == (app_current(a)->def && i >= 0 && i < app_current(a)->def->n_panes ? app_current(a)->def->pane[i] : NULL);
	return (Look){ s, &a->facts, &a->sel, a->arena, pane, rows, own ? a->rect[i].w - 4 : 0, a->replay, &a->memo };
}

/* Cursors of axes that belong to the pane itself. */
static void data_local(Data *d, PaneState *ps)
{
	int rows = d->kind == DATA_ITEMS ? d->items.n : d->kind == DATA_TABLE ? d->table.rows : d->kind == DATA_FIELD ? d->field.rows : 0;
	if (rows > 0 && ps->local_y >= rows)
		ps->local_y = rows - 1;
	if (d->kind == DATA_FIELD && d->field.col_axis == AXIS_LOCAL)
		d->field.col_sel = ps->local_x < d->field.cols ? ps->local_x : d->field.cols - 1;
	if (d->kind == DATA_FIELD && d->field.back && d->field.row_sel >= 0)
		d->field.col_sel = ps->local_x < d->field.row_sel ? d->field.row_sel - ps->local_x : 0;
	if (d->kind == DATA_FIELD && d->field.row_axis == AXIS_LOCAL)
		d->field.row_sel = ps->local_y < d->field.rows ? ps->local_y : d->field.rows - 1;
	if (d->kind == DATA_ITEMS && d->items.axis == AXIS_LOCAL)
		d->items.sel = ps->local_y;
	if (d->kind == DATA_TABLE && d->table.axis == AXIS_LOCAL)
		d->table.sel = ps->local_y;
	if (d->kind == DATA_SERIES && d->series.axis == AXIS_LOCAL)
		d->series.sel = ps->local_x > 0 ? d->series.line[0].n - 1 - ps->local_x : -1;
}

static void make_one(App *a, const Store *s, int i, int rows)
{
	AppScene *sc = app_current(a);
	Look *l = arena_alloc(a->arena, sizeof *l);
	if (!l) {
		a->data[i] = (Data){ .empty = "out of memory" };
		return;
	}
	*l = app_look(a, s, sc->def->pane[i], rows);
	source_make(l, &a->data[i]);
	data_local(&a->data[i], &sc->pane[i]);
}

/* Data of all panes, or of one. */
void app_make_data(App *a, const Store *s, int only)
{
	AppScene *sc = app_current(a);
	for (int i = 0; sc->def && i < sc->def->n_panes; i++)
		if (only < 0 || only == i)
			make_one(a, s, i, 0);
}

/* --- header --- */

static const char *state_word(const App *a)
{
	const char *s = a->facts.status.state;
	if (a->replay)
		return "replay";
	if (!a->engine_alive)
		return "engine gone";
	if (strcmp(s, "decode") == 0 || strcmp(s, "train") == 0)
		return "▶";
	if (strcmp(s, "paused") == 0)
		return "‖ paused";
	return strcmp(s, "idle") == 0 ? "ready" : s;
}

static const char *header_right(App *a, int w)
{
	const FactStats *t = &a->facts.stats;
	const FactStatus *st = &a->facts.status;
	Buf b = BUF_INIT;
	if (st->recording[0] && !a->replay)
		buf_adds(&b, "● rec  ");
	buf_adds(&b, state_word(a));
	if (!isnan(st->progress) && st->have && facts_busy(&a->facts) && strcmp(st->state, "decode") != 0)
		buf_printf(&b, " %.0f%%", 100 * st->progress);
	if (t->have && !isnan(t->decode) && t->decode > 0)
		buf_printf(&b, " %.0f tok/s", t->decode);
	else if (a->facts.train.have && !isnan(a->facts.train.rate))
		buf_printf(&b, " %.0f tok/s", a->facts.train.rate);
	if (t->have && t->rss > 0 && w >= 60)
		buf_printf(&b, " · %s", text_bytes(a->arena, (double)t->rss));
	if (!isinf(a->scrub))
		buf_adds(&b, " · past");
	buf_adds(&b, " ");
	const char *s = arena_strdup(a->arena, buf_str(&b));
	buf_done(&b);
	return s ? s : "";
}

static const char *family(const FactCard *k)
{
	if (strstr(k->type, "v32"))
		return "V3.2";
	if (strstr(k->type, "v2"))
		return "V2";
	return strstr(k->type, "v3") ? "V3" : k->type;
}

static void draw_header(App *a, Win o)
{
	const FactCard *k = &a->facts.card;
	const Theme *t = a->theme;
	const char *right = o.w >= 30 ? header_right(a, o.w) : "", *part[6];
	int n = 0, end = o.w - text_columns(right, strlen(right)) - 1;
	int x = win_text(o, 1, 0, "lathe", t->accent);
	if (k->have) {
		x = win_text(win_sub(o, 0, 0, end, 1), x + 2, 0, k->name, t->strong) + 2;
		part[n++] = family(k);
		part[n++] = arena_printf(a->arena, "%lld layers", (long long)k->layers);
		if (k->experts > 0)
			part[n++] = arena_printf(a->arena, "%lld experts, %lld per token",
				(long long)k->experts, (long long)k->per_token);
		part[n++] = k->attention[0] && strcmp(k->attention, "mla") != 0 ? arena_printf(a->arena, "%s", k->attention)
			: arena_printf(a->arena, "MLA %lld+%lld", (long long)k->kv_rank, (long long)k->rope);
		part[n++] = arena_printf(a->arena, "%s (%s active)", text_count(a->arena, (double)k->total),
			text_count(a->arena, (double)k->active));
	} else if (a->facts.status.have) {
		part[n++] = a->facts.status.message[0] ? a->facts.status.message : a->facts.status.state;
		x += 2;
	}
	for (int i = 0; i < n; i++) {
		int w = text_columns(part[i], strlen(part[i])) + (i ? 3 : 0);
		if (x + w >= end)
			break;
		x = win_text(o, x, 0, i ? " · " : "", t->dim);
		x = win_text(o, x, 0, part[i], t->text);
	}
	if (end > 8)
		win_right(o, o.w, 0, right,
			a->engine_alive || a->replay
				? strcmp(state_word(a), "▶") == 0 ? t->good : t->dim
				: t->warn);
}

static const char *tab_title(const App *a, int i)
{
	return a->scene[i].def ? a->scene[i].def->title : a->scene[i].name;
}

/* Digits go to the first ten; the eleventh has only a function key. */
static const char *tab_key(const App *a, int i)
{
	return i < 10 ? arena_printf(a->arena, "%d ", (i + 1) % 10) : i == 10 ? "F12 " : "";
}

static int tab_width(const App *a, int i, int pad)
{
	return 2 * pad + (int)strlen(tab_key(a, i)) + text_columns(tab_title(a, i), strlen(tab_title(a, i)));
}

static const char *select_text(const App *a)
{
	return arena_printf(a->arena, "L%lld · token %lld · expert %lld · T %.2g ", (long long)(a->sel.layer < 0 ? 0 : a->sel.layer),
		(long long)a->sel.token, (long long)a->sel.expert, !isnan(a->temperature) ? a->temperature
			: isnan(a->facts.run.temperature) ? 0 : a->facts.run.temperature);
}

/* All of them, with blanks around as there is room; else as many as fit beside the selection, the current one among them. */
int app_tabs(const App *a, int w, int x[APP_SCENES + 1])
{
	const char *sel = select_text(a);
	w -= w >= TABS_AND_SELECTION ? text_columns(sel, strlen(sel)) + 2 : 0;
	int from = 0, to = a->n_scenes, pad = 1, all = 2, wide = 2;
	for (int i = 0; i < to; i++) {
		all += tab_width(a, i, 1);
		wide += tab_width(a, i, 0) + 1;
	}
	int gap = 0, sum = all;
	if (all > w) {
		pad = 0;
		gap = 1;
		sum = wide;
	}
	while (sum > w && to - from > 1) {
		int cut = to - 1 - a->now > a->now - from ? --to : from++;
		sum -= tab_width(a, cut, pad) + gap;
	}
	int at = 1;
	for (int i = 0; i < a->n_scenes; i++) {
		x[i] = i >= from && i < to ? at : -1;
		at += x[i] < 0 ? 0 : tab_width(a, i, pad) + gap;
	}
	x[a->n_scenes] = at;
	return pad;
}

static void draw_tabs(App *a, Win o)
{
	const Theme *t = a->theme;
	int at[APP_SCENES + 1], pad = app_tabs(a, o.w, at), x = at[a->n_scenes];
	for (int i = 0; i < a->n_scenes; i++) {
		Style st = i == a->now ? t->select : t->dim;
		if (at[i] >= 0)
			win_printf(o, at[i], 0, st, "%*s%s%s%*s", pad, "", tab_key(a, i),
				tab_title(a, i), pad, "");
	}
	if (at[0] < 0)
		win_text(o, 0, 0, a->ascii ? "<" : "‹", t->dim);
	if (at[a->n_scenes - 1] < 0)
		win_text(o, x, 0, a->ascii ? ">" : "›", t->dim);
	const char *sel = select_text(a);
	if (x + text_columns(sel, strlen(sel)) + 2 < o.w)
		win_right(o, o.w, 0, sel, t->dim);
}

/* --- panes --- */

static void draw_prompt(App *a, Win o)
{
	if (a->mode == MODE_PROMPT) {
		lineedit_draw(&a->prompt, o, "› ", a->theme->accent, a->theme->text, true);
		return;
	}
	const char *last = a->prompt.n_history ? a->prompt.history[a->prompt.n_history - 1] : NULL;
	int x = win_text(o, 0, 0, "› ", a->theme->dim);
	if (a->prompt.text.len)
		win_foreign(o, x, 0, buf_str(&a->prompt.text), a->prompt.text.len, a->theme->dim);
	else if (last)
		win_foreign(o, x, 0, last, strlen(last), a->theme->dim);
	else
		win_text(o, x, 0, a->replay ? "a recording" : "Enter writes a prompt", a->theme->dim);
}

static const char *one_line(App *a, const Data *d)
{
	Buf b = BUF_INIT;
	if (d->empty)
		buf_adds(&b, d->empty);
	else if (d->summary)
		buf_adds(&b, d->summary);
	else
		data_readout(d, &b);
	const char *s = arena_printf(a->arena, "%s: %s", d->title, b.len ? buf_str(&b) : "too small to show");
	buf_done(&b);
	return s;
}

static void draw_inside(App *a, const Store *s, int i, Win in, bool focus)
{
	AppScene *sc = app_current(a);
	const SceneNode *n = sc->def->pane[i];
	const View *v = view_find(n->view);
	const Data *d = &a->data[i];
	PaneState *ps = &sc->pane[i];
	ps->body = (Rect){ 0, 0, 0, 0 };
	if (!v || !v->draw) {
		draw_prompt(a, in);
		return;
	}
	if (d->empty || d->kind == DATA_NONE) {
		pen_empty(&(Pen){ .theme = a->theme }, in, d->empty ? d->empty : "nothing yet");
		return;
	}
	if (in.w < v->min_w || in.h < v->min_h) {
		win_cut(in, 0, 0, one_line(a, d), a->theme->text);
		return;
	}
	Pen p = { a->theme, a->glyphs, a->ascii, focus, a->color_by, ps, app_look(a, s, n, in.h) };
	/* A view that was asked for another kind of data says so instead of reading the wrong part of it. */
	if (v->kind != d->kind) {
		pen_empty(&p, in, "this data cannot be shown by this view");
		return;
	}
	v->draw(&p, in, d);
}

static void draw_pane(App *a, const Store *s, int i, Win body)
{
	Rect r = a->rect[i];
	Win o = win_sub(body, r.x, r.y, r.w, r.h);
	bool focus = app_current(a)->focus == i;
	const Data *d = &a->data[i];
	if (body.h < 5 || o.h < 3 || o.w < 12) {
		draw_inside(a, s, i, o, focus);
		return;
	}
	const char *facts = strcmp(app_current(a)->def->pane[i]->view, "gauge") == 0 ? NULL : d->facts;
	Win in = win_box(o, d->title, facts, focus ? a->theme->line_focus : a->theme->line, a->theme->title,
		focus);
	if (in.w > 20)
		in = win_sub(in, 1, 0, in.w - 2, in.h);
	draw_inside(a, s, i, in, focus);
}

static void draw_panes(App *a, const Store *s, Win body)
{
	AppScene *sc = app_current(a);
	SceneDef *d = sc->def;
	int want[SCENE_PANES] = { 0 };
	if (!d || !d->root) {
		Win in = win_box(body, sc->name, NULL, a->theme->warn, a->theme->warn, true);
		win_text(in, 1, 0, d && d->error[0] ? d->error : "cannot be read", a->theme->warn);
		win_text(in, 1, 2, "Correct the file: it is read again when saved. The other scenes work.",
			a->theme->dim);
		memset(a->rect, 0, sizeof a->rect);
		return;
	}
	for (int i = 0; i < d->n_panes; i++)
		if (d->pane[i]->fit || d->pane[i]->optional) {
			make_one(a, s, i, body.h - 2);
			bool empty = a->data[i].empty != NULL;
			want[i] = empty && d->pane[i]->optional ? -1 : !d->pane[i]->fit ? 0 : empty ? 3 : view_rows(&a->data[i]);
		}
	scene_layout(d, body.w, body.h, want, sc->zoom ? sc->focus : -1, a->rect);
	if (a->rect[sc->focus].w == 0)
		app_focus_next(a, 1);
	for (int i = 0; i < d->n_panes; i++) {
		if (a->rect[i].w == 0)
			continue;
		make_one(a, s, i, a->rect[i].h - 2);
		draw_pane(a, s, i, body);
	}
}

/* --- the two lines below --- */

static void draw_readout(App *a, Win o, double now)
{
	Buf b = BUF_INIT;
	if (a->message[0] && a->message_until == 0)
		a->message_until = now + MESSAGE_SECONDS;
	if (a->message[0] && now >= a->message_until)
		a->message[0] = 0;
	if (app_current(a)->def && app_current(a)->def->root)
		data_readout(&a->data[app_current(a)->focus], &b);
	snprintf(a->readout, sizeof a->readout, "%.511s", buf_str(&b));
	if (a->message[0])
		win_cut(o, 1, 0, a->message, a->message_error ? a->theme->warn : a->theme->accent);
	else if (!a->engine_alive && !a->replay)
		win_printf(o, 1, 0, a->theme->warn, "%s · R starts it again",
			a->engine_why[0] ? a->engine_why : "the engine is gone");
	else if (strcmp(a->facts.status.state, "error") == 0)
		win_cut(o, 1, 0, a->facts.status.message, a->theme->warn);
	else
		win_cut(o, 1, 0, a->readout, a->theme->text);
	buf_done(&b);
}

/* Draws a hint at *x and moves *x behind it; false: there is no room. */
static bool hint(App *a, Win o, int *x, const char *key, const char *help)
{
	int w = text_columns(key, strlen(key)) + text_columns(help, strlen(help)) + 1;
	if (*x + w > o.w)
		return false;
	*x = win_text(o, *x, 0, key, a->theme->key);
	*x = win_text(o, *x + 1, 0, help, a->theme->dim) + 2;
	return true;
}

/* As many as fit; the last two, which say how to learn the others and how to leave, have their place kept. */
static void draw_hints(App *a, Win all)
{
	enum { KEPT = 16 };        /* columns of the last two */
	static const char *const often[][2] = {
		{ "Enter", "prompt" }, { "Space", "pause" }, { "s", "step" }, { "n", "more" },
		{ "Tab", "pane" }, { ":", "command" }, { "#", "numbers" }, { "z", "zoom" },
		{ "+ -", "layer" }, { "[ ]", "scrub" }, { "/", "find" }, { "g", "glyphs" }, { "l", "log" },
	};
	const SceneDef *d = app_current(a)->def;
	Win o = all.w > 2 * KEPT ? win_sub(all, 0, 0, all.w - KEPT, 1) : all;
	bool room = true;
	int x = 1;
	for (int i = 0; d && i < d->n_keys && room; i++)
		room = hint(a, o, &x, d->key[i].key, d->key[i].help);
	/* A recording has no engine: what only talks to it is left out, and time comes first. */
	if (a->replay && room)
		room = hint(a, o, &x, "[ ]", "scrub");
	for (size_t i = a->replay ? 4 : 0; i < sizeof often / sizeof *often && room; i++)
		if (!a->replay || strcmp(often[i][1], "scrub") != 0)
			room = hint(a, o, &x, often[i][0], often[i][1]);
	if (hint(a, all, &x, "?", "keys"))
		hint(a, all, &x, "q", "quit");
}

/* While a prompt is written. */
static void draw_prompt_hints(App *a, Win o)
{
	int x = 1;
	if (hint(a, o, &x, "Enter", "run") && hint(a, o, &x, "Esc", "leave"))
		hint(a, o, &x, "Up", "earlier prompts");
}

static bool prompt_in_sight(const App *a)
{
	const SceneDef *d = a->scene[a->now].def;
	for (int i = 0; d && i < d->n_panes; i++)
		if (strcmp(d->pane[i]->view, "prompt") == 0 && a->rect[i].w > 0)
			return true;
	return false;
}

static void draw_bottom(App *a, Win o)
{
	const Theme *t = a->theme;
	if (a->mode == MODE_COMMAND)
		lineedit_draw(&a->command, win_sub(o, 1, 0, o.w - 1, 1), ":", t->accent, t->text, true);
	else if (a->mode == MODE_SEARCH)
		lineedit_draw(&a->search, win_sub(o, 1, 0, o.w - 1, 1), "/", t->accent, t->text, true);
	else if (a->mode == MODE_QUIT)
		win_text(o, 1, 0,
			facts_busy(&a->facts) ? "A text is being generated. Quit? y / n"
					      : "A recording runs. Quit? y / n",
			t->warn);
	else if (a->mode == MODE_PROMPT && !prompt_in_sight(a))
		lineedit_draw(&a->prompt, win_sub(o, 1, 0, o.w - 1, 1), "› ", t->accent, t->text, true);
	else if (a->mode == MODE_PROMPT)
		draw_prompt_hints(a, o);
	else
		draw_hints(a, o);
}

/* --- help --- */

/* The keys that the scene's file adds, before all others; returns the line behind them. */
static int help_scene(App *a, Win o, int y, bool draw)
{
	const SceneDef *d = app_current(a)->def;
	if (!d || d->n_keys + d->n_about == 0)
		return y;
	if (draw && y >= 0)
		win_text(o, 0, y, arena_printf(a->arena, "this scene, %s", d->title), a->theme->strong);
	y++;
	for (int i = 0; i < d->n_keys; i++, y++) {
		if (!draw || y < 0)
			continue;
		win_text(win_sub(o, 0, 0, 15, o.h), 1, y, d->key[i].key, a->theme->key);
		int x = win_text(o, 16, y, d->key[i].help, a->theme->text);
		win_text(o, x + 2, y, arena_printf(a->arena, ":%s", d->key[i].command), a->theme->dim);
	}
	for (int i = 0; i < d->n_about; i++, y++)
		if (draw && y >= 0)
			win_text(o, 1, y, d->about[i], a->theme->text);
	return y + 1;
}

static int help_lines(App *a, Win o, int from, bool draw)
{
	KeyDoc k;
	const char *group = "", *name, *args, *help;
	int y = help_scene(a, o, -from, draw), n = 0;
	for (int i = 0; app_key_doc(i, &k); i++) {
		if (strcmp(group, k.group) != 0) {
			y += n ? 1 : 0;
			if (draw && y >= 0)
				win_text(o, 0, y, k.group, a->theme->strong);
			y++;
			group = k.group;
		}
		if (draw && y >= 0) {
			win_text(win_sub(o, 0, 0, 15, o.h), 1, y, k.keys, a->theme->key);
			win_text(o, 16, y, k.help, a->theme->text);
		}
		y++;
		n++;
	}
	y++;
	if (draw && y >= 0)
		win_text(o, 0, y, "commands after :", a->theme->strong);
	y++;
	for (int i = 0; app_command_help(i, &name, &args, &help); i++, y++)
		if (draw && y >= 0) {
			int x = win_text(o, 1, y, name, a->theme->key);
			win_text(o, x + 1, y, args, a->theme->dim);
			win_text(o, 32, y, help, a->theme->text);
		}
	return y + from;
}

static void draw_help(App *a, Win o)
{
	int w = o.w > 84 ? 84 : o.w, h = o.h;
	Win box = win_sub(o, (o.w - w) / 2, 0, w, h);
	win_fill(box, (Style){ COLOR_DEFAULT, COLOR_DEFAULT, 0 });
	Win in = win_box(box, "keys", "Esc leaves · Up Down scroll", a->theme->line_focus, a->theme->title, true);
	if (in.w > 4)
		in = win_sub(in, 1, 0, in.w - 2, in.h);
	int lines = help_lines(a, in, 0, false), most = lines > in.h ? lines - in.h : 0;
	a->help_scroll = a->help_scroll > most ? most : a->help_scroll < 0 ? 0 : a->help_scroll;
	help_lines(a, in, a->help_scroll, true);
}

/* --- the frame --- */

/* A run that learns shows itself first, unless a scene was asked for or gone to. Its first figures tell which kind it is. */
static void first_scene(App *a, const Store *s)
{
	const char *name = store_last(s, "rl.time") ? "rl" : "train";
	if (a->chosen || !a->facts.train.have)
		return;
	a->chosen = *name == 'r' || store_last(s, "train.main_loss");
	for (int i = 0; i < a->n_scenes; i++)
		if (strcmp(a->scene[i].name, name) == 0)
			a->now = i;
}

void app_draw(App *a, const Store *s, Grid *g, double now)
{
	arena_reset(a->arena);
	a->memo = NULL;
	memset(a->data, 0, sizeof a->data);
	double told = a->facts.forms_time;
	facts_update(&a->facts, s);
	/* A scene that shows it says it itself. */
	if (a->drawn_version && a->facts.forms_time != told && a->facts.forms.have && !strstr(a->here ? a->here : "", "engine.forms"))
		app_say(a, false, "naive and absorbed attention: logits within %.1e, KL %.1e nat, %lld tokens",
			a->facts.forms.logits, a->facts.forms.kl, (long long)a->facts.forms.tokens);
	first_scene(a, s);
	app_select_sync(a, s);
	app_watch_here(a);
	app_tensor_look(a, s);
	g->ascii = a->ascii;
	grid_clear(g, (Style){ COLOR_DEFAULT, COLOR_DEFAULT, 0 });
	Win o = grid_win(g);
	int top = o.h >= 8 ? 2 : o.h >= 3 ? 1 : 0, bottom = o.h >= 8 ? 2 : o.h >= 2 ? 1 : 0;
	a->body_y = top;
	a->grid_w = g->w;
	a->grid_h = g->h;
	if (top >= 1)
		draw_header(a, win_sub(o, 0, 0, o.w, 1));
	if (top >= 2)
		draw_tabs(a, win_sub(o, 0, 1, o.w, 1));
	Win body = win_sub(o, 0, top, o.w, o.h - top - bottom);
	draw_panes(a, s, body);
	if (bottom >= 2)
		draw_readout(a, win_sub(o, 0, o.h - 2, o.w, 1), now);
	if (bottom >= 1) {
		Win last = win_sub(o, 0, o.h - 1, o.w, 1);
		if (bottom == 1 && a->mode == MODE_PANES && (a->message[0] || !a->engine_alive))
			draw_readout(a, last, now);
		else
			draw_bottom(a, last);
	}
	if (a->mode == MODE_HELP)
		draw_help(a, body);
	else if (a->mode == MODE_MESSAGES)
		app_messages_draw(a, body);
	a->drawn_version = store_version(s);
	a->drawn_seek = store_now(s);
	a->dirty = false;
}
