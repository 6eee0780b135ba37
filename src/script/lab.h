/* lab.h - an experiment: one Lua script with the engine at its hands, in a process of its own that can be killed (cli/cmd_run.c).
 * Its Lua has pcall, patterns, coroutines and metatables, as a script needs; what a count hook cannot stop, the process's end does. */
#ifndef SCRIPT_LAB_H
#define SCRIPT_LAB_H
#include "base/err.h"
#include "num/par.h"
#include "script/room.h"
#include <signal.h>
#include <stdint.h>

typedef struct LabOptions {
	const char *script;      /* path */
	int n_args;
	const char *const *args; /* what follows the script's name: lathe.args */
	bool quick;              /* lathe.quick: the script is asked for a run under a minute */
	int threads;
	uint64_t seed;           /* lathe.seed */
	size_t memory_limit;     /* bytes of Lua, tensors and models together; 0: none */
	double seconds;          /* of wall clock; 0: none */
	const char *lua_dir;     /* of modules */
	const char *out_dir;     /* relative paths that a script writes lie below it; NULL: the present folder */
	/* "@NAME" -> its folder, anything else unchanged; malloc'd; NULL with e. */
	char *(*ckpt_path)(const char *given, Err *e);
	const volatile sig_atomic_t *stop; /* set from outside: the script ends with an error at its next step. NULL: nobody stops it */
	void (*stop_clear)(void); /* takes stop back, for lab_repl; NULL: it stays */
	int colors;              /* of standard output: ColorDepth (view/grid.h) */
	bool ascii;              /* no character above 0x7e can be shown there */
	bool terminal;           /* somebody looks at standard error: progress is shown */
} LabOptions;

typedef struct Lab {
	Room room;               /* first: lab_of finds the Lab by it */
	LabOptions o;
	Pool *pool;              /* shared by everything that computes */
	struct Tape *tape;       /* of the forward that is going on, for ops whose inputs are all plain numbers; NULL: none */
	size_t said;             /* bytes printed */
	bool line;               /* a line of progress stands on the terminal, to be wiped before anything else is shown */
	size_t outside, since;   /* bytes held outside Lua's heap; and taken since the last full collection */
	Err raised;              /* the engine's error that was raised last, so that its code is the end's if it ends the script */
	sig_atomic_t never;      /* stop, when the options have none */
} Lab;

/* Runs the script to its end. False: e (E_8001 the script's own error with file and line, E_5002 over the memory, E_5004 stopped, or the
 * engine's). Nothing is closed: the process is to end with _exit. */
bool lab_run(const LabOptions *o, Err *e);
/* The same with lines from standard input instead of a script. False: one of them had an error, and nobody sat at a terminal. */
bool lab_repl(const LabOptions *o, Err *e);
/* The same in parts, for tests: a lab without a script, any number of texts in it (chunk: "@name.lua"), and its end. */
Lab *lab_new(const LabOptions *o, Err *e);
bool lab_text(Lab *lab, const char *text, size_t n, const char *chunk, Err *e);
/* Calls fn with ud as its argument, under the lab's care: its errors and limits are e's. */
bool lab_call(Lab *lab, lua_CFunction fn, void *ud, Err *e);
void lab_free(Lab *lab);

Lab *lab_of(lua_State *L);
/* Raises the engine's error as a Lua error with the line of the script in front; never returns. */
int lab_raise(lua_State *L, const Err *e);
/* The same with a code and text of one's own. */
int lab_fail(lua_State *L, int code, const char *fmt, ...) PRINTF(3, 4);
/* Pushes "file:line: " of the innermost function that is the user's, not of lua/lathe; "" when there is none. */
void lab_where(lua_State *L);
/* A Lua error when the script is to stop: for C that goes on for long, between its steps. */
void lab_check_stop(lua_State *L);
/* What is wrong with the name of something that a script wants to write below the folder of results: parts between single slashes, none of
 * which begins with a dot, so that neither ".." nor a hidden file is meant. NULL: nothing. */
const char *lab_name_fault(const char *name, size_t n);
/* Writes what is safe already, a picture, to standard output; it counts as printed. */
bool lab_show(Lab *lab, const char *s, size_t n, Err *e);
/* Wipes the line of progress, if there is one. */
void lab_line_end(Lab *lab);
/* Memory outside Lua's heap (tensors), counted against the limit; a Lua error when it does not fit even after a collection. Give back what
 * was taken, also from a __gc. */
void lab_take(lua_State *L, size_t bytes);
void lab_give(lua_State *L, size_t bytes);
#endif
