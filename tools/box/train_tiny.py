#!/usr/bin/env python3
"""Trains data/tiny, the model that the workbench opens on: DeepSeek-V3 layout, 2 million parameters, four small text domains.

  python3 tools/box/train_tiny.py --tokenizer DIR --out data/tiny [--steps 2000] [--stop 1476] [--threads 1]

Needs PyTorch (Debian: python3-torch) and the `lathe` program for the tokenizer. The optimiser is AdamW as in the V3 report (betas 0.9 0.95, decay 0.1
on matrices, clip 1.0), routing is balanced by the correction bias, and one MTP module is trained beside with weight 0.3.
"""
import argparse
import json
import math
import pathlib
import shutil
import struct
import subprocess
import sys
import time

import torch
import torch.nn.functional as F

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from corpus import document  # noqa: E402

C = dict(architectures=["DeepseekV3ForCausalLM"], model_type="deepseek_v3", vocab_size=672, hidden_size=128, intermediate_size=320,
         moe_intermediate_size=64, num_hidden_layers=4, num_attention_heads=4, num_key_value_heads=4, n_routed_experts=16,
         n_shared_experts=1, num_experts_per_tok=4, first_k_dense_replace=1, moe_layer_freq=1, n_group=4, topk_group=2,
         norm_topk_prob=True, routed_scaling_factor=1.0, topk_method="noaux_tc", scoring_func="sigmoid", q_lora_rank=64,
         kv_lora_rank=32, qk_nope_head_dim=16, qk_rope_head_dim=16, v_head_dim=16, rms_norm_eps=1e-6, rope_theta=10000.0,
         hidden_act="silu", max_position_embeddings=2048, attention_bias=False, attention_dropout=0.0, tie_word_embeddings=False,
         bos_token_id=0, eos_token_id=1, initializer_range=0.02, num_nextn_predict_layers=1, torch_dtype="bfloat16", use_cache=True)
h, L, NH, E, K = C["hidden_size"], C["num_hidden_layers"], C["num_attention_heads"], C["n_routed_experts"], C["num_experts_per_tok"]
r, rq, dn, dr, dv, V = C["kv_lora_rank"], C["q_lora_rank"], 16, 16, 16, C["vocab_size"]
P, BIAS = {}, {}


def mat(name, *shape, std=0.04):
    P[name] = torch.nn.Parameter(torch.randn(*shape) * std)


def mlp_weights(p, width):
    mat(p + "gate_proj.weight", width, h)
    mat(p + "up_proj.weight", width, h)
    mat(p + "down_proj.weight", h, width, std=0.02)


def block_weights(n):
    p = f"model.layers.{n}."
    for g, size in (("input_layernorm", h), ("post_attention_layernorm", h), ("self_attn.q_a_layernorm", rq), ("self_attn.kv_a_layernorm", r)):
        P[p + g + ".weight"] = torch.nn.Parameter(torch.ones(size))
    a = p + "self_attn."
    mat(a + "q_a_proj.weight", rq, h)
    mat(a + "q_b_proj.weight", NH * (dn + dr), rq)
    mat(a + "kv_a_proj_with_mqa.weight", r + dr, h)
    mat(a + "kv_b_proj.weight", NH * (dn + dv), r)
    mat(a + "o_proj.weight", h, NH * dv, std=0.02)
    if n < C["first_k_dense_replace"]:
        return mlp_weights(p + "mlp.", C["intermediate_size"])
    mat(p + "mlp.gate.weight", E, h)
    BIAS[n] = torch.zeros(E)
    mlp_weights(p + "mlp.shared_experts.", C["moe_intermediate_size"])
    for e in range(E):
        mlp_weights(p + f"mlp.experts.{e}.", C["moe_intermediate_size"])


def norm(x, name):
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6) * P[name + ".weight"]


def rope(x, cos, sin):
    a, b = x[..., 0::2], x[..., 1::2]
    return torch.stack((a * cos - b * sin, a * sin + b * cos), -1).flatten(-2)


