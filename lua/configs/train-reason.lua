-- The model @reason: arithmetic with its steps between <think> and </think>. All training answers are right, but written in mixed styles,
-- at once or step by step; the model is left to choose badly, which is where reinforcement learning begins.
local core = require "lathe.core"
local tasks = require "lathe.tasks"

local add = { direct = 0.4, fine = 0.6 }

return {
	name = "reason",
	out = "runs/reason",
	tokenizer = "@reason",
	model = {
		model_type = "deepseek_v3", architectures = { "DeepseekV3ForCausalLM" },
		vocab_size = 64, eos_token_id = 1, pad_token_id = 0, max_position_embeddings = 512,
		hidden_size = 96, num_hidden_layers = 4, num_attention_heads = 3, num_key_value_heads = 3, first_k_dense_replace = 1,
		intermediate_size = 256, moe_intermediate_size = 48, n_routed_experts = 8, num_experts_per_tok = 2, n_shared_experts = 1,
		n_group = 1, topk_group = 1, norm_topk_prob = true, routed_scaling_factor = 1.0, scoring_func = "sigmoid", topk_method = "noaux_tc",
		kv_lora_rank = 32, q_lora_rank = core.null, qk_nope_head_dim = 16, qk_rope_head_dim = 16, v_head_dim = 32,
		rope_theta = 10000.0, rms_norm_eps = 1e-6, tie_word_embeddings = false, num_nextn_predict_layers = 1,
	},
	seed = 1, steps = 4000, batch = 8, seq = 160,
	lr = 1.5e-3, lr_shape = "cosine", lr_final = 0.1, warmup = 50, beta1 = 0.9, beta2 = 0.98, weight_decay = 0.1, clip = 1, init_std = 0.03,
	balance = "bias", gamma = 0.005, gamma_frozen = 0.1, document_mask = true,
	eval_every = 200, eval_rows = 32, checkpoint_every = 500,
	data = tasks.source {
		{ "chain", share = 0.24, levels = { 1, 6 }, styles = { guess = 0.6, check = 0.4 } },
		{ "mult1", share = 0.10, styles = { direct = 0.3, fine = 0.7 } },
		{ "mult2", share = 0.50, styles = { direct = 0.4, coarse = 0.15, fine = 0.45 } },
		{ "add", share = 0.16, levels = { 2, 4 }, styles = add },
	},
	exam = tasks.exam "mult2",
}
