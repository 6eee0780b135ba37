/* lua_plot.c - pictures of a script's numbers, drawn by the renderers of the screen (view/), so that a plot in a paper, on a terminal and in
 * the workbench look the same. lua/lathe/plot.lua makes the tables that are drawn here:
 *
 *     { kind = "heat", title =, facts =, labels = { "a", "b" }, rows = { { 1, 2 }, { 3, 4 } }, unit =, diverging =, log =, numbers = }
 *     { kind = "line", title =, lines = { { name = "loss", values = { 4, 3 } } }, x0 =, dx =, x = "step", unit =, log = }
 *     { kind = "bars", title =, items = { { label = "a", value = 1, text = "1.0", note = } }, unit =, log = }
 *
 * A number that is not one (nil is not possible in a list) is shown as not computed. */
#include "base/utf8.h"
#include "script/api.h"
#include "script/lab.h"
#include "view/view.h"
#include <math.h>
#include <string.h>

enum { SIDE_MAX = 4096, POINTS_MAX = 1 << 22, WIDTH_MAX = 400, HEIGHT_MAX = 300 };

typedef struct Values { int n, cols; const double *v; const char **label; } Values;
typedef struct Drawing {
	Arena *a;
	Look look;
	Data d;
	const char *view;
	const char *foot;          /* what the axes are, below the picture; NULL: nothing */
	PaneState ps;
} Drawing;

/* --- reading; inside a protected call, everything in the arena --- */

static void *take(lua_State *L, Drawing *w, size_t n, size_t size)
{
	void *p = n <= POINTS_MAX ? arena_alloc(w->a, (n ? n : 1) * size) : NULL;
	if (!p)
		luaL_error(L, "plot: more than %d numbers, or no memory for them", POINTS_MAX);
	memset(p, 0, (n ? n : 1) * size);
	return p;
}

static const char *safe(lua_State *L, Drawing *w, const char *s, size_t n)
{
	Buf b = BUF_INIT;
	safe_text(&b, s, n < 200 ? n : 200, 0);
	const char *copy = arena_strdup(w->a, buf_str(&b));
	buf_done(&b);
	if (!copy)
		luaL_error(L, "plot: no memory");
	return copy;
}

/* A text of the table on top of the stack; NULL: not given. */
static const char *text_field(lua_State *L, Drawing *w, const char *key)
{
	size_t n;
	lua_getfield(L, -1, key);
	const char *s = lua_isnil(L, -1) ? NULL : luaL_tolstring(L, -1, &n);
	const char *out = s ? safe(L, w, s, n) : NULL;
	lua_pop(L, s ? 2 : 1);
	return out;
}

static bool flag_field(lua_State *L, const char *key)
{
	lua_getfield(L, -1, key);
	bool on = lua_toboolean(L, -1);
	lua_pop(L, 1);
	return on;
}

static int64_t int_field(lua_State *L, const char *key, int64_t usual)
{
	lua_getfield(L, -1, key);
	int ok;
	lua_Integer given = lua_tointegerx(L, -1, &ok);
	int64_t v = ok ? given : usual;
	lua_pop(L, 1);
	return v;
}

static size_t list_field(lua_State *L, const char *key, size_t most)
{
	if (lua_getfield(L, -1, key) != LUA_TTABLE)
		luaL_error(L, "plot: %s must be a list", key);
	size_t n = (size_t)lua_rawlen(L, -1);
	if (n > most)
		luaL_error(L, "plot: %s: at most %d", key, (int)most);
	return n;
}

/* Numbers of the list on top of the stack. */
static void numbers(lua_State *L, double *out, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		lua_rawgeti(L, -1, (lua_Integer)i + 1);
		out[i] = lua_isnumber(L, -1) ? lua_tonumber(L, -1) : NAN;
		lua_pop(L, 1);
	}
}

