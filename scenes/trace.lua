-- Trace: a text token by token: how sure it was, which layer decided, which experts it went through; and other ways it could have gone.
return scene {
	title = "Trace",
	topics = { "layers.*.moe.topk", "layers.*.moe.weights" },
	here = { "lens.p", "lens.top" },
	about = {
		"bar at the left  lines of the think span, <think> to </think>;  c colours",
		"                 the text by entropy, probability, drafts of MTP",
		"logit lens       the last norm and the head on the residual stream behind",
		"                 each layer: says what the text would go on with there;",
		"                 taken is the probability of the token that is there",
		"decided          the first layer from which on the best token stays",
		"logprob          natural logarithm; of a branch: mean of its own tokens",
		"branches         b takes the alternative under the cursor, or the likeliest",
		"                 other one;  T shows the text under the cursor, End returns",
	},
	layout = cols {
		rows {
			weight = 5,
			trace { "trace", title = "text", min = { 36, 5 }, prio = 1, weight = 4 },
			heat { "lens_map", title = "p of each token, by layer", min = { 34, 10 }, prio = 9, weight = 4, optional = true },
			card { "thought", title = "spans", min = { 36, 4 }, prio = 6, fit = true, optional = true },
			table { "branches", title = "branches", min = { 38, 5 }, prio = 4, weight = 5, fit = true },
			table { "beside", title = "side by side", min = { 38, 5 }, prio = 5, weight = 4, fit = true, optional = true },
		},
		rows {
			weight = 5,
			table { "lens", title = "logit lens, position {token}", min = { 34, 5 }, prio = 2, weight = 3, fit = true },
			bars { "alternatives", title = "in its place", min = { 30, 5 }, prio = 3, weight = 2, fit = true },
			heat { "trail", title = "experts of this token", min = { 34, 5 }, prio = 7, weight = 2, fit = true, optional = true },
			line { "entropy", title = "entropy and surprise", min = { 34, 6 }, prio = 8, weight = 1, optional = true },
		},
	},
	keys = {
		b = { "branch", "branch" },
		T = { "show branch", "show" },
	},
}
