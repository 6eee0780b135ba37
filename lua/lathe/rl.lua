-- rl: lathe.rl and lathe.rl_run. What a user writes becomes the table that a configuration file of `lathe rl` would return.
local lathe = require "lathe"
local train = require "lathe.train"

local rl = {}

-- { from =, task =, reward = }, with the model's name in either field and the problems by name or as a table { ask =, judge = }.
local function translate(t)
	if type(t) == "string" then
		t = rl.config(t)
	end
	if type(t) ~= "table" then
		lathe.fail "rl: a table { model = \"@reason\", task = \"mult2\", reward = function(s) ... end } is needed, or the name of a configuration in the box"
	end
	local c = {}
	for key, value in pairs(t) do
		c[key] = value
	end
	if type(c.model) == "string" then
		if c.from then
			lathe.fail "rl: either `model` or `from` names the model, not both"
		end
		c.from, c.model = c.model, nil
	end
	if c.task ~= nil and c.exam ~= nil then
		lathe.fail "rl: `task` and `exam` are two names of the same thing; give one"
	end
	c.exam, c.task = c.task or c.exam, nil
	if type(c.exam) ~= "string" and type(c.exam) ~= "table" then
		lathe.fail "rl: task: the name of a task (\"mult2\"), lathe.tasks.exam(...) or { max_new =, ask = function(rng, i, split), judge = function(problem, text) } is needed"
	end
	if c.reward ~= nil and type(c.reward) ~= "function" then
		lathe.fail("rl: reward: a function of an answer is needed, not a " .. type(c.reward))
	end
	c.eval_n, c.eval_every = c.eval_n or 0, c.eval_every or 0
	c.tokenizer = c.tokenizer or not c.from and "@reason" or nil
	local config, options = train.translate(c)
	if options.parts and next(options.parts) then
		lathe.fail "rl: a policy whose attention or router is the script's own cannot be trained by rewards; lathe.train takes it"
	end
	return config, options
end

-- lua/configs/NAME.lua: the names that `lathe rl` takes.
function rl.config(name)
	if name:find "[^%w_-]" then
		lathe.fail "rl: the name of a configuration in the box is needed, such as \"grpo-mult2\""
	end
	return require("lathe.configs.rl." .. name)
end

--- Begins reinforcement learning and makes no iteration yet; run:step, run:set and run:finish go on. Takes what lathe.rl takes.
---@sig (t: table | string): RlRun
---@example
---local run = lathe.rl_run { model = { hidden_size = 32, num_hidden_layers = 2 }, task = "add2", prompts = 2, group = 2, max_new = 8 }
---print(run:step().reward:last(), #run:group())
function rl.rl_run(t)
	return lathe.rl_begin(translate(t))
end

--- Trains a policy by rewards and returns the run. model (or from): a checkpoint or "@NAME", or the sizes of a fresh one; task: the name of
--- a task, lathe.tasks.exam(...) or { max_new =, ask =, judge = }; reward = function(s) returns a number for s = { text, answer, truth,
--- right, thinks, length, ended, problem } (without one: 1 for right, `format` for the form). Beside them every setting of `lathe help rl`
--- (algorithm, group, prompts, iterations, ...) and of `lathe help train`. Held-out problems are asked only when eval_n (at start and end) or
--- eval_every is given. every = { [20] = function(run) ... end } calls functions between iterations; quiet = true shows no progress; `out`
--- is a folder below --out. The name of a configuration in the box ("grpo-mult2") does in place of the table. The bits are those of `lathe rl`
--- with the same settings.
---@sig (t: table | string): RlRun
---@example
---local run = lathe.rl { model = { hidden_size = 32, num_hidden_layers = 2 }, task = "add2", algorithm = "grpo", prompts = 2, group = 2,
---	max_new = 8, iterations = 2, reward = function(s) return (s.answer == s.truth and 1 or 0) + s.length / 10 end }
---print(run.reward:mean(), run.entropy:last())
function rl.rl(t)
	return lathe.rl_begin(translate(t)):finish()
end

return rl
