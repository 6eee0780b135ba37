-- FP8: this text in a precision recipe: which products of which layer it hurts, why, and what becomes of the predictions.
return scene {
	title = "FP8",
	here = { "fp8.about" },
	about = {
		"map        error of each product of a weight by itself, |y - y'| / |y|;",
		"           arrows select one;  C computes a text that costs time",
		"N, B       the next recipe, the one before;  :fp8 NAME; first 256 tokens",
		"to zero    share of the numbers that became zero;  subnormal: below the",
		"           smallest normal number, few bits left;  above: beyond the",
		"           largest;  clamped: changed by that",
		"KL alone   of the next token, when this product alone is in the recipe:",
		"           beside an outlier all else is lost, and its error looks small",
		"outlier    the largest number of a weight, in root mean squares of a row:",
		"           its block is scaled to it, and the small ones lose their bits",
		"grid       numbers of the weight by the exponent of their code",
		"KL         of the next token, nat, from f32 and from bf16; flipped: tokens",
		"           that go to another set of experts",
	},
	layout = rows {
		cols {
			weight = 5,
			rows {
				weight = 4,
				heat { "errors", title = "error", min = { 26, 6 }, prio = 2, weight = 5 },
				heat { "damage", title = "KL alone", min = { 26, 6 }, prio = 6, weight = 5 },
				bars { "grid", title = "weight on the grid", min = { 26, 6 }, prio = 5, weight = 5 },
			},
			rows {
				weight = 5,
				table { "formats", title = "predictions", min = { 44, 5 }, prio = 3, fit = true },
				table { "operands", title = "operands", min = { 44, 6 }, prio = 4, fit = true },
				heat { "scales", title = "scale by tile", min = { 26, 6 }, prio = 7, log = true, optional = true },
			},
		},
		table { "damaged", title = "hurt most", min = { 38, 8 }, prio = 1, fit = true },
	},
	keys = {
		C = { "compute", "fp8" },
		N = { "next recipe", "fp8 next" },
		B = { "recipe before", "fp8 back" },
	},
}