static void heat_fill(const Field *f, int r, double *v, uint8_t *has)
{
	const Values *x = f->ud;
	for (int c = 0; c < x->cols; c++) {
		v[c] = x->v[(size_t)r * (size_t)x->cols + (size_t)c];
		has[c] = !isnan(v[c]);
	}
}

static const char *heat_label(const Field *f, int r)
{
	return ((const Values *)f->ud)->label[r];
}

static const char *heat_name(const Field *f, int r, int c)
{
	(void)c;
	return heat_label(f, r);
}

/* The lists of `rows`, the longest of which says how many columns there are. */
static void read_rows(lua_State *L, Drawing *w, Values *x)
{
	x->n = (int)list_field(L, "rows", SIDE_MAX);
	for (int r = 0; r < x->n; r++) {
		if (lua_rawgeti(L, -1, r + 1) != LUA_TTABLE || lua_rawlen(L, -1) > SIDE_MAX)
			luaL_error(L, "plot: each row must be a list of at most %d numbers", SIDE_MAX);
		x->cols = (int)lua_rawlen(L, -1) > x->cols ? (int)lua_rawlen(L, -1) : x->cols;
		lua_pop(L, 1);
	}
	double *v = take(L, w, (size_t)x->n * (size_t)x->cols, sizeof *v);
	for (int r = 0; r < x->n; r++) {
		lua_rawgeti(L, -1, r + 1);
		numbers(L, v + (size_t)r * (size_t)x->cols, (size_t)x->cols);
		lua_pop(L, 1);
	}
	x->v = v;
	lua_pop(L, 1);
}

static void read_heat(lua_State *L, Drawing *w)
{
	Values *x = take(L, w, 1, sizeof *x);
	Field *f = &w->d.field;
	read_rows(L, w, x);
	x->label = take(L, w, (size_t)x->n, sizeof *x->label);
	list_field(L, "labels", SIDE_MAX);
	for (int r = 0; r < x->n; r++) {
		size_t n;
		lua_rawgeti(L, -1, r + 1);
		const char *s = luaL_tolstring(L, -1, &n);
		x->label[r] = safe(L, w, s, n);
		int cols = text_columns(x->label[r], strlen(x->label[r]));
		f->label_w = cols > f->label_w ? cols : f->label_w;
		lua_pop(L, 2);
	}
	lua_pop(L, 1);
	w->d.kind = DATA_FIELD;
	f->rows = x->n;
	f->cols = x->cols;
	f->fill = heat_fill;
	f->row_label = heat_label;
	f->name = heat_name;
	f->ud = x;
	f->look = &w->look;
	f->row_sel = f->col_sel = -1;
	f->row_axis = f->col_axis = AXIS_LOCAL;
	f->diverging = flag_field(L, "diverging");
	f->unit = text_field(L, w, "unit");
	f->col_name = text_field(L, w, "x");
	f->row_name = text_field(L, w, "y");
	f->row = take(L, w, (size_t)x->n, sizeof *f->row);
}

static double line_at(const Line *l, int i)
{
	return ((const double *)l->ud)[i];
}

static void read_lines(lua_State *L, Drawing *w)
{
	Series *s = &w->d.series;
	s->n = (int)list_field(L, "lines", SERIES_MAX);
	for (int i = 0; i < s->n; i++) {
		Line *l = &s->line[i];
		if (lua_rawgeti(L, -1, i + 1) != LUA_TTABLE)
			luaL_error(L, "plot: each line must be a table { name =, values = }");
		l->name = text_field(L, w, "name");
		l->name = l->name ? l->name : "";
		l->unit = text_field(L, w, "unit");
		l->n = (int)list_field(L, "values", POINTS_MAX);
		double *v = take(L, w, (size_t)l->n, sizeof *v);
		numbers(L, v, (size_t)l->n);
		l->at = line_at;
		l->ud = v;
		lua_pop(L, 2);
	}
	lua_pop(L, 1);
	w->d.kind = DATA_SERIES;
	s->sel = -1;
	s->whole = true;
	s->axis = AXIS_LOCAL;
	s->x0 = int_field(L, "x0", 0);
	s->dx = int_field(L, "dx", 1);
	s->x_name = text_field(L, w, "x");
	s->log = flag_field(L, "log");
	s->near = !flag_field(L, "zero");
}

