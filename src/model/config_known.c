/* config_known.c - published models, for comparison; values from their config.json (checkpoints.md 1.2).
 * DeepSeek 67B has no latent: it is the dense model that the V2 paper's cache figure of 93.3 % compares
 * with. */
#include "model/config.h"

#define YARN_40 \
	.yarn_factor = 40, .yarn_beta_fast = 32, .yarn_beta_slow = 1, .yarn_original = 4096, \
	.yarn_truncate = true
#define HEADS \
	.kv_lora_rank = 512, .qk_nope_head_dim = 128, .qk_rope_head_dim = 64, .v_head_dim = 128, \
	.moe_layer_freq = 1, .rope_interleave = true, .dtype = DT_BF16
#define V3_SHAPE \
	.vocab_size = 129280, .hidden_size = 7168, .num_hidden_layers = 61, .num_attention_heads = 128, \
	.num_key_value_heads = 128, .intermediate_size = 18432, .moe_intermediate_size = 2048, \
	.n_routed_experts = 256, .n_shared_experts = 1, .num_experts_per_tok = 8, \
	.first_k_dense_replace = 3, .n_group = 8, .topk_group = 4, .q_lora_rank = 1536, \
	.max_position_embeddings = 163840, .num_nextn_predict_layers = 1, .bos_token_id = 0, \
	.eos_token_id = { 1 }, .n_eos = 1, .norm_topk_prob = true, .topk_method = TOPK_NOAUX, \
	.routed_scaling_factor = 2.5, .rms_norm_eps = 1e-6, .rope_theta = 10000, YARN_40, .yarn_mscale = 1, \
	.yarn_mscale_all_dim = 1, .fp8 = true, .fp8_block = { 128, 128 }, HEADS

static const KnownModel known[] = {
	{ "DeepSeek-V2-Lite", "MLA",
	  { .model_type = "deepseek_v2", .arch = ARCH_V2, .vocab_size = 102400, .hidden_size = 2048,
	    .num_hidden_layers = 27, .num_attention_heads = 16, .num_key_value_heads = 16,
	    .intermediate_size = 10944, .moe_intermediate_size = 1408, .n_routed_experts = 64,
	    .n_shared_experts = 2, .num_experts_per_tok = 6, .first_k_dense_replace = 1, .n_group = 1,
	    .topk_group = 1, .max_position_embeddings = 163840, .bos_token_id = 100000,
	    .eos_token_id = { 100001 }, .n_eos = 1, .softmax_gate = true, .topk_method = TOPK_GREEDY,
	    .routed_scaling_factor = 1, .rms_norm_eps = 1e-6, .rope_theta = 10000, YARN_40,
	    .yarn_mscale = 0.707, .yarn_mscale_all_dim = 0.707, HEADS }, 0 },
	{ "DeepSeek-V2", "MLA",
	  { .model_type = "deepseek_v2", .arch = ARCH_V2, .vocab_size = 102400, .hidden_size = 5120,
	    .num_hidden_layers = 60, .num_attention_heads = 128, .num_key_value_heads = 128,
	    .intermediate_size = 12288, .moe_intermediate_size = 1536, .n_routed_experts = 160,
	    .n_shared_experts = 2, .num_experts_per_tok = 6, .first_k_dense_replace = 1, .n_group = 8,
	    .topk_group = 3, .q_lora_rank = 1536, .max_position_embeddings = 163840, .bos_token_id = 100000,
	    .eos_token_id = { 100001 }, .n_eos = 1, .softmax_gate = true, .topk_method = TOPK_GROUP_GREEDY,
	    .routed_scaling_factor = 16, .rms_norm_eps = 1e-6, .rope_theta = 10000, YARN_40,
	    .yarn_mscale = 0.707, .yarn_mscale_all_dim = 0.707, HEADS }, 0 },
	{ "DeepSeek-V3/R1", "MLA",
	  { .model_type = "deepseek_v3", .arch = ARCH_V3, V3_SHAPE }, 0 },
	{ "DeepSeek-V3.2", "MLA, and index keys beside it",
	  { .model_type = "deepseek_v32", .arch = ARCH_V32, V3_SHAPE, .index_n_heads = 64,
	    .index_head_dim = 128, .index_topk = 2048 }, 0 },
	{ "Moonlight-16B-A3B", "MLA",
	  { .model_type = "deepseek_v3", .arch = ARCH_V3, .vocab_size = 163840, .hidden_size = 2048,
	    .num_hidden_layers = 27, .num_attention_heads = 16, .num_key_value_heads = 16,
	    .intermediate_size = 11264, .moe_intermediate_size = 1408, .n_routed_experts = 64,
	    .n_shared_experts = 2, .num_experts_per_tok = 6, .first_k_dense_replace = 1, .n_group = 1,
	    .topk_group = 1, .max_position_embeddings = 8192, .bos_token_id = 163584,
	    .eos_token_id = { 163586 }, .n_eos = 1, .norm_topk_prob = true, .topk_method = TOPK_NOAUX,
	    .routed_scaling_factor = 2.446, .rms_norm_eps = 1e-5, .rope_theta = 50000, HEADS }, 0 },
	{ "Kimi-K2", "MLA",
	  { .model_type = "kimi_k2", .arch = ARCH_V3, .vocab_size = 163840, .hidden_size = 7168,
	    .num_hidden_layers = 61, .num_attention_heads = 64, .num_key_value_heads = 64,
	    .intermediate_size = 18432, .moe_intermediate_size = 2048, .n_routed_experts = 384,
	    .n_shared_experts = 1, .num_experts_per_tok = 8, .first_k_dense_replace = 1, .n_group = 1,
	    .topk_group = 1, .q_lora_rank = 1536, .max_position_embeddings = 131072, .bos_token_id = 163584,
	    .eos_token_id = { 163586 }, .n_eos = 1, .norm_topk_prob = true, .topk_method = TOPK_NOAUX,
	    .routed_scaling_factor = 2.827, .rms_norm_eps = 1e-6, .rope_theta = 50000, .yarn_factor = 32,
	    .yarn_beta_fast = 1, .yarn_beta_slow = 1, .yarn_original = 4096, .yarn_truncate = true,
	    .yarn_mscale = 1, .yarn_mscale_all_dim = 1, .fp8 = true, .fp8_block = { 128, 128 }, HEADS }, 0 },
	{ "DeepSeek-67B", "GQA, 8 groups of 64 heads",
	  { .num_hidden_layers = 95, .num_attention_heads = 64, .num_key_value_heads = 8, .hidden_size = 8192,
	    .qk_nope_head_dim = 128, .v_head_dim = 128, .max_position_embeddings = 4096, .dtype = DT_BF16 },
	    194560 },
};

const KnownModel *config_known(size_t i)
{
	return i < sizeof known / sizeof known[0] ? &known[i] : NULL;
}
