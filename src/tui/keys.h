/* keys.h - bytes from a terminal to keys, mouse events and pasted text. Sequences may arrive in pieces. Reads
 * no terminal itself. */
#ifndef TUI_KEYS_H
#define TUI_KEYS_H
#include "view/key.h"

typedef struct Keys Keys;
typedef enum KeysKind { KEYS_NONE, KEYS_KEY, KEYS_PASTE } KeysKind;
typedef struct KeysEvent {
	KeysKind kind;
	Key key;
	const char *text;  /* KEYS_PASTE: as it came, unsafe; valid until the next call */
	size_t n;
} KeysEvent;

Keys *keys_new(void);
void keys_free(Keys *k);
/* False: out of memory, the bytes are dropped. */
bool keys_feed(Keys *k, const char *bytes, size_t n);
/* The next event. idle: nothing came for keys_wait() milliseconds, so what is unfinished will stay so: a lone
 * ESC is the Escape key. */
KeysEvent keys_next(Keys *k, bool idle);
/* Milliseconds to wait for the rest of a sequence, -1: nothing is unfinished. */
int keys_wait(const Keys *k);
#endif
