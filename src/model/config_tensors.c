/* config_tensors.c - what a checkpoint of a config holds: every tensor's name and shape (checkpoints.md 2,
 * dsa.md 2.2), and the parameter and cache counts that follow from the shapes. */
#include "model/config.h"
#include <stdio.h>

typedef struct Walk { const Config *c; ConfigTensorFn fn; void *ud; char prefix[64]; bool ok; } Walk;

/* One tensor under the prefix; cols 0: a vector. */
static void tensor_say(Walk *w, const char *name, int64_t rows, int64_t cols, bool optional)
{
	char full[160];
	int64_t shape[2] = { rows, cols };
	snprintf(full, sizeof full, "%s%s", w->prefix, name);
	w->ok = w->ok && w->fn(full, cols ? 2 : 1, shape, optional, w->ud);
}

static void swiglu_say(Walk *w, const char *name, int64_t width)
{
	char s[80];
	int64_t h = w->c->hidden_size;
	snprintf(s, sizeof s, "%s.gate_proj.weight", name);
	tensor_say(w, s, width, h, false);
	snprintf(s, sizeof s, "%s.up_proj.weight", name);
	tensor_say(w, s, width, h, false);
	snprintf(s, sizeof s, "%s.down_proj.weight", name);
	tensor_say(w, s, h, width, false);
}

static void indexer_say(Walk *w)
{
	const Config *c = w->c;
	int64_t d = c->index_head_dim;
	tensor_say(w, "self_attn.indexer.wq_b.weight", c->index_n_heads * d, c->q_lora_rank, false);
	tensor_say(w, "self_attn.indexer.wk.weight", d, c->hidden_size, false);
	tensor_say(w, "self_attn.indexer.k_norm.weight", d, 0, false);
	tensor_say(w, "self_attn.indexer.k_norm.bias", d, 0, false);
	tensor_say(w, "self_attn.indexer.weights_proj.weight", c->index_n_heads, c->hidden_size, false);
}

/* MHA, GQA, MQA: keys of G heads; their values are as wide as MLA's. */
static void heads_say(Walk *w)
{
	const Config *c = w->c;
	int64_t h = c->hidden_size, d = c->qk_nope_head_dim + c->qk_rope_head_dim, G = config_key_heads(c);
	tensor_say(w, "self_attn.q_proj.weight", c->num_attention_heads * d, h, false);
	tensor_say(w, "self_attn.k_proj.weight", G * d, h, false);
	tensor_say(w, "self_attn.v_proj.weight", G * c->v_head_dim, h, false);
	tensor_say(w, "self_attn.o_proj.weight", h, c->num_attention_heads * c->v_head_dim, false);
	if (c->attention_bias)
		tensor_say(w, "self_attn.o_proj.bias", h, 0, false);
}

static void mla_say(Walk *w)
{
	const Config *c = w->c;
	int64_t h = c->hidden_size, H = c->num_attention_heads, rq = c->q_lora_rank, r = c->kv_lora_rank,
		dr = c->qk_rope_head_dim;
	int64_t dq = c->qk_nope_head_dim + dr;
	if (rq == 0) {
		tensor_say(w, "self_attn.q_proj.weight", H * dq, h, false);
	} else {
		tensor_say(w, "self_attn.q_a_proj.weight", rq, h, false);
		tensor_say(w, "self_attn.q_a_layernorm.weight", rq, 0, false);
		tensor_say(w, "self_attn.q_b_proj.weight", H * dq, rq, false);
	}
	tensor_say(w, "self_attn.kv_a_proj_with_mqa.weight", r + dr, h, false);
	tensor_say(w, "self_attn.kv_a_layernorm.weight", r, 0, false);
	tensor_say(w, "self_attn.kv_b_proj.weight", H * (c->qk_nope_head_dim + c->v_head_dim), r, false);
	tensor_say(w, "self_attn.o_proj.weight", h, H * c->v_head_dim, false);
	if (c->attention_bias) {
		if (rq)
			tensor_say(w, "self_attn.q_a_proj.bias", rq, 0, false);
		tensor_say(w, "self_attn.kv_a_proj_with_mqa.bias", r + dr, 0, false);
		tensor_say(w, "self_attn.o_proj.bias", h, 0, false);
	}
	if (c->arch == ARCH_V32)
		indexer_say(w);
}

/* A script's attention: only the script knows its tensors. */
static void attention_say(Walk *w)
{
	AttnKind kind = config_attention(w->c);
	if (kind == ATTN_MLA)
		mla_say(w);
	else if (kind == ATTN_GQA)
		heads_say(w);
}

static void moe_say(Walk *w)
{
	const Config *c = w->c;
	char s[40];
	if (!c->router[0])
		tensor_say(w, "mlp.gate.weight", c->n_routed_experts, c->hidden_size, false);
	if (!c->router[0] && c->topk_method == TOPK_NOAUX)
		tensor_say(w, "mlp.gate.e_score_correction_bias", c->n_routed_experts, 0, false);
	for (int64_t i = 0; w->ok && i < c->n_routed_experts; i++) {
		snprintf(s, sizeof s, "mlp.experts.%lld", (long long)i);
		swiglu_say(w, s, c->moe_intermediate_size);
	}
	if (c->n_shared_experts)
		swiglu_say(w, "mlp.shared_experts", c->n_shared_experts * c->moe_intermediate_size);
}

