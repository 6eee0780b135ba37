/* guard.h - a small process that puts the terminal right after any death of the screen, kill -9 included. */
#ifndef TUI_GUARD_H
#define TUI_GUARD_H
#include <stdbool.h>
#include <stddef.h>
#include <termios.h>

typedef struct Guard { int pid, control, saved_stderr; } Guard;

/* Forks the guard. tty: the terminal's descriptor; before: its settings to restore; leave: bytes that undo
 * the screen's modes. From here on standard error goes to the guard, which shows it only after the screen is
 * gone. False: no process; the screen can do without. */
bool guard_start(Guard *w, int tty, const struct termios *before, const char *leave);
/* Tells whether the screen has the terminal now. While it does not (suspended), a death needs no repair. */
void guard_say(Guard *w, bool screen_on);
/* Ends the guard after the screen has left the terminal itself; standard error is as before. */
void guard_stop(Guard *w);
#endif
