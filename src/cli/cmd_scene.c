/* cmd_scene.c - one picture of a scene without a terminal: of a recording, or of a prompt run here and
 * now. */
#include "cli/cmd.h"
#include "cli/runs_beside.h"
#include "engine/once.h"
#include "probe/record.h"
#include "script/script.h"
#include "view/app.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SCENE_TOKENS = 48, SCENE_KEEP = 256 << 20, SCENE_WATCH = 64 };

static const Opt opts[] = {
	{ "replay", 0, OPT_STR, "FILE", "draw this recording instead of running a model; given again: training runs to compare it with" },
	{ "prompt", 'p', OPT_STR, "TEXT", "run this prompt through CKPT first" },
	{ "ids", 0, OPT_STR, "1,2,3", "run these token ids through CKPT first" },
	{ "tokens", 'n', OPT_INT, "N", "tokens to generate after the prompt (default 48)" },
	{ "layers", 0, OPT_INT, "N", "load and run only the first N layers" },
	{ "against", 0, OPT_STR, "WITH", "what the diff scene compares with: a precision (default bf16), absorbed, a checkpoint (@NAME, or a path with a '/'), or \"text ...\"; the recipe of the fp8 scene" },
	{ "size", 0, OPT_STR, "WxH", "columns and rows (default 80x24)" },
	{ "as", 0, OPT_STR, "FORMAT", "text, ansi, svg, png, csv or json (default text)" },
	{ "record", 0, OPT_STR, "FILE", "keep what the picture was drawn from, for --replay; an existing file is not overwritten" },
	{ "keys", 0, OPT_STR, "KEYS", "keys pressed before the picture is taken, as in \"2jj<Tab>#\"" },
	{ "theme", 0, OPT_STR, "NAME", "dark, light or mono" },
	{ "ascii", 0, OPT_FLAG, NULL, "plain ASCII characters only" },
	{ 0 },
};

typedef struct Size { int w, h; } Size;

static bool size_parse(const char *s, Size *out, Err *e)
{
	char end;
	if (sscanf(s, "%dx%d%c", &out->w, &out->h, &end) != 2 || out->w < 1 || out->h < 1 ||
		out->w > GRID_MAX || out->h > GRID_MAX)
		return err_set(e, E_2003,
			"--size %s: columns x rows from 1x1 to %dx%d are needed, as in 80x24", s, GRID_MAX,
			GRID_MAX);
	return true;
}

/* A picture in the making: its screen, what that has been told, and the engine it was told by (NULL: a recording). */
typedef struct Shot { App *app; Store *s; Once *x; uint64_t seen; } Shot;

static bool shot_copy(Shot *k, Err *e)
{
	const Sample *x;
	for (uint64_t at = k->seen; (at = store_next(once_store(k->x), at, &x)) != 0; k->seen = at)
		if (!store_add(k->s, x))
			return err_set(e, E_5001, "scene: out of memory");
	return true;
}

/* Draws, and does what the screen asks of its engine then, until it asks nothing more. What the engine refuses the screen says. */
static bool settle(Shot *k, Grid *g, Err *e)
{
	enum { ROUNDS = 16 };
	bool asked = true;
	for (int i = 0; asked && i < ROUNDS; i++) {
		const char *json;
		app_draw(k->app, k->s, g, 0);
		asked = false;
		while ((json = app_take_command(k->app)) != NULL) {
			Err no = { 0 };
			if (!k->x || strncmp(json, "{\"cmd\"", 6) != 0)
				continue;
			asked = true;
			if (!once_order(k->x, json, &no))
				app_message(k->app, true, no.text);
			if (!shot_copy(k, e))
				return false;
		}
	}
	return true;
}

/* Presses keys; each is looked at on a freshly drawn screen, as by a person. */
static bool press(Shot *k, Size z, const char *keys, Err *e)
{
	Grid *g = grid_new(z.w, z.h);
	if (!g)
		return err_set(e, E_5001, "scene: out of memory");
	bool ok = settle(k, g, e);
	while (ok && *keys) {
		Key key;
		size_t n = key_parse(keys, &key);
		if (n == 0) {
			ok = err_set(e, E_2003, "--keys: \"%.20s\" is no key; names are like <Tab>, <Enter>, <C-c>", keys);
		} else {
			app_key(k->app, k->s, key);
			keys += n;
			ok = settle(k, g, e);
		}
	}
	grid_free(g);
	return ok;
}

