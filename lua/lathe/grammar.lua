-- grammar: texts from templates. A template holds {names}, which are looked up in a table of words; an alternative is drawn for each step.
local core = require "lathe.core"

local grammar = {}

-- "a {b} c" -> { "a ", "b", " c" }: texts at odd places, names at even ones.
local function compile(template)
	local part, at = {}, 1
	while true do
		local open = core.find(template, "{", at)
		if not open then
			part[#part + 1] = template:sub(at)
			return part
		end
		local close = core.find(template, "}", open) or error("template without }: " .. template)
		part[#part + 1] = template:sub(at, open - 1)
		part[#part + 1] = template:sub(open + 1, close - 1)
		at = close + 1
	end
end

-- A step is a list of templates; a plan is a list of steps.
function grammar.plan(steps)
	local plan = {}
	for i, alternatives in ipairs(steps) do
		plan[i] = {}
		for k, template in ipairs(alternatives) do
			plan[i][k] = compile(template)
		end
	end
	return plan
end

function grammar.fill(part, words)
	local out = {}
	for i, text in ipairs(part) do
		out[i] = i % 2 == 1 and text or words[text] or error("no word for {" .. text .. "}")
	end
	return table.concat(out)
end

-- One sentence for each step of the plan, joined by `gap`.
function grammar.tell(plan, words, rng, gap)
	local out = {}
	for i, alternatives in ipairs(plan) do
		out[i] = grammar.fill(rng:pick(alternatives), words)
	end
	return table.concat(out, gap)
end

-- Words between blanks (or another character) as a list.
function grammar.words(text, sep)
	local list, at = {}, 1
	sep = sep or " "
	while true do
		local to = core.find(text, sep, at)
		list[#list + 1] = text:sub(at, (to or #text + 1) - 1)
		if not to then
			return list
		end
		at = to + #sep
	end
end

-- n different values of a list.
function grammar.some(rng, list, n)
	local out, taken = {}, {}
	while #out < n do
		local at = rng:int(1, #list)
		if not taken[at] then
			taken[at] = true
			out[#out + 1] = list[at]
		end
	end
	return out
end

return grammar
