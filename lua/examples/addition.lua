-- Addition: a model of two layers learns to add two-digit numbers, writing its steps. Prints how many held-out sums are right on the way, and
-- draws the loss.
--
--     lathe run addition --quick          a few seconds: it only begins to learn
--     lathe run addition --out results    under a minute: most sums are right
local lathe = require "lathe"

local config = lathe.config "addition"
config.out = nil
config.steps = lathe.quick and 60 or 700
config.eval_every = config.steps // 4
config.seed = lathe.seed > 0 and lathe.seed or 1
config.every = {
	[config.steps // 2] = function(run)
		print(("step %4d  loss %.3f  right %3.0f %%"):format(run.steps, run.loss:mean(20), 100 * run:eval { n = 100, temperature = 0 }.pass1))
	end,
}

local run = lathe.train(config)
print(run:sample(40))
print(("%d steps, %d parameters, held-out loss %.3f"):format(run.steps, run.parameters, run.held_out:last()))

local plot = lathe.plot.line({ ["all"] = run.loss, ["main"] = run.main_loss, ["MTP"] = run.mtp_loss }, { title = "loss" })
plot:print()
if not lathe.quick then
	plot:save "addition.txt"
	plot:save "addition.csv"
end
