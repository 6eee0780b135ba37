-- How experts are kept busy: by the bias rule (V3, "auxiliary-loss-free"), by a sequence-wise loss, by nothing. Loss and MaxVio over three
-- seeds. The models are those of lua/lathe/twins.lua, in the box as @twin-mla, @twin-sequence, @twin-none. Table and curves are kept as balance.*.
--
--     lathe run balance [--quick] [--threads 1] [--out DIR]
local lathe = require "lathe"

local s = lathe.study "how experts are kept busy"
s:columns { "rule", { "held-out loss", digits = 4 }, { "MaxVio", digits = 2 }, "experts without a token" }

local function train(rule, seed)
	local c = lathe.config("balance-" .. rule)
	c.seed, c.out = seed, nil
	if lathe.quick then
		c.steps, c.warmup, c.batch, c.eval_every, c.eval_rows = 60, 5, 8, 0, 4
	end
	return lathe.train(c)
end

s:seeds(3, function(seed)
	for _, rule in ipairs { "bias", "sequence", "none" } do
		local run = train(rule, seed)
		s:row { rule, run:held_out_loss(), run.maxvio:mean(50), run.dead_experts:mean(50) }
		s:curve(("%s, seed %d"):format(rule, seed), run.maxvio)
	end
end)

s:quote("the V3 report, 4.5.3", { "1B, sequence-wise loss", 2.258 })
s:quote("the V3 report, 4.5.3", { "1B, bias", 2.253 })
s:quote("the V3 report, 4.5.3", { "3B, sequence-wise loss", 2.085 })
s:quote("the V3 report, 4.5.3", { "3B, bias", 2.080 })
s:quote("arXiv 2408.15664, table 2 (perplexity 9.56)", { "1B, auxiliary loss", nil, 0.72 })
s:quote("arXiv 2408.15664, table 2 (perplexity 9.50)", { "1B, bias alone", nil, 0.04 })

local loss, vio = {}, {}
for _, rule in ipairs { "bias", "sequence", "none" } do
	loss[rule], vio[rule] = s:mean(rule, "held-out loss"), s:mean(rule, "MaxVio")
end
s:note(("\nThe bias against the sequence-wise loss: loss %+.4f, MaxVio %+.2f; against nothing: loss %+.4f, MaxVio %+.2f."):format(
	loss.bias - loss.sequence, vio.bias - vio.sequence, loss.bias - loss.none, vio.bias - vio.none))
s:note [[
MaxVio: the busiest expert above the mean, in the worst layer of each step, mean of the last 50 steps. The quoted ones count a whole validation
set; one batch alone makes an even router look uneven by about 0.1.
What this does not show: the report's gain in loss is 0.005, less than what three seeds of a model of this size can tell apart (about 0.01).
That the bias evens the load without a term in the loss can be seen here; that this makes a better model cannot.]]
if lathe.quick then
	s:note "(--quick: so few steps say only that everything runs.)"
else
	s:save "balance"
end
s:print()
