#!/usr/bin/env python3
"""Tokens per second and peak memory of one training run: ranktide beside PEFT and transformers, in the same run.

Both sides train SmolLM2-135M on the same text, in rows of 256 tokens, two rows a step, with AdamW and a constant rate,
on the same number of threads. The first steps (page faults, kernel caches) are left out on both sides. Rounds alternate
and medians are printed with the ratio ranktide : rival. Like for like: the dtype is the same on both sides of a row.

    .env/bin/python bench/train_beside_peft.py [--steps 8] [--rounds 3] [--threads 2] [--dtypes fp32,bf16]
"""
import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TREE = Path(__file__).resolve().parent.parent
WARM_STEPS = 2
ROW_TOKENS = 256
BATCH = 2


def sweep_text(method, dtype, steps, text):
    lora = "lora: {rank: 16, target: all}\n" if method == "lora" else ""
    return (
        f"version: 1\nname: bench\nmodel: {{path: {TREE}/models/smollm2-135m, dtype: {dtype}}}\nmethod: {method}\n{lora}"
        f"data: {{train: {text}, max_tokens: {ROW_TOKENS}}}\n"
        f"train: {{lr: 1e-4, batch: {BATCH}, schedule: constant, warmup: 0}}\nbudget: {{steps: {steps}}}\n"
        "run: {keep: none}\n"
    )


def ranktide(method, dtype, args):
    """One trial through the whole program; rates come from the points it recorded, memory from its outcome."""
    with tempfile.TemporaryDirectory() as folder:
        sweep = Path(folder, "bench.yaml")
        sweep.write_text(sweep_text(method, dtype, args.steps, args.text))
        data = Path(folder, "data")
        command = [TREE / "bin/ranktide", "run", sweep, "--data-dir", data, "--slots", "1", "--threads-per-slot", str(args.threads), "-q", "--json"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        import sqlite3

        store = sqlite3.connect(f"file:{data}/ranktide.db?mode=ro", uri=True)
        rates = [v for step, v in store.execute("SELECT step, value FROM v_metric WHERE name = 'tokens_per_second' ORDER BY step") if step > WARM_STEPS]
        (memory,) = store.execute("SELECT memory_peak_bytes FROM v_trial").fetchone()
        return statistics.median(rates), memory


def peft_child(method, dtype, args):
    """Runs in a process of its own, so that its peak memory is its own. Prints {rate, memory}."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    folder = TREE / "models/smollm2-135m"
    kind = {"fp32": torch.float32, "bf16": torch.bfloat16}[dtype]
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=kind, attn_implementation="sdpa")
    if method == "lora":
        model = get_peft_model(model, LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM"))
    model.train()
    ids = AutoTokenizer.from_pretrained(folder)(Path(args.text).read_text(errors="replace")[:400_000], add_special_tokens=False)["input_ids"]
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-4, weight_decay=0, fused=True)
    rates = []
    for step in range(args.steps):
        start = step * BATCH * ROW_TOKENS
        rows = torch.tensor(ids[start : start + BATCH * ROW_TOKENS]).view(BATCH, ROW_TOKENS)
        began = time.perf_counter()
        loss = model(input_ids=rows, labels=rows).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        if step >= WARM_STEPS:
            rates.append(BATCH * ROW_TOKENS / (time.perf_counter() - began))
    print(json.dumps({"rate": statistics.median(rates), "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}))


def peft(method, dtype, args):
    command = [sys.executable, __file__, "--peft-child", method, dtype, "--steps", str(args.steps), "--threads", str(args.threads), "--text", args.text]
    environment = dict(os.environ, OMP_NUM_THREADS=str(args.threads), HF_HUB_OFFLINE="1")
    out = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment).stdout
    result = json.loads(out.splitlines()[-1])
    return result["rate"], result["memory"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--dtypes", default="fp32,bf16")
    parser.add_argument("--text", default=str(TREE / "data/python_train.txt"))
    parser.add_argument("--peft-child", nargs=2, metavar=("METHOD", "DTYPE"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.peft_child:
        return peft_child(*args.peft_child, args)

    import peft as peft_package
    import torch
    import transformers

    print(f"torch {torch.__version__}, transformers {transformers.__version__}, peft {peft_package.__version__}; {args.threads} threads, "
          f"{args.rounds} rounds of {args.steps} steps of {BATCH}x{ROW_TOKENS} tokens, load {os.getloadavg()[0]:.1f}")
    print(f"{'method':6} {'dtype':5} {'ranktide tok/s':>14} {'PEFT tok/s':>11} {'ratio':>6} {'ranktide GiB':>13} {'PEFT GiB':>9} {'ratio':>6}")
    for method in ("lora", "full"):
        for dtype in args.dtypes.split(","):
            ours, theirs = [], []
            for _ in range(args.rounds):
                ours.append(ranktide(method, dtype, args))
                theirs.append(peft(method, dtype, args))
            rate, memory = (statistics.median(x) for x in zip(*ours))
            their_rate, their_memory = (statistics.median(x) for x in zip(*theirs))
            print(f"{method:6} {dtype:5} {rate:14.0f} {their_rate:11.0f} {rate / their_rate:6.2f} {memory / 2**30:13.2f} "
                  f"{their_memory / 2**30:9.2f} {memory / their_memory:6.2f}", flush=True)


if __name__ == "__main__":
    main()
