/* viewer.h - one connection of an engine: bytes in, bytes out, and how far in the samples it is. */
#ifndef ENGINE_VIEWER_H
#define ENGINE_VIEWER_H
#include "engine/bus.h"

enum {
	VIEWER_BATCH = 256 << 10,
	VIEWER_LAG = 4 << 20,
	VIEWER_COMMAND_MAX = 8 << 20,
	VIEWER_REPLIES_MAX = 4 << 20
};
typedef struct Viewer {
	int id, fd;               /* fd -1: closed */
	Buf in, out, replies;
	size_t sent;              /* of out */
	uint64_t cursor, joined;  /* serials: last sample sent; newest when it came */
	uint64_t drops, drops_told;
	bool closing;             /* close when out is sent */
} Viewer;

/* Says hello. */
void viewer_init(Viewer *v, Bus *b, int id, int fd, const char *name);
void viewer_done(Viewer *v);
/* Reads what is there; fn gets each command (its reference is fn's). False: this viewer has gone or spoke
 * nonsense, and is to be closed. */
bool viewer_read(Viewer *v, void (*fn)(void *ud, Viewer *v, json_t *command), void *ud);
/* Sends what waits and what is new until the socket takes no more. False: gone. */
bool viewer_write(Viewer *v, Bus *b);
bool viewer_wants_write(const Viewer *v);
void viewer_reply_error(Viewer *v, const json_t *command, int code, const char *text);
void viewer_reply_ok(Viewer *v, const json_t *command);
/* Last words; nothing more is taken from the bus. */
void viewer_bye(Viewer *v, const char *why);
#endif