def attention(x, p, cos, sin, mask):
    B, T, _ = x.shape
    q = F.linear(norm(F.linear(x, P[p + "q_a_proj.weight"]), p + "q_a_layernorm"), P[p + "q_b_proj.weight"]).view(B, T, NH, dn + dr)
    u = F.linear(x, P[p + "kv_a_proj_with_mqa.weight"])
    kv = F.linear(norm(u[..., :r], p + "kv_a_layernorm"), P[p + "kv_b_proj.weight"]).view(B, T, NH, dn + dv)
    kr = rope(u[..., r:], cos, sin)[:, :, None].expand(B, T, NH, dr)
    q = torch.cat((q[..., :dn], rope(q[..., dn:], cos[:, None], sin[:, None])), -1).transpose(1, 2)
    k = torch.cat((kv[..., :dn], kr), -1).transpose(1, 2)
    s = (q @ k.transpose(-1, -2) / math.sqrt(dn + dr) + mask).softmax(-1)
    o = (s @ kv[..., dn:].transpose(1, 2)).transpose(1, 2).reshape(B, T, NH * dv)
    return F.linear(o, P[p + "o_proj.weight"])


def mlp(x, p):
    return F.linear(F.silu(F.linear(x, P[p + "gate_proj.weight"])) * F.linear(x, P[p + "up_proj.weight"]), P[p + "down_proj.weight"])


