/* once.h - what the engine process does, done once in this process: load, run one prompt to its end,
 * publish into a Store. Pictures without a terminal and recordings of a command come from here, so they
 * hold exactly what a live screen would show. */
#ifndef ENGINE_ONCE_H
#define ENGINE_ONCE_H
#include "engine/lathe.h"
#include "probe/store.h"

typedef struct OnceOptions {
	int threads;
	int64_t layers;
	size_t memory_limit;
	const char *precision;       /* NULL: native */
	LatheSessionOptions session;
	int64_t n;                   /* tokens to make */
	const char *text;            /* the prompt, or ids */
	const int32_t *ids;
	size_t n_ids;
	const char *const *watch;    /* probe patterns, NULL-terminated; NULL: none */
	const char *record;          /* file to write the stream to, NULL: none */
	size_t keep;                 /* bytes of samples kept, 0: 128 MiB */
} OnceOptions;
typedef struct Once Once;
/* NULL and e on failure. */
Once *once_run(const char *ckpt, const OnceOptions *o, Err *e);
/* Carries out a command of lathe-stream(5) as an engine would, and what follows from it to its end. */
bool once_order(Once *x, const char *json, Err *e);
const Store *once_store(const Once *x);
void once_free(Once *x);
#endif
