-- Read and replace what a model computes: each head's part in the answer, by taking heads away one at a time; and a direction found in one
-- text and added to another.
--
--     lathe run hooks
local lathe = require "lathe"

local model = lathe.open "@domains"
local text = lathe.data.text("stories", 300)

-- A hook that only looks: nothing is returned, nothing changes.
local norms = {}
local id = model:hook("layers.*.attn.out", function(x, at)
	norms[at.layer] = x:norm()
end)
local plain = model:run(text)
model:unhook(id)
for layer = 0, model.layers - 1 do
	print(("layer %d: norm of what attention adds %.2f"):format(layer, norms[layer]))
end

-- A hook that replaces: what it returns takes the value's place, in this forward and in gradients through it.
print(("\n%-28s loss %.4f nat a token"):format("untouched", plain.loss))
for layer = 0, model.layers - 1 do
	local hook = model:hook(("layers.%d.attn.out"):format(layer), function(x)
		return x * 0
	end)
	print(("%-28s loss %.4f"):format(("no attention in layer %d"):format(layer), model:run(text).loss))
	model:unhook(hook)
end

-- Steering: from the mean stream of stories to that of Chinese, added to an English prompt.
local middle = ("layers.%d.resid_post"):format(model.layers // 2 - 1)
local function mean_of(domain)
	return model:run(lathe.data.text(domain, 600), { watch = middle, logits = false, window = 512 })[middle]:mean(0)
end
local towards = mean_of "chinese" - mean_of "stories"
for _, scale in ipairs { 0, 0.5, 1, 2 } do
	local steered = model:with { steer = { name = middle, vector = towards, scale = scale } }
	print(("\nsteered by %.1f: %s"):format(scale, steered:generate("Once upon a time", { n = 40, temperature = 0 }).text))
end
