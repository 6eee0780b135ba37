# Models in the box: @NAME is data/NAME.
nobase_dist_pkgdata_DATA += data/tiny/config.json data/tiny/model.safetensors data/tiny/golden.safetensors data/tiny/tokenizer.json \
	data/tiny/tokenizer_config.json data/tiny/training.json data/tiny/README.md
