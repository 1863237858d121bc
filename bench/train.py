#!/usr/bin/env python3
"""One training step beside PEFT's Trainer: seconds, memory, losses, and the share of what the matrix units give.

Everyone trains SmolLM2-135M's weights on the same rows of the same text in the same order, on the same threads, with
AdamW, a constant rate and clipping at 1; LoRA is rank 16 on all linears without dropout. The rivals run transformers'
Trainer with its fused AdamW:

    B1  fp32, sdpa: what the documentation leads to
    B2  bf16 weights, sdpa
    B3  B2 under torch_compile; its compile time is told apart and is in no ratio

The engine's own process is bench/train_step, the rivals' is bench/rival_steps.py. Rounds alternate, each process is fresh,
the first two steps (page faults, kernel caches, compiling) are in no figure, medians are printed. A ratio above 1 says that
ranktide takes less. Memory is the most that a process held in its life, the loading of model and libraries included.
The share is of the rate at which the products alone run, measured before each of the engine's own runs. A run is told when
it ends; a rival that fails or is interrupted is left out of the table of all others, and the exit code is 1.

    ninja -C build/dev train_step
    .env/bin/python bench/train.py [--methods lora,full] [--rounds 3] [--steps 6] [--rows 4] [--tokens 512] [--json FILE]

The rivals need accelerate, and B3 a compiler and Python's headers:  .env/bin/pip install accelerate==1.15.0
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from array import array
from pathlib import Path

TREE = Path(__file__).resolve().parent.parent
MODEL = TREE / "models/smollm2-135m"
ENGINE = TREE / "build/dev/bench/train_step"
RIVAL_STEPS = TREE / "bench/rival_steps.py"
WARM_STEPS = 2
RIVALS = {"B1": ("fp32", False), "B2": ("bf16", False), "B3": ("bf16", True)}  # dtype, compiled
OURS = {"ranktide bf16": "bf16", "ranktide fp32": "fp32"}
# Rows, inner and outer width, and how often in a step's forward pass of 2048 tokens: the linears of the 30 layers and the head.
PRODUCTS = [(2048, 576, 576, 60), (2048, 576, 192, 60), (2048, 576, 1536, 60), (2048, 1536, 576, 30), (256, 576, 49152, 8)]


class RivalFailed(Exception):
    pass


def write_ids(args, file):
    """The rows everyone trains on: the text's first ids, as many as all steps need."""
    from transformers import AutoTokenizer

    wanted = args.steps * args.rows * args.tokens
    text = Path(args.text).read_text(errors="replace")[: wanted * 8]
    ids = AutoTokenizer.from_pretrained(MODEL)(text, add_special_tokens=False)["input_ids"][:wanted]
    if len(ids) < wanted:
        sys.exit(f"{args.text} holds {len(ids)} tokens of the {wanted} that {args.steps} steps need")
    file.write_bytes(array("i", ids).tobytes())


def ranktide(name, method, args, ids):
    rates = measure_gemm_rates(args.threads)
    command = [ENGINE, MODEL, method, OURS[name], args.rows, args.tokens, args.threads, args.steps, ids]
    out = json.loads(subprocess.run([str(word) for word in command], check=True, stdout=subprocess.PIPE).stdout)
    return {"seconds": out["seconds"], "bytes": out["life_peak_bytes"], "losses": out["losses"], "compile_seconds": 0,
            "gemm_gflops": rates, "share": out["gflop_per_second"] / reachable(name, rates)}


