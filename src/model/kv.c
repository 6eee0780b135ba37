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

/* Moves each slot's rows to the new stride. Pages that no token has touched stay unbacked (large callocs come from mmap). */
static bool block_grow(Kv *kv, int layer, int which, int64_t stride, Err *e)
{
	size_t bytes, row = (size_t)kv->shape[layer].width[which] * elem_bytes(kv);
	void *to = NULL;
	if (!block_bytes(kv, layer, which, stride, &bytes) || !(to = calloc(1, bytes ? bytes : 1)))
		return err_set(e, E_5001, "KV cache: no memory for %lld positions of layer %d; shorten the context",
			       (long long)stride, layer);
	void **from = &kv->data[layer * 2 + which];
	for (int s = 0; *from && s < kv->n_slots; s++) {
		size_t n = (size_t)kv->length[(size_t)layer * (size_t)kv->n_slots + (size_t)s] * row;
		memcpy((char *)to + (size_t)s * (size_t)stride * row, (char *)*from + (size_t)s * (size_t)kv->stride * row, n);
	}
	free(*from);
	*from = to;
	return true;
}

bool kv_reserve(Kv *kv, int64_t n, Err *e)
{
	if (n <= kv->stride)
		return true;
	int64_t stride = kv->stride ? kv->stride : n;
	while (stride < n)
		stride *= 2;
	/* A failure part way leaves blocks of two strides, so all new blocks are made before any is used. */
	Kv next = *kv;
	next.data = calloc((size_t)kv->n_layers * 2, sizeof *next.data);
	if (!next.data)
		return err_set(e, E_5001, "KV cache: out of memory");
	memcpy(next.data, kv->data, sizeof *next.data * (size_t)kv->n_layers * 2);
	void **old = kv->data;
	kv->data = next.data;
	for (int i = 0; i < kv->n_layers * 2; i++)
		if (!block_grow(kv, i / 2, i % 2, stride, e)) {
			/* blocks before i are at the new stride already: the cache is lost, and says so by length 0 */
			memset(kv->length, 0, sizeof *kv->length * (size_t)kv->n_layers * (size_t)kv->n_slots);
			free(old);
			return false;
		}
	free(old);
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

Dtype kv_dtype(const Kv *kv)
{
	return kv->dtype;
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
