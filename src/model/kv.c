/* kv.c - the cache: one block per layer and kept tensor, [slots, stride, width]. In FP8 a position is one record of both, as FlashMLA keeps
 * it (mla.md 6): e4m3 codes of the latent, an f32 scale for each 128 of them, the rotated key in bf16 - 656 bytes for 512 and 64. */
#include "model/kv.h"
#include "num/fp8_quant.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { KV_TILE = 128 };

struct Kv {
	int n_layers, n_slots;
	KvShape *shape;
	Dtype dtype;
	int64_t stride;
	void **data;       /* [layer*2 + which] */
	int64_t *length;   /* [layer*n_slots + slot] */
};

/* Bytes of a record in front of the rotated key. */
static size_t record_front(const KvShape *s)
{
	size_t w = (size_t)s->width[0];
	return w + (w + KV_TILE - 1) / KV_TILE * sizeof(float);
}

/* Bytes that a position takes in a block. */
static size_t row_bytes(const Kv *kv, int layer, int which)
{
	const KvShape *s = &kv->shape[layer];
	if (kv_has_records(kv))
		return which == 0 ? (size_t)kv_position_bytes(s, kv->dtype) : 0;
	return (size_t)s->width[which] * (dtype_bits(kv->dtype) / 8);
}

int64_t kv_position_bytes(const KvShape *s, Dtype d)
{
	if (d == DT_F8_E4M3)
		return (int64_t)record_front(s) + s->width[1] * 2;
	return (s->width[0] + s->width[1]) * (int64_t)(dtype_bits(d) / 8);
}

bool kv_has_records(const Kv *kv)
{
	return kv->dtype == DT_F8_E4M3;
}

static bool block_bytes(const Kv *kv, int layer, int which, int64_t stride, size_t *out)
{
	return size_mul((size_t)kv->n_slots, (size_t)stride, out) && size_mul(*out, row_bytes(kv, layer, which), out);
}

Kv *kv_new(int n_layers, const KvShape *shape, int n_slots, int64_t reserve, Dtype dtype, Err *e)
{
	Kv *kv = calloc(1, sizeof *kv);
	if (kv) {
		kv->n_layers = n_layers;
		kv->n_slots = n_slots;
		kv->dtype = dtype;
		kv->shape = malloc(sizeof *shape * (size_t)n_layers);
		kv->data = calloc((size_t)n_layers * 2, sizeof *kv->data);
		kv->length = calloc((size_t)n_layers * (size_t)n_slots, sizeof *kv->length);
	}
	if (!kv || !kv->shape || !kv->data || !kv->length) {
		kv_free(kv);
		err_set(e, E_5001, "KV cache: out of memory for %d layers", n_layers);
		return NULL;
	}
	memcpy(kv->shape, shape, sizeof *shape * (size_t)n_layers);
	if (!kv_reserve(kv, reserve < 1 ? 1 : reserve, e)) {
		kv_free(kv);
		return NULL;
	}
	return kv;
}

void kv_free(Kv *kv)
{
	if (!kv)
		return;
	for (int i = 0; kv->data && i < kv->n_layers * 2; i++)
		free(kv->data[i]);
	free(kv->data);
	free(kv->shape);
	free(kv->length);
	free(kv);
}

/* Room for a block at a new stride. Pages that no token has touched stay unbacked (large callocs come from mmap). */
static void *block_room(const Kv *kv, int block, int64_t stride, Err *e)
{
	size_t bytes;
	void *to = block_bytes(kv, block / 2, block % 2, stride, &bytes) ? calloc(1, bytes ? bytes : 1) : NULL;
	if (!to)
		err_set(e, E_5001, "KV cache: no memory for %lld positions of layer %d; shorten the context",
			(long long)stride, block / 2);
	return to;
}

static void block_move(Kv *kv, int block, void *to, int64_t stride)
{
	int layer = block / 2;
	size_t row = row_bytes(kv, layer, block % 2);
	char *from = kv->data[block];
	for (int s = 0; from && s < kv->n_slots; s++)
		memcpy((char *)to + (size_t)s * (size_t)stride * row, from + (size_t)s * (size_t)kv->stride * row,
			(size_t)kv_length(kv, layer, s) * row);
	free(from);
	kv->data[block] = to;
}

/* All new blocks are made before any old one is given up: a failure leaves the cache as it was. */
bool kv_reserve(Kv *kv, int64_t n, Err *e)
{
	int blocks = kv->n_layers * 2, made = 0;
	int64_t stride = kv->stride ? kv->stride : n;
	if (n <= kv->stride)
		return true;
	while (stride < n)
		stride *= 2;
	void **to = malloc(sizeof *to * (size_t)blocks);
	if (!to)
		return err_set(e, E_5001, "KV cache: out of memory");
	while (made < blocks && (to[made] = block_room(kv, made, stride, e)))
		made++;
	for (int i = 0; i < made; i++)
		if (made == blocks)
			block_move(kv, i, to[i], stride);
		else
			free(to[i]);
	free(to);
	if (made < blocks)
		return false;
	kv->stride = stride;
	return true;
}

