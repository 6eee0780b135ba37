-- code: short functions in the manner of Python. Names that are used have been given before, and blocks are indented.
local grammar = require "lathe.grammar"
local words = grammar.words

local VERBS = words "get set find count load save check parse merge split update remove build scale"
local NOUNS = words "item row node path index total word line key block group table"
local NAMES = words "x y a b n i k left right size value start end limit"
local CALLS = words "len abs max min sum sorted int str"
local COMPARE = words "< > == != <= >="
local OPERATORS = words "+ - * // %"

local code = {}

local function expression(rng, name)
	local form = rng:int(1, 5)
	if form == 1 then
		return rng:pick(name)
	elseif form == 2 then
		return rng:pick(name) .. " " .. rng:pick(OPERATORS) .. " " .. rng:int(1, 20)
	elseif form == 3 then
		return rng:pick(name) .. " " .. rng:pick(OPERATORS) .. " " .. rng:pick(name)
	elseif form == 4 then
		return rng:pick(CALLS) .. "(" .. rng:pick(name) .. ")"
	end
	return rng:pick(name) .. "[" .. rng:int(0, 9) .. "]"
end

local function condition(rng, name)
	return rng:pick(name) .. " " .. rng:pick(COMPARE) .. " " .. (rng:chance(.5) and rng:int(0, 20) or rng:pick(name))
end

local block

-- A statement as lines; new names are put into `name`.
local function statement(rng, name, depth)
	local form = rng:weighted { 4, 2, depth < 2 and 2 or 0, depth < 2 and 2 or 0, depth < 2 and 1 or 0, 1 }
	if form == 1 then
		local value, to = expression(rng, name), rng:pick(NAMES)
		name[#name + 1] = to
		return { to .. " = " .. value }
	elseif form == 2 then
		return { rng:pick(name) .. " " .. rng:pick "+-*" .. "= " .. expression(rng, name) }
	elseif form == 3 then
		return block(rng, "if " .. condition(rng, name) .. ":", name, depth)
	elseif form == 4 then
		local each, over = rng:pick { "i", "k", "item", "row" }, "range(" .. rng:pick(name) .. ")"
		name[#name + 1] = each
		return block(rng, "for " .. each .. " in " .. over .. ":", name, depth)
	elseif form == 5 then
		return block(rng, "while " .. condition(rng, name) .. ":", name, depth)
	end
	return { "print(" .. expression(rng, name) .. ")" }
end

function block(rng, head, name, depth)
	local line = { head }
	for _ = 1, rng:int(1, 2) do
		for _, s in ipairs(statement(rng, name, depth + 1)) do
			line[#line + 1] = "    " .. s
		end
	end
	return line
end

local function func(rng)
	local name = grammar.some(rng, NAMES, rng:int(1, 3))
	local head = "def " .. rng:pick(VERBS) .. "_" .. rng:pick(NOUNS) .. "(" .. table.concat(name, ", ") .. "):"
	local line = { head }
	for _ = 1, rng:int(1, 3) do
		for _, s in ipairs(statement(rng, name, 0)) do
			line[#line + 1] = "    " .. s
		end
	end
	line[#line + 1] = "    return " .. expression(rng, name)
	return table.concat(line, "\n") .. "\n"
end

function code.text(rng)
	local out = {}
	for k = 1, rng:int(1, 3) do
		out[k] = func(rng)
	end
	return table.concat(out, "\n")
end

return code
