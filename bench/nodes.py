#!/usr/bin/env python3
"""What the machinery between machines costs, on one machine, with trainers that train nothing.

Prints: join to first lease; idle slot to next trial over many no-op trials, beside Ray's; RSS and CPU of a coordinator
that eight workers stream points to; bytes on the wire per point. Coordinator and workers are the real programs, over
ZeroMQ with CURVE on loopback, every trial committed with synchronous=FULL; only the trainer is the tests' fake one.

    python3 bench/nodes.py [--ranktide bin/ranktide] [--trainer FAKE_TRAINER] [--trials 1000] [--rival-python PYTHON]

--rival-python: a Python with ray[tune] installed; without it the rival is left out, and the output says so.
"""
import argparse
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from llama_folder import elements, llama_config, write_llama_folder

TREE = Path(__file__).resolve().parent.parent
JOINS = 10
RIVAL_TRIALS = 100  # of Ray Tune, which takes seconds for each
STREAMING_WORKERS = 8
STREAM_SECONDS = 20


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def spread(seconds):
    """p50, p99 and the longest, in ms."""
    return "p50 {:.1f} ms, p99 {:.1f} ms, longest {:.1f} ms (n = {})".format(
        1e3 * percentile(seconds, 0.5), 1e3 * percentile(seconds, 0.99), 1e3 * max(seconds), len(seconds))


def gaps(times):
    """Of one trainer's (came, ended) pairs in ns: from each end to the next begin, in s."""
    return [(after[0] - before[1]) / 1e9 for before, after in zip(times, times[1:])]


def free_ports(count):
    """The first of so many ports in a row that nobody listens on."""
    for first in range(20000, 60000, 10):
        try:
            for port in range(first, first + count):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
            return first
        except OSError:
            continue
    sys.exit("no free ports")


def write_model(folder):
    """A Llama-style model of a few kilobytes, all zeros: nobody trains it."""
    config = llama_config(vocabulary=1024, hidden=8, ffn=8, layers=1, heads=1, kv_heads=1, tied=True, context=512)
    write_llama_folder(folder, config, "F32", lambda _, shape: bytes(4 * elements(shape)))
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(TREE / "tests/golden/tokenizer/smollm2" / name, folder)


