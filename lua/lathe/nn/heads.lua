-- Multi-head attention and its relatives with fewer heads for keys and values, with heads of MLA's widths and rotated tails, for
-- comparisons (V2 report, appendix): MHA as many as queries, GQA some (num_key_value_heads), MQA one.
return function(nn)
	local function kind(name, word, key_heads)
		local Heads = nn.module(name)

		function Heads:build(c)
			local h, H, d = c.hidden_size, c.num_attention_heads, c.qk_nope_head_dim + c.qk_rope_head_dim
			local G = key_heads(c)
			self.H, self.G, self.d, self.d_n, self.d_v, self.scale = H, G, d, c.qk_nope_head_dim, c.v_head_dim, nn.scale(c)
			self.q_proj = nn.Linear(h, H * d)
			self.k_proj = nn.Linear(h, G * d)
			self.v_proj = nn.Linear(h, G * c.v_head_dim)
			self.o_proj = nn.Linear(H * c.v_head_dim, h)
		end

		function Heads:forward(h)
			local q = nn.name("q", self.q_proj(h):rope { heads = self.H, width = self.d, from = self.d_n })
			local k = nn.name("k", self.k_proj(h):rope { heads = self.G, width = self.d, from = self.d_n })
			local v = nn.name("v", self.v_proj(h))
			local heads = nn.name("heads", q:attend(k, nil, v, { heads = self.H, key_heads = self.G, d_k = self.d, d_v = self.d_v,
				scale = self.scale }))
			return self.o_proj(heads)
		end

		Heads.builtin, Heads.key_heads = word, key_heads
		nn[name] = Heads
	end

	kind("MHA", "mha", function(c)
		return c.num_attention_heads
	end)
	kind("GQA", "gqa", function(c)
		local H, G = c.num_attention_heads, c.num_key_value_heads
		return G and G < H and G or math.max(1, H // 2)
	end)
	kind("MQA", "mqa", function()
		return 1
	end)
end
