/* scene.h - a scene as data: what scenes/NAME.lua says, read by src/script and drawn here. Everything
 * lives in the scene's arena. See lathe-scene(5). */
#ifndef VIEW_SCENE_H
#define VIEW_SCENE_H
#include "base/arena.h"
#include "base/err.h"

enum { SCENE_KIDS = 16, SCENE_PANES = 24, SCENE_KEYS = 24, SCENE_TOPICS = 32 };
typedef enum NodeKind { NODE_PANE, NODE_ROWS, NODE_COLS } NodeKind;

typedef struct SceneNode {
	NodeKind kind;
	int n;
	struct SceneNode *kid[SCENE_KIDS];
	/* size: at least min_w x min_h, at most max_w x max_h (0: no limit), room beyond by weight. fit:
	 * no taller than its data. When there is no room for all, panes with the largest prio go first. */
	int min_w, min_h, max_w, max_h, weight, prio;
	bool fit;
	/* panes */
	int index;                   /* in SceneDef.pane */
	const char *view, *data;     /* "heat", "gate" or a topic "layers.{layer}.attn.c_KV" */
	const char *title;           /* with {layer} {token} {expert} */
	const char *unit;
	bool log, numbers, diverging;
	bool optional;               /* left out while its data is empty */
} SceneNode;

typedef struct SceneKey { const char *key, *help, *command; } SceneKey;
typedef struct SceneDef {
	Arena *arena;
	const char *name, *title;
	const char *topic[SCENE_TOPICS];
	int n_topics;
	const char *here[SCENE_TOPICS];  /* wanted only while this scene is shown; {layer} is the selected one */
	int n_here;
	const char *about[SCENE_TOPICS]; /* lines of the help: what the words and figures of this scene mean */
	int n_about;
	SceneNode *root;             /* NULL when error */
	SceneNode *pane[SCENE_PANES];
	int n_panes;
	SceneKey key[SCENE_KEYS];
	int n_keys;
	char error[ERR_TEXT];        /* "" or what is wrong with the file, with its line */
} SceneDef;

SceneDef *scene_new(const char *name);      /* NULL: out of memory */
void scene_free(SceneDef *d);

/* --- layout: rectangles for the panes that fit --- */
typedef struct Rect { int x, y, w, h; } Rect;
/* want_h: rows that a pane's data would fill (with frame), for fit, -1: leave it out; may be NULL. zoom: a pane index that
 * takes all, or -1. rect[i].w = 0: pane i is not shown. */
void scene_layout(const SceneDef *d, int w, int h, const int *want_h, int zoom, Rect rect[SCENE_PANES]);
#endif
