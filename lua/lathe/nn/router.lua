-- The router of DeepSeekMoE: V3 report 2.1.2, eq. 12-16 (sigmoid scores, correction bias for the choice alone, node-limited groups), and
-- with scoring_func "softmax" that of V2, 2.2. A router gives weights [T, K] and the choice [T, K], whole numbers. Given to nn.LM as it
-- is, the same thing in C runs; nn.module("Mine", nn.Router) runs this.
return function(nn)
	local Router = nn.module "Router"

	function Router:build(c)
		local grouped = c.topk_method ~= "greedy" and c.n_group > 1
		self.weight = nn.matrix(c.n_routed_experts, c.hidden_size)
		if c.topk_method == "noaux_tc" then
			self.e_score_correction_bias = nn.vector(c.n_routed_experts) -- moved by the bias rule, without a gradient
		end
		self.softmax = c.scoring_func == "softmax"
		self.choice = { k = c.num_experts_per_tok, groups = grouped and c.n_group or 1, groups_kept = grouped and c.topk_group or 1,
			top2 = c.topk_method == "noaux_tc" }
		self.rule = { normalise = c.norm_topk_prob and not self.softmax, scale = c.routed_scaling_factor }
	end

	function Router:forward(h)
		local logits = nn.name("logits", h:linear(self.weight))
		local scores = nn.name("scores", self.softmax and logits:softmax() or logits:sigmoid())
		local topk = scores:route_choose(self.e_score_correction_bias, self.choice)
		return scores:route_weights(topk, self.rule), topk
	end

	Router.builtin = "router"
	nn.Router = Router
end
