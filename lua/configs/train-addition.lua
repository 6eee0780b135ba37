-- Addition of two-digit numbers, with and without steps: a tiny model that learns it in under a minute on one core.
local core = require "lathe.core"
local tasks = require "lathe.tasks"

return {
	name = "addition",
	out = "runs/addition",
	tokenizer = "@reason",
	model = {
		model_type = "deepseek_v3", architectures = { "DeepseekV3ForCausalLM" },
		vocab_size = 64, eos_token_id = 1, max_position_embeddings = 512,
		hidden_size = 64, num_hidden_layers = 2, num_attention_heads = 2, num_key_value_heads = 2, first_k_dense_replace = 1,
		intermediate_size = 128, moe_intermediate_size = 32, n_routed_experts = 8, num_experts_per_tok = 2, n_shared_experts = 1,
		n_group = 1, topk_group = 1, norm_topk_prob = true, routed_scaling_factor = 1.0, scoring_func = "sigmoid", topk_method = "noaux_tc",
		kv_lora_rank = 32, q_lora_rank = core.null, qk_nope_head_dim = 16, qk_rope_head_dim = 16, v_head_dim = 32,
		rope_theta = 10000.0, rms_norm_eps = 1e-6, tie_word_embeddings = false, num_nextn_predict_layers = 1,
	},
	seed = 1, steps = 700, batch = 8, seq = 96,
	lr = 4e-3, lr_shape = "cosine", warmup = 20, beta1 = 0.9, beta2 = 0.98, weight_decay = 0.1, clip = 1, init_std = 0.03,
	balance = "bias", gamma = 0.005, gamma_frozen = 0.1, document_mask = true,
	eval_every = 100, eval_rows = 16, checkpoint_every = 200,
	data = tasks.source { { "add", levels = { 2, 2 }, styles = { direct = 0.1, fine = 0.9 } } },
	exam = tasks.exam "add2",
}
