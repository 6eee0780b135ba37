#!/bin/sh
# Makes the twins of the box again, each bit for bit on a machine with the same kernel set: trains lua/configs/train-NAME.lua and puts the
# model with its card, curve and page into data/NAME.
#
#   tools/box/twins.sh ./lathe [TARGET [STEPS]]       TARGET: data; STEPS: those of the configurations
set -eu
lathe=$1 target=${2:-data} steps=${3:-}
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

page() { # page NAME WHAT COMMAND MODEL: the facts are asked of the model itself
	"$lathe" info "$4" --json | python3 -c '
import json, sys
name, what, command, curve = sys.argv[1:5]
i = json.load(sys.stdin)
c = json.load(open(curve))
last = dict(zip(c["fields"], c["steps"][-1]))
held = [r[c["fields"].index("held_out")] for r in c["steps"]]
held = [h for h in held if h is not None]
print(f"""# @{name}

{what}

| | |
|---|---|
| parameters | {i["params_total"]:,}, of which {i["params_active"]:,} work on a token; BF16, {i["bytes"] / 1e6:.1f} MB |
| cache | {i["kv_bytes_per_token"]["own"]} bytes a token in BF16 |
| trained on | stories, code, arithmetic and Chinese sentences from grammars (`lua/lathe/text.lua`), one domain a row |
| made by | `{command}`: {last["step"]} steps, seed 1; the curve is in `training.json` |
| held-out loss | {held[-1] if held else last["loss"]:.3f} nats a byte; last step: loss {last["loss"]:.3f}, MaxVio {last["maxvio"]:.2f} |

Rows were 128 bytes: the model knows the beginnings of texts, and writes poorly beyond about that length. One seed and a small model: a difference of 0.01 between twins is within the noise of seeds (`lua/examples/attention_twins.lua` and
`lua/examples/balance.lua` run several). The same command makes the same bytes on a machine with the same kernel set (`lathe doctor`).""")' \
		"$1" "$2" "$3" "$work/$1/training.json"
}

twin() { # twin NAME CONFIG WHAT
	command="lathe train $2 --out runs/$1 --threads 1"
	"$lathe" train "$2" --out "$work/$1/run" --threads 1 --json ${steps:+--steps "$steps"} >"$work/$1.jsonl"
	python3 "$here/curve.py" "$work/$1.jsonl" 10 >"$work/$1/training.json"
	page "$1" "$3" "$command" "$work/$1/run/model" >"$work/$1/README.md"
	printf '{\n  "name": "%s",\n  "config": "lua/configs/train-%s.lua",\n  "command": "%s",\n  "seed": 1,\n  "licence": "MIT"\n}\n' \
		"$1" "$2" "$command" >"$work/$1/card.json"
	mkdir -p "$target/$1"
	cp "$work/$1/run/model/"* "$work/$1/training.json" "$work/$1/card.json" "$work/$1/README.md" "$target/$1"
	rm -rf "${work:?}/$1"
}

twin twin-mla twin-mla "Multi-head Latent Attention; the others are its twins. Its experts are balanced by the bias rule alone, so it is also the twin of
@twin-sequence and @twin-none."
twin twin-mha twin-mha "Multi-head attention, four key heads: twin of @twin-mla, with as many parameters within 1 %."
twin twin-gqa twin-gqa "Grouped queries, two key heads: twin of @twin-mla, with as many parameters within 1 %."
twin twin-mqa twin-mqa "Multi-query attention, one key head: twin of @twin-mla, with as many parameters within 1 %."
twin twin-sequence balance-sequence "Twin of @twin-mla whose experts are kept busy by V3's sequence-wise loss instead of the bias rule."
twin twin-none balance-none "Twin of @twin-mla whose experts are left to themselves."
