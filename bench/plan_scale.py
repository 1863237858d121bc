#!/usr/bin/env python3
"""What a large grid costs: read, validated and counted, at 1k, 100k and 1M cells, beside Ray Tune's grid search.

Two kinds of grid, of the same sizes. `plain`: four axes and nothing else. `ruled`: two blocks with a `when`, two
derivations and an exclude rule, as studies have them; Ray has no such rules, so its time is of the plain one. Ours counts
every cell, tells equal ones apart and finds what does not resolve; Ray's generator makes every configuration and does none
of that; it runs once, up to 120,000 cells. Medians of five runs of ours; memory is the process's peak.

    python3 bench/plan_scale.py [--program build/dev/bench/plan_scale] [--rival-python PYTHON] [--runs 5]

Build the program first: ninja -C build/dev plan_scale. --rival-python: a Python with ray[tune] installed; without it the
rival is left out, and the output says so.
"""
import argparse
import json
import statistics
import subprocess
import tempfile
from pathlib import Path

TREE = Path(__file__).resolve().parent.parent
RIVAL_MAX = 2500  # rates x ranks, of 120,000 cells: a million takes it minutes
SIZES = {"1k": (5, 8), "100k": (50, 50), "1M": (104, 200)}  # rates, ranks

HEAD = """version: 1
name: scale
model: {{path: m}}
data: {{train: d.txt}}
budget: {{steps: 4}}
eval: {{learn: {{x: {{data: x.txt}}}}, retain: {{y: {{data: y.txt}}}}}}
"""
PLAIN = HEAD + """method: lora
lora.target: all
axes:
  train.lr: {{log: [1e-5, 1e-3], count: {rates}}}
  lora.rank: {{min: 1, max: {ranks}, step: 1}}
  train.schedule: [cosine, linear, constant, wsd]
  train.batch: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]
"""
RULED = HEAD + """blocks:
  full:
    method: full
    train.lr: {{log: [1e-6, 1e-4], count: {rates}}}
    train.batch: {{min: 1, max: {ranks}, step: 1}}
    train.weight_decay: [0, 0.1]
  lora:
    method: lora
    lora.rank: {{min: 1, max: {ranks}, step: 1}}
    lora.target: [attn, mlp, all, q_proj+v_proj]
    train.lr: {{log: [1e-5, 1e-3], count: {rates}}}
    train.schedule: [cosine, linear, constant, wsd]
    train.warmup: {{values: [0, 10, 100], when: train.schedule != constant}}
    derive: {{lora.alpha: 2 * rank, train.clip: 1 if rank < 16 else 0.5}}
    exclude: ["rank > 64 and target == attn"]
"""

RIVAL = """
import json, resource, sys, time
from ray import tune
from ray.tune.search.variant_generator import generate_variants
rates, ranks = int(sys.argv[1]), int(sys.argv[2])
space = {"config": {"lr": tune.grid_search([1e-5 * 100 ** (i / (rates - 1)) for i in range(rates)]),
                    "rank": tune.grid_search(list(range(1, ranks + 1))),
                    "schedule": tune.grid_search(["cosine", "linear", "constant", "wsd"]),
                    "batch": tune.grid_search(list(range(1, 13))), "method": "lora", "target": "all"}}
before = time.time()
cells = sum(1 for _ in generate_variants(space))
print(json.dumps({"cells": cells, "s": time.time() - before,
                  "mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
"""


def run(command):
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


def medians(rows):
    return {key: statistics.median(row[key] for row in rows) for key in rows[0]}


def ours(program, text, runs):
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "scale.yaml"
        file.write_text(text)
        return medians([run([program, file, Path(folder) / f"data{i}"]) for i in range(runs)])


def main():
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--program", default=TREE / "build/dev/bench/plan_scale")
    words.add_argument("--rival-python")
    words.add_argument("--runs", type=int, default=5)
    words = words.parse_args()
    for name, (rates, ranks) in SIZES.items():
        found = {kind: ours(words.program, text.format(rates=rates, ranks=ranks), words.runs)
                 for kind, text in (("plain", PLAIN), ("ruled", RULED))}
        for kind, row in found.items():
            print(f"{name:>4} {kind}: {row['raw']:,.0f} cells, {row['trials']:,.0f} trials: read {1e3 * row['read_s']:.0f} ms, "
                  f"counted {1e3 * row['count_s']:.0f} ms, peak {row['count_mib']:.0f} MiB; a trial from its index "
                  f"{row['trial_us']:.1f} us; submitted, durable {1e3 * row['submit_s']:.0f} ms", flush=True)
        if not words.rival_python or rates * ranks > RIVAL_MAX:
            continue
        rival = run([words.rival_python, "-c", RIVAL, str(rates), str(ranks)])
        plain = found["plain"]["read_s"] + found["plain"]["count_s"]
        print(f"{name:>4} Ray:   {rival['cells']:,.0f} cells generated in {1e3 * rival['s']:.0f} ms, peak {rival['mib']:.0f} MiB; "
              f"ours reads and counts the plain grid in {plain / rival['s']:.3f} of that", flush=True)
    if not words.rival_python:
        print("no --rival-python: Ray Tune was not run")


if __name__ == "__main__":
    main()
