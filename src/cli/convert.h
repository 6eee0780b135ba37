/* convert.h - the parts of `lathe convert`: which tensors go where in which type, their data, and the
 * rewritten config. */
#ifndef CLI_CONVERT_H
#define CLI_CONVERT_H
#include "base/json.h"
#include "model/config.h"
#include "tensor/ckpt.h"

typedef enum ConvertTo { TO_KEEP, TO_F32, TO_F16, TO_BF16, TO_FP8 } ConvertTo;
typedef enum PutKind { PUT_COPY, PUT_CAST, PUT_QUANT, PUT_SCALE } PutKind;

/* One tensor of the result. */
typedef struct Put {
	char *name;
	const char *source;        /* the tensor it is made from */
	PutKind kind;
	Dtype dtype;
	int rank;
	int64_t shape[TEN_MAXRANK];
	uint64_t bytes;
	size_t shard;              /* from 0 */
} Put;

typedef struct Plan {
	Put *put;
	size_t n, cap, shards;
	uint64_t bytes;
} Plan;

/* What becomes of each tensor of k. layers: keep this many main layers and no MTP module; 0: all.
 * shard_size in bytes. */
bool plan_make(Plan *p, const Ckpt *k, const Config *c, ConvertTo to, int64_t layers, uint64_t shard_size,
	Err *e);
void plan_done(Plan *p);
/* "model.safetensors" or "model-00001-of-00003.safetensors". */
void plan_shard_name(const Plan *p, size_t shard, Buf *out);

/* Writes one shard; tell is called with the bytes just written, and may say false to stop. */
typedef bool (*ConvertTell)(void *ud, uint64_t bytes);
bool convert_shard(const Plan *p, size_t shard, Ckpt *k, const char *path, ConvertTell tell, void *ud,
	Err *e);
/* model.safetensors.index.json for more than one shard. */
bool convert_index(const Plan *p, Buf *out);
/* Reads the config of folder src, changes what the conversion changes and prints it. */
bool convert_config(const char *src, ConvertTo to, int64_t layers, Buf *out, Err *e);
#endif
