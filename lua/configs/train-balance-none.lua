-- Nothing keeps the experts busy alike: what the two rules are measured against.
local twins = require "lathe.twins"

return twins.run("balance-none", { balance = "none" })
