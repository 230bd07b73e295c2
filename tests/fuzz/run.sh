#!/usr/bin/env bash
# run.sh SECONDS [TARGET...]: spends that long on each target looking for an input that breaks what it asserts, with as
# many targets in parallel as there are processors. Inputs that reach new code are kept in target/fuzz/corpus; the initial
# ones in tests/fuzz/corpus are only read. Needs cargo-fuzz in PATH (`make fuzz`), and only a stable compiler, as it uses
# no sanitizer: that would look for errors that code without `unsafe` cannot make.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=$1
shift
cargo_fuzz() { cargo fuzz "$1" --fuzz-dir tests/fuzz --target-dir target/fuzz --sanitizer none "${@:2}"; }

if (($# != 1)); then
  cargo_fuzz build
  if (($# == 0)); then
    mapfile -t all < <(cargo fuzz list --fuzz-dir tests/fuzz)
    set -- "${all[@]}"
  fi
  printf '%s\n' "$@" | xargs -n 1 -P "$(nproc)" "$0" "$seconds"
  exit
fi

name=$1
found=target/fuzz/corpus/$name log=target/fuzz/$name.log
mkdir -p "$found"
limits=(-max_total_time="$seconds" -timeout=10 -print_final_stats=1 -artifact_prefix="target/fuzz/$name-")
if ! cargo_fuzz run "$name" "$found" "tests/fuzz/corpus/$name" -- "${limits[@]}" >"$log" 2>&1; then
  grep -v -e 'NEW ' -e 'REDUCE' "$log" | tail -n 60 >&2
  echo "fuzz: $name was broken; the input is target/fuzz/$name-*" >&2
  exit 1
fi
# Prints the number of inputs run, and the edges and features covered.
grep -e DONE "$log" | sed -E "s/^#([0-9]+).*(cov: [0-9]+ ft: [0-9]+).*/fuzz: $name: \1 inputs, \2/"
