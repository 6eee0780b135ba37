/* kv.h - what attention keeps between forwards. Each layer keeps two named tensors per position: MLA keeps
 * c_KV (after its norm) and k_R (after rotation); MHA, GQA and MQA keep k and v. Bytes held here ARE the
 * cache sizes on screen.
 *
 * A slot is one sequence; its positions are contiguous, so attention walks plain rows. Slots grow by
 * doubling. */
#ifndef MODEL_KV_H
#define MODEL_KV_H
#include "ops/ops.h"

typedef struct KvShape { int width[2]; } KvShape;   /* columns of the two kept tensors */
typedef struct Kv Kv;

/* shape[n_layers]; dtype REAL_DTYPE, DT_BF16, or DT_F8_E4M3 for MLA: records, which kv_read expands. reserve: positions per slot to begin with. */
Kv *kv_new(int n_layers, const KvShape *shape, int n_slots, int64_t reserve, Dtype dtype, Err *e);
void kv_free(Kv *kv);
/* Room for n positions in every slot; what is held stays. False: E_5001, and all lengths are 0. */
bool kv_reserve(Kv *kv, int64_t n, Err *e);
/* What a slot holds, in all layers, is put into another one too: texts that begin alike. */
void kv_copy(Kv *kv, int from, int to);
/* Positions of a slot in a layer become [0, n); no effect when it holds fewer. */
void kv_truncate(Kv *kv, int layer, int slot, int64_t n);
int64_t kv_length(const Kv *kv, int layer, int slot);
/* Writes rows [row0, row0+n) of x at positions [pos, pos+n) of the slot and sets its length to pos+n.
 * which: 0 or 1. */
void kv_put(Kv *kv, int layer, int which, int slot, int64_t pos, const Ten *x, int64_t row0, int64_t n);
/* Rows [row0, row0 + n) of a kept tensor, of any dtype, as [n, width] dense. Rows: as of kv_tensor. */
void kv_read(const Kv *kv, int layer, int which, int64_t row0, int64_t n, real *to);
bool kv_has_records(const Kv *kv);
/* The whole store of one kept tensor, not of a cache of records, rows slot * kv_stride() + position. Valid until kv_reserve grows it. */
Ten kv_tensor(const Kv *kv, int layer, int which);
/* Bytes that a position takes in a layer of this shape. */
int64_t kv_position_bytes(const KvShape *s, Dtype d);
int kv_width(const Kv *kv, int layer, int which);
int64_t kv_stride(const Kv *kv);
int64_t kv_bytes_used(const Kv *kv);   /* by positions so far */
int64_t kv_bytes_held(const Kv *kv);   /* reserved */
#endif
