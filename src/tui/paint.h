/* paint.h - from one grid to the next with as few bytes as is reasonable. Knows no terminal: bytes go into a
 * Buf. */
#ifndef TUI_PAINT_H
#define TUI_PAINT_H
#include "view/grid.h"

typedef struct Paint Paint;
typedef struct PaintOptions {
	ColorDepth depth;
	bool sync;        /* wrap larger frames in ESC[?2026h ... l */
	bool utf8;        /* false: bytes above 0x7e become '?' */
} PaintOptions;

Paint *paint_new(const PaintOptions *o);
void paint_free(Paint *p);
/* The screen's content is not known any more: the next frame clears it and draws all. */
void paint_forget(Paint *p);
/* Appends what turns the last frame into g, its cursor included; nothing when they are equal. False: out of
 * memory. */
bool paint_frame(Paint *p, const Grid *g, Buf *out);
#endif
