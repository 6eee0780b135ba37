/* st_header.h - the JSON header of a safetensors file, parsed and checked against the size of the data;
 * needs no file. */
#ifndef TENSOR_ST_HEADER_H
#define TENSOR_ST_HEADER_H
#include "base/hash.h"
#include "tensor/st.h"

enum { ST_NAME_MAX = 1024, ST_TENSORS_MAX = 1000000, ST_HEADER_MAX = 64 << 20 };

typedef struct StMeta { const char *key, *value; } StMeta;
typedef struct StHeader {
	StEntry *t;              /* ascending by begin */
	size_t n, cap;
	Map *names;              /* name -> index into t */
	StMeta *meta;
	size_t n_meta, cap_meta;
} StHeader;

/* Parses s[0..n) in place: names and values point into it. data_bytes: what the file holds behind the
 * header. On failure h is empty. path is only named in errors. */
bool st_header_parse(StHeader *h, char *s, size_t n, uint64_t data_bytes, const char *path, Err *e);
void st_header_done(StHeader *h);
/* Bytes of a tensor; false when the product passes what 63 bits hold, or is no whole number of bytes (then
 * *whole is false). */
bool st_entry_bytes(const StEntry *t, uint64_t *bytes, bool *whole);
#endif
