-- The task of grpo-mult2 with PPO: every problem is answered once, and a value head tells how good an answer was to be expected.
local tasks = require "lathe.tasks"

return {
	name = "ppo-mult2",
	out = "runs/ppo-mult2",
	from = "@reason",
	algorithm = "ppo", gae = 1, discount = 1, value_lr = 1e-3, value_alone = 3, clip_low = 0.2, clip_high = 0.2,
	iterations = 60, prompts = 128, group = 1, max_new = 96,
	lr = 1e-4, lr_shape = "linear", lr_final = 0.1, warmup = 5, beta1 = 0.9, beta2 = 0.99, weight_decay = 0, clip = 1,
	seed = 1, eval_n = 1000, eval_some = 200, eval_every = 10, checkpoint_every = 20,
	exam = tasks.exam "mult2",
	reward = function(x)
		return (x.right and 1 or 0) + (x.answer and 0.1 or 0)
	end,
}
