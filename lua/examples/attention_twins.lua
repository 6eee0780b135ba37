-- Four kinds of attention at equal parameters: MLA, MHA, GQA, MQA. What each costs in cache, and what it gives in loss, over three seeds. The
-- models are those of lua/lathe/twins.lua, in the box as @twin-mla and so on. Table and curves are kept as attention_twins.*.
--
--     lathe run attention_twins [--quick] [--threads 1] [--out DIR]
local lathe = require "lathe"

local s = lathe.study "attention at equal parameters"
s:columns { "attention", "parameters", "cache a token", { "held-out loss", digits = 4 }, { "BBH", digits = 1 }, { "MMLU", digits = 1 } }

local function train(kind, seed)
	local c = lathe.config("twin-" .. kind)
	c.seed, c.out = seed, nil
	if lathe.quick then
		c.steps, c.warmup, c.batch, c.eval_every, c.eval_rows = 40, 5, 8, 0, 4
	end
	return lathe.train(c)
end

s:seeds(3, function(seed)
	for _, kind in ipairs { "mla", "mha", "gqa", "mqa" } do
		local run = train(kind, seed)
		s:row { kind:upper(), tostring(run.parameters), run:model():kv_bytes_per_token "bf16" .. " B", run:held_out_loss() }
		s:curve(("%s, seed %d"):format(kind:upper(), seed), run.loss)
	end
end)

s:quote("the V2 report, table 9", { "small MoE, MHA", "15.8B", "110.6K numbers", nil, 37.9, 48.7 })
s:quote("the V2 report, table 9", { "small MoE, MLA", "15.7B", "15.6K numbers", nil, 39.0, 50.0 })
s:quote("the V2 report, table 9", { "large MoE, MHA", "250.8B", "860.2K numbers", nil, 46.6, 57.5 })
s:quote("the V2 report, table 9", { "large MoE, MLA", "247.4B", "34.6K numbers", nil, 50.7, 59.0 })
s:quote("the V2 report, table 8", { "dense, MHA", "6.9B", nil, nil, 37.0, 45.2 })
s:quote("the V2 report, table 8", { "dense, GQA with 8 groups", "6.9B", nil, nil, 35.6, 41.2 })
s:quote("the V2 report, table 8", { "dense, MQA", "7.1B", nil, nil, 33.2, 37.9 })
s:note [[
What this does not show: the report's differences are in benchmarks, after 10^12 tokens. Models of half a million parameters on short texts
from grammars ask little of attention, and where two losses differ by less than their spread nothing can be said. The cache is arithmetic,
and holds at any size: MLA keeps less than MQA here, and can tell its heads apart.]]
if lathe.quick then
	s:note "(--quick: so few steps say only that everything runs.)"
else
	s:save "attention_twins"
end
s:print()
