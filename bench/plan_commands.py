#!/usr/bin/env python3
"""What large sweeps cost the commands that users call: plan, plan --diff and submit, at 1k, 100k and 1M cells.

The grids are those of plan_scale.py, and for plan alone, of a million cells, `hard` ones: budgets on an axis, under cosine
and where they share trunks; settings that a cost hangs on and that a derivation makes differ in every cell; trials that
start from another, which nobody has. `past`: the data folder knows some thousand finished trials of the same sweep,
written into its tables as the coordinator writes them. Submitted is to a coordinator without workers; the command ends when
the submission is durable. Said are seconds of the processor (user and system) and of the clock, and the process's
peak memory; medians of --runs.

    python3 bench/plan_commands.py [--ranktide build/dev/bin/ranktide] [--model models/smollm2-135m] [--runs 3]
                                   [--only plan|hard|past|submit ...]
"""
import argparse
import concurrent.futures
import json
import multiprocessing
import os
import signal
import sqlite3
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from plan_scale import HEAD, PLAIN, RULED, SIZES

TREE = Path(__file__).resolve().parent.parent
PAST_TRIALS = 4000
PARTS = ("plan", "hard", "past", "submit")

BUDGETS = HEAD.replace("budget: {{steps: 4}}\n", "") + """method: lora
lora.target: all
axes:
  budget.steps: [10, 20, 40, 80]
  train.lr: {{log: [1e-5, 1e-3], count: {rates}}}
  lora.rank: {{min: 1, max: {ranks}, step: 1}}
  train.batch: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]
"""
DERIVED = HEAD + """blocks:
  lora:
    method: lora
    lora.rank: 8
    train.lr: {{log: [1e-5, 1e-3], count: 1000}}
    train.weight_decay: {{min: 0, max: 0.999, step: 0.001}}
    derive: {{{derive}}}
"""
# Of a million cells, for plan alone.
HARD = {
    "budgets, cosine": BUDGETS,
    "budgets, wsd, warmups": BUDGETS.replace("train.batch: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]",
                                             "train.warmup: [0, 1, 2]\n  train.batch: [1, 2, 3, 4]\n"
                                             "train: {{schedule: wsd}}"),
    "clip derived": DERIVED.replace("{derive}", "train.clip: 1000 * lr + weight_decay"),
    "lr derived over budgets": DERIVED.replace("budget: {{steps: 4}}\n", "").replace("lora.rank: 8", "lora.rank: 8\n    budget.steps: [10, 20, 40, 80]\n"
                                               "    train.schedule: constant\n    train.warmup: 0")
                                      .replace("count: 1000", "count: 250").replace("train.lr:", "train.eps:")
                                      .replace("{derive}", "train.lr: 1e-4 + weight_decay / steps / 1000"),
    "steps derived": DERIVED.replace("budget: {{steps: 4}}\n", "")
                            .replace("{derive}", "budget.steps: round(1e6 * lr) * 1000 + 1000 * weight_decay"),
    "model.from": PLAIN + "model.from: trial:aa\n",
}


