/* serve.h - the engine process: one thread computes (jobs.h), the calling thread talks to viewers over UNIX
 * sockets. Commands, samples and frames are described in lathe-stream(5). */
#ifndef ENGINE_SERVE_H
#define ENGINE_SERVE_H
#include "base/err.h"
#include <stddef.h>
#include <stdint.h>

typedef struct ServeOptions {
	const char *name;         /* NULL: main, or main-2 ... when that is taken */
	const char *socket;       /* instead of a name: a path */
	int fd;                   /* a connected socket to the first viewer, -1: none */
	int stop_fd;              /* a byte read here is a signal's number: end. -1: none */
	bool exit_with_viewer;    /* end when the last viewer has left */
	double linger;         /* seconds without a viewer and without work after which it ends; 0: never */
	bool quiet;               /* no line on stdout that tells the socket */
	const char *path;         /* model to load at once, NULL: none */
	bool must_load; /* end with the error when path does not load; else the viewers are told and may load
			   another */
	int threads;
	int64_t layers;
	uint64_t seed;            /* of texts that give none */
	size_t memory_limit, keep /* bytes of samples kept, 0: 64 MiB */;
	const char *precision;
} ServeOptions;

typedef struct ServeEnd {
	int status;               /* exit status: 0, or 128 + signal */
	bool stuck;               /* the computing thread did not end in time: leave with _exit */
} ServeEnd;

/* Returns when told to end. False: it could not begin (E_9001: name taken), or not load what it must. */
bool serve_run(const ServeOptions *o, ServeEnd *end, Err *e);
#endif
