-- train: lathe.train and lathe.run. What a user writes, in the short forms too, becomes the table that a configuration file would return.
local lathe = require "lathe"

local train = {}

local function fail(...)
	lathe.fail(select("#", ...) > 1 and (...):format(select(2, ...)) or (...))
end

-- { from = to } for the nested forms: lr = { peak = 3e-3, warmup = 100 } is lr = 3e-3, warmup = 100.
local nested = {
	lr = { peak = "lr", [1] = "lr", warmup = "warmup", shape = "lr_shape", final = "lr_final", hold = "lr_hold" },
	balance = { [1] = "balance", rule = "balance", gamma = "gamma", frozen = "gamma_frozen", alpha = "alpha", alpha_device = "alpha_device",
		alpha_comm = "alpha_comm", devices = "devices", devices_kept = "devices_kept" },
	batch = { [1] = "batch", size = "batch", start = "batch_start", ramp = "batch_ramp" },
	mtp = { lambda = "mtp_lambda", [1] = "mtp_lambda", late = "mtp_late", lambda_late = "mtp_lambda_late", norm = "mtp_norm" },
}

local function flatten(config, key, value)
	for name, v in pairs(value) do
		local to = nested[key][name]
		if not to then
			local known = {}
			for k in pairs(nested[key]) do
				known[#known + 1] = type(k) == "string" and k or nil
			end
			fail("%s.%s: there is no such field; %s has %s", key, tostring(name), key, table.concat(known, ", "))
		end
		config[to] = v
	end
end

local function model_of(config, options, model)
	if type(model) ~= "table" then
		fail "model: a table is needed, of nn.LM or with the fields of a config.json"
	end
	if model.model_type == nil then
		model = lathe.nn.LM(model)
	end
	config.model = {}
	for key, value in pairs(model) do
		if key == "parts" then
			options.parts = value
		else
			config.model[key] = value
		end
	end
end

-- Names of domains and tasks, mixes of them, and sources as they are.
local function data_of(config, data)
	if type(data) ~= "string" and type(data) ~= "table" then
		fail "data: a name (\"stories\", \"add2\"), a mix { stories = 2, add = 1 } or a source { get = function(rng, split, row, i) ... end } is needed"
	end
	if type(data) == "string" and lathe.tasks.kinds[data:match "^(.-)%d*$"] and config.exam == nil then
		config.exam = lathe.tasks.exam(data)
	end
	config.data = lathe.data.source(data)
end

-- The table of a configuration file, and what is not for it.
local function translate(t)
	if type(t) == "string" then
		t = lathe.config(t)
	end
	if type(t) ~= "table" then
		fail "a run is a table { model = ..., data = ..., steps = ... }, or the name of a configuration in the box"
	end
	local config, options = {}, { every = t.every, quiet = t.quiet }
	for key, value in pairs(t) do
		if nested[key] and type(value) == "table" then
			flatten(config, key, value)
		elseif key ~= "every" and key ~= "quiet" and key ~= "model" and key ~= "data" then
			config[key] = value
		end
	end
	if type(config.exam) == "string" then
		config.exam = lathe.tasks.exam(config.exam)
	end
	if t.model ~= nil then
		model_of(config, options, t.model)
	end
	if t.data ~= nil then
		data_of(config, t.data)
	end
	if config.tokenizer == nil and config.from == nil then
		config.tokenizer = config.data and config.data.tokenizer or "@domains"
	end
	if config.seed == nil and lathe.seed ~= 0 then
		config.seed = lathe.seed
	end
	return config, options
end

train.translate = translate

--- Begins a training run and makes no step yet; run:step, run:set and run:finish go on. Takes what lathe.train takes.
---@sig (t: table | string): Run
---@example
---local run = lathe.run { model = { hidden_size = 32, num_hidden_layers = 2 }, data = "add2", steps = 4, batch = 2, seq = 32 }
---for _ = 1, 3 do print(run:step().loss:last()) end
function train.run(t)
	return lathe.begin(translate(t))
end

--- Trains a model and returns the run. t has the fields of a configuration file (lathe-config(5)): model, data, steps, batch, seq and every
--- setting of `lathe help train`; or it is the name of a configuration in the box. Shorter forms: model = the sizes that differ from
--- nn.LM's; data = a name or a mix; lr = { peak, warmup, shape, final, hold }; balance = { "bias", gamma, frozen }; mtp = { lambda, late }.
--- Without `tokenizer` it is the data's. `out` is a folder below --out for checkpoints and the finished model; what an earlier run left
--- there is replaced. every = { [20] = function(run) ... end } calls functions between steps, which may change with run:set what has a * in
--- `lathe help train` (steps, batch, lr, gamma, ...); quiet = true shows no progress.
---@sig (t: table | string): Run
---@example
---local run = lathe.train { model = { hidden_size = 32, num_hidden_layers = 2 }, data = { stories = 1, arithmetic = 1 }, steps = 3,
---	batch = 2, seq = 32, lr = { peak = 3e-3, warmup = 2 }, balance = { "bias", gamma = 1e-3 } }
---print(#run.loss, run.maxvio:mean() >= 0)
function train.train(t)
	return lathe.begin(translate(t)):finish()
end

--- A configuration in the box (lua/configs/train-NAME.lua) as a table of one's own, to change and train.
---@sig (name: string): table
---@example
---local c = lathe.config "addition"
---c.steps, c.out = 2, nil
---print(lathe.train(c).steps)
function train.config(name)
	if type(name) ~= "string" or name:find "[^%w_-]" then
		fail "config: the name of a configuration in the box is needed, such as \"addition\""
	end
	local copy = {}
	for key, value in pairs(require("lathe.configs." .. name)) do
		copy[key] = value
	end
	return copy
end

return train
