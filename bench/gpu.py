#!/usr/bin/env python3
"""Fills the table of goals G1 to G5 on one GPU: ours beside PEFT and transformers' Trainer, as this Python has them.

    tools/check_gpu.sh --quick --device cuda            builds the engine for this machine's torch
    python3 bench/gpu.py --folder FOLDER                 measures for up to 9 minutes; say it again until nothing is left

Models of random weights (the shapes of SmolLM2-135M, Llama 3.2 1B and Llama 3.1 8B; 21 GB in FOLDER) and token ids that
climb by small steps, the same for both sides; LoRA is rank 16 on all linears, from the same adapter, in bf16 with fp32
adapters; full finetuning has fp32 masters and products in bf16. What is compared:

    ours       the engine by itself; K trials take turns over one copy of the base. It does not merge the rows of trials.
               A batch is cut into micro-batches ("cut": their rows) as a sweep's trials have them; the rivals' is whole.
    B1         PEFT and Trainer as their documents lead to, sdpa, one trial; nothing is padded, for the rows are full
    B2         B1 with Liger's kernels and flash attention 2, of these what is installed; without either there is no B2
    shared     several processes of B2 (or B1) that share the GPU, as a scheduler of fractions of a GPU would place them

Figures are medians of steps after the device has done all of a step; the first three steps are in none. Memory is what each
process's allocator handed out at most. "losses": the largest relative difference of any step's; more than the tolerance says
DIFFER, and then the ratio beside it compares different things. Writes FOLDER/table.txt and table.json.

--device cpu --tiny runs all of it with models of a few kilobytes on the processor: a test of this script, not a measurement.
Not measured: merged rows, CUDA graphs, other ranks, padded data, Unsloth.
"""
import argparse
import dataclasses
import hashlib
import json
import math
import os
import random
import shutil
import statistics
import subprocess
import sys
from array import array
from pathlib import Path

from pieces import DeviceWatch, Pieces, last_words, run_together

BENCH = Path(__file__).resolve().parent
ENGINE = BENCH.parent / "build/standalone/ranktide-trial-steps"
WARM_STEPS = 3
LIMIT_S = {"135M": 150, "1B": 240, "8B": 500}  # of a piece, by what is trained
SHORT_LIMIT_S = 100
TINY_LIMIT_S = 600  # of any piece: the test's machine may be busy
TOLERANCE = {"bf16": 1e-2, "fp32": 1e-4}
MODELS = {
    "135M": {"vocabulary": 49152, "hidden": 576, "ffn": 1536, "layers": 30, "heads": 9, "kv_heads": 3, "tied": True, "rope_theta": 100000.0},
    "1B": {"vocabulary": 128256, "hidden": 2048, "ffn": 8192, "layers": 16, "heads": 32, "kv_heads": 8, "tied": True, "rope_theta": 500000.0},
    "8B": {"vocabulary": 128256, "hidden": 4096, "ffn": 14336, "layers": 32, "heads": 32, "kv_heads": 8, "tied": False, "rope_theta": 500000.0},
}
TINY_MODELS = {name: {"vocabulary": 301, "hidden": 48, "ffn": 80, "layers": layers, "heads": 6, "kv_heads": 2, "tied": name != "8B"} for name, layers in (("135M", 1), ("1B", 2), ("8B", 2))}


@dataclasses.dataclass(frozen=True)
class Side:
    """What trains on one side of a ratio. together: our trials that take turns, or the rival's processes."""

    who: str
    model: str
    method: str = "lora"
    rows: int = 4
    tokens: int = 512  # of a row
    together: int = 1
    steps: int = 12

    @property
    def name(self):
        return f"{self.who}-{self.model}-{self.method}-{self.rows}x{self.tokens}-{self.together}"

    @property
    def step_tokens(self):
        return self.rows * self.tokens


@dataclasses.dataclass(frozen=True)
class Line:
    """A line of the table: ours, and the rivals with what the goal asks of the ratio (0: nothing)."""

    goal: str
    ours: Side
    rivals: tuple


