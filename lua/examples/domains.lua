-- Which experts like which kind of text? For each layer of @domains: how far the choices of experts for stories, code, arithmetic and
-- Chinese lie apart, who is busiest with what, and a heat map of one layer.
--
--     lathe run domains [--quick]
local lathe = require "lathe"

local model = lathe.open(lathe.args[1] or "@domains")
local domains = { "stories", "code", "arithmetic", "chinese" }
local E, first = model.config.n_routed_experts, model.config.first_k_dense_replace
local n = lathe.quick and 600 or 4000 -- tokens of each domain: the same for all, so that none counts more

-- share[domain][layer]: how often each expert is chosen.
local share = {}
for _, domain in ipairs(domains) do
	local seen = model:run(lathe.data.text(domain, n, { tokenizer = model }), { watch = "layers.*.moe.topk", logits = false, window = 512 })
	share[domain] = {}
	for layer = first, model.layers - 1 do
		share[domain][layer] = seen[("layers.%d.moe.topk"):format(layer)]:histogram(E):normalise():tolist()
	end
end

local function entropy(p)
	local h = 0
	for _, x in ipairs(p) do
		h = h - (x > 0 and x * math.log(x) or 0)
	end
	return h
end

-- Jensen-Shannon divergence of the domains' shares: 0 where all choose alike, log 4 where none shares an expert with another.
local function divergence(layer)
	local mean, parts = {}, 0
	for e = 1, E do
		mean[e] = 0
		for _, domain in ipairs(domains) do
			mean[e] = mean[e] + share[domain][layer][e] / #domains
		end
	end
	for _, domain in ipairs(domains) do
		parts = parts + entropy(share[domain][layer]) / #domains
	end
	return entropy(mean) - parts
end

local function favourite(p)
	local best = 1
	for e = 2, E do
		best = p[e] > p[best] and e or best
	end
	return ("%d (%.0f%%)"):format(best - 1, 100 * p[best])
end

print(("%-6s %12s   %s"):format("layer", "JS, nat", "busiest expert (share of the choices)"))
print(("%-6s %12s   %-14s %-14s %-14s %-14s"):format("", "", table.unpack(domains)))
for layer = first, model.layers - 1 do
	local best = {}
	for i, domain in ipairs(domains) do
		best[i] = favourite(share[domain][layer])
	end
	print(("%-6d %12.3f   %-14s %-14s %-14s %-14s"):format(layer, divergence(layer), table.unpack(best)))
end
print(("even choice: %.1f%%; JS at most %.3f"):format(100 / E, math.log(#domains)))

local last = model.layers - 1
local rows = {}
for _, domain in ipairs(domains) do
	rows[domain] = share[domain][last]
end
lathe.plot.heat(rows, { x = "expert", title = ("layer %d, share of choices"):format(last) }):print()

print [[

Quoted: V3 report 4.5.3 and figure 9: under loss-free balancing experts of a 16B model are busy with different parts of the Pile, more so
than under an auxiliary loss; it gives a picture and no number.
What this does not show: these texts differ in their very characters, which makes experts easy to tell apart.]]
