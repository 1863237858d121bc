#!/usr/bin/env python3
"""Makes what tokenizer_golden_test compares with: token ids by Hugging Face tokenizers, as counts and hashes.

    python3 tests/golden/make_tokenizer_goldens.py [--smollm2 models/smollm2-135m]

Writes tests/golden/tokenizer/<shape>/: a small tokenizer of each supported shape, trained here on the mixed text, with
its goldens; and smollm2.json, goldens of the imported SmolLM2 tokenizer (its folder is not committed). Training is
deterministic for one version of `tokenizers`; what is committed was made with the version named in each file.
"""

import argparse
import hashlib
import json
import shutil
import struct
from pathlib import Path

import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

import mixed_text

HERE = Path(__file__).parent / "tokenizer"
CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
QWEN = CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
LLAMA3 = QWEN.replace(r"|\p{N}|", r"|\p{N}{1,3}|")
TEKKEN = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
    r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
# What AddedTokens must get right: tokens that take white space along, that stand alone only, that are looked for after
# normalisation, and that are the beginning of another.
ODD_TOKENS = [
    AddedToken("<tool>", lstrip=True, rstrip=True, normalized=False),
    AddedToken("word", single_word=True, normalized=False),
    AddedToken("Ångström", normalized=True),
    AddedToken("<|im_end|", normalized=False),
    AddedToken("<keep>", lstrip=True, normalized=False, special=True),
]


def byte_level(use_regex: bool):
    return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=use_regex)


def split(pattern: str):
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"), byte_level(False)])


# name -> (pre-tokenizer, normalizer, ignore_merges, special tokens, further added tokens)
SHAPES = {
    "gpt2": (byte_level(True), None, False, ["<|endoftext|>"], []),
    "llama3": (split(LLAMA3), None, True, ["<|begin_of_text|>", "<|eot_id|>", "<|end_of_text|>",
                                           "<|start_header_id|>", "<|end_header_id|>"], []),
    "qwen2": (split(QWEN), normalizers.NFC(), False, ["<|endoftext|>", "<|im_start|>", "<|im_end|>"], ODD_TOKENS),
    "smollm2": (pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), byte_level(True)]), None, False,
                ["<|endoftext|>", "<|im_start|>", "<|im_end|>"], []),
    "tekken": (split(TEKKEN), None, True, ["<s>", "</s>", "[INST]", "[/INST]"], []),
}
CHATML_SYSTEM = "You are a helpful assistant."
CHATML = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\n"
    + CHATML_SYSTEM
    + "<|im_end|>\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
LLAMA3_CHAT = (
    "{% set loop_messages = messages %}{% for message in loop_messages %}{% set content = '<|start_header_id|>' + "
    "message['role'] + '<|end_header_id|>\n\n'+ message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}"
    "{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}{% if add_generation_prompt %}"
    "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
CONFIGS = {
    "gpt2": {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>"},
    "llama3": {"bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>", "chat_template": LLAMA3_CHAT},
    "qwen2": {"bos_token": None, "eos_token": "<|im_end|>", "chat_template": CHATML, "add_bos_token": False},
    "smollm2": {"bos_token": "<|im_start|>", "eos_token": "<|im_end|>", "chat_template": CHATML},
    "tekken": {"bos_token": "<s>", "eos_token": "</s>", "add_bos_token": True},
}


def train(name: str) -> Tokenizer:
    pre_tokenizer, normalizer, ignore_merges, special, further = SHAPES[name]
    tokenizer = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    tokenizer.pre_tokenizer = pre_tokenizer
    if normalizer:
        tokenizer.normalizer = normalizer
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=900, special_tokens=special, show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator((mixed_text.chunk(i) for i in range(4)), trainer)
    tokenizer.add_tokens(further)
    if name == "llama3":
        bos = "<|begin_of_text|>"
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{bos} $A", pair=f"{bos} $A {bos} $B", special_tokens=[(bos, tokenizer.token_to_id(bos))])
    return tokenizer


def goldens(tokenizer: Tokenizer) -> dict:
    rows = {}
    for mode, as_text in (("recognise", False), ("as_text", True)):
        tokenizer.encode_special_tokens = as_text
        rows[mode] = []
        for i in range(mixed_text.CHUNKS):
            ids = tokenizer.encode(mixed_text.chunk(i), add_special_tokens=False).ids
            digest = hashlib.sha256(struct.pack(f"<{len(ids)}i", *ids)).hexdigest()
            rows[mode].append([len(ids), digest[:16]])
    tokenizer.encode_special_tokens = False
    return {"made_with": f"tokenizers {tokenizers.__version__}", **rows}


def write(path: Path, value: dict) -> None:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    path.write_text(text.replace('],["', '],\n["').replace("],[", "],\n[") + "\n", encoding="utf-8")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--smollm2", type=Path, help="folder of the imported SmolLM2 tokenizer")
    options = arguments.parse_args()
    texts = [hashlib.sha256(mixed_text.chunk(i).encode()).hexdigest()[:16] for i in range(mixed_text.CHUNKS)]
    write(HERE / "mixed_text.json", {"sha256": texts})
    for name in SHAPES:
        folder = HERE / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        tokenizer = train(name)
        tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
        write(folder / "tokenizer_config.json", CONFIGS[name])
        write(folder / "goldens.json", goldens(tokenizer))
    if options.smollm2:
        tokenizer = Tokenizer.from_file(str(options.smollm2 / "tokenizer.json"))
        write(HERE / "smollm2.json", goldens(tokenizer))


if __name__ == "__main__":
    main()