class Site:
    """A coordinator and its workers in a folder of their own; everything it started ends with it."""

    def __init__(self, folder, args):
        self.folder, self.args = folder, args
        self.data = folder / "coordinator"
        self.port = free_ports(4)
        self.url = f"http://127.0.0.1:{self.port + 3}"
        self.started = []
        self.coordinator = self.start("coordinator", "coordinator", "--data-dir", self.data,
                                      "--bind", f"tcp://127.0.0.1:{self.port}", "--http", f"127.0.0.1:{self.port + 3}")
        self.until(lambda: self.is_ready(), "the coordinator is ready")

    def start(self, name, *words):
        with open(self.folder / f"{name}.out", "w") as out, open(self.folder / f"{name}.err", "w") as err:
            process = subprocess.Popen([self.args.ranktide, *map(str, words)], stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        self.started.append(process)
        return process

    def end(self):
        for process in reversed(self.started):
            process.send_signal(signal.SIGTERM)
        for process in reversed(self.started):
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()

    def ranktide(self, *words):
        return subprocess.run([self.args.ranktide, *map(str, words), "--data-dir", self.data], check=True,
                              capture_output=True, text=True).stdout

    def get(self, path):
        with urllib.request.urlopen(self.url + path, timeout=10) as answer:
            return answer.read().decode()

    def is_ready(self):
        try:
            return bool(self.get("/readyz"))
        except OSError:
            return False

    def metric(self, name):
        return float(re.search(rf"^{re.escape(name)} (\S+)$", self.get("/metrics"), re.MULTILINE).group(1))

    def until(self, holds, claim, seconds=600, every=0.1):
        end = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > end:
                for log in sorted(self.folder.glob("*.err")):
                    print(f"--- {log.name}\n" + "".join(log.read_text().splitlines(keepends=True)[-10:]), file=sys.stderr)
                sys.exit(f"never true: {claim}")
            time.sleep(every)

    def submit(self, name, seeds, steps):
        model = self.folder / "model"
        if not model.exists():
            write_model(model)
            (self.folder / "text.txt").write_text("the tide comes in and goes out again. " * 200)
        sweep = self.folder / f"{name}.yaml"
        sweep.write_text(
            f"version: 1\nname: {name}\nmodel: {{path: model, dtype: fp32}}\nmethod: full\n"
            f"data: {{train: text.txt, max_tokens: 64}}\ntrain: {{lr: 1e-3, batch: 2, schedule: constant, warmup: 0}}\n"
            f"budget: {{steps: {steps}}}\nseeds: {seeds}\nrun: {{keep: none}}\n")
        self.ranktide("submit", sweep, "--quiet")

    def trainer(self, step_ms):
        """The fake trainer with its arguments, as one program."""
        script = self.folder / f"trainer-{step_ms}"
        times = self.folder / f"times-{step_ms}"
        times.mkdir(exist_ok=True)
        script.write_text(f'#!/bin/sh\nexec {self.args.trainer} "$@" --step-ms {step_ms} --times {times}\n')
        script.chmod(0o700)
        return script

    def join_line(self, uses):
        line = self.folder / "join-line"
        line.touch(0o600)
        line.write_text(self.ranktide("invite", "--quiet", "--uses", uses))
        return line

    def worker(self, name, line, step_ms):
        return self.start(name, "worker", "--join", line, "--data-dir", self.folder / name, "--name", name,
                          "--slots", 1, "--gpus", "none", "--trainer", self.trainer(step_ms))

    def times(self, step_ms):
        """Of each trainer process: its works as (came, ended), in ns of the wall clock."""
        files = sorted((self.folder / f"times-{step_ms}").iterdir())
        return [[tuple(map(int, line.split())) for line in file.read_text().splitlines()] for file in files]


def site(args):
    class Scope:
        def __enter__(self):
            self.folder = tempfile.TemporaryDirectory(prefix="ranktide-bench-")
            self.site = Site(Path(self.folder.name), args)
            return self.site

        def __exit__(self, *error):
            self.site.end()
            self.folder.cleanup()

    return Scope()


def join_to_first_lease(args):
    """From the start of `ranktide worker --join`, in a folder that has no key yet, to its trainer having work."""
    seconds = []
    with site(args) as s:
        s.submit("joins", seeds=JOINS, steps=1)
        line = s.join_line(JOINS)
        for number in range(JOINS):
            begin = time.time_ns()
            worker = s.start(f"w{number}", "worker", "--join", line, "--data-dir", s.folder / f"w{number}", "--name", f"w{number}",
                             "--slots", 1, "--gpus", "none", "--trainer", s.trainer(0), "--once")
            worker.wait(60)
            seconds.append((min(works[0][0] for works in s.times(0) if works[0][0] > begin) - begin) / 1e9)
    print("join to first lease:            ", spread(seconds))


def idle_to_next(args):
    with site(args) as s:
        s.submit("noops", seeds=args.trials, steps=1)
        begin = time.monotonic()
        s.worker("w", s.join_line(1), 0)
        s.until(lambda: s.metric('ranktide_trials{state="completed"}') >= args.trials, "all trials are done", every=0.5)
        took = time.monotonic() - begin
        (works,) = s.times(0)
    print("idle slot to next trial:        ", spread(gaps(works)), f"; all in {took:.1f} s")


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_mib(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text()).group(1)) / 1024


def wire_bytes(port):
    """What came to the port and left it, TCP's payload, connections that are open now."""
    if not shutil.which("ss"):
        return None
    shown = subprocess.run(["ss", "-tinH", f"( sport = :{port} )"], check=True, capture_output=True, text=True).stdout
    return tuple(sum(map(int, re.findall(rf"\b{word}:(\d+)", shown))) for word in ("bytes_received", "bytes_sent"))


