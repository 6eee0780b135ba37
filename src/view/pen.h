/* pen.h - the functions of cairo that pictures need, loaded when the first one is drawn. Cairo brings twenty
 * other libraries with it, and every start of the program would pay for them: two milliseconds of the fifteen
 * that a first frame may take. */
#ifndef VIEW_PEN_H
#define VIEW_PEN_H
#include "base/err.h"
#include <cairo-svg.h>
#include <cairo.h>

#define PEN_CALLS(X) \
	X(arc) X(create) X(destroy) X(fill) X(image_surface_create) X(move_to) X(paint) X(rectangle) \
	X(select_font_face) X(set_antialias) X(set_font_size) X(set_source_rgba) X(show_text) \
	X(status_to_string) X(surface_destroy) X(surface_finish) X(surface_status) \
	X(surface_write_to_png_stream) X(svg_surface_create_for_stream)

typedef struct Pen {
	void *lib;
#define X(name) __typeof__(&cairo_##name) name;
	PEN_CALLS(X)
#undef X
} Pen;

/* E_2003 when the library is not on this machine. Never unloaded: the font libraries behind cairo keep what
 * they have registered. */
bool pen_open(Pen *p, Err *e);
#endif
