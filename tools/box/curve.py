#!/usr/bin/python3
"""The curve of a run for a model card: every N-th line of `lathe train --json` and all with a held-out loss, few digits.

  python3 tools/box/curve.py RUN.jsonl [N] > data/NAME/training.json
"""
import json
import sys

FIELDS = ("step", "loss", "main_loss", "mtp_loss", "held_out", "lr", "grad_norm", "maxvio", "bias_drift", "tokens")
every = int(sys.argv[2]) if len(sys.argv) > 2 else 20
rows = [json.loads(line) for line in open(sys.argv[1])]
keep = [r for r in rows if r["step"] % every == 0 or r["step"] == 1 or r.get("held_out") is not None]
short = lambda v: float(f"{v:.5g}") if isinstance(v, float) else v
print('{"fields":' + json.dumps(FIELDS) + ',"steps":[')
print(",\n".join(json.dumps([short(r.get(f)) for f in FIELDS], separators=(",", ":")) for r in keep))
print("]}")
