"""What tools/check_gpu.sh says before it builds. That it builds and passes is standalone_test."""

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

TREE = Path(__file__).resolve().parents[2]
SCRIPT = TREE / "tools" / "check_gpu.sh"


def check_gpu(*arguments, **environment):
    inherited = {key: value for key, value in os.environ.items() if key != "LIBTORCH_ROOT"}
    return subprocess.run([str(SCRIPT), *arguments], env={**inherited, **environment}, capture_output=True, text=True,
                          timeout=60, check=False)


class CheckGpu(unittest.TestCase):
    def test_help_names_options_and_environment(self):
        done = check_gpu("--help")
        self.assertEqual(done.returncode, 0)
        for word in ("--device cpu|cuda", "PYTHON=", "JSON_INCLUDE=", "BUILD_DIR="):
            self.assertIn(word, done.stdout)

    def test_a_python_without_torch_is_named_with_what_to_do(self):
        with tempfile.TemporaryDirectory() as folder:
            python = Path(folder) / "python-of-a-bare-machine"
            python.write_text("#!/bin/sh\necho \"ModuleNotFoundError: No module named 'torch'\" >&2\nexit 1\n")
            python.chmod(0o755)
            done = check_gpu(PYTHON=str(python), BUILD_DIR=str(Path(folder) / "build"))
            self.assertFalse((Path(folder) / "build").exists())
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stdout, "")
        self.assertIn("python-of-a-bare-machine has no torch; install it there (pip install torch)", done.stderr)

    def test_a_mistyped_option_is_refused_before_anything_is_built(self):
        with tempfile.TemporaryDirectory() as folder:
            done = check_gpu("--quick", "--devise", "cpu", BUILD_DIR=str(Path(folder) / "build"))
            self.assertFalse((Path(folder) / "build").exists())
        self.assertEqual(done.returncode, 2)
        self.assertIn("unknown option --devise", done.stderr)

    def test_a_python_that_is_missing_is_named(self):
        done = check_gpu(PYTHON="python-that-nobody-has")
        self.assertEqual(done.returncode, 1)
        self.assertIn("there is no python-that-nobody-has", done.stderr)

    def test_a_tree_without_libtorch_is_told_what_to_do(self):
        environment = {key: value for key, value in os.environ.items() if key != "LIBTORCH_ROOT"}
        with tempfile.TemporaryDirectory() as folder:
            script = Path(folder) / "find.cmake"
            script.write_text(f"set(RANKTIDE_ROOT {folder})\ninclude({TREE}/cmake/FindLibTorch.cmake)\n")
            done = subprocess.run(["cmake", "-P", str(script)], env=environment, capture_output=True, text=True, timeout=60, check=False)
        self.assertNotEqual(done.returncode, 0)
        said = " ".join(done.stderr.split())
        self.assertIn("LibTorch was not found. Set -DLIBTORCH_ROOT=", said)
        self.assertIn("run ./bootstrap", said)


if __name__ == "__main__":
    unittest.main()
