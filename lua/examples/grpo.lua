-- GRPO with a reward of one's own: the model @reason learns to multiply two-digit numbers from nothing but a number for each of its answers.
-- Shows two of its answers before and after, the curves, and the last group with its advantages.
--
--     lathe run grpo --quick          under a minute: it only begins to learn
--     lathe run grpo --out results    about a minute: over 90 % of held-out problems are right
local lathe = require "lathe"

local problems = { "m42*76=", "m38*97=" }

local function traces(run, when)
	print(when)
	for i, problem in ipairs(problems) do
		print("  " .. problem .. run:model():generate(problem, { n = 96, seed = i }).text)
	end
end

local run = lathe.rl_run {
	name = "grpo", model = "@reason", task = "mult2", algorithm = "grpo", std = "none", mean = "token", max_new = 96,
	iterations = lathe.quick and 8 or 60, prompts = lathe.quick and 8 or 16, group = 8, seed = lathe.seed > 0 and lathe.seed or 1,
	lr = { peak = 1.5e-4, warmup = lathe.quick and 2 or 5, shape = "linear", final = 0.1 }, beta1 = 0.9, beta2 = 0.99, weight_decay = 0, clip = 1,
	reward = function(s)
		return (s.answer == s.truth and 1 or 0) + (s.answer and 0.1 or 0)
	end,
	every = { [lathe.quick and 4 or 10] = function(r)
		print(("iteration %3d  reward %.3f  right %5.1f %%  length %2.0f"):format(r.steps, r.reward:mean(4), 100 * r.accuracy:mean(4), r.length:mean(4)))
	end },
}
local n = lathe.quick and 100 or 1000

traces(run, "before:")
local before = run:eval { n = n }.pass1
run:finish()
traces(run, "after:")
print(("held out, %d problems at temperature 1: %.1f %% right before, %.1f %% after"):format(n, 100 * before, 100 * run:eval { n = n }.pass1))

local group = run:group()
print("the last group, " .. group.prompt)
for _, answer in ipairs(group) do
	print(("%6.2f %+6.2f %3d  %s"):format(answer.reward, answer.advantage, answer.length, answer.text))
end

local plot = lathe.plot.line({ reward = run.reward, right = run.accuracy, entropy = run.entropy }, { title = "GRPO on products", x = "iteration" })
plot:print()
if not lathe.quick then
	plot:save "grpo.svg"
	plot:save "grpo.csv"
end
