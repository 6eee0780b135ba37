/* kv.c - the cache: one block per layer and kept tensor, [slots, stride, width]. */
#include "model/kv.h"
#include <stdlib.h>
#include <string.h>

struct Kv {
	int n_layers, n_slots;
	KvShape *shape;
	Dtype dtype;
	int64_t stride;
	void **data;       /* [layer*2 + which] */
	int64_t *length;   /* [layer*n_slots + slot] */
};

static size_t elem_bytes(const Kv *kv)
{
	return dtype_bits(kv->dtype) / 8;
}

static bool block_bytes(const Kv *kv, int layer, int which, int64_t stride, size_t *out)
{
	return size_mul((size_t)kv->n_slots, (size_t)stride, out) &&
	       size_mul(*out, (size_t)kv->shape[layer].width[which], out) && size_mul(*out, elem_bytes(kv), out);
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
	size_t row = (size_t)kv->shape[layer].width[block % 2] * elem_bytes(kv);
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

void kv_put(Kv *kv, int layer, int which, int slot, int64_t pos, const Ten *x, int64_t row0, int64_t n)
{
	int64_t w = kv->shape[layer].width[which];
	BUG_ON(ten_cols(x) != w || pos + n > kv->stride);
	char *to = (char *)kv->data[layer * 2 + which] +
		   (size_t)(slot * kv->stride + pos) * (size_t)w * elem_bytes(kv);
	const real *from = ten_real(x);
	for (int64_t i = 0; i < n; i++)
		dtype_from_real(kv->dtype, from + (row0 + i) * x->stride, (size_t)w,
				to + (size_t)i * (size_t)w * elem_bytes(kv));
	kv->length[(size_t)layer * (size_t)kv->n_slots + (size_t)slot] = pos + n;
}

Ten kv_tensor(const Kv *kv, int layer, int which)
{
	int64_t shape[2] = { kv->n_slots * kv->stride, kv->shape[layer].width[which] };
	return ten_wrap(kv->dtype, kv->data[layer * 2 + which], 2, shape, NULL);
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
			n += kv_length(kv, i, s) * (kv->shape[i].width[0] + kv->shape[i].width[1]);
	return n * (int64_t)elem_bytes(kv);
}

int64_t kv_bytes_held(const Kv *kv)
{
	int64_t n = 0;
	for (int i = 0; i < kv->n_layers; i++)
		n += kv->stride * kv->n_slots * (kv->shape[i].width[0] + kv->shape[i].width[1]);
	return n * (int64_t)elem_bytes(kv);
}
