#!/usr/bin/env python3
"""One training step beside PEFT's Trainer: seconds, memory, losses, and the share of what the matrix units give.

Everyone trains SmolLM2-135M's weights on the same rows of the same text in the same order, on the same threads, from the
same adapter, with AdamW, a constant rate and clipping at 1; LoRA is rank 16 on all linears without dropout. The rivals
run transformers' Trainer with its fused AdamW:

    B1   fp32, sdpa: what the documentation leads to, all rows of a step at once
    B1a  B1 in two micro-batches, by gradient_accumulation_steps: it holds less, as ours does, which cuts by itself
    B2   bf16 weights, sdpa
    B3   B2 under torch_compile; its compile time is told apart and is in no ratio
    B4   fp32 weights, rounded to nearest for products in bf16 by autocast: what our bf16 is nearest to

The engine's own process is bench/train_step, the rivals' is bench/rival_steps.py. All are started, one after the other,
and make two steps that count for nothing (page faults, kernel caches, compiling). Then they take turns, a step each,
while the others wait: what else the machine does falls on all alike. A ratio is the median of those of single turns, and
above 1 says that ranktide takes less; beside it its quartiles. Memory is the most that a process held in its life, the
loading of model and libraries included. The share is of the rate at which LibTorch made a
step's products alone right before it; where the engine has products of its own (bench/products.cpp) it may be above 100 %.
A loss that differs from B1's by more than the engine promises (1e-4 in fp32, 1e-2 in bf16) is called out. A process
that fails or is interrupted is left out of the table of all others, and the exit code is 1.

    ninja -C build/dev train_step
    .env/bin/python bench/train.py [--methods lora,full] [--rivals B1] [--turns 6] [--rows 4] [--tokens 512] [--json FILE]

The rivals need accelerate, and B3 a compiler and Python's headers:  .env/bin/pip install accelerate==1.15.0
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from array import array
from pathlib import Path

from product_rates import ProductRates
from turns import Failed, Process

TREE = Path(__file__).resolve().parent.parent
MODEL = TREE / "models/smollm2-135m"
ENGINE = TREE / "build/dev/bench/train_step"
RIVAL_STEPS = TREE / "bench/rival_steps.py"
WARM_STEPS = 2
OURS = {"ranktide bf16": "bf16", "ranktide fp32": "fp32"}
RIVALS = {"B1": {"dtype": "fp32"}, "B1a": {"dtype": "fp32", "accumulate": 2},
          "B2": {"dtype": "bf16"}, "B3": {"dtype": "bf16", "compiled": True},
          "B4": {"dtype": "fp32", "autocast": True}}
PROMISED = {"fp32": 1e-4, "bf16": 1e-2}  # largest relative difference of a loss


def write_ids(args, file):
    """The rows everyone trains on: the text's first ids, as many as all steps need."""
    from transformers import AutoTokenizer

    wanted = (WARM_STEPS + args.turns) * args.rows * args.tokens
    text = Path(args.text).read_text(errors="replace")[: wanted * 8]
    ids = AutoTokenizer.from_pretrained(MODEL)(text, add_special_tokens=False, verbose=False)["input_ids"][:wanted]
    if len(ids) < wanted:
        sys.exit(f"{args.text} holds {len(ids)} tokens of the {wanted} that the steps need")
    file.write_bytes(array("i", ids).tobytes())


def rival_command(args, **spec):
    return [args.rival_python, RIVAL_STEPS, json.dumps({"model": str(MODEL), "threads": args.threads, "rows": args.rows, "tokens": args.tokens, **spec})]


def start(name, method, args, folder):
    steps = WARM_STEPS + args.turns
    adapter = folder / "adapter" if method == "lora" else None
    if name in OURS:
        words = [f"ids={folder / 'ids'}", "paced"] + ([f"start={adapter}"] if adapter else [])
        command = [ENGINE, MODEL, method, OURS[name], args.rows, args.tokens, args.threads, steps, *words]
    else:
        command = rival_command(args, ids=str(folder / "ids"), method=method, steps=steps, paced=True, start=str(adapter or ""), **RIVALS[name])
    environment = dict(os.environ, OMP_NUM_THREADS=str(args.threads), HF_HUB_OFFLINE="1")
    return Process(name, command, environment, folder / f"{name}.err")


def make_adapter(args, folder):
    done = subprocess.run(rival_command(args, steps=0, ids="", save_start=str(folder / "adapter")), capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"no adapter to start from:\n{done.stderr[-2000:]}")


def start_all(processes, method, args, folder, faults):
    """Fills in the processes by name, each after its warm steps. Returns: seconds of those."""
    warm = {}
    for name in [*OURS, *filter(None, args.rivals.split(","))]:
        try:
            processes[name] = start(name, method, args, folder)
            warm[name] = [processes[name].step()["seconds"] for _ in range(WARM_STEPS)]
            print(f"  {method} {name}: ready, warm steps of " + " and ".join(f"{seconds:.1f}" for seconds in warm[name]) + " s", flush=True)
        except Failed as fault:
            faults.append(str(fault))
            processes.pop(name, None)
    return warm


def take_turns(processes, rates, runs, faults):
    """A step of each."""
    for name, process in list(processes.items()):
        rate = rates.of(OURS[name], process.first["microbatch_rows"]) if name in OURS else 0
        try:
            told = process.step()
        except Failed as fault:
            faults.append(str(fault))
            del processes[name]
            continue
        run = runs.setdefault(name, {"seconds": [], "gemm_gflops": []})
        run["gemm_gflops"].append(rate)
        if "losses" in told:  # the last step's line is of all
            run |= {"whole": told, "bytes": told.get("life_peak_bytes", told["peak_bytes"])}
            told = {"seconds": told.get("step_seconds", told["seconds"])[-1]}
        run["seconds"].append(told["seconds"])
    print("  " + ", ".join(f"{name} {runs[name]['seconds'][-1]:.2f} s" for name in processes), flush=True)


