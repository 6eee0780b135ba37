#!/bin/sh
# checkpoint.sh - info, kv and convert from outside: the figures of published models, hostile files, and folders that come back the same.
. "${srcdir:-.}/tests/cli/tap.sh"
data=$srcdir/tests/data

has() { # has TEXT...: each stands in the output
	for word; do
		grep -qF -- "$word" "$tmp/out" || { note "no $word in: $(head -c 300 "$tmp/out")"; return 1; }
	done
}

echo '{"model_type":"deepseek_v3"}' >"$tmp/v3.json"
run 0 kv "$tmp/v3.json" --context 131072 --json &&
	has '"per_token":{"mla":70272,"mha":4997120,' '"bytes":{"mla":9210691584,' '"name":"DeepSeek-67B"' '"cached_per_token":389120'
result $? "kv: the cache of DeepSeek-V3"
run 0 kv "$tmp/v3.json" --cache-dtype fp8 --batch 3 --context 2 --json && has '"per_token":{"mla":35136,' '"bytes":{"mla":210816,'
result $? "kv: dtype, batch and context are multiplied in"
run 0 kv "$tmp/v3.json" && has MLA GQA-8 Kimi-K2
result $? "kv: text"
run 0 kv "$srcdir/data/domains" && has MHA MQA && ! grep -q GQA-8 "$tmp/out"
result $? "kv: 8 groups of no more than 8 heads are not told apart"
run 2 kv "$tmp/v3.json" --cache-dtype int4 && one_error_line && run 2 kv "$tmp/v3.json" --batch 0 && one_error_line &&
	run 5 kv "$tmp/v3.json" --context 9000000000000000 --batch 9000000000000 && one_error_line
result $? "kv: what cannot be asked"

run 0 info "$data/models/v3" --json && has '"model_type":"deepseek_v3","layers":4,' '"indexer":false' '"mtp_layers":1' &&
	! grep -q tensor_list "$tmp/out"
result $? "info: fields"
run 0 info "$data/models/v3-fp8-partial" --tensors --json && has '"quantized":true' '"tensor_list":[{"name":' '"F8_E4M3":28'
result $? "info: a list of tensors, FP8"
run 0 info "$data/models/v3" --tensors && has 'model.norm.weight' 'sigmoid'
result $? "info: text"
cp "$data/hostile/safetensors/ok-one.safetensors" "$tmp/bare.safetensors"
run 0 info "$tmp/bare.safetensors" --json && has '"model_type":null,"layers":null' '"kv_bytes_per_token":null' '"tensors":1,'
result $? "info: a file without a config"
run 4 info "$tmp/nothing" && one_error_line && run 4 kv "$tmp/nothing" && one_error_line && run 4 convert "$tmp/nothing" "$tmp/x" && one_error_line
result $? "a missing file is exit status 4"

bad=0
for kind in safetensors index config; do
	sed -n 's/.*"file": "\([^"]*\)", "kind": "'$kind'", "expect": "\([a-z]*\)".*/\1 \2/p' "$data/hostile/checkpoint-cases.jsonl" >"$tmp/cases"
	while read -r file expect; do
		if [ $kind = config ]; then
			timeout 20 "$LATHE" kv "$data/hostile/$file" >"$tmp/out" 2>"$tmp/err" </dev/null
		else
			timeout 20 "$LATHE" info "$data/hostile/$file" --tensors >"$tmp/out" 2>"$tmp/err" </dev/null
		fi
		status=$?
		case $expect$status in
		reject[3457]) one_error_line ;;
		accept0 | either[0345]) true ;;
		*) false ;;
		esac && ! LC_ALL=C grep -q '[^[:print:][:space:]]' "$tmp/err" && continue
		note "$file: exit $status, must $expect"
		bad=1
	done <"$tmp/cases"
	[ "$(wc -l <"$tmp/cases")" -gt 25 ] || bad=1
done
result $bad "hostile files: exit status and one line"

run 0 convert "$data/models/v3" "$tmp/copy" --json && has '"tensors":219,"bytes":1081840,"files":["model.safetensors","config.json"]' &&
	cmp -s "$data/models/v3/model.safetensors" "$tmp/copy/model.safetensors"
result $? "convert: without changes the same bytes, in the order of the official library"
run 0 convert "$data/models/v3-fp8-partial" "$tmp/f32" --dtype f32 && run 0 info "$tmp/f32" --json && has '"dtypes":{"F32":41}' '"quantized":false' &&
	! grep -q quantization_config "$tmp/f32/config.json" && grep -q '"torch_dtype": "float32"' "$tmp/f32/config.json"
