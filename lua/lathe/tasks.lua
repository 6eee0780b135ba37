-- tasks: problems with known answers at several levels, the steps to them in several styles, and their judges.
--
-- A problem is { prompt = "m72*85=", answer = "6120", level = 2, task = "mult", ... }; its first character names the task. A response is
-- <think>BODY</think><answer>A</answer>. A problem is held out, never seen in training, when crc32(prompt) mod 5 is 0.
local core = require "lathe.core"
local arith = require "lathe.arith"
local puzzles = require "lathe.puzzles"

local tasks = { kinds = {} }

-- A kind: name, levels (the highest), styles { name = share }, make(rng, level) -> problem, body(problem, style, rng) -> text,
-- and, where several answers are right, right(problem, answer) -> boolean. max_new: tokens of its longest response.
for _, module in ipairs { arith, puzzles } do
	for _, kind in ipairs(module.kinds) do
		tasks.kinds[kind.name] = kind
	end
end

local function kind_of(name)
	local kind = tasks.kinds[name]
	if not kind then
		local names = {}
		for known in pairs(tasks.kinds) do
			names[#names + 1] = known
		end
		error(("task %q: there is none of that name; there are: %s, each also with a level behind, as mult2"):format(name,
			table.concat(names, ", ")), 4)
	end
	return kind
end

-- "mult2" -> kind, 2; "mult" -> kind, nil. Errors point at the caller's caller, who wrote the name.
function tasks.find(name)
	local at = #name
	while at > 0 and name:byte(at) >= 48 and name:byte(at) <= 57 do
		at = at - 1
	end
	local kind, level = kind_of(name:sub(1, at)), tonumber(name:sub(at + 1))
	if level and (level < kind.first or level > kind.levels) then
		error(("task %s: levels %d to %d"):format(kind.name, kind.first, kind.levels), 3)
	end
	return kind, level
end

function tasks.is_held_out(prompt)
	return core.crc32(prompt) % 5 == 0
end

-- A problem of one split; one in five is held out, so a few draws do.
function tasks.problem(kind, level, held_out, rng)
	for _ = 1, 1000 do
		local p = kind.make(rng, level)
		if tasks.is_held_out(p.prompt) == held_out then
			p.task, p.level = kind.name, level
			return p
		end
	end
	error(("task %s, level %d: too few different problems"):format(kind.name, level), 0)
end

-- Lists for rng:weighted, in the order of the names.
local function shares(t)
	local name, weight = {}, {}
	for key, share in pairs(t) do
		name[#name + 1], weight[#weight + 1] = key, share
	end
	return name, weight
end

function tasks.response(kind, p, style, rng)
	return ("<think>%s</think><answer>%s</answer>"):format(kind.body(p, style, rng), p.answer)
end

-- What stands in a text: the answer of one in the right form, or nil.
function tasks.read_answer(text)
	local close = core.find(text, "</think><answer>")
	if text:sub(1, 7) ~= "<think>" or not close then
		return nil
	end
	local from = close + #"</think><answer>"
	local to = core.find(text, "</answer>", from)
	local rest = to and text:sub(to + #"</answer>")
	if rest ~= "" and rest ~= "<eos>" then
		return nil
	end
	return text:sub(from, to - 1)
end

function tasks.judge(problem, text)
	local answer = tasks.read_answer(text)
	if not answer then
		return false, nil
	end
	local kind = tasks.kinds[problem.task]
	if kind.right then
		return kind.right(problem, answer), answer
	end
	return answer == problem.answer, answer
end

--- Training text of tasks, with the steps written in several styles: a list of { "chain", share = 1, levels = { 1, 6 }, styles = { check = 1 } };
--- without levels and styles all of the task's. The problems of exams never occur in it.
---@sig (list: table): table
---@example
---print(lathe.tasks.source({ { "add", levels = { 2, 2 } }, { "mult2", share = 0.5 } }).tokenizer)
-- Training text: tasks.source { { "chain", share = .24, levels = { 1, 6 }, styles = { guess = .6, check = .4 } }, ... }.
-- Levels are drawn alike; without `levels` all of the task's, without `styles` its own mix.
function tasks.source(list)
	local weight = {}
	local entry = {}
	for i, e in ipairs(list) do
		local kind, level = tasks.find(e[1])
		local lo, hi = level or kind.first, level or kind.levels
		if e.levels then
			lo, hi = e.levels[1], e.levels[2] or e.levels[1]
		end
		if lo < kind.first or hi > kind.levels or lo > hi then
			error(("task %s: levels %d to %d"):format(kind.name, kind.first, kind.levels), 2)
		end
		local style, style_weight = shares(e.styles or kind.styles)
		for _, s in ipairs(style) do
			if not kind.styles[s] then
				error(("task %s has no style %q"):format(kind.name, s), 2)
			end
		end
		weight[i] = e.share or 1
		entry[i] = { kind = kind, lo = lo, hi = hi, style = style, weight = style_weight }
	end
	return {
		tokenizer = "@reason",
		get = function(rng, split)
			local e = entry[rng:weighted(weight)]
			local p = tasks.problem(e.kind, rng:int(e.lo, e.hi), split == "held_out", rng)
			local style = e.style[rng:weighted(e.weight)]
			return { prompt = p.prompt, answer = tasks.response(e.kind, p, style, rng), style = style, problem = p }
		end,
	}
end

--- Held-out problems of one task, the same for everybody: "mult2" (level 2), "mult" (all levels, in turn), or with the level as a number of its
--- own. The tasks are add, brackets, chain, count, countdown, mult, recall and sort.
---@sig (name: string, level: integer?): table
---@example
---print(lathe.tasks.exam("chain", 3).max_new)
-- Problems of one task: tasks.exam("mult2"), tasks.exam("chain"), tasks.exam("chain", 6). Levels take turns. Held-out ones, unless
-- reinforcement learning asks for those of the split "train".
function tasks.exam(name, level)
	local kind, own = tasks.find(name)
	if own and level and own ~= level then
		error(("task %s is of level %d, not %d"):format(name, own, level), 0)
	end
	local one = level or own
	if one and (one < kind.first or one > kind.levels) then
		error(("task %s: levels %d to %d"):format(kind.name, kind.first, kind.levels), 0)
	end
	return {
		max_new = kind.max_new,
		ask = function(rng, i, split)
			return tasks.problem(kind, one or kind.first + i % (kind.levels - kind.first + 1), split ~= "train", rng)
		end,
		judge = tasks.judge,
	}
end

return tasks
