/* view.h - how data looks: one renderer per view name, each in its own file. */
#ifndef VIEW_VIEW_H
#define VIEW_VIEW_H
#include "view/data.h"
#include "view/theme.h"

typedef enum Glyphs { GLYPHS_BLOCK, GLYPHS_SHADE, GLYPHS_ASCII } Glyphs;

/* What a pane keeps between frames, and what the last frame left for the mouse. */
typedef struct PaneState {
	int scroll_x, scroll_y;
	int local_x, local_y;      /* cursor of axes that are the pane's own */
	bool numbers, numbers_set, log, log_set;
	/* from the last draw: window cells -> data */
	Rect body;
	int cell_w, row_h, first_row, first_col, group, label_w, head_h;
	bool half;
} PaneState;

typedef struct Pen {
	const Theme *theme;
	Glyphs glyphs;
	bool ascii, focus;         /* focus: this pane has it */
	int color_by;              /* text: 0 given/generated, 1 entropy, 2 probability, 3 drafts */
	PaneState *ps;
	Look look;
} Pen;

typedef struct View {
	const char *name;
	DataKind kind;             /* the only one it can draw; DATA_NONE: the prompt line, which draws none */
	void (*draw)(const Pen *p, Win o, const Data *d);
	int min_w, min_h;
	const char *doc;
} View;
const View *view_find(const char *name);
const View *view_at(int i);

/* Rows of the whole pane, frame included, that this data would fill; 0: as many as there are. */
int view_rows(const Data *d);

/* heat.c, bars.c, line.c, table.c, text.c, flow.c */
void view_heat(const Pen *p, Win o, const Data *d);
void view_bars(const Pen *p, Win o, const Data *d);
void view_line(const Pen *p, Win o, const Data *d);
void view_table_draw(const Pen *p, Win o, const Data *d);
void view_flow(const Pen *p, Win o, const Data *d);
void view_card(const Pen *p, Win o, const Data *d);
void view_gauge(const Pen *p, Win o, const Data *d);
void view_text(const Pen *p, Win o, const Data *d);
void view_trace(const Pen *p, Win o, const Data *d);
void view_marks(const Pen *p, Win o, const Data *d);

/* The token dy lines below that at index i, in text w columns wide; and the token at a cell. Indices into
 * f->tok, -1: none. */
int64_t text_line_step(const Facts *f, int w, int64_t i, int dy);
int64_t text_token_at(const Facts *f, int w, int x, int y);

/* A horizontal bar of x/1 in w columns with eighth blocks (or '#'); the rest of the track stays quiet. */
void pen_bar(const Pen *p, Win o, int x, int y, int w, double part, uint32_t color);
/* A magnitude or signed value, -1..1 or 0..1, as a cell of w columns. */
void pen_cell(const Pen *p, Win o, int x, int y, int w, double part, bool diverging);
/* The first visible index so that sel stays in sight, changing as little as possible. */
int pen_scroll(int first, int visible, int total, int sel);
void pen_empty(const Pen *p, Win o, const char *why);
#endif
