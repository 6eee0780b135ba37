-- MoE: the experts over the whole text. Who is busy, who works with whom, how undecided the gate is, what its bias changes, what they add.
return scene {
	title = "MoE",
	topics = { "layers.*.moe.topk", "layers.*.moe.scores", "layers.*.moe.bias" },
	here = { "layers.*.moe.entropy", "layers.*.moe.topk_unbiased", "layers.*.moe.norms" },
	about = {
		"load       share of the text's tokens that chose an expert",
		"nat        entropy of the gate, its scores as shares; ln of the number of",
		"           experts when all are alike",
		"MaxVio     load of the busiest expert above the mean, as a part of it",
		"idle       experts that no token chose",
		"flips      choices that would be others without the bias of the gate",
		"routed     length of what the chosen experts add to a token, mean;",
		"           shared: of the shared experts; part: its share of both",
		"chosen together   of the tokens of the row's expert, how many also went",
		"           to the column's; chance: if experts were drawn by lot",
		"now then   tokens of an expert with the bias, and without",
	},
	layout = cols {
		rows {
			weight = 3,
			heat { "shares", title = "load over the text", min = { 36, 6 }, prio = 1, fit = true, weight = 2 },
			table { "moe_layers", title = "layers", min = { 46, 5 }, prio = 2, fit = true, weight = 2 },
			heat { "affinity", title = "affinity", min = { 36, 6 }, prio = 5, fit = true, weight = 2 },
			heat { "gate", title = "gate weight, layer {layer}", min = { 46, 14 }, prio = 9, weight = 3 },
			line { "contribution", title = "norm of what they add, layer {layer}", min = { 36, 6 }, prio = 6, weight = 2 },
		},
		rows {
			weight = 2,
			heat { "coactive", title = "chosen together, layer {layer}", min = { 30, 8 }, prio = 3, fit = true, weight = 3 },
			table { "unbiased", title = "without bias, layer {layer}", min = { 30, 6 }, prio = 4, fit = true, weight = 2 },
			bars { "gate_entropy", title = "entropy of the gate", min = { 30, 4 }, prio = 7, fit = true },
			text { title = "text", min = { 30, 5 }, prio = 8, weight = 2 },
		},
	},
	keys = { a = { "look again", "look" } },
}
