#!/usr/bin/env bash
# Builds the engine and its self-check against the LibTorch of the python3 that is there, and runs it: whether this machine,
# with this LibTorch, computes what it should. Needs CMake, a C++20 compiler and nlohmann/json.hpp; nothing is installed.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: tools/check_gpu.sh [--quick] [--json] [--device cpu|cuda] [--threads N]
The options are the self-check's. With --device cuda the small models train on the first GPU that CUDA_VISIBLE_DEVICES shows,
which takes a CUDA build of LibTorch. The engine was never run on a real GPU: the first run of this on one is the first there is,
and its lines are worth reporting. Without it, this shows that the engine builds against that LibTorch and trains on the CPU.
Exit codes: 0 all good, 1 something failed, 2 wrong use.

environment:  PYTHON=PROGRAM           the Python whose torch is used (default: python3)
              LIBTORCH_ROOT=FOLDER     this LibTorch instead (with include/ and lib/)
              BUILD_DIR=FOLDER         where it is built (default: build/standalone)
              JSON_INCLUDE=FOLDER      holds nlohmann/json.hpp (default: where the compiler's headers are)
              RANKTIDE_JOBS=N          compile with N jobs, of up to 2 GB each (default: all cores)
TEXT
}

fail() {
  printf 'check_gpu: %s\n' "$1" >&2
  exit 1
}

libtorch_of_python() {
  command -v "$python" >/dev/null || fail "there is no $python; name the Python that has torch with PYTHON=..."
  local prefix  # <torch>/share/cmake
  prefix=$("$python" -c 'import torch; print(torch.utils.cmake_prefix_path)') ||
    fail "$python has no torch; install it there (pip install torch), or name another with PYTHON=..."
  (cd "$prefix/../.." && pwd)
}

# Standard output is the self-check's.
build() {
  local settings=("-DLIBTORCH_ROOT=$1")
  [ -z "${JSON_INCLUDE:-}" ] || settings+=("-DJSON_INCLUDE=$JSON_INCLUDE")
  # `|| fail` at the caller turns errexit off in here.
  cmake -S "$root/tools/standalone" -B "$build_dir" "${settings[@]}" >&2 &&
    cmake --build "$build_dir" --parallel "${RANKTIDE_JOBS:-$(nproc)}" >&2
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
python=${PYTHON:-python3}
build_dir=${BUILD_DIR:-$root/build/standalone}

# Before the minutes that building takes; the program looks at the values.
for word in "$@"; do
  case $word in
    --help) usage; exit 0 ;;
    --quick | --json | --device | --threads | cpu | cuda | [0-9]*) ;;
    *) printf 'check_gpu: unknown option %s\n' "$word" >&2; usage >&2; exit 2 ;;
  esac
done
command -v cmake >/dev/null || fail "there is no cmake; install it (pip install cmake will do)"
libtorch=${LIBTORCH_ROOT:-$(libtorch_of_python)}
build "$libtorch" || fail "the build failed; its messages stand above"
exec "$build_dir/ranktide-selfcheck" "$@"
