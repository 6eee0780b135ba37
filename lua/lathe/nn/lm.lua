-- What nn.LM makes of the sizes that a script gives: the others' values, checks, and attention and router as words of the config or parts.
local lathe = require "lathe"

local function width(h, share, step)
	return math.max(step, math.floor(h * share / step + 0.5) * step)
end

-- What follows from others comes after them.
local defaults = {
	{ "model_type", "deepseek_v3" },
	{ "hidden_size", 96 },
	{ "num_hidden_layers", 4 },
	{ "num_attention_heads", function(c) return math.max(1, c.hidden_size // 32) end },
	{ "num_key_value_heads", function(c) return c.num_attention_heads end },
	{ "first_k_dense_replace", function(c) return math.min(1, c.num_hidden_layers - 1) end },
	{ "intermediate_size", function(c) return width(c.hidden_size, 8 / 3, 32) end },
	{ "moe_intermediate_size", function(c) return width(c.hidden_size, 1 / 2, 8) end },
	{ "n_routed_experts", 8 },
	{ "num_experts_per_tok", function(c) return math.min(2, c.n_routed_experts) end },
	{ "n_shared_experts", 1 },
	{ "n_group", 1 },
	{ "topk_group", 1 },
	{ "norm_topk_prob", true },
	{ "routed_scaling_factor", 1.0 },
	{ "scoring_func", "sigmoid" },
	{ "topk_method", "noaux_tc" },
	{ "kv_lora_rank", 32 },
	{ "q_lora_rank", 0 },
	{ "qk_nope_head_dim", 16 },
	{ "qk_rope_head_dim", 16 },
	{ "v_head_dim", 32 },
	{ "rope_theta", 10000.0 },
	{ "rms_norm_eps", 1e-6 },
	{ "tie_word_embeddings", false },
	{ "num_nextn_predict_layers", function(c) return c.mtp or 0 end },
	{ "max_position_embeddings", 2048 },
}
-- Known too, without a value of our own.
local others = { "vocab_size", "eos_token_id", "bos_token_id", "pad_token_id", "rope_scaling", "moe_layer_freq", "attention_bias", "architectures",
	"attention", "router", "mtp" }

local known = {}
for _, d in ipairs(defaults) do
	known[d[1]] = true
end
for _, key in ipairs(others) do
	known[key] = true
end

local function checked(given)
	if type(given) ~= "table" then
		lathe.fail "nn.LM: a table of the model's sizes is needed"
	end
	local c = {}
	for key, value in pairs(given) do
		if not known[key] then
			lathe.fail(("nn.LM: %s is no size of a model; they are the keys of a config.json, and attention, router, mtp"):format(tostring(key)))
		end
		c[key] = value
	end
	for _, d in ipairs(defaults) do
		if c[d[1]] == nil then
			c[d[1]] = type(d[2]) == "function" and d[2](c) or d[2]
		end
	end
	return c
end

-- A class of nn that C has too becomes a word of the config; one of the script's becomes a part.
local function class_of(c, key, words)
	local class = c[key]
	c[key] = nil
	if type(class) == "string" then
		class = words[class] or lathe.fail(("nn.LM: %s = %q; a class is needed, of nn or made by nn.module"):format(key, class))
	end
	if class ~= nil and (type(class) ~= "table" or type(class.forward) ~= "function" or not class.name) then
		lathe.fail(("nn.LM: %s must be a class, of nn or made by nn.module"):format(key))
	end
	return class
end

return function(nn, given)
	local c = checked(given)
	local attention = class_of(c, "attention", { mla = nn.MLA, mha = nn.MHA, gqa = nn.GQA, mqa = nn.MQA })
	local router = class_of(c, "router", {})
	local config = {} -- a copy: the modules keep it, and c will keep them
	c.mtp = nil
	if attention and rawget(attention, "builtin") and attention.builtin ~= "mla" then
		c.lathe_attention, c.num_key_value_heads = attention.builtin, attention.key_heads(c)
	end
	for key, value in pairs(c) do
		config[key] = value
	end
	c.parts = nn.parts(config, attention, router)
	return c
end
