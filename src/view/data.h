/* data.h - what a pane shows, whatever it looks like: a field, items, series, a table or text. Sources
 * make them from samples; views draw them; export writes them as CSV and JSON. They live in the frame's
 * arena. */
#ifndef VIEW_DATA_H
#define VIEW_DATA_H
#include "base/arena.h"
#include "view/facts.h"
#include "view/grid.h"
#include "view/scene.h"

typedef enum Axis {
	AXIS_NONE,
	AXIS_LAYER,
	AXIS_TOKEN,
	AXIS_EXPERT,
	AXIS_HEAD,
	AXIS_CONTEXT,
	AXIS_TENSOR,               /* rows of a tree, told by Table.path */
	AXIS_PRODUCT,              /* columns of the map of products; rows of their list, Table.path being "layer column" */
	AXIS_LOCAL
} Axis;

/* The one selection of the program. token is a position. */
typedef struct Select {
	int64_t layer, token, expert, head;
	bool follow;               /* token goes with the newest */
	int64_t context;           /* positions, for the Cache scene */
	/* in the tree of tensors, all may be NULL: the path of the row; groups opened and closed by hand ("+path" or "-path", a line each); words
	 * that names must have */
	const char *tensor, *open, *filter;
	int64_t product;           /* 1 and more: a column of the map of products; 0: none was chosen yet, -1: but a layer was */
	int64_t answer;            /* the row under the cursor of a group of answers */
	int64_t branch;            /* the run under the cursor of the table of branches; 0: none */
} Select;

/* What a source sees. */
typedef struct Look {
	const Store *store;
	const Facts *facts;
	const Select *sel;
	Arena *arena;
	const SceneNode *pane;
	int rows_hint;             /* how many rows can be seen: "last n tokens" */
	int cols_hint;             /* and columns; 0: not known */
	bool replay;               /* of a recording: nothing can be computed any more */
	struct Memo **memo;        /* what the panes of this frame have worked out so far; NULL: nothing is kept */
} Look;
/* Room for something that several panes of a frame need, by a name of its own: zeroed with *made true the first time, the same place
 * after that. NULL: out of memory. */
void *look_memo(const Look *l, const char *key, size_t bytes, bool *made);

typedef enum DataKind { DATA_NONE, DATA_FIELD, DATA_ITEMS, DATA_SERIES, DATA_TABLE, DATA_TEXT } DataKind;

/* A matrix whose rows are made when first looked at: a frame pays only for what it shows. A cell that was
 * not computed is not zero: has 0. */
typedef struct Field Field;
struct Field {
	int rows, cols;
	void (*fill)(const Field *f, int r, double *v, uint8_t *has);           /* v, has: cols, zeroed */
	/* safe text, in the frame's arena */
	const char *(*row_label)(const Field *f, int r);
	const char *(*name)(const Field *f, int r, int c);                      /* "layers.2.moe.load[7]" */
	const char *unit;
	const char *row_name, *col_name;
	Axis row_axis, col_axis;
	int row_sel, col_sel;      /* the cursor; -1: none */
	int group;                 /* columns in a group, 0: none */
	int label_w;               /* columns that row labels need */
	bool each_line;            /* never two rows in one line: the labels matter */
	bool diverging, sparse;    /* sparse: cells without a value are the rule, drawn as quiet dots */
	bool blank;                /* cells without a value cannot have one: left blank */
	bool back;                 /* the pane's own column cursor counts back from the diagonal */
	double hi;                 /* top of the range; 0: from what is seen */
	const Look *look;
	int64_t layer;
	const char *topic;
	const void *ud;            /* of the source */
	struct FieldRow { double *v; uint8_t *has; } *row;   /* lazily, rows */
};
/* The value of a cell; *have false when it was not computed. */
double field_at(const Field *f, int r, int c, bool *have);

typedef struct Item {
	const char *label, *value, *note;  /* safe text; value and note may be NULL */
	double x;                  /* length of the bar; NaN: none */
	int color;                 /* category, or -1: the usual bar */
	bool mark;                 /* this one was chosen */
	const char *readout;       /* what the read-out line says of it, or NULL */
} Item;
typedef struct Items { Item *item; int n, sel; Axis axis; double hi; bool log; const char *unit; } Items;

