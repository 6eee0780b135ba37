/* ckpt_dir.h - which safetensors files make up a checkpoint folder, and what its index says is in them. */
#ifndef TENSOR_CKPT_DIR_H
#define TENSOR_CKPT_DIR_H
#include "base/err.h"
#include <stddef.h>

typedef struct CkptMapped { const char *tensor; size_t file; } CkptMapped;
typedef struct CkptFiles {
	char **name;          /* plain file names, sorted */
	size_t n, cap;
	char *text;           /* the index's text, which tensor names point into; NULL without an index */
	/* weight_map in the order of the file; a name may be there twice: ckpt.c finds that out */
	CkptMapped *map;
	size_t n_map, cap_map;
} CkptFiles;

enum { CKPT_INDEX_MAX = 256 << 20, CKPT_SHARDS_MAX = 10000 };

/* model.safetensors; else what model.safetensors.index.json names; else model-00001-of-0000N.safetensors,
 * all of them. */
bool ckpt_files_find(CkptFiles *f, const char *dir, Err *e);
bool ckpt_files_one(CkptFiles *f, const char *name, Err *e);
void ckpt_files_done(CkptFiles *f);
/* The index alone, from its text (taken over, freed by ckpt_files_done). path is only named in errors. */
bool ckpt_index_parse(CkptFiles *f, char *text, size_t n, const char *path, Err *e);
#endif
