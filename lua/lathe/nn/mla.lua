-- Multi-head Latent Attention: V2 report 2.1, V3 report 2.1.1, eq. 1-11, as a module of ops. Given to nn.LM as it is, the same thing in C
-- runs; nn.module("Mine", nn.MLA) runs this, to the same bits.
return function(nn)
	local MLA = nn.module "MLA"

	function MLA:build(c)
		local H, d_n, d_r, d_v = c.num_attention_heads, c.qk_nope_head_dim, c.qk_rope_head_dim, c.v_head_dim
		self.H, self.d_n, self.d_r, self.d_v, self.r = H, d_n, d_r, d_v, c.kv_lora_rank
		self.scale = nn.scale(c)
		if (c.q_lora_rank or 0) > 0 then
			self.q_a_proj = nn.Linear(c.hidden_size, c.q_lora_rank) -- W_DQ
			self.q_a_layernorm = nn.RMSNorm(c.q_lora_rank)
			self.q_b_proj = nn.Linear(c.q_lora_rank, H * (d_n + d_r)) -- W_UQ over W_QR
		else
			self.q_proj = nn.Linear(c.hidden_size, H * (d_n + d_r))
		end
		self.kv_a_proj_with_mqa = nn.Linear(c.hidden_size, c.kv_lora_rank + d_r) -- W_DKV over W_KR
		self.kv_a_layernorm = nn.RMSNorm(c.kv_lora_rank)
		self.kv_b_proj = nn.Linear(c.kv_lora_rank, H * (d_n + d_v)) -- W_UK and W_UV, head by head
		self.o_proj = nn.Linear(H * d_v, c.hidden_size)
	end

	function MLA:query(h)
		if self.q_proj then
			return self.q_proj(h)
		end
		local c_Q = nn.name("c_Q", self.q_a_layernorm(self.q_a_proj(h))) -- 6
		return self.q_b_proj(c_Q) -- 7
	end

	function MLA:forward(h)
		local H, d_n, d_r, d_v, r = self.H, self.d_n, self.d_r, self.d_v, self.r
		local q = nn.name("q", self:query(h):rope { heads = H, width = d_n + d_r, from = d_n }) -- 8
		local u = self.kv_a_proj_with_mqa(h)
		local c_KV = nn.name("c_KV", self.kv_a_layernorm(u:cols(0, r))) -- 1
		local k_R = nn.name("k_R", u:cols(r, d_r):rope { heads = 1, width = d_r, from = 0 }) -- 3
		local kv = nn.name("kv", self.kv_b_proj(c_KV)) -- 2, 5
		local w = d_n + d_v
		local heads = nn.name("heads", q:attend(kv:cols(0, H * w - d_v), k_R, kv:cols(d_n, H * w - d_n), -- 9, 10
			{ heads = H, d_k = d_n, d_v = d_v, k_width = w, v_width = w, scale = self.scale }))
		return self.o_proj(heads) -- 11
	end

	MLA.builtin = "mla"
	nn.MLA = MLA
end
