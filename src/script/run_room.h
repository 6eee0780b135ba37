/* run_room.h - the inside of a RunFile, for run_file.c and run_call.c only. */
#ifndef SCRIPT_RUN_ROOM_H
#define SCRIPT_RUN_ROOM_H
#include "base/arena.h"
#include "base/buf.h"
#include "script/room.h"
#include "script/run_file.h"

struct RunRoom {
	Room room;
	Arena *arena;        /* texts of the RunFile */
	Buf json;            /* the model, while it is written */
	const char *file;    /* named in errors */
	/* Only the addresses are used, as keys of Lua's registry: the config's tables, and the texts of the last answers. */
	char data, exam, prompt, answer, asked, judged;
};

/* Fills source and exam of f from its room: their functions are found under the keys. */
void run_call_bind(RunFile *f);
/* Checks the table on top of the stack, puts it away and takes it off; inside a protected call. */
void run_call_keep_data(lua_State *L, RunFile *f);
void run_call_keep_exam(lua_State *L, RunFile *f);
#endif
