-- puzzles: sorting, counting, brackets, recall of pairs over a long context, and a small countdown.
local puzzles = {}

local function digits(rng, n, from)
	local d = {}
	for i = 1, n do
		d[i] = rng:int(from or 0, 9)
	end
	return d
end

-- s3817=1378. The level makes 3, 5, 7, ... digits. fine: the smallest first, then what is left.
local sort = {
	name = "sort", first = 1, levels = 5, max_new = 120,
	styles = { direct = .4, fine = .6 },
	make = function(rng, level)
		local d = digits(rng, 2 * level + 1)
		local sorted = table.pack(table.unpack(d))
		table.sort(sorted)
		return { prompt = "s" .. table.concat(d) .. "=", answer = table.concat(sorted), d = d }
	end,
	body = function(p, style)
		if style == "direct" then
			return ""
		end
		local left, step = table.pack(table.unpack(p.d)), {}
		while #left > 0 do
			local at = 1
			for i = 2, #left do
				at = left[i] < left[at] and i or at
			end
			step[#step + 1] = left[at] .. ">"
			table.remove(left, at)
			step[#step] = step[#step] .. table.concat(left)
		end
		return table.concat(step, ",")
	end,
}

-- n7:3717727=4, how often 7 stands there. The level makes 4, 8, 12, ... digits. fine: the number so far beside each digit.
local count = {
	name = "count", first = 1, levels = 6, max_new = 128,
	styles = { direct = .4, fine = .6 },
	make = function(rng, level)
		local d, what, n = digits(rng, 4 * level), rng:int(0, 9), 0
		for i = 1, #d do
			if rng:chance(.3) then
				d[i] = what
			end
			n = n + (d[i] == what and 1 or 0)
		end
		return { prompt = "n" .. what .. ":" .. table.concat(d) .. "=", answer = tostring(n), d = d, what = what }
	end,
	body = function(p, style)
		if style == "direct" then
			return ""
		end
		local step, n = {}, 0
		for i, x in ipairs(p.d) do
			n = n + (x == p.what and 1 or 0)
			step[i] = x .. ":" .. n
		end
		return table.concat(step, ",")
	end,
}

local CLOSING = { ["("] = ")", ["["] = "]", ["{"] = "}" }

-- p([]{(= is answered by what closes all that is open, innermost first: )}. When nothing is open the answer is a dot.
local function brackets_make(rng, level)
	local text, open, stages = {}, {}, {}
	for i = 1, 4 * level do
		if #open == 0 or #open < 8 and rng:chance(.6) then
			text[i] = rng:pick "([{"
			open[#open + 1] = text[i]
		else
			text[i] = CLOSING[table.remove(open)]
		end
		stages[i] = #open > 0 and table.concat(open) or "."
	end
	local close = {}
	for i = #open, 1, -1 do
		close[#close + 1] = CLOSING[open[i]]
	end
	return { prompt = "p" .. table.concat(text) .. "=", answer = #close > 0 and table.concat(close) or ".", stages = stages }
end

-- fine: what is open behind each bracket.
local brackets = {
	name = "brackets", first = 1, levels = 5, max_new = 224,
	styles = { direct = .4, fine = .6 },
	make = brackets_make,
	body = function(p, style)
		return style == "fine" and table.concat(p.stages, ",") or ""
	end,
}

local NAMES = "abcdefgh"

-- kab12,hc07?ab=12: the number that stands behind the letters. The level doubles the pairs: 2, 4, ... 64, 64 being 320 characters.
-- fine: the pair again.
local recall = {
	name = "recall", first = 1, levels = 6, max_new = 24,
	styles = { direct = .7, fine = .3 },
	make = function(rng, level)
		local name, value, text, seen = {}, {}, {}, {}
		local n = 1 << level
		while #name < n do
			local key = rng:pick(NAMES) .. rng:pick(NAMES)
			if not seen[key] then
				seen[key] = true
				name[#name + 1], value[#value + 1] = key, ("%02d"):format(rng:int(0, 99))
				text[#text + 1] = key .. value[#value]
			end
		end
		local at = rng:int(1, n)
		return { prompt = "k" .. table.concat(text, ",") .. "?" .. name[at] .. "=", answer = value[at], pair = text[at] }
	end,
	body = function(p, style)
		return style == "fine" and p.pair or ""
	end,
}

-- --- countdown ---

local APPLY = {
	["+"] = function(a, b) return a + b end,
	["-"] = function(a, b) return a - b end,
	["*"] = function(a, b) return a * b end,
}

-- t3,4,6:22=(3*6)+4: each number once, + - * and brackets. The level makes 2, 3, 4 numbers. The answer takes the numbers one after the
-- other; other right answers are accepted.
local function countdown_make(rng, level)
	for _ = 1, 200 do
		local n = digits(rng, level + 1, 1)
		local value, text, step = n[1], tostring(n[1]), {}
		for i = 2, #n do
			local op = rng:pick "+-*"
			local result = APPLY[op](value, n[i])
			step[#step + 1] = value .. op .. n[i] .. "=" .. result
			text = (i > 2 and "(" .. text .. ")" or text) .. op .. n[i]
			value = result
			if value < 0 or value > 99 then
				break
			end
		end
		if value > 0 and value <= 99 then
			local shown = table.pack(table.unpack(n))
			table.sort(shown)
			return { prompt = "t" .. table.concat(shown, ",") .. ":" .. value .. "=", answer = text, n = shown, target = value,
				steps = table.concat(step, ",") }
		end
	end
	error("countdown: no puzzle found", 0)
end

-- A small reader of expressions: s from byte `at`; nil: not an expression. `used` collects the numbers.
local read_sum

local function read_atom(s, at, used, depth)
	local c = s:sub(at, at)
	if c == "(" and depth < 16 then
		local v, to = read_sum(s, at + 1, used, depth + 1)
		if v and s:sub(to, to) == ")" then
			return v, to + 1
		end
		return nil
	end
	local to = at
	while to <= #s and to < at + 3 and s:byte(to) >= 48 and s:byte(to) <= 57 do
		to = to + 1
	end
	if to == at then
		return nil
	end
	used[#used + 1] = math.tointeger(tonumber(s:sub(at, to - 1)))
	return used[#used], to
end

local function read_product(s, at, used, depth)
	local v, to = read_atom(s, at, used, depth)
	while v and s:sub(to, to) == "*" do
		local w
		w, to = read_atom(s, to + 1, used, depth)
		v = w and v * w
	end
	return v, to
end

function read_sum(s, at, used, depth)
	local v, to = read_product(s, at, used, depth)
	while v and (s:sub(to, to) == "+" or s:sub(to, to) == "-") do
		local op, w = s:sub(to, to)
		w, to = read_product(s, to + 1, used, depth)
		v = w and APPLY[op](v, w)
	end
	return v, to
end

local function countdown_right(p, answer)
	local used = {}
	if #answer > 64 then
		return false
	end
	local v, to = read_sum(answer, 1, used, 0)
	if v ~= p.target or to ~= #answer + 1 or #used ~= #p.n then
		return false
	end
	table.sort(used)
	for i, n in ipairs(p.n) do
		if used[i] ~= n then
			return false
		end
	end
	return true
end

local countdown = {
	name = "countdown", first = 1, levels = 3, max_new = 64,
	styles = { direct = .3, fine = .7 },
	make = countdown_make, right = countdown_right,
	body = function(p, style)
		return style == "fine" and p.steps or ""
	end,
}

puzzles.kinds = { sort, count, brackets, recall, countdown }
return puzzles
