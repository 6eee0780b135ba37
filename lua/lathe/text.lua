-- text: the four small text domains, clearly different from each other, so that experts can be seen to specialise. text.source(name)
-- makes documents without a prompt; the loss counts all of them.
local text = {
	domains = {
		arithmetic = require "lathe.sums".text,
		chinese = require "lathe.chinese".text,
		code = require "lathe.code".text,
		stories = require "lathe.stories".text,
	},
}

--- Documents of one domain (stories, code, arithmetic, chinese) as a source of training text.
---@sig (name: string): table
---@example
---print(lathe.text.source("code").tokenizer)
function text.source(name)
	local make = text.domains[name] or error("no text domain " .. tostring(name) .. "; there are arithmetic, chinese, code, stories", 0)
	return {
		tokenizer = "@domains",
		get = function(rng)
			return { answer = make(rng), domain = name }
		end,
	}
end

return text
