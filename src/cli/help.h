/* help.h - help texts and manual pages out of the command table. */
#ifndef CLI_HELP_H
#define CLI_HELP_H
#include "cli/cmd.h"

void help_program(Buf *out);                   /* lathe --help */
void help_command(const Cmd *c, Buf *out);     /* lathe NAME --help */
void help_man_program(Buf *out);               /* lathe(1) in mdoc */
void help_man_command(const Cmd *c, Buf *out); /* lathe-NAME(1) in mdoc */
/* Commands of the plan that this version does not have; ends with NULL. */
extern const char *const help_planned[];
#endif
