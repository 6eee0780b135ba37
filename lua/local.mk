# Lua that users read first and copy: tasks, texts, and configurations of runs.
nobase_dist_pkgdata_DATA += lua/lathe/arith.lua lua/lathe/chinese.lua lua/lathe/code.lua lua/lathe/data.lua lua/lathe/grammar.lua \
	lua/lathe/puzzles.lua lua/lathe/stories.lua lua/lathe/sums.lua lua/lathe/tasks.lua lua/lathe/text.lua
nobase_dist_pkgdata_DATA += lua/configs/train-addition.lua lua/configs/train-domains.lua lua/configs/train-reason.lua