def streaming(args, step_ms):
    with site(args) as s:
        pid = s.coordinator.pid
        idle_rss = rss_mib(pid)
        s.submit("streams", seeds=STREAMING_WORKERS, steps=100_000_000)
        line = s.join_line(STREAMING_WORKERS)
        for number in range(STREAMING_WORKERS):
            s.worker(f"w{number}", line, step_ms)
        s.until(lambda: s.metric('ranktide_slots{kind="running"}') == STREAMING_WORKERS, "all workers train")
        time.sleep(5)

        def look():
            return time.monotonic(), cpu_seconds(pid), s.metric("ranktide_points_total"), wire_bytes(s.port)

        began, cpu, points, wire = look()
        time.sleep(STREAM_SECONDS)
        ended, cpu_then, points_then, wire_then = look()
        took, count = ended - began, points_then - points
        print(f"{STREAMING_WORKERS} workers, {count / took:6.0f} points/s: "
              f"   coordinator RSS {rss_mib(pid):.0f} MiB (idle {idle_rss:.0f}), CPU {100 * (cpu_then - cpu) / took:.1f} % of a core")
        if wire is None:
            print("                                 bytes on the wire: not measured, there is no ss (iproute2)")
        else:
            there, back = (then - before for before, then in zip(wire, wire_then))
            print(f"                                 per point {there / count:.0f} bytes to the coordinator, {back / count:.0f} back "
                  "(TCP payload: CURVE, heartbeats and acks included)")


def ray_child(trials):
    """Runs in the rival's Python. Prints what it measured as one JSON object."""
    import ray
    from ray import tune

    ray.init(num_cpus=1, include_dashboard=False, logging_level="ERROR", log_to_driver=False)

    @ray.remote(num_cpus=1)
    def noop():
        came = time.time_ns()
        return came, time.time_ns(), os.getpid()

    ray.get(noop.remote())  # its worker process is up
    works = ray.get([noop.remote() for _ in range(trials)])

    def trial(config):
        came = time.time_ns()
        tune.report({"loss": 0.0, "came": came, "ended": time.time_ns()})

    os.environ["RAY_AIR_NEW_OUTPUT"] = "0"
    begin = time.monotonic()
    tuned = tune.Tuner(tune.with_resources(trial, {"cpu": 1}),
                       param_space={"seed": tune.grid_search(list(range(RIVAL_TRIALS)))},
                       tune_config=tune.TuneConfig(reuse_actors=True),  # its fastest way
                       run_config=tune.RunConfig(verbose=0, storage_path=tempfile.mkdtemp(prefix="ray-tune-"))).fit()
    ended = [(r.metrics["came"], r.metrics["ended"]) for r in tuned]
    print(json.dumps({"version": ray.__version__, "remote": [w[:2] for w in works], "tune": sorted(ended),
                      "tune_took": time.monotonic() - begin}), flush=True)


def rival(args):
    if not args.rival_python:
        print("Ray: not measured, no --rival-python was given")
        return
    # In a session of its own: at its end Ray sends TERM to its whole process group, which may be ours.
    done = subprocess.run([args.rival_python, __file__, "--as-rival", "--trials", str(args.trials)], capture_output=True, text=True,
                          check=False, start_new_session=True)
    if not done.stdout.strip().endswith("}"):
        print("Ray: not measured, it failed:", done.stderr.strip().splitlines()[-1:])
        return
    said = json.loads(done.stdout.strip().splitlines()[-1])
    print(f"Ray {said['version']} remote, no-op tasks:", spread(gaps(sorted(map(tuple, said["remote"])))), "; nothing is made durable")
    print(f"Ray {said['version']} Tune, no-op trials: ", spread(gaps(list(map(tuple, said["tune"])))), f"; all in {said['tune_took']:.1f} s")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ranktide", type=Path, default=TREE / "bin/ranktide")
    parser.add_argument("--trainer", type=Path, default=TREE / "build/dev/tests/worker/daemon/fake_trainer", help="built with the tests")
    parser.add_argument("--trials", type=int, default=1000, help="no-op trials; the fake trainer misbehaves for seeds from 1000 on")
    parser.add_argument("--rival-python", help="a Python with ray[tune]")
    parser.add_argument("--as-rival", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def main():
    args = arguments()
    if args.as_rival:
        return ray_child(args.trials)
    for program in (args.ranktide, args.trainer):
        if not program.is_file():
            sys.exit(f"{program} is missing; ./bootstrap test builds it")
    if args.rival_python and not Path(args.rival_python).is_file():
        sys.exit(f"--rival-python: there is no {args.rival_python}")
    args.ranktide, args.trainer = args.ranktide.resolve(), args.trainer.resolve()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.2f} before the start, {args.ranktide}")
    join_to_first_lease(args)
    idle_to_next(args)
    rival(args)
    for step_ms in (10, 1000):
        streaming(args, step_ms)


if __name__ == "__main__":
    main()
