-- Twin of train-twin-{mha,gqa,mqa}.lua: Multi-head Latent Attention, which keeps 40 numbers a token and layer.
local twins = require "lathe.twins"

return twins.run("twin-mla", { attention = "mla" })
