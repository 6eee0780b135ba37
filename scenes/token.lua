-- Token: how sure the model was, what else it thought of, and which drafts of MTP were taken.
return scene {
	title = "Token",
	topics = { "layers.*.moe.topk" },
	layout = cols {
		rows {
			weight = 5,
			text { title = "text", min = { 36, 5 }, prio = 5, weight = 2 },
			table { "tokens", title = "tokens", min = { 38, 6 }, prio = 1, weight = 3 },
		},
		rows {
			weight = 4,
			card { "token", title = "token {token}", min = { 30, 9 }, prio = 4, fit = true },
			bars { "alternatives", title = "in its place", min = { 30, 5 }, prio = 2, weight = 3, fit = true },
			line { "entropy", title = "entropy and surprise by token", min = { 30, 7 }, prio = 3, weight = 2 },
			card { "drafts", title = "drafts of MTP", min = { 30, 6 }, prio = 6, fit = true },
		},
	},
}
