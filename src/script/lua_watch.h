/* lua_watch.h - values of a model's forwards, collected by pattern: for m:run and stop_when. */
#ifndef SCRIPT_LUA_WATCH_H
#define SCRIPT_LUA_WATCH_H
#include "script/lua_model.h"

enum { WATCH_PICKS = 64 };
/* A value, its forwards' rows end to end. */
typedef struct Kept { char *name; bool is_int; real *data; int64_t rows, cols; } Kept;
typedef struct Pick { struct Watcher *of; char *pattern; int id; bool seen; int64_t since; } Pick;   /* since: tokens written before */
typedef struct Watcher {
	Model *m;
	Pick *pick;
	int n_picks;
	Kept *kept;
	int n_kept, cap;
	size_t bytes, room;      /* held; allowed */
	bool full, on;           /* on: between the begin of the engine's work and watcher_lift */
	/* a text that is scored as it is read */
	const int32_t *id;
	int64_t n_ids, base, window; /* base: where the window begins in the text */
	real *logprob;           /* [n_ids], NaN where nothing predicts the token; NULL: not scored */
	LatheSession *session;   /* freed with it */
	LatheToken *token;       /* written; freed with it */
	int64_t n_tokens, cap_tokens;
} Watcher;

/* A new one on the stack, which ends with Lua's collection; at: index of the model, which it keeps. */
Watcher *watcher_push(lua_State *L, Model *m, int at);
/* Watches the pattern at index i; a Lua error when it is none. */
void watcher_add(lua_State *L, Watcher *w, int i);
/* The pattern, or list of patterns, in field `watch` of the table at index i (nil: none). */
void watcher_add_field(lua_State *L, Watcher *w, int i);
/* Set on before the engine works. This: watches no longer; what is kept stays. */
void watcher_lift(Watcher *w);
void watcher_forget(Watcher *w);
/* A value as a tensor [rows, cols], and its C memory back. model: its index. */
void watcher_push_kept(lua_State *L, Watcher *w, Kept *k, int model);
/* All values that match, end to end, in one row; a single not-a-number when there is none. */
void watcher_push_matching(lua_State *L, const Watcher *w, const char *pattern);
#endif
