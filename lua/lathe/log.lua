-- log: numbers that a script meets on its way, by name: from hooks, between steps.
local lathe = require "lathe"

local log = { kept = {} }

--- Keeps a number under a name; a Tensor of one number counts as one. lathe.logged() has all of them.
---@sig (name: string, value: any)
---@example
---for step = 1, 3 do lathe.log("norm", step / 2) end
---print(lathe.show(lathe.logged()))
function log.log(name, value)
	local ok, number = pcall(function() return type(value) == "userdata" and value:item() or value end)
	if type(name) ~= "string" or not ok or type(number) ~= "number" then
		lathe.fail "log: a name and a number are needed"
	end
	local list = log.kept[name] or {}
	log.kept[name] = list
	list[#list + 1] = number
end

--- What was logged: a list of numbers by name, as lathe.plot.line and lathe.json take it.
---@sig (): table
---@example
---lathe.log("loss", 2) lathe.log("loss", 1)
---lathe.plot.line(lathe.logged()):print()
function log.logged()
	return log.kept
end

return log
