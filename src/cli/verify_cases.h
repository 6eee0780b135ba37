/* verify_cases.h - results of `lathe verify` with stored values that are not probes, as text or JSON. */
#ifndef CLI_VERIFY_CASES_H
#define CLI_VERIFY_CASES_H
#include "cli/cmd.h"
#include "engine/cases.h"
/* Prints and frees r; the exit status. ran: false when e says why there is no result. */
int cli_verify_cases(const Args *a, Cases *r, bool ran, Err *e);
#endif
