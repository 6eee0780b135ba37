# Models in the box: @NAME is data/NAME.
nobase_dist_pkgdata_DATA += data/tiny/config.json data/tiny/model.safetensors data/tiny/golden.safetensors data/tiny/tokenizer.json \
	data/tiny/tokenizer_config.json data/tiny/training.json data/tiny/README.md
nobase_dist_pkgdata_DATA += data/domains/config.json data/domains/generation_config.json data/domains/model.safetensors data/domains/tokenizer.json \
	data/domains/tokenizer_config.json data/domains/training.json data/domains/card.json data/domains/README.md
nobase_dist_pkgdata_DATA += data/reason/config.json data/reason/generation_config.json data/reason/model.safetensors data/reason/tokenizer.json \
	data/reason/tokenizer_config.json data/reason/training.json data/reason/card.json data/reason/README.md
