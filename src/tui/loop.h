/* loop.h - the screen: an App on a terminal, fed by an engine or by a recording, until the user leaves. */
#ifndef TUI_LOOP_H
#define TUI_LOOP_H
#include "engine/client.h"
#include "tui/caps.h"
#include "view/app.h"

typedef struct TuiSource {
	AppOptions app;
	Caps caps;                /* from caps_probe; .screen must be true */
	bool mouse;
	/* one of: */
	Client *client;  /* an engine; the caller frees it */
	Store *store;    /* a recording already read; NULL with a client: the screen makes its own */
	bool own_engine; /* leaving by q ends the engine; a screen that dies or loses its terminal leaves it
						running */
	const char *const *commands; /* sent to the engine at the start, NULL-terminated; NULL: none */
	/* Training runs to be drawn beside this one, read by the caller: `read` takes what is new, once a second; `add` names one more. NULL:
	 * none. */
	void *beside;
	size_t (*beside_read)(void *beside, Store *s);
	bool (*beside_add)(void *beside, const char *path, Err *e);
} TuiSource;

/* Exit status: 0 after the user left, 128+n after a signal, else that of *e. The terminal is as before in
 * every case. */
int tui_run(const TuiSource *src, Err *e);
#endif
