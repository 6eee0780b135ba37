/* config.h - config.json of the DeepSeek family, checked: every field has a type, a range and its
 * relations. */
#ifndef MODEL_CONFIG_H
#define MODEL_CONFIG_H
#include "base/buf.h"
#include "base/err.h"
#include "num/dtype.h"
#include <stdint.h>

/* Beyond these a config.json is refused (E_3074); the list for users is in lathe-security(7). */
enum {
	CONFIG_LAYERS_MAX = 1024,
	CONFIG_EXPERTS_MAX = 4096,
	CONFIG_HIDDEN_MAX = 65536,
	CONFIG_VOCAB_MAX = 1 << 20,
	CONFIG_CONTEXT_MAX = 1 << 20,
	CONFIG_MTP_MAX = 64,
	CONFIG_EOS_MAX = 8,
	CONFIG_NAME_MAX = 48
};

typedef enum Arch { ARCH_V2, ARCH_V3, ARCH_V32 } Arch;
/* GQA: MHA and MQA too. OWN: a script's (LmParts in lm.h). */
typedef enum AttnKind { ATTN_MLA, ATTN_GQA, ATTN_OWN } AttnKind;
typedef enum Topk { TOPK_GREEDY, TOPK_GROUP_GREEDY, TOPK_NOAUX } Topk;

typedef struct Config {
	char model_type[32];        /* as written: deepseek_v2, deepseek_v3, deepseek_v32, kimi_k2 */
	Arch arch;
	int64_t vocab_size, hidden_size, num_hidden_layers, num_attention_heads, num_key_value_heads;
	int64_t intermediate_size, moe_intermediate_size, n_routed_experts, n_shared_experts, num_experts_per_tok;
	int64_t first_k_dense_replace, moe_layer_freq, n_group, topk_group;
	int64_t q_lora_rank /* 0: none */, kv_lora_rank, qk_nope_head_dim, qk_rope_head_dim, v_head_dim;
	int64_t max_position_embeddings, num_nextn_predict_layers, bos_token_id /* -1 none */,
		eos_token_id[CONFIG_EOS_MAX], n_eos;
	int64_t index_n_heads, index_head_dim, index_topk;   /* V3.2; 0 elsewhere */
	bool norm_topk_prob, softmax_gate, attention_bias, tie_word_embeddings, rope_interleave;
	Topk topk_method;
	double routed_scaling_factor, rms_norm_eps, rope_theta;
	/* YaRN: yarn_factor 0 = none */
	double yarn_factor, yarn_beta_fast, yarn_beta_slow, yarn_mscale, yarn_mscale_all_dim,
		yarn_attention_factor /* 0: none given */;
	int64_t yarn_original;
	bool yarn_truncate;
	bool fp8; int64_t fp8_block[2];      /* quantization_config */
	Dtype dtype;                          /* torch_dtype / dtype; DT_BF16 when absent */
	/* Keys of Lathe alone. lathe_attention: "" MLA (the key is absent), "mha", "gqa", "mqa" with heads of MLA's widths and
	 * num_key_value_heads of them for keys, or the name of one that a script defined. lathe_router: "", or a script's. */
	char attention[CONFIG_NAME_MAX], router[CONFIG_NAME_MAX];
	uint64_t sparse[16];                  /* V3.2 mlp_layer_types as bits, used when has_layer_types */
	bool has_layer_types;
} Config;

/* path: config.json or a folder with one. Unknown keys are ignored, missing ones filled with Hugging
 * Face's defaults for the model type. */
bool config_read(const char *path, Config *c, Err *e);
/* The same from text; where is named in errors. */
bool config_parse(const char *text, size_t n, const char *where, Config *c, Err *e);
/* Appends the whole config.json, which config_parse and Hugging Face transformers read. False: out of memory. */
bool config_write(const Config *c, Buf *out);
/* Whether a and b are of different models (stored types apart); appends the first difference: "KEY is 4 and 8". */
bool config_differs(const Config *a, const Config *b, Buf *what);
/* MTP layers (>= num_hidden_layers) always are, when there are experts */
bool config_is_moe(const Config *c, int64_t layer);

AttnKind config_attention(const Config *c);
int64_t config_key_heads(const Config *c);   /* G; of MLA 1: the latent */
/* Makes it one of the four words; kv_heads: of "gqa" (0: half the heads). E_2102: not a divisor, or no such word. where: for errors. */
bool config_set_attention(Config *c, const char *word, int64_t kv_heads, const char *where, Err *e);
/* Whether s may be the name of an attention or router of a script: a letter, then letters, digits and _. */
bool config_name_valid(const char *s);

/* Counts from shapes alone. Attention and routers of scripts are not in them: their shapes are the script's. active: per token, with embedding and head. mtp: own parameters of all MTP
 * modules, in neither of the others. headline-numbers of the papers: V3 671.0B total, 37.6B active. */
typedef struct ParamCount { int64_t total, active, mtp; } ParamCount;
ParamCount config_params(const Config *c);

/* The tensor names and shapes that a checkpoint of this config must hold. fn is called for each in
 * file-independent order; optional: may be absent (tied head, MTP copies of embedding and head). */
typedef bool (*ConfigTensorFn)(const char *name, int rank, const int64_t *shape, bool optional, void *ud);
bool config_tensors(const Config *c, ConfigTensorFn fn, void *ud);

/* Cache elements per token over all main layers: mla = l (r + d_r); the others are what attention of the
 * same head widths would keep, l n (d_n + d_r + d_v) with n = H heads (mha), min(8, H) (gqa8) or 1 (mqa).
 * own: of this model as it is; an attention of a script keeps its inputs, l h. V2 paper, table 1. */
typedef struct KvCount { int64_t mla, mha, gqa8, mqa, own; } KvCount;
KvCount config_kv(const Config *c);
/* Published models for comparison, NULL after the last: {"DeepSeek-V3", ...}. */
typedef struct KnownModel {
	const char *name, *note;
	Config config;
	int64_t kv_elements; /* what it caches; 0: config_kv().own */
} KnownModel;
const KnownModel *config_known(size_t i);
#endif
