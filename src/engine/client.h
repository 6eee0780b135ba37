/* client.h - the viewer's side of an engine: start one or find one, send it commands, take its samples into a
 * Store.
 *
 * Nothing here waits: poll client_fd() for reading (and for writing while client_wants_write), then call
 * client_read. An engine that dies is a state (client_alive false, client_ending says how), not an error that
 * ends the viewer; client_restart starts it anew. Frames and commands are described in lathe-stream(5),
 * topics in lathe-probes(7). One thread per Client. */
#ifndef ENGINE_CLIENT_H
#define ENGINE_CLIENT_H
#include "base/err.h"
#include "probe/store.h"
typedef struct Client Client;

/* Starts `PROGRAM engine --fd 3 ARGS...` in a session of its own, so that it outlives the terminal. program
 * NULL: this program (/proc/self/exe). args: NULL-terminated, e.g. {"--name", "main", "/models/x", NULL};
 * NULL: none. */
Client *client_spawn(const char *program, const char *const *args, Err *e);
/* name: of an engine (in the user's runtime folder), or a path with a '/' to its socket; NULL: the only one
 * that runs. */
Client *client_connect(const char *name, Err *e);
/* Closes the connection; the engine goes on (unless started with --exit-with-viewer). */
void client_free(Client *c);
/* Asks the engine to end and waits up to `seconds` for that; a spawned one that does not is killed. Then use
 * client_free. */
void client_end(Client *c, double seconds);
/* A spawned engine that ended is started again with the same arguments; one connected to is looked for again.
 * Commands and replies of before are forgotten; the Store is the caller's to clear. */
bool client_restart(Client *c, Err *e);

int client_fd(const Client *c);                /* -1: gone */
bool client_wants_write(const Client *c);
/* Takes what has come, at most about 4 MiB a call so that a flood cannot hold the screen up, and writes what
 * waits. Returns the number of samples added to s. Also notices the engine's end; call it again while
 * client_more. */
size_t client_read(Client *c, Store *s);
bool client_more(const Client *c); /* complete frames may still be waiting in memory: do not poll first */

/* Queues a command: a JSON object without "id", e.g. {"cmd":"pause"}. Returns the id of its reply, 0 when the
 * engine is gone. */
int64_t client_send(Client *c, const char *json);
typedef struct ClientReply {
	int64_t id;
	bool ok;
	int code;                  /* nnnn of Ennnn when !ok */
	char error[ERR_TEXT];      /* one line; from the engine, pass through safe_text before showing */
	const char *json;          /* the whole reply; valid until the next client_reply */
} ClientReply;
/* The oldest reply not taken yet. */
bool client_reply(Client *c, ClientReply *out);

bool client_alive(const Client *c);
/* One line once the engine is gone: "the engine was killed by signal 9 (Killed)", "the engine ended with
 * status 5: ...". "" while alive. */
const char *client_ending(const Client *c);
int client_status(const Client *c);            /* exit status, 128+n after a signal; -1: not known or alive */
uint64_t client_drops(const Client *c);        /* samples that this viewer was too slow for */
int client_pid(const Client *c);               /* of the engine, 0: not known yet */
const char *client_name(const Client *c);      /* the engine's, "" until its hello has come */

/* Running engines of this user, by name. */
typedef struct ClientEngine { char name[64]; char socket[108]; int pid; } ClientEngine;
/* Fills at most max, returns how many run. */
size_t client_list(ClientEngine *out, size_t max, Err *e);
#endif
