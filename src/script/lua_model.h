/* lua_model.h - the type Model, for the files that give it methods: the engine's model, the changes and hooks that it has, and the call
 * into it that is going on. */
#ifndef SCRIPT_LUA_MODEL_H
#define SCRIPT_LUA_MODEL_H
#include "engine/change.h"
#include "engine/engine.h"
#include "script/lab.h"
#include "script/lua_tensor.h"

typedef struct ModelHook {
	struct Model *of;
	int id;                  /* as the script knows it; 0: no function, only learns whether the name of a change is one */
	int tape_id;
	char *pattern;
	bool seen;               /* a value has come by */
	struct ModelHook *next;
} ModelHook;

typedef struct Model {
	LatheModel *m;           /* NULL: not open (yet) */
	bool borrowed;           /* m is somebody else's (user value 1), who closes it */
	size_t held;             /* bytes counted for its weights and working memory */
	LatheAttention attention;
	Change *change;          /* what this view differs in, copies; in `changes` while it lives */
	int n_changes;
	Changes *changes;
	ModelHook *hook;
	int next_id;
	lua_State *L;            /* of the call that is going on; NULL: none */
} Model;
/* User values: 1 whose weights these are, 2 the functions of hooks by id, 3 the config, 4 the function of stop_when. */
enum { MODEL_BASE = 1, MODEL_HOOKS, MODEL_CONFIG, MODEL_STOP, MODEL_VALUES = MODEL_STOP };

/* A config as a table with the keys of config.json. */
void lua_config_push(lua_State *L, const Config *c);
/* The open model at index i. */
Model *lua_model_check(lua_State *L, int i);
/* A model over m, on the stack; owner: index of what m belongs to and is closed with, 0: it is closed with the new object. Used for models
 * of training runs. */
Model *lua_model_push(lua_State *L, LatheModel *m, int owner);
/* Around every call of the engine that may run hooks: no other call can go on, and hooks find their state. No Lua error may be raised
 * between the two. */
void lua_model_enter(lua_State *L, Model *m, int i);
void lua_model_leave(lua_State *L, Model *m);
/* After a call: counts the working memory that the model holds now, so that views that are dropped are collected before they fill it. */
void lua_model_settle(lua_State *L, Model *m);
/* A second view of the model at index i, with its changes and hooks and then n more; pushed. */
Model *lua_model_twin(lua_State *L, int i, const Change *more, int n);
/* Places a hook that calls the function at index fn (0: none, it only looks whether values come by); returns its id. */
int lua_model_hook(lua_State *L, int i, const char *pattern, int fn);

/* After a forward that worked: raises when a hook, or a change of a named value, has met no value so far. */
void lua_model_check_hooks(lua_State *L, const Model *m);
/* The same error for a pattern of the caller's: `what` begins it. */
int lua_model_no_value(lua_State *L, const Model *m, const char *what, const char *pattern);
/* Is it of a part that only some forwards have: the MTP modules? */
bool lua_model_is_mtp(const Model *m, const char *pattern);

/* Ids of the text or list at index i; malloc'd in a box pushed on the stack that frees them. */
int32_t *lua_model_ids(lua_State *L, const Model *m, int i, bool bos, size_t *n);
int lua_model_raise(lua_State *L, const LatheError *e);
/* Raises unless the pattern can be the name of a value of this model. */
void lua_model_check_pattern(lua_State *L, const Model *m, const char *pattern);
/* "auto", "naive" or "absorbed" in the field of the table at index i, or `missing`. */
LatheAttention lua_model_attention(lua_State *L, int i, LatheAttention missing);
/* The text of one token, pushed. */
void lua_model_push_token(lua_State *L, const Model *m, int32_t id);

/* --- options in a table at index i (nil: none) --- */
double lua_option_num(lua_State *L, int i, const char *key, double missing, double lo, double hi);
int64_t lua_option_int(lua_State *L, int i, const char *key, int64_t missing, int64_t lo, int64_t hi);
bool lua_option_flag(lua_State *L, int i, const char *key, bool missing);
/* Raises for a key that is none of the words. */
void lua_options_known(lua_State *L, int i, const char *what, const char *const *words);

extern const ApiClass api_model, api_model_open, api_model_run, api_model_with, api_model_compare, api_compare, api_comparison, api_difference, api_tape, api_model_tape;
#endif