def measured(command):
    """Seconds of the processor, seconds of the clock, MiB."""
    begun = time.monotonic()
    child = subprocess.Popen([str(word) for word in command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    said = child.stderr.read().decode()
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise SystemExit(f"{command}: {said}")
    return used.ru_utime + used.ru_stime, time.monotonic() - begun, used.ru_maxrss / 1024


def tell(what, command, runs):
    rows = [measured(command) for _ in range(runs)]
    cpu, clock, mib = (statistics.median(row[i] for row in rows) for i in range(3))
    print(f"{what:<28} {cpu:6.2f} s of the processor  {clock:6.2f} s  {mib:4.0f} MiB", flush=True)


class Coordinator:
    """Without workers, so that nothing but the submission happens. Who shares its data folder finds it."""

    def __init__(self, ranktide, data):
        self.log = open(data / "coordinator.log", "w")
        self.process = subprocess.Popen([str(ranktide), "coordinator", "--data-dir", str(data), "--bind", "tcp://127.0.0.1:*",
                                         "--http", "127.0.0.1:0"], stdout=self.log, stderr=self.log)
        time.sleep(2)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


def settings_of(trial, model, data):
    """A trial of the plain grid as the coordinator writes it down."""
    varied = trial["settings"]
    rank = int(varied["lora.rank"])
    return {"model": {"path": str(model), "tokenizer": "", "dtype": "bf16"}, "method": "lora",
            "lora": {"rank": rank, "alpha": 2.0 * rank, "dropout": 0.0, "scaling": "alpha/r",
                     "target": sorted(f"{part}_proj" for part in "q k v o gate up down".split())},
            "train": {"optimizer": "adamw", "lr": float(varied["train.lr"]), "beta1": 0.9, "beta2": 0.999, "eps": 1e-8,
                      "weight_decay": 0.0, "decay_rule": "times_lr", "clip": 1.0, "attention_dropout": 0.0,
                      "schedule": varied["train.schedule"], "warmup": {"steps": None, "share": 0.1},
                      "cooldown": {"steps": None, "share": 0.2}, "batch": int(varied["train.batch"]),
                      "final_lr": 0.01 if varied["train.schedule"] == "cosine" else 0.0},
            "data": {"train": [{"path": str(data), "weight": 1.0}], "format": "auto", "fields": {}, "template": "auto",
                     "mask_prompt": True, "max_tokens": 1024, "packing": True, "replay": None},
            "budget": {"steps": 4, "tokens": None, "epochs": None}, "seed": trial["seed"]}


def make_past(ranktide, data, file, model, text):
    """Some of the sweep's trials in the tables, as if they had been trained. Returns: how many."""
    with Coordinator(ranktide, data):
        subprocess.run([ranktide, "submit", file, "--data-dir", data, "-q"], check=True)
    said = subprocess.run([ranktide, "plan", file, "--data-dir", data, "--list", "--json"], check=True, capture_output=True)
    trials = json.loads(said.stdout)["list"]
    trials = trials[:: len(trials) // PAST_TRIALS]
    with sqlite3.connect(data / "ranktide.db") as database:
        for trial in trials:
            stage = database.execute("INSERT INTO stage(id, base, from_step, to_step, state) VALUES(?, '', 0, 4, 'completed')",
                                     (trial["trial"],)).lastrowid
            database.execute("INSERT INTO trial(id, base, cell, stage, method, lr, seed, steps, settings, params) "
                             "VALUES(?, '', '', ?, 'lora', 0, 0, 4, '{}', ?)",
                             (trial["trial"], stage, json.dumps(settings_of(trial, model, text))))
    again = subprocess.run([ranktide, "plan", file, "--data-dir", data, "--json"], check=True, capture_output=True)
    known = json.loads(again.stdout)
    assert known["evals_lost"] == len(trials), (known["evals_lost"], len(trials))
    return len(trials)


def by_itself(act, *words):
    """In a process of its own: a peak of memory is handed on to whatever is started after it."""
    with concurrent.futures.ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(act, *words).result()


def grids(folder, model):
    """The same grids, of a model and data that can be read."""
    out = {}
    texts = {(kind, size): text for size in SIZES for kind, text in (("plain", PLAIN), ("ruled", RULED))}
    texts.update({(kind, "1M"): text for kind, text in HARD.items()})
    for (kind, size), text in texts.items():
        rates, ranks = SIZES[size]
        text = text.replace("{{path: m}}", "{{path: %s}}" % model)
        for name in ("d.txt", "x.txt", "y.txt"):
            text = text.replace(name, str(folder / name))
        out[kind, size] = folder / f"{kind.replace(' ', '_')}_{size}.yaml"
        out[kind, size].write_text(text.format(rates=rates, ranks=ranks))
    for name in ("d.txt", "x.txt", "y.txt"):
        (folder / name).write_text("Nine lines of prose for a page.\n" * 4096)
    return out


def main():
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--ranktide", default=TREE / "build/dev/bin/ranktide", type=Path)
    words.add_argument("--model", default=TREE / "models/smollm2-135m", type=Path)
    words.add_argument("--runs", type=int, default=3)
    words.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    words = words.parse_args()
    ranktide = words.ranktide.resolve()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = folder / "data"
        data.mkdir()
        files = grids(folder, words.model.resolve())
        many = ["--max-trials", "2000000"]
        for (kind, size), file in files.items():
            if ("hard" if kind in HARD else "plan") not in words.only:
                continue
            plan = [ranktide, "plan", file, "--data-dir", data, *many]
            subprocess.run(plan, check=True, capture_output=True)
            tell(f"plan {size} {kind}", plan, words.runs)
        if "past" in words.only:
            past = by_itself(make_past, ranktide, data, files["plain", "100k"], words.model.resolve(), folder / "d.txt")
            for size in SIZES:
                plan = [ranktide, "plan", files["plain", size], "--data-dir", data, *many]
                tell(f"plan {size}, past of {past}", plan, words.runs)
                tell(f"plan {size} --diff 100k", [*plan, "--diff", "scale"], words.runs)
        if "submit" in words.only:
            with Coordinator(ranktide, data):
                for size in SIZES:
                    submit = [ranktide, "submit", files["plain", size], "--data-dir", data, "name=" + size]
                    tell(f"submit {size}, a new sweep", submit, 1)
                    tell(f"submit {size}, a revision", [*submit, "train.weight_decay=0.1"], 1)


if __name__ == "__main__":
    main()
