#!/usr/bin/env python3
"""What it is worth that trials of several budgets train their beginning once: the makespan of a sweep of four budgets.

SmolLM2-135M, LoRA rank 4, rows of 64 tokens, budgets of 1/8, 1/4, 1/2 and the whole of --steps, wsd with a cooldown of 20 %:

    shared    one axis of budgets: a trunk, and four branches
    apart     each budget in a block of its own, which share nothing: the same trials, each from the base

Both are `ranktide run`, each into a data folder of its own, coordinator, worker and evals included. What is printed is the time from
the first attempt's beginning to the last one's end, the steps that were trained, and whether the weights are the same bit by bit.

    .env/bin/python bench/trunk.py [--steps 80] [--slots 1]

Run it after `./bootstrap build`, or name the program: --ranktide build/dev/bin/ranktide.
"""
import argparse
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

TREE = Path(__file__).resolve().parent.parent

SWEEP = """
version: 1
name: trunk
model: {{path: {tree}/models/smollm2-135m, dtype: fp32}}
method: lora
lora: {{rank: 4, target: attn}}
data: {{train: {tree}/data/python_train.txt, max_tokens: 64}}
train: {{batch: 2, lr: 1e-3, schedule: wsd, warmup: 2, cooldown: 20%}}
eval: {{learn: {{python: {{data: {tree}/data/python_held.txt, limit: 4}}}}}}
"""


def budgets_of(steps):
    return [steps // 8, steps // 4, steps // 2, steps]


def shared(steps):
    return f"axes: {{budget.steps: {budgets_of(steps)}}}\n"


def apart(steps):
    blocks = "".join(f"  b{n}: {{budget.steps: {n}}}\n" for n in budgets_of(steps))
    return f"blocks:\n{blocks}"


def run(program, text, slots, folder):
    folder.mkdir()
    (folder / "trunk.yaml").write_text(SWEEP.format(tree=TREE) + text)
    command = [program, "run", folder / "trunk.yaml", "--slots", str(slots), "--data-dir", folder / "data"]
    ended = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if ended.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))} ended with {ended.returncode}:\n{ended.stderr}")
    database = sqlite3.connect(f"file:{folder}/data/ranktide.db?mode=ro", uri=True)
    seconds = database.execute("SELECT (max(ended) - min(started)) / 1000.0 FROM attempt").fetchone()[0]
    weights = database.execute("SELECT trial, weights_sha256 FROM v_trial ORDER BY trial").fetchall()
    trunks = database.execute("SELECT count(*) FROM v_attempt WHERE kind = 'trunk'").fetchone()[0]
    return seconds, weights, trunks


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--ranktide", default=TREE / "bin/ranktide")
    arguments.add_argument("--steps", type=int, default=80)
    arguments.add_argument("--slots", type=int, default=1)
    given = arguments.parse_args()
    budgets = budgets_of(given.steps)
    branch = [n - (n * 20 + 50) // 100 for n in budgets]
    steps = {"shared": branch[-1] + sum(n - at for n, at in zip(budgets, branch)), "apart": sum(budgets)}
    found = {}
    with tempfile.TemporaryDirectory() as scratch:
        for name, text in (("apart", apart(given.steps)), ("shared", shared(given.steps))):
            found[name] = run(given.ranktide, text, given.slots, Path(scratch) / name)
            print(f"{name:8} {steps[name]:5} steps  {found[name][0]:7.1f} s  trunks {found[name][2]}", flush=True)
    print(f"work {steps['apart'] / steps['shared']:.2f}x, makespan {found['apart'][0] / found['shared'][0]:.2f}x, "
          f"weights {'the same' if found['apart'][1] == found['shared'][1] else 'DIFFER'}")


if __name__ == "__main__":
    main()
