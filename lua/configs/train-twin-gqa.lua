-- Twin of train-twin-mla.lua with grouped queries: two key heads for four of queries, 96 numbers a token and layer.
local twins = require "lathe.twins"

return twins.run("twin-gqa", { attention = "gqa", kv_heads = 2 })
