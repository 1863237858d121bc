"""What bench/gpu.py promises: that all of it runs, with small models on the processor; that it goes on where it was left; and
that its table says when the two sides did not compute the same. Figures of speed are not looked at.

RANKTIDE_GPU_BENCH_GOALS names the goals that are run, G5 by default; the nightly gpu_bench_test runs all. The engine's
program is RANKTIDE_TRIAL_STEPS; the rivals need transformers, peft and accelerate. What is not there is skipped by name.
"""

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import types
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
BENCH = Path(__file__).resolve().parents[2] / "bench"
sys.path.insert(0, str(BENCH))
import gpu
import pieces

ENGINE = os.environ.get("RANKTIDE_TRIAL_STEPS", str(BENCH.parent / "build/dev/bench/trial_steps"))
GOALS = os.environ.get("RANKTIDE_GPU_BENCH_GOALS", "G5")
ABSENT = [name for name in ("torch", "transformers", "peft", "accelerate") if importlib.util.find_spec(name) is None]


def bench(folder, *options, engine=ENGINE):
    command = [sys.executable, str(BENCH / "gpu.py"), "--device", "cpu", "--tiny", "--goals", GOALS, "--engine", engine, "--folder", str(folder), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=1500, check=False)


def engine_facts():
    done = subprocess.run([ENGINE, "facts"], capture_output=True, text=True, timeout=300, check=True)
    return {**json.loads(done.stdout), "engine_sha256": hashlib.sha256(Path(ENGINE).read_bytes()).hexdigest()}


