/* cases.c - see cases.h. */
#include "engine/cases.h"
#include <stdio.h>
#include <stdlib.h>

Case *cases_add(Cases *r, const char *name, Err *e)
{
	if (r->n == r->cap) {
		int cap = r->cap ? 2 * r->cap : 256;
		Case *c = realloc(r->c, sizeof *c * (size_t)cap);
		if (!c) {
			err_set(e, E_5001, "out of memory for the results");
			return NULL;
		}
		r->c = c;
		r->cap = cap;
	}
	Case *c = &r->c[r->n++];
	*c = (Case){ .ok = true };
	snprintf(c->name, sizeof c->name, "%s", name);
	return c;
}

void cases_done(Cases *r)
{
	free(r->c);
	*r = (Cases){ 0 };
}
