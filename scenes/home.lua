-- Home: what is asked, what comes, what it costs. See lathe-scene(5).
return scene {
	title = "Home",
	topics = { "layers.*.moe.topk" },
	layout = rows {
		cols {
			weight = 3,
			rows {
				weight = 5,
				prompt { title = "prompt", height = 3, prio = 3, min = { 20, 3 } },
				text { title = "text", min = { 24, 4 }, prio = 1, weight = 4 },
			},
			rows {
				weight = 5,
				heat { "experts", title = "experts chosen, share of tokens", min = { 28, 6 }, prio = 4, weight = 3, fit = true },
				heat { "gate", title = "gate weight, layer {layer}", min = { 40, 12 }, prio = 9, weight = 4 },
				card { "model", title = "model", min = { 32, 6 }, prio = 7, fit = true },
			},
		},
		cols {
			weight = 1,
			bars { "alternatives", title = "in place of this token", min = { 26, 6 }, prio = 2, weight = 4 },
			card { "cache", title = "cache", min = { 22, 6 }, prio = 5, weight = 3, fit = true },
			line { "speed", title = "speed", min = { 26, 6 }, prio = 6, weight = 4 },
		},
	},
}