static void read_bars(lua_State *L, Drawing *w)
{
	Items *t = &w->d.items;
	t->n = (int)list_field(L, "items", SIDE_MAX);
	t->item = take(L, w, (size_t)t->n, sizeof *t->item);
	for (int i = 0; i < t->n; i++) {
		Item *x = &t->item[i];
		if (lua_rawgeti(L, -1, i + 1) != LUA_TTABLE)
			luaL_error(L, "plot: each bar must be a table { label =, value = }");
		x->label = text_field(L, w, "label");
		x->label = x->label ? x->label : "";
		x->value = text_field(L, w, "text");
		x->note = text_field(L, w, "note");
		x->color = -1;
		lua_getfield(L, -1, "value");
		x->x = lua_isnumber(L, -1) ? lua_tonumber(L, -1) : NAN;
		lua_pop(L, 2);
	}
	lua_pop(L, 1);
	w->d.kind = DATA_ITEMS;
	t->sel = -1;
	t->axis = AXIS_LOCAL;
	t->log = flag_field(L, "log");
	t->unit = text_field(L, w, "unit");
}

static int drawing_read(lua_State *L)
{
	static const char *const kinds[] = { "heat", "line", "bars", NULL };
	static void (*const read[])(lua_State *, Drawing *) = { read_heat, read_lines, read_bars };
	Drawing *w = lua_touserdata(L, 2);
	luaL_checktype(L, 1, LUA_TTABLE);
	luaL_checkstack(L, 20, "plot");
	lua_settop(L, 1);
	lua_getfield(L, 1, "kind");
	int kind = luaL_checkoption(L, -1, NULL, kinds);
	lua_pop(L, 1);
	w->view = kinds[kind];
	read[kind](L, w);
	w->d.title = text_field(L, w, "title");
	w->d.facts = text_field(L, w, "facts");
	w->foot = text_field(L, w, "foot");
	w->ps.log = flag_field(L, "log");
	w->ps.numbers = flag_field(L, "numbers");
	return 0;
}

/* --- drawing --- */

typedef struct Page { const char *format; const Theme *theme; bool ascii, plain; ColorDepth depth; } Page;

static int wanted_width(const Drawing *w, int width)
{
	const Field *f = &w->d.field;
	int label = f->label_w + 2;
	if (w->d.kind != DATA_FIELD || width)
		return width ? width : 76;
	int cell = f->cols > 30 ? 2 : w->ps.numbers ? 7 : 5, all = label + f->cols * cell + 2;
	return all < 44 ? 44 : all > 160 ? 160 : all;
}

static int wanted_height(const Drawing *w, int height)
{
	int rows = view_rows(&w->d);
	if (w->d.kind == DATA_FIELD && rows < 7)
		rows = 7; /* with its scale */
	rows += rows && w->foot;
	return height ? height : rows ? rows < HEIGHT_MAX ? rows : HEIGHT_MAX : 18;
}

static void page_draw(const Drawing *w, PaneState *ps, const Page *page, Grid *g)
{
	const Theme *t = page->theme;
	Pen p = { .theme = t, .ascii = page->ascii, .ps = ps, .look = w->look,
		.glyphs = page->ascii ? GLYPHS_ASCII : page->plain ? GLYPHS_SHADE : GLYPHS_BLOCK };
	g->ascii = page->ascii;
	grid_clear(g, t->text);
	Win in = win_box(grid_win(g), w->d.title ? w->d.title : "", w->d.facts, t->line, t->title, false);
	if (w->foot && in.h > 3) {
		win_text(in, 0, in.h - 1, w->foot, t->dim);
		in.h--;
	}
	view_find(w->view)->draw(&p, in, &w->d);
}