def measured(method, args, folder, faults):
    """Returns: the runs of each name that came to its end, by name."""
    runs, warm, processes = {}, {}, {}
    try:
        warm = start_all(processes, method, args, folder, faults)
        rates = ProductRates(args.threads, args.tokens, args.rows)
        for _ in range(args.turns):
            take_turns(processes, rates, runs, faults)
    except KeyboardInterrupt:
        faults.append("interrupted: memory and losses are told at the end, so there is no table")
    finally:
        for process in processes.values():
            process.kill()
    return {name: run | {"warm_seconds": warm[name]} for name, run in runs.items() if "whole" in run}


def dtype_of(name):
    return OURS.get(name) or RIVALS[name]["dtype"]


def quartiles(ratios):
    if len(ratios) < 4:
        return f"{min(ratios):.2f} to {max(ratios):.2f}"
    low, _, high = statistics.quantiles(ratios, n=4)
    return f"{low:.2f} to {high:.2f}"


def loss_words(name, runs):
    """The last loss, and how far the losses are from B1's."""
    losses = runs[name]["whole"]["losses"]
    if "B1" not in runs or name == "B1":
        return f"{losses[-1]:11.4f}"
    largest = max(abs(ours / theirs - 1) for ours, theirs in zip(losses, runs["B1"]["whole"]["losses"]))
    return f"{losses[-1]:11.4f} {largest:8.1e}" + (" DIFFERS" if name in OURS and largest > PROMISED[dtype_of(name)] else "")


def table(method, runs, args):
    """Returns: how many of ours differ in their losses."""
    print(f"\n{method:14} {'s a step':>9} {'tokens/s':>9} {'GB':>6} {'GEMM rate':>10} {'last loss':>11} {'from B1':>8}")
    for name, run in runs.items():
        seconds, whole = statistics.median(run["seconds"]), run["whole"]
        share = statistics.median(whole["gflop"] / s / rate for s, rate in zip(run["seconds"], run["gemm_gflops"])) if name in OURS else 0
        compiling = sum(run["warm_seconds"]) - WARM_STEPS * seconds
        print(f"{name:14} {seconds:9.2f} {args.rows * args.tokens / seconds:9.1f} {run['bytes'] / 1e9:6.2f} " + (f"{share:10.0%} " if share else " " * 11)
              + loss_words(name, runs) + (f"   (and {compiling:.0f} s of compiling)" if RIVALS.get(name, {}).get("compiled") else ""))
    for name in filter(runs.get, OURS):
        for rival in filter(runs.get, RIVALS):
            ratios = [theirs / ours for ours, theirs in zip(runs[name]["seconds"], runs[rival]["seconds"])]
            memory = runs[name]["bytes"] / runs[rival]["bytes"]
            print(f"{rival} over {name}: {statistics.median(ratios):.2f} x the time ({quartiles(ratios)}); memory of {name} over {rival}'s: {memory:.2f}")
    print(flush=True)
    return sum("DIFFERS" in loss_words(name, runs) for name in filter(runs.get, OURS))


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", default="lora,full")
    parser.add_argument("--rivals", default="B1,B2,B3")
    parser.add_argument("--turns", type=int, default=6, help="steps of each that count")
    parser.add_argument("--rows", type=int, default=4)
    parser.add_argument("--tokens", type=int, default=512, help="of a row")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--text", default=str(TREE / "data/python_train.txt"))
    parser.add_argument("--rival-python", default=sys.executable, help="a Python with torch, transformers, peft and accelerate")
    parser.add_argument("--json", help="write all that was measured here")
    args = parser.parse_args()
    for name in filter(None, args.rivals.split(",")):
        if name not in RIVALS:
            parser.error(f"--rivals: {name} is none of {', '.join(RIVALS)}")
    for method in args.methods.split(","):
        if method not in ("lora", "full"):
            parser.error(f"--methods: {method} is none of lora, full")
    if args.turns < 1:
        parser.error("--turns: at least one")
    for name in filter(None, args.rivals.split(",")):
        if args.rows % RIVALS[name].get("accumulate", 1):
            parser.error(f"--rows: {name} cuts them into {RIVALS[name]['accumulate']} micro-batches of as many")
    return args


def main():
    args = arguments()
    import torch
    import transformers

    print(f"torch {torch.__version__}, transformers {transformers.__version__}; {args.threads} threads, {args.turns} turns of {args.rows}x{args.tokens} tokens, load {os.getloadavg()[0]:.1f}", flush=True)
    record, faults, differing = {}, [], 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_ids(args, folder / "ids")
        if "lora" in args.methods.split(","):
            make_adapter(args, folder)
        for method in args.methods.split(","):
            record[method] = measured(method, args, folder, faults)
            if record[method]:
                differing += table(method, record[method], args)
            if any(said.startswith("interrupted") for said in faults):
                break
    if args.json:
        Path(args.json).write_text(json.dumps(record, indent=1))
    if differing:
        faults.append(f"{differing} of ours differ from B1 in a loss by more than {PROMISED}")
    if faults:
        sys.exit("\n".join(faults))


if __name__ == "__main__":
    main()
