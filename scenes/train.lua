-- Train: a run while it learns, or its recording. Losses (others beside), who of the experts is busy and where held-out text goes, gradients, speed, and what it writes by now.
return scene {
	title = "Train",
	topics = { "layers.*.moe.load", "layers.*.moe.bias", "train.gate.*" },
	about = {
		"loss         smoothed; runs in the folders beside this one are drawn with",
		"             it, :beside FILE adds another;  upright line: a setting changed",
		"MaxVio       how much the busiest expert is above the mean, as a share of it",
		"gate weight  of the first tokens of four held-out texts, the same all along",
	},
	layout = rows {
		cols {
			weight = 5,
			line { "losses", title = "loss", min = { 36, 7 }, prio = 1, weight = 5 },
			rows {
				weight = 3,
				card { "training", title = "run", min = { 26, 5 }, prio = 2, fit = true, optional = true },
				line { "rate", title = "speed", min = { 26, 6 }, prio = 8, weight = 1, optional = true },
			},
			card { "settings", title = "settings", min = { 32, 12 }, prio = 12, weight = 3, fit = true, optional = true },
		},
		cols {
			weight = 6,
			heat { "loads", title = "load of experts over time, layer {layer}", min = { 40, 8 }, prio = 3, weight = 5, optional = true },
			heat { "routing", title = "gate weight, layer {layer}", min = { 46, 12 }, prio = 8, weight = 5, optional = true },
			rows {
				weight = 4,
				line { "balance", title = "balance", min = { 30, 6 }, prio = 4, weight = 3, optional = true },
				bars { "gradients", title = "gradient norm by layer", min = { 30, 4 }, prio = 9, fit = true, optional = true },
				line { "lr", title = "learning rate", min = { 30, 6 }, prio = 10, weight = 2, optional = true },
				line { "gradient", title = "gradient norm", min = { 30, 6 }, prio = 11, weight = 2, optional = true },
			},
		},
		table { "sampled", title = "what it writes", min = { 36, 4 }, max = { 0, 9 }, prio = 7, weight = 2, optional = true },
	},
	keys = {
		["<"] = { "lr / 2", "set lr x0.5" },
		[">"] = { "lr × 2", "set lr x2" },
		B = { "balance", "set balance next", optional = true },
		F = { "format", "set gemm next" },
	},
}
