/* lm_load.c - a checkpoint's tensors, checked against its config, put into the model's places. */
#include "model/lm.h"
#include "model/lm_build.h"
#include "model/rope_table.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Fetches one tensor of the wanted shape; vectors and the bias come as real, matrices as they lie. */
static Ten *load_get(Build *b, const char *name, int rank, const int64_t *shape, bool optional)
{
	if (b->failed)
		return NULL;
	if (!ckpt_has(b->m->ckpt, name)) {
		if (!optional)
			b->failed = !err_set(b->e, E_3220, "%s: tensor \"%s\" is missing; the config asks for it",
					     ckpt_dir(b->m->ckpt), name);
		return NULL;
	}
	Ten x;
	if (!ckpt_ten(b->m->ckpt, name, &x, b->e)) {
		b->failed = true;
		return NULL;
	}
	bool same = x.rank == rank;
	for (int i = 0; same && i < rank; i++)
		same = x.shape[i] == shape[i];
	if (!same) {
		Buf have = BUF_INIT;
		ten_describe(&x, &have);
		b->failed = !err_set(b->e, E_3221, "%s: %s does not fit the config, which makes it [%lldx%lld]",
				     ckpt_dir(b->m->ckpt), buf_str(&have), (long long)shape[0],
				     (long long)(rank > 1 ? shape[1] : 1));
		buf_done(&have);
		return NULL;
	}
	b->m->weight_bytes += ten_count(&x) * dtype_bits(x.dtype) / 8;
	return build_keep(b, &x, rank == 1);
}

static bool load_source(Build *b, const char *path)
{
	b->m->ckpt = ckpt_open(path, b->e);
	return b->m->ckpt && config_read(ckpt_dir(b->m->ckpt), &b->m->c, b->e);
}

/* Weights stay in the file's pages; only what the whole machine could never hold is refused here, with the
 * figures. */
static bool load_fits(const Lm *m, size_t limit, Err *e)
{
	LmForecast f = lm_forecast(m, 1, 1, REAL_DTYPE);
	int64_t need = f.weights + f.cache + f.work;
	int64_t machine = (int64_t)sysconf(_SC_PHYS_PAGES) * (int64_t)sysconf(_SC_PAGESIZE);
	double mib = 1.0 / (1 << 20);
	if (limit && need > (int64_t)limit)
		return err_set(e, E_5002,
			"%s: needs %.1f MiB (weights %.1f, cache and working memory %.1f), the limit is %.1f "
			"MiB; "
			"raise --memory-limit or take fewer layers with --layers",
			ckpt_dir(m->ckpt), (double)need * mib, (double)f.weights * mib,
			(double)(f.cache + f.work) * mib, (double)limit * mib);
	if (need > machine)
		return err_set(e, E_5002,
			"%s: needs %.1f GiB, this machine has %.1f GiB; take the first layers with --layers "
			"N",
			ckpt_dir(m->ckpt), (double)need * mib / 1024, (double)machine * mib / 1024);
	return true;
}

Lm *lm_open(const char *path, const LmOptions *o, Err *e)
{
	static const LmOptions none;
	if (!o)
		o = &none;
	Build b = { .m = calloc(1, sizeof(Lm)), .get = load_get, .e = e };
	if (!b.m || !(b.m->perm = arena_new("weights", 0))) {
		lm_free(b.m);
		err_set(e, E_5001, "%s: out of memory", path);
		return NULL;
	}
	if (load_source(&b, path) && build_model(&b, o) && load_fits(b.m, o->memory_limit, e))
		return b.m;
	lm_free(b.m);
	return NULL;
}

void lm_free(Lm *m)
{
	if (!m)
		return;
	ckpt_close(m->ckpt);
	arena_free(m->perm);
	free(m->rope_memory);
	free(m);
}

Kv *lm_kv(const Lm *m, int slots, int64_t reserve, Dtype dtype, Err *e)
{
	int n = m->n_layers + m->n_mtp;
	KvShape *shape = malloc(sizeof *shape * (size_t)n);
	if (!shape) {
		err_set(e, E_5001, "KV cache: out of memory");
		return NULL;
	}
	for (int i = 0; i < n; i++)
		shape[i] = attn_kv_shape(i < m->n_layers ? &m->block[i].attn : &m->mtp[i - m->n_layers].block.attn);
	Kv *kv = kv_new(n, shape, slots, reserve, dtype, e);
	free(shape);
	return kv;
}

LmForecast lm_forecast(const Lm *m, int64_t context, int slots, Dtype cache)
{
	int64_t per = 0;
	for (int i = 0; i < m->n_layers + m->n_mtp; i++) {
		KvShape s = attn_kv_shape(i < m->n_layers ? &m->block[i].attn : &m->mtp[i - m->n_layers].block.attn);
		per += kv_position_bytes(&s, cache);
	}
	const Config *c = &m->c;
	/* activations of one token through the widest layer, kept whole in the step arena, and its logits */
	int64_t row = c->hidden_size * 8 +
		c->num_attention_heads * (c->qk_nope_head_dim + c->qk_rope_head_dim + c->v_head_dim) * 3 +
		c->num_experts_per_tok * (c->moe_intermediate_size * 3 + c->hidden_size * 2) +
		c->intermediate_size * 3;
	return (LmForecast){ .weights = m->weight_bytes,
		.cache = per * context * slots,
		.work = (row * m->n_layers + c->vocab_size * 2) * (int64_t)sizeof(real) };
}
