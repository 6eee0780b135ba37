/* cmd.h - one subcommand per file, each a row of a table from which --help, the man page's OPTIONS,
 * completions and the usage errors come. */
#ifndef CLI_CMD_H
#define CLI_CMD_H
#include "base/err.h"
#include "base/json.h"
#include <stdint.h>

typedef enum OptKind { OPT_FLAG, OPT_STR, OPT_INT, OPT_NUM, OPT_SIZE /* 64K 2M 1G */ } OptKind;
typedef struct Opt {
	const char *name;     /* "attention" -> --attention */
	char shortname;       /* 'p' or 0 */
	OptKind kind;
	const char *arg;      /* "TEXT" in help; NULL for flags */
	const char *help;     /* one line */
} Opt;

/* Parsed command line. Options that every command has (--threads --seed --quiet --color --json
 * --memory-limit --help) are merged in. */
typedef struct Args Args;
bool args_has(const Args *a, const char *name);
const char *args_str(const Args *a, const char *name, const char *fallback);
/* The i-th time that an option is given; NULL past the last. */
const char *args_nth(const Args *a, const char *name, int i);
int64_t args_int(const Args *a, const char *name, int64_t fallback);
double args_num(const Args *a, const char *name, double fallback);
int args_count(const Args *a);                 /* positional arguments after the command's name */
const char *args_at(const Args *a, int i);     /* NULL past the end */

typedef struct Cmd {
	const char *name, *usage;   /* "info", "CKPT [--tensors]" */
	const char *summary;        /* one line, lower case, no dot */
	const char *text;           /* paragraphs for --help */
	void (*more)(Buf *out);     /* appends further paragraphs, made from a table; NULL: none */
	const Opt *opts;            /* ends with name NULL */
	const char *const *examples; /* "lathe info @tiny --json", NULL-terminated; run by the tests */
	int min_args, max_args;     /* positional; max -1: any */
	/* Returns the exit status; on error fills e and returns err_exit(e). */
	int (*run)(const Args *a, Err *e);
} Cmd;
/* A command's row is `const Cmd cmd_NAME` in cmd_NAME.c, listed in list.c. text: paragraphs divided by an
 * empty line; a line that begins with two blanks is kept as it stands. */
extern const Cmd cmd_open, cmd_info, cmd_kv, cmd_verify, cmd_generate, cmd_tokenize, cmd_diff, cmd_fp8, cmd_convert, cmd_train, cmd_rl,
	cmd_eval, cmd_run, cmd_repl, cmd_scene, cmd_bench, cmd_engine, cmd_attach, cmd_record, cmd_replay, cmd_doctor, cmd_help,
	cmd_explain;
extern const Cmd *const cmd_table[];           /* src/cli/list.c, NULL-terminated */
const Cmd *cmd_find(const char *name);

/* Helpers for commands. */
/* "@name" -> the folder in the box, anything else unchanged; freed by the caller. NULL + E_4001 when not
 * there. */
char *cli_ckpt_path(const char *arg, Err *e);
/* Folder of installed data ("scenes", "lua", "data"): the build tree when run from there, else the one beside
 * the program's bin/, so that an installation can be moved, else where configure said. In out. */
bool cli_data_dir(const char *what, char *out, size_t n);
/* A folder of share/ beside the running program's bin/. */
bool cli_share_dir(const char *what, char *out, size_t n);
int cli_threads(const Args *a);
/* Parses "1,2,3" (with blanks and newlines allowed). */
bool cli_ids(const char *s, int32_t **ids, size_t *n, Err *e);
/* Writes all of b to stdout; false: E_4002 (a closed pipe ends the program quietly by SIGPIPE). */
bool cli_out(const Buf *b, Err *e);
/* Bytes of --memory-limit, 0: none. */
size_t cli_memory_limit(const Args *a);
#endif
