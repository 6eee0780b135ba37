-- nn: attention and routers as modules. A class is made by nn.module; its build makes the fields, weights and smaller modules, and its forward is
-- the equation. There are nn.Linear(in, out, { bias = true }), nn.RMSNorm(n, eps), nn.MLA(c), nn.MHA(c), nn.GQA(c), nn.MQA(c) and nn.Router(c); c is
-- the config, and lua/lathe/nn/ has each beside its section of the report. forward sees the rows of all sequences of a batch, [T, hidden_size]; rope
-- and attend know where each begins. A weight is called by the fields that lead to it: self.gate is model.layers.N.self_attn.gate.weight.
local lathe = require "lathe"

local nn = {}

-- A weight before the model exists: during a forward the layer's tensor stands in its place.
local Weight = {}
Weight.__index = Weight
Weight.__name = "nn.weight"

--- A weight [rows, cols] of a module, for a field. It begins with normal numbers of the run's init_std (where the field is called o_proj or
--- down_proj: over sqrt(2 layers)); during a forward the layer's tensor stands in the field.
---@sig (rows: integer, cols: integer): table
function nn.matrix(rows, cols)
	return setmetatable({ rows = rows, cols = cols }, Weight)
end

--- A weight [n] of a module, for a field. It begins with zeros, or with ones when start is 1, and is not decayed. A router's vector that is
--- called e_score_correction_bias has no gradient: the bias rule moves it.
---@sig (n: integer, start: integer?): table
function nn.vector(n, start)
	return setmetatable({ rows = n, ones = start == 1 }, Weight)
end

--- The value under a name of the layer's, as LET does it in C: layers.N.attn.NAME or layers.N.moe.NAME. Hooks and probes see it, and may have
--- put another in its place. The balance losses read a router's "scores".
---@sig (name: string, value: Tensor): Tensor
---@example
---assert(lathe.nn.name("c_KV", lathe.ones(3)):sum() == 3)
function nn.name(name, value)
	return lathe.part.name(name, value)
end

-- Fields in the order in which build made them: pairs() has none.
local order = setmetatable({}, { __mode = "k" })

local Module = {}

function Module:build() end

function Module:forward()
	lathe.fail(("%s has no forward"):format(self.name))
end

