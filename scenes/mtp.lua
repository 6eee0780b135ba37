-- MTP: the drafts on the text itself, taken and refused, how often by depth and along the text, and what that makes of a forward.
return scene {
	title = "MTP",
	about = {
		"drafts     a line under a token that was drafted and taken, a cross under",
		"           one that came in place of a refused draft",
		"depth      place in the chain of drafts: how often it was taken",
		"acceptance share of the last 16 drafts; tokens per forward: of the last",
		"           16 tokens, drafts taken counting for nothing",
		"p          what the model gave to the draft, and to what was taken",
	},
	layout = cols {
		rows {
			weight = 6,
			marks { "draft_text", title = "drafts", min = { 36, 6 }, prio = 1, weight = 4 },
			line { "acceptance", title = "acceptance", min = { 36, 6 }, prio = 4, weight = 3 },
			line { "per_forward", title = "tokens per forward", min = { 36, 6 }, prio = 3, weight = 3 },
		},
		rows {
			weight = 5,
			bars { "draft_depth", title = "acceptance by depth", min = { 34, 3 }, prio = 5, fit = true },
			card { "drafts", title = "in figures", min = { 30, 6 }, prio = 6, fit = true },
			table { "refused", title = "refused drafts", min = { 34, 6 }, prio = 2, weight = 3 },
			bars { "alternatives", title = "in place of this token", min = { 34, 6 }, prio = 7, fit = true, weight = 2 },
		},
	},
	keys = {
		m = { "drafts on", "mtp on" },
		M = { "off", "mtp off" },
	},
}
