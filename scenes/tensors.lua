-- Tensors: everything in the checkpoint and every value of the model, as a tree; of the selected one figures, histogram and picture.
return scene {
	title = "Tensors",
	here = { "model.tensors" },
	about = {
		"tree       Right opens a group, Left closes it;  / leaves names that have",
		"           all these words, Esc leaves all",
		"bad        numbers that are NaN or infinite",
		"figures    of the tensor under the cursor, read when it is selected; a small",
		"           checkpoint is read whole for the table",
		"histogram  numbers by size; the bar of another colour holds zero",
		"numbers    each cell the number of largest magnitude in its block (M: the",
		"           mean);  X closer to the cursor, U all of it",
		"values     what the model computes on the first 256 tokens of this text",
	},
	layout = rows {
		table { "tensors", title = "tensors and values", min = { 36, 6 }, prio = 1, weight = 5 },
		cols {
			weight = 4,
			card { "tensor", title = "figures", min = { 28, 6 }, prio = 3, weight = 3 },
			bars { "histogram", title = "histogram", min = { 24, 6 }, prio = 4, weight = 3, log = true },
			heat { "tensor_map", title = "numbers", min = { 28, 6 }, prio = 2, weight = 5 },
		},
	},
	keys = {
		M = { "mean blocks", "blocks" },
		U = { "whole", "closer all" },
		X = { "closer", "closer" },
	},
}
