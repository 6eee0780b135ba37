-- twins: one small model in variants that differ in one thing, for comparisons. Attention: mla, mha, gqa (two key heads), mqa, all with
-- four heads of the same widths; the feed-forward layers are as wide as makes the number of parameters the same within 1 %. Balance: the
-- model of mla under the bias rule, V3's sequence-wise loss, or nothing.
local core = require "lathe.core"
local data = require "lathe.data"

local twins = {}

-- Widths of an expert and of the dense layer.
local widths = { mla = { 20, 256 }, mha = { 18, 224 }, gqa = { 20, 256 }, mqa = { 21, 264 } }

local function model(attention)
	local expert, dense = widths[attention][1], widths[attention][2]
	return {
		model_type = "deepseek_v3", architectures = { "DeepseekV3ForCausalLM" },
		vocab_size = 264, eos_token_id = 256, pad_token_id = 257, max_position_embeddings = 2048,
		hidden_size = 96, num_hidden_layers = 4, num_attention_heads = 4, first_k_dense_replace = 1,
		intermediate_size = dense, moe_intermediate_size = expert, n_routed_experts = 16, num_experts_per_tok = 3, n_shared_experts = 1,
		n_group = 1, topk_group = 1, norm_topk_prob = true, routed_scaling_factor = 1.0, scoring_func = "sigmoid", topk_method = "noaux_tc",
		kv_lora_rank = 32, q_lora_rank = core.null, qk_nope_head_dim = 16, qk_rope_head_dim = 8, v_head_dim = 24,
		rope_theta = 10000.0, rms_norm_eps = 1e-6, tie_word_embeddings = false, num_nextn_predict_layers = 0,
	}
end

-- The configuration of a run: twins.run("twin-gqa", { attention = "gqa" }).
function twins.run(name, change)
	local attention = change.attention or "mla"
	local run = {
		name = name,
		out = "runs/" .. name,
		tokenizer = "@domains",
		model = model(attention),
		seed = 1, steps = 600, batch = 16, seq = 128,
		lr = 3e-3, lr_shape = "cosine", warmup = 50, beta1 = 0.9, beta2 = 0.98, weight_decay = 0.1, clip = 1, init_std = 0.02,
		balance = "bias", gamma = 0.01, gamma_frozen = 0.1,
		eval_every = 100, eval_rows = 32, checkpoint_every = 300,
		data = data.rows { stories = 1, code = 1, arithmetic = 1, chinese = 1 },
	}
	for key, value in pairs(change) do
		run[key] = value
	end
	return run
end

return twins
