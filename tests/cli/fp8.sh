#!/bin/sh
# fp8.sh - stored FP8 cases, one model in every precision, precisions by name, the FP8 cache, and training in FP8.
. "${srcdir:-.}/tests/cli/tap.sh"
data=$srcdir/tests/data

has() {
	for word; do
		grep -qF -- "$word" "$tmp/out" || return 1
	done
}

for f in decode encode quant quant_hf mx dot; do
	run 0 verify --fp8 "$data/fp8/$f.safetensors" --json && has '"ok":true' '"cases":[{"name":' '"max_abs":0'
	result $? "verify --fp8: $f"
done
run 3 verify --fp8 "$data/models/v3/model.safetensors" && one_error_line && run 4 verify --fp8 "$tmp/none" && one_error_line &&
	run 2 verify --fp8 "$data/fp8/dot.safetensors" "$data/models/v3" && one_error_line
result $? "verify --fp8: what is refused"

run 0 fp8 "$data/models/v3" --ids 2,3,4,5,6,7 && has 'fp8-v3-hopper' 'nvfp4' 'the products with the largest error'
result $? "fp8: a table"
run 0 fp8 "$data/models/v3" --ids 2,3,4,5,6,7 --recipe mxfp8 --json &&
	has '"formats":[{"name":"f32"' '{"name":"bf16"' '{"name":"mxfp8"' '"layers":[{"name":"embed","rel_l2":0,' '"products":[{"name":"layers.0.attn.' '"routes_flipped":'
result $? "fp8: one precision as JSON"
run 2 fp8 "$data/models/v3" --ids 2,3 --recipe fp3 && one_error_line && grep -q 'fp8-v3' "$tmp/err" && run 2 fp8 "$data/models/v3" && one_error_line &&
	run 2 fp8 "$data/models/v3" --ids 2,99999 && one_error_line
result $? "fp8: what is refused"

run 0 diff "$data/models/v3" --ids 2,3,4,5,6 --precision-b fp8-v3 --json && has '"first_difference":"layers.0.attn.out"' &&
	run 0 verify "$data/models/v3-fp8-partial" && run 1 verify "$data/models/v3" --precision fp8-v3 && run 2 generate "$data/models/v3" --ids 2 --precision fp9 && one_error_line
result $? "precisions by name"

run 0 generate "$data/models/v3" --ids 2,3,4,5 -n 6 --cache-dtype fp8 --attention naive --json && mv "$tmp/out" "$tmp/naive" &&
	run 0 generate "$data/models/v3" --ids 2,3,4,5 -n 6 --cache-dtype fp8 --attention absorbed --json &&
	[ "$(sed 's/"text".*//' "$tmp/naive")" = "$(sed 's/"text".*//' "$tmp/out")" ] && run 2 generate "$data/models/v3" --ids 2 --cache-dtype fp4 && one_error_line
result $? "the cache in FP8, in both forms of attention"

for s in "fp8_recipe=fp8-v3" "fp8_recipe=nvfp4" "fp8_sum=hopper"; do
	run 0 train addition --steps 2 --out "$tmp/run-$s-1" --threads 1 --set gemm=fp8 --set "$s" --set eval_every=0 --set batch=4 --json && mv "$tmp/out" "$tmp/one" &&
		run 0 train addition --steps 2 --out "$tmp/run-$s-2" --threads 2 --set gemm=fp8 --set "$s" --set eval_every=0 --set batch=4 --json &&
		[ "$(sed 's/"tok_per_s":[^,]*//' "$tmp/one")" = "$(sed 's/"tok_per_s":[^,]*//' "$tmp/out")" ]
	result $? "training in FP8, the same bits on one thread and two: $s"
done
finish
