/* app.h - the whole screen as a function of (samples, state of the user interface, size).
 *
 * The terminal part reads keys and blits the grid; this part knows scenes, panes, the one selection, the
 * prompt and the command line. Nothing here reads a clock, a terminal or a socket: time comes in as a
 * parameter, commands go out as JSON strings. */
#ifndef VIEW_APP_H
#define VIEW_APP_H
#include "probe/store.h"
#include "view/grid.h"
#include "view/key.h"

typedef struct App App;

/* How the scene files are read: src/script's script_scenes() gives one. view knows no Lua. */
struct SceneDef;
typedef struct SceneLoader {
	/* Reads DIR/NAME.lua. Always returns a scene: with .error set when the file is wrong. NULL: out of
	 * memory. */
	struct SceneDef *(*load)(const char *path, const char *name, void *ud);
	void *ud;
} SceneLoader;

typedef struct AppOptions {
	const char *scene_dir;    /* folder with home.lua ... */
	SceneLoader loader;
	const char *scene;        /* first scene, NULL: home */
	const char *theme;        /* "dark" (NULL), "light", "mono" */
	bool ascii;               /* no glyph above 0x7e */
	bool replay;              /* a recording: no engine to send commands to */
} AppOptions;

App *app_new(const AppOptions *o, Err *e);
void app_free(App *a);

/* Draws the frame for the grid's size. now: seconds, any monotonic origin (for messages that fade). Never
 * fails: what cannot be drawn says so in its place. Sets the grid's cursor. */
void app_draw(App *a, const Store *s, Grid *g, double now);
/* One key or mouse event; true: the picture may have changed. s as in the last app_draw (scrubbing moves
 * store_seek). */
bool app_key(App *a, Store *s, Key k);
/* Text pasted from outside: goes into the line being edited (bracketed paste never runs as keys), else
 * begins a prompt. */
bool app_paste(App *a, const char *text, size_t n);
/* True when a new frame would differ: samples came, a key was handled, a message must fade at this time. */
bool app_needs_draw(const App *a, const Store *s, double now);

/* The next command as a JSON text, NULL: none. Valid until the next call. All but the last group go to the
 * engine as they are (lathe-stream(5)):
 *   {"cmd":"prompt","text":T} {"cmd":"continue","n":N} {"cmd":"pause"} {"cmd":"resume"} {"cmd":"step"}
 *   {"cmd":"stop"} {"cmd":"set","key":K,"value":V} {"cmd":"load","path":P}
 *   {"cmd":"watch","patterns":[...]} {"cmd":"unwatch"} {"cmd":"record","path":P} {"cmd":"record_stop"}
 * For the terminal part itself:
 *   {"ui":"replay","path":P} {"ui":"mouse","on":B} {"ui":"suspend"}
 *   {"ui":"restart"}           start the engine again
 *   {"ui":"copy","text":T}     to the clipboard
 *   {"ui":"beside","path":P}   losses of another training run beside those of this one */
const char *app_take_command(App *a);
/* The user asked to leave. */
bool app_quit(const App *a);
/* A message for the line at the bottom (error: in the warning colour), e.g. the engine's reply to a
 * command that failed. */
void app_message(App *a, bool error, const char *text);
/* The link to the engine: false shows why and that R starts it again; true sends the watch commands anew. */
void app_set_engine(App *a, bool alive, const char *why);
/* Looks for changed scene files (mtime) and reads them again; true when something changed. Cheap: a few
 * stat() calls. */
bool app_reload(App *a);

/* The current scene's name, and those there are (in tab order; NULL after the last). */
const char *app_scene(const App *a);
const char *app_scene_at(const App *a, int i);
bool app_set_scene(App *a, const char *name, Err *e);
bool app_set_theme(App *a, const char *name);     /* false: unknown */
void app_set_ascii(App *a, bool ascii);
/* Colours the page should have where a cell says COLOR_DEFAULT (pictures only). */
void app_page_colors(const App *a, uint32_t *fg, uint32_t *bg);

/* The data behind the picture of the current scene. format: "csv" (long form: pane,row,column,value,text)
 * or "json". */
bool app_data(App *a, const Store *s, const char *format, Buf *out, Err *e);
/* The picture: format text, ansi, svg, png, csv, json. */
bool app_export(App *a, const Store *s, const char *format, int w, int h, Buf *out, Err *e);
#endif