def rival(name, method, args, ids):
    dtype, compiled = RIVALS[name]
    spec = {"model": str(MODEL), "ids": str(ids), "method": method, "dtype": dtype, "compiled": compiled, "steps": args.steps, "rows": args.rows, "tokens": args.tokens,
            "threads": args.threads}
    environment = dict(os.environ, OMP_NUM_THREADS=str(args.threads), HF_HUB_OFFLINE="1")
    done = subprocess.run([args.rival_python, RIVAL_STEPS, json.dumps(spec)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    if done.returncode != 0:
        raise RivalFailed(f"{name} did not run (leave it out with --rivals), exit code {done.returncode}:\n{done.stderr[-2000:]}")
    out = json.loads(done.stdout.splitlines()[-1])
    steady = statistics.median(out["seconds"][WARM_STEPS:])
    return {"seconds": steady, "bytes": out["peak_bytes"], "losses": out["losses"],
            "compile_seconds": sum(out["seconds"][:WARM_STEPS]) - WARM_STEPS * steady if compiled else 0}


def measure_gemm_rates(threads):
    """GFLOP/s of fp32 and bf16 in the products of SmolLM2's forward pass, each shape by its share: what a step could reach at best."""
    import torch

    torch.set_num_threads(threads)
    rates = {}
    for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        flops = seconds = 0
        for rows, inner, outer, times in PRODUCTS:
            x, w, y = torch.randn(rows, inner).to(dtype), torch.randn(outer, inner).to(dtype), torch.empty(rows, outer, dtype=dtype)
            took = []
            for _ in range(5):
                began = time.perf_counter()
                torch.mm(x, w.t(), out=y)
                took.append(time.perf_counter() - began)
            flops += times * 2 * rows * inner * outer
            seconds += times * statistics.median(took)
        rates[name] = 1e-9 * flops / seconds
    return rates


def reachable(name, rates):
    """Where bf16 is slower than fp32 the engine widens it, so that fp32's rate is what it could reach."""
    return max(rates["fp32"], rates[OURS[name]])


def told(name, method, run):
    rates = "".join(f", {dtype} {rate:.0f} GFLOP/s" for dtype, rate in run.get("gemm_gflops", {}).items())
    print(f"  {method} {name}: {run['seconds']:.2f} s a step, {run['bytes'] / 1e9:.2f} GB, last loss {run['losses'][-1]:.4f}{rates}", flush=True)


def rounds_of(method, args, ids):
    """Returns: the runs of each name that has any, and what went wrong; an interrupt ends them early."""
    runs = {name: [] for name in [*OURS, *filter(None, args.rivals.split(","))]}
    faults = []
    try:
        for _ in range(args.rounds):
            for name, of in list(runs.items()):
                try:
                    of.append(ranktide(name, method, args, ids) if name in OURS else rival(name, method, args, ids))
                    told(name, method, of[-1])
                except RivalFailed as fault:
                    faults.append(str(fault))
                    del runs[name]
    except KeyboardInterrupt:
        faults.append("interrupted: the medians are of what had ended")
    return {name: of for name, of in runs.items() if of}, faults


def table(method, runs):
    median = {name: statistics.median(r["seconds"] for r in of) for name, of in runs.items()}
    memory = {name: statistics.median(r["bytes"] for r in of) for name, of in runs.items()}
    rivals = [name for name in runs if name in RIVALS]
    print(f"\n{method:14} {'s a step':>9} {'GB':>6} {'first loss':>11} {'last loss':>10} {'GEMM rate':>10}" + "".join(f" {'x ' + r:>7}" for r in rivals) + "".join(f" {'GB/' + r:>7}" for r in rivals))
    for name, of in runs.items():
        share = f"{statistics.median(r['share'] for r in of):10.0%}" if name in OURS else f"{'':10}"
        ratios = "".join(f" {median[r] / median[name]:7.2f}" for r in rivals) + "".join(f" {memory[name] / memory[r]:7.2f}" for r in rivals)
        compiling = statistics.median(r["compile_seconds"] for r in of)
        print(f"{name:14} {median[name]:9.2f} {memory[name] / 1e9:6.2f} {of[0]['losses'][0]:11.4f} {of[0]['losses'][-1]:10.4f} {share}{ratios}"
              + (f"   (and {compiling:.0f} s of compiling)" if compiling else ""), flush=True)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", default="lora,full")
    parser.add_argument("--rivals", default="B1,B2,B3")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--rows", type=int, default=4)
    parser.add_argument("--tokens", type=int, default=512, help="of a row")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--text", default=str(TREE / "data/python_train.txt"))
    parser.add_argument("--rival-python", default=sys.executable, help="a Python with torch, transformers, peft and accelerate")
    parser.add_argument("--json", help="write every run here")
    args = parser.parse_args()
    for name in filter(None, args.rivals.split(",")):
        if name not in RIVALS:
            parser.error(f"--rivals: {name} is none of {', '.join(RIVALS)}")
    return args


def main():
    args = arguments()
    import torch
    import transformers

    print(f"torch {torch.__version__}, transformers {transformers.__version__}; {args.threads} threads, {args.rounds} rounds of {args.steps} steps of {args.rows}x{args.tokens} tokens, "
          f"load {os.getloadavg()[0]:.1f}", flush=True)
    record, faults = {}, []
    with tempfile.TemporaryDirectory() as folder:
        ids = Path(folder, "ids.bin")
        write_ids(args, ids)
        for method in args.methods.split(","):
            record[method], wrong = rounds_of(method, args, ids)
            faults += wrong
            if record[method]:
                table(method, record[method])
            if any(each.startswith("interrupted") for each in wrong):
                break
    if args.json:
        Path(args.json).write_text(json.dumps(record, indent=1))
    if faults:
        sys.exit("\n".join(faults))


if __name__ == "__main__":
    main()
