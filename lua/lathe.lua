-- lathe: the module of experiments. What is written in C comes as the chunk's argument; the parts in Lua are read when they are first used.
local lathe = ...

-- lathe.data is lua/lathe/data.lua, and so on.
local parts = { data = true, nn = true, plot = true, recipe = true, study = true, tasks = true, text = true }
-- Functions of the module that are written in Lua, and where.
local functions = { train = "train", run = "train", config = "train", rl = "rl", rl_run = "rl", log = "log", logged = "log", show = "show" }

return setmetatable(lathe, {
	__index = function(t, key)
		local module = functions[key] or parts[key] and key
		if not module then
			lathe.fail(("lathe.%s: there is no such function; `lathe help lua` lists them"):format(tostring(key)))
		end
		local value = require("lathe." .. module)
		value = functions[key] and value[key] or value
		rawset(t, key, value)
		return value
	end,
})
