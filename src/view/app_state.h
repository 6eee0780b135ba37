/* app_state.h - what the files behind app.h share. */
#ifndef VIEW_APP_STATE_H
#define VIEW_APP_STATE_H
#include "view/app.h"
#include "view/lineedit.h"
#include "view/view.h"
#include <time.h>

enum { APP_SCENES = 16, APP_QUEUE = 64, APP_SAID = 8 };
typedef enum AppMode { MODE_PANES, MODE_PROMPT, MODE_COMMAND, MODE_SEARCH, MODE_HELP, MODE_MESSAGES, MODE_QUIT } AppMode;

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
	/* what sel's texts point to */
	char tensor[512], filter[64], asked[512];
	Buf open;
	double asked_at;           /* for which text */
	bool ask_again;
	bool block_mean;           /* blocks of a tensor's picture show means */
	double window[4];          /* of the picture: row, column, rows, columns; no rows: all */
	Facts facts;
	Arena *arena;              /* of the frame */
	struct Memo *memo;         /* in it: see look_memo */
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
	char *said[APP_SAID];      /* the last ones, the newest first; NULL: fewer */
	double message_until;      /* 0: stamped by the next frame */
	bool engine_alive, engine_told;
	char engine_why[256];
	char *queue[APP_QUEUE], *taken;
	int queue_head, queue_n;
	bool quit, record_unsaved;
	char *here;                /* what of the scene's own topics is watched, a JSON list; NULL: none */
	bool look_due;             /* they have changed, and the text so far was made without them */
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
/* app_tensors.c: the tree of tensors */
bool app_has_tensors(const App *a);           /* the scene shows it: / filters instead of finding a token */
void app_filter(App *a, const char *text);
void app_tensor_move(App *a, const Data *d, int dx, int dy);
void app_tensor_mean(App *a);
void app_tensor_zoom(App *a, bool in);        /* the picture: around its cursor, or the whole */
void app_tensor_look(App *a, const Store *s); /* once a frame: asks for the figures of the selected one */
/* app_answer.c: one of a group of answers */
void app_answer(App *a, const Store *s, const char *which);
void app_answer_sync(App *a);
/* app_branch.c */
int app_pane_of(const App *a, const char *data);        /* the pane of this scene that shows such data, or -1 */
void app_branch(App *a, Store *s, const char *arg);     /* from the selected token, with the alternative under the cursor or the arg-th */
void app_show_run(App *a, Store *s, const char *arg);
void app_branch_sync(App *a);                 /* sel.branch: the one under the cursor */
/* app_messages.c: the last messages, whole */
void app_message_keep(App *a, const char *text);
void app_messages_draw(App *a, Win body);
void app_messages_done(App *a);
/* app_send.c: commands out */
void app_send(App *a, const char *fmt, ...) PRINTF(2, 3);
void app_say_ended(App *a);
void app_send_text(App *a, const char *cmd, const char *key, const char *text);
void app_send_tensor(App *a, const char *name);
void app_send_ui(App *a, const char *ui, const char *key, const char *text);
void app_send_mouse(App *a, bool on);
void app_watch(App *a);
void app_watch_here(App *a);                  /* once a frame */
void app_look_again(App *a);                  /* what the scene shows, of the text so far */
void app_run_prompt(App *a);
/* app_command.c */
void app_run_command(App *a, Store *s, const char *line);
void app_complete(App *a);
int app_command_help(int i, const char **name, const char **args, const char **help);  /* 0 past the end */
/* app_keys.c: the table that the help is made of */
typedef struct KeyDoc { const char *keys, *help, *group; } KeyDoc;
bool app_key_doc(int i, KeyDoc *out);
/* app_frame.c */
/* Where each tab begins in a line of w columns (-1: it does not fit), x[n] where the last ends; returns the blanks around a title. */
int app_tabs(const App *a, int w, int x[APP_SCENES + 1]);
void app_make_data(App *a, const Store *s, int only);
Look app_look(App *a, const Store *s, const SceneNode *pane, int rows);
#endif