static bool page_write(const Page *page, Grid *g, Buf *out, Err *e)
{
	if (strcmp(page->format, "svg") == 0)
		return grid_to_svg(g, page->theme->page_fg, page->theme->page_bg, out, e);
	if (strcmp(page->format, "png") == 0)
		return grid_to_png(g, page->theme->page_fg, page->theme->page_bg, out, e);
	if (page->plain)
		grid_to_text(g, out);
	else
		grid_to_ansi(g, page->depth, out);
	return true;
}

static bool drawing_make(lua_State *L, Drawing *w, const Page *page, int width, int height, Buf *out, Err *e)
{
	lua_pushcfunction(L, drawing_read);
	lua_pushvalue(L, 1);
	lua_pushlightuserdata(L, w);
	if (lua_pcall(L, 2, 0, 0) != LUA_OK)
		return err_set(e, E_8001, "%s", lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "plot: an error that is not text");
	Grid *g = grid_new(wanted_width(w, width), wanted_height(w, height));
	if (!g)
		return err_set(e, E_5001, "plot: out of memory");
	page_draw(w, &w->ps, page, g);
	bool ok = page_write(page, g, out, e) && (!out->failed || err_set(e, E_5001, "plot: out of memory"));
	grid_free(g);
	return ok;
}

/* Without colours magnitudes must be shades. */
static Page page_of(const LabOptions *o, const char *format)
{
	Page page = { .format = format, .theme = theme_find("light"), .depth = (ColorDepth)o->colors, .ascii = o->ascii };
	if (strcmp(format, "text") == 0 || (strcmp(format, "screen") == 0 && page.depth == COLORS_NONE)) {
		page.plain = true;
		page.theme = theme_find("mono");
		page.ascii = page.ascii && strcmp(format, "screen") == 0;
	} else if (strcmp(format, "screen") == 0) {
		page.theme = theme_find("dark");
	} else {
		page.ascii = false;
	}
	return page;
}

/* draw(spec, format, width?, height?): the picture as a text; of format "screen": shown, nothing returned. */
static int plot_draw(lua_State *L)
{
	static const char *const formats[] = { "screen", "text", "svg", "png", NULL };
	const char *format = formats[luaL_checkoption(L, 2, NULL, formats)];
	int width = (int)luaL_optinteger(L, 3, 0), height = (int)luaL_optinteger(L, 4, 0);
	luaL_argcheck(L, width == 0 || (width >= 20 && width <= WIDTH_MAX), 3, "a width of 20 to 400 columns");
	luaL_argcheck(L, height == 0 || (height >= 4 && height <= HEIGHT_MAX), 4, "a height of 4 to 300 rows");
	Page page = page_of(&lab_of(L)->o, format);
	Drawing w = { .a = arena_new("plot", 0) };
	Buf out = BUF_INIT;
	Err e = { 0 };
	w.look.arena = w.a;
	bool ok = w.a ? drawing_make(L, &w, &page, width, height, &out, &e) : err_set(&e, E_5001, "plot: out of memory");
	if (w.a)
		arena_free(w.a);
	if (ok && strcmp(format, "screen") == 0)
		ok = lab_show(lab_of(L), buf_str(&out), out.len, &e);
	else if (ok)
		lua_pushlstring(L, buf_str(&out), out.len);
	buf_done(&out);
	return ok ? strcmp(format, "screen") != 0 : lab_raise(L, &e);
}

static const ApiFn plot_fn[] = {
	{ "draw", "(spec: table, format: string, width: integer?, height: integer?): string?", NULL, NULL, plot_draw },
	{ NULL, NULL, NULL, NULL, NULL },
};

extern const ApiClass api_plot;
const ApiClass api_plot = { "lathe", NULL, plot_fn, NULL };