@unittest.skipIf(ABSENT, f"needs tools/requirements-test.txt: {', '.join(ABSENT)}")
@unittest.skipUnless(Path(ENGINE).is_file(), f"needs the engine's program, {ENGINE}")
class TheWholeBench(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        cls.folder = Path(cls.scratch.name) / "results"
        cls.first = bench(cls.folder, "--seconds", "0")
        cls.second = bench(cls.folder, "--seconds", "1400")

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    def table(self):
        return json.loads((self.folder / "table.json").read_text())

    def test_a_call_whose_time_is_up_makes_one_piece_and_says_what_is_left(self):
        self.assertEqual(self.first.returncode, 0, self.first.stderr)
        self.assertIn("gemm: done", self.first.stdout)
        self.assertIn("pieces are left: say it again", self.first.stdout)
        self.assertEqual(self.first.stdout.count(": done"), 1)

    def test_the_next_call_makes_the_rest(self):
        self.assertEqual(self.second.returncode, 0, self.second.stderr)
        self.assertNotIn("gemm: done", self.second.stdout)
        self.assertTrue(self.second.stdout.endswith("nothing is left\n"), self.second.stdout)

    def test_every_goal_has_both_sides_and_they_computed_the_same(self):
        rows = self.table()["rows"]
        self.assertEqual(sorted({row["goal"] for row in rows}), sorted(GOALS.split(",")))
        for row in rows:
            self.assertNotIn("ours_error", row)
            self.assertNotIn("rival_error", row)
            self.assertGreater(row["ratio"], 0)
            self.assertGreater(row["ours_peak_bytes"], 0)
            self.assertTrue(row["losses_agree"], row)
            self.assertGreater(row["microbatch_rows"], 0)

    def test_both_sides_make_as_many_steps_and_learn(self):
        for file in (self.folder / "pieces").glob("*-lora-*.json"):
            piece = json.loads(file.read_text())
            self.assertEqual(len(piece["losses"]), 5)
            self.assertGreater(len(set(piece["losses"])), 1)

    def test_a_third_call_measures_nothing(self):
        before = {file: file.stat().st_mtime_ns for file in (self.folder / "pieces").iterdir()}
        third = bench(self.folder)
        self.assertEqual(third.returncode, 0, third.stderr)
        self.assertEqual(before, {file: file.stat().st_mtime_ns for file in (self.folder / "pieces").iterdir()})

    def test_results_of_another_machine_are_refused(self):
        copy = Path(self.scratch.name) / "other"
        shutil.copytree(self.folder, copy)
        here = json.loads((copy / "machine.json").read_text())
        (copy / "machine.json").write_text(json.dumps({**here, "torch": "2.0.0"}))
        done = bench(copy)
        self.assertEqual(done.returncode, 1)
        self.assertIn("name another folder", done.stderr)

    def test_results_of_another_engine_are_refused(self):
        here = json.loads((self.folder / "machine.json").read_text())
        self.assertEqual({key: here[key] for key in engine_facts()}, engine_facts())
        other = Path(self.scratch.name) / "rebuilt"
        shutil.copy(ENGINE, other)
        with other.open("ab") as program:
            program.write(b"\0")  # runs as before, and is another
        done = bench(self.folder, engine=str(other))
        self.assertEqual(done.returncode, 1)
        self.assertIn("name another folder", done.stderr)
        self.assertEqual(json.loads((self.folder / "machine.json").read_text()), here)

    def test_an_engine_that_fails_is_told_in_the_table(self):
        copy = Path(self.scratch.name) / "broken"
        shutil.copytree(self.folder, copy)
        for file in (copy / "pieces").glob("ours-*.json"):
            file.unlink()
        broken = Path(self.scratch.name) / "engine_that_fails"
        broken.write_text(f"#!/bin/sh\n[ $1 = facts ] && exec '{ENGINE}' facts\nexit 1\n")
        broken.chmod(0o755)
        here = json.loads((copy / "machine.json").read_text())
        (copy / "machine.json").write_text(json.dumps({**here, "engine_sha256": hashlib.sha256(broken.read_bytes()).hexdigest()}))
        done = bench(copy, engine=str(broken))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("ours: ended with 1 and said nothing", (copy / "table.txt").read_text())


@unittest.skipUnless(Path(ENGINE).is_file(), f"needs the engine's program, {ENGINE}")
class TheEnginesProgram(unittest.TestCase):
    def microbatch_rows(self, tokens):
        model = Path(__file__).resolve().parents[1] / "golden/tiny/llama"
        command = [ENGINE, str(model), "lora", "fp32", "4", str(tokens), "cpu", "1", "0", "-"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
        return json.loads(done.stdout)["microbatch_rows"]

    def test_cuts_a_batch_as_a_trial_of_a_sweep_does(self):
        self.assertEqual(self.microbatch_rows(64), 4)
        self.assertEqual(self.microbatch_rows(1_000_000), 1)


class TheTable(unittest.TestCase):
    """Of results that are made up."""

    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory()
        self.pieces = pieces.Pieces(Path(self.scratch.name), 0)
        self.machine = types.SimpleNamespace(dtype="bf16", has=lambda side: True, facts={"device_bytes": 80 * 10**9})
        self.line = next(line for line in gpu.lines() if line.goal == "G5")
        self.rival = self.line.rivals[0][0]
        self.keep("gemm", {"fp32": 1e4, "bf16": 1e5})

    def tearDown(self):
        self.scratch.cleanup()

    def keep(self, name, result):
        self.pieces.run(name, lambda: dict(result))

    def side(self, rate, losses, held=30 * 10**9):
        return {"tokens_per_second": rate, "peak_bytes": 1, "held_bytes": held, "losses": losses, "runs": [{"flops_per_token": 1e9, "microbatch_rows": 4}]}

    def row(self, goal=2.0):
        return gpu.cells_of(self.line, self.rival, goal, self.pieces, self.machine)

    def test_a_goal_is_reached_by_the_ratio(self):
        self.keep(self.line.ours.name, self.side(2000, [3.0, 2.0]))
        self.keep(self.rival.name, self.side(1000, [3.0, 2.0]))
        self.assertTrue(self.row(2.0)["reached"])
        self.assertFalse(self.row(2.1)["reached"])

    def test_losses_that_differ_by_more_than_the_tolerance_are_said(self):
        self.keep(self.line.ours.name, self.side(2000, [3.0, 2.05]))
        self.keep(self.rival.name, self.side(1000, [3.0, 2.0]))
        self.assertFalse(self.row()["losses_agree"])
        self.assertIn("DIFFER", gpu.text_of([self.row()]))

    def test_losses_that_end_early_are_no_agreement(self):
        self.keep(self.line.ours.name, self.side(2000, []))
        self.keep(self.rival.name, self.side(1000, [3.0]))
        self.assertFalse(self.row()["losses_agree"])

    def test_a_loss_that_is_no_number_is_no_agreement(self):
        self.keep(self.line.ours.name, self.side(2000, [3.0, float("nan")]))
        self.keep(self.rival.name, self.side(1000, [3.0, 2.0]))
        self.assertFalse(self.row()["losses_agree"])

    def test_the_share_of_the_product_rate_is_flops_over_it(self):
        self.keep(self.line.ours.name, self.side(5e4, [3.0]))
        self.keep(self.rival.name, self.side(1000, [3.0]))
        self.assertAlmostEqual(self.row()["of_gemm_rate"], 0.5)  # 5e4 tokens/s of 1e9 each, of 1e5 GFLOP/s

    def test_as_many_of_the_rival_are_resident_as_its_memory_goes_into_the_device(self):
        self.keep(self.line.ours.name, self.side(2000, [3.0]))
        self.keep(self.rival.name, self.side(1000, [3.0], held=30 * 10**9))
        self.assertEqual((self.row()["ours_resident"], self.row()["rival_resident"]), (8, 2))

    def test_a_side_that_failed_has_no_ratio_and_says_why(self):
        self.keep(self.line.ours.name, self.side(2000, [3.0]))
        self.pieces.run(self.rival.name, lambda: pieces.run_together([["false"]], os.environ, 5))
        self.assertNotIn("ratio", self.row())
        self.assertIn("rival: ended with 1 and said nothing", gpu.text_of([self.row()]))

    def test_a_rival_that_is_not_installed_is_said(self):
        self.machine.has = lambda side: side.who == "ours"
        self.keep(self.line.ours.name, self.side(2000, [3.0]))
        self.assertIn("rival: not installed", gpu.text_of([self.row()]))


class ThePieces(unittest.TestCase):
    def test_a_process_that_takes_too_long_is_ended(self):
        began = time.monotonic()
        with self.assertRaisesRegex(RuntimeError, "took more than 0.2 s"):
            pieces.run_together([["sleep", "60"]], os.environ, 0.2)
        self.assertLess(time.monotonic() - began, 30)

    def test_one_that_fails_ends_those_that_would_wait_for_it(self):
        began = time.monotonic()
        with self.assertRaisesRegex(RuntimeError, "No space left"):
            pieces.run_together([["sleep", "60"], ["sh", "-c", "echo No space left >&2; exit 3"]], os.environ, 50)
        self.assertLess(time.monotonic() - began, 30)

    def test_the_addresses_of_libtorch_are_left_out(self):
        self.assertEqual(pieces.last_words("CUDA out of memory.\nException raised from malloc at x.cpp:1\nframe #0"), "CUDA out of memory.")

    def test_a_model_that_failed_keeps_its_trainings_undone(self):
        with tempfile.TemporaryDirectory() as folder:
            made = pieces.Pieces(Path(folder), 100)

            def fail():
                raise RuntimeError("disk full")

            work = [gpu.Work("model", 1, fail), gpu.Work("training", 1, lambda: {}, "model")]
            gpu.make_pieces(work, made)
            self.assertEqual(made.result("model")["error"], "disk full")
            self.assertIsNone(made.result("training"))


if __name__ == "__main__":
    unittest.main()
