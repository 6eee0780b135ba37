-- recipe: precisions by what they are made of. Each function returns the name that model:with { recipe = } and lathe.compare understand.
local lathe = require "lathe"

local recipe = {}

local v3_fields = { tile = true, scale = true, accumulate = true, gradients = true }

--- DeepSeek-V3's FP8: tile = 128 numbers along the sum that share a scale; scale = "f32" or "pow2"; accumulate = "f32" or "hopper" (13 bits,
--- promoted every 128); gradients = "e4m3" or "e5m2". Of these only combinations that `lathe help fp8` lists can be computed.
---@sig (t: table?): string
---@example
---local m = lathe.open "@tiny"
---print(m:with { recipe = lathe.recipe.v3 { tile = 128, accumulate = "hopper" } }:generate("Once", { n = 4, temperature = 0 }).text)
function recipe.v3(t)
	t = t or {}
	if type(t) ~= "table" then
		lathe.fail "recipe.v3: a table { tile = 128, accumulate = \"hopper\" } is needed"
	end
	for key in pairs(t) do
		if not v3_fields[key] then
			lathe.fail(("recipe.v3: %s: there is no such field; it has tile, scale, accumulate, gradients"):format(tostring(key)))
		end
	end
	if t.tile ~= nil and t.tile ~= 128 then
		lathe.fail(("recipe.v3: tile = %s: V3's tiles have 128 numbers; \"mxfp8\" has groups of 32, \"fp8-tensor\" one for all"):format(tostring(t.tile)))
	end
	local scale, sum, gradients = t.scale or "f32", t.accumulate or "f32", t.gradients or "e4m3"
	local known = { ["f32 f32 e4m3"] = "fp8-v3", ["pow2 f32 e4m3"] = "fp8-v3-pow2", ["f32 hopper e4m3"] = "fp8-v3-hopper", ["f32 f32 e5m2"] = "fp8-hybrid" }
	local name = known[("%s %s %s"):format(tostring(scale), tostring(sum), tostring(gradients))]
	if not name then
		lathe.fail(("recipe.v3: scale = %s, accumulate = %s, gradients = %s: one of scale = \"pow2\", accumulate = \"hopper\" and gradients = \"e5m2\" at a time"):format(
			tostring(scale), tostring(sum), tostring(gradients)))
	end
	return name
end

return recipe
