-- Experts kept busy by the bias rule alone (V3 report 2.1.2). The same run as train-twin-mla.lua, under the name of this comparison.
local twins = require "lathe.twins"

return twins.run("balance-bias", { balance = "bias", gamma = 0.01 })
