/* app_export.c - the screen as a picture, as text, and the data behind its panes as CSV (one value a line)
 * and JSON. */
#include "view/app_state.h"
#include "base/json.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* A row of the long form; CSV quotes where it must (RFC 4180). */
typedef struct Sink { Buf *b; const char *pane; } Sink;

static void csv_text(Buf *b, const char *s)
{
	if (!strpbrk(s, ",\"\r\n")) {
		buf_adds(b, s);
		return;
	}
	buf_addc(b, '"');
	for (; *s; s++) {
		if (*s == '"')
			buf_addc(b, '"');
		buf_addc(b, *s);
	}
	buf_addc(b, '"');
}

static void csv_line(const Sink *k, const char *row, const char *column, double v, const char *text)
{
	csv_text(k->b, k->pane);
	buf_addc(k->b, ',');
	csv_text(k->b, row);
	buf_addc(k->b, ',');
	csv_text(k->b, column);
	buf_addc(k->b, ',');
	if (!isnan(v))
		buf_printf(k->b, "%.9g", v);
	buf_addc(k->b, ',');
	csv_text(k->b, text ? text : "");
	buf_addc(k->b, '\n');
}

static void csv_field(const Sink *k, const Field *f)
{
	char col[16];
	for (int r = 0; r < f->rows; r++)
		for (int c = 0; c < f->cols; c++) {
			bool have;
			double v = field_at(f, r, c, &have);
			snprintf(col, sizeof col, "%d", c);
			if (have)
				csv_line(k, f->row_label(f, r), col, v, NULL);
		}
}

static void csv_data(const Sink *k, const Data *d)
{
	char row[24];
	if (d->empty) {            /* why there is nothing */
		csv_line(k, "", "", NAN, d->empty);
		return;
	}
	if (d->kind == DATA_FIELD)
		csv_field(k, &d->field);
	for (int i = 0; d->kind == DATA_ITEMS && i < d->items.n; i++)
		csv_line(k, d->items.item[i].label, "value", d->items.item[i].x, d->items.item[i].value);
	for (int i = 0; d->kind == DATA_SERIES && i < d->series.n; i++)
		for (int x = 0; x < d->series.line[i].n; x++) {
			snprintf(row, sizeof row, "%lld", (long long)d->series.x0 + x);
			csv_line(k, row, d->series.line[i].name, d->series.line[i].at(&d->series.line[i], x), NULL);
		}
	for (int r = 0; d->kind == DATA_TABLE && r < d->table.rows; r++)
		for (int c = 0; c < d->table.cols; c++) {
			const char *s = d->table.cell[(size_t)r * (size_t)d->table.cols + (size_t)c].s;
			snprintf(row, sizeof row, "%d", r);
			if (s)
				csv_line(k, row, d->table.head[c] ? d->table.head[c] : c ? "value" : "name", NAN, s);
		}
}

static void csv_texts(const Sink *k, const Facts *f)
{
	char row[24];
	for (size_t i = 0; i < f->n_tok; i++) {
		snprintf(row, sizeof row, "%lld", (long long)f->tok[i].pos);
		csv_line(k, row, f->tok[i].given ? "given" : "generated", f->tok[i].logprob, f->tok[i].text);
		if (f->tok[i].draft != TOK_NOT_DRAFTED)
			csv_line(k, row, f->tok[i].draft == TOK_ACCEPTED ? "accepted" : "refused", NAN, f->tok[i].drafted);
	}
}

static void json_field(Jout *j, const Field *f)
{
	jout_key(j, "rows");
	jout_arr(j);
	for (int r = 0; r < f->rows; r++)
		jout_str(j, f->row_label(f, r));
	jout_end_arr(j);
	jout_kint(j, "columns", f->cols);
	jout_key(j, "values");
	jout_arr(j);
	for (int r = 0; r < f->rows; r++) {
		jout_arr(j);
		for (int c = 0; c < f->cols; c++) {
			bool have;
			double v = field_at(f, r, c, &have);
			if (have)
				jout_num(j, v);
			else
				jout_null(j);
		}
		jout_end_arr(j);
	}
	jout_end_arr(j);
}

static void json_items(Jout *j, const Items *t)
{
	jout_key(j, "items");
	jout_arr(j);
	for (int i = 0; i < t->n; i++) {
		jout_obj(j);
		jout_kstr(j, "label", t->item[i].label);
		jout_knum(j, "value", t->item[i].x);
		if (t->item[i].value)
			jout_kstr(j, "text", t->item[i].value);
		jout_end_obj(j);
	}
	jout_end_arr(j);
}

static void json_series(Jout *j, const Series *s)
{
	jout_key(j, "series");
	jout_arr(j);
	for (int i = 0; i < s->n; i++) {
		jout_obj(j);
		jout_kstr(j, "name", s->line[i].name);
		jout_kint(j, "first", s->x0);
		jout_key(j, "values");
		jout_arr(j);
		for (int x = 0; x < s->line[i].n; x++)
			jout_num(j, s->line[i].at(&s->line[i], x));
		jout_end_arr(j);
		jout_end_obj(j);
	}
	jout_end_arr(j);
}

static void json_table(Jout *j, const Table *t)
{
	jout_key(j, "table");
	jout_arr(j);
	for (int r = 0; r < t->rows; r++) {
		jout_arr(j);
		for (int c = 0; c < t->cols; c++) {
			const char *s = t->cell[(size_t)r * (size_t)t->cols + (size_t)c].s;
			if (s)
				jout_str(j, s);
			else
				jout_null(j);
		}
		jout_end_arr(j);
	}
	jout_end_arr(j);
	if (t->n_lines == 0)
		return;
	jout_key(j, "lines");
	jout_arr(j);
	for (int i = 0; i < t->n_lines; i++)
		jout_str(j, t->line[i]);
	jout_end_arr(j);
}

