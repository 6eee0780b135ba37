/* term.h - the terminal while we have it: its modes set and undone, its size, bytes out. */
#ifndef TUI_TERM_H
#define TUI_TERM_H
#include "base/buf.h"
#include "base/err.h"
#include "tui/caps.h"
#include "tui/guard.h"

typedef struct Term {
	int in, out;             /* descriptors; in is /dev/tty when standard input is something else */
	Caps caps;
	struct termios before;
	bool on, mouse;
	char enter[128], leave[128];
	Guard guard;
} Term;

/* Takes the terminal on standard output: raw input, second screen, bracketed paste, mouse if wanted. E_4001
 * when there is none. */
bool term_open(Term *t, const Caps *caps, bool mouse, Err *e);
/* Gives it back as it was. Safe to call twice. */
void term_close(Term *t);
/* For a suspension: gives it back, and takes it again. */
void term_leave(Term *t);
void term_enter(Term *t);
void term_mouse(Term *t, bool on);
/* Puts text on the system clipboard by OSC 52; false: this terminal has none, or the text is too long. */
bool term_copy(Term *t, const char *text);
/* Columns and rows; 80x24 where the system does not know. */
void term_size(const Term *t, int *w, int *h);
/* Writes all; false: the terminal is gone. */
bool term_write(Term *t, const char *s, size_t n);
#endif
