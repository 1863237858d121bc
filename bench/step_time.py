#!/usr/bin/env python3
"""Seconds of a training step beside what `ranktide plan` predicts for it, over shapes of trials of SmolLM2-135M.

    ninja -C build/dev train_step ranktide-trainer
    .env/bin/python bench/step_time.py [--threads 1] [--steps 5] [--json FILE] [--again FILE]

First `ranktide-trainer gemm` measures the machine's products, then every shape is a fresh process of bench/train_step.
Prints predicted and measured seconds per step, by the clock and of the processor (all threads), the error against a
thread's share of the latter, and the share of shapes within 20 %. An error above 0 says that more was predicted than was used. --again predicts anew for the
table and the steps that --json wrote earlier, after a change of the formulas.
"""
import argparse
import json
import subprocess
import tempfile
from pathlib import Path

TREE = Path(__file__).resolve().parent.parent
ENGINE = TREE / "build/dev/bench/train_step"
TRAINER = TREE / "build/dev/bin/ranktide-trainer"
MODEL = TREE / "models/smollm2-135m"

# method, dtype, rows, tokens of a row
SHAPES = [
    ("lora:16:all", "fp32", 1, 128), ("lora:16:all", "fp32", 2, 256), ("lora:16:all", "fp32", 1, 1024), ("lora:16:all", "bf16", 1, 256),
    ("lora:4:attn", "fp32", 4, 64), ("lora:8:q_proj+v_proj", "bf16", 1, 512), ("lora:64:mlp", "fp32", 1, 256), ("lora:256:all", "fp32", 1, 256),
    ("full", "fp32", 1, 128), ("full", "fp32", 2, 256), ("full", "bf16", 1, 256), ("full", "bf16", 4, 128),
]


def output_of(*command):
    return json.loads(subprocess.run([str(word) for word in command], check=True, stdout=subprocess.PIPE).stdout)


def train(shape, steps, threads, table):
    method, dtype, rows, tokens = shape
    return output_of(ENGINE, MODEL, method, dtype, rows, tokens, threads, steps, f"products={table}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--json", help="write the table of products and every shape here")
    parser.add_argument("--again", help="such a file: predict, but measure nothing")
    args = parser.parse_args()
    earlier = json.loads(Path(args.again).read_text()) if args.again else None
    record = {"table": earlier["table"] if earlier else output_of(TRAINER, "gemm", "--json", "--threads", args.threads), "shapes": []}
    print(f"{record['table']['device']}, {record['table']['isa']}, {args.threads} thread(s)")
    print(f"{'method':22} {'dtype':5} {'tokens':>8} {'predicted':>10} {'clock':>8} {'processor':>10} {'error':>7}   products + element-wise + optimizer")
    errors = []
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder, "products.json")
        table.write_text(json.dumps(record["table"]))
        for i, shape in enumerate(SHAPES):
            out = earlier["shapes"][i] | train(shape, 0, args.threads, table) if earlier else train(shape, args.steps, args.threads, table)
            record["shapes"].append(out)
            errors.append(out["predicted_seconds"] * args.threads / out["processor_seconds"] - 1)  # processor seconds are of all threads
            parts = " + ".join(f"{seconds:.2f}" for seconds in out["predicted_parts"].values())
            print(f"{shape[0]:22} {shape[1]:5} {shape[2]:>3}x{shape[3]:<4} {out['predicted_seconds']:8.2f} s {out['seconds']:6.2f} s {out['processor_seconds']:8.2f} s {errors[-1]:+7.1%}   {parts}", flush=True)
    within = sum(abs(error) <= 0.2 for error in errors)
    print(f"within 20 %: {within} of {len(errors)}; from {min(errors):+.1%} to {max(errors):+.1%}")
    if args.json:
        Path(args.json).write_text(json.dumps(record, indent=1))


if __name__ == "__main__":
    main()
