/* change_hook.h - the changes that are hooks. For change.c only. */
#ifndef ENGINE_CHANGE_HOOK_H
#define ENGINE_CHANGE_HOOK_H
#include "engine/change.h"
#include "engine/engine.h"

typedef struct ChangeHook {
	LatheModel *m;
	Change c;
	char *name;           /* copies */
	real *data;
	int hook[2];          /* 0: none */
	Ten *topk;            /* scale_expert: the choice that was seen last */
} ChangeHook;

/* Places the hooks of a change of kind SCALE_EXPERT, ABLATE, PATCH or STEER in layer `layer` (ignored by patch and steer). */
bool change_hook_place(ChangeHook *h, LatheModel *m, const Change *c, int layer, Err *e);
void change_hook_lift(ChangeHook *h);
#endif
