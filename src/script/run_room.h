/* run_room.h - the inside of a RunFile, for the files of this folder only. */
#ifndef SCRIPT_RUN_ROOM_H
#define SCRIPT_RUN_ROOM_H
#include "base/arena.h"
#include "base/buf.h"
#include "script/room.h"
#include "script/run_file.h"

/* A configuration file has a room of its own; the functions of a run that a script began live in the script's. */
struct RunRoom {
	Room *room;          /* own, or the script's */
	Room own;
	bool owned;
	lua_State *L;        /* calls are made from here: the state, or the coroutine of the script that is running */
	Arena *arena;        /* texts of the RunFile */
	Buf json;            /* the model, while it is written */
	const char *file;    /* named in errors; of a script's run: its name */
	/* Only the addresses are used, as keys of Lua's registry: the config's tables, and the texts of the last answers. */
	char data, exam, prompt, answer, asked, judged, reward;
};

/* From the table at index i of a script's stack. NULL: e; the error has no place of its own, the caller adds the script's line. */
RunFile *run_file_share(lua_State *L, Room *room, int i, Err *e);
/* The same for reinforcement learning, as run_rl_open. */
RunFile *run_rl_share(lua_State *L, Room *room, int i, Err *e);
/* The same for an exam alone: a table { ask =, judge = } at index i. */
RunFile *run_exam_share(lua_State *L, Room *room, int i, Err *e);
/* Before calls of source or exam: they are made from L from now on. Nothing for a run with a room of its own. */
void run_file_at(RunFile *f, lua_State *L);

/* Runs fn with ud as its only argument, protected, with a call's own limits. */
bool run_call_guarded(RunFile *f, lua_CFunction fn, void *ud, Err *e);
/* run_reward.c: puts away the function on top of the stack, or nil; fills task of f. */
void run_reward_keep(lua_State *L, RunFile *f);
void run_reward_bind(RunFile *f);

/* Fills source and exam of f from its room: their functions are found under the keys. */
void run_call_bind(RunFile *f);
/* Checks the table on top of the stack, puts it away and takes it off; inside a protected call. */
void run_call_keep_data(lua_State *L, RunFile *f);
void run_call_keep_exam(lua_State *L, RunFile *f);
/* Forgets all that is kept in the registry. */
void run_call_forget(RunFile *f);
#endif
