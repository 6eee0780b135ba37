-- data: sources put together. A source is { get = function(rng, split, row, i) -> { prompt = ..., answer = ... } }; the names of text
-- domains and tasks ("stories", "mult2") stand for their sources.
local tasks = require "lathe.tasks"
local text = require "lathe.text"

local data = {}

local function source_of(x)
	if type(x) == "table" then
		return x
	end
	return text.domains[x] and text.source(x) or tasks.source { { x } }
end

-- { stories = 2, mult2 = 1 } or { { source, 2 }, { source, 1 } } -> list of sources, list of weights.
local function parts(mix)
	local source, weight, sum = {}, {}, 0
	for key, value in pairs(mix) do
		local named = type(key) == "string"
		source[#source + 1] = source_of(named and key or value[1])
		weight[#weight + 1] = named and value or value[2] or 1
		sum = sum + weight[#weight]
	end
	if not (sum > 0) then
		error("data: a mix without a weight above 0", 0)
	end
	return source, weight, sum
end

-- Each document from one of the sources, drawn by weight.
function data.mix(mix)
	local source, weight = parts(mix)
	return {
		get = function(rng, split, row, i)
			return source[rng:weighted(weight)].get(rng, split, row, i)
		end,
	}
end

-- A whole row from one source. Rows walk through the weights by steps of the golden ratio, so that every stretch of rows, and so every
-- batch, has each source nearly in its share.
function data.rows(mix)
	local source, weight, sum = parts(mix)
	return {
		get = function(rng, split, row, i)
			local at, k = (row * 0x9e3779b97f4a7c15 >> 11) * 0x1p-53 * sum, 1
			while k < #source and at >= weight[k] do
				at, k = at - weight[k], k + 1
			end
			return source[k].get(rng, split, row, i)
		end,
	}
end

return data
