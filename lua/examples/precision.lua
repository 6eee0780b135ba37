-- The same model in several precisions: how far each layer's values move, which routes flip, and what reaches the output.
--
--     lathe run precision [MODEL [TEXT]]
local lathe = require "lathe"

local model = lathe.open(lathe.args[1] or "@domains")
local text = lathe.args[2] or lathe.data.text("stories", lathe.quick and 200 or 1500)

for _, recipe in ipairs { "bf16", "fp8-v3" } do
	print(("%s against the weights as they are stored and f32 sums:"):format(recipe))
	print(lathe.compare(model, model:with { recipe = recipe }, text))
end
print [[

rel_l2: |b - a| / |a| of each layer's values. A flipped route is a choice of experts that the precision alone has changed.
Quoted: V3 report 3.3 and appendix B.1: the loss of FP8 training stays within 0.25 % of BF16's.]]