result $? "convert: FP8 expanded to F32"
run 0 convert "$data/models/v3-odd" "$tmp/fp8" --dtype fp8 --shard-size 100K && run 0 info "$tmp/fp8" --json && has '"F8_E4M3":78' '"quantized":true' &&
	[ -f "$tmp/fp8/model.safetensors.index.json" ] && grep -q '"quant_method": "fp8"' "$tmp/fp8/config.json"
result $? "convert: FP8 blocks in shards"
run 0 convert "$data/models/v3" "$tmp/one" --layers 1 && run 0 info "$tmp/one" --json && has '"layers":1,' '"mtp_layers":0'
result $? "convert: the first layer"
run 4 convert "$data/models/v3" "$tmp/copy" && one_error_line && run 2 convert "$data/models/v3" "$tmp/x" --dtype int8 && one_error_line &&
	run 2 convert "$data/models/v3" "$tmp/x" --layers 5 && one_error_line && run 3 convert "$data/hostile/index/shard-cut" "$tmp/x" && one_error_line
result $? "convert: what is refused"
[ ! -e "$tmp/x" ] && ! ls "$tmp" | grep -q 'tmp-'
result $? "convert: a failure leaves nothing behind"
# A gigabyte of zeros that takes no room, so that a conversion lasts.
mkdir "$tmp/large"
echo '{"model_type":"deepseek_v3"}' >"$tmp/large/config.json"
head='{"x":{"dtype":"F32","shape":[16384,16384],"data_offsets":[0,1073741824]}}'
printf '\120\000\000\000\000\000\000\000%-80s' "$head" >"$tmp/large/model.safetensors"
truncate -s $((8 + 80 + 1073741824)) "$tmp/large/model.safetensors"
stopped_once() { # stopped_once SIGNAL STATUS
	"$LATHE" convert "$tmp/large" "$tmp/stop" --dtype bf16 >"$tmp/out" 2>"$tmp/err" </dev/null &
	pid=$!
	for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		[ -e "$tmp/stop.tmp-$pid" ] && break
		sleep 0.05
	done
	kill -"$1" $pid
	wait $pid
	got=$?
	[ $got -eq "$2" ] && [ ! -s "$tmp/err" ] && [ ! -e "$tmp/stop" ] && ! ls "$tmp" | grep -q 'tmp-' && return 0
	note "exit $got, not $2; $(ls "$tmp" | tr '\n' ' ') $(head -c 200 "$tmp/err")"
	return 1
}
# On a busy machine the conversion may be over before the signal comes (exit 0): then it is tried again.
stopped() {
	for try in 1 2 3 4 5; do
		stopped_once "$1" "$2" && return 0
		[ $got -eq 0 ] || return 1
		rm -rf "$tmp/stop"
	done
	return 1
}
# Under nohup a shell hands on that SIGHUP is ignored, and so does the program.
sh -c 'kill -HUP $$' 2>/dev/null
hup=$?
stopped TERM 143 && { [ $hup -eq 0 ] || stopped HUP 129; }
result $? "convert: a signal leaves nothing behind and gives 128 + its number"
rm -rf "$tmp/large"

cp -R "$data/models/v3" "$tmp/broken" && echo '{' >"$tmp/broken/tokenizer.json"
note_line() { [ "$(wc -l <"$tmp/err")" -eq 1 ] && grep -q '^lathe: tokens cannot be shown as text: .*tokenizer.json' "$tmp/err"; }
run 0 generate "$tmp/broken" --ids 2,3 -n 3 --temperature 0 && grep -Eq '^[0-9]+(,[0-9]+)*$' "$tmp/out" && note_line &&
	run 0 generate "$tmp/broken" --ids 2,3 -n 3 --json && note_line && run 3 generate "$tmp/broken" -p x && one_error_line
result $? "generate: a broken tokenizer is told, with ids too"

run 0 verify "$data/models/v3" --layers 1 && has ' of layers not loaded left out' && run 0 verify "$data/models/v3" --layers 1 --json &&
	! has '"skipped":0,' 2>/dev/null >&2 && run 2 verify "$data/models/v3" --layers 99 && one_error_line
result $? "verify: the first layers"

run 5 bench gemm --memory-limit 1M && one_error_line && run 5 bench decode "$data/models/v3" --memory-limit 300K && one_error_line &&
	run 5 bench prefill --geometry "$data/models/v3" --memory-limit 300K && one_error_line &&
	run 5 bench decode --geometry "$tmp/v3.json" --memory-limit 1G && one_error_line &&
	run 0 bench gemm --rows 1 --outputs 64 --inputs 64 --repeats 1 --memory-limit 1M
result $? "bench: the memory limit"
if [ ! -w /dev/full ]; then
	skip "a full disk is exit status 4" "no /dev/full"
else
	"$LATHE" info "$data/models/v3" >/dev/full 2>"$tmp/err"
	[ $? -eq 4 ] && one_error_line
	result $? "a full disk is exit status 4"
fi
finish