static bool picture(const Args *a, Shot *k, Buf *out, Err *e)
{
	Size z;
	/* --json is the same as --as json. */
	const char *format = args_has(a, "json") ? "json" : args_str(a, "as", "text");
	return size_parse(args_str(a, "size", "80x24"), &z, e) && press(k, z, args_str(a, "keys", ""), e) &&
		app_export(k->app, k->s, format, z.w, z.h, out, e);
}

/* What the scene's app asks the engine to watch, as patterns for a run in this process. */
static size_t watched(App *app, char *list[SCENE_WATCH])
{
	size_t n = 0;
	const char *json;
	while ((json = app_take_command(app)) != NULL) {
		Err none = { 0 };
		json_t *o = json_parse(json, strlen(json), "watch", E_2003, &none),
		       *p = json_object_get(o, "patterns");
		for (size_t i = 0; i < json_array_size(p) && n < SCENE_WATCH - 1; i++)
			if ((list[n] = strdup(json_string_value(json_array_get(p, i)))) != NULL)
				n++;
		json_decref(o);
	}
	list[n] = NULL;
	return n;
}

/* What a live screen leaves undone because it would be noticed is done here: the picture was asked for. */
static bool costly_done(const char *scene, Once *x, Err *e)
{
	static const struct { const char *scene, *topic, *order; } need[] = {
		{ "trace", "lens.p", "{\"cmd\":\"look\",\"patterns\":[\"lens.p\"]}" }, { "diff", "diff.about", "{\"cmd\":\"compare\"}" },
		{ "fp8", "fp8.about", "{\"cmd\":\"fp8\"}" },
	};
	for (size_t i = 0; i < sizeof need / sizeof *need; i++)
		if (strcmp(scene, need[i].scene) == 0 && !store_last(once_store(x), need[i].topic) && !once_order(x, need[i].order, e))
			return false;
	return true;
}

/* The text has been made: it is compared with what --against says. */
static bool compare_order(const Args *a, Once *x, Err *e)
{
	const char *with = args_str(a, "against", "");
	char *path = NULL;
	Buf b = BUF_INIT;
	Jout j;
	bool form = strcmp(with, "absorbed") == 0 || strcmp(with, "naive") == 0, text = strncmp(with, "text ", 5) == 0,
	     ckpt = !text && (strchr(with, '/') || with[0] == '@');
	if (!args_has(a, "against"))
		return costly_done(args_at(a, 0), x, e);
	if (ckpt && !(path = cli_ckpt_path(with, e)))
		return false;
	jout_init(&j, &b);
	jout_obj(&j);
	bool fp8 = strcmp(args_at(a, 0), "fp8") == 0 && !form && !text && !ckpt;
	jout_kstr(&j, "cmd", fp8 ? "fp8" : "compare");
	jout_kstr(&j, fp8 ? "recipe" : form ? "form" : text ? "text" : ckpt ? "path" : "precision", text ? with + 5 : ckpt ? path : with);
	jout_end_obj(&j);
	bool ok = once_order(x, buf_str(&b), e);
	buf_done(&b);
	free(path);
	return ok;
}

/* Runs the prompt in this process and leaves all that a live screen would have got in the shot's store. */
static bool scene_run_model(const Args *a, Shot *k, Err *e)
{
	char *list[SCENE_WATCH], *dir = cli_ckpt_path(args_at(a, 1), e);
	if (!dir)
		return false;
	int32_t *ids = NULL;
	size_t n_ids = 0;
	if (args_has(a, "ids") && !cli_ids(args_str(a, "ids", ""), &ids, &n_ids, e)) {
		free(dir);
		return false;
	}
	size_t n = watched(k->app, list);
	OnceOptions o = { .threads = cli_threads(a),
		.layers = args_int(a, "layers", 0),
		.memory_limit = cli_memory_limit(a),
		.session = { .alternatives = 8, .seed = (uint64_t)args_int(a, "seed", 0) },
		.n = args_int(a, "tokens", SCENE_TOKENS),
		.text = args_str(a, "prompt", NULL),
		.ids = ids,
		.n_ids = n_ids,
		.watch = (const char *const *)list,
		.keep = SCENE_KEEP };
	k->x = once_run(dir, &o, e);
	bool ok = k->x && compare_order(a, k->x, e) && shot_copy(k, e);
	for (size_t i = 0; i < n; i++)
		free(list[i]);
	free(ids);
	free(dir);
	return ok;
}

