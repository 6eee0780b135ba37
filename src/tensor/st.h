/* st.h - one safetensors file: read by mapping, every rule of the format enforced (see lathe-security(7)),
 * and written. */
#ifndef TENSOR_ST_H
#define TENSOR_ST_H
#include "base/err.h"
#include "base/json.h"
#include "tensor/tensor.h"

typedef struct StEntry {
	const char *name;
	Dtype dtype;
	int rank;
	int64_t shape[TEN_MAXRANK];
	uint64_t begin, end;
} StEntry;
typedef struct St St;
/* Opens (O_NOFOLLOW is not used: checkpoints in caches are links; but the target must be a regular file)
 * and checks the header only; no tensor byte is touched. */
St *st_open(const char *path, Err *e);
void st_close(St *s);
const char *st_path(const St *s);
size_t st_count(const St *s);
const StEntry *st_at(const St *s, size_t i);          /* in file order (ascending begin) */
const StEntry *st_find(const St *s, const char *name);
/* The mapped bytes of an entry (maps on first use; E_4001 on failure). Unaligned. */
const void *st_data(St *s, const StEntry *t, Err *e);
const char *st_meta(const St *s, const char *key);    /* of __metadata__, or NULL */
uint64_t st_data_bytes(const St *s);

/* Writer: declare all, then write each in the order st_writer_order gives; temp file + fsync + rename +
 * fsync(dir). */
typedef struct StWriter StWriter;
StWriter *st_writer_new(const char *path, Err *e);
bool st_writer_meta(StWriter *w, const char *key, const char *value, Err *e);
bool st_writer_add(StWriter *w, const char *name, Dtype d, int rank, const int64_t *shape, Err *e);
/* sorts (dtype descending size, then name), writes the header */
bool st_writer_begin(StWriter *w, Err *e);
size_t st_writer_count(const StWriter *w);
const StEntry *st_writer_at(const StWriter *w, size_t i); /* in the order data must come */
/* The next n bytes; a tensor may come in pieces, a piece never passes its end. Tensors without bytes are
 * not put. */
bool st_writer_put(StWriter *w, const void *bytes, size_t n, Err *e);
bool st_writer_commit(StWriter *w, Err *e);           /* frees w whether or not it works */
void st_writer_abort(StWriter *w);
#endif
