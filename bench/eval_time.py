#!/usr/bin/env python3
"""Seconds of an eval beside what `ranktide plan` predicts for it, over evals of SmolLM2-135M.

    ninja -C build/dev ranktide ranktide-trainer
    python3 bench/eval_time.py [--json FILE]

First `ranktide doctor --measure` measures the machine's products, on one thread. What is measured is the difference between
`ranktide-trainer eval` of many items and of a few, so that loading the model drops out; what is predicted is the difference
between two plans of a trial that is evaluated once. Seconds of the processor, which a busy machine distorts less than the
clock. An error above 0 says that more was predicted than was used.
"""
import argparse
import json
import resource
import subprocess
import tempfile
from pathlib import Path

TREE = Path(__file__).resolve().parent.parent
RANKTIDE = TREE / "build/dev/bin/ranktide"
TRAINER = TREE / "build/dev/bin/ranktide-trainer"
MODEL = TREE / "models/smollm2-135m"
PROBLEMS = TREE / "data/problems_held.jsonl"

SWEEP = """version: 1
name: eval
model: {{path: {model}, dtype: {dtype}}}
data: {{train: {train}, max_tokens: 256}}
train: {{batch: 1, lr: 1e-4}}
budget: {{steps: 1}}
method: full
eval: {{learn: {{it: {{data: {data}, kind: {kind}, limit: {limit}}}}}}}
"""


def write_choices(file):
    """Each problem with its own answer and those of the three after it."""
    rows = [json.loads(line) for line in PROBLEMS.read_text().splitlines()]
    with file.open("w") as out:
        for i, row in enumerate(rows[:-3]):
            choices = [other["completion"] for other in rows[i : i + 4]]
            out.write(json.dumps({"query": row["prompt"], "choices": choices, "gold": 0}) + "\n")


def predicted(data, kind, dtype, limit, folder):
    sweep = folder / "sweep.yaml"
    sweep.write_text(SWEEP.format(model=MODEL, dtype=dtype, train=PROBLEMS, data=data, kind=kind, limit=limit))
    out = subprocess.run([RANKTIDE, "plan", sweep, "--data-dir", folder, "--json", "--quiet"], check=True, stdout=subprocess.PIPE).stdout
    estimate = json.loads(out)["estimate"]
    assert estimate["basis"] == "products", estimate["basis"]
    return estimate["seconds"]


def used(data, kind, dtype, limit):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([TRAINER, "eval", "--model", MODEL, "--dtype", dtype, "--kind", kind, "--data", data, "--limit", str(limit)],
                   check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", help="write every eval here")
    args = parser.parse_args()
    record = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run([RANKTIDE, "doctor", "--measure", "--data-dir", folder], check=True, stdout=subprocess.DEVNULL)
        write_choices(folder / "choices.jsonl")
        evals = [("four choices", folder / "choices.jsonl", "choice", 4, 44), ("completions", PROBLEMS, "loss", 8, 108), ("text", TREE / "data/prose_held.txt", "loss", 2, 18)]
        for what, data, kind, few, many in evals:
            for dtype in ("fp32", "bf16"):
                said = [predicted(data, kind, dtype, limit, folder) for limit in (few, many)]
                took = [used(data, kind, dtype, limit) for limit in (few, many)]
                said, took = said[1] - said[0], took[1] - took[0]
                record.append({"eval": what, "items": many - few, "dtype": dtype, "predicted": said, "processor": took})
                print(f"{what:12} {many - few:4} items {dtype}: predicted {said:6.2f} s, processor {took:6.2f} s, error {said / took - 1:+.1%}", flush=True)
    errors = [each["predicted"] / each["processor"] - 1 for each in record]
    print(f"within 20 %: {sum(abs(error) <= 0.2 for error in errors)} of {len(errors)}; from {min(errors):+.1%} to {max(errors):+.1%}")
    if args.json:
        Path(args.json).write_text(json.dumps(record, indent=1))


if __name__ == "__main__":
    main()
