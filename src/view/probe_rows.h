/* probe_rows.h - the rows of a probe by token: an index over all its samples, made once a frame for a pane that counts over a whole
 * text, where a look-up for each token would cost more than the counting. */
#ifndef VIEW_PROBE_ROWS_H
#define VIEW_PROBE_ROWS_H
#include "view/data.h"

typedef struct RowAt { const Sample *x; size_t at; } RowAt;   /* at: of the row's first value; x NULL: not recorded */
typedef struct ProbeRows { const RowAt *row; size_t n, width; int found; } ProbeRows;

/* For each token of the text the newest row of the topic. per: rows of the probe to a position (heads, in attn.probs), else 1; width
 * counts the values of one of them. row NULL when nothing is recorded. */
ProbeRows probe_rows(const Look *l, const char *topic, int per);
/* The same of layers.LAYER.WHAT. */
ProbeRows layer_rows(const Look *l, int64_t layer, const char *what, int per);
#endif
