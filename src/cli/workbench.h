/* workbench.h - the screen, as open, attach and replay start it. */
#ifndef CLI_WORKBENCH_H
#define CLI_WORKBENCH_H
#include "cli/cmd.h"
#include "engine/client.h"
#include "tui/caps.h"

/* Rows for Cmd.opts of commands that open the screen. */
#define OPT_SCREEN \
	{ "scene", 0, OPT_STR, "NAME", "the scene to begin with; default home" }, \
	{ "theme", 0, OPT_STR, "NAME", "colours: dark, light or mono" }, \
	{ "ascii", 0, OPT_FLAG, NULL, "draw with ASCII characters only" }, \
	{ "no-mouse", 0, OPT_FLAG, NULL, "leave the mouse to the terminal" }

/* What the terminal on standard output can do, --color heeded. */
Caps workbench_caps(const Args *a);
/* Runs the screen on an engine (own: leaving ends it; client is freed here) or on a recording's store (NULL
 * client). The exit status. */
int workbench_run(const Args *a, Client *client, bool own, Store *store, Err *e);
/* Without a screen: the picture of a recording as text. */
bool workbench_picture(const Args *a, Store *store, Buf *out, Err *e);
#endif
