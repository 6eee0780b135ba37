nobase_dist_pkgdata_DATA += scenes/home.lua scenes/router.lua scenes/cache.lua scenes/token.lua scenes/train.lua
