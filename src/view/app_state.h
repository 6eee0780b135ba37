/* app_state.h - what the files behind app.h share. */
#ifndef VIEW_APP_STATE_H
#define VIEW_APP_STATE_H
#include "view/app.h"
#include "view/lineedit.h"
#include "view/view.h"
#include <time.h>

enum { APP_SCENES = 10, APP_QUEUE = 64 };
typedef enum AppMode { MODE_PANES, MODE_PROMPT, MODE_COMMAND, MODE_SEARCH, MODE_HELP, MODE_QUIT } AppMode;

typedef struct AppScene {
	char name[24], path[1024];
	SceneDef *def;
	struct timespec mtime;
	PaneState pane[SCENE_PANES];
	int focus;
	bool zoom;
} AppScene;

struct App {
	SceneLoader loader;
	AppScene scene[APP_SCENES];
	int n_scenes, now;
	const Theme *theme;
	bool ascii, replay;
	bool chosen;               /* the scene: by the user, or once for what there is to see */
	Glyphs glyphs;
	int color_by;
	AppMode mode;
	LineEdit prompt, command, search;
	Select sel;
	Facts facts;
	Arena *arena;              /* of the frame */
	/* the last frame */
	Rect rect[SCENE_PANES];
	Data data[SCENE_PANES];
	int grid_w, grid_h, body_y;
	uint64_t drawn_version;
	double drawn_seek, drawn_time;
	bool dirty;
	int help_scroll;
	/* what is told */
	char message[512];
	bool message_error;
	double message_until;      /* 0: stamped by the next frame */
	bool engine_alive, engine_told;
	char engine_why[256];
	char *queue[APP_QUEUE], *taken;
	int queue_head, queue_n;
	bool quit, record_unsaved;
	char replay_path[256], readout[512];
	double temperature, top_p;
	int64_t seed, n_more;
	char mtp[12], attention[12];
	double scrub;              /* INFINITY: live */
};

AppScene *app_current(App *a);
SceneNode *app_pane(App *a);                  /* the focused one, or NULL */
PaneState *app_pane_state(App *a);
void app_say(App *a, bool error, const char *fmt, ...) PRINTF(3, 4);
/* app_select.c */
void app_select_sync(App *a, const Store *s);
void app_move(App *a, Axis axis, int by);
void app_move_focus(App *a, int dx, int dy);
bool app_click(App *a, Key k);
void app_focus_next(App *a, int by);
bool app_find(App *a, const char *text, int from);
void app_scrub(App *a, Store *s, int by);
/* app_send.c: commands out */
void app_send(App *a, const char *fmt, ...) PRINTF(2, 3);
void app_say_ended(App *a);
void app_send_text(App *a, const char *cmd, const char *key, const char *text);
void app_send_ui(App *a, const char *ui, const char *key, const char *text);
void app_send_mouse(App *a, bool on);
void app_watch(App *a);
void app_run_prompt(App *a);
/* app_command.c */
void app_run_command(App *a, Store *s, const char *line);
void app_complete(App *a);
int app_command_help(int i, const char **name, const char **args, const char **help);  /* 0 past the end */
/* app_keys.c: the table that the help is made of */
typedef struct KeyDoc { const char *keys, *help, *group; } KeyDoc;
bool app_key_doc(int i, KeyDoc *out);
/* app_frame.c */
void app_make_data(App *a, const Store *s, int only);
Look app_look(App *a, const Store *s, const SceneNode *pane, int rows);
#endif