static void layer_say(Walk *w, int64_t layer)
{
	const Config *c = w->c;
	snprintf(w->prefix, sizeof w->prefix, "model.layers.%lld.", (long long)layer);
	if (layer >= c->num_hidden_layers) {
		tensor_say(w, "embed_tokens.weight", c->vocab_size, c->hidden_size, true);
		tensor_say(w, "enorm.weight", c->hidden_size, 0, false);
		tensor_say(w, "hnorm.weight", c->hidden_size, 0, false);
		tensor_say(w, "eh_proj.weight", c->hidden_size, 2 * c->hidden_size, false);
		tensor_say(w, "shared_head.norm.weight", c->hidden_size, 0, false);
		tensor_say(w, "shared_head.head.weight", c->vocab_size, c->hidden_size, true);
	}
	tensor_say(w, "input_layernorm.weight", c->hidden_size, 0, false);
	attention_say(w);
	tensor_say(w, "post_attention_layernorm.weight", c->hidden_size, 0, false);
	if (config_is_moe(c, layer))
		moe_say(w);
	else
		swiglu_say(w, "mlp", c->intermediate_size);
}

bool config_tensors(const Config *c, ConfigTensorFn fn, void *ud)
{
	Walk w = { .c = c, .fn = fn, .ud = ud, .ok = true };
	tensor_say(&w, "model.embed_tokens.weight", c->vocab_size, c->hidden_size, false);
	for (int64_t i = 0; w.ok && i < c->num_hidden_layers + c->num_nextn_predict_layers; i++)
		layer_say(&w, i);
	w.prefix[0] = '\0';
	tensor_say(&w, "model.norm.weight", c->hidden_size, 0, false);
	tensor_say(&w, "lm_head.weight", c->vocab_size, c->hidden_size, c->tie_word_embeddings);
	return w.ok;
}

static int64_t heads_params(const Config *c)
{
	int64_t h = c->hidden_size, d = c->qk_nope_head_dim + c->qk_rope_head_dim, dv = c->v_head_dim;
	return h * (d + dv) * (c->num_attention_heads + config_key_heads(c)) + (c->attention_bias ? h : 0);
}

static int64_t attention_params(const Config *c)
{
	if (config_attention(c) != ATTN_MLA)
		return config_attention(c) == ATTN_GQA ? heads_params(c) : 0;
	int64_t h = c->hidden_size, H = c->num_attention_heads, q = c->q_lora_rank, r = c->kv_lora_rank,
		dr = c->qk_rope_head_dim;
	int64_t dn = c->qk_nope_head_dim, dv = c->v_head_dim;
	int64_t n = q ? h * q + q + q * H * (dn + dr) : h * H * (dn + dr);
	n += h * (r + dr) + r + r * H * (dn + dv) + H * dv * h;
	if (c->attention_bias)
		n += q + r + dr + h;
	if (c->arch == ARCH_V32)
		n += q * c->index_n_heads * c->index_head_dim + h * c->index_head_dim +
			2 * c->index_head_dim + h * c->index_n_heads;
	return n;
}

/* Parameters of one layer with `experts` of its routed experts. headline-numbers.md 1.1 */
static int64_t layer_params(const Config *c, int64_t layer, int64_t experts)
{
	int64_t h = c->hidden_size, n = attention_params(c) + 2 * h, E = c->n_routed_experts;
	if (!config_is_moe(c, layer))
		return n + 3 * h * c->intermediate_size;
	n += c->router[0] ? 0 : E * h + (c->topk_method == TOPK_NOAUX ? E : 0);
	return n + (experts + c->n_shared_experts) * 3 * h * c->moe_intermediate_size;
}

ParamCount config_params(const Config *c)
{
	int64_t h = c->hidden_size, table = c->vocab_size * h, l = c->num_hidden_layers;
	ParamCount p = { 0 };
	p.total = p.active = (c->tie_word_embeddings ? 1 : 2) * table + h;
	for (int64_t i = 0; i < l; i++) {
		p.total += layer_params(c, i, c->n_routed_experts);
		p.active += layer_params(c, i, c->num_experts_per_tok);
	}
	/* own parameters of the MTP modules: their copies of embedding and head are not counted */
	p.mtp = c->num_nextn_predict_layers * (layer_params(c, l, c->n_routed_experts) + 2 * h * h + 3 * h);
	return p;
}

KvCount config_kv(const Config *c)
{
	int64_t l = c->num_hidden_layers, H = c->num_attention_heads;
	int64_t head = c->qk_nope_head_dim + c->qk_rope_head_dim + c->v_head_dim;
	KvCount n = { .mla = c->kv_lora_rank ? l * (c->kv_lora_rank + c->qk_rope_head_dim) : 0,
		.mha = l * H * head,
		.gqa8 = l * (H < 8 ? H : 8) * head,
		.mqa = l * head };
	AttnKind kind = config_attention(c);
	n.own = kind == ATTN_MLA ? n.mla : kind == ATTN_GQA ? l * config_key_heads(c) * head : l * c->hidden_size;
	return n;
}
