-- What happens without one expert? The busiest expert of a layer is banned and the same text is written again with the same seed: where the
-- texts part, how far the distributions are apart, how many choices of other experts change. Then the same for every expert of the layer.
--
--     lathe run ban_expert [MODEL [LAYER [PROMPT]]] [--quick]
local lathe = require "lathe"

local model = lathe.open(lathe.args[1] or "@domains")
local layer = tonumber(lathe.args[2]) or model.layers - 1
local prompt = lathe.args[3] or "Once upon a time"
local E = model.config.n_routed_experts
local topk = ("layers.%d.moe.topk"):format(layer)

local load = model:run(prompt, { watch = topk })[topk]:histogram(E):normalise()
local busiest = load:argmax()
print(("%q in layer %d: expert %d is the busiest, %.0f %% of the choices\n"):format(prompt, layer, busiest, 100 * load:at(busiest)))

local how = { n = lathe.quick and 24 or 80, seed = 1, temperature = 1 }
local before = model:generate(prompt, how)
local after = model:with { ban = { layer = layer, expert = busiest } }:generate(prompt, how)
print("with it     " .. before.text)
print("without it  " .. after.text)
print(lathe.diff(before, after))

print(("\n%-7s %7s %12s %14s"):format("without", "load", "KL, nat", "routes flipped"))
local text = before.prompt .. before.text
for expert = 0, (lathe.quick and math.min(4, E) or E) - 1 do
	local c = lathe.compare(model, model:with { ban = { layer = layer, expert = expert } }, text)
	print(("%-7d %6.1f%% %12.5f %7d of %d"):format(expert, 100 * load:at(expert), c.kl, c.routes_flipped, c.routes))
end
print "\nKL: mean over the positions of the text of KL(untouched || without). Flipped routes are those of the layers behind and of this one."
