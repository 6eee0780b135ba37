/* app.c - the life of the screen: scenes from files, settings, messages. Drawing is in app_frame.c, keys
 * in app_keys.c. */
#include "view/app_state.h"
#include "base/utf8.h"
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

AppScene *app_current(App *a)
{
	return &a->scene[a->now];
}

SceneNode *app_pane(App *a)
{
	AppScene *s = app_current(a);
	return s->def && s->focus >= 0 && s->focus < s->def->n_panes ? s->def->pane[s->focus] : NULL;
}

PaneState *app_pane_state(App *a)
{
	AppScene *s = app_current(a);
	return &s->pane[s->focus >= 0 && s->focus < SCENE_PANES ? s->focus : 0];
}

void app_say(App *a, bool error, const char *fmt, ...)
{
	char buf[512];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(buf, sizeof buf, fmt, ap);
	va_end(ap);
	app_message(a, error, buf);
}

void app_message(App *a, bool error, const char *text)
{
	Buf b = BUF_INIT;
	safe_text(&b, text, strlen(text), 0);
	snprintf(a->message, sizeof a->message, "%.511s", buf_str(&b));
	app_message_keep(a, buf_str(&b));
	buf_done(&b);
	a->message_error = error;
	a->message_until = 0;
	a->dirty = true;
}

/* --- scenes --- */

/* The shipped order; others follow by name. */
static int scene_order(const char *name)
{
	static const char *const first[] = { "home", "router", "cache", "token", "train", "mla", "moe", "mtp", "trace", "tensors", "diff", "fp8", "rl" };
	int n = sizeof first / sizeof *first;
	for (int i = 0; i < n; i++)
		if (strcmp(first[i], name) == 0)
			return i;
	return n;
}

static bool scene_before(const AppScene *x, const AppScene *y)
{
	int a = scene_order(x->name), b = scene_order(y->name);
	return a != b ? a < b : strcmp(x->name, y->name) < 0;
}

static void pane_begin(AppScene *s)
{
	for (int i = 0; s->def && i < s->def->n_panes; i++)
		s->pane[i] = (PaneState){ .numbers = s->def->pane[i]->numbers, .log = s->def->pane[i]->log };
	/* The first focus is the pane that matters most. */
	s->focus = 0;
	for (int i = 1; s->def && i < s->def->n_panes; i++)
		if (s->def->pane[i]->prio < s->def->pane[s->focus]->prio)
			s->focus = i;
}

static bool scene_read(App *a, AppScene *s)
{
	struct stat st;
	SceneDef *old = s->def;
	int panes = old ? old->n_panes : -1;
	memset(&s->mtime, 0, sizeof s->mtime);
	if (stat(s->path, &st) == 0)
		s->mtime = st.st_mtim;
	SceneDef *d = a->loader.load(s->path, s->name, a->loader.ud);
	if (!d)
		return false;
	s->def = d;
	scene_free(old);
	if (d->n_panes != panes)
		pane_begin(s);
	return true;
}

static bool scene_add(App *a, const char *dir, const char *file)
{
	size_t n = strlen(file);
	AppScene s = { 0 };
	if (n < 5 || n - 4 >= sizeof s.name || strcmp(file + n - 4, ".lua") != 0 || file[0] == '.' ||
		a->n_scenes == APP_SCENES)
		return true;
	memcpy(s.name, file, n - 4);
	if (snprintf(s.path, sizeof s.path, "%s/%s", dir, file) >= (int)sizeof s.path)
		return true;
	if (!scene_read(a, &s))
		return false;
	int at = a->n_scenes++;
	for (; at > 0 && scene_before(&s, &a->scene[at - 1]); at--)
		a->scene[at] = a->scene[at - 1];
	a->scene[at] = s;
	return true;
}

static bool scenes_read(App *a, const char *dir, Err *e)
{
	DIR *d = opendir(dir);
	struct dirent *f;
	bool ok = true;
	if (!d)
		return err_errno(e, "scenes", dir);
	while (ok && (f = readdir(d)) != NULL)
		ok = scene_add(a, dir, f->d_name);
	closedir(d);
	if (!ok)
		return err_set(e, E_5001, "scenes: out of memory");
	return a->n_scenes > 0 ||
		err_set(e, E_4001, "%s: no scenes (*.lua) in it; reinstall, or build from the source tree",
			dir);
}

