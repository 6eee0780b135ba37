/* args.h - a command line against the tables of the program: global options and those of one command. */
#ifndef CLI_ARGS_H
#define CLI_ARGS_H
#include "cli/cmd.h"

extern const Opt args_global[]; /* ends with name NULL */

/* Parses argv[0..argc) (what follows the command's name). NULL with E_2002 or E_2003. A --help that comes
 * before a mistake wins. */
Args *args_parse(const Cmd *c, int argc, char *const *argv, Err *e);
void args_free(Args *a);
/* The option of this name that c (NULL: only globals) takes, or NULL. */
const Opt *args_option(const Cmd *c, const char *name);

/* Whole-string numbers: no blanks before, nothing behind, no overflow. Sizes: digits, an optional fraction,
 * an optional K M G T (powers of 1024) with "iB" or "B". */
bool args_read_int(const char *s, int64_t *out);
bool args_read_num(const char *s, double *out);
bool args_read_size(const char *s, int64_t *out);
/* Of names (ended by NULL), the one most like word, or NULL when none is near. */
const char *args_nearest(const char *word, const char *const *names);
#endif
