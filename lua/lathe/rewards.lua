-- rewards: parts that a reward of `lathe rl` may be made of. Each takes what is known of an answer (text, answer, truth, right, thinks, length,
-- ended, problem) and returns a number; rewards.sum makes one reward of several with weights:
--     reward = rewards.sum { { 1, rewards.accuracy }, { 0.1, rewards.format }, { 0.5, rewards.short(60, 96) } }
local core = require "lathe.core"

local rewards = {}

-- 1 for a right answer.
function rewards.accuracy(x)
	return x.right and 1 or 0
end

-- 1 for an answer in the form that can be read.
function rewards.format(x)
	return x.answer and 1 or 0
end

-- 1 for an answer with a thought before it.
function rewards.thought(x)
	return x.thinks and x.answer and 1 or 0
end

-- 0 up to `free` tokens, falling evenly to -1 at `most` and beyond (DAPO's soft punishment of overlong answers).
function rewards.short(free, most)
	return function(x)
		if x.length <= free then
			return 0
		end
		return -math.min(1, (x.length - free) / (most - free))
	end
end

-- The share of the thought's words that the function `known` accepts (R1's language consistency). Words are divided by blanks.
function rewards.language(known)
	return function(x)
		local close = core.find(x.text, "</think>")
		local from, all, good = #"<think>" + 1, 0, 0
		local thought = close and x.text:sub(1, 7) == "<think>" and x.text:sub(from, close - 1) or ""
		local at = 1
		while at <= #thought do
			local blank = core.find(thought, " ", at) or #thought + 1
			if blank > at then
				all = all + 1
				good = good + (known(thought:sub(at, blank - 1)) and 1 or 0)
			end
			at = blank + 1
		end
		return all > 0 and good / all or 0
	end
end

-- One reward of a list of { weight, part }.
function rewards.sum(list)
	return function(x)
		local all = 0
		for _, part in ipairs(list) do
			all = all + part[1] * part[2](x)
		end
		return all
	end
end

return rewards
