# Models in the box: @NAME is data/NAME.
nobase_dist_pkgdata_DATA += data/tiny/config.json data/tiny/model.safetensors data/tiny/golden.safetensors data/tiny/tokenizer.json \
	data/tiny/tokenizer_config.json data/tiny/training.json data/tiny/README.md
nobase_dist_pkgdata_DATA += data/domains/config.json data/domains/generation_config.json data/domains/model.safetensors data/domains/tokenizer.json \
	data/domains/tokenizer_config.json data/domains/training.json data/domains/card.json data/domains/README.md
nobase_dist_pkgdata_DATA += data/reason/config.json data/reason/generation_config.json data/reason/model.safetensors data/reason/tokenizer.json \
	data/reason/tokenizer_config.json data/reason/training.json data/reason/card.json data/reason/README.md
nobase_dist_pkgdata_DATA += data/domains-fp8/config.json data/domains-fp8/generation_config.json data/domains-fp8/model.safetensors \
	data/domains-fp8/tokenizer.json data/domains-fp8/tokenizer_config.json data/domains-fp8/card.json data/domains-fp8/README.md
nobase_dist_pkgdata_DATA += data/twin-mla/config.json data/twin-mla/generation_config.json data/twin-mla/model.safetensors data/twin-mla/tokenizer.json \
	data/twin-mla/tokenizer_config.json data/twin-mla/training.json data/twin-mla/card.json data/twin-mla/README.md
nobase_dist_pkgdata_DATA += data/twin-mha/config.json data/twin-mha/generation_config.json data/twin-mha/model.safetensors data/twin-mha/tokenizer.json \
	data/twin-mha/tokenizer_config.json data/twin-mha/training.json data/twin-mha/card.json data/twin-mha/README.md
nobase_dist_pkgdata_DATA += data/twin-gqa/config.json data/twin-gqa/generation_config.json data/twin-gqa/model.safetensors data/twin-gqa/tokenizer.json \
	data/twin-gqa/tokenizer_config.json data/twin-gqa/training.json data/twin-gqa/card.json data/twin-gqa/README.md
nobase_dist_pkgdata_DATA += data/twin-mqa/config.json data/twin-mqa/generation_config.json data/twin-mqa/model.safetensors data/twin-mqa/tokenizer.json \
	data/twin-mqa/tokenizer_config.json data/twin-mqa/training.json data/twin-mqa/card.json data/twin-mqa/README.md
nobase_dist_pkgdata_DATA += data/twin-sequence/config.json data/twin-sequence/generation_config.json data/twin-sequence/model.safetensors data/twin-sequence/tokenizer.json \
	data/twin-sequence/tokenizer_config.json data/twin-sequence/training.json data/twin-sequence/card.json data/twin-sequence/README.md
nobase_dist_pkgdata_DATA += data/twin-none/config.json data/twin-none/generation_config.json data/twin-none/model.safetensors data/twin-none/tokenizer.json \
	data/twin-none/tokenizer_config.json data/twin-none/training.json data/twin-none/card.json data/twin-none/README.md
