/* ckpt.h - the tensors of a checkpoint: a folder with model.safetensors, or shards with or without an
 * index, or one file. */
#ifndef TENSOR_CKPT_H
#define TENSOR_CKPT_H
#include "tensor/st.h"
typedef struct Ckpt Ckpt;
/* path: folder or .safetensors file. Headers only. Checks that index and shards agree (each tensor in
 * exactly one shard, none missing or extra, shard names plain file names). */
Ckpt *ckpt_open(const char *path, Err *e);
void ckpt_close(Ckpt *c);
const char *ckpt_dir(const Ckpt *c);                  /* folder that config.json is in */
size_t ckpt_count(const Ckpt *c);
/* all tensors; file = shard's base name */
const StEntry *ckpt_at(const Ckpt *c, size_t i, const char **file);
bool ckpt_has(const Ckpt *c, const char *name);
/* A mapped tensor with its FP8 scales attached when NAME_scale_inv exists (its shape and dtype are
 * checked). The name is kept by the Ckpt. Returns false with E_322x when absent or of a type that weights
 * cannot have. */
bool ckpt_ten(Ckpt *c, const char *name, Ten *out, Err *e);
/* The mapped bytes of a tensor of any type as they are stored, without scales. */
bool ckpt_raw(Ckpt *c, const char *name, Ten *out, Err *e);
uint64_t ckpt_bytes(const Ckpt *c);                   /* tensor data in all shards */
size_t ckpt_files(const Ckpt *c);
const char *ckpt_file(const Ckpt *c, size_t i);
#endif
