/* help.h - help texts and manual pages out of the command table. */
#ifndef CLI_HELP_H
#define CLI_HELP_H
#include "cli/cmd.h"

void help_program(Buf *out);                   /* lathe --help */
void help_command(const Cmd *c, Buf *out);     /* lathe NAME --help */
void help_man_program(Buf *out);               /* lathe(1) in mdoc */
void help_man_command(const Cmd *c, Buf *out); /* lathe-NAME(1) in mdoc */
struct ApiDoc;
void help_man_lua(const struct ApiDoc *d, size_t n, Buf *out); /* lathe(3lua) in mdoc: script/api_doc.h */
/* For pages: text with roff's special characters made plain; the same with each sentence on a line of its own, as mdoc wants, ended. */
void help_put_roff(Buf *out, const char *s, size_t n);
void help_put_sentences(Buf *out, const char *s, size_t n);
#define HELP_DATE "November 24, 2026"
/* Commands of the plan that this version does not have; ends with NULL. */
extern const char *const help_planned[];
#endif
