/* cases.h - results of comparing with stored values: one row for each, for `lathe verify` with anything but probes. */
#ifndef ENGINE_CASES_H
#define ENGINE_CASES_H
#include "base/err.h"
typedef struct Case { char name[160]; bool ok; double max_abs, max_rel; char at[80]; } Case;
typedef struct Cases { bool ok; int n, cap; Case *c; char source[256]; } Cases;   /* ok: of all */
/* A further row, ok at first; NULL: no memory. */
Case *cases_add(Cases *r, const char *name, Err *e);
void cases_done(Cases *r);
#endif
