#!/usr/bin/env python3
"""Peak memory beside what `ranktide plan` predicts for it, over 32 shapes of trials of SmolLM2-135M.

    ninja -C build/dev train_step
    .env/bin/python bench/memory.py [--threads 2] [--json FILE]

Every shape is a fresh process of bench/train_step with three steps. Prints predicted and measured bytes, the error, and
the share of shapes within 10 %. An error above 0 says that more was predicted than was used.
"""
import argparse
import json
import subprocess
from pathlib import Path

TREE = Path(__file__).resolve().parent.parent
ENGINE = TREE / "build/dev/bench/train_step"
MODEL = TREE / "models/smollm2-135m"

# method, dtype, rows, tokens of a row
SHAPES = [
    ("lora:4:attn", "fp32", 1, 128), ("lora:4:attn", "fp32", 2, 256), ("lora:4:attn", "fp32", 4, 512), ("lora:4:attn", "bf16", 2, 256),
    ("lora:8:q_proj+v_proj", "fp32", 1, 512), ("lora:8:q_proj+v_proj", "bf16", 4, 256), ("lora:8:q_proj+v_proj", "bf16", 1, 1024),
    ("lora:16:all", "fp32", 1, 128), ("lora:16:all", "fp32", 2, 256), ("lora:16:all", "fp32", 4, 256), ("lora:16:all", "fp32", 1, 1024), ("lora:16:all", "fp32", 4, 512),
    ("lora:16:all", "bf16", 1, 128), ("lora:16:all", "bf16", 2, 256), ("lora:16:all", "bf16", 8, 128), ("lora:16:all", "bf16", 1, 1024), ("lora:16:all", "bf16", 4, 512),
    ("lora:64:mlp", "fp32", 2, 256), ("lora:64:mlp", "bf16", 2, 512), ("lora:64:all", "bf16", 4, 128), ("lora:256:all", "fp32", 1, 256), ("lora:256:all", "bf16", 2, 256),
    ("lora:16:all:0.1", "fp32", 2, 256), ("lora:16:mlp:0.1", "bf16", 1, 1024),
    ("full", "fp32", 1, 128), ("full", "fp32", 2, 256), ("full", "fp32", 1, 1024), ("full", "fp32", 4, 512),
    ("full", "bf16", 1, 128), ("full", "bf16", 2, 256), ("full", "bf16", 8, 128), ("full", "bf16", 4, 512),
]
STEPS = 3


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", help="write every shape here")
    args = parser.parse_args()
    print(f"{'method':22} {'dtype':5} {'tokens':>8} {'predicted':>10} {'measured':>9} {'error':>7} {'s a step':>9}")
    record, errors = [], []
    for method, dtype, rows, tokens in SHAPES:
        command = [ENGINE, MODEL, method, dtype, rows, tokens, args.threads, STEPS]
        out = json.loads(subprocess.run([str(word) for word in command], check=True, stdout=subprocess.PIPE).stdout)
        error = out["predicted_peak_bytes"] / out["peak_bytes"] - 1
        errors.append(error)
        record.append({"method": method, "dtype": dtype, "rows": rows, "tokens": tokens} | out)
        print(f"{method:22} {dtype:5} {rows:>3}x{tokens:<4} {out['predicted_peak_bytes'] / 1e9:8.3f} GB {out['peak_bytes'] / 1e9:6.3f} GB {error:+7.1%} {out['seconds']:9.2f}", flush=True)
    within = sum(abs(error) <= 0.1 for error in errors)
    print(f"within 10 %: {within} of {len(errors)}; from {min(errors):+.1%} to {max(errors):+.1%}")
    if args.json:
        Path(args.json).write_text(json.dumps(record, indent=1))


if __name__ == "__main__":
    main()
