/* hooks.h - which probes the viewers want: one hook in the model for each pattern that somebody watches, none
 * otherwise. */
#ifndef ENGINE_HOOKS_H
#define ENGINE_HOOKS_H
#include "engine/publish.h"
enum { HOOKS_MAX = 256 };
typedef struct Hooks Hooks;
Hooks *hooks_new(Publish *p);
void hooks_free(Hooks *h);
/* The model the hooks sit in; NULL before it is closed. Watched patterns move along. */
void hooks_model(Hooks *h, LatheModel *m);
/* False: E_2003 for a pattern that means nothing, E_5003 for too many. Watching twice is once. */
bool hooks_watch(Hooks *h, int viewer, const char *pattern, Err *e);
/* pattern NULL: all of this viewer's. */
void hooks_unwatch(Hooks *h, int viewer, const char *pattern);
/* Does anybody watch this topic? For what the engine computes itself. */
bool hooks_want(const Hooks *h, const char *topic);
size_t hooks_count(const Hooks *h);   /* patterns in the model */
#endif
