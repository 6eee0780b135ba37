# Lua that users read first and copy: tasks, texts, and configurations of runs.
nobase_dist_pkgdata_DATA += lua/lathe/arith.lua lua/lathe/chinese.lua lua/lathe/code.lua lua/lathe/data.lua lua/lathe/grammar.lua \
	lua/lathe/puzzles.lua lua/lathe/rewards.lua lua/lathe/stories.lua lua/lathe/sums.lua lua/lathe/tasks.lua lua/lathe/text.lua lua/lathe/train.lua lua/lathe/plot.lua lua/lathe/study.lua lua/lathe/show.lua lua/lathe/log.lua lua/lathe/rl.lua lua/lathe/recipe.lua
nobase_dist_pkgdata_DATA += lua/lathe.lua lua/lathe.d.lua lua/examples/addition.lua
nobase_dist_pkgdata_DATA += lua/configs/grpo-mult2.lua lua/configs/ppo-mult2.lua lua/configs/train-addition.lua lua/configs/train-domains.lua lua/configs/train-reason.lua
nobase_dist_pkgdata_DATA += lua/lathe/nn.lua lua/lathe/nn/heads.lua lua/lathe/nn/lm.lua lua/lathe/nn/mla.lua lua/lathe/nn/router.lua
nobase_dist_pkgdata_DATA += lua/lathe/twins.lua lua/configs/train-balance-bias.lua lua/configs/train-balance-none.lua lua/configs/train-balance-sequence.lua \
	lua/configs/train-twin-gqa.lua lua/configs/train-twin-mha.lua lua/configs/train-twin-mla.lua lua/configs/train-twin-mqa.lua
nobase_dist_pkgdata_DATA += lua/examples/attention_twins.lua lua/examples/balance.lua lua/examples/grpo.lua lua/examples/own_attention.lua lua/examples/own_router.lua
