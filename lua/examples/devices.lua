-- Device-limited routing (V2 report 2.2.2, V3 report 2.1.2): experts lie on devices, here 8 groups of 4, and a token may send copies to M of
-- them at most. What the limit costs in loss, and what it does to the load, as M grows.
--
--     lathe run devices [--quick] [--threads 1]
local lathe = require "lathe"
local nn = lathe.nn

local quick = lathe.quick
local steps = quick and 20 or 700
local groups, k = 8, 4

local function train(kept, seed)
	return lathe.train {
		model = nn.LM { hidden_size = 96, n_routed_experts = 32, num_experts_per_tok = k, moe_intermediate_size = 24, n_group = groups,
			topk_group = kept },
		data = lathe.data.rows { stories = 1, code = 1, arithmetic = 1, chinese = 1 },
		steps = steps, batch = quick and 4 or 16, seq = 128,
		lr = { peak = 3e-3, warmup = steps // 10, shape = "cosine" },
		balance = { "bias", gamma = 1e-2 }, seed = seed, eval_rows = quick and 4 or 32,
	}
end

-- Devices that a token's copies really go to, mean over held-out text and layers.
local function devices_used(model)
	local used, n = 0, 0
	for _, domain in ipairs { "stories", "code", "arithmetic", "chinese" } do
		local seen = model:run(lathe.data.text(domain, 400), { watch = "layers.*.moe.topk" })
		for name, topk in pairs(seen) do
			if name:match "moe.topk$" then
				for _, row in ipairs(topk:tolist()) do
					local met, count = {}, 0
					for _, expert in ipairs(row) do
						local device = expert * groups // 32
						count = count + (met[device] and 0 or 1)
						met[device] = true
					end
					used, n = used + count, n + 1
				end
			end
		end
	end
	return used / n
end

local s = lathe.study "device-limited routing"
s:columns { "devices allowed", { "held-out loss", digits = 4 }, { "MaxVio", digits = 2 }, { "devices used", digits = 2 } }
s:seeds(3, function(seed)
	for _, kept in ipairs { 2, 3, 4, 8 } do
		local run = train(kept, seed)
		local name = kept == groups and "8, no limit" or tostring(kept)
		s:row { name, run:held_out_loss(), run.maxvio:mean(50), devices_used(run:model()) }
		s:curve(("%s, seed %d"):format(name, seed), run.main_loss)
	end
end)
s:note [[
devices used: of 8, to which the 4 copies of a token go; without a limit chance alone would make it about 3.4.
Quoted: V2 report 2.2.2: with 3 devices or more the result is about that of no limit. V3 report 2.1.2 sends a token to at most 4 of 8 nodes.
What this does not show: the time that the limit saves is that of a network, and here there is none.]]
if quick then
	s:note "(--quick: so few steps say only that everything runs.)"
else
	s:save "devices"
end
s:print()
