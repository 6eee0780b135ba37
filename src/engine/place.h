/* place.h - where engines are found: a private folder with, for each name, a socket and a lock that a running
 * engine holds. */
#ifndef ENGINE_PLACE_H
#define ENGINE_PLACE_H
#include "base/err.h"
#include <sys/types.h>

enum { PLACE_PATH = 108 /* sun_path */, PLACE_NAME = 32 };
typedef struct Place { char name[PLACE_NAME + 1]; char socket[PLACE_PATH]; int lock; } Place;

/* $XDG_RUNTIME_DIR/lathe, else /tmp/lathe-UID: made with mode 0700; refused (E_4001) unless it is a folder of
 * ours that nobody else may enter. */
bool place_dir(char out[PLACE_PATH], Err *e);
/* Letters, digits, '-' and '_', at most PLACE_NAME. */
bool place_name_ok(const char *name);
/* The socket of a name, or of a path with '/', without looking whether anyone is there. */
bool place_find(const char *name, Place *p, Err *e);
/* Takes the name: E_9001 when another engine holds it. name NULL: "main", else "main-2", "main-3"... */
bool place_take(const char *name, Place *p, Err *e);
/* Listening socket at the taken place, mode 0600. -1: e. */
int place_listen(const Place *p, Err *e);
void place_release(Place *p);
/* The process that holds the lock of a socket, 0: nobody. Not for the holder itself: looking would give its
 * own lock up. */
pid_t place_holder(const char *socket_path);
/* Calls fn for each name in the folder whose lock is held. */
bool place_each(void (*fn)(const Place *p, pid_t pid, void *ud), void *ud, Err *e);
/* Whether the process at the other end of a socket belongs to this user. */
bool place_peer_ok(int fd);
#endif
