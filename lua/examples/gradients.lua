-- The gradient of anything with respect to anything: which token of the prompt does the next one hang on, and in which layer is it read? What
-- is differentiated is how much more the model likes one token than another, ln p(answer) - ln p(other), with respect to the residual stream.
--
--     lathe run gradients [PROMPT ANSWER OTHER]
local lathe = require "lathe"

local model = lathe.open "@reason"
local prompt = lathe.args[1] or "m12*34=<think>2*4="
local answer, other = lathe.args[2] or "8", lathe.args[3] or "6"

local tape = model:tape(prompt)
local last = tape.logits:at(-1)
local margin = last:logprob(answer) - last:logprob(other)
local grad = tape:grad(margin, "layers.*.resid_post")
print(("ln p(%s) - ln p(%s) behind %q = %.3f nat\n"):format(answer, other, prompt, margin:item()))

print "Norm of its gradient with respect to the stream behind each layer, at each token of the prompt:\n"
local tokens, head = model:tokens(prompt), {}
for i, token in ipairs(tokens) do
	head[i] = ("%8s"):format(token)
end
print(("%-6s%s"):format("layer", table.concat(head)))
for layer = 0, model.layers - 1 do
	local g, cells = grad[("layers.%d.resid_post"):format(layer)], {}
	for i = 0, #tokens - 1 do
		cells[i + 1] = ("%8.3f"):format(g:at(i):norm())
	end
	print(("%-6d%s"):format(layer, table.concat(cells)))
end
print "\nIn the last layer only the last token's stream counts: nothing looks at the others any more."