/* All that was told, into a new file. */
static bool shot_record(const Args *a, const Shot *k, Err *e)
{
	Buf b = BUF_INIT;
	Jout j;
	if (!args_has(a, "record"))
		return true;
	if (!k->x)
		return err_set(e, E_2003, "--record: a recording is drawn already; it needs a model with -p TEXT");
	jout_init(&j, &b);
	jout_obj(&j);
	jout_kstr(&j, "cmd", "record");
	jout_kstr(&j, "path", args_str(a, "record", ""));
	jout_end_obj(&j);
	bool ok = once_order(k->x, buf_str(&b), e) && once_order(k->x, "{\"cmd\":\"record_stop\"}", e);
	buf_done(&b);
	return ok;
}

static bool fill(const Args *a, Shot *k, Err *e)
{
	bool ckpt = args_count(a) > 1, replay = args_has(a, "replay");
	if (ckpt == replay)
		return err_set(e, E_2003, "scene: give either --replay FILE or a model with -p TEXT");
	if (ckpt && args_has(a, "prompt") == args_has(a, "ids"))
		return err_set(e, E_2003, "scene: one of -p TEXT and --ids 1,2,3 is needed to run %s",
			args_at(a, 1));
	for (int i = 1; replay && args_nth(a, "replay", i); i++)
		if (!runs_beside(k->s, args_nth(a, "replay", i), e))
			return false;
	if (replay)
		return record_load(args_nth(a, "replay", 0), k->s, NULL, e);
	return scene_run_model(a, k, e);
}

static void list_text(App *app, Buf *out)
{
	for (int i = 0; app_scene_at(app, i); i++)
		buf_printf(out, "%s\n", app_scene_at(app, i));
}

static bool scene_print(const Args *a, const char *scenes, Buf *out, Err *e)
{
	AppOptions o = { .scene_dir = scenes,
		.loader = script_scenes(),
		.scene = args_at(a, 0),
		.theme = args_str(a, "theme", NULL),
		.ascii = args_has(a, "ascii"),
		.replay = args_has(a, "replay") };
	Shot k = { .app = app_new(&o, e), .s = store_new(SCENE_KEEP) };
	bool ok = k.app && (k.s || err_set(e, E_5001, "scene: out of memory"));
	if (ok && args_count(a) == 0)
		list_text(k.app, out);
	else if (ok)
		ok = fill(a, &k, e) && picture(a, &k, out, e) && shot_record(a, &k, e);
	app_free(k.app);
	once_free(k.x);
	store_free(k.s);
	return ok;
}

static int run(const Args *a, Err *e)
{
	char scenes[4096];
	Buf out = BUF_INIT;
	Size z;
	bool ok = size_parse(args_str(a, "size", "80x24"), &z, e) &&
		(cli_data_dir("scenes", scenes, sizeof scenes) ||
			err_set(e, E_4001,
				"scenes: the folder is not there; install lathe or run it from its build "
				"tree"));
	ok = ok && scene_print(a, scenes, &out, e) && cli_out(&out, e);
	buf_done(&out);
	return ok ? 0 : err_exit(e);
}

static const char *const examples[] = {
	"lathe scene",
	"lathe scene home @tiny -p \"Once upon a time\"",
	"lathe scene router @tiny -p \"Once upon a time\" --size 120x40 --as svg > router.svg",
	"lathe scene token @tiny -p \"1 + 2 =\" --keys \"k<Tab>\" --as json",
	"lathe scene trace @reason -p \"a17+26=<think>\" --size 120x40 --keys \":token 12<Enter>b\"",
	"lathe scene diff @domains -p \"once upon a time\" --against absorbed",
	NULL,
};

const Cmd cmd_scene = {
	.name = "scene",
	.usage = "[NAME] [--replay FILE | CKPT -p TEXT] [--size WxH] [--as FORMAT]",
	.summary = "print one picture of a screen, or the data behind it",
	.text = "Draws a scene of the workbench without a terminal: of a recording, or of a prompt that is "
		"run first. Without NAME the scenes are listed.\n\n"
		"The formats text and ansi are for terminals and logs, svg and png are pictures (when built "
		"with cairo), csv and json are the data behind all panes of the scene: csv has the columns "
		"pane, row, column, value, text. With --keys the picture is taken after these keys were "
		"pressed, so anything that the screen can show can be printed: what a scene asks of its engine then (a branch, a "
		"tensor's figures, a comparison) is done here, too. --record keeps all of it for --replay.",
	.opts = opts,
	.examples = examples,
	.min_args = 0,
	.max_args = 2,
	.run = run,
};