enum { SERIES_MAX = 11 };
typedef struct Line {
	const char *name, *unit;
	int n;
	double (*at)(const struct Line *l, int i);
	const void *ud;
} Line;
typedef struct Series {
	Line line[SERIES_MAX];
	int n, sel;                /* sel: point under the cursor, -1 */
	Axis axis;
	int64_t x0, dx;            /* value of the axis at point 0, and from point to point (0: 1) */
	int *mark, n_marks;        /* points at which something was changed */
	bool whole;                /* drawn from the first point to the last, however narrow the pane */
	const char *x_name;
	bool log, near;            /* near: the axis begins near the least value, not at zero */
} Series;

typedef enum CellStyle { CELL_TEXT, CELL_DIM, CELL_STRONG, CELL_GOOD, CELL_WARN, CELL_ACCENT } CellStyle;
enum { TABLE_COLS = 10 };
typedef struct TableCell { const char *s; CellStyle style; } TableCell;
typedef struct Table {
	int rows, cols, sel;
	Axis axis;
	const char *head[TABLE_COLS];
	bool left[TABLE_COLS];     /* text; numbers are right-aligned */
	TableCell *cell;           /* rows x cols; s NULL: empty */
	const char **readout;      /* per row, or NULL */
	const char **path;         /* per row, with AXIS_TENSOR and AXIS_PRODUCT */
	double *tint[4];           /* per row, what a flow is coloured by: -1..1, 0..1, 0..1, -1..1; NaN: nothing. NULL: not a flow */
	const char **line;         /* lines of text above (n_above) and below the table */
	int n_lines, n_above;
} Table;

typedef struct Data {
	DataKind kind;
	const char *title, *facts; /* facts at the right of the frame; may be NULL */
	const char *empty;         /* why there is nothing, and what would fill it */
	const char *summary;       /* one line for a pane too small */
	const char *readout;       /* when the kind's own does not do */
	/* what left and right move when the kind has no columns; AXIS_NONE: the token */
	Axis across;
	Field field;
	Items items;
	Series series;
	Table table;
} Data;

/* Fills d for a pane: by the source named pane->data, or a topic pattern. Never fails: sets empty. */
void source_make(const Look *l, Data *d);
bool source_known(const char *name);
const char *source_at(int i, const char **doc);        /* NULL after the last: for the manual */
/* The one-line answer for the cursor of this data, "" when there is none. */
void data_readout(const Data *d, Buf *out);
/* "{layer}" and the like replaced. */
const char *look_expand(const Look *l, const char *pattern);

/* numbers for people: 24.0 KiB, 1.24 M, 6 digits */
const char *text_bytes(Arena *a, double n);
const char *text_count(Arena *a, double n);
const char *text_six(Arena *a, double v);
/* A token's text in quotes, at most w columns: `45`, `a long to…`. */
const char *text_token(Arena *a, const FactToken *t, int w);

/* sources of a family, one file each; false: the name is not mine */
bool source_router(const Look *l, const char *name, Data *d);
bool source_cache(const Look *l, const char *name, Data *d);
bool source_token(const Look *l, const char *name, Data *d);
bool source_train(const Look *l, const char *name, Data *d);
bool source_trace(const Look *l, const char *name, Data *d);
bool source_tensors(const Look *l, const char *name, Data *d);
bool source_diff(const Look *l, const char *name, Data *d);
bool source_fp8(const Look *l, const char *name, Data *d);

/* The tokens from <think> to </think> (or to the end), as indices; -1: there are none. */
void source_think_span(const Facts *f, int64_t *from, int64_t *to);
/* The run in this row of the table of branches, or 0. */
int64_t source_branch_at(const FactTree *t, int row);
/* The name of the selected tensor or probe; known: its figures are in the store. False: a group is selected, or nothing. */
bool source_tensor_selected(const Look *l, const char **name, bool *known);
/* Row, column, rows and columns around the cursor of a tensor's picture, `shrink` times smaller than it shows now. False: d is none. */
bool source_tensor_window(const Data *d, double shrink, double w[4]);
/* Row of the best, worst, longest or most surprising answer of the group, or of the one with this number; -1: there is none. */
int source_answer_pick(const Look *l, const char *which);
bool source_rl(const Look *l, const char *name, Data *d);
bool source_mla(const Look *l, const char *name, Data *d);
bool source_moe(const Look *l, const char *name, Data *d);
bool source_mtp(const Look *l, const char *name, Data *d);
#endif
