-- Twin of train-twin-mla.lua with multi-query attention: one key head, 48 numbers a token and layer.
local twins = require "lathe.twins"

return twins.run("twin-mqa", { attention = "mqa" })
