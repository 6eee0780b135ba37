/* caps.h - what the terminal at hand can do, from TERM, COLORTERM, terminfo, the locale and the user's
 * wishes. Nothing is sent to it. */
#ifndef TUI_CAPS_H
#define TUI_CAPS_H
#include "view/grid.h"

typedef struct Caps {
	char term[64];
	ColorDepth depth;
	bool screen;      /* cursor can be addressed the ANSI way: a full screen is possible */
	bool alternate;   /* has a second screen to come back from */
	bool sync;        /* takes ESC[?2026h, or is known to ignore it */
	bool clipboard;   /* takes OSC 52, or is known to ignore it */
	bool utf8;
	const char *why;  /* when !screen: one phrase */
} Caps;

/* fd: the terminal written to. color: "auto", "always" or "never". */
Caps caps_probe(int fd, const char *color);
const char *caps_depth_name(ColorDepth d);
#endif
