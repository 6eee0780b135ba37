/* room.h - a Lua state with limits and safe libraries. */
#ifndef SCRIPT_ROOM_H
#define SCRIPT_ROOM_H
#include "base/err.h"
#include <lauxlib.h>
#include <lua.h>
#include <signal.h>
#include <stddef.h>

typedef struct Room {
	lua_State *L;
	size_t held, limit;
	long steps;
	double cpu_until;                  /* 0: no limit */
	const volatile sig_atomic_t *stop; /* not 0: every step is an error from now on; NULL: a room that nobody stops */
} Room;
/* Only the state with its limits, without any function in it. */
bool room_make(Room *r, size_t memory, long steps);
/* False: out of memory. r must stay where it is until room_done. */
bool room_init(Room *r, size_t memory, long steps);
void room_done(Room *r);
/* From here on: so many steps, and so many seconds of computing for what steps do not measure (comparing long texts). */
void room_allow(Room *r, long steps, double cpu_seconds);
/* For a C function that does much in one step. A Lua error when the steps are used up. */
void room_charge(lua_State *L, size_t steps);
/* Runs a text chunk with one result left on the stack; false: e (E_8xxx) has the message with file and
 * line. */
bool room_run(Room *r, const char *text, size_t n, const char *chunk, Err *e);
/* The error on top of the stack into e and off the stack; always false. The second: of the stack of a coroutine in the room. */
bool room_fail(Room *r, int status, Err *e);
bool room_fail_at(Room *r, lua_State *L, int status, Err *e);
#endif
