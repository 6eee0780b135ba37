#!/usr/bin/env python3
"""Writes the tokenizers of the trained models in the box: data/reason (64 ids, one a character) and data/domains (256 bytes and a few marks).

usage: tools/box/tokenizers.py [DATA-DIR]; both are byte-level BPE without a merge, as the Hugging Face library and lathe read them."""
import json
import sys
from pathlib import Path

REASON_MARKS = ["<pad>", "<eos>", "<think>", "</think>", "<answer>", "</answer>", "wait", "<spare7>", "<spare8>"]
REASON_PLAIN = REASON_MARKS[2:7]  # written by the model as part of its text; the others are not shown
REASON_CHARS = "0123456789" "+-*/=();,>.:?%" "abcdefgh" "m" "ijklnopqrstuvwxyz" "[]{}|"
DOMAINS_MARKS = ["<eos>", "<pad>", "<\uff5cfim\u2581begin\uff5c>", "<\uff5cfim\u2581hole\uff5c>", "<\uff5cfim\u2581end\uff5c>"]


def byte_letters():
    """The letter that stands for each byte in byte-level vocabularies."""
    keep = [*range(33, 127), *range(161, 173), *range(174, 256)]
    other = [b for b in range(256) if b not in keep]
    return {**{b: chr(b) for b in keep}, **{b: chr(256 + i) for i, b in enumerate(other)}}


def tokenizer(vocab, marks, plain=()):
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    added = [{"id": i, "content": s, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": s not in plain}
             for s, i in marks.items()]
    model = {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None,
             "fuse_unk": False, "byte_fallback": False, "ignore_merges": False, "vocab": vocab, "merges": []}
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": None, "pre_tokenizer": level,
            "post_processor": None, "decoder": level, "model": model}


def settings(length):
    return {"add_bos_token": False, "add_eos_token": False, "bos_token": None, "clean_up_tokenization_spaces": False, "eos_token": "<eos>",
            "model_max_length": length, "pad_token": "<pad>", "tokenizer_class": "PreTrainedTokenizerFast", "unk_token": None}


def store(folder, tok, config):
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in ("tokenizer.json", tok), ("tokenizer_config.json", config):
        (folder / name).write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def main():
    data = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[2] / "data")
    # The marks stand in the vocabulary too: only so may they have ids below the vocabulary's size.
    vocab = {s: i for i, s in enumerate([*REASON_MARKS, *REASON_CHARS])}
    assert len(vocab) == 64
    store(data / "reason", tokenizer(vocab, {s: vocab[s] for s in REASON_MARKS}, REASON_PLAIN), settings(512))
    vocab = {s: b for b, s in sorted(byte_letters().items())}
    store(data / "domains", tokenizer(vocab, {s: 256 + i for i, s in enumerate(DOMAINS_MARKS)}), settings(2048))


main()
