-- data: sources put together. A source is { get = function(rng, split, row, i) -> { prompt = ..., answer = ... } }; the names of text
-- domains and tasks ("stories", "mult2") stand for their sources.
local core = require "lathe.core"
local tasks = require "lathe.tasks"
local text = require "lathe.text"

local data = {}

local function source_of(x)
	if type(x) == "table" then
		return x
	end
	if text.domains[x] then
		return text.source(x)
	end
	if not tasks.kinds[tostring(x):match "^(.-)%d*$"] then
		local domain, task = {}, {}
		for name in pairs(text.domains) do
			domain[#domain + 1] = name
		end
		for name in pairs(tasks.kinds) do
			task[#task + 1] = name
		end
		table.sort(domain)
		table.sort(task)
		error(("data %q: there is no text domain (%s) and no task (%s, each also with a level, as mult2) of that name"):format(tostring(x),
			table.concat(domain, ", "), table.concat(task, ", ")), 4)
	end
	return tasks.source { { x } }
end

-- What a name, a mix or a source stands for.
function data.source(x)
	if type(x) == "table" and not x.get then
		return data.mix(x)
	end
	return source_of(x)
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

-- The tokenizer that fits all of them: that of the tasks knows few characters, that of the texts all.
local function tokenizer_of(source)
	for _, s in ipairs(source) do
		if s.tokenizer ~= "@reason" then
			return "@domains"
		end
	end
	return "@reason"
end

--- Each document from one of several sources, drawn by weight: names of text domains (stories, code, arithmetic, chinese) and tasks (add2,
--- mult, chain4, ...), or { { source, weight }, ... }.
---@sig (mix: table): table
---@example
---local source = lathe.data.mix { stories = 2, add2 = 1 }
---print(source.tokenizer)
function data.mix(mix)
	local source, weight = parts(mix)
	return {
		tokenizer = tokenizer_of(source),
		get = function(rng, split, row, i)
			return source[rng:weighted(weight)].get(rng, split, row, i)
		end,
	}
end

--- The same, but a whole row of a batch is of one source.
---@sig (mix: table): table
---@example
---print(lathe.data.rows { stories = 1, code = 1 }.tokenizer)
-- Rows walk through the weights by steps of the golden ratio, so that every stretch of rows, and so every
-- batch, has each source nearly in its share.
function data.rows(mix)
	local source, weight, sum = parts(mix)
	return {
		tokenizer = tokenizer_of(source),
		get = function(rng, split, row, i)
			local at, k = (row * 0x9e3779b97f4a7c15 >> 11) * 0x1p-53 * sum, 1
			while k < #source and at >= weight[k] do
				at, k = at - weight[k], k + 1
			end
			return source[k].get(rng, split, row, i)
		end,
	}
end

-- Held-out text has a stream of random numbers that no run draws from.
local STREAM_TEXT = 1001

-- The first n characters of s, and how many there are: bytes that go on a character do not count.
local function cut(s, n)
	local count = 0
	for i = 1, #s do
		local b = s:byte(i)
		if b < 128 or b >= 192 then
			if count == n then
				return s:sub(1, i - 1), n
			end
			count = count + 1
		end
	end
	return s, count
end

local function maker(what, domain, level)
	return text.domains[domain] or
		error(("%s: no text domain %s; there are arithmetic, chinese, code, stories"):format(what, tostring(domain)), level + 1)
end

-- Text of so many tokens of a model; it never ends in half a character.
local function tokens_of(make, rng, n, m)
	local s, ids, docs = "", {}, 0
	while #ids < n do
		for _ = 1, math.max(1, docs) do
			s, docs = s .. (docs > 0 and "\n" or "") .. make(rng), docs + 1
		end
		ids = m:encode(s)
	end
	local cut_ids = table.move(ids, 1, n, 1, {})
	local out = m:decode(cut_ids)
	while #cut_ids > 0 and out:sub(-3) == "\u{FFFD}" do
		cut_ids[#cut_ids] = nil
		out = m:decode(cut_ids)
	end
	return out
end

--- Text of a domain (stories, code, arithmetic, chinese) that no training run sees; the same for everybody. n counts characters, which are not
--- tokens: a token of stories has several of them, one of arithmetic often one. To compare domains give options { tokenizer = m }: then n counts
--- tokens of the model m (one or two less where the text would end in half a character). Another `part` (a number, alone or in the options), another text.
---@sig (domain: string, n: integer, options: table | integer | nil): string
---@example
---print(#lathe.data.text("stories", 100) == 100)
---local m = lathe.open "@domains"
---print(#m:encode(lathe.data.text("code", 100, { tokenizer = m })) == 100)
function data.text(domain, n, options)
	local o = type(options) == "table" and options or { part = options }
	local make = maker("data.text", domain, 2)
	local rng, pieces, have = core.rng(1, STREAM_TEXT, o.part or 0), {}, 0
	if o.tokenizer then
		return tokens_of(make, rng, n, o.tokenizer)
	end
	while have < n do
		local piece, count = cut((have > 0 and "\n" or "") .. make(rng), n - have)
		pieces[#pieces + 1], have = piece, have + count
	end
	return table.concat(pieces)
end

--- n whole documents of a domain, as a list of texts: those that lathe.data.text puts together.
---@sig (domain: string, n: integer, part: integer?): string[]
---@example
---print(#lathe.data.documents("stories", 3) == 3)
function data.documents(domain, n, part)
	local make, rng, out = maker("data.documents", domain, 2), core.rng(1, STREAM_TEXT, part or 0), {}
	for i = 1, n do
		out[i] = make(rng)
	end
	return out
end

return data