bool app_reload(App *a)
{
	bool changed = false;
	for (int i = 0; i < a->n_scenes; i++) {
		AppScene *s = &a->scene[i];
		struct stat st;
		/* A file that is gone for a moment is being saved: what there is stays. */
		if (stat(s->path, &st) != 0 ||
			(st.st_mtim.tv_sec == s->mtime.tv_sec && st.st_mtim.tv_nsec == s->mtime.tv_nsec))
			continue;
		if (scene_read(a, s))
			changed = true;
	}
	if (changed) {
		a->dirty = true;
		app_watch(a);
	}
	return changed;
}

/* --- life --- */

App *app_new(const AppOptions *o, Err *e)
{
	App *a = calloc(1, sizeof *a);
	if (!a || !(a->arena = arena_new("frame", 256 << 20))) {
		free(a);
		err_set(e, E_5001, "screen: out of memory");
		return NULL;
	}
	facts_init(&a->facts);
	a->loader = o->loader;
	a->theme = theme_find(o->theme ? o->theme : "dark");
	a->ascii = o->ascii;
	a->glyphs = o->ascii ? GLYPHS_ASCII : GLYPHS_BLOCK;
	a->replay = o->replay;
	a->sel = (Select){ .layer = -1, .follow = true, .context = 32768 };
	a->engine_alive = !o->replay;
	a->temperature = NAN; /* until it is set here: the engine's */
	a->n_more = 32;
	a->seed = -1;
	a->scrub = INFINITY;
	a->chosen = o->scene != NULL;
	a->dirty = true;
	if (!a->theme)
		err_set(e, E_2003, "theme \"%s\": there are dark, light and mono", o->theme);
	if (!a->theme || !scenes_read(a, o->scene_dir, e) || (o->scene && !app_set_scene(a, o->scene, e))) {
		app_free(a);
		return NULL;
	}
	app_watch(a);
	return a;
}

void app_free(App *a)
{
	if (!a)
		return;
	for (int i = 0; i < a->n_scenes; i++)
		scene_free(a->scene[i].def);
	for (; a->queue_n > 0; a->queue_n--) {
		free(a->queue[a->queue_head]);
		a->queue_head = (a->queue_head + 1) % APP_QUEUE;
	}
	free(a->taken);
	app_messages_done(a);
	free(a->here);
	buf_done(&a->open);
	lineedit_done(&a->prompt);
	lineedit_done(&a->command);
	lineedit_done(&a->search);
	facts_done(&a->facts);
	arena_free(a->arena);
	free(a);
}

bool app_quit(const App *a)
{
	return a->quit;
}

void app_set_engine(App *a, bool alive, const char *why)
{
	Buf b = BUF_INIT;
	safe_text(&b, why ? why : "", why ? strlen(why) : 0, 0);
	snprintf(a->engine_why, sizeof a->engine_why, "%.255s", buf_str(&b));
	buf_done(&b);
	a->engine_alive = alive;
	a->dirty = true;
	free(a->here);             /* a new engine has been told nothing yet */
	a->here = NULL;
	if (alive)
		app_watch(a);
}

bool app_needs_draw(const App *a, const Store *s, double now)
{
	return a->dirty || a->drawn_version != store_version(s) || a->drawn_seek != store_now(s) ||
		(a->message[0] && a->message_until > 0 && now >= a->message_until);
}

const char *app_scene(const App *a)
{
	return a->scene[a->now].name;
}

const char *app_scene_at(const App *a, int i)
{
	return i >= 0 && i < a->n_scenes ? a->scene[i].name : NULL;
}

bool app_set_scene(App *a, const char *name, Err *e)
{
	Buf b = BUF_INIT;
	for (int i = 0; i < a->n_scenes; i++) {
		if (strcmp(a->scene[i].name, name) == 0) {
			a->now = i;
			a->dirty = a->chosen = true;
			buf_done(&b);
			app_watch(a);
			return true;
		}
		buf_printf(&b, "%s%s", i ? ", " : "", a->scene[i].name);
	}
	err_set(e, E_2003, "no scene is called \"%s\"; there are %s", name, buf_str(&b));
	buf_done(&b);
	return false;
}

bool app_set_theme(App *a, const char *name)
{
	const Theme *t = theme_find(name);
	if (t)
		a->theme = t;
	a->dirty = true;
	return t != NULL;
}

void app_set_ascii(App *a, bool ascii)
{
	a->ascii = ascii;
	a->glyphs = ascii ? GLYPHS_ASCII : GLYPHS_BLOCK;
	a->dirty = true;
}

void app_page_colors(const App *a, uint32_t *fg, uint32_t *bg)
{
	*fg = a->theme->page_fg;
	*bg = a->theme->page_bg;
}
