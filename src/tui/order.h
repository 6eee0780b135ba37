/* order.h - the state of a running screen, and what it does for the App besides drawing: replaying,
 * restarting, copying. */
#ifndef TUI_ORDER_H
#define TUI_ORDER_H
#include "tui/keys.h"
#include "tui/loop.h"
#include "tui/paint.h"
#include "tui/term.h"

typedef struct Screen {
	const TuiSource *src;
	Term term;
	Keys *keys;
	Grid *grid;
	Paint *paint;
	App *app;
	Store *store, *own_store;
	Client *client;
	Buf out;
	int signal_fd;
	int status;              /* -1 while it runs */
	bool alive;              /* the engine, as the App was last told */
	bool dirty, now_dirty;   /* a frame is due: in its turn; at once */
	bool resized;
	double drawn, looked, input_at;
} Screen;

/* Takes all the App's waiting commands: the terminal's own are done here, the others go to the engine. */
void screen_orders(Screen *l);
#endif
