-- Train: a run while it learns, or its recording. Losses, who of the experts is busy, gradients, speed, and what it writes by now.
return scene {
	title = "Train",
	topics = { "layers.*.moe.load", "layers.*.moe.bias" },
	layout = rows {
		cols {
			weight = 5,
			line { "losses", title = "loss", min = { 36, 7 }, prio = 1, weight = 5 },
			rows {
				weight = 3,
				card { "training", title = "run", min = { 26, 5 }, prio = 2, fit = true },
				line { "rate", title = "speed", min = { 26, 6 }, prio = 8, weight = 1 },
			},
			card { "settings", title = "settings", min = { 32, 12 }, prio = 12, weight = 3, fit = true },
		},
		cols {
			weight = 6,
			heat { "loads", title = "experts over time, share of tokens, layer {layer}", min = { 40, 8 }, prio = 3, weight = 5 },
			rows {
				weight = 4,
				line { "balance", title = "balance", min = { 30, 6 }, prio = 4, weight = 3 },
				bars { "gradients", title = "gradient norm by layer", min = { 30, 4 }, prio = 9, fit = true },
				line { "lr", title = "learning rate", min = { 30, 6 }, prio = 10, weight = 2 },
				line { "gradient", title = "gradient norm", min = { 30, 6 }, prio = 11, weight = 2 },
			},
		},
		table { "sampled", title = "what it writes", min = { 36, 4 }, max = { 0, 9 }, prio = 7, weight = 2 },
	},
	keys = {
		["<"] = { "lr / 2", "set lr x0.5" },
		[">"] = { "lr × 2", "set lr x2" },
		B = { "balance", "set balance next" },
		F = { "format", "set gemm next" },
	},
}
