-- Cache: bytes per token and in all, for each way to do attention; what is known of others; the live cache and its latent.
return scene {
	title = "Cache",
	topics = { "layers.{layer}.attn.c_KV" },
	layout = rows {
		bars { "schemes", title = "cache by attention, bytes per token and in all (log)", log = true, min = { 34, 8 }, prio = 1, fit = true },
		cols {
			weight = 3,
			rows {
				weight = 4,
				gauge { "kv", title = "live cache", min = { 30, 3 }, height = 3, prio = 2 },
				line { "kv", title = "bytes over time", min = { 30, 6 }, prio = 4, weight = 2 },
				card { "cache", title = "in figures", min = { 30, 8 }, prio = 7, height = 8 },
			},
			rows {
				weight = 5,
				table { "known", title = "this model and others", min = { 36, 7 }, prio = 3, fit = true },
				heat { "layers.{layer}.attn.c_KV", title = "latent c_KV, layer {layer}: position × component", diverging = true, min = { 36, 6 }, prio = 5, weight = 3 },
			},
		},
	},
}