local function instance_of(class)
	return {
		__index = class,
		__name = class.name,
		__call = function(self, ...)
			return self:forward(...)
		end,
		__newindex = function(self, key, value)
			local list = order[self]
			list[#list + 1] = key
			rawset(self, key, value)
		end,
	}
end

--- A class of modules. Class(...) makes one and calls its build(...); calling the module calls its forward. parent: the class that it is like
--- until it writes its own build or forward, nn.module("Mine", nn.MLA). Given to nn.LM as attention, forward(h, ctx) gives [T, hidden_size]; as
--- router, the weights [T, K] and the choice [T, K]. ctx.layer is the layer, ctx.config the model's. The name is kept in checkpoints.
---@sig (name: string, parent: table?): table
---@example
---local nn = lathe.nn
---local GatedMLA = nn.module "GatedMLA"
---function GatedMLA:build(c) self.mla, self.gate = nn.MLA(c), nn.Linear(c.hidden_size, c.hidden_size) end
---function GatedMLA:forward(h) return self.mla(h) * self.gate(h):sigmoid() end
---local model = nn.LM { attention = GatedMLA, hidden_size = 32, num_hidden_layers = 2 }
---print(lathe.train { model = model, data = "add2", steps = 2, batch = 2, seq = 32 }.loss:last())
function nn.module(name, parent)
	if type(name) ~= "string" or not name:match "^%a[%w_]*$" then
		lathe.fail "nn.module: a name of letters, digits and _ is needed"
	end
	local class = { name = name, parent = parent }
	local meta = instance_of(class)
	return setmetatable(class, {
		__index = parent or Module,
		__name = "nn.module",
		__call = function(_, ...)
			local self = {}
			order[self] = {}
			setmetatable(self, meta)
			self:build(...)
			return self
		end,
	})
end

-- y = W x, with { bias = true } W x + b.
nn.Linear = nn.module "Linear"

function nn.Linear:build(n_in, n_out, o)
	self.weight = nn.matrix(n_out, n_in)
	if o and o.bias then
		self.bias = nn.vector(n_out)
	end
end

function nn.Linear:forward(x)
	return self.bias and x:linear_bias(self.weight, self.bias) or x:linear(self.weight)
end

-- y = g x / sqrt(mean x^2 + eps)
nn.RMSNorm = nn.module "RMSNorm"

function nn.RMSNorm:build(n, eps)
	self.weight, self.eps = nn.vector(n, 1), eps or 1e-6
end

function nn.RMSNorm:forward(x)
	return x:rmsnorm(self.weight, self.eps)
end

-- --- a module as a part of a model ---

local function keys_of(t)
	if order[t] then
		return order[t]
	end
	local keys = {}
	for k in pairs(t) do
		keys[#keys + 1] = k
	end
	return keys
end

local collect

-- One field: a weight, a module, or a list of modules, which count from 0.
local function collect_field(t, key, prefix, found, inside)
	local value = rawget(t, key)
	if type(value) ~= "table" then
		return
	end
	local name = prefix .. (type(key) == "number" and tostring(key - 1) or tostring(key))
	if getmetatable(value) == Weight then
		local slot = found.slot[value]
		if not slot then
			slot = { name = name, rows = value.rows, cols = value.cols, ones = value.ones }
			found.slot[value] = slot
			found[#found + 1] = slot
		end
		slot[#slot + 1] = { t, key }
	elseif not inside[value] and (order[value] or type(key) == "number" or #value > 0) then
		collect(value, name .. ".", found, inside)
	end
end

function collect(t, prefix, found, inside)
	inside[t] = true
	for _, key in ipairs(keys_of(t)) do
		collect_field(t, key, prefix, found, inside)
	end
	inside[t] = nil
end

-- What lathe.part.new takes: the weights of one layer, and a forward that puts a layer's tensors in their places.
local function part(class, config, prefix)
	local self = class(config)
	local found, ctx = { slot = {} }, { config = config }
	collect(self, prefix, found, {})
	found.slot = nil
	return {
		name = class.name,
		weights = found,
		forward = function(layer, h, ...)
			local tensor = { ... }
			for i = 1, #found do
				for _, place in ipairs(found[i]) do
					rawset(place[1], place[2], tensor[i])
				end
			end
			ctx.layer = layer
			return self:forward(h, ctx)
		end,
	}
end

-- The parts of a model for lathe.part.new; what nn has in C too is no part. config is kept: a table of its own.
function nn.parts(config, attention, router)
	local of = {}
	if attention and not rawget(attention, "builtin") then
		of.attention = part(attention, config, "self_attn.")
	end
	if router and not rawget(router, "builtin") then
		of.router = part(router, config, "mlp.gate.")
	end
	return next(of) and lathe.part.new(of) or nil
end

--- Opens a checkpoint whose attention or router a script has defined, as lathe.open does others: nn.open(PATH, { attention = GatedMLA }).
--- The classes must be called what the checkpoint calls them. Further options are those of lathe.open.
---@sig (path: string, options: table): Model
function nn.open(path, options)
	local o = {}
	for key, value in pairs(options or {}) do
		o[key] = value
	end
	o.attention, o.router = nil, nil
	o.parts = nn.parts(lathe.part.config(path), options.attention, options.router)
	return lathe.open(path, o)
end

--- The softmax scale of a config: 1 / sqrt(width of a head), times YaRN's m^2.
---@sig (c: table): number
---@example
---assert(lathe.nn.scale { qk_nope_head_dim = 12, qk_rope_head_dim = 4 } == 0.25)
function nn.scale(c)
	local scale, y = 1 / math.sqrt(c.qk_nope_head_dim + c.qk_rope_head_dim), c.rope_scaling
	if type(y) ~= "table" or (y.mscale_all_dim or 0) == 0 then
		return scale
	end
	local m = y.factor <= 1 and 1 or 0.1 * y.mscale_all_dim * math.log(y.factor) + 1
	return scale * m * m
end

--- The model that lathe.train and lathe.run make, as a table of sizes: keys are those of a DeepSeek-V3 config.json, and what is not given has a
--- value for a small model. Beside them: attention and router, classes of nn or the script's own; mtp, the number of MTP modules. Vocabulary
--- and end of text are the tokenizer's unless they are given.
---@sig (sizes: table): table
---@example
---local m = lathe.nn.LM { attention = lathe.nn.MQA, hidden_size = 64, mtp = 1 }
---assert(m.lathe_attention == "mqa" and m.num_nextn_predict_layers == 1)
function nn.LM(sizes)
	return require "lathe.nn.lm"(nn, sizes)
end

-- The reports' own, each in a file to be read beside its section, and copied.
local files = { MLA = "mla", MHA = "heads", GQA = "heads", MQA = "heads", Router = "router" }

return setmetatable(nn, {
	__index = function(_, key)
		if not files[key] then
			lathe.fail(("nn.%s: there is no such module; there are Linear, RMSNorm, MLA, MHA, GQA, MQA, Router, LM"):format(tostring(key)))
		end
		require("lathe.nn." .. files[key])(nn)
		return rawget(nn, key)
	end,
})