void kv_copy(Kv *kv, int from, int to)
{
	for (int i = 0; i < kv->n_layers * 2; i++) {
		size_t row = row_bytes(kv, i / 2, i % 2), slot = (size_t)kv->stride * row;
		int64_t *length = kv->length + (size_t)(i / 2) * (size_t)kv->n_slots;
		char *data = kv->data[i];
		memcpy(data + (size_t)to * slot, data + (size_t)from * slot, (size_t)length[from] * row);
		length[to] = length[from];
	}
}

void kv_truncate(Kv *kv, int layer, int slot, int64_t n)
{
	int64_t *len = &kv->length[(size_t)layer * (size_t)kv->n_slots + (size_t)slot];
	if (*len > n)
		*len = n;
}

int64_t kv_length(const Kv *kv, int layer, int slot)
{
	return kv->length[(size_t)layer * (size_t)kv->n_slots + (size_t)slot];
}

/* A latent as codes and scales, in front of a record. */
static void record_put(char *to, const real *from, int64_t w)
{
	static const FpQuant tile = { FP_E4M3, 1, KV_TILE, FP_SCALE_F32, 0 };
	for (int64_t i = 0; i < w; i += KV_TILE) {
		int64_t end = w - i < KV_TILE ? w : i + KV_TILE;
		float amax = 0, scale;
		for (int64_t k = i; k < end; k++)
			amax = fabsf((float)from[k]) > amax ? fabsf((float)from[k]) : amax;
		scale = fp_scale(&tile, amax, 1);
		for (int64_t k = i; k < end; k++)
			to[k] = (char)fp_encode(FP_E4M3, (float)from[k] / scale, true);
		memcpy(to + w + i / KV_TILE * (int64_t)sizeof scale, &scale, sizeof scale);
	}
}

static void record_read(const char *from, int64_t w, real *to)
{
	for (int64_t i = 0; i < w; i++) {
		float scale;
		memcpy(&scale, from + w + i / KV_TILE * (int64_t)sizeof scale, sizeof scale);
		to[i] = (real)(e4m3_to_f32((uint8_t)from[i]) * scale);
	}
}

void kv_put(Kv *kv, int layer, int which, int slot, int64_t pos, const Ten *x, int64_t row0, int64_t n)
{
	const bool records = kv_has_records(kv);
	int64_t w = kv->shape[layer].width[which];
	BUG_ON(ten_cols(x) != w || pos + n > kv->stride);
	const size_t row = row_bytes(kv, layer, records ? 0 : which);
	char *to = (char *)kv->data[layer * 2 + (records ? 0 : which)] + (size_t)(slot * kv->stride + pos) * row;
	to += records && which ? record_front(&kv->shape[layer]) : 0;
	const real *from = ten_real(x) + row0 * x->stride;
	for (int64_t i = 0; i < n; i++, to += row, from += x->stride) {
		if (kv->dtype == REAL_DTYPE)
			memcpy(to, from, (size_t)w * sizeof *from);
		else if (records && !which)
			record_put(to, from, w);
		else
			dtype_from_real(records ? DT_BF16 : kv->dtype, from, (size_t)w, to);
	}
	kv->length[(size_t)layer * (size_t)kv->n_slots + (size_t)slot] = pos + n;
}

void kv_read(const Kv *kv, int layer, int which, int64_t row0, int64_t n, real *to)
{
	const bool records = kv_has_records(kv);
	const int64_t w = kv->shape[layer].width[which];
	const size_t row = row_bytes(kv, layer, records ? 0 : which);
	const char *from = (const char *)kv->data[layer * 2 + (records ? 0 : which)] + (size_t)row0 * row;
	from += records && which ? record_front(&kv->shape[layer]) : 0;
	for (int64_t i = 0; i < n; i++, from += row, to += w) {
		if (records && !which)
			record_read(from, w, to);
		else
			dtype_to_real(records ? DT_BF16 : kv->dtype, from, (size_t)w, to);
	}
}

Ten kv_tensor(const Kv *kv, int layer, int which)
{
	BUG_ON(kv_has_records(kv));
	int64_t shape[2] = { kv->n_slots * kv->stride, kv->shape[layer].width[which] };
	return ten_wrap(kv->dtype, kv->data[layer * 2 + which], 2, shape, NULL);
}

int kv_width(const Kv *kv, int layer, int which)
{
	return kv->shape[layer].width[which];
}

int64_t kv_stride(const Kv *kv)
{
	return kv->stride;
}

int64_t kv_bytes_used(const Kv *kv)
{
	int64_t n = 0;
	for (int i = 0; i < kv->n_layers; i++)
		for (int s = 0; s < kv->n_slots; s++)
			n += kv_length(kv, i, s) * (int64_t)(row_bytes(kv, i, 0) + row_bytes(kv, i, 1));
	return n;
}

int64_t kv_bytes_held(const Kv *kv)
{
	int64_t n = 0;
	for (int i = 0; i < kv->n_layers; i++)
		n += kv->stride * kv->n_slots * (int64_t)(row_bytes(kv, i, 0) + row_bytes(kv, i, 1));
	return n;
}
