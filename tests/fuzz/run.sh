#!/bin/bash
# Builds the fuzz targets with clang's libFuzzer, address and undefined-behaviour sanitizers, and runs each of them.
#
#   tests/fuzz/run.sh SECONDS [TARGET...]
#
# SECONDS of processor time for each target (all of fuzz_*.cpp without arguments). What is built, the inputs found so far
# and any input that crashes a target stay in build/fuzz/. The exit status is 0 only if every target lived.
set -euo pipefail
cd "$(dirname "$0")/../.."

if [[ ! ${1:-} =~ ^[0-9]+$ ]]; then
  echo "usage: tests/fuzz/run.sh SECONDS [TARGET...]" >&2
  exit 2
fi
seconds=$1
shift
targets=("$@")
if [[ ${#targets[@]} -eq 0 ]]; then
  for file in tests/fuzz/fuzz_*.cpp; do
    name=${file#tests/fuzz/fuzz_}
    targets+=("${name%.cpp}")
  done
fi

compiler=$(command -v clang++ || command -v clang++-14) || {
  echo "fuzz: expected clang++: apt install clang libclang-rt-14-dev" >&2
  exit 1
}
out=build/fuzz
# Flags of the objects; only the targets themselves are linked with libFuzzer's main.
flags=(-std=c++20 -O1 -g1 -I. -DTENON_CUDA_OFF -Wno-unknown-pragmas -fno-omit-frame-pointer
  "-fsanitize=address,undefined" -fno-sanitize-recover=all)
coverage=-fsanitize=fuzzer-no-link
libraries=(-lpng -ljpeg -lz)

# The library as far as the readers need it.
sources=(core/{allocator,atomic_file,device,error,json,memory_trace,pool,shape,sparse,tensor}.cpp core/ops/elementwise.cpp tests/fuzz/one_thread.cpp
  core/cpu/elementwise_*.cpp cuda/runtime/device_runtime.cpp
  data/{cifar,folders,idx,image,jpeg,nasbench,npy,npz,planetoid,png,reader,safetensors}.cpp)

compile() { # SOURCE: into its object, unless that is newer than everything it was made of
  local object=$out/$1.o
  if [[ -f $object && -f $object.d ]] &&
    ! sed 's/^[^:]*://; s/\\$//' "$object.d" | tr ' ' '\n' | grep . | xargs -r -I{} find {} -newer "$object" 2>&1 | grep -q .; then
    return
  fi
  mkdir -p "$(dirname "$object")"
  echo "  clang++ $1"
  "$compiler" "${flags[@]}" $coverage -MMD -MF "$object.d" -c "$1" -o "$object"
}
export -f compile
export out compiler coverage
# Arrays cannot be exported.
export flag_words="${flags[*]}"
# shellcheck disable=SC2016  # $1 is the inner shell's
printf '%s\n' "${sources[@]}" tests/fuzz/seeds.cpp "${targets[@]/#/tests/fuzz/fuzz_}" |
  sed '/fuzz_[a-z0-9]*$/s/$/.cpp/' |
  xargs -P "$(nproc)" -I{} bash -c 'set -e; read -ra flags <<<"$flag_words"; compile "$1"' _ {}

objects=("${sources[@]/#/$out/}")
objects=("${objects[@]/%/.o}")
"$compiler" "${flags[@]}" "$out/tests/fuzz/seeds.cpp.o" "${objects[@]}" "${libraries[@]}" -o "$out/seeds"
"$out/seeds" "$out/seed_inputs"

failed=()
for target in "${targets[@]}"; do
  "$compiler" "${flags[@]}" -fsanitize=fuzzer "$out/tests/fuzz/fuzz_$target.cpp.o" "${objects[@]}" "${libraries[@]}" \
    -o "$out/fuzz_$target"
  mkdir -p "$out/corpus/$target" "$out/crashes"
  used=0 runs=0 alive=yes
  # libFuzzer counts wall time; on a busy machine that is less processor time, so it is asked again for the rest.
  while ((used < seconds * 100)) && [[ $alive == yes ]]; do
    rest=$(((seconds * 100 - used + 99) / 100))
    ((rest >= 20 || rest == seconds)) || rest=20 # below that it would hardly get past reading the inputs it has
    log=$out/fuzz_$target.log
    TIMEFORMAT='%U %S'
    cpu=$({ time "$out/fuzz_$target" -max_total_time=$rest -max_len=16384 -timeout=10 -rss_limit_mb=1024 \
      -malloc_limit_mb=256 -print_final_stats=1 -artifact_prefix="$out/crashes/$target-" \
      "$out/corpus/$target" "$out/seed_inputs/$target" >"$log" 2>&1 || echo dead; } 2>&1) || true
    [[ $cpu == dead* ]] && alive=no
    used=$((used + $(tail -n 1 <<<"$cpu" | awk '{printf "%d", ($1 + $2) * 100}')))
    runs=$((runs + $(awk '/stat::number_of_executed_units/ {print $2}' "$log" | tail -n 1 | grep . || echo 0)))
  done
  inputs=$(find "$out/corpus/$target" -type f | wc -l)
  if [[ $alive == yes ]]; then
    printf 'fuzz: %-12s %5d s of processor time, %9d runs, %4d inputs kept: no crash, hang or excess of memory\n' \
      "$target" $((used / 100)) "$runs" "$inputs"
  else
    failed+=("$target")
    printf 'fuzz: %-12s FAILED after %d runs; see %s and %s/crashes/\n' "$target" "$runs" "$log" "$out"
    tail -n 30 "$log"
  fi
done
[[ ${#failed[@]} -eq 0 ]]
