-- Diff: this text in two precisions (or forms of attention, models, prompts): where they part, by layer and position, and what it changes.
return scene {
	title = "Diff",
	here = { "diff.about" },
	about = {
		"A, B       :compare says with what: a precision, absorbed, the path of a",
		"           checkpoint, or text and other words; first 256 tokens",
		"distance   |A - B| / |A| of the residual stream behind a layer",
		"KL         KL(A || B) of the next token, nat; an upright line where the",
		"           best token is another one",
		"flipped    tokens that B sends to another set of experts",
	},
	layout = cols {
		rows {
			weight = 5,
			card { "compared", title = "A against B", min = { 36, 6 }, prio = 1, fit = true },
			line { "divergence", title = "KL by position", min = { 30, 6 }, prio = 3, weight = 3, optional = true },
			text { "text", title = "text", min = { 36, 5 }, prio = 8, weight = 2 },
		},
		rows {
			weight = 5,
			bars { "distance", title = "distance by layer", min = { 34, 5 }, prio = 2, log = true, fit = true, optional = true },
			heat { "distances", title = "distance by layer and position", min = { 36, 8 }, prio = 4, fit = true, optional = true },
			bars { "flipped", title = "routes flipped by layer", min = { 32, 4 }, prio = 6, fit = true, optional = true },
			table { "changed", title = "where it matters most", min = { 32, 5 }, prio = 5, weight = 2, optional = true },
		},
	},
	keys = {
		A = { "absorbed", "compare absorbed" },
		P = { "bf16", "compare bf16" },
	},
}
