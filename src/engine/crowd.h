/* crowd.h - the viewers at one listening socket: who they are, what they sent, what they still get. Used by the socket thread of an engine
 * (serve.c) and of a training run (train_watch.c); nothing here waits. */
#ifndef ENGINE_CROWD_H
#define ENGINE_CROWD_H
#include "engine/viewer.h"
#include <poll.h>

enum { CROWD_VIEWERS = 16, CROWD_POLL = CROWD_VIEWERS + 2 /* the bus, the listening socket, viewers */ };
typedef struct Crowd {
	Bus *bus;
	const char *name;         /* told to each viewer; not copied */
	int listen_fd;            /* -1: none */
	/* What a viewer asks for; takes the reference. */
	void (*command)(void *ud, Viewer *v, json_t *command);
	void *ud;
	Viewer viewer[CROWD_VIEWERS];
	size_t n;
	int next_id;
	bool had_viewer, more;    /* more: somebody has more to be sent than one turn allows */
} Crowd;

/* A connected viewer; fd is closed when there is no room, or it belongs to somebody else. */
void crowd_add(Crowd *c, int fd);
/* Fills p; returns the number of slots. open: new viewers are let in. */
size_t crowd_poll(const Crowd *c, bool open, struct pollfd p[CROWD_POLL]);
/* One turn with what poll said: replies, commands, samples, new viewers. */
void crowd_turn(Crowd *c, const struct pollfd p[CROWD_POLL]);
/* Last replies and a reason to each viewer that still reads, for at most `patience` seconds; nobody is left. */
void crowd_bye(Crowd *c, const char *why, double patience);
#endif