def against(ours, goals):
    """Rivals on the same rows, one trial at a time."""
    return tuple((dataclasses.replace(ours, who=who, together=1, steps=12), goal) for who, goal in goals.items())


def lines():
    small, long, short = Side("ours", "135M"), Side("ours", "8B", rows=1, tokens=2048), Side("ours", "8B", rows=1, tokens=256)
    shared = dataclasses.replace(small, who="shared", together=4)
    out = [Line("G1", side, against(side, {"B1": 2.5, "B2": 0})) for side in (small, Side("ours", "1B"), Side("ours", "135M", "full"), Side("ours", "1B", "full"))]
    for trials, steps in ((8, 8), (32, 6)):
        packed = dataclasses.replace(small, together=trials, steps=steps)
        out.append(Line("G2", packed, against(packed, {"B1": 6.0}) + ((shared, 2.5),)))
    out.append(Line("G3", long, against(long, {"B1": 1.7, "B2": 0})))
    packed = dataclasses.replace(short, together=8, steps=8)
    out.append(Line("G4", packed, against(packed, {"B1": 3.0})))
    resident = dataclasses.replace(long, together=8, steps=6)
    out.append(Line("G5", resident, against(resident, {"B1": 0})))
    return out


def tiny(line):
    """The same line small enough for a test on the processor: fewer tokens, steps, trials and processes."""

    together = {1: 1, 4: 2, 8: 2, 32: 3}

    def smaller(side):
        return dataclasses.replace(side, rows=min(side.rows, 2), tokens=max(8, side.tokens // 64), steps=5, together=together[side.together])

    return Line(line.goal, smaller(line.ours), tuple((smaller(side), goal) for side, goal in line.rivals))


class Machine:
    """How the processes of both sides are started here, and what is installed."""

    def __init__(self, args):
        self.device, self.python, self.engine, self.folder = args.device, args.python, args.engine, args.folder
        self.dtype = "fp32" if args.tiny else "bf16"
        self.models = TINY_MODELS if args.tiny else MODELS
        self.limit_s = {name: TINY_LIMIT_S if args.tiny else limit for name, limit in LIMIT_S.items()}
        self.short_limit_s = TINY_LIMIT_S if args.tiny else SHORT_LIMIT_S
        self.environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
        self.gpu = None
        if self.device == "cuda":  # one, or Trainer would spread over all; numbered as nvidia-smi does
            self.gpu = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0] or "0"
            self.environment |= {"CUDA_VISIBLE_DEVICES": self.gpu, "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
        else:
            self.environment |= {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
        self.facts = self.ask(self.python, BENCH / "device_facts.py", self.device) | self.ask(self.engine, "facts") | {"engine_sha256": hashlib.sha256(self.engine.read_bytes()).hexdigest()}

    def ask(self, *command):
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self.environment, check=False)
        if done.returncode != 0:
            sys.exit(f"{' '.join(map(str, command))}: {last_words(done.stderr)}")
        return json.loads(done.stdout.splitlines()[-1])

    def has(self, side):
        """Whether there is what this side needs."""
        if side.who == "ours":
            return True
        needed = ["transformers", "accelerate"] + (["peft"] if side.method == "lora" else [])
        return all(self.facts[package] for package in needed) and (side.who != "B2" or self.can_tune())

    def can_tune(self):
        return self.device == "cuda" and bool(self.facts["liger_kernel"] or self.facts["flash_attn"])

    def model_folder(self, name):
        return self.folder / "models" / name

    def ids(self, side):
        """The file of rows that everyone with this shape trains on: each climbs through the vocabulary by small steps."""
        file = self.folder / f"ids-{side.model}-{side.rows}x{side.tokens}.bin"
        if not file.exists():
            chance, vocabulary, ids = random.Random(1), self.models[side.model]["vocabulary"], array("i")
            for _ in range(12 * side.rows):
                token = chance.randrange(vocabulary)
                for _ in range(side.tokens):
                    ids.append(token)
                    token = (token + chance.randrange(3)) % vocabulary
            file.write_bytes(ids.tobytes())
        return file

    def commands(self, side, meeting):
        if side.who == "ours":
            return [[self.engine, self.model_folder(side.model), side.method, self.dtype, side.rows, side.tokens, self.device, side.together, side.steps, self.ids(side)]]
        is_tuned = side.who in ("B2", "shared") and self.can_tune()
        spec = {"model": str(self.model_folder(side.model)), "ids": str(self.ids(side)), "method": side.method, "rows": side.rows, "tokens": side.tokens, "steps": side.steps,
                "device": self.device, "threads": 1 if self.device == "cpu" else max(1, (os.cpu_count() or 1) // side.together),
                # As ours: full finetuning keeps fp32 masters and multiplies in bf16.
                "dtype": self.dtype if side.method == "lora" else "fp32", "autocast": side.method == "full" and self.dtype == "bf16",
                "attention": "flash_attention_2" if is_tuned and self.facts["flash_attn"] and side.method == "lora" else "sdpa", "liger": is_tuned and bool(self.facts["liger_kernel"]),
                "start": str(self.model_folder(side.model) / "start") if side.method == "lora" else "",
                "warm_steps": WARM_STEPS, "peers": side.together, "meeting": str(meeting)}
        return [[self.python, BENCH / "rival_steps.py", json.dumps(spec)]] * side.together

    def write_model(self, name):
        """The weights, and the adapter that both sides start from, as the engine draws it."""
        folder = self.model_folder(name)
        folder.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
        config = json.dumps(self.models[name])
        run_together([[self.python, BENCH / "random_llama.py", folder, self.device, config]], self.environment, self.limit_s[name] / 2)
        start = [self.engine, folder, "lora", self.dtype, 1, 2, self.device, 1, 0, "-", folder / "start"]
        return run_together([start], self.environment, self.limit_s[name] / 2)[0]

    def train(self, side):
        meeting = self.folder / "meeting"
        shutil.rmtree(meeting, ignore_errors=True)
        meeting.mkdir()
        watch = DeviceWatch(self.gpu)
        try:
            runs = run_together(self.commands(side, meeting), self.environment, self.limit_s[side.model])
        finally:
            held = watch.end()
        seconds = statistics.median(runs[0]["seconds"][WARM_STEPS:])
        rate = side.together * side.step_tokens / seconds
        if side.who == "shared":  # all processes between their meeting and the end of the slowest
            rate = side.together * (side.steps - WARM_STEPS) * side.step_tokens / max(run["seconds_together"] for run in runs)
        losses = runs[0]["losses"][0] if side.who == "ours" else runs[0]["losses"]
        if len(losses) != side.steps:
            raise RuntimeError(f"ended after {len(losses)} of {side.steps} steps: a loss was not finite")
        return {"tokens_per_second": rate, "step_seconds": seconds, "held_bytes": held, "losses": losses,
                "peak_bytes": sum(run["peak_bytes"] for run in runs), "runs": runs}


@dataclasses.dataclass(frozen=True)
class Work:
    """A piece, and the piece that it needs."""

    name: str
    limit_s: float
    make: object
    needs: str = ""


def work_of(machine, wanted):
    """Every piece in order: each model before who trains it."""
    gemm, short = [[machine.python, BENCH / "device_facts.py", machine.device, "gemm"]], machine.short_limit_s
    work = {"gemm": Work("gemm", short, lambda: run_together(gemm, machine.environment, short)[0])}
    for line in wanted:
        for side in [line.ours, *(side for side, _ in line.rivals)]:
            model, limit = f"model-{side.model}", machine.limit_s[side.model]
            work.setdefault(model, Work(model, limit, lambda name=side.model: machine.write_model(name)))
            if machine.has(side):
                work.setdefault(side.name, Work(side.name, limit, lambda side=side: machine.train(side), model))
    return list(work.values())


def make_pieces(work, pieces):
    """Makes what there is time for. Returns: how many are left."""
    left = [item for item in work if pieces.result(item.name) is None]
    while left and pieces.may_begin(left[0].limit_s):
        item = left.pop(0)
        if item.needs and "error" in (pieces.result(item.needs) or {}):
            continue  # not kept: there is nothing wrong with it
        result = pieces.run(item.name, item.make)
        print(f"{item.name}: {brief(result.get('error', 'done'))} ({result['took_seconds']} s)", flush=True)
    return len(left)


def brief(error):
    """Of what a program or Python's traceback said, the line that names the failure."""
    return error.strip().splitlines()[-1]


def losses_text(ours, rival, dtype):
    pairs = list(zip(ours["losses"], rival["losses"]))
    differences = [abs(a - b) / abs(b) for a, b in pairs]
    worst = max(differences) if pairs and all(map(math.isfinite, differences)) else math.inf
    return worst, f"{worst:.1e}" + ("" if worst <= TOLERANCE[dtype] else " DIFFER")


def cells_of(line, side, goal, pieces, machine):
    """A line of the table beside one rival, as a dict; what is not there says why."""
    gemm, ours = pieces.result("gemm"), pieces.result(line.ours.name)
    kind = {"1": ""}.get(str(line.ours.together), f" K={line.ours.together}")
    out = {"goal": line.goal, "what": f"{line.ours.model} {line.ours.method} {line.ours.rows}x{line.ours.tokens}{kind}", "rival": side.who + (f" x{side.together}" if side.together > 1 else ""),
           "wanted": goal or None}
    rival = pieces.result(side.name) if machine.has(side) else {"error": "not installed"}
    for who, result in (("ours", ours), ("rival", rival)):
        if result is None or "error" in result:
            out[f"{who}_error"] = "not measured yet" if result is None else result["error"]
            continue
        out |= {f"{who}_tokens_per_second": result["tokens_per_second"], f"{who}_peak_bytes": result["peak_bytes"], f"{who}_held_bytes": result["held_bytes"],
                f"{who}_last_loss": result["losses"][-1] if result["losses"] else None}
    if "ours_error" not in out:
        out["microbatch_rows"] = ours["runs"][0]["microbatch_rows"]
    if "ours_error" not in out and gemm and "error" not in gemm:
        out["of_gemm_rate"] = 1e-9 * ours["runs"][0]["flops_per_token"] * ours["tokens_per_second"] / gemm[machine.dtype]
        out["teraflops"] = 1e-12 * ours["runs"][0]["flops_per_token"] * ours["tokens_per_second"]
    if "ours_error" in out or "rival_error" in out:
        return out
    worst, text = losses_text(ours, rival, machine.dtype)
    ratio = ours["tokens_per_second"] / rival["tokens_per_second"]
    out |= {"ratio": ratio, "loss_difference": worst, "losses": text, "losses_agree": worst <= TOLERANCE[machine.dtype], "reached": ratio >= goal if goal else None}
    if line.goal == "G5":
        out |= resident(line.ours, rival, machine)
    return out


def resident(side, rival, machine):
    """How many of the rival's processes the device holds, beside our trials that were resident together."""
    held = rival["held_bytes"] or rival["runs"][0].get("reserved_bytes")
    return {"ours_resident": side.together, "rival_resident": machine.facts["device_bytes"] // held if held else None}


def text_of(rows):
    head = f"{'':3} {'what':24} {'cut':>3} {'rival':10} {'ours tok/s':>11} {'rival tok/s':>11} {'ratio':>6} {'goal':>5} {'GEMM':>5} {'ours GB':>8} {'rival GB':>8} {'last losses':>15}  losses"
    out = [head]
    for row in rows:

        def cell(key, form, scale=1.0):
            return format(row[key] * scale, form) if row.get(key) is not None else ""

        said = [f"{who}: {brief(row[f'{who}_error'])}" for who in ("ours", "rival") if f"{who}_error" in row]
        resident_text = f"   resident: {row['ours_resident']} trials of ours, {row['rival_resident'] or '?'} processes of the rival's" if "ours_resident" in row else ""
        out.append(f"{row['goal']:3} {row['what']:24} {cell('microbatch_rows', '.0f'):>3} {row['rival']:10} {cell('ours_tokens_per_second', '11.0f'):>11} {cell('rival_tokens_per_second', '11.0f'):>11} "
                   f"{cell('ratio', '.2f'):>6} {cell('wanted', '.1f'):>5} {cell('of_gemm_rate', '.0%'):>5} {cell('ours_peak_bytes', '.2f', 1e-9):>8} {cell('rival_peak_bytes', '.2f', 1e-9):>8} "
                   f"{cell('ours_last_loss', '.4f'):>7} {cell('rival_last_loss', '.4f'):>7}  {row.get('losses', '')}{'; '.join(said)}{resident_text}")
    return "\n".join(out) + "\n"


def write_table(machine, wanted, pieces):
    rows = [cells_of(line, side, goal, pieces, machine) for line in wanted for side, goal in line.rivals if machine.has(side) or side.who != "B2"]
    versions = ", ".join(f"{name} {value}" for name, value in machine.facts.items() if value and not name.startswith(("device", "engine")))
    gemm = pieces.result("gemm") or {}
    products = ", ".join(f"{dtype} {1e-3 * gemm[dtype]:.1f} TFLOP/s" for dtype in ("fp32", "bf16") if dtype in gemm)
    text = f"{machine.facts['device']}; {versions}\nproducts: {products}; losses agree within {TOLERANCE[machine.dtype]:g}\n" + text_of(rows)
    (machine.folder / "table.txt").write_text(text)
    (machine.folder / "table.json").write_text(json.dumps({"machine": machine.facts, "gemm_gflops": gemm, "tolerance": TOLERANCE[machine.dtype], "rows": rows}, indent=1))
    print(text, end="")


def refuse_other_machine(machine, args):
    """Results of two machines, or of two versions of something, are no table."""
    here = {**machine.facts, "tiny": args.tiny}
    file = args.folder / "machine.json"
    if file.exists() and json.loads(file.read_text()) != here:
        sys.exit(f"{args.folder} holds results of {file.read_text()}\nand this is {json.dumps(here)}; name another folder")
    file.write_text(json.dumps(here))


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="for models and results; made")
    parser.add_argument("--seconds", type=float, default=540, help="no piece is begun that may end later; one is made in any case")
    parser.add_argument("--goals", default="G1,G2,G3,G4,G5")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--tiny", action="store_true", help="with --device cpu: models of a few kilobytes")
    parser.add_argument("--engine", type=Path, default=ENGINE, help="ranktide-trial-steps")
    parser.add_argument("--python", default=sys.executable, help="a Python with torch and, for the rivals, transformers, accelerate and peft")
    args = parser.parse_args()
    if (args.device == "cpu") != args.tiny:
        parser.error("--tiny and --device cpu go together: the models of a GPU would take days on a processor")
    if not args.engine.exists():
        parser.error(f"--engine: there is no {args.engine}; tools/check_gpu.sh --quick builds it")
    return args


def main():
    args = arguments()
    args.folder = args.folder.resolve()
    args.folder.mkdir(parents=True, exist_ok=True)
    machine = Machine(args)
    refuse_other_machine(machine, args)
    wanted = [tiny(line) if args.tiny else line for line in lines() if line.goal in args.goals.split(",")]
    pieces = Pieces(args.folder / "pieces", args.seconds)
    left = make_pieces(work_of(machine, wanted), pieces)
    write_table(machine, wanted, pieces)
    print(f"{left} pieces are left: say it again" if left else "nothing is left")


if __name__ == "__main__":
    main()
