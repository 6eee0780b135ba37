/* workbench.c - puts together what the screen is made of: options, scene files, a terminal, and an engine or
 * a recording. */
#include "cli/runs_beside.h"
#include "cli/workbench.h"
#include "script/script.h"
#include "tui/loop.h"
#include <stdio.h>
#include <string.h>

enum { PATH_LEN = 4400 };

static void app_options(const Args *a, const Caps *caps, const char *scene_dir, bool replay, AppOptions *o)
{
	*o = (AppOptions){
		.scene_dir = scene_dir,
		.loader = script_scenes(),
		.scene = args_str(a, "scene", NULL),
		.theme = args_str(a, "theme", caps->depth == COLORS_NONE ? "mono" : NULL),
		.ascii = args_has(a, "ascii") || !caps->utf8,
		.replay = replay,
	};
}

Caps workbench_caps(const Args *a)
{
	return caps_probe(1, args_str(a, "color", "auto"));
}

static size_t read_beside(void *ud, Store *s)
{
	return beside_read(ud, s);
}

static bool add_beside(void *ud, const char *path, Err *e)
{
	return beside_add(ud, path, e);
}

int workbench_run(const Args *a, Client *client, bool own, Store *store, Err *e)
{
	char scenes[PATH_LEN];
	TuiSource src = { .caps = workbench_caps(a),
		.mouse = !args_has(a, "no-mouse"),
		.client = client,
		.store = store,
		.own_engine = own,
		.beside_read = read_beside,
		.beside_add = add_beside };
	if (!cli_data_dir("scenes", scenes, sizeof scenes)) {
		err_set(e, E_4001,
			"%s: the folder of scenes is not there; install lathe or run it from its build tree", scenes);
		client_free(client);
		return err_exit(e);
	}
	app_options(a, &src.caps, scenes, store != NULL, &src.app);
	src.beside = beside_new();
	int status = tui_run(&src, e);
	beside_free(src.beside);
	client_free(client);
	return status;
}

bool workbench_picture(const Args *a, Store *store, Buf *out, Err *e)
{
	char scenes[PATH_LEN];
	Caps caps = workbench_caps(a);
	AppOptions o;
	if (!cli_data_dir("scenes", scenes, sizeof scenes))
		return err_set(e, E_4001,
			"%s: the folder of scenes is not there; install lathe or run it from its build tree", scenes);
	app_options(a, &caps, scenes, true, &o);
	App *app = app_new(&o, e);
	bool ok = app && app_export(app, store, "text", 100, 30, out, e);
	app_free(app);
	return ok;
}