def choose(s):
    """Group-limited top-K: groups by the sum of their two best, then K experts."""
    g = s.view(-1, C["n_group"], E // C["n_group"])
    keep = g.topk(2, -1)[0].sum(-1).topk(C["topk_group"], -1)[1]
    mask = torch.full_like(g[..., 0], -math.inf).scatter(1, keep, 0.0)
    return (g + mask[..., None]).view(-1, E).topk(K, -1)[1]


def moe(x, p, n, loads):
    flat = x.reshape(-1, h)
    s = F.linear(flat, P[p + "gate.weight"]).sigmoid()
    idx = choose(s.detach() + BIAS[n])
    w = s.gather(1, idx)
    w = w / w.sum(-1, keepdim=True) * C["routed_scaling_factor"]
    order = idx.reshape(-1).argsort()
    count = torch.bincount(idx.reshape(-1), minlength=E)
    loads[n] = count
    rows = flat.index_select(0, order.div(K, rounding_mode="floor")).split(count.tolist())
    y = torch.cat([mlp(t, p + f"experts.{e}.") for e, t in enumerate(rows)]) * w.reshape(-1).index_select(0, order)[:, None]
    return mlp(x, p + "shared_experts.") + torch.zeros_like(flat).index_add(0, order.div(K, rounding_mode="floor"), y).view_as(x)


def block(x, n, ctx, loads):
    p = f"model.layers.{n}."
    x = x + attention(norm(x, p + "input_layernorm"), p + "self_attn.", *ctx)
    y = norm(x, p + "post_attention_layernorm")
    return x + (mlp(y, p + "mlp.") if n < C["first_k_dense_replace"] else moe(y, p + "mlp.", n, loads))


def losses(ids, tables):
    loads = {}
    T = ids.shape[1] - 1
    ctx = (tables[0][:T], tables[1][:T], torch.full((T, T), -math.inf).triu(1))
    x = F.embedding(ids[:, :-1], P["model.embed_tokens.weight"])
    for n in range(L):
        x = block(x, n, ctx, loads)
    x = norm(x, "model.norm")
    main = F.cross_entropy(F.linear(x, P["lm_head.weight"]).flatten(0, 1), ids[:, 1:].flatten())
    p = f"model.layers.{L}."
    emb = F.embedding(ids[:, 1:-1], P["model.embed_tokens.weight"])
    z = F.linear(torch.cat((norm(emb, p + "enorm"), norm(x[:, :-1], p + "hnorm")), -1), P[p + "eh_proj.weight"])
    ctx = (ctx[0][:T - 1], ctx[1][:T - 1], ctx[2][:T - 1, :T - 1])
    y = norm(block(z, L, ctx, loads), p + "shared_head.norm")
    return main, F.cross_entropy(F.linear(y, P["lm_head.weight"]).flatten(0, 1), ids[:, 2:].flatten()), loads


def tokens(lathe, tokenizer, n_docs):
    lines = "\n".join(json.dumps({"text": document(i), "add_special_tokens": False}) for i in range(n_docs))
    out = subprocess.run([lathe, "tokenize", tokenizer, "--jsonl"], input=lines + "\n", capture_output=True, text=True, check=True).stdout
    ids = []
    for line in out.splitlines():
        ids += [C["bos_token_id"]] + json.loads(line)["ids"] + [C["eos_token_id"]]
    return torch.tensor(ids)


def save(out, meta):
    out.mkdir(parents=True, exist_ok=True)
    items = {k: ("BF16", v.detach().bfloat16()) for k, v in P.items()}
    items.update({f"model.layers.{n}.mlp.gate.e_score_correction_bias": ("F32", b) for n, b in BIAS.items()})
    head, blob = {"__metadata__": {"format": "pt"}}, b""
    for k in sorted(items, key=lambda k: (items[k][0] != "F32", k)):
        d, t = items[k]
        raw = t.contiguous().view(torch.int16 if d == "BF16" else torch.int32).numpy().tobytes()
        head[k] = {"dtype": d, "shape": list(t.shape), "data_offsets": [len(blob), len(blob) + len(raw)]}
        blob += raw
    h8 = json.dumps(head, separators=(",", ":")).encode()
    h8 += b" " * (-len(h8) % 8)
    (out / "model.safetensors").write_bytes(struct.pack("<Q", len(h8)) + h8 + blob)
    (out / "config.json").write_text(json.dumps(C, indent=2) + "\n")
    (out / "training.json").write_text(json.dumps(meta, indent=1) + "\n")


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--tokenizer", required=True)
    ap.add_argument("--out", required=True)
    ap.add_argument("--lathe", default="./lathe")
    ap.add_argument("--steps", type=int, default=2000)
    ap.add_argument("--threads", type=int, default=1)
    ap.add_argument("--stop", type=int, default=1476, help="end after this step of the schedule")
    a = ap.parse_args()
    torch.set_num_threads(a.threads)
    torch.manual_seed(1)
    mat("model.embed_tokens.weight", V, h)
    mat("lm_head.weight", V, h)
    P["model.norm.weight"] = torch.nn.Parameter(torch.ones(h))
    for n in range(L + 1):
        block_weights(n)
    for g in ("enorm", "hnorm", "shared_head.norm"):
        P[f"model.layers.{L}.{g}.weight"] = torch.nn.Parameter(torch.ones(h))
    mat(f"model.layers.{L}.eh_proj.weight", h, 2 * h)
    data = tokens(a.lathe, a.tokenizer, 20000)
    T, B = 129, 16
    inv = 1.0 / (C["rope_theta"] ** (torch.arange(0, dr, 2).float() / dr))
    ang = torch.outer(torch.arange(T).float(), inv)
    opt = torch.optim.AdamW([{"params": [p for p in P.values() if p.dim() > 1], "weight_decay": 0.1},
                             {"params": [p for p in P.values() if p.dim() == 1], "weight_decay": 0.0}], betas=(0.9, 0.95), eps=1e-8)
    g = torch.Generator().manual_seed(7)
    curve, t0 = [], time.time()
    for step in range(min(a.steps, a.stop)):
        lr = 3e-3 * min(1, (step + 1) / 50) * (0.1 + 0.45 * (1 + math.cos(math.pi * step / a.steps)))
        for group in opt.param_groups:
            group["lr"] = lr
        at = torch.randint(0, len(data) - T, (B,), generator=g)
        ids = torch.stack([data[i:i + T] for i in at])
        main_loss, mtp_loss, loads = losses(ids, (ang.cos(), ang.sin()))
        opt.zero_grad()
        (main_loss + 0.3 * mtp_loss).backward()
        torch.nn.utils.clip_grad_norm_(list(P.values()), 1.0)
        opt.step()
        if step < a.steps * 0.9:
            for n, c in loads.items():
                BIAS[n] += 0.003 * torch.sign(c.float().mean() - c)
        if step % 25 == 0 or step == a.stop - 1:
            vio = max(float(c.max() / c.float().mean() - 1) for c in loads.values())
            curve.append([step, round(float(main_loss), 4), round(float(mtp_loss), 4), round(vio, 3)])
            print(*curve[-1], f"{time.time() - t0:.0f}s", flush=True)
            save(pathlib.Path(a.out), {"seed": 1, "steps": step + 1, "batch": B, "sequence": T - 1, "curve": "step loss mtp_loss maxvio".split(), "rows": curve})
    for f in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(pathlib.Path(a.tokenizer) / f, a.out)


if __name__ == "__main__":
    main()
