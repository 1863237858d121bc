#!/usr/bin/env python3
"""What packing is worth on short rows of many lengths, such as GSM8K's: real tokens a second, padding not counted.

The same rows of prompts and completions, SmolLM2-135M, LoRA rank 16 on all linears, fp32, AdamW, three ways:

    packed     `ranktide run`, data.packing: true: rows of 512 tokens, several documents in each, none seeing another
    one a row  `ranktide run`, data.packing: false: a document is a row, and none is padded
    B1 padded  PEFT and transformers' Trainer, sdpa: what its documentation leads to, a batch padded to its longest row

A step holds about as many tokens in each. The engine runs as users run it, coordinator and worker included; a trial's
figures are the points that it reported. The first two steps count for nobody; medians are printed.

    .env/bin/python bench/packing.py FILE.jsonl [--fields question answer] [--steps 8] [--batch 8] [--threads 2]

Run it after `./bootstrap build`, or name the program: --ranktide build/dev/bin/ranktide. B1 needs accelerate:
.env/bin/pip install accelerate==1.15.0
"""
import argparse
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

TREE = Path(__file__).resolve().parent.parent
MODEL = TREE / "models/smollm2-135m"
PACKED_ROW = 512
LONGEST = 1024
WARM_STEPS = 2

SWEEP = """
version: 1
name: packing
model: {{path: {model}, dtype: fp32}}
method: lora
lora: {{rank: 16, target: all}}
train: {{schedule: constant, lr: 1e-4, warmup: 0}}
budget: {{steps: {steps}}}
data:
  train: {rows}
  fields: {{prompt: {prompt}, completion: {completion}}}
  mask_prompt: false
rows:
  layout:
    packed: {{data.packing: true, data.max_tokens: {packed_row}, train.batch: {packed_batch}}}
    alone: {{data.packing: false, data.max_tokens: {longest}, train.batch: {batch}}}
"""
RATES = """
SELECT m.value FROM v_metric m JOIN v_trial t ON t.trial = m.trial
WHERE m.name = 'tokens_per_second' AND json_extract(t.labels, '$.layout') = ? ORDER BY m.step
"""


def median_rate(rates):
    return statistics.median(rates[WARM_STEPS:])


def ranktide(args, folder):
    sweep, data = folder / "packing.yaml", folder / "data"
    sweep.write_text(SWEEP.format(model=MODEL, steps=args.steps, rows=Path(args.rows).resolve(), prompt=args.fields[0], completion=args.fields[1],
                                  packed_row=PACKED_ROW, packed_batch=max(1, round(args.batch * args.mean / PACKED_ROW)), longest=LONGEST, batch=args.batch))
    command = [args.ranktide, "run", sweep, "--data-dir", data, "--slots", 1, "--threads-per-slot", args.threads, "--quiet"]
    subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL)
    with sqlite3.connect(data / "ranktide.db") as database:
        return {layout: median_rate([rate for (rate,) in database.execute(RATES, [layout])]) for layout in ("packed", "alone")}


def padded_peft(args, rows, folder):
    """Returns: real tokens a second, and the share of what was computed that was padding."""
    import time

    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer, DataCollatorForSeq2Seq, Trainer, TrainerCallback, TrainingArguments

    torch.set_num_threads(args.threads)
    tokenizer = AutoTokenizer.from_pretrained(MODEL)
    model = AutoModelForCausalLM.from_pretrained(MODEL, dtype=torch.float32, attn_implementation="sdpa")
    model = get_peft_model(model, LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM"))

    class Clock(TrainerCallback):
        seconds = []

        def on_step_begin(self, *_, **__):
            self.began = time.perf_counter()

        def on_step_end(self, *_, **__):
            self.seconds.append(time.perf_counter() - self.began)

    real, computed = [], []

    class Counting(DataCollatorForSeq2Seq):
        def __call__(self, features, return_tensors=None):
            out = super().__call__(features, return_tensors)
            real.append(int(out["attention_mask"].sum()))
            computed.append(out["attention_mask"].numel())
            return out

    clock = Clock()
    Trainer(
        model=model,
        args=TrainingArguments(folder, per_device_train_batch_size=args.batch, max_steps=args.steps, learning_rate=1e-4, lr_scheduler_type="constant", weight_decay=0,
                               optim="adamw_torch_fused", logging_steps=1000, save_strategy="no", report_to=[], use_cpu=True, disable_tqdm=True),
        train_dataset=[{"input_ids": row, "attention_mask": [1] * len(row), "labels": row} for row in rows],
        data_collator=Counting(tokenizer),
        callbacks=[clock],
    ).train()
    rates = [tokens / seconds for tokens, seconds in zip(real, clock.seconds)]
    return median_rate(rates), 1 - sum(real[: args.steps]) / sum(computed[: args.steps])


def token_rows(args):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(MODEL)
    texts = [json.loads(line) for line in open(args.rows)]
    return [tokenizer(t[args.fields[0]] + t[args.fields[1]] + tokenizer.eos_token)["input_ids"][:LONGEST] for t in texts]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", help="JSONL of prompts and completions")
    parser.add_argument("--fields", nargs=2, default=["question", "answer"], help="their names")
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--batch", type=int, default=8, help="documents of a step, unpacked")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--ranktide", default=str(TREE / "bin/ranktide"))
    args = parser.parse_args()
    if args.steps <= WARM_STEPS:
        parser.error(f"--steps: more than {WARM_STEPS}, which count for nobody")
    if not Path(args.ranktide).is_file():
        parser.error(f"there is no {args.ranktide}: build it, or name the program by --ranktide")
    return args


def main():
    args = arguments()
    rows = token_rows(args)
    args.mean = int(statistics.mean(len(row) for row in rows))
    print(f"{len(rows)} documents of {min(map(len, rows))} to {max(map(len, rows))} tokens, {args.mean} in the mean; {args.threads} threads, {args.steps} steps, load {os.getloadavg()[0]:.1f}", flush=True)
    os.environ.update(HF_HUB_OFFLINE="1", OMP_NUM_THREADS=str(args.threads))
    with tempfile.TemporaryDirectory() as folder:
        ours = ranktide(args, Path(folder))
        theirs, padding = padded_peft(args, rows, folder)
    print(f"{'':12} {'tokens/s':>9} {'x B1':>6}")
    for name, rate in (("packed", ours["packed"]), ("one a row", ours["alone"]), ("B1 padded", theirs)):
        print(f"{name:12} {rate:9.1f} {rate / theirs:6.2f}")
    print(f"{padding:.0%} of what B1 computed was padding")


if __name__ == "__main__":
    sys.exit(main())
