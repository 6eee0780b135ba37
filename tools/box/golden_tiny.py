#!/usr/bin/env python3
"""Writes golden.safetensors beside a model made by train_tiny.py: what this PyTorch forward computes in float32 from the stored weights.

  python3 tools/box/golden_tiny.py data/tiny
"""
import json
import math
import pathlib
import struct
import sys

import torch
import torch.nn.functional as F

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import train_tiny as tt  # noqa: E402

L = tt.L


def load(path):
    raw = path.read_bytes()
    n = struct.unpack("<Q", raw[:8])[0]
    for name, t in json.loads(raw[8:8 + n]).items():
        if name == "__metadata__":
            continue
        b, e = t["data_offsets"]
        data = bytearray(raw[8 + n + b:8 + n + e])
        x = torch.frombuffer(data, dtype=torch.bfloat16 if t["dtype"] == "BF16" else torch.float32).float().reshape(t["shape"])
        if name.endswith("e_score_correction_bias"):
            tt.BIAS[int(name.split(".")[2])] = x
        else:
            tt.P[name] = x


def forward(ids, probes):
    T = ids.shape[1]
    inv = 1.0 / (10000.0 ** (torch.arange(0, tt.dr, 2).float() / tt.dr))
    ang = torch.outer(torch.arange(T).float(), inv)
    ctx = (ang.cos(), ang.sin(), torch.full((T, T), -math.inf).triu(1))
    x = F.embedding(ids, tt.P["model.embed_tokens.weight"])
    probes["embed"] = x
    for n in range(L):
        p = f"model.layers.{n}."
        a = tt.attention(tt.norm(x, p + "input_layernorm"), p + "self_attn.", *ctx)
        x = x + a
        y = tt.norm(x, p + "post_attention_layernorm")
        if n < 1:
            f = tt.mlp(y, p + "mlp.")
        else:
            f = tt.moe(y, p + "mlp.", n, {})
            s = F.linear(y.reshape(-1, tt.h), tt.P[p + "mlp.gate.weight"]).sigmoid()
            idx = tt.choose(s + tt.BIAS[n]).sort(-1)[0]
            w = s.gather(1, idx)
            probes[f"layers.{n}.moe.scores"] = s.view(*ids.shape, -1)
            probes[f"layers.{n}.moe.topk"] = idx.view(*ids.shape, -1)
            probes[f"layers.{n}.moe.weights"] = (w / w.sum(-1, keepdim=True)).view(*ids.shape, -1)
        x = x + f
        probes[f"layers.{n}.attn.out"], probes[f"layers.{n}.mlp.out"], probes[f"layers.{n}.resid_post"] = a, f, x
    x = tt.norm(x, "model.norm")
    probes["final"] = x
    probes["logits"] = F.linear(x, tt.P["lm_head.weight"])
    p = f"model.layers.{L}."
    emb = F.embedding(ids[:, 1:], tt.P["model.embed_tokens.weight"])
    z = F.linear(torch.cat((tt.norm(emb, p + "enorm"), tt.norm(x[:, :-1], p + "hnorm")), -1), tt.P[p + "eh_proj.weight"])
    ctx = (ctx[0][:T - 1], ctx[1][:T - 1], ctx[2][:T - 1, :T - 1])
    probes["mtp.0.logits"] = F.linear(tt.norm(tt.block(z, L, ctx, {}), p + "shared_head.norm"), tt.P["lm_head.weight"])
    return probes["logits"]


def write(path, tensors):
    head, blob = {"__metadata__": {"format": "lathe-golden-1", "source": f"tools/box/golden_tiny.py, torch {torch.__version__}", "dtype": "float32",
                                   "atol": "1e-3", "rtol": "1e-3", "note": "the box model on two short texts"}}, b""
    for k in sorted(tensors, key=lambda k: (tensors[k].dtype != torch.int64, k)):
        t = tensors[k].contiguous()
        d = "I64" if t.dtype == torch.int64 else "F32"
        raw = t.numpy().tobytes()
        head[k] = {"dtype": d, "shape": list(t.shape), "data_offsets": [len(blob), len(blob) + len(raw)]}
        blob += raw
    h8 = json.dumps(head, separators=(",", ":")).encode()
    h8 += b" " * (-len(h8) % 8)
    path.write_bytes(struct.pack("<Q", len(h8)) + h8 + blob)


def main():
    d = pathlib.Path(sys.argv[1])
    load(d / "model.safetensors")
    ids = torch.tensor([[0] + [5 + (i * 37) % 600 for i in range(23)], [0] + [11 + (i * 53) % 600 for i in range(23)]])
    probes = {"input_ids": ids}
    with torch.no_grad():
        forward(ids, probes)
        text = ids
        for _ in range(12):
            text = torch.cat((text, forward(text, {})[:, -1:].argmax(-1)), 1)
        probes["greedy"] = text[:, ids.shape[1]:]
    write(d / "golden.safetensors", probes)


main()
