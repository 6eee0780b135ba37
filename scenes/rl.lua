-- RL: a run of reinforcement learning, or its recording. What it can do by now, how long it thinks, how far the policy moved; and one group of answers, token by token.
return scene {
	title = "RL",
	about = {
		"held out    share of right answers to problems kept aside, temperature 1",
		"sampled     the same of the answers it learns from; in form: readable",
		"clip        share of tokens whose ratio was cut;  |ln r|: how far the",
		"            policy that learns is from the one that drew the token",
		"degenerate  share of groups whose answers all have one reward: no signal",
		"group       A: advantage, mean of its tokens; nat: surprise, -ln p a token",
		"            is: b best, w worst, l longest, s most surprising of them",
		"colour      c: advantage, entropy, probability of each token, and its ratio",
		"            to the probability that the reference policy gives it",
		"[ ]         back through the iterations: curves and group as they were",
	},
	layout = rows {
		cols {
			weight = 3,
			line { "accuracy", title = "right answers", min = { 24, 6 }, prio = 2, weight = 4 },
			line { "lengths", title = "length, tokens", min = { 22, 6 }, prio = 4, weight = 4, optional = true },
			line { "policy", title = "policy", log = true, min = { 32, 6 }, prio = 5, weight = 4, optional = true },
			card { "rl", title = "run", min = { 38, 5 }, prio = 10, weight = 3, fit = true, optional = true },
		},
		cols {
			weight = 2,
			line { "reward", title = "reward", min = { 26, 7 }, prio = 7, optional = true },
			line { "groups", title = "groups", min = { 26, 7 }, prio = 8, optional = true },
			line { "reflection", title = "words of reflection", min = { 26, 7 }, prio = 6, optional = true },
			line { "drift", title = "drift", min = { 26, 7 }, prio = 11, optional = true },
			line { "gradient", title = "gradient norm", min = { 26, 7 }, prio = 9, optional = true },
		},
		cols {
			weight = 5,
			table { "answers", title = "group", min = { 38, 8 }, prio = 1, weight = 6, optional = true },
			flow { "answer", title = "answer", min = { 30, 8 }, prio = 3, weight = 4, optional = true },
		},
	},
	keys = {
		b = { "best", "answer best" },
		w = { "worst", "answer worst" },
		L = { "longest", "answer longest" },
		S = { "surprising", "answer surprising" },
	},
}
