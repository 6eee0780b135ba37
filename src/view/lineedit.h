/* lineedit.h - one line being edited: the prompt, the command line, the search. */
#ifndef VIEW_LINEEDIT_H
#define VIEW_LINEEDIT_H
#include "view/grid.h"
#include "view/key.h"

enum { LINE_MAX_BYTES = 65536, LINE_HISTORY = 100 };
typedef struct LineEdit {
	Buf text;
	size_t cur;                /* byte offset, always at a grapheme's begin */
	char *history[LINE_HISTORY];
	int n_history, at;         /* at == n_history: the line itself */
	char *kept;                /* the line while history is shown */
} LineEdit;

void lineedit_done(LineEdit *l);
void lineedit_set(LineEdit *l, const char *s);
/* Adds to the history, unless it is the last one again, and empties the line. */
void lineedit_accept(LineEdit *l);
void lineedit_insert(LineEdit *l, const char *s, size_t n);
/* Editing keys; false: not one. */
bool lineedit_key(LineEdit *l, Key k);
/* Draws with the cursor in sight, wrapped over the window's lines; sets the grid's cursor. */
void lineedit_draw(const LineEdit *l, Win o, const char *lead, Style lead_style, Style st, bool cursor);
#endif
