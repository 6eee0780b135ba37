-- Fine-grained and shared experts (DeepSeekMoE): the same number of parameters in all and per token, cut into few large or many small
-- experts, and with one of the active ones shared by all tokens or not.
--
--     lathe run experts [--quick] [--threads 1]
local lathe = require "lathe"
local nn = lathe.nn

local quick = lathe.quick
local steps = quick and 20 or 700

-- Active experts: k routed and the shared ones; width * (k + shared) is 96 and width * (experts + shared) about 768 in every line.
local cuts = {
	{ "2 of 16, none shared", n_routed_experts = 16, num_experts_per_tok = 2, n_shared_experts = 0, moe_intermediate_size = 48 },
	{ "1 of 15, 1 shared", n_routed_experts = 15, num_experts_per_tok = 1, n_shared_experts = 1, moe_intermediate_size = 48 },
	{ "4 of 32, none shared", n_routed_experts = 32, num_experts_per_tok = 4, n_shared_experts = 0, moe_intermediate_size = 24 },
	{ "3 of 31, 1 shared", n_routed_experts = 31, num_experts_per_tok = 3, n_shared_experts = 1, moe_intermediate_size = 24 },
	{ "7 of 63, 1 shared", n_routed_experts = 63, num_experts_per_tok = 7, n_shared_experts = 1, moe_intermediate_size = 12 },
}

local function train(cut, seed)
	local model = { hidden_size = 96, num_hidden_layers = 4 }
	for key, value in pairs(cut) do
		if type(key) == "string" then
			model[key] = value
		end
	end
	return lathe.train {
		model = nn.LM(model), data = lathe.data.rows { stories = 1, code = 1, arithmetic = 1, chinese = 1 },
		steps = steps, batch = quick and 4 or 16, seq = 128,
		lr = { peak = 3e-3, warmup = steps // 10, shape = "cosine" },
		balance = { "bias", gamma = 1e-2 }, seed = seed, eval_rows = quick and 4 or 32,
	}
end

local s = lathe.study "many small experts, and shared ones"
s:columns { "experts", { "parameters", digits = 0 }, { "held-out loss", digits = 4 }, { "MaxVio", digits = 2 }, { "K tokens a second", digits = 1 } }
s:seeds(3, function(seed)
	for _, cut in ipairs(cuts) do
		local run = train(cut, seed)
		s:row { cut[1], run.parameters, run:held_out_loss(), run.maxvio:mean(50), run.tok_per_s:mean() / 1000 }
		s:curve(("%s, seed %d"):format(cut[1], seed), run.main_loss)
	end
end)
s:quote("DeepSeekMoE, arXiv 2401.06066, table 1: Pile loss of models of 2B", { "2 of 16, none shared", nil, 1.867 })
s:quote("DeepSeekMoE, arXiv 2401.06066, table 1: the same number of parameters", { "7 of 63, 1 shared", nil, 1.808 })
s:note [[
What this does not show: the gain comes with knowledge to be divided among experts. Four short grammars are little of it, so the lines lie
close together; the price in tokens a second of many small experts is real and is shown.]]
if quick then
	s:note "(--quick: so few steps say only that everything runs.)"
else
	s:save "experts"
end
s:print()
