-- Twin of train-twin-mla.lua with multi-head attention: as many key heads as queries, 192 numbers a token and layer.
local twins = require "lathe.twins"

return twins.run("twin-mha", { attention = "mha" })
