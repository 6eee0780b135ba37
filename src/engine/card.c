/* card.c - reads config.json and the tensor headers beside an open model. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "engine/card.h"
#include "base/json.h"
#include "model/config.h"
#include "tensor/ckpt.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void put_shapes(Jout *j, const Config *c)
{
	const struct { const char *key; int64_t v;
	} row[] = {
		{ "hidden", c->hidden_size },
		{ "heads", c->num_attention_heads },
		{ "vocab", c->vocab_size },
		{ "experts", c->n_routed_experts },
		{ "experts_per_token", c->num_experts_per_tok },
		{ "n_group", c->n_group },
		{ "topk_group", c->topk_group },
		{ "shared", c->n_shared_experts },
		{ "first_dense", c->first_k_dense_replace },
		{ "intermediate", c->intermediate_size },
		{ "moe_intermediate", c->moe_intermediate_size },
		{ "q_lora_rank", c->q_lora_rank },
		{ "kv_lora_rank", c->kv_lora_rank },
		{ "nope", c->qk_nope_head_dim },
		{ "rope", c->qk_rope_head_dim },
		{ "v", c->v_head_dim },
		{ "mtp_layers", c->num_nextn_predict_layers },
		{ "max_context", c->max_position_embeddings },
	};
	for (size_t i = 0; i < sizeof row / sizeof row[0]; i++)
		jout_kint(j, row[i].key, row[i].v);
}

static void put_config(Jout *j, const Config *c)
{
	static const char *const topk[] = { "greedy", "group_limited_greedy", "noaux_tc" };
	jout_kstr(j, "model_type", c->model_type);
	jout_kint(j, "config_layers", c->num_hidden_layers);
	put_shapes(j, c);
	jout_kstr(j, "attention", c->attention[0] ? c->attention : "mla");
	jout_kint(j, "key_heads", config_key_heads(c));
	jout_kstr(j, "topk_method", topk[c->topk_method]);
	jout_kstr(j, "gate", c->softmax_gate ? "softmax" : "sigmoid");
	jout_kbool(j, "norm_topk_prob", c->norm_topk_prob);
	jout_knum(j, "routed_scaling_factor", c->routed_scaling_factor);
	ParamCount n = config_params(c);
	jout_kint(j, "params_total", n.total);
	jout_kint(j, "params_active", n.active);
	KvCount kv = config_kv(c);
	jout_key(j, "kv_elements");
	jout_obj(j);
	jout_kint(j, "mla", kv.mla);
	jout_kint(j, "mha", kv.mha);
	jout_kint(j, "gqa8", kv.gqa8);
	jout_kint(j, "mqa", kv.mqa);
	jout_kint(j, "own", kv.own);
	jout_end_obj(j);
}

/* Published models beside which the cache is shown. */
static void put_known(Jout *j)
{
	jout_key(j, "known");
	jout_arr(j);
	const KnownModel *k;
	for (size_t i = 0; (k = config_known(i)); i++) {
		jout_obj(j);
		jout_kstr(j, "name", k->name);
		jout_kint(j, "kv_elements", k->kv_elements ? k->kv_elements : config_kv(&k->config).own);
		jout_end_obj(j);
	}
	jout_end_arr(j);
}

static int64_t machine_memory(void)
{
	long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
	return pages > 0 && size > 0 ? (int64_t)pages * size : 0;
}

/* Tensors by type, and all bytes. */
static void put_tensors(Jout *j, const Ckpt *c)
{
	int64_t count[DT_COUNT] = { 0 };
	for (size_t i = 0; i < ckpt_count(c); i++)
		count[ckpt_at(c, i, NULL)->dtype]++;
	jout_kint(j, "tensors", (int64_t)ckpt_count(c));
	jout_kint(j, "bytes", (int64_t)ckpt_bytes(c));
	jout_key(j, "dtypes");
	jout_obj(j);
	for (int d = 0; d < DT_COUNT; d++)
		if (count[d] > 0)
			jout_kint(j, dtype_name((Dtype)d), count[d]);
	jout_end_obj(j);
}

/* "/models/tiny/" -> "tiny"; a folder named by dots keeps its path. */
static void put_name(Jout *j, const char *path)
{
	size_t n = strlen(path), from;
	while (n > 1 && path[n - 1] == '/')
		n--;
	for (from = n; from > 0 && path[from - 1] != '/'; from--)
		continue;
	jout_key(j, "name");
	jout_strn(j, path + from, n - from);
}

void card_write(Buf *b, const char *path, const LatheModel *m)
{
	Jout j;
	Config config;
	jout_init(&j, b);
	jout_obj(&j);
	put_name(&j, path);
	jout_kstr(&j, "path", path);
	jout_kint(&j, "layers", lathe_layers(m));
	jout_kbool(&j, "mtp", lathe_has_mtp(m));
	Ckpt *c = ckpt_open(path, NULL);
	if (config_read(c ? ckpt_dir(c) : path, &config, NULL))
		put_config(&j, &config);
	else
		jout_kint(&j, "vocab", lathe_vocab(m));
	if (c)
		put_tensors(&j, c);
	ckpt_close(c);
	put_known(&j);
	jout_kint(&j, "machine_memory", machine_memory());
	jout_end_obj(&j);
}

void card_write_config(Buf *b, const char *name, const Config *c, int64_t bytes)
{
	Jout j;
	jout_init(&j, b);
	jout_obj(&j);
	put_name(&j, name);
	jout_kint(&j, "layers", c->num_hidden_layers);
	jout_kbool(&j, "mtp", c->num_nextn_predict_layers > 0);
	put_config(&j, c);
	jout_kint(&j, "bytes", bytes);
	put_known(&j);
	jout_kint(&j, "machine_memory", machine_memory());
	jout_end_obj(&j);
}
