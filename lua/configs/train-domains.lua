-- The model @domains: stories, code, arithmetic and Chinese, each row of one domain, so that the experts' specialisation can be seen.
local data = require "lathe.data"

return {
	name = "domains",
	out = "runs/domains",
	tokenizer = "@domains",
	model = {
		model_type = "deepseek_v3", architectures = { "DeepseekV3ForCausalLM" },
		vocab_size = 264, eos_token_id = 256, pad_token_id = 257, max_position_embeddings = 2048,
		hidden_size = 128, num_hidden_layers = 4, num_attention_heads = 4, num_key_value_heads = 4, first_k_dense_replace = 1,
		intermediate_size = 352, moe_intermediate_size = 72, n_routed_experts = 16, num_experts_per_tok = 3, n_shared_experts = 1,
		n_group = 1, topk_group = 1, norm_topk_prob = true, routed_scaling_factor = 1.0, scoring_func = "sigmoid", topk_method = "noaux_tc",
		kv_lora_rank = 32, q_lora_rank = 64, qk_nope_head_dim = 16, qk_rope_head_dim = 16, v_head_dim = 32,
		rope_theta = 10000.0, rms_norm_eps = 1e-6, tie_word_embeddings = false, num_nextn_predict_layers = 1,
	},
	seed = 1, steps = 800, batch = 8, seq = 512,
	lr = 1.5e-3, lr_shape = "cosine", warmup = 50, beta1 = 0.9, beta2 = 0.95, weight_decay = 0.1, clip = 1, init_std = 0.02,
	balance = "bias", gamma = 0.01, gamma_frozen = 0.1,
	eval_every = 100, eval_rows = 16, checkpoint_every = 200, sample_every = 200,
	data = data.rows { stories = 1, code = 1, arithmetic = 1, chinese = 1 },
}
