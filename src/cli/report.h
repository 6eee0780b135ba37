/* report.h - one page of text about a model, for where there is no screen. */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H
#include "cli/cmd.h"
/* label: how the user names it ("@tiny"); path: the checkpoint. Runs it on a short prompt when it can be
 * loaded. */
bool report_model(const Args *a, const char *label, const char *path, Buf *out, Err *e);
/* The page when no model is there at all. */
void report_nothing(Buf *out, const char *why);
#endif
