-- Products of two-digit numbers, from @reason: no example of a right answer is shown, only a reward for one that is found. The model learns
-- to think before it answers, since its long answers are mostly right and its short ones mostly wrong.
local tasks = require "lathe.tasks"

return {
	name = "grpo-mult2",
	out = "runs/grpo-mult2",
	from = "@reason",
	algorithm = "grpo", std = "none", mean = "token",
	iterations = 60, prompts = 16, group = 8, max_new = 96,
	lr = 1.5e-4, lr_shape = "linear", lr_final = 0.1, warmup = 5, beta1 = 0.9, beta2 = 0.99, weight_decay = 0, clip = 1,
	seed = 1, eval_n = 1000, eval_some = 200, eval_every = 10, checkpoint_every = 20,
	exam = tasks.exam "mult2",
	-- 1 for a right answer; 0.1 for one in the form that can be read. x: text, answer, truth, right, thinks, length, ended, problem.
	reward = function(x)
		return (x.right and 1 or 0) + (x.answer and 0.1 or 0)
	end,
}
