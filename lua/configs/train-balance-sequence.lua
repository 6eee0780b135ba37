-- Experts kept busy by V3's sequence-wise loss, as strong as it takes without the bias rule (V3 report, eq. 17-20).
local twins = require "lathe.twins"

return twins.run("balance-sequence", { balance = "sequence", alpha = 0.01 })
