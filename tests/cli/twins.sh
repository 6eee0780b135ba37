#!/bin/sh
# Models with other attention than MLA: trained, opened, asked, converted; what only MLA has is refused in one line.
. "${srcdir:-.}/tests/cli/tap.sh"
for kind in mha gqa mqa; do
	"$LATHE" train twin-$kind --out "$tmp/$kind" --json --threads 1 --steps 2 --set batch=2 --set seq=32 --set eval_rows=1 >/dev/null 2>"$tmp/err" &&
		grep -q "\"lathe_attention\": \"$kind\"" "$tmp/$kind/model/config.json" &&
		"$LATHE" info "$tmp/$kind/model" --json >"$tmp/info" && grep -q "\"attention\":\"$kind\"" "$tmp/info"
	result $? "$kind: trained, and the checkpoint says what it is"
	"$LATHE" generate "$tmp/$kind/model" -p "17 + 26" -n 4 --temperature 0 >"$tmp/a" 2>"$tmp/err" &&
		"$LATHE" convert "$tmp/$kind/model" "$tmp/$kind/f32" --dtype f32 >/dev/null 2>"$tmp/err" &&
		"$LATHE" generate "$tmp/$kind/f32" -p "17 + 26" -n 4 --temperature 0 >"$tmp/b" 2>"$tmp/err" && cmp "$tmp/a" "$tmp/b"
	result $? "$kind: goes on with a text, also when it is converted"
	"$LATHE" convert "$tmp/$kind/model" "$tmp/$kind/fp8" --dtype fp8 >/dev/null 2>"$tmp/err" && "$LATHE" generate "$tmp/$kind/fp8" -p "17" -n 2 >/dev/null 2>"$tmp/err"
	result $? "$kind: in FP8 blocks"
	"$LATHE" generate "$tmp/$kind/model" -p 17 -n 2 --attention absorbed >/dev/null 2>"$tmp/err"
	[ $? -eq 2 ] && grep -q "attention is $kind, only MLA" "$tmp/err"
	result $? "$kind: absorbed is refused"
	"$LATHE" train twin-$kind --out "$tmp/$kind" --json --threads 1 --steps +1 --resume --set batch=2 --set seq=32 --set eval_rows=1 >/dev/null 2>"$tmp/err"
	result $? "$kind: goes on with its training"
done
"$LATHE" info "$tmp/mqa/model" --json | grep -q '"own":384' && "$LATHE" info "$tmp/mha/model" --json | grep -q '"own":1536' &&
	"$LATHE" kv "$tmp/mqa/model" --json | grep -q '"cached_per_token":384'
result $? "the cache is that of the kind: 4 layers of 48 and of 192 numbers in BF16"
sizes=$(for kind in mha gqa mqa; do "$LATHE" info "$tmp/$kind/model" --json | sed 's/.*"params_total":\([0-9]*\).*/\1/'; done | sort -n)
[ "$(echo "$sizes" | tail -1)" -le $(($(echo "$sizes" | head -1) * 101 / 100)) ]
result $? "twins are of one size within 1 %"
sed 's/"lathe_attention": "mha"/"lathe_attention": "GatedMLA"/' "$tmp/mha/model/config.json" >"$tmp/c" && mv "$tmp/c" "$tmp/mha/model/config.json"
"$LATHE" generate "$tmp/mha/model" -p 17 -n 2 >/dev/null 2>"$tmp/err"
[ $? -eq 2 ] && grep -q 'lathe_attention "GatedMLA" was defined by a script' "$tmp/err"
result $? "an attention of a script is not guessed"

cat >"$tmp/own.lua" <<'END'
local lathe = require "lathe"
local nn = lathe.nn
local GatedMLA = nn.module "GatedMLA"
function GatedMLA:build(c) self.mla, self.gate = nn.MLA(c), nn.Linear(c.hidden_size, c.hidden_size) end
function GatedMLA:forward(h) return self.mla(h) * self.gate(h):sigmoid() end
local Mine = nn.module("Mine", nn.Router)
local run = lathe.train {
	model = nn.LM { attention = GatedMLA, router = Mine, hidden_size = 64, num_hidden_layers = 2, mtp = 1 },
	data = { stories = 2, arithmetic = 1 }, steps = 3, batch = 2, seq = 48, balance = { "bias", gamma = 1e-2 }, seed = 1, out = "own",
}
local options = { n = 6, temperature = 0, ignore_eos = true }
local a = run:model():generate("17 + 2", options)
local m = nn.open(lathe.args[1] .. "/own/step-000003", { attention = GatedMLA, router = Mine })
local b = m:generate("17 + 2", options)
assert(a.text == b.text and #a.text > 0 and m.config.lathe_router == "Mine")
assert(m:kv_bytes_per_token "bf16" == 2 * 64 * 2)
assert(m:tensor("model.layers.1.self_attn.gate.weight").shape[1] == 64)
local ok, why = pcall(nn.open, lathe.args[1] .. "/own/model", { attention = GatedMLA })
assert(not ok and why:find('lathe_router "Mine"', 1, true), why)
print "as it was"
END
"$LATHE" run "$tmp/own.lua" --out "$tmp" --threads 1 "$tmp" >"$tmp/out" 2>"$tmp/err" && grep -q "as it was" "$tmp/out"
result $? "an attention and a router of a script: trained, saved, opened again, asked"
"$LATHE" generate "$tmp/own/model" -p 17 -n 2 >/dev/null 2>"$tmp/err"
[ $? -eq 2 ] && grep -q 'lathe_attention "GatedMLA"' "$tmp/err"
result $? "and refused where they are not"
finish
