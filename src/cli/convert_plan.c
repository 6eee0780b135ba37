/* convert_plan.c - what becomes of each tensor. Only the matrices that DeepSeek's own FP8 files quantise
 * are quantised (checkpoints.md 3); the router's correction bias stays F32, scales go when their weights
 * are expanded. */
#include "cli/convert.h"
#include "base/arena.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool name_ends(const char *s, const char *end)
{
	size_t n = strlen(s), k = strlen(end);
	return n >= k && strcmp(s + n - k, end) == 0;
}

static bool is_quantised_kind(const StEntry *t)
{
	static const char *const kinds[] = {
		".q_proj.weight", ".k_proj.weight", ".v_proj.weight", ".q_a_proj.weight", ".q_b_proj.weight", ".kv_a_proj_with_mqa.weight",
		".kv_b_proj.weight", ".o_proj.weight", ".gate_proj.weight", ".up_proj.weight",
		".down_proj.weight", ".indexer.wq_b.weight", ".indexer.wk.weight",
	};
	if (t->rank != 2 || strncmp(t->name, "model.layers.", 13) != 0)
		return false;
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		if (name_ends(t->name, kinds[i]))
			return true;
	return false;
}

/* The layer a tensor belongs to, or -1. */
static int64_t layer_of(const char *name)
{
	return strncmp(name, "model.layers.", 13) == 0 ? strtoll(name + 13, NULL, 10) : -1;
}

/* Whether t is the scales of a weight that is there. */
static bool is_scale(const Ckpt *k, const char *name)
{
	static const char end[] = "_scale_inv";
	char weight[1100];
	if (!name_ends(name, end))
		return false;
	snprintf(weight, sizeof weight, "%.*s", (int)(strlen(name) - (sizeof end - 1)), name);
	return ckpt_has(k, weight);
}

static bool has_scale(const Ckpt *k, const char *name)
{
	char scale[1100];
	snprintf(scale, sizeof scale, "%s_scale_inv", name);
	return ckpt_has(k, scale);
}

static bool put_add(Plan *p, Put put, const char *suffix, Err *e)
{
	if (p->n == p->cap) {
		size_t cap = p->cap ? p->cap * 2 : 256;
		Put *grown = realloc(p->put, cap * sizeof *grown);
		if (!grown)
			return err_set(e, E_5001, "out of memory for the list of tensors");
		p->put = grown;
		p->cap = cap;
	}
	Buf name = BUF_INIT;
	uint64_t n = 1;
	buf_printf(&name, "%s%s", put.source, suffix);
	put.name = name.failed ? NULL : buf_take(&name);
	buf_done(&name);
	if (!put.name)
		return err_set(e, E_5001, "out of memory for the list of tensors");
	for (int i = 0; i < put.rank; i++)
		n *= (uint64_t)put.shape[i];
	put.bytes = n * dtype_bits(put.dtype) / 8;
	p->put[p->n++] = put;
	p->bytes += put.bytes;
	return true;
}

static bool cast_allowed(const StEntry *t, Dtype to, Err *e)
{
	uint64_t n = 1;
	for (int i = 0; i < t->rank; i++)
		n *= (uint64_t)t->shape[i];
	if (n > (uint64_t)INT64_MAX / dtype_bits(to))
		return err_set(e, E_3012, "tensor \"%.120s\": too large for %s", t->name, dtype_name(to));
	return true;
}

static Put put_like(const StEntry *t, PutKind kind, Dtype d)
{
	Put p = { .source = t->name, .kind = kind, .dtype = d, .rank = t->rank };
	memcpy(p.shape, t->shape, sizeof p.shape);
	return p;
}

static bool put_quantised(Plan *p, const StEntry *t, Err *e)
{
	Put scale = put_like(t, PUT_SCALE, DT_F32);
	for (int i = 0; i < 2; i++)
		scale.shape[i] = t->shape[i] / 128 + (t->shape[i] % 128 != 0);
	return put_add(p, put_like(t, PUT_QUANT, DT_F8_E4M3), "", e) && put_add(p, scale, "_scale_inv", e);
}

static bool plan_tensor(Plan *p, const Ckpt *k, const StEntry *t, ConvertTo to, Err *e)
{
	static const Dtype target[] = { [TO_F32] = DT_F32, [TO_F16] = DT_F16, [TO_BF16] = DT_BF16 };
	bool bias = name_ends(t->name, ".e_score_correction_bias"), scale = is_scale(k, t->name);
	if (to == TO_KEEP || !dtype_is_float(t->dtype))
		return put_add(p, put_like(t, PUT_COPY, t->dtype), "", e);
	if (to == TO_FP8 && !scale && !has_scale(k, t->name) && is_quantised_kind(t))
		return put_quantised(p, t, e);
	if (to == TO_FP8 && !bias)
		return put_add(p, put_like(t, PUT_COPY, t->dtype), "", e);
	if (scale)
		return true; /* goes into its weight */
	Dtype d = bias ? DT_F32 : target[to];
	bool same = d == t->dtype && !has_scale(k, t->name);
	return cast_allowed(t, d, e) && put_add(p, put_like(t, same ? PUT_COPY : PUT_CAST, d), "", e);
}

/* Fills shards in order; what is made of one tensor stays together. */
static bool plan_shards(Plan *p, uint64_t shard_size, Err *e)
{
	uint64_t used = 0;
	size_t shard = 0;
	for (size_t i = 0; i < p->n; i++) {
		Put *x = &p->put[i];
		bool follows = x->kind == PUT_SCALE;
		if (!follows && used && (x->bytes > shard_size || used > shard_size - x->bytes)) {
			shard++;
			used = 0;
		}
		x->shard = shard;
		used += x->bytes;
	}
	p->shards = shard + 1;
	if (p->shards > 10000)
		return err_set(e, E_2003,
			"--shard-size %llu makes %zu shards, at most 10000 may be; give a larger size",
			(unsigned long long)shard_size, p->shards);
	return true;
}

bool plan_make(Plan *p, const Ckpt *k, const Config *c, ConvertTo to, int64_t layers, uint64_t shard_size,
	Err *e)
{
	*p = (Plan){ 0 };
	if (layers < 0 || layers > c->num_hidden_layers)
		return err_set(e, E_2003, "--layers %lld: the model has %lld", (long long)layers,
			(long long)c->num_hidden_layers);
	for (size_t i = 0; i < ckpt_count(k); i++) {
		const StEntry *t = ckpt_at(k, i, NULL);
		if (layers && layer_of(t->name) >= layers)
			continue;
		if (!plan_tensor(p, k, t, to, e))
			return false;
	}
	return plan_shards(p, shard_size, e);
}

void plan_done(Plan *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->put[i].name);
	free(p->put);
	*p = (Plan){ 0 };
}

void plan_shard_name(const Plan *p, size_t shard, Buf *out)
{
	if (p->shards == 1)
		buf_adds(out, "model.safetensors");
	else
		buf_printf(out, "model-%05zu-of-%05zu.safetensors", shard + 1, p->shards);
}
