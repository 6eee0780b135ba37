/* grid.h - a screen as data: w x h cells, windows that clip, text with exact columns, and borders.
 *
 * Everything that is seen is first drawn here; the terminal, a text file, an SVG or a test then only
 * copies cells. A wide character takes its cell and a follower of width 0, and never hangs over the edge
 * of a window. Text that comes from models and files goes through win_foreign, which makes controls
 * visible; win_text is for our own words. */
#ifndef VIEW_GRID_H
#define VIEW_GRID_H
#include "base/buf.h"
#include "base/err.h"
#include <stdint.h>

enum { CELL_BYTES = 22, GRID_MAX = 1000 };
#define COLOR_DEFAULT 0xff000000u /* the terminal's own; all others are 0x00rrggbb */
enum { ATTR_BOLD = 1, ATTR_DIM = 2, ATTR_REVERSE = 4, ATTR_UNDERLINE = 8 };

typedef struct Style { uint32_t fg, bg; uint8_t attr; } Style;
typedef struct Cell {
	char s[CELL_BYTES];      /* one grapheme in UTF-8, NUL-terminated; "" in a follower */
	uint8_t width;           /* columns: 1, 2; 0: follower of the wide cell to the left */
	uint8_t attr;
	uint32_t fg, bg;
} Cell;

typedef struct Grid {
	int w, h;
	Cell *cell;              /* row-major */
	bool ascii;              /* nothing above 0x7e is drawn */
	/* where the real cursor belongs (prompt, focused item: screen readers follow it); -1: hidden */
	int cursor_x, cursor_y;
} Grid;

/* A clipped rectangle of a grid; passed by value. Coordinates below are relative to it. */
typedef struct Win { Grid *g; int x, y, w, h; } Win;

/* Sizes are cut to 1..GRID_MAX. NULL: out of memory. */
Grid *grid_new(int w, int h);
void grid_free(Grid *g);
bool grid_resize(Grid *g, int w, int h);       /* clears; false: out of memory, the old grid stays */
void grid_clear(Grid *g, Style st);
const Cell *grid_at(const Grid *g, int x, int y);  /* a blank cell outside */
bool cell_equal(const Cell *a, const Cell *b);

Win grid_win(Grid *g);
Win win_sub(Win o, int x, int y, int w, int h);    /* cut to o */
void win_fill(Win o, Style st);                    /* blanks */
/* One grapheme of the given width (1 or 2), clipped. */
void win_put(Win o, int x, int y, const char *s, int width, Style st);
/* Draws text from column x; returns the column after it. Cut at the window's right edge. */
int win_text(Win o, int x, int y, const char *s, Style st);
/* The same, and what does not fit ends in an ellipsis: a number must never look whole when it is not. */
void win_cut(Win o, int x, int y, const char *s, Style st);
int win_textn(Win o, int x, int y, const char *s, size_t n, Style st);
int win_printf(Win o, int x, int y, Style st, const char *fmt, ...) PRINTF(5, 6);
/* Right-aligned: the text ends before column x. */
void win_right(Win o, int x, int y, const char *s, Style st);
/* Text from strangers: controls, bidi marks and invalid bytes become visible. Returns the column after it. */
int win_foreign(Win o, int x, int y, const char *s, size_t n, Style st);
/* Changes only attributes/background of cells already drawn. */
void win_paint(Win o, int x, int y, int w, uint32_t bg, uint8_t attr_on);
/* A frame with a title at the left of the top line and facts at its right; returns the inside. */
Win win_box(Win o, const char *title, const char *facts, Style line, Style text, bool focus);

/* Columns of a string of ours or of safe text, by grapheme: what win_text would take. */
int text_columns(const char *s, size_t n);
/* Takes one grapheme from s: bytes used; copies at most CELL_BYTES - 1 bytes to out; *width 0, 1 or 2. */
size_t text_grapheme(const char *s, size_t n, char out[CELL_BYTES], int *width);

/* --- out of the grid --- */
typedef enum ColorDepth { COLORS_NONE, COLORS_8, COLORS_256, COLORS_TRUE } ColorDepth;
void grid_to_text(const Grid *g, Buf *out);                    /* trailing blanks cut, '\n' after each row */
/* rows with SGR codes, reset at each end of line */
void grid_to_ansi(const Grid *g, ColorDepth depth, Buf *out);
/* The nearest of the colours that smaller palettes have. */
int color_to_256(uint32_t rgb);
int color_to_8(uint32_t rgb);                                  /* 0..7 */
/* The picture of a grid with cairo; E_2003 when the program was built without it. page: colours for
 * COLOR_DEFAULT. */
bool grid_to_svg(const Grid *g, uint32_t page_fg, uint32_t page_bg, Buf *out, Err *e);
bool grid_to_png(const Grid *g, uint32_t page_fg, uint32_t page_bg, Buf *out, Err *e);
#endif
