/* Scene files: right ones, wrong ones with the line, and ones that want to run away. */
#include "tests/unit.h"
#include "script/script.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const char *scene_file(const char *text)
{
	static char path[512];
	snprintf(path, sizeof path, "%s/t.lua", unit_tmp());
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	return path;
}

static void wrong(const char *text, const char *message)
{
	SceneDef *d = script_scene_load(scene_file(text), "t", NULL);
	assert_non_null(d);
	assert_null(d->root);
	if (!strstr(d->error, message))
		fail_msg("\"%s\" is not in: %s", message, d->error);
	scene_free(d);
}

TEST(scene_reads_what_it_says)
{
	SceneDef *d = script_scene_load(
		scene_file("return scene {\n title = 'T', topics = { 'a.b', 'c' }, here = { 'd.{layer}.e' }, about = { 'e is', 'that' },\n"
			   "layout = rows { heat { 'experts', min = {20, 5}, weight = 3, prio = 2, fit = "
			   "true }, cols { card { 'model', width = 30 }, line { 'speed', height = 8, log = "
			   "true } } },\n"
			   "keys = { b = { 'ban', 'ban {expert}' }, a = { 'all', 'x' } } }\n"),
		"t", NULL);
	assert_string_equal(d->error, "");
	assert_string_equal(d->title, "T");
	assert_int_equal(d->n_topics, 2);
	assert_int_equal(d->n_here, 1);
	assert_string_equal(d->here[0], "d.{layer}.e");
	assert_int_equal(d->n_about, 2);
	assert_int_equal(d->n_panes, 3);
	assert_int_equal(d->root->kind, NODE_ROWS);
	assert_int_equal(d->pane[0]->min_w, 20);
	assert_int_equal(d->pane[0]->weight, 3);
	assert_true(d->pane[0]->fit);
	assert_int_equal(d->pane[1]->max_w, 30);
	assert_true(d->pane[2]->log && d->pane[2]->max_h == 8);
	assert_int_equal(d->n_keys, 2);
	assert_string_equal(d->key[0].key, "a");
	assert_string_equal(d->key[1].command, "ban {expert}");
	scene_free(d);
}

TEST(scene_errors_name_the_line)
{
	wrong("return scene {\n  layout = rows {\n    heat { 'experts', wieght = 2 } } }",
		"t.lua:3: no field \"wieght\"");
	wrong("return scene {\n layout = pane {\n view = 'nope' } }", "no view named \"nope\"");
	wrong("return scene { layout = heat { 'nothing' } }", "no data named \"nothing\"");
	wrong("return scene { layout = heat { 'gate', min = 3 } }", "min must be { columns, rows }");
	wrong("return scene { layout = heat { 'gate', prio = 'x' } }", "prio must be a whole number");
	wrong("return scene { layout = rows { } }", "nothing in it");
	wrong("return scene { layout = 5 }", "layout must be made of");
	wrong("return scene { layout = heat { 'gate' }, keys = { b = function() end } }", "keys must be like");
	wrong("return 5", "return scene");
	wrong("retrun", "t.lua:1:");
	wrong("local x = nil\nlocal y = x.z", "t.lua:2:");
	wrong("", "return scene");
	SceneDef *d = script_scene_load("/nonexistent/x.lua", "x", NULL);
	assert_true(d->error[0] && !d->root);
	scene_free(d);
}

TEST(scene_cannot_run_away)
{
	wrong("while true do end", "too many steps");
	wrong("local t = {} for i = 1, 1e9 do t[i] = {} end", "more than 16 MiB");
	wrong("local s = 'x' while true do s = s .. s end", "more than 16 MiB");
	wrong("local function f() return f() + 1 end return f()", "more than 16 MiB");
	wrong("os.execute('true')", "os");
	wrong("io.open('x')", "io");
	wrong("require 'x'", "require");
	wrong("load('return 1')()", "load");
	wrong("pcall(error)", "pcall");
	wrong("return ('x'):rep(1e9)", "rep");
	wrong("error({})", "not text");
	wrong("error('\\27[2J')", "<1b>[2J");
	wrong("\x1bLua", "binary chunk");
	wrong("local t = rows {} for i = 1, 100 do t = rows { t } end return scene { layout = t }",
		"at most 16 deep");
	wrong("local t = rows {} t[1] = t return scene { layout = t }", "at most 16 deep");
	wrong("local t = rows {} for i = 1, 40 do t[i] = heat { 'gate' } end return scene { layout = t }",
		"at most");
}

TEST(scene_a_broken_file_leaves_the_rest_alive)
{
	char dir[512], path[600];
	Err e = { 0 };
	snprintf(dir, sizeof dir, "%s/scenes", unit_tmp());
	assert_int_equal(mkdir(dir, 0700), 0);
	static const char *const file[] = { "home", "router" },
				 *const text[] = { "return scene { title = 'H', layout = text { 'text' } }",
					 "return scene { layout = 7 }" };
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof path, "%s/%s.lua", dir, file[i]);
		FILE *f = fopen(path, "w");
		fputs(text[i], f);
		fclose(f);
	}
	AppOptions o = { .scene_dir = dir, .loader = script_scenes() };
	App *a = app_new(&o, &e);
	assert_non_null(a);
	Store *s = store_new(1 << 20);
	Grid *g = grid_new(80, 24);
	Buf b = BUF_INIT;
	assert_true(app_set_scene(a, "router", &e));
	app_draw(a, s, g, 0);
	grid_to_text(g, &b);
	assert_non_null(strstr(buf_str(&b), "layout must be made of"));
	assert_false(app_reload(a));
	FILE *f = fopen(path, "w");
	fputs("return scene { title = 'Now', layout = card { 'model', title = 'mended' } }", f);
	fclose(f);
	struct timespec back[2] = { { 1, 0 }, { 1, 0 } };
	assert_int_equal(utimensat(AT_FDCWD, path, back, 0), 0);
	assert_true(app_reload(a));
	app_draw(a, s, g, 0);
	buf_clear(&b);
	grid_to_text(g, &b);
	assert_non_null(strstr(buf_str(&b), "mended"));
	buf_done(&b);
	grid_free(g);
	store_free(s);
	app_free(a);
}