static void json_tokens(Jout *j, const Facts *f)
{
	jout_key(j, "tokens");
	jout_arr(j);
	for (size_t i = 0; i < f->n_tok; i++) {
		const FactToken *t = &f->tok[i];
		jout_obj(j);
		jout_kint(j, "pos", t->pos);
		jout_kint(j, "id", t->id);
		jout_kstr(j, "text", t->text);
		jout_kbool(j, "given", t->given);
		jout_knum(j, "logprob", t->logprob);
		jout_knum(j, "entropy", t->entropy);
		if (t->draft != TOK_NOT_DRAFTED)
			jout_kstr(j, "draft", t->draft == TOK_ACCEPTED ? "accepted" : "rejected");
		if (t->drafted)
			jout_kstr(j, "drafted", t->drafted);
		jout_end_obj(j);
	}
	jout_end_arr(j);
}

static void json_pane(Jout *j, const SceneNode *n, const Data *d, const Facts *f)
{
	Buf b = BUF_INIT;
	jout_obj(j);
	jout_kstr(j, "title", d->title);
	jout_kstr(j, "view", n->view);
	jout_kstr(j, "data", n->data);
	if (d->facts)
		jout_kstr(j, "facts", d->facts);
	if (d->empty)
		jout_kstr(j, "empty", d->empty);
	switch (d->kind) {
	case DATA_FIELD: json_field(j, &d->field); break;
	case DATA_ITEMS: json_items(j, &d->items); break;
	case DATA_SERIES: json_series(j, &d->series); break;
	case DATA_TABLE: json_table(j, &d->table); break;
	case DATA_TEXT: json_tokens(j, f); break;
	default: break;
	}
	data_readout(d, &b);
	if (b.len)
		jout_kstr(j, "readout", buf_str(&b));
	jout_end_obj(j);
	buf_done(&b);
}

static void data_json(App *a, const SceneDef *d, Buf *out)
{
	Jout j;
	jout_init(&j, out);
	jout_obj(&j);
	jout_kstr(&j, "scene", app_scene(a));
	jout_key(&j, "select");
	jout_obj(&j);
	jout_kint(&j, "layer", a->sel.layer);
	jout_kint(&j, "token", a->sel.token);
	jout_kint(&j, "expert", a->sel.expert);
	jout_kint(&j, "context", a->sel.context);
	jout_end_obj(&j);
	jout_key(&j, "panes");
	jout_arr(&j);
	for (int i = 0; i < d->n_panes; i++)
		if (strcmp(d->pane[i]->view, "prompt") != 0)
			json_pane(&j, d->pane[i], &a->data[i], &a->facts);
	jout_end_arr(&j);
	jout_end_obj(&j);
	buf_addc(out, '\n');
}

bool app_data(App *a, const Store *s, const char *format, Buf *out, Err *e)
{
	const SceneDef *d = app_current(a)->def;
	if (!d || !d->root)
		return err_set(e, E_8001, "%s", d ? d->error : "the scene cannot be read");
	arena_reset(a->arena);
	a->memo = NULL;
	memset(a->data, 0, sizeof a->data);
	facts_update(&a->facts, s);
	app_select_sync(a, s);
	app_make_data(a, s, -1);
	a->dirty = true;
	if (strcmp(format, "json") == 0) {
		data_json(a, d, out);
	} else {
		buf_adds(out, "pane,row,column,value,text\n");
		for (int i = 0; i < d->n_panes; i++) {
			Sink k = { out, a->data[i].title ? a->data[i].title : "" };
			if (a->data[i].kind == DATA_TEXT && strcmp(d->pane[i]->view, "prompt") != 0)
				csv_texts(&k, &a->facts);
			else
				csv_data(&k, &a->data[i]);
		}
	}
	return !out->failed || err_set(e, E_5001, "export: out of memory");
}

bool app_export(App *a, const Store *s, const char *format, int w, int h, Buf *out, Err *e)
{
	uint32_t fg, bg;
	bool ok = true;
	if (strcmp(format, "csv") == 0 || strcmp(format, "json") == 0)
		return app_data(a, s, format, out, e);
	Grid *g = grid_new(w, h);
	if (!g)
		return err_set(e, E_5001, "export: out of memory");
	const Theme *theme = a->theme;
	Glyphs glyphs = a->glyphs;
	if (strcmp(format, "text") == 0) {
		/* No colour survives there: magnitudes must be shades. */
		a->theme = theme_find("mono");
		a->glyphs = a->ascii ? GLYPHS_ASCII : GLYPHS_SHADE;
	}
	app_draw(a, s, g, a->drawn_time);
	a->theme = theme;
	a->glyphs = glyphs;
	a->dirty = true;
	app_page_colors(a, &fg, &bg);
	if (strcmp(format, "text") == 0)
		grid_to_text(g, out);
	else if (strcmp(format, "ansi") == 0)
		grid_to_ansi(g, a->theme->mono ? COLORS_NONE : COLORS_TRUE, out);
	else if (strcmp(format, "svg") == 0)
		ok = grid_to_svg(g, fg, bg, out, e);
	else if (strcmp(format, "png") == 0)
		ok = grid_to_png(g, fg, bg, out, e);
	else
		ok = err_set(e, E_2003, "format \"%s\": there are text, ansi, svg, png, csv and json", format);
	grid_free(g);
	if (ok && out->failed)
		ok = err_set(e, E_5001, "export: out of memory");
	return ok;
}
