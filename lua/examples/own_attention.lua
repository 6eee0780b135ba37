-- An attention of one's own: MLA with a gate on its output, written in three lines out of nn's modules, trained beside MLA and MHA as they
-- are. Its gradients are true because its forward is made of ops; its gate is the weight model.layers.N.self_attn.gate.weight.
--
--     lathe run own_attention [--quick] [--threads 1]
local lathe = require "lathe"
local nn = lathe.nn

local GatedMLA = nn.module "GatedMLA"

function GatedMLA:build(c)
	self.mla, self.gate = nn.MLA(c), nn.Linear(c.hidden_size, c.hidden_size)
end

function GatedMLA:forward(h)
	return self.mla(h) * self.gate(h):sigmoid()
end

local steps = lathe.quick and 40 or 1000
print(("%-9s %11s %9s %14s %9s"):format("attention", "parameters", "loss", "held-out loss", "MaxVio"))
for _, attention in ipairs { nn.MLA, GatedMLA, nn.MHA } do
	local run = lathe.train {
		model = nn.LM { attention = attention, hidden_size = 96, num_hidden_layers = 4, n_routed_experts = 16, num_experts_per_tok = 2, mtp = 1 },
		data = lathe.data.mix { stories = 2, arithmetic = 1 },
		steps = steps, batch = lathe.quick and 8 or 16, seq = 128,
		lr = { peak = 3e-3, warmup = steps // 10, shape = "cosine" },
		balance = { "bias", gamma = 1e-2 },
		seed = 1, eval_rows = lathe.quick and 4 or 32,
	}
	print(("%-9s %11d %9.4f %14.4f %9.2f"):format(attention.name, run.parameters, run.main_loss:mean(20), run:held_out_loss(), run.maxvio:mean(20)))
end

if lathe.quick then
	print "\n(--quick: so few steps say only that everything runs.)"
end
print [[

loss: mean of the last 20 steps, without the MTP module's. The gate adds parameters, so a lower loss alone does not speak for it: give MLA
the same number (a wider moe_intermediate_size) and several seeds before saying so. No report has such a gate; there is no figure to quote.]]
