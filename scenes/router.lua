-- Router: the gate laid open. For the token and layer under the cursor: score, bias, groups, choice and weight of every expert.
return scene {
	title = "Router",
	topics = { "layers.*.moe.scores", "layers.*.moe.bias", "layers.*.moe.group_sum", "layers.*.moe.group_kept", "layers.*.moe.topk", "layers.*.moe.weights" },
	layout = cols {
		rows {
			weight = 10,
			heat { "gate", title = "gate weight, layer {layer}", min = { 32, 7 }, prio = 1, weight = 5 },
			heat { "scores", title = "score before the choice, layer {layer}", min = { 60, 12 }, prio = 7, weight = 4 },
			heat { "experts", title = "load, share of tokens", min = { 32, 5 }, prio = 3, weight = 2, fit = true },
		},
		rows {
			weight = 11,
			table { "why", title = "why", min = { 40, 9 }, prio = 2, weight = 3, fit = true },
			bars { "load", title = "load of layer {layer}", min = { 36, 8 }, prio = 6, weight = 2, fit = true },
			heat { "bias", title = "gate bias by layer", min = { 36, 6 }, prio = 8, weight = 1, diverging = true, fit = true },
		},
	},
}
