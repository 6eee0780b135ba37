-- MLA: who looks where in each head, how many directions of the latent the text uses, and what its two forms cost and differ by.
return scene {
	title = "MLA",
	here = { "layers.{layer}.attn.probs", "layers.{layer}.latent.*", "engine.forms" },
	about = {
		"attention  weight of each key (column) under each query (row); causal",
		"nat        entropy of a head's attention, mean of the queries",
		"back       how many tokens back a head looks, on average",
		"first      share of the first token;  self: of the query itself",
		"latent     directions of the latent that a head reads: its effective rank",
		"           as a part of all",
		"eff. rank  exp of the entropy of the singular values (Roy, Vetterli 2007)",
		"90% 99%    how many directions carry so much of the energy",
		"FLOP read  of attention for one more token, all layers; Left Right: after",
		"           how many tokens. naive expands the latent each time; kept: keys",
		"           and values are cached instead; absorbed works on the latent",
	},
	layout = cols {
		rows {
			weight = 6,
			heat { "attention", title = "attention, layer {layer} head {head}", min = { 34, 8 }, prio = 1, weight = 6 },
			heat { "reads", title = "head × direction read, layer {layer}", min = { 36, 9 }, prio = 6, weight = 1, fit = true, log = true },
			table { "forms", title = "two forms", min = { 40, 8 }, prio = 3, height = 8 },
		},
		rows {
			weight = 5,
			table { "heads", title = "heads, layer {layer}", min = { 34, 6 }, prio = 2, fit = true, weight = 2 },
			table { "ranks", title = "rank of the latent", min = { 34, 6 }, prio = 4, height = 6 },
			line { "spectrum", title = "spectrum, layer {layer}", min = { 37, 7 }, prio = 5, weight = 3, log = true },
			bars { "form_error", title = "distance of the two forms", min = { 34, 4 }, prio = 8, fit = true, log = true },
			bars { "schemes", title = "cache by attention", min = { 38, 8 }, prio = 9, fit = true, log = true },
			card { "cache", title = "cache", min = { 34, 8 }, prio = 10, fit = true },
		},
	},
	keys = {
		["("] = { "head before", "head -1" },
		[")"] = { "next head", "head +1" },
		a = { "look again", "look" },
		f = { "naive", "attention naive" },
		F = { "absorbed", "attention absorbed" },
	},
}
